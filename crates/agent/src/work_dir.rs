//! The agent's folder: pictures, LoRAs and base models cached by content, and one folder per attempt.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use protocol::{
    AttemptId,
    system::{default_min_free, is_short},
};
use rustix::fs::{FlockOperation, flock};
use trainer::train::JudgeShare;

use crate::{bases::Bases, measured::Measurements, memory::Room};

const PICTURES: &str = "pictures";
const LORAS: &str = "loras";
/// Bytes of pictures and LoRAs that stay for the next job or generation.
const MOST_CACHED_BYTES: u64 = 10_000_000_000;
/// A file requested within this time may still be read.
const IN_USE: Duration = Duration::from_secs(86_400);

/// Polling interval for the disk.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// The folder is unusable.
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
    web: fetch::Client,
    is_guarded: bool,
    room: Room,
    judging: JudgeShare,
    /// Free bytes of its disk, and the size of that.
    measure: fn(&Path) -> Option<(u64, u64)>,
    /// And this often.
    look_again: Duration,
}

/// What is free where a folder lies, and how large that disk is.
fn space(folder: &Path) -> Option<(u64, u64)> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    let bytes = |n_blocks: u64| n_blocks.saturating_mul(stat.f_frsize);
    Some((bytes(stat.f_bavail), bytes(stat.f_blocks)))
}

impl WorkDir {
    /// Creates the folder if it is missing, and removes files of killed agents. Base models in it take at
    /// most this many bytes; `web` downloads those from user-provided URLs.
    pub(crate) fn open(path: &Path, max_base_bytes: u64, web: fetch::Client) -> Result<Self, WorkDirError> {
        let work_dir = Self {
            path: path.to_owned(),
            max_base_bytes,
            web,
            is_guarded: false,
            room: Room::default(),
            judging: JudgeShare::default(),
            measure: space,
            look_again: LOOK_AGAIN,
        };
        for folder in [work_dir.attempts()].into_iter().chain(work_dir.caches()) {
            fs::create_dir_all(&folder).map_err(|err| failed("make", &folder, err))?;
        }
        let _guard = work_dir.guard()?;
        work_dir.remove_abandoned();
        Ok(work_dir)
    }

    /// One on a disk that this function measures.
    #[cfg(test)]
    pub(crate) fn measured(path: &Path, measure: fn(&Path) -> Option<(u64, u64)>) -> Self {
        let web = fetch::Client::new("test", fetch::HubOptions::default(), fetch::Ranges::default());
        Self {
            measure,
            ..Self::open(path, 0, web.expect("a client")).expect("a folder")
        }
    }

    /// The same, for work that has to fit into memory, or need not.
    pub(crate) fn within(self, room: Room) -> Self {
        Self { room, ..self }
    }

    /// The same, for trainings that give this much of their time to judging what they make.
    pub(crate) fn judging(self, judging: JudgeShare) -> Self {
        Self { judging, ..self }
    }

    /// How much of its time a training gives to judging what it makes.
    pub(crate) fn judge_share(&self) -> JudgeShare {
        self.judging
    }

    /// Whether work has to fit into memory.
    pub(crate) fn room(&self) -> Room {
        self.room
    }

    /// The same, with an eye on its disk. That of a server's own machine the server looks after.
    pub(crate) fn guarded(&self, is_guarded: bool) -> Self {
        Self {
            is_guarded,
            ..self.clone()
        }
    }

    /// Whether its disk is too full to write checkpoints. One that cannot be measured is not called so.
    pub(crate) fn is_short(&self, was_short: bool) -> bool {
        (self.measure)(&self.path).is_some_and(|(free_bytes, total_bytes)| {
            is_short(was_short, free_bytes, default_min_free(total_bytes))
        })
    }

    /// Returns when its disk has become too full, if it is guarded. The disk is polled.
    pub(crate) async fn until_short(&self) {
        if !self.is_guarded {
            return std::future::pending().await;
        }
        while !self.is_short(false) {
            tokio::time::sleep(self.look_again).await;
        }
    }

    fn caches(&self) -> [PathBuf; 2] {
        [PICTURES, LORAS].map(|name| self.path.join(name))
    }

    /// Where a picture of this content is cached.
    pub(crate) fn picture(&self, sha256: &str) -> PathBuf {
        self.path.join(PICTURES).join(format!("{sha256}.png"))
    }

    /// Where a LoRA of this content is cached.
    pub(crate) fn lora(&self, sha256: &str) -> PathBuf {
        self.path.join(LORAS).join(format!("{sha256}.safetensors"))
    }

    /// Where base models are cached.
    pub(crate) fn bases(&self) -> Bases {
        Bases::new(self.path.join("bases"), self.max_base_bytes, self.web.clone())
    }

    /// What base models were measured to do.
    pub(crate) fn measurements(&self) -> Measurements {
        Measurements::at(&self.path)
    }

    /// A folder for one attempt, removed when the value is dropped.
    pub(crate) fn attempt(&self, id: AttemptId) -> Result<AttemptDir, WorkDirError> {
        let path = self.attempts().join(id.to_string());
        let _guard = self.guard()?;
        fs::create_dir_all(&path).map_err(|err| failed("make", &path, err))?;
        let lock = lock(&path).map_err(|err| failed("lock", &path, err))?;
        Ok(AttemptDir { path, _lock: lock })
    }

