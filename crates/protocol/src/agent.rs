//! What an agent and the server say to each other. The agent dials out; replies carry its orders.
//!
//! | request | body | reply |
//! |---|---|---|
//! | `POST /api/v1/agent/claim` | [`ClaimRequest`] | [`ClaimReply`] |
//! | `POST /api/v1/agent/attempts/{id}/heartbeat` | [`Heartbeat`] | [`HeartbeatReply`] |
//! | `POST /api/v1/agent/attempts/{id}/unusable` | [`UnusableFile`] | [`Instead`] |
//! | `POST /api/v1/agent/attempts/{id}/artifacts` | [`NewArtifact`] | [`UploadTicket`] |
//! | `POST /api/v1/agent/attempts/{id}/artifacts/{artifact_id}/complete` | – | – |
//! | `POST /api/v1/agent/attempts/{id}/finish` | [`Finish`] | – |
//!
//! A request with a fence that is no longer the attempt's is answered with 409 `lease_lost`: somebody else
//! owns the work, and the agent drops it. All requests may be repeated without harm.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ArtifactId, AttemptId, GenerationId, JobId,
    address::Masked,
    dataset::Manifest,
    event::{LogLevel, StepMetrics},
    generation::CreateGeneration,
    model::Verdict,
    phase::Outcome,
    recipe::{Engine, Recipe},
    spend::RentalTerms,
};

/// Asks for work. The server holds the request until there is some, or `wait_seconds` are over.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClaimRequest {
    /// Which kinds of work this agent does.
    pub kinds: Vec<WorkKind>,
    /// How long the server may hold the request, at most 60.
    #[schema(maximum = 60)]
    pub wait_seconds: u32,
    /// What it runs on; a machine of the pool gets the work that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
}

/// A machine, as its agent describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Machine {
    /// Its name, from 1 to 80 characters; another machine with the same token has another one.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// What jobs may ask for, at most 16.
    #[schema(max_items = 16)]
    pub labels: Vec<String>,
    /// Its first GPU, as its driver calls it; absent when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    /// Memory of that GPU, in GB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_gb: Option<u32>,
    /// What it can train with.
    pub engines: Vec<Engine>,
}

/// Kinds of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    /// Train a LoRA.
    Train,
    /// Render pictures.
    Generate,
}

/// Work, if there is any.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClaimReply {
    /// The work.
    pub assignment: Option<Assignment>,
    /// The agent's machine is one of the pool: it stays, also when there is no work.
    #[serde(default)]
    pub stay: bool,
}

/// Work that this agent now owns, for as long as it renews the lease by heartbeats.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Assignment {
    /// The attempt; part of every later request's path.
    pub attempt_id: AttemptId,
    /// Proves ownership; sent with every later request.
    pub fence: i64,
    /// The lease ends this long after the last heartbeat that was answered.
    pub lease_seconds: u32,
    /// What to do.
    pub work: Work,
    /// What the agent must keep to; on rented machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<RentalTerms>,
}

/// What to do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Train a LoRA.
    Train(Box<TrainWork>),
    /// Render a picture.
    Generate(GenerateWork),
}

/// One job to train.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TrainWork {
    /// The job.
    pub job_id: JobId,
    /// Its configuration.
    pub recipe: Recipe,
    /// Where this machine finds the base model.
    pub base: BaseLocation,
    /// The pictures to train on.
    pub manifest: Manifest,
    /// Signed addresses of the pictures, by SHA-256.
    pub picture_urls: BTreeMap<String, String>,
    /// The checkpoint to go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_from: Option<StoredFile>,
}

/// Where an agent finds a base model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum BaseLocation {
    /// In the `morpheus` binary itself.
    BuiltIn {
        /// Its name: `tiny-xl`.
        name: String,
    },
    /// A single-file checkpoint or a diffusers folder on the agent's own machine.
    Path {
        /// The path.
        path: String,
    },
    /// Elsewhere: the agent fetches it, and keeps it for the next job.
    Files {
        /// One single-file checkpoint, or the files of a diffusers folder.
        files: Vec<BaseFile>,
    },
}

/// One file of a base model that is to be fetched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BaseFile {
    /// Its path within the base, with `/` between folders.
    pub path: String,
    /// Its address is one that a user gave the server, or a hub's: it may lead anywhere, and the agent looks where.
    #[serde(default)]
    pub is_foreign: bool,
    /// Where it is.
    #[serde(flatten)]
    pub file: StoredFile,
}

/// A file in the object store.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoredFile {
    /// Signed address.
    pub url: String,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// Size.
    pub size_bytes: u64,
}

impl fmt::Debug for StoredFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredFile")
            .field("url", &Masked(&self.url))
            .field("sha256", &self.sha256)
            .field("size_bytes", &self.size_bytes)
            .finish()
    }
}

/// Says that a file of the assignment cannot be used. The server looks at it itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UnusableFile {
    /// See [`Assignment::fence`].
    pub fence: i64,
    /// SHA-256 of the file as the assignment names it, in hexadecimal.
    pub sha256: String,
    /// The right bytes arrived, but the engine cannot go on from them; for a checkpoint.
    pub arrived: bool,
    /// What was seen, for a person, at most 2000 characters.
    #[schema(max_length = 2000)]
    pub problem: String,
}

