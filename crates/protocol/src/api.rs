//! What only the HTTP API speaks of: pages of lists, files of a job, estimates, API tokens.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ArtifactId, JobId, MicroUsd, TokenId,
    agent::ArtifactKind,
    recipe::Recipe,
    spend::{Budget, OfferEstimate},
};

/// A part of a list, newest first unless the route says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Send this as `after` to get the next part; absent on the last one.
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
    /// Name that a download gets.
    pub file_name: String,
    /// Size.
    pub size_bytes: u64,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// Signed address, valid for an hour.
    pub url: String,
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
    /// Signed address, valid for an hour.
    pub url: String,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

/// What a job would be, without making it.
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
    /// The sizes that the pictures would be trained at.
    pub buckets: Vec<EstimatedBucket>,
    /// Expected time of the training, from this installation's finished jobs; absent when there is no like one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// GPU memory that the training needs, in GB; a rule of thumb.
    pub memory_gb: u32,
    /// What it would take and cost on each rented machine that may be asked for; empty where none is rented.
    pub offers: Vec<OfferEstimate>,
    /// The smallest limit with which it could start, in micro-dollars; absent where no machine is rented, or none fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_limit_micro_usd: Option<MicroUsd>,
    /// The budgets that it must keep to besides its own limit.
    pub budgets: Vec<Budget>,
    /// Stands for the configuration and the prices above; a job on a rented machine is made with it.
    pub hash: String,
}

/// One size that pictures would be trained at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EstimatedBucket {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Pictures of this size.
    pub n_items: u32,
}

/// Exchanges a token for a session cookie.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The token of the login address that the server printed, or an API token.
    pub token: String,
}

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Name of the token that the request came with.
    pub token_name: String,
    /// What this browser was signed in with: `login address`, or the name of an API token. Absent for a token itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in_with: Option<String>,
    /// Version of the server.
    pub server_version: String,
}

/// Asks for a new API token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What it is for, from 1 to 80 characters.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// Who uses it.
    #[serde(default)]
    pub scope: TokenScope,
    /// It works for this many days, from 1 to 3650; left out: until it is deleted. A token cannot make one that
    /// works for longer than itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3650)]
    pub expires_in_days: Option<u32>,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BrowserSession {
    /// Its id.
    pub id: TokenId,
    /// Whether it is the one that asks.
    pub is_current: bool,
    /// What it was signed in with: `login address`, or the name of an API token.
    pub signed_in_with: String,
    /// When it signed in.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// The address that it signed in from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What it calls itself, in short: `Firefox on Linux`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// What "sign out everywhere" ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedOut {
    /// Browsers that were signed in.
    pub n_sessions: u64,
    /// Login addresses that nobody had used yet.
    pub n_login_addresses: u64,
}

/// Who uses a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// A person or their program: it may do all that its owner may.
    #[default]
    User,
    /// Machines of the pool: it may take its owner's work, and nothing else.
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
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it stops working by itself; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// What made it, when that was a browser or another token: `browser session (login address)`, `token ci`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
}

/// A fresh API token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// The token as it is listed from now on.
    #[serde(flatten)]
    pub token: ApiToken,
    /// The secret to send as `Authorization: Bearer …`. It is shown this once.
    pub secret: String,
}
