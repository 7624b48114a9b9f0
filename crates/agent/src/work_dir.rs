//! The agent's folder: pictures, LoRAs and base models cached by content, and one folder per attempt.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use protocol::AttemptId;
use rustix::fs::{FlockOperation, flock};

use crate::bases::Bases;

/// The folder could not be used.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing} the agent's folder `{path}`")]
pub struct WorkDirError {
    doing: &'static str,
    path: PathBuf,
    #[source]
    err: io::Error,
}

/// The agent's folder.
#[derive(Debug, Clone)]
pub(crate) struct WorkDir {
    path: PathBuf,
    max_base_bytes: u64,
}

impl WorkDir {
    /// Makes the folder if it is missing, and removes what agents that were killed left behind. Base models in it take at
    /// most so many bytes.
    pub(crate) fn open(path: &Path, max_base_bytes: u64) -> Result<Self, WorkDirError> {
        let work_dir = Self {
            path: path.to_owned(),
            max_base_bytes,
        };
        for folder in [
            work_dir.attempts(),
            work_dir.path.join("pictures"),
            work_dir.path.join("loras"),
        ] {
            fs::create_dir_all(&folder).map_err(|err| failed("make", &folder, err))?;
        }
        let _guard = work_dir.guard()?;
        work_dir.remove_abandoned();
        Ok(work_dir)
    }

    /// Where a picture of this content is cached.
    pub(crate) fn picture(&self, sha256: &str) -> PathBuf {
        self.path.join("pictures").join(format!("{sha256}.png"))
    }

    /// Where a LoRA of this content is cached.
    pub(crate) fn lora(&self, sha256: &str) -> PathBuf {
        self.path.join("loras").join(format!("{sha256}.safetensors"))
    }

    /// Where base models are cached.
    pub(crate) fn bases(&self) -> Bases {
        Bases::new(self.path.join("bases"), self.max_base_bytes)
    }

    /// A folder for one attempt, removed when the value is dropped.
    pub(crate) fn attempt(&self, id: AttemptId) -> Result<AttemptDir, WorkDirError> {
        let path = self.attempts().join(id.to_string());
        let _guard = self.guard()?;
        fs::create_dir_all(&path).map_err(|err| failed("make", &path, err))?;
        let lock = lock(&path).map_err(|err| failed("lock", &path, err))?;
        Ok(AttemptDir { path, _lock: lock })
    }

    fn attempts(&self) -> PathBuf {
        self.path.join("attempts")
    }

    /// Several agents may share the folder: one makes an attempt's folder and locks it, or one looks for folders
    /// that nobody locks, but not both at the same time.
    fn guard(&self) -> Result<File, WorkDirError> {
        let path = self.path.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let locked = file.and_then(|file| {
            flock(&file, FlockOperation::LockExclusive)?;
            Ok(file)
        });
        locked.map_err(|err| failed("lock", &path, err))
    }

    /// A folder that nobody locks belongs to an agent that is gone.
    fn remove_abandoned(&self) {
        let Ok(entries) = fs::read_dir(self.attempts()) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            // A folder without a lock is being removed at this moment.
            if path.join("lock").exists() && lock(&path).is_ok() {
                tracing::info!(path = %path.display(), "removing what a killed agent left");
                remove(&path);
            }
        }
    }
}

/// The folder of one attempt.
#[derive(Debug)]
pub(crate) struct AttemptDir {
    path: PathBuf,
    _lock: File,
}

impl AttemptDir {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for AttemptDir {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn lock(folder: &Path) -> io::Result<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("lock"))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

fn remove(folder: &Path) {
    if let Err(err) = fs::remove_dir_all(folder) {
        tracing::warn!(path = %folder.display(), error = %err, "failed to remove an attempt's folder");
    }
}

fn failed(doing: &'static str, path: &Path, err: io::Error) -> WorkDirError {
    WorkDirError {
        doing,
        path: path.to_owned(),
        err,
    }
}

#[cfg(test)]
mod tests {
    use protocol::AttemptId;

    use super::WorkDir;

    #[test]
    fn an_attempts_folder_is_removed_when_it_is_over_or_its_agent_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let work_dir = WorkDir::open(folder.path(), 0).unwrap();
        let attempt = work_dir.attempt(AttemptId::new()).unwrap();
        let abandoned = folder.path().join("attempts/abandoned");
        std::fs::create_dir(&abandoned).unwrap();
        std::fs::write(abandoned.join("lock"), "").unwrap();

        WorkDir::open(folder.path(), 0).unwrap();
        assert!(!abandoned.exists());
        assert!(attempt.path().exists());

        let path = attempt.path().to_owned();
        drop(attempt);
        assert!(!path.exists());
    }

    #[test]
    fn agents_that_start_together_leave_each_others_folders_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let work_dir = WorkDir::open(folder.path(), 0).unwrap();
                        let attempt = work_dir.attempt(AttemptId::new()).unwrap();
                        std::fs::write(attempt.path().join("file"), "content").unwrap();
                    }
                });
            }
        });
    }
}
