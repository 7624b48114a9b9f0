//! Copies of approved LoRAs in a folder of another program: `reconcile/copies.rs` decides and fetches, this writes.
//!
//! A manifest in the folder lists every file that was or is about to be written, with its hash. It is saved before the
//! files are, so that whatever a killed server left is known to be ours. A file that somebody else wrote or changed is
//! neither replaced nor removed. One server at a time holds the folder, by a lock that ends with its process.

mod held;
mod manifest;
mod name;
mod sidecars;

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use protocol::{
    ModelVersionId,
    copies::{LoraCopies, LoraCopy},
    model::ModelVersion,
    preset::Family,
};
use store::BlobKey;

pub use self::held::check_lora_folder;
pub(crate) use self::{
    held::{Fetched, Held, Missing, Part},
    manifest::Manifest,
};

/// The whole folder is looked at this often, for files that were taken away.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// What failed is tried again after this time.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// An approved version, as far as its copy depends on it.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) version: ModelVersion,
    /// The LoRA.
    pub(crate) file: BlobKey,
    /// A picture that was drawn with it.
    pub(crate) picture: Option<BlobKey>,
    /// That of its base model.
    pub(crate) family: Family,
}

/// Why nothing of the folder could be read or written. The text is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unusable(pub(crate) String);

/// What this server knows of the folder.
#[derive(Debug, Default)]
pub(crate) struct Copies(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    known: LoraCopies,
    /// What was approved at the last look.
    approved: Vec<ModelVersionId>,
    /// When to look even if nothing else is approved.
    due: Option<Instant>,
}

impl Copies {
    /// For the folder of this setting.
    pub(crate) fn new(folder: Option<&PathBuf>) -> Self {
        let known = LoraCopies {
            folder: folder.map(|folder| folder.display().to_string()),
            ..LoraCopies::default()
        };
        Self(Mutex::new(State {
            known,
            ..State::default()
        }))
    }

    /// The folder and its copies, as of the last look.
    pub(crate) fn known(&self) -> LoraCopies {
        self.state().known.clone()
    }

    /// Whether it is time to look at the folder.
    pub(crate) fn is_due(&self, approved: &[ModelVersionId], now: Instant) -> bool {
        let state = self.state();
        state.approved != approved || state.due.is_none_or(|due| now >= due)
    }

    /// Notes what a look came to. Returns problems that were not there before, for the log.
    pub(crate) fn note(
        &self,
        approved: Vec<ModelVersionId>,
        found: Result<Vec<LoraCopy>, Unusable>,
        now: Instant,
    ) -> Vec<String> {
        let mut state = self.state();
        let before = problems(&state.known);
        match found {
            Ok(copies) => {
                state.known.problem = None;
                state.known.copies = copies;
            }
            Err(Unusable(problem)) => state.known.problem = Some(problem),
        }
        let after = problems(&state.known);
        let wait = if after.is_empty() { LOOK_EVERY } else { RETRY_AFTER };
        state.due = Some(now + wait);
        state.approved = approved;
        after
            .into_iter()
            .filter(|problem| !before.contains(problem))
            .collect()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn problems(known: &LoraCopies) -> Vec<String> {
    let of_copies = known.copies.iter().filter_map(|copy| copy.problem.clone());
    known.problem.iter().cloned().chain(of_copies).collect()
}
