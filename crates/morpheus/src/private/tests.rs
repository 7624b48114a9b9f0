use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use super::{MARKER, Places, own_folder};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

fn write(path: &Path, mode: u32) {
    fs::write(path, "secret").unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A data folder as an earlier version left it, and a file of somebody's that a link in it leads to.
fn open_folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let deep = data.join("objects/ab");
    fs::create_dir_all(&deep).unwrap();
    for folder in [&data, &data.join("objects"), &deep] {
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    }
    for name in [
        "morpheus.db",
        "morpheus.db-wal",
        "morpheus.db-shm",
        "server-id",
        "objects/ab/cd",
    ] {
        write(&data.join(name), 0o644);
    }
    write(&folder.path().join("elsewhere"), 0o644);
    symlink(folder.path().join("elsewhere"), data.join("objects/link")).unwrap();
    (folder, data)
}

#[test]
fn what_an_earlier_version_left_open_is_closed() {
    let (folder, data) = open_folder();
    let places = Places::of(&data, None, None);
    let open = places.open_to_others();
    assert!(
        open.contains(&data) && open.contains(&data.join("morpheus.db-wal")),
        "{open:?}"
    );
    assert_eq!(places.close(), 4);
    assert_eq!(mode(&data), 0o700);
    for name in ["morpheus.db", "morpheus.db-wal", "morpheus.db-shm"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    assert_eq!(places.open_to_others(), Vec::<std::path::PathBuf>::new());
    let mut closed = super::Closed::default();
    closed.close_tree(&data);
    assert_eq!((closed.n, closed.n_failed), (4, 0));
    assert_eq!(mode(&data.join("objects/ab")), 0o700);
    assert_eq!(mode(&data.join("objects/ab/cd")), 0o600);
    assert_eq!(
        mode(&folder.path().join("elsewhere")),
        0o644,
        "a link is not followed"
    );
    assert!(!data.join(MARKER).exists());
}

#[test]
fn folders_that_others_use_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, Permissions::from_mode(0o1777)).unwrap();
    write(&shared.join("morpheus.db"), 0o644);
    assert_eq!(Places::of(&shared, None, None).close(), 1);
    assert_eq!(mode(&shared), 0o777);
    assert_eq!(mode(&shared.join("morpheus.db")), 0o600);
}

#[test]
fn databases_and_objects_elsewhere_are_closed_too() {
    let (folder, data) = open_folder();
    let (database, objects) = (folder.path().join("x.db"), folder.path().join("objects"));
    write(&database, 0o644);
    write(&folder.path().join("x.db-wal"), 0o644);
    fs::create_dir(&objects).unwrap();
    fs::set_permissions(&objects, Permissions::from_mode(0o755)).unwrap();
    let database_url = format!("sqlite://{}", database.display());
    let objects_url = format!("file://{}", objects.display());
    Places::of(&data, Some(&database_url), Some(&objects_url)).close();
    assert_eq!(mode(&database), 0o600);
    assert_eq!(mode(&folder.path().join("x.db-wal")), 0o600);
    assert_eq!(mode(&objects), 0o700);
}

#[test]
fn a_folder_of_another_account_is_refused() {
    // Only root can make one.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    own_folder(&work).unwrap();
    assert_eq!(mode(&work), 0o700);
    std::os::unix::fs::chown(&work, Some(12_345), None).unwrap();
    let err = own_folder(&work).unwrap_err().to_string();
    assert!(err.contains("belongs to another account (uid 12345)"), "{err}");
    assert!(
        err.contains(&format!("chown -R 0 {}", work.display())),
        "it says what to do: {err}"
    );
    // Somebody else's link may lead elsewhere tomorrow.
    let (own, link) = (folder.path().join("own"), folder.path().join("link"));
    own_folder(&own).unwrap();
    symlink(&own, &link).unwrap();
    own_folder(&link).unwrap();
    std::os::unix::fs::lchown(&link, Some(12_345), None).unwrap();
    own_folder(&link).unwrap_err();
}

#[test]
fn a_data_folder_behind_a_link_is_closed() {
    let (folder, data) = open_folder();
    let link = folder.path().join("link");
    symlink(&data, &link).unwrap();
    assert_eq!(Places::of(&link, None, None).close(), 4);
    assert_eq!(mode(&data), 0o700, "the folder that the link leads to");
    assert_eq!(mode(&data.join("morpheus.db")), 0o600);

    fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
    own_folder(&link).unwrap();
    assert_eq!(mode(&data), 0o700);
}

/// A data folder at the top of a disk of its own has a folder of the file system's in it.
#[test]
fn a_data_folder_at_the_top_of_a_disk_is_closed() {
    // Only root can make a folder of somebody else's.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (_folder, data) = open_folder();
    let of_another = |name: &str| {
        let path = data.join(name);
        fs::create_dir(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
        path
    };
    of_another("lost+found");
    Places::of(&data, None, None).close();
    assert_eq!(mode(&data), 0o700);

    fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
    of_another("something");
    Places::of(&data, None, None).close();
    assert_eq!(mode(&data), 0o755, "somebody else keeps something in it");
}
