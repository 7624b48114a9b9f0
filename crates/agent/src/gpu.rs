//! Who computes on this machine's GPU: a training goes first.
//!
//! The agents of a machine that share a folder agree by two files in it. A training locks the first as long as it needs
//! the GPU, and begins when nobody locks the second; what draws locks the second as long as it has something in the
//! GPU's memory, and only while nobody locks the first. The kernel releases the locks of an agent that was killed.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

/// Between two looks at a lock of another process, which tells nobody when it ends.
const LOOK: Duration = Duration::from_millis(500);

const TRAINING: &str = "gpu-training.lock";
const DRAWING: &str = "gpu-drawing.lock";

/// The GPU of the machine that a folder is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    folder: PathBuf,
}

/// A use of the GPU, which ends when this is dropped.
#[derive(Debug)]
pub struct Hold {
    _file: File,
}

impl Gpu {
    /// As the agents know it that share this folder.
    pub fn of(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self { folder }
    }

    /// Says that a training needs it. Nothing is drawn from then on, but what has begun.
    ///
    /// # Errors
    /// If the folder is unusable.
    pub fn want(&self) -> io::Result<Hold> {
        // Exclusive locks on this file last for an instant.
        self.lock(TRAINING, FlockOperation::LockShared)
    }

    /// Takes it to draw; none if a training needs it.
    ///
    /// # Errors
    /// If the folder is unusable.
    pub fn draw(&self) -> io::Result<Option<Hold>> {
        let hold = self.lock(DRAWING, FlockOperation::LockShared)?;
        // Looked at last: a training that comes now waits for the hold.
        Ok((!self.is_wanted()).then_some(hold))
    }

    /// Whether a training needs it.
    pub fn is_wanted(&self) -> bool {
        self.is_locked(TRAINING)
    }

    /// Whether anything that draws has something in its memory.
    pub fn is_drawn_on(&self) -> bool {
        self.is_locked(DRAWING)
    }

    /// Returns when a training needs it.
    pub async fn until_wanted(&self) {
        while !self.is_wanted() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Returns when no training needs it, or not any more.
    pub async fn until_unwanted(&self) {
        while self.is_wanted() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Returns when nothing that draws has anything in its memory.
    pub async fn until_undrawn(&self) {
        while self.is_drawn_on() {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn is_locked(&self, name: &str) -> bool {
        let tried = self.lock(name, FlockOperation::NonBlockingLockExclusive);
        tried.is_err_and(|err| err.raw_os_error() == Some(Errno::WOULDBLOCK.raw_os_error()))
    }

    fn lock(&self, name: &str, operation: FlockOperation) -> io::Result<Hold> {
        fs::create_dir_all(&self.folder)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.folder.join(name))?;
        flock(&file, operation)?;
        Ok(Hold { _file: file })
    }
}

#[cfg(test)]
mod tests;
