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
//! Both sides ignore fields that they do not know, since they may be of different versions; [`crate::machine`] says
//! which can work together. A request with a fence that is no longer the attempt's is answered with 409 `lease_lost`: somebody else
//! owns the work, and the agent drops it. All requests may be repeated without harm.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ArtifactId, AttemptId, EditId, GenerationId, JobId,
    address::Masked,
    base::{Measured, Prediction},
    dataset::Manifest,
    edit::Edit,
    event::{LogLevel, SeenPictures, StepMetrics},
    generation::{Preview, Rendering},
    judged::readable,
    judgement::Judgement,
    lora::LoraSummary,
    machine::{Machine, known},
    model::Verdict,
    phase::Outcome,
    recipe::Recipe,
    spend::RentalTerms,
};

/// Asks for work. The server holds the request until there is work or `wait_seconds` have passed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClaimRequest {
    /// Which kinds of work this agent does.
    #[serde(deserialize_with = "known")]
    pub kinds: Vec<WorkKind>,
    /// How long the server may hold the request, at most 60.
    #[schema(maximum = 60)]
    pub wait_seconds: u32,
    /// What it runs on, and what it can do: it gets only work that fits. An agent that does not say it is too old for
    /// any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
}

/// Kinds of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    /// Train a LoRA.
    Train,
    /// Render pictures.
    Generate,
    /// Make LoRA files out of others.
    Edit,
}

/// Work, if there is any.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClaimReply {
    /// The work.
    pub assignment: Option<Assignment>,
    /// The agent keeps running when there is no work: its machine belongs to the pool, or to a drawing session.
    #[serde(default)]
    pub stay: bool,
    /// On the machine of a drawing session: its lease, which each claim renews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawing: Option<DrawingLease>,
}

/// The lease of a drawing session's machine. Pictures that it draws meanwhile have attempts of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DrawingLease {
    /// The session's attempt.
    pub attempt_id: AttemptId,
    /// Proves ownership of it.
    pub fence: i64,
    /// The lease ends this long after the claim was sent.
    pub lease_seconds: u32,
    /// Limits for the agent.
    pub terms: RentalTerms,
}

/// Work that this agent now owns, for as long as it renews the lease by heartbeats.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Assignment {
    /// The attempt; part of every later request's path.
    pub attempt_id: AttemptId,
    /// Proves ownership; sent with every later request.
    pub fence: i64,
    /// The lease ends this long after the last heartbeat that got a reply.
    pub lease_seconds: u32,
    /// What to do.
    pub work: Work,
    /// Limits for the agent, on rented machines.
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
    /// Make a file out of others.
    Edit(Box<EditWork>),
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
    /// What the server knows of the base model beside its files.
    #[serde(default, skip_serializing_if = "KnownOfBase::is_nothing")]
    pub base_known: KnownOfBase,
    /// The pictures to train on.
    pub manifest: Manifest,
    /// Signed URLs of the pictures, by SHA-256.
    pub picture_urls: BTreeMap<String, String>,
    /// The checkpoint to resume from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_from: Option<StoredFile>,
    /// The LoRA to begin with, if there is no checkpoint yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_from: Option<StoredFile>,
    /// An earlier attempt has drawn the previews of before the first step; an older agent draws them again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_start_drawn: bool,
    /// Train no further: the result is what the checkpoint holds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub finish: bool,
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
    /// Elsewhere: the agent downloads it and keeps it for later jobs.
    Files {
        /// One single-file checkpoint, or the files of a diffusers folder.
        files: Vec<BaseFile>,
    },
}

/// What the server knows of a base model beside its files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KnownOfBase {
    /// What its U-Net predicts, whatever its files say; absent to take what they say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// A VAE in place of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vae: Option<BaseLocation>,
    /// What its U-Net was measured to do, so that the agent need not measure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

