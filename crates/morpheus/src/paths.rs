//! Where Morpheus keeps its files when nobody says so.

use std::{
    env,
    path::{Path, PathBuf},
};

/// `$MORPHEUS_DATA`, else the data folder of the XDG base directory specification.
pub(crate) fn data_dir() -> PathBuf {
    env_path("MORPHEUS_DATA")
        .or_else(|| env_path("XDG_DATA_HOME").map(|data| data.join("morpheus")))
        .or_else(|| env_path("HOME").map(|home| home.join(".local/share/morpheus")))
        .unwrap_or_else(|| PathBuf::from(".morpheus"))
}

/// Where agents cache pictures and LoRAs: the cache folder of the same specification.
pub(crate) fn work_dir() -> PathBuf {
    env_path("XDG_CACHE_HOME")
        .map(|cache| cache.join("morpheus"))
        .or_else(|| env_path("HOME").map(|home| home.join(".cache/morpheus")))
        // In a shared folder, other accounts use the same program.
        .unwrap_or_else(|| env::temp_dir().join(format!("morpheus-{}", rustix::process::geteuid().as_raw())))
}

/// The absolute form of a path that may not exist yet.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn env_path(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
