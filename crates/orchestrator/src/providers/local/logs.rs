//! The logs of agents, one file each: the newest are kept, for a month.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Deletes old logs, and of the others all but the newest `n_kept`. A log that cannot be deleted is tried again the
/// next time.
pub(super) fn prune(folder: &Path, age: Duration, n_kept: usize) {
    let deleted = logs(folder).and_then(|mut logs| {
        logs.sort_by(|(_, one), (_, other)| other.cmp(one));
        let now = SystemTime::now();
        let is_old = |at: SystemTime| now.duration_since(at).is_ok_and(|since| since > age);
        let mut n_deleted = 0;
        for (n, (path, at)) in logs.into_iter().enumerate() {
            if n >= n_kept || is_old(at) {
                fs::remove_file(path)?;
                n_deleted += 1;
            }
        }
        Ok(n_deleted)
    });
    match deleted {
        Ok(0) => {}
        Ok(n) => tracing::info!(n, "deleted old logs of agents"),
        Err(err) => {
            tracing::warn!(folder = %folder.display(), error = %err, "old logs of agents were not deleted")
        }
    }
}

/// The logs and when each was last written to.
fn logs(folder: &Path) -> io::Result<Vec<(PathBuf, SystemTime)>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_log = name
            .to_str()
            .is_some_and(|name| name.starts_with("agent-") && name.ends_with(".log"));
        if is_log {
            logs.push((entry.path(), entry.metadata()?.modified()?));
        }
    }
    Ok(logs)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        time::{Duration, SystemTime},
    };

    use super::prune;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn old_logs_go_and_the_newest_stay() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, n_days: u32| {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - DAY * n_days).unwrap();
        };
        make("agent-a.log", 40);
        make("agent-b.log", 3);
        make("agent-c.log", 2);
        make("agent-d.log", 1);
        make("notes.txt", 40);
        prune(folder.path(), DAY * 30, 2);
        let mut left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["agent-c.log", "agent-d.log", "notes.txt"]);
    }
}
