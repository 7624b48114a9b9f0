//! The audit log: who did what, when, from where.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AuditId, TokenId};

/// Category of an entry, for filtering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditCategory {
    /// Sign-ins, tokens, sessions.
    Access,
    /// Datasets and pictures.
    Data,
    /// Trainings and generations.
    Work,
    /// Trained models and base models.
    Models,
    /// Budgets, limits, providers.
    Money,
    /// The installation: starts, backups, commands run on the command line.
    Installation,
}

impl AuditCategory {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Access,
        Self::Data,
        Self::Work,
        Self::Models,
        Self::Money,
        Self::Installation,
    ];
}

/// The list of all actions that are recorded: name, category and text for people.
macro_rules! actions {
    ($($variant:ident, $category:ident, $label:literal;)*) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum AuditAction {
            $(#[doc = $label] $variant,)*
        }

        impl AuditAction {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The category of the action.
            pub const fn category(self) -> AuditCategory {
                match self {
                    $(Self::$variant => AuditCategory::$category,)*
                }
            }

            /// For a person.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)*
                }
            }
        }
    };
}

actions! {
    SignedIn, Access, "Signed in";
    SignInFailed, Access, "Sign-in refused";
    SignedOut, Access, "Signed out";
    SessionEnded, Access, "Ended a session";
    SignedOutEverywhere, Access, "Signed out everywhere";
    LoginAddressMade, Access, "Created a login address";
    TokenMade, Access, "Created a token";
    TokenDeleted, Access, "Deleted a token";
    DatasetMade, Data, "Created a dataset";
    DatasetRenamed, Data, "Renamed a dataset";
    DatasetDeleted, Data, "Deleted a dataset";
    PicturesUploaded, Data, "Uploaded files";
    PictureDeleted, Data, "Deleted a picture";
    MaskDeleted, Data, "Deleted a loss mask";
    PageSplit, Data, "Split a page into panels";
    GroupsChanged, Data, "Changed groups of pictures";
    CaptionsEdited, Data, "Edited captions";
    CaptionsRestored, Data, "Undid an edit of captions";
    CaptionRunMade, Data, "Started describing pictures";
    CaptionRunStopped, Data, "Stopped describing pictures";
    ProposalsAccepted, Data, "Accepted proposed captions";
    ProposalsDismissed, Data, "Dismissed proposed captions";
    FindingsAcknowledged, Data, "Acknowledged findings of a dataset";
    JobMade, Work, "Started a job";
    JobCancelled, Work, "Canceled a job";
    JobStopped, Work, "Stopped a job";
    JobFinished, Work, "Finished a job early";
    VersionAsked, Work, "Started making a version of a checkpoint";
    JobResumed, Work, "Resumed a job";
    CheckpointAsked, Work, "Requested a checkpoint";
    SamplesAsked, Work, "Requested samples";
    GenerationMade, Work, "Requested a picture";
    PresetSaved, Work, "Saved a preset";
    PresetDeleted, Work, "Deleted a preset";
    LoraImported, Models, "Imported a LoRA";
    EditMade, Models, "Started making a file out of others";
    EditCancelled, Models, "Canceled making a file out of others";
    VersionApproved, Models, "Approved a model version";
    VersionRetired, Models, "Retired a model version";
    ModelRenamed, Models, "Renamed a model";
    ModelChosen, Models, "Chose the cover or the current version of a model";
    UsageSet, Models, "Said how a model version is used";
    LabelChanged, Work, "Changed the star, tags or note of something";
    Deleted, Work, "Deleted something, which can be brought back";
    Restored, Work, "Brought back something that was deleted";
    CleanedUp, Work, "Cleaned up by rules";
    BaseRegistered, Models, "Added a base model";
    BaseRemoved, Models, "Removed a base model";
    BaseChecked, Models, "Checked a base model";
    BaseCopied, Models, "Copied a base model";
    BaseSet, Models, "Set the prediction or VAE of a base model";
    BudgetSet, Money, "Set a budget";
    JobLimitSet, Money, "Set the limit of a job";
    DrawingMade, Money, "Rented a machine for pictures";
    DrawingEnded, Money, "Ended a drawing session";
    ProviderResumed, Money, "Resumed a provider";
    ServerStarted, Installation, "Started the server";
    WebhookMade, Installation, "Added a webhook";
    WebhookDeleted, Installation, "Deleted a webhook";
    WebhookDisabled, Installation, "Disabled a webhook";
    WebhookTested, Installation, "Sent a test to a webhook";
    MailTested, Installation, "Sent a test mail";
    DeliveryRepeated, Installation, "Sent a notice again";
    CaptionEndpointMade, Installation, "Added an endpoint that describes pictures";
    CaptionEndpointDeleted, Installation, "Deleted an endpoint that describes pictures";
    CaptionEndpointTried, Installation, "Tried an endpoint that describes pictures";
    DatabaseExported, Installation, "Exported the database";
    DatabaseImported, Installation, "Imported a database";
    ObjectsCollected, Installation, "Deleted unused objects";
    ObjectsVerified, Installation, "Verified the objects";
    BackupMade, Installation, "Created a backup";
    BackupRestored, Installation, "Restored a backup";
}

/// An entry of the audit log. It never changes, and is deleted only when it is old enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its id; ids increase over time.
    pub id: AuditId,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What was done.
    pub action: AuditAction,
    /// The action as text for a person.
    pub label: String,
    /// The category of the action.
    pub category: AuditCategory,
    /// Who did it: `token ci`, `browser session (login address)`, `command line (account zora)`, `server`, `nobody`.
    pub actor: String,
    /// The token or session that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// The IP address it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Further details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How often it happened within a minute: failed sign-ins from one address share an entry.
    pub n: u32,
}
