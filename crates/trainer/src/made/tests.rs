use std::fs;

use sha2::{Digest as _, Sha256};

use super::{LoraHashes, plain_name};

#[test]
fn the_hash_of_the_data_does_not_know_the_header() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let data = vec![7_u8; 3 << 20];
    let mut hashes = Vec::new();
    for header in [
        "{}",
        &format!("{{\"__metadata__\":{{\"a\":\"{}\"}}}}", "x".repeat(1 << 20)),
    ] {
        let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat();
        fs::write(&path, &file).unwrap();
        let found = LoraHashes::of(&path).unwrap();
        assert_eq!(found.sha256, hex::encode(Sha256::digest(&file)));
        assert_eq!(found.data_sha256, hex::encode(Sha256::digest(&data)));
        hashes.push(found.sha256);
    }
    assert_ne!(hashes[0], hashes[1]);
    // A header that claims to be longer than the file leaves no data.
    fs::write(&path, [&u64::MAX.to_le_bytes()[..], b"{}"].concat()).unwrap();
    assert_eq!(
        LoraHashes::of(&path).unwrap().data_sha256,
        hex::encode(Sha256::digest(b""))
    );
}

#[test]
fn names_stay_on_their_line() {
    assert_eq!(plain_name("zora\nv2"), "zora\\nv2");
    assert_eq!(plain_name(""), "unnamed");
}
