//! How the server itself is: what every page shows when something is wrong with it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SystemStatus {
    /// Room on its disks.
    pub disk: DiskStatus,
}

/// Room on the server's disks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskStatus {
    /// There is too little: uploads are refused, jobs on this machine pause, nothing is started until there is room.
    pub is_short: bool,
    /// What is guarded.
    pub folders: Vec<FolderStatus>,
}

/// Room for what one folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FolderStatus {
    /// `data` or `objects`.
    pub name: String,
    /// Free bytes of its disk.
    pub free_bytes: u64,
    /// Size of its disk, in bytes.
    pub total_bytes: u64,
    /// Work stops when fewer bytes are free.
    pub min_free_bytes: u64,
    /// Work goes on when so many bytes are free again.
    pub resume_at_bytes: u64,
    /// There is too little.
    pub is_short: bool,
}

const GIB: u64 = 1 << 30;
/// Two percent of a disk of a few terabytes are more than anybody here needs.
const MOST_FREE_BYTES: u64 = 20 * GIB;

/// What must stay free of a disk when nobody says otherwise: the larger of 1 GiB and 2 percent, but no more than
/// 20 GiB, and no more than a fifth of a small disk.
pub fn default_min_free(total_bytes: u64) -> u64 {
    (total_bytes / 50)
        .clamp(GIB, MOST_FREE_BYTES)
        .min(total_bytes / 5)
}

/// Whether a disk is short now. One that was short is so until there is a quarter more than what must stay free, so
/// that work does not stop and go with every file.
pub fn is_short(was_short: bool, free_bytes: u64, min_free_bytes: u64) -> bool {
    if was_short {
        free_bytes < resume_at(min_free_bytes)
    } else {
        free_bytes < min_free_bytes
    }
}

/// With so much free, a disk that was short is not any more.
pub fn resume_at(min_free_bytes: u64) -> u64 {
    min_free_bytes.saturating_add(min_free_bytes / 4)
}

#[cfg(test)]
mod tests;
