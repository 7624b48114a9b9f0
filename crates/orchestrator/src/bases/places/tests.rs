//! Paths that lead to where they must not.

use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::{By, Opened, PathError, Places};

/// A folder `allowed` with a model, and a folder `data` with a database.
struct Disk {
    folder: TempDir,
    places: Places,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("allowed/inner")).unwrap();
        fs::create_dir_all(at("data/objects/ab")).unwrap();
        fs::write(at("allowed/model"), "model").unwrap();
        fs::write(at("elsewhere"), "elsewhere").unwrap();
        for own in ["morpheus.db", "morpheus.db-wal", "objects/ab/abc"] {
            fs::write(at("data").join(own), "own").unwrap();
        }
        let places = Places::new([at("allowed")], [at("data"), at("data/morpheus.db")]);
        Self { folder, places }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, path: &Path, by: By) -> Result<Opened, PathError> {
        let resolved = self.places.resolve(path, by)?;
        self.places.own_files().open_other(&resolved)
    }
}

#[test]
fn a_file_in_an_allowed_folder_is_read_however_it_is_reached() {
    let disk = Disk::new();
    symlink("model", disk.at("allowed/link")).unwrap();
    symlink(disk.at("allowed"), disk.at("allowed/inner/up")).unwrap();
    fs::hard_link(disk.at("allowed/model"), disk.at("allowed/hard")).unwrap();
    for name in ["model", "link", "hard", "inner/up/model", "inner/up/link"] {
        let opened = disk.open(&disk.at("allowed").join(name), By::Request).unwrap();
        assert_eq!(opened.size_bytes, 5, "{name}");
    }
    // Whoever starts the server may name anything that is not its own.
    disk.open(&disk.at("elsewhere"), By::Settings).unwrap();
}

#[test]
fn what_lies_outside_of_the_allowed_folders_is_not_even_looked_for() {
    let disk = Disk::new();
    symlink(disk.at("elsewhere"), disk.at("allowed/out")).unwrap();
    symlink(disk.at(""), disk.at("allowed/above")).unwrap();
    let there = disk.open(&disk.at("elsewhere"), By::Request).unwrap_err();
    let not_there = disk.open(&disk.at("elsewhere2"), By::Request).unwrap_err();
    for err in [there, not_there] {
        assert!(matches!(err, PathError::Outside { .. }), "{err}");
        let text = err.to_string();
        assert!(
            text.contains("--base-folder") && text.contains("allowed"),
            "{text}"
        );
    }
    for name in ["allowed/out", "allowed/above/elsewhere"] {
        let err = disk.open(&disk.at(name), By::Request).unwrap_err();
        assert!(matches!(err, PathError::LeadsOut { .. }), "{name}: {err}");
    }
    let err = disk
        .open(&disk.at("allowed/../elsewhere"), By::Request)
        .unwrap_err();
    assert!(matches!(err, PathError::Upward(_)), "{err}");
    let err = disk.open(&disk.at("allowed2/model"), By::Request).unwrap_err();
    assert!(matches!(err, PathError::Outside { .. }), "{err}");
    let none = Places::default();
    let err = none.permit(&disk.at("allowed/model"), By::Request).unwrap_err();
    assert!(err.to_string().contains("MORPHEUS_BASE_FOLDERS"), "{err}");
}

#[test]
fn the_servers_own_files_are_not_opened_by_any_name() {
    let disk = Disk::new();
    let link = |to: &str, name: &str| symlink(disk.at(to), disk.at("allowed").join(name)).unwrap();
    link("data/morpheus.db", "to-file");
    link("data", "to-folder");
    link("allowed/to-file", "to-link");
    for (own, name) in [
        ("data/morpheus.db", "hard"),
        ("data/morpheus.db-wal", "hard-wal"),
        ("data/objects/ab/abc", "hard-object"),
    ] {
        fs::hard_link(disk.at(own), disk.at("allowed").join(name)).unwrap();
    }
    // Through the handles of this very process, as `/proc/self/fd/3` and `/dev/fd/3`.
    let held = fs::File::open(disk.at("elsewhere")).unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&held);
    for by in [By::Settings, By::Request] {
        for name in [
            "data/morpheus.db",
            "data/objects/ab/abc",
            "allowed/to-file",
            "allowed/to-folder/morpheus.db",
            "allowed/to-link",
            "allowed/hard",
            "allowed/hard-wal",
            "allowed/hard-object",
        ] {
            let err = disk.open(&disk.at(name), by).unwrap_err();
            let is_right = match by {
                By::Settings => matches!(err, PathError::Own(_)),
                By::Request => matches!(err, PathError::Own(_) | PathError::Outside { .. }),
            };
            assert!(is_right, "{name}: {err}");
        }
    }
    let through = PathBuf::from(format!("/proc/self/fd/{number}"));
    assert!(matches!(
        disk.open(&through, By::Request),
        Err(PathError::Outside { .. })
    ));
    // A file that SQLite makes after the look is known too.
    let own = disk.places.own_files();
    own.open_other(&disk.at("allowed/model").canonicalize().unwrap())
        .unwrap();
    fs::write(disk.at("data/morpheus.db-shm"), "").unwrap();
    fs::hard_link(disk.at("data/morpheus.db-shm"), disk.at("allowed/late")).unwrap();
    let err = own
        .open_other(&disk.at("allowed/late").canonicalize().unwrap())
        .unwrap_err();
    assert!(matches!(err, PathError::Own(_)), "{err}");
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let disk = Disk::new();
    let pipe = disk.at("allowed/pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _socket = UnixListener::bind(disk.at("allowed/socket")).unwrap();
    symlink("pipe", disk.at("allowed/to-pipe")).unwrap();
    for (name, kind) in [
        ("pipe", "a pipe"),
        ("to-pipe", "a pipe"),
        ("socket", "a socket"),
        ("inner", "a folder"),
    ] {
        let err = disk
            .open(&disk.at("allowed").join(name), By::Request)
            .unwrap_err();
        assert!(err.to_string().contains(kind), "{name}: {err}");
    }
    for path in [
        "/dev/zero",
        "/dev/null",
        "/proc/self/mem",
        "/proc/kcore",
        "/sys/kernel/uevent_seqnum",
    ] {
        let refused = disk.open(Path::new(path), By::Settings);
        assert!(
            matches!(refused, Err(PathError::Kernel(_) | PathError::Unusable { .. })),
            "{path}: {refused:?}"
        );
    }
    // What is swapped after it was resolved.
    let resolved = disk
        .places
        .resolve(&disk.at("allowed/model"), By::Request)
        .unwrap();
    fs::remove_file(&resolved).unwrap();
    symlink(disk.at("data/morpheus.db"), &resolved).unwrap();
    let err = disk.places.own_files().open_other(&resolved).unwrap_err();
    assert!(matches!(err, PathError::Kind { .. }), "{err}");
    let folder = disk.at("allowed/inner");
    fs::write(folder.join("model"), "model").unwrap();
    let resolved = disk.places.resolve(&folder.join("model"), By::Request).unwrap();
    fs::rename(&folder, disk.at("allowed/moved")).unwrap();
    symlink(disk.at("allowed/moved"), &folder).unwrap();
    let err = disk.places.own_files().open_other(&resolved).unwrap_err();
    assert!(matches!(err, PathError::Replaced(_)), "{err}");
}
