use std::fs::{self, File};

use super::Files;

#[test]
fn a_file_that_is_open_must_stay_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (database, log) = (folder.path().join("a.db"), folder.path().join("a.db-wal"));
    let held = File::create(&database).unwrap();
    let files = Files::of(&database);
    files.check().unwrap();
    // The log is made with the first transaction.
    let held_log = File::create(&log).unwrap();
    files.check().unwrap();

    let aside = folder.path().join("aside");
    fs::rename(&log, &aside).unwrap();
    files.check().unwrap_err();
    let another = File::create(&log).unwrap();
    files.check().unwrap_err();
    fs::rename(&aside, &log).unwrap();
    files.check().unwrap();
    drop(another);

    // A log that nobody holds was ended by those who did.
    drop(held_log);
    fs::remove_file(&log).unwrap();
    files.check().unwrap();

    fs::remove_file(&database).unwrap();
    let refused = files.check().unwrap_err().to_string();
    assert!(
        refused.contains("a.db") && refused.contains("restart the server"),
        "{refused}"
    );
    File::create(&database).unwrap();
    files.check().unwrap_err();
    drop(held);
}

/// As when the last connection ends the log, and the next one makes another and the memory that it shares.
#[test]
fn the_number_of_a_log_that_was_ended_may_belong_to_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let (database, log) = (folder.path().join("a.db"), folder.path().join("a.db-wal"));
    let _held = File::create(&database).unwrap();
    let files = Files::of(&database);
    for n in 0..20 {
        let held_log = File::create(&log).unwrap();
        files.check().unwrap();
        drop(held_log);
        fs::remove_file(&log).unwrap();
        // On most file systems, the first of these has the number of the log that was removed.
        let _others: Vec<File> = (0..3)
            .map(|other| File::create(folder.path().join(format!("{n}-{other}"))).unwrap())
            .collect();
        let _next_log = File::create(&log).unwrap();
        files.check().unwrap();
    }
}
