use std::os::unix::{ffi::OsStrExt as _, fs::symlink};

use super::*;

#[test]
fn files_are_listed_by_name_and_links_to_files_are_followed() {
    let root = tempfile::tempdir().unwrap();
    let inside = |name: &str| root.path().join(name);
    fs::create_dir_all(inside("10_zora/deep")).unwrap();
    for name in ["b.png", "10_zora/a.png", "10_zora/deep/c.png"] {
        fs::write(inside(name), name).unwrap();
    }
    // Latin-1, as disks of old have it.
    fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"Zo\xe9.png")), "z").unwrap();
    symlink(inside("b.png"), inside("link.png")).unwrap();
    symlink(inside("10_zora"), inside("linked")).unwrap();
    symlink(inside("nothing"), inside("gone.png")).unwrap();
    let folder = Folder::list(root.path()).unwrap();
    let names: Vec<&str> = folder.files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "10_zora/a.png",
            "10_zora/deep/c.png",
            "Zo\u{e9}.png",
            "b.png",
            "link.png"
        ]
    );
    let refused: Vec<&str> = folder
        .refused
        .iter()
        .map(|file| file.file_name.as_str())
        .collect();
    assert_eq!(refused, ["gone.png"]);

    let one = Folder::list(&inside("b.png")).unwrap();
    assert_eq!(one.files, [("b.png".to_owned(), inside("b.png"))]);
    let err = Folder::list(&inside("nothing")).unwrap_err();
    assert_eq!(
        err.to_string(),
        format!("failed to read `{}`", inside("nothing").display())
    );
}

#[test]
fn a_link_to_what_cannot_be_read_is_one_refused_file() {
    let root = tempfile::tempdir().unwrap();
    let inside = |name: &str| root.path().join(name);
    for (target, link) in [("a", "a.png"), ("b", "b.png")] {
        fs::write(inside(target), target).unwrap();
        symlink(inside(target), inside(link)).unwrap();
    }
    symlink(inside("round.png"), inside("round.png")).unwrap();
    let mut folder = Folder::list(root.path()).unwrap();
    // Both end after the list was made: one is gone, the other leads nowhere.
    fs::remove_file(inside("a")).unwrap();
    fs::remove_file(inside("b")).unwrap();
    symlink(inside("b"), inside("b")).unwrap();
    for link in ["a.png", "b.png"] {
        assert!(folder.open(link, &inside(link)).unwrap().is_none());
    }
    let refused: Vec<(&str, bool)> = folder
        .refused
        .iter()
        .map(|file| (file.file_name.as_str(), file.reason.contains("cannot be read")))
        .collect();
    assert_eq!(refused, [("round.png", true), ("a.png", false), ("b.png", true)]);
    assert!(folder.open("gone", &inside("gone")).is_err());
}
