//! The tables whose rows are looked through.

use super::REFERRING;
use crate::db::tables::TABLES;

/// Which columns refer to objects is said, and tested, in `tests/it/backups/references.rs`.
#[test]
fn the_tables_that_refer_to_objects_are_there() {
    for name in REFERRING {
        assert!(TABLES.iter().any(|table| table.name == name), "{name}");
    }
}
