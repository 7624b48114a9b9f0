//! Backups: everything in the database as it was at one moment, and every object that it refers to.
//!
//! A backup is one file, a plain tar archive, or a folder that holds any number of backups and each object once.
//! Either has the rows as an export (`database.jsonl`), the objects under their keys (`objects/sha256/ab/cdef…`), and
//! a manifest that names all of it with sizes and hashes, written last. Nothing has its final name before it was read
//! back ([decision 11](../../../docs/decisions/0011-backups.md)).
//!
//! These functions are for a command of its own: they read and write files without giving up their thread.

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

/// How far a backup or a restoration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// Objects that this step is through with.
    pub n_done: usize,
    /// Objects of this step.
    pub n_objects: usize,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Objects are copied.
    Copy,
    /// Rows are written.
    Rows,
    /// What was written is read back.
    Check,
}

impl Step {
    /// What a person who waits reads.
    pub fn as_text(self) -> &'static str {
        match self {
            Self::Copy => "copying",
            Self::Rows => "writing rows",
            Self::Check => "checking",
        }
    }
}

/// Hears how far it is.
pub type Watcher<'a> = &'a mut (dyn FnMut(Progress) + Send);