impl KnownOfBase {
    /// Whether there is nothing to say.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// One file of a base model to download.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BaseFile {
    /// Its path within the base, with `/` between folders.
    pub path: String,
    /// The URL comes from a user or a hub and may lead anywhere, so the agent checks its target.
    #[serde(default)]
    pub is_foreign: bool,
    /// The file to download.
    #[serde(flatten)]
    pub file: StoredFile,
}

/// A file in the object store.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoredFile {
    /// Signed URL.
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

/// Reports that a file of the assignment cannot be used. The server checks the file itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UnusableFile {
    /// See [`Assignment::fence`].
    pub fence: i64,
    /// SHA-256 of the file as the assignment names it, in hexadecimal.
    pub sha256: String,
    /// The bytes are correct, but the engine cannot resume from them; only for a checkpoint.
    pub arrived: bool,
    /// What the agent observed, for a person, at most 2000 characters.
    #[schema(max_length = 2000)]
    pub problem: String,
}

/// What the agent should do without the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Instead {
    /// The stored file is intact: download it again.
    FetchAgain,
    /// Resume from this checkpoint.
    GoOn {
        /// The next older checkpoint; absent to start from step 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume_from: Option<StoredFile>,
    },
    /// There is no replacement: end the attempt as failed.
    GiveUp {
        /// The reason and what the owner can do; becomes the detail of the failure.
        reason: String,
    },
}

/// One picture to render.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GenerateWork {
    /// The generation.
    pub generation_id: GenerationId,
    /// What to render.
    pub request: Rendering,
    /// Where this machine finds the base model.
    pub base: BaseLocation,
    /// What the server knows of the base model beside its files.
    #[serde(default, skip_serializing_if = "KnownOfBase::is_nothing")]
    pub base_known: KnownOfBase,
    /// The LoRA files, in the order of the request.
    pub lora_files: Vec<StoredFile>,
}

/// One file to make out of others.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EditWork {
    /// The edit.
    pub edit_id: EditId,
    /// What to make.
    pub edit: Edit,
    /// The LoRAs, in the order of the request.
    pub loras: Vec<NamedFile>,
    /// The base model, where one is asked for or known; needed only for what depends on its weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<NamedBase>,
    /// The base model whose difference is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned: Option<NamedBase>,
    /// Name of the result, without its ending.
    pub name: String,
}

/// A stored file with the name that its owner knows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NamedFile {
    /// Name without ending.
    pub name: String,
    /// The file.
    #[serde(flatten)]
    pub file: StoredFile,
}

/// A base model with the name that its owner knows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NamedBase {
    /// Its name.
    pub name: String,
    /// Where this machine finds it.
    pub location: BaseLocation,
}

/// Renews the lease and delivers events.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Heartbeat {
    /// See [`Assignment::fence`].
    pub fence: i64,
    /// Events since the last acknowledged one; repeated until acknowledged. At most 1000.
    #[schema(max_items = 1000)]
    pub events: Vec<AgentEvent>,
}

/// One event, numbered by the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentEvent {
    /// 1, 2, 3, … within the attempt; the server stores each number once.
    pub n: u64,
    /// When it happened, by the agent's clock.
    pub at: DateTime<Utc>,
    /// What happened.
    pub report: Report,
}

