//! What a job's optimizer steps saw, as the API shows it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ItemId;

/// How the pictures of a job fare, those that it struggles with first.
///
/// The loss says more about the noise than about the picture, so each loss is divided by the job's mean loss of its band:
/// 100 timesteps. Losses are those from before they are weighted, by min-SNR for example.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobPictures {
    /// Optimizer steps whose pictures are known. Engines other than the native one do not report them.
    pub n_steps: u32,
    /// Pictures that were seen at least once, the highest relative loss first.
    pub pictures: Vec<JobPicture>,
}

/// How one picture fares in a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobPicture {
    /// The picture.
    #[serde(flatten)]
    pub picture: PictureOfJob,
    /// Times that it was seen.
    pub n_seen: u32,
    /// Mean of its losses, each divided by the mean loss of its band: 1 is as usual, above 1 is harder.
    pub relative_loss: f64,
    /// Its loss when it was seen last.
    pub last_loss: f64,
    /// The step that saw it last.
    pub last_step: u32,
}

/// A picture as a job trains on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PictureOfJob {
    /// The picture.
    pub item_id: ItemId,
    /// File name at upload; absent if the picture was removed from the dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Its caption when the job was created. What a step saw of it can be shuffled or shortened, if the job does so.
    pub caption: String,
    /// Where it can be seen: its thumbnail, or a signed URL of the picture if it was removed from the dataset.
    pub url: String,
}

/// One optimizer step with what it saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobStep {
    /// The optimizer step; from 1.
    pub step: u32,
    /// When it was reported.
    pub at: DateTime<Utc>,
    /// Training loss of its batch, weighted.
    pub loss: f64,
    /// Learning rate used by it.
    pub learning_rate: f64,
    /// Wall-clock time of the step, in milliseconds.
    pub step_ms: f64,
    /// What it saw; empty as long as it is not reported, and for engines that do not report it.
    pub pictures: Vec<StepPicture>,
}

/// A picture in a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepPicture {
    /// The picture.
    #[serde(flatten)]
    pub picture: PictureOfJob,
    /// The timestep at which it was shown: from 0, nearly clean, to 999, nearly noise.
    pub timestep: u32,
    /// Its loss before it is weighted.
    pub loss: f64,
    /// The loss divided by the mean loss of its band of 100 timesteps, over the steps around this one: several minutes of
    /// the job.
    pub relative_loss: f64,
}
