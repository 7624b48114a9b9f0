//! Codes and errors, and what they are taken for.

use std::io::{Error, ErrorKind};

use super::StorageFault::{self, Away, Busy, Failed, Full, ReadOnly};

#[test]
fn sqlite_says_what_is_wrong_with_the_disk() {
    for (code, expected) in [
        (13, Some(Full)),
        (4874, Some(Full)),
        (8, Some(ReadOnly)),
        (1032, Some(ReadOnly)),
        (778, Some(Failed)),
        (14, Some(Failed)),
        (5, Some(Busy)),
        (517, Some(Busy)),
        (6, Some(Busy)),
        // A rule of the schema was broken: the same again next time.
        (2067, None),
        (1, None),
    ] {
        assert_eq!(StorageFault::of_sqlite(code), expected, "{code}");
    }
}

#[test]
fn postgres_says_what_is_wrong_with_the_server() {
    for (code, expected) in [
        ("53100", Some(Full)),
        ("25006", Some(ReadOnly)),
        ("58030", Some(Failed)),
        ("40P01", Some(Busy)),
        ("40001", Some(Busy)),
        ("53300", Some(Busy)),
        ("57P01", Some(Away)),
        ("57P03", Some(Away)),
        ("08006", Some(Away)),
        ("23505", None),
        ("25P02", None),
    ] {
        assert_eq!(StorageFault::of_postgres(code), expected, "{code}");
    }
}

fn in_a_folder(kind: ErrorKind) -> object_store::Error {
    object_store::Error::Generic {
        store: "LocalFileSystem",
        source: Box::new(Error::from(kind)),
    }
}

#[test]
fn a_folder_says_what_is_wrong_with_the_disk() {
    for (kind, expected) in [
        (ErrorKind::StorageFull, Full),
        (ErrorKind::QuotaExceeded, Full),
        (ErrorKind::FileTooLarge, Full),
        (ErrorKind::ReadOnlyFilesystem, ReadOnly),
        (ErrorKind::Other, Failed),
    ] {
        assert_eq!(
            StorageFault::of_objects(&in_a_folder(kind)),
            Some(expected),
            "{kind}"
        );
    }
    let denied = object_store::Error::PermissionDenied {
        path: "sha256/01".to_owned(),
        source: Box::new(Error::from(ErrorKind::PermissionDenied)),
    };
    assert_eq!(StorageFault::of_objects(&denied), Some(ReadOnly));
}

#[test]
fn a_bucket_that_cannot_be_reached_is_away() {
    let unreachable = object_store::Error::Generic {
        store: "S3",
        source: Box::new(Error::from(ErrorKind::ConnectionRefused)),
    };
    assert_eq!(StorageFault::of_objects(&unreachable), Some(Away));
    let wrong_key = object_store::Error::Unauthenticated {
        path: "sha256/01".to_owned(),
        source: "403 Forbidden".into(),
    };
    assert_eq!(StorageFault::of_objects(&wrong_key), None);
}
