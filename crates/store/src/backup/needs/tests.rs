//! No reference to an object is forgotten.

use super::REFERRING;
use crate::db::tables::TABLES;

/// Whoever adds a column that names an object adds it to `collect`, and then here.
#[test]
fn every_column_that_looks_like_a_reference_is_known() {
    let looks_like_one = |name: &str| {
        ["sha256", "hash", "blob", "key", "files", "manifest"]
            .iter()
            .any(|word| name.contains(word))
    };
    let mut found = Vec::new();
    for table in TABLES {
        for column in (table.columns)() {
            if looks_like_one(column.name) {
                found.push(format!("{}.{}", table.name, column.name));
            }
        }
    }
    let expected = [
        "settings.key",
        "api_tokens.token_hash",
        "idempotency_keys.key",
        "idempotency_keys.body_sha256",
        "base_models.files",
        "dataset_items.sha256",
        "dataset_versions.manifest",
        "dataset_versions.manifest_sha256",
        "attempts.token_hash",
        "budgets.key",
        "artifacts.sha256",
        "artifacts.blob_key",
        // A mark, which keeps nothing.
        "damaged_objects.sha256",
        // The same as its file's.
        "model_versions.sha256",
    ];
    assert_eq!(found, expected);
    for name in REFERRING {
        assert!(TABLES.iter().any(|table| table.name == name), "{name}");
    }
}