    /// Frees space for pictures or LoRAs that are about to be downloaded. Failures are ignored.
    pub(crate) fn make_room(&self) {
        if let Ok(_guard) = self.guard() {
            self.trim(MOST_CACHED_BYTES);
        }
    }

    /// Deletes the least recently used pictures and LoRAs until the others fit, and partial downloads of
    /// killed agents.
    fn trim(&self, most_bytes: u64) {
        let folders = self
            .caches()
            .into_iter()
            .filter_map(|folder| fs::read_dir(folder).ok());
        let mut files: Vec<(SystemTime, u64, PathBuf)> = folders
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let meta = entry.metadata().ok()?;
                Some((meta.modified().ok()?, meta.len(), entry.path()))
            })
            .collect();
        files.sort_unstable();
        let mut n_bytes: u64 = files.iter().map(|(_, n_bytes, _)| n_bytes).sum();
        for (used_at, size, path) in files {
            if n_bytes <= most_bytes || used_at.elapsed().is_ok_and(|unused| unused < IN_USE) {
                return;
            }
            match fs::remove_file(&path) {
                Ok(()) => n_bytes -= size,
                Err(err) => {
                    tracing::warn!(path = %path.display(), error = %err, "failed to delete a cached file")
                }
            }
        }
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
                tracing::info!(path = %path.display(), "removing files of a killed agent");
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
    use std::{
        fs::{self, File},
        path::{Path, PathBuf},
        time::{Duration, SystemTime},
    };

    use futures::FutureExt as _;
    use protocol::AttemptId;

    use super::WorkDir;

    fn web() -> fetch::Client {
        fetch::Client::new("test", fetch::HubOptions::default(), fetch::Ranges::default()).unwrap()
    }

    #[test]
    fn an_attempts_folder_is_removed_when_it_is_over_or_its_agent_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let work_dir = WorkDir::open(folder.path(), 0, web()).unwrap();
        let attempt = work_dir.attempt(AttemptId::new()).unwrap();
        let abandoned = folder.path().join("attempts/abandoned");
        std::fs::create_dir(&abandoned).unwrap();
        std::fs::write(abandoned.join("lock"), "").unwrap();

        WorkDir::open(folder.path(), 0, web()).unwrap();
        assert!(!abandoned.exists());
        assert!(attempt.path().exists());

        let path = attempt.path().to_owned();
        drop(attempt);
        assert!(!path.exists());
    }

    const GIB: u64 = 1 << 30;

    /// Of a disk of 100 GiB, 2 must stay free. The file `free` in the folder says how many are.
    fn measured(folder: &Path) -> Option<(u64, u64)> {
        let free = fs::read_to_string(folder.join("free")).ok()?;
        Some((free.parse::<u64>().ok()? * GIB, 100 * GIB))
    }

    #[tokio::test]
    async fn a_disk_that_becomes_too_full_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let work_dir = WorkDir::measured(folder.path(), measured);
        let free = |n_gib: &str| fs::write(folder.path().join("free"), n_gib).unwrap();
        assert!(
            !work_dir.is_short(false),
            "what cannot be measured is not called full"
        );
        free("1");
        let unguarded = work_dir.until_short().now_or_never();
        assert_eq!(unguarded, None, "the server looks after its own machine");
        let mut work_dir = work_dir.guarded(true);
        work_dir.look_again = Duration::from_millis(5);
        assert_eq!(work_dir.until_short().now_or_never(), Some(()));
        free("3");
        let mut waiting = Box::pin(work_dir.until_short());
        assert_eq!((&mut waiting).now_or_never(), None);
        free("1");
        tokio::time::timeout(Duration::from_secs(20), waiting)
            .await
            .expect("it looks again");
        // Once short, it waits for a quarter more.
        free("2");
        assert!(work_dir.is_short(true) && !work_dir.is_short(false));
        free("3");
        assert!(!work_dir.is_short(true));
    }

    #[test]
    fn the_disk_itself_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let (free_bytes, total_bytes) = super::space(folder.path()).unwrap();
        assert!(0 < free_bytes && free_bytes <= total_bytes);
        assert_eq!(super::space(&folder.path().join("missing")), None);
    }

    #[test]
    fn cached_files_that_were_not_used_for_longest_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let work_dir = WorkDir::open(folder.path(), 0, web()).unwrap();
        let file = |path: PathBuf, n_days: u64| {
            fs::write(&path, [0; 100]).unwrap();
            let used_at = SystemTime::now() - Duration::from_secs(n_days * 86_400);
            File::open(&path).unwrap().set_modified(used_at).unwrap();
            path
        };
        let oldest = file(work_dir.picture("oldest"), 30);
        let older = file(work_dir.lora("older"), 20);
        let old = file(work_dir.picture("old"), 10);
        let in_use = file(work_dir.lora("in use"), 0);
        let left = || [&oldest, &older, &old, &in_use].map(|path| path.exists());

        work_dir.trim(400);
        assert_eq!(left(), [true; 4]);
        work_dir.trim(250);
        assert_eq!(left(), [false, false, true, true]);
        work_dir.trim(0);
        assert_eq!(left(), [false, false, false, true]);
    }

    #[test]
    fn agents_that_start_together_leave_each_others_folders_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let work_dir = WorkDir::open(folder.path(), 0, web()).unwrap();
                        let attempt = work_dir.attempt(AttemptId::new()).unwrap();
                        std::fs::write(attempt.path().join("file"), "content").unwrap();
                    }
                });
            }
        });
    }
}
