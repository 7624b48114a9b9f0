//! Types that only the HTTP API uses: pages of lists, files of a job, estimates, API tokens.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ArtifactId, ItemId, JobId, MicroUsd, TokenId,
    agent::ArtifactKind,
    finding::Finding,
    judgement::Judgement,
    problem::FieldError,
    recipe::Recipe,
    spend::{Budget, OfferEstimate},
};

/// One page of a list, newest first unless the route says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Pass this as `after` to get the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Changes a dataset.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpdateDataset {
    /// The new name, from 1 to 80 characters.
    #[schema(min_length = 1, max_length = 80)]
    pub name: Option<String>,
}

/// A file kept from a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Artifact {
    /// Its id.
    pub id: ArtifactId,
    /// The job it was kept from.
    pub job_id: JobId,
    /// What it is.
    #[serde(flatten)]
    pub kind: ArtifactKind,
    /// File name for downloads.
    pub file_name: String,
    /// Size.
    pub size_bytes: u64,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// Signed URL, valid for one hour.
    pub url: String,
    /// Of a checkpoint that was judged: what it was found to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

/// A preview picture of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    /// The stored picture.
    pub artifact_id: ArtifactId,
    /// Optimizer steps done when it was rendered.
    pub step: u32,
    /// Which of the recipe's sample prompts, from 0.
    pub prompt_index: u32,
    /// The prompt.
    pub prompt: String,
    /// Seed of its starting noise.
    pub seed: u64,
    /// Signed URL, valid for one hour.
    pub url: String,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

/// What a job would do, without creating it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobEstimate {
    /// The fully resolved configuration.
    pub recipe: Recipe,
    /// Pictures that would be trained on.
    pub n_train_items: u32,
    /// Pictures that would be held out for validation.
    pub n_held_out_items: u32,
    /// Optimizer steps in one epoch.
    pub n_steps_per_epoch: u32,
    /// Epochs, the last one perhaps incomplete.
    pub n_epochs: u32,
    /// Pictures that the training would see, each counted every time.
    pub n_views: u32,
    /// Hyperparameters that were chosen and have no effect, and what it would take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<FieldError>,
    /// What the checks of the dataset find for this training, errors first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Sizes at which the pictures would be trained.
    pub buckets: Vec<EstimatedBucket>,
    /// The first pictures as the training would see them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<SeenPicture>,
    /// Expected training time, based on this installation's finished jobs; absent without a similar job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Size of the trained file in bytes, without its metadata; absent where it follows from more than the ranks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<u64>,
    /// GPU memory that the training needs, in GB; a rough estimate.
    pub memory_gb: u32,
    /// Time and cost on each type of machine that can be rented; empty if the provider rents none.
    pub offers: Vec<OfferEstimate>,
    /// Minimum limit with which the job can start, in micro-dollars; absent if no machine is rented or none fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_limit_micro_usd: Option<MicroUsd>,
    /// Budgets that apply in addition to its own limit.
    pub budgets: Vec<Budget>,
    /// Identifies the configuration and prices above; required to create a job on a rented machine.
    pub hash: String,
}

/// One size at which pictures would be trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EstimatedBucket {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Pictures of this size.
    pub n_items: u32,
}

/// A picture as a training sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SeenPicture {
    /// Its id.
    pub id: ItemId,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Width in pixels to which it is cut, around its center.
    pub width: u32,
    /// Height in pixels to which it is cut.
    pub height: u32,
    /// Share of the picture that is cut off, from 0 to 1.
    pub cut: f64,
    /// The caption with trigger word, prefix and suffix.
    pub caption: String,
    /// Whether tags change places or are left out from one time to the next.
    pub is_caption_changing: bool,
    /// About how often the whole training shows it.
    pub n_views: u32,
}

/// Exchanges a token for a session cookie.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The token of the login address that the server printed, or an API token.
    pub token: String,
}

/// The caller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Name of the token used for this request.
    pub token_name: String,
    /// How this browser signed in: `login address` or the name of an API token. Absent if the request used a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in_with: Option<String>,
    /// Version of the server.
    pub server_version: String,
}

/// Creates an API token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What it is for, 1 to 80 characters.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// Who uses it.
    #[serde(default)]
    pub scope: TokenScope,
    /// Days until it expires, 1 to 3650; if omitted, it is valid until deleted. A token cannot create one that
    /// outlives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3650)]
    pub expires_in_days: Option<u32>,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BrowserSession {
    /// Its id.
    pub id: TokenId,
    /// Whether it is the browser that sent this request.
    pub is_current: bool,
    /// How it signed in: `login address` or the name of an API token.
    pub signed_in_with: String,
    /// When it signed in.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// IP address from which it signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Short form of its user agent: `Firefox on Linux`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// What "sign out everywhere" ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedOut {
    /// Number of browsers that were signed in.
    pub n_sessions: u64,
    /// Number of unused login addresses that were revoked.
    pub n_login_addresses: u64,
}

/// Who uses a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// A person or their program: full access to the account.
    #[default]
    User,
    /// Machines of the pool: may only take the owner's jobs.
    Agent,
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiToken {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// Who uses it.
    pub scope: TokenScope,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it expires; absent if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// What created it, if that was a browser or another token: `browser session (login address)`, `token ci`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
}

/// A new API token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// The token, as the list shows it.
    #[serde(flatten)]
    pub token: ApiToken,
    /// The secret, to send as `Authorization: Bearer …`. It is returned only once.
    pub secret: String,
}