/// What an agent does without a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Instead {
    /// The stored file is whole: fetch it again.
    FetchAgain,
    /// Go on from this checkpoint.
    GoOn {
        /// The next older one; absent: from step 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume_from: Option<StoredFile>,
    },
    /// Nothing takes its place: end the attempt as failed.
    GiveUp {
        /// Why, and what its owner can do; the detail of the failure.
        reason: String,
    },
}

/// One picture to render.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GenerateWork {
    /// The generation.
    pub generation_id: GenerationId,
    /// What to render; seed, width and height are filled in.
    pub request: CreateGeneration,
    /// Where this machine finds the base model.
    pub base: BaseLocation,
    /// The LoRA files, in the order of the request.
    pub lora_files: Vec<StoredFile>,
}

/// Renews the lease and delivers events.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Heartbeat {
    /// See [`Assignment::fence`].
    pub fence: i64,
    /// Events since the last one that was acknowledged; sent again until they are. At most 1000.
    #[schema(max_items = 1000)]
    pub events: Vec<AgentEvent>,
}

/// One event, numbered by the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentEvent {
    /// 1, 2, 3, … within the attempt; the server takes each number once.
    pub n: u64,
    /// When it happened, by the agent's clock.
    pub at: DateTime<Utc>,
    /// What happened.
    pub report: Report,
}

/// What an agent reports while it trains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Report {
    /// The engine is preparing.
    Stage {
        /// What it does, for a person.
        name: String,
        /// Finished parts.
        done: u32,
        /// All parts; 0 when unknown.
        total: u32,
    },
    /// One optimizer step.
    Step(StepMetrics),
    /// A validation loss.
    ValidationLoss {
        /// Optimizer steps done before it was measured.
        step: u32,
        /// Mean over the held-out pictures and the fixed timesteps.
        loss: f64,
    },
    /// A line for a person.
    Log {
        /// How grave.
        level: LogLevel,
        /// The line.
        message: String,
    },
    /// Training is done; the result is being validated.
    Finalizing,
    /// The trained file was judged.
    Validated {
        /// The verdict with its numbers.
        verdict: Verdict,
    },
}

/// Acknowledges events and gives orders.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatReply {
    /// The lease ends this long after this reply.
    pub lease_seconds: u32,
    /// Events up to this number are stored.
    pub acknowledged: u64,
    /// Orders, each given once and repeated until the agent has acted on it.
    pub directives: Vec<Directive>,
    /// What the agent must keep to from now on; on rented machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<RentalTerms>,
}

/// An order to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Directive {
    /// Write a checkpoint, upload it, and end.
    Stop,
    /// End without keeping anything.
    Cancel,
    /// Write a checkpoint now and go on.
    Checkpoint,
    /// Render the sample prompts now and go on.
    Sample,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ArtifactKind {
    /// A preview picture.
    Sample {
        /// Optimizer steps done when it was rendered.
        step: u32,
        /// Which of the recipe's sample prompts, from 0.
        prompt_index: u32,
        /// The prompt.
        prompt: String,
        /// Seed of its starting noise.
        seed: u64,
    },
    /// A resumable checkpoint.
    Checkpoint {
        /// Optimizer steps done.
        step: u32,
    },
    /// The trained LoRA.
    Lora {
        /// Optimizer steps done.
        step: u32,
    },
    /// The fixed-seed picture without the LoRA.
    PictureBefore,
    /// The fixed-seed picture with the LoRA.
    PictureAfter,
    /// The picture of a generation.
    Picture,
}

/// Announces a file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NewArtifact {
    /// See [`Assignment::fence`].
    pub fence: i64,
    /// What it is.
    #[serde(flatten)]
    pub kind: ArtifactKind,
    /// Name that a download gets: a plain one, of at most 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub file_name: String,
    /// Size.
    #[schema(minimum = 1)]
    pub size_bytes: u64,
    /// SHA-256, in hexadecimal.
    #[schema(min_length = 64, max_length = 64)]
    pub sha256: String,
}

/// Where to put an announced file.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct UploadTicket {
    /// Its id.
    pub artifact_id: ArtifactId,
    /// Signed address to `PUT` the bytes to; absent when the store has these bytes already.
    pub upload_url: Option<String>,
    /// Headers to send with them, exactly as they are: an address of an object store is signed with them.
    #[serde(default)]
    pub upload_headers: BTreeMap<String, String>,
}

impl fmt::Debug for UploadTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadTicket")
            .field("artifact_id", &self.artifact_id)
            .field("upload_url", &self.upload_url.as_deref().map(Masked))
            .finish_non_exhaustive()
    }
}

/// Ends an attempt.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Finish {
    /// See [`Assignment::fence`].
    pub fence: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, for a person; for a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The trained LoRA, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<TrainResult>,
    /// The picture of a generation, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<ArtifactId>,
}

/// The trained LoRA.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TrainResult {
    /// The stored file.
    pub artifact_id: ArtifactId,
    /// Optimizer steps done.
    pub n_steps: u32,
    /// Whether it is fit for use.
    pub verdict: Verdict,
    /// The file's metadata.
    pub metadata: BTreeMap<String, String>,
    /// The fixed-seed picture without the LoRA.
    pub before: Option<ArtifactId>,
    /// The fixed-seed picture with the LoRA.
    pub after: Option<ArtifactId>,
}
