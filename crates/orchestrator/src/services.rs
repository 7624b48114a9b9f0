//! What the server calls, one file for each group of callers.

mod agents;
mod artifacts;
mod damage;
mod finish;
mod generations;
mod jobs;
mod models;
mod phases;
mod pricing;
mod reports;
mod restored;
mod spend;
mod uploaded;
mod verify;

pub(crate) use agents::{FETCH_TIME, POOL};
pub(crate) use damage::look;
pub(crate) use finish::again_or_failed;
pub use jobs::JobPlan;
pub(crate) use jobs::names;
pub use pricing::Pricing;
use pricing::check_labels;

pub(crate) use phases::{AttemptEnd, apply, end_job_attempt};
pub(crate) use spend::what_for;
pub use verify::{DamagedObject, UnreadObject, Verification};
