//! Which file lies at a path.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, time::SystemTime};

/// Device and inode of a file or folder: a path that was given another file has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
    /// When it was made, where the file system tells: the number of a file that was removed goes to the next one.
    made_at: Option<SystemTime>,
}

impl FileId {
    /// The file or folder that lies at a path now, with links followed; `None` where there is none that can be looked
    /// at.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        Some(Self {
            device: meta.dev(),
            inode: meta.ino(),
            made_at: meta.created().ok(),
        })
    }
}
