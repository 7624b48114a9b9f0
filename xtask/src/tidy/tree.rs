//! The text files of the repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// A text file, by its path from the repository's root.
#[derive(Debug)]
pub(super) struct TextFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl TextFile {
    /// The path with forward slashes.
    pub(super) fn name(&self) -> &str {
        self.path.to_str().expect("our own files have plain names")
    }
}

/// What tools make, mostly folders (`.git` is a file in a worktree); `assets` holds data that no rule here is about.
const LEFT_OUT: [&str; 8] = [
    ".git",
    ".tools",
    ".morpheus",
    "target",
    "node_modules",
    "dist",
    "assets",
    "test-results",
];

/// Every file that is text, sorted by path.
pub(super) fn text_files(root: &Path) -> Result<Vec<TextFile>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("failed to list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("failed to list {}", folder.display()))?;
            let path = entry.path();
            let kind = entry
                .file_type()
                .with_context(|| format!("failed to look at {}", path.display()))?;
            let name = entry.file_name();
            if LEFT_OUT.iter().any(|left_out| name == *left_out) {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let bytes = fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
                // What is not UTF-8 is a picture or a weight file.
                if let Ok(text) = String::from_utf8(bytes) {
                    let path = path.strip_prefix(root).expect("found below the root").to_owned();
                    files.push(TextFile { path, text });
                }
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}