/// What an agent reports while it works. Of a generation, `stage`, `log`, `measured` and `preview` count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Report {
    /// The engine is preparing.
    Stage {
        /// The current step, for a person.
        name: String,
        /// Completed units.
        done: u32,
        /// Total units; 0 if unknown.
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
    /// Which pictures some optimizer steps saw. An engine gathers some seconds' worth of steps.
    PicturesSeen {
        /// The steps, in their order.
        steps: Vec<SeenPictures>,
    },
    /// A log line for a person.
    Log {
        /// Severity.
        level: LogLevel,
        /// The text.
        message: String,
    },
    /// Training is done; the result is being validated.
    Finalizing,
    /// The trained file was evaluated.
    Validated {
        /// The verdict with its numbers.
        verdict: Verdict,
    },
    /// A stored checkpoint was judged by its pictures. Reported after the checkpoint and the pictures are stored.
    Judged {
        /// Optimizer steps done at the checkpoint.
        step: u32,
        /// What it was found to be; absent if this server cannot read it, which leaves the report out.
        #[serde(default, deserialize_with = "readable")]
        judgement: Option<Judgement>,
    },
    /// What the U-Net of the base model was measured to do; only where the server does not know it.
    Measured {
        /// The measurement.
        measured: Measured,
    },
    /// What the picture of a generation looks like so far. Only the newest counts, and an agent makes a few in a second at
    /// most; nothing keeps them.
    Preview {
        /// The preview.
        preview: Preview,
    },
    /// What an agent of a newer version reports and this server does not know: it is acknowledged and left out.
    #[serde(other)]
    Unknown,
}

/// Acknowledges events and gives orders.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatReply {
    /// The lease ends this long after this reply.
    pub lease_seconds: u32,
    /// Events up to this number are stored.
    pub acknowledged: u64,
    /// Orders, each given once and repeated until the agent has acted on it.
    #[serde(deserialize_with = "known")]
    pub directives: Vec<Directive>,
    /// Limits that apply from now on, on rented machines.
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
    /// The next step is the last: write a checkpoint and end with a result.
    Finish,
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
    /// The result of an edit.
    Edited,
    /// A picture that shows what a [`Judgement`] says.
    Evidence {
        /// Optimizer steps of what was judged.
        step: u32,
        /// Its name in the judgement.
        name: String,
    },
}

/// Announces a file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NewArtifact {
    /// See [`Assignment::fence`].
    pub fence: i64,
    /// What it is.
    #[serde(flatten)]
    pub kind: ArtifactKind,
    /// File name for downloads: no path, at most 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub file_name: String,
    /// Size.
    #[schema(minimum = 1)]
    pub size_bytes: u64,
    /// SHA-256, in hexadecimal.
    #[schema(min_length = 64, max_length = 64)]
    pub sha256: String,
}

/// Where to upload an announced file.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct UploadTicket {
    /// Its id.
    pub artifact_id: ArtifactId,
    /// Signed URL to `PUT` the bytes to; absent if the store already has them.
    pub upload_url: Option<String>,
    /// Headers to send unchanged: the signature of an object store URL covers them.
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
    /// The file of an edit, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<EditResult>,
    /// The disk of the agent's machine took no writes: it is full, may not be written to, or fails. The outcome is
    /// `lost`, and the job waits until there is room; a server that does not know this field tries again at once.
    // Its name between programs is the one that it had when it only meant a full disk.
    #[serde(rename = "no_room", default, skip_serializing_if = "std::ops::Not::not")]
    pub disk_fault: bool,
}

/// A file that was made out of others.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EditResult {
    /// The stored file.
    pub artifact_id: ArtifactId,
    /// What a LoRA holds; absent of anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<LoraSummary>,
    /// What was done, for a person.
    pub done: String,
    /// Share of the Frobenius norm that is left, if something was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<f64>,
    /// What a person should know.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// The trained LoRA.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TrainResult {
    /// The stored file.
    pub artifact_id: ArtifactId,
    /// Optimizer steps done.
    pub n_steps: u32,
    /// The verdict on the file.
    pub verdict: Verdict,
    /// The file's metadata.
    pub metadata: BTreeMap<String, String>,
    /// The fixed-seed picture without the LoRA.
    pub before: Option<ArtifactId>,
    /// The fixed-seed picture with the LoRA.
    pub after: Option<ArtifactId>,
    /// What the LoRA does to pictures. Absent if it was not judged, and where this server cannot read it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "readable"
    )]
    pub judgement: Option<Judgement>,
}

#[cfg(test)]
mod tests;
