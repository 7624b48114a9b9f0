//! Makes files of Morpheus private to its account: folders 0700, files 0600.
//!
//! The umask of the process does this for new files; children inherit it. Files left open by an earlier version are
//! closed at start: folder and database immediately, which protects everything below, and the rest once, in the
//! background.

use std::{
    fs::{self, Metadata, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use rustix::{fs::Mode, process};
use store::audit::Actor;

/// Permission bits of other accounts.
const OTHERS: u32 = 0o077;

/// Marks a data folder whose contents were all made private.
const MARKER: &str = "closed-to-others";

/// Entries that a look takes into account; what is above them is closed or not for all of them.
const MAX_LOOKED_AT: usize = 10_000;

/// Makes new files of this process and its children private.
pub(crate) fn mask() {
    process::umask(Mode::from_raw_mode(OTHERS));
}

/// The account that runs the command, for the audit log.
pub(crate) fn actor() -> Actor {
    let account = process::getuid().as_raw().to_string();
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == account).then(|| name.to_owned())
    });
    Actor::named(format!("command line (account {})", name.unwrap_or(account)))
}

/// The files of an installation on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The data folder, and others that Morpheus alone writes to.
    pub(crate) folders: Vec<PathBuf>,
    /// A database that is elsewhere.
    pub(crate) database: Option<PathBuf>,
}

impl Places {
    /// Those that are named by these settings.
    pub(crate) fn of(data: &Path, database: Option<&str>, objects: Option<&str>) -> Self {
        let local =
            |url: Option<&str>, scheme| url.and_then(|url| url.strip_prefix(scheme)).map(PathBuf::from);
        let mut folders = vec![data.to_owned()];
        folders.extend(local(objects, "file://"));
        Self {
            folders,
            database: local(database, "sqlite://"),
        }
    }

    /// Removes access of other accounts to folders and databases; returns how many were open.
    pub(crate) fn close(&self) -> u64 {
        let mut closed = Closed::default();
        for folder in &self.folders {
            if let Some(folder) = ours(folder) {
                closed.close(&folder);
            }
            closed.close_database(&folder.join("morpheus.db"));
        }
        if let Some(database) = &self.database {
            closed.close_database(database);
        }
        closed.report();
        closed.n
    }

    /// Closes everything below the folders, unless already done. Runs in the background: the folders above are closed.
    pub(crate) fn close_all_once(self) {
        let folders: Vec<_> = self.folders.iter().filter_map(|folder| ours(folder)).collect();
        if folders.iter().all(|folder| folder.join(MARKER).exists()) {
            return;
        }
        std::thread::spawn(move || {
            let mut closed = Closed::default();
            for folder in &folders {
                closed.close_tree(folder);
                if let Err(err) = fs::write(folder.join(MARKER), "") {
                    tracing::warn!(path = %folder.display(), error = %err, "will be checked again");
                }
            }
            closed.report();
        });
    }

    /// Entries that others can read, with their kind; reports only the first few.
    pub(crate) fn open_to_others(&self) -> Vec<PathBuf> {
        let mut open = Vec::new();
        let databases = self.folders.iter().map(|folder| folder.join("morpheus.db"));
        for file in databases
            .chain(self.database.clone())
            .flat_map(|path| with_siblings(&path))
        {
            if mode(&file).is_some_and(|mode| mode & OTHERS != 0) {
                open.push(file);
            }
        }
        for folder in &self.folders {
            // What is in a closed folder nobody else reaches.
            let Some(1..) = mode(folder).map(|mode| mode & OTHERS) else {
                continue;
            };
            open.push(folder.clone());
            let mut n_looked_at = 0;
            walk(folder, &mut |path, metadata| {
                n_looked_at += 1;
                if metadata.mode() & OTHERS != 0 && open.len() < 5 {
                    open.push(path.to_owned());
                }
                n_looked_at < MAX_LOOKED_AT
            });
        }
        open.sort();
        open.dedup();
        open
    }
}

