//! Captions that a model writes: the endpoints that describe pictures, runs over the pictures of a dataset, and what they
//! propose. A proposal becomes a caption when somebody accepts it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    CaptionEndpointId, CaptionProposalId, CaptionRunId, DatasetId, ItemId, caption_edit::CaptionEdit,
};

/// An endpoint to add. Not printed: it holds secrets.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCaptionEndpoint {
    /// Its name, unique among your endpoints; 1 to 80 characters.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// Base URL of an OpenAI-compatible API with its version, such as `http://localhost:11434/v1`. It is kept secret, because
    /// it may contain a password or a key.
    #[schema(max_length = 2048)]
    pub url: String,
    /// The model's name there; 1 to 200 characters. It must accept pictures.
    pub model: String,
    /// Sent as a bearer token, if the endpoint needs one. It is never returned.
    #[serde(default)]
    pub key: Option<String>,
}

/// An endpoint that describes pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaptionEndpoint {
    /// Its id.
    pub id: CaptionEndpointId,
    /// Its name.
    pub name: String,
    /// Scheme and host of its URL; the rest may contain a secret.
    pub origin: String,
    /// The model's name there.
    pub model: String,
    /// Whether it has a key.
    pub has_key: bool,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// Asks an endpoint about one picture, and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TryCaptionEndpoint {
    /// The dataset of the picture.
    pub dataset_id: DatasetId,
    /// The picture.
    pub item_id: ItemId,
    /// What the model is told: see `CreateCaptionRun`.
    #[schema(min_length = 1, max_length = 4000)]
    pub prompt: String,
    /// What `{trigger}` stands for; empty for nothing.
    #[schema(max_length = 100)]
    #[serde(default)]
    pub trigger_word: String,
}

/// What an endpoint answered about one picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaptionTrial {
    /// What the model says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What is proposed for a picture that has a caption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptionPolicy {
    /// Nothing: only pictures without a caption are described.
    #[default]
    Keep,
    /// The caption with the description behind it.
    Add,
    /// The description in place of the caption.
    Replace,
}

/// Describes pictures of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCaptionRun {
    /// The endpoint.
    pub endpoint_id: CaptionEndpointId,
    /// What the model is told, 1 to 4000 characters. `{trigger}` becomes the trigger word, `{tags}` the caption that there
    /// is, `{name}` the file's name.
    #[schema(min_length = 1, max_length = 4000)]
    pub prompt: String,
    /// What is proposed for a picture that has a caption.
    #[serde(default)]
    pub policy: CaptionPolicy,
    /// Word that comes first in each proposal; empty for none.
    #[schema(max_length = 100)]
    #[serde(default)]
    pub trigger_word: String,
    /// The pictures, at most 10 000; all of the dataset if absent.
    #[serde(default)]
    pub items: Option<Vec<ItemId>>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptionRunState {
    /// Pictures are being described.
    Running,
    /// All pictures were described, or failed.
    Done,
    /// Somebody stopped it.
    Stopped,
    /// The endpoint failed.
    Failed,
}

impl CaptionRunState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Done, Self::Stopped, Self::Failed];
}

/// A run over pictures of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaptionRun {
    /// Its id.
    pub id: CaptionRunId,
    /// Name of the endpoint when it was started.
    pub endpoint: String,
    /// The model there.
    pub model: String,
    /// What the model is told.
    pub prompt: String,
    /// What is proposed for a picture that has a caption.
    pub policy: CaptionPolicy,
    /// Word that comes first in each proposal; empty for none.
    pub trigger_word: String,
    /// How it stands.
    pub state: CaptionRunState,
    /// Pictures to describe.
    pub n_items: u64,
    /// Pictures that were described, or failed.
    pub n_done: u64,
    /// Pictures that failed.
    pub n_failed: u64,
    /// Proposals that nobody has accepted or dismissed yet.
    pub n_open: u64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was started.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

/// What became of a picture of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptionProposalState {
    /// It is yet to be described.
    Waiting,
    /// Somebody has to accept or dismiss it.
    Open,
    /// The description would change nothing.
    Unchanged,
    /// It could not be described.
    Failed,
    /// It was made the caption.
    Accepted,
    /// It was dismissed.
    Dismissed,
}

impl CaptionProposalState {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Open,
        Self::Unchanged,
        Self::Failed,
        Self::Accepted,
        Self::Dismissed,
    ];
}

/// What a run proposes for one picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaptionProposal {
    /// Its id.
    pub id: CaptionProposalId,
    /// The picture.
    pub item_id: ItemId,
    /// Its file name.
    pub file_name: String,
    /// The caption beside which it was made. It is accepted only while the picture still has this caption.
    pub before: String,
    /// The caption that is proposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What became of it.
    pub state: CaptionProposalState,
    /// Why there is no proposal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Which proposals of a run are accepted or dismissed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChooseProposals {
    /// The proposals, at most 10 000; all that are open if absent.
    pub proposals: Option<Vec<CaptionProposalId>>,
}

/// What became of accepted proposals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AcceptedProposals {
    /// The edit, which can be undone; absent if no caption was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<CaptionEdit>,
    /// Number of captions that were changed.
    pub n_accepted: u64,
    /// Number of proposals that stay open, because the caption was changed since or the picture was deleted.
    pub n_skipped: u64,
}

/// What was dismissed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DismissedProposals {
    /// Number of proposals.
    pub n_dismissed: u64,
}
