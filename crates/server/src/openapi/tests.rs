use std::{env, fs, path::Path};

/// The dashboard's types are generated from the committed file, so it has to be what the handlers say.
#[test]
fn committed_document_is_up_to_date() {
    let mut wanted = serde_json::to_string_pretty(&super::document()).unwrap();
    wanted.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "crates/server/openapi.json is stale; run `UPDATE=1 cargo test -p server openapi`, then `npm run generate` \
         in dashboard/"
    );
}
