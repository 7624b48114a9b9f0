//! State of the server itself, which every page shows if something is wrong.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// State of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SystemStatus {
    /// Free space on its disks.
    pub disk: DiskStatus,
    /// Whether mail about jobs is set up.
    pub sends_mail: bool,
}

/// Free space on the server's disks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskStatus {
    /// Whether space is low: uploads are rejected, jobs on this machine pause, and nothing starts until there is space.
    pub is_short: bool,
    /// The monitored folders.
    pub folders: Vec<FolderStatus>,
}

/// Free space on the disk of one folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FolderStatus {
    /// `data` or `objects`.
    pub name: String,
    /// Free bytes of its disk.
    pub free_bytes: u64,
    /// Size of its disk, in bytes.
    pub total_bytes: u64,
    /// Work pauses below this many free bytes.
    pub min_free_bytes: u64,
    /// Work resumes at this many free bytes.
    pub resume_at_bytes: u64,
    /// Whether it can hold hardly any more files, however many bytes are free.
    pub is_out_of_files: bool,
    /// Whether space is low, or files are.
    pub is_short: bool,
}

const GIB: u64 = 1 << 30;
/// Two percent of a disk of a few terabytes are more than anybody here needs.
const MOST_FREE_BYTES: u64 = 20 * GIB;

/// Default for the space that must stay free: the larger of 1 GiB and 2 percent of the disk, but at most
/// 20 GiB and at most a fifth of the disk.
pub fn default_min_free(total_bytes: u64) -> u64 {
    (total_bytes / 50)
        .clamp(GIB, MOST_FREE_BYTES)
        .min(total_bytes / 5)
}

/// Whether a disk is low on space. Once low, it stays so until a quarter more than the minimum is free, so
/// that work does not pause and resume with every file.
pub fn is_short(was_short: bool, free_bytes: u64, min_free_bytes: u64) -> bool {
    if was_short {
        free_bytes < resume_at(min_free_bytes)
    } else {
        free_bytes < min_free_bytes
    }
}

/// Free bytes at which a disk stops being low on space.
pub fn resume_at(min_free_bytes: u64) -> u64 {
    min_free_bytes.saturating_add(min_free_bytes / 4)
}

#[cfg(test)]
mod tests;
