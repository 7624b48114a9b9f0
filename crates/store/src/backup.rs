//! Backups: everything in the database as it was at one moment, and every object that it refers to.
//!
//! A backup is one file, a plain tar archive, or a folder that holds any number of backups and each object once.
//! Either has the rows as an export (`database.jsonl`), the objects under their keys (`objects/sha256/ab/cdef…`), and
//! a manifest that names all of it with sizes and hashes, written last. Nothing has its final name before it was read
//! back ([decision 11](../../../docs/decisions/0011-backups.md)).
//!
//! These functions are for a separate command: they do blocking file IO.

mod archive;
mod error;
mod folder;
mod make;
mod manifest;
mod needs;
mod open;
mod restore;
mod target;

pub use self::{
    error::BackupError,
    make::{Made, Options},
    manifest::{Earlier, Fault, Lost, Manifest},
    open::Backup,
    restore::Restored,
};

/// Progress of a backup or restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The current step.
    pub step: Step,
    /// Objects done in this step.
    pub n_done: usize,
    /// Objects of this step.
    pub n_objects: usize,
}

/// The current step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Objects are copied.
    Copy,
    /// Rows are written.
    Rows,
    /// Written data is verified.
    Check,
}

impl Step {
    /// Text for people.
    pub fn as_text(self) -> &'static str {
        match self {
            Self::Copy => "copying",
            Self::Rows => "writing rows",
            Self::Check => "checking",
        }
    }
}

/// Receives the progress.
pub type Watcher<'a> = &'a mut (dyn FnMut(Progress) + Send);
