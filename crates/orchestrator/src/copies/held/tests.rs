use super::*;

#[test]
fn what_stops_a_copy_is_said_with_what_to_do() {
    let folder = Path::new("/loras");
    let words = |kind: io::ErrorKind| unwritable(folder, &kind.into());
    assert_eq!(
        words(io::ErrorKind::StorageFull),
        "the disk of `/loras` is full: free space on it"
    );
    assert!(words(io::ErrorKind::PermissionDenied).contains("no permission"));
}

#[test]
fn a_list_that_names_files_elsewhere_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let installation = Uuid::now_v7();
    let list = serde_json::json!({
        "installation": installation,
        "versions": { (Uuid::now_v7().to_string()): { "stem": "a", "files": { "../b": { "sha256": "" } } } },
    });
    fs::write(folder.path().join(".morpheus-loras.json"), list.to_string()).unwrap();
    let Err(Unusable(problem)) = Held::open(folder.path(), installation) else {
        panic!("it was followed");
    };
    assert!(problem.contains("`../b`"), "{problem}");
}

#[test]
fn a_folder_of_another_installation_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let held = Held::open(folder.path(), Uuid::now_v7()).unwrap().unwrap();
    assert!(
        Held::open(folder.path(), Uuid::now_v7()).unwrap().is_none(),
        "it is held"
    );
    held.save().unwrap();
    drop(held);
    let Err(Unusable(problem)) = Held::open(folder.path(), Uuid::now_v7()) else {
        panic!("it was taken over");
    };
    assert!(problem.contains("another installation"), "{problem}");
}
