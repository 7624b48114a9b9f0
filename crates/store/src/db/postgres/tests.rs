use std::path::Path;

use super::judge;
use crate::db::Place;

#[test]
fn an_old_server_and_a_replica_are_refused() {
    let url = Some("postgres://me:secret@db.example/art");
    let Ok(Place::Postgres(place)) = Place::parse(url, Path::new("/data")) else {
        panic!("a URL of PostgreSQL");
    };
    assert_eq!(judge(&place, 150_018, false).unwrap(), "15.18");
    assert_eq!(judge(&place, 180_004, false).unwrap(), "18.4");
    let old = judge(&place, 140_012, false).unwrap_err().to_string();
    assert!(
        old.contains("PostgreSQL 14.12") && old.contains("15 or newer"),
        "{old}"
    );
    let replica = judge(&place, 150_018, true).unwrap_err().to_string();
    assert!(
        replica.contains("primary") && replica.contains("MORPHEUS_DATABASE"),
        "{replica}"
    );
    assert!(!format!("{old}{replica}").contains("secret"));
}