/// Creates a folder that only this account can enter; rejects one that belongs to another account.
pub(crate) fn own_folder(path: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(path).with_context(|| format!("failed to create the folder `{}`", path.display()))?;
    let own = process::geteuid().as_raw();
    // A link, and the folder that it leads to.
    for look in [fs::symlink_metadata::<&Path>, fs::metadata::<&Path>] {
        let metadata = look(path).with_context(|| format!("failed to inspect `{}`", path.display()))?;
        let uid = metadata.uid();
        anyhow::ensure!(
            uid == own || uid == 0,
            "the folder `{path}` belongs to another account (uid {uid}), which could change its contents: choose \
             another folder, or make this one yours with `chown -R {own} {path}`",
            path = path.display(),
        );
    }
    let mut closed = Closed::default();
    if let Some(folder) = ours(path) {
        closed.close(&folder);
    }
    closed.report();
    Ok(())
}

/// What was closed.
#[derive(Debug, Default)]
struct Closed {
    n: u64,
    n_failed: u64,
}

impl Closed {
    /// Removes the permissions of others from a file or folder. Links are not followed.
    fn close(&mut self, path: &Path) {
        match fs::symlink_metadata(path) {
            Ok(metadata) => self.close_found(path, &metadata),
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            Err(_) => self.n_failed += 1,
        }
    }

    fn close_found(&mut self, path: &Path, metadata: &Metadata) {
        let mode = metadata.mode() & 0o7777;
        if metadata.is_symlink() || mode & OTHERS == 0 {
            return;
        }
        match fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS)) {
            Ok(()) => self.n += 1,
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            Err(_) => self.n_failed += 1,
        }
    }

    fn close_database(&mut self, path: &Path) {
        with_siblings(path).iter().for_each(|path| self.close(path));
    }

    fn close_tree(&mut self, folder: &Path) {
        walk(folder, &mut |path, metadata| {
            self.close_found(path, metadata);
            true
        });
    }

    fn report(&self) {
        if self.n > 0 {
            tracing::info!(
                n = self.n,
                "removed access of other accounts to files and folders"
            );
        }
        if self.n_failed > 0 {
            tracing::warn!(
                n = self.n_failed,
                "could not remove access of other accounts to some files or folders: `morpheus doctor` lists them"
            );
        }
    }
}

/// A database and the files that SQLite keeps beside it.
fn with_siblings(database: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|end| {
        let mut name = database.as_os_str().to_owned();
        name.push(end);
        name.into()
    })
}

/// A folder that may be closed, with links resolved, so that what is closed is what was looked at: it is there, it is
/// this account's, and nobody else keeps something in it, as in `/tmp` or the top of a disk.
fn ours(folder: &Path) -> Option<PathBuf> {
    let own = process::geteuid().as_raw();
    let folder = fs::canonicalize(folder).ok()?;
    let metadata = fs::metadata(&folder).ok()?;
    let is_shared = metadata.mode() & 0o1000 != 0 || folder.parent().is_none();
    if !metadata.is_dir() || metadata.uid() != own || is_shared {
        return None;
    }
    let entries = fs::read_dir(&folder).ok()?.flatten();
    let is_alone = entries
        // The file system's own folder, at the top of a disk, is nobody's work.
        .filter(|entry| entry.file_name() != "lost+found")
        .all(|entry| entry.metadata().is_ok_and(|metadata| metadata.uid() == own));
    is_alone.then_some(folder)
}

/// Calls `each` for everything below a folder, on the same disk, until it says `false`. Links are not followed.
fn walk(folder: &Path, each: &mut dyn FnMut(&Path, &Metadata) -> bool) {
    let Ok(top) = fs::metadata(folder) else { return };
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let (path, Ok(metadata)) = (entry.path(), entry.metadata()) else {
                continue;
            };
            if metadata.is_symlink() {
                continue;
            }
            if !each(&path, &metadata) {
                return;
            }
            if metadata.is_dir() && metadata.dev() == top.dev() {
                folders.push(path);
            }
        }
    }
}

/// The rights of a file or folder that is there.
fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|metadata| metadata.mode())
}

#[cfg(test)]
mod tests;
