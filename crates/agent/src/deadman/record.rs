//! The record of a machine that survives restarts of its container: its first start and the number of starts.
//!
//! It is a help. Some providers empty a container's disk when they start it again, and then the deadline by the
//! clock is what bounds a machine that starts again and again.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, Utc};
use rental::deadman::{Moment, Start};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

/// The record could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("failed to keep the machine's record `{path}`")]
pub(super) struct RecordError {
    path: PathBuf,
    #[source]
    err: io::Error,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    first_start: DateTime<Utc>,
    /// What the monotonic clock showed then; says something until the host is started again.
    first_start_monotonic: Duration,
    boot_id: String,
    n_starts: u32,
}

/// Counts this start of machine `id` in its record in `folder`.
///
/// # Errors
/// If the record cannot be written; the start that was read is lost then, too, and counts as the first.
pub(super) fn count_start(folder: &Path, id: &str, now: Moment) -> Result<Start, RecordError> {
    let path = folder.join(format!("machine-{}.json", hex::encode(id)));
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    // One that cannot be read is none: it is replaced in one step, so it was not this program that broke it.
    let old = fs::read(&path)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
    let n_restarts = old.as_ref().map_or(0, |old| old.n_starts);
    let ran_before = old
        .as_ref()
        .map_or(Duration::ZERO, |old| ran_since(old, now, &boot_id));
    let record = Record {
        n_starts: n_restarts.saturating_add(1),
        ..old.unwrap_or(Record {
            first_start: now.wall,
            first_start_monotonic: now.monotonic,
            boot_id,
            n_starts: 0,
        })
    };
    write(folder, &path, &record).map_err(|err| RecordError { path, err })?;
    Ok(Start {
        at: now,
        ran_before,
        n_restarts,
    })
}

/// The longer of what both clocks say: one may have been set back.
fn ran_since(record: &Record, now: Moment, boot_id: &str) -> Duration {
    let by_wall = now.wall.signed_duration_since(record.first_start);
    let by_wall = by_wall.to_std().unwrap_or_default();
    if record.boot_id != boot_id {
        return by_wall;
    }
    by_wall.max(now.monotonic.saturating_sub(record.first_start_monotonic))
}

fn write(folder: &Path, path: &Path, record: &Record) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let file = NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&file, record)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;
    use rental::deadman::Moment;

    use super::count_start;

    #[test]
    fn starts_are_counted_for_each_machine_and_time_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("not/there/yet");
        let first = Moment::now();
        let start = count_start(&folder, "pod-1", first).unwrap();
        assert_eq!((start.n_restarts, start.ran_before), (0, Duration::ZERO));

        // The wall clock was set back meanwhile; the other one was not.
        let later = Moment {
            monotonic: first.monotonic + Duration::from_secs(100),
            wall: first.wall - TimeDelta::hours(1),
        };
        let start = count_start(&folder, "pod-1", later).unwrap();
        assert_eq!(
            (start.n_restarts, start.ran_before),
            (1, Duration::from_secs(100))
        );
        assert_eq!(count_start(&folder, "pod-1", later).unwrap().n_restarts, 2);
        assert_eq!(count_start(&folder, "pod-2", later).unwrap().n_restarts, 0);
    }

    #[test]
    fn a_record_that_cannot_be_kept_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let err = count_start(file.path(), "pod", Moment::now()).unwrap_err();
        assert!(err.to_string().contains("machine-"), "{err}");
    }
}
