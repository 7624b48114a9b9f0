//! The audit log: who did what, when, from where.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AuditId, TokenId};

/// What an entry is about, to filter by.
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
    /// The installation: starts, backups, what the command line does.
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

/// The one list of what is written down: its name, its category, and what a person reads.
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

            /// What it is about.
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
    LoginAddressMade, Access, "Made a login address";
    TokenMade, Access, "Made a token";
    TokenDeleted, Access, "Deleted a token";
    DatasetMade, Data, "Made a dataset";
    DatasetRenamed, Data, "Renamed a dataset";
    DatasetDeleted, Data, "Deleted a dataset";
    PicturesUploaded, Data, "Uploaded files";
    PictureDeleted, Data, "Deleted a picture";
    JobMade, Work, "Started a job";
    JobCancelled, Work, "Canceled a job";
    JobStopped, Work, "Stopped a job";
    JobResumed, Work, "Resumed a job";
    CheckpointAsked, Work, "Asked for a checkpoint";
    SamplesAsked, Work, "Asked for samples";
    GenerationMade, Work, "Asked for a picture";
    VersionApproved, Models, "Approved a model version";
    VersionRetired, Models, "Retired a model version";
    BaseRegistered, Models, "Added a base model";
    BaseRemoved, Models, "Removed a base model";
    BaseChecked, Models, "Had a base model checked";
    BaseCopied, Models, "Had a base model copied";
    BudgetSet, Money, "Set a budget";
    JobLimitSet, Money, "Set the limit of a job";
    ProviderResumed, Money, "Resumed a provider";
    ServerStarted, Installation, "Started the server";
    DatabaseExported, Installation, "Exported the database";
    DatabaseImported, Installation, "Imported a database";
    ObjectsCollected, Installation, "Deleted unused objects";
    ObjectsVerified, Installation, "Verified the objects";
    BackupMade, Installation, "Made a backup";
    BackupRestored, Installation, "Restored a backup";
}

/// An entry of the audit log. Nothing changes or deletes it but its age.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its id; later entries have larger ones.
    pub id: AuditId,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What was done.
    pub action: AuditAction,
    /// The same for a person.
    pub label: String,
    /// What it is about.
    pub category: AuditCategory,
    /// Who did it: `token ci`, `browser session (login address)`, `command line (account zora)`, `server`, `nobody`.
    pub actor: String,
    /// The token or session that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_id: Option<TokenId>,
    /// The address that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What else is worth knowing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How often within a minute: refused sign-ins from one address are one entry.
    pub n: u32,
}
