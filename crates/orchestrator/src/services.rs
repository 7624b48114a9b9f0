//! What the server calls, one file for each group of callers.

mod agents;
mod artifacts;
mod bases;
mod captioning;
mod captions;
mod checkpoints;
mod checks;
mod clean_up;
mod damage;
mod dataset_changes;
mod drawing;
mod edits;
mod estimate;
mod exports;
mod finish;
mod generations;
mod images;
mod imports;
mod jobs;
mod judgements;
mod merged_bases;
mod models;
mod panels;
mod phases;
mod pictures;
mod presets;
mod pricing;
mod prompts;
mod reports;
mod restored;
mod seen;
mod spend;
mod trash;
mod uploaded;
mod verify;
mod webhooks;
mod workers;

pub(crate) use agents::{FETCH_TIME, POOL};
use bases::BaseDemand;
pub(crate) use captioning::{prompt_for, says_something};
pub use checks::UnmeasuredPicture;
pub(crate) use damage::look;
pub(crate) use drawing::{
    SILENCE, close_drawing, end_rented_attempt, is_silent, launch_drawing, refuse_drawing, silent_for,
};
use estimate::StepTimes;
pub use exports::{Export, ExportError};
pub use imports::ImportedVersion;
use jobs::JobPlan;
pub(crate) use jobs::names;

pub(crate) use phases::{AttemptEnd, apply, end_job_attempt};
pub use pictures::TakenPictures;
pub use presets::import_recipe;
pub(crate) use spend::what_for;
pub use verify::{DamagedObject, UnreadObject, Verification};
pub(crate) use workers::{WorkerQueue, end_lost};
