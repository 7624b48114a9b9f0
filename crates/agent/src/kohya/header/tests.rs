//! Mended metadata, and the hashes that go with them.

use diffusion::{base::BaseModel, random::Random};
use trainer::{metadata::write_lora, network::LoraNetwork};

use super::*;

#[test]
fn a_mended_file_is_as_if_it_had_been_written_so() {
    let folder = tempfile::tempdir().unwrap();
    let base = BaseModel::open("tiny-xl").unwrap();
    // Large enough for the range that the old hash is made of.
    let rank = 32.try_into().unwrap();
    let network = LoraNetwork::new(
        base.unet.config().lora_targets(),
        rank,
        4.0,
        &mut Random::from_seed(1),
    );
    let tensors = network.to_tensors().unwrap();
    let write = |name: &str, steps: &str| {
        let path = folder.path().join(name);
        let metadata = [
            ("ss_steps", steps),
            ("ss_output_name", "zora"),
            ("modelspec.title", "Zora"),
        ];
        let metadata = metadata.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let written = write_lora(&path, &tensors, metadata.into()).unwrap();
        (path, written)
    };
    let (wanted, wanted_metadata) = write("wanted.safetensors", "100000000000000000000");
    let (path, before) = write("lora.safetensors", "8");
    mend(&path, &[("ss_steps", "100000000000000000000".into())]).unwrap();
    assert_eq!(metadata(&path).unwrap(), wanted_metadata);
    assert!(is_complete(&path));
    let tensors_of = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        bytes[8 + length..].to_owned()
    };
    assert!(tensors_of(&path) == tensors_of(&wanted));
    // A header that is longer by more than its padding moves the tensors under the range of the old hash.
    assert!(fs::metadata(&path).unwrap().len() > LEGACY_RANGE.end);
    assert_ne!(before["sshs_legacy_hash"], wanted_metadata["sshs_legacy_hash"]);
}

fn safetensors() -> Vec<u8> {
    let header = br#"{"__metadata__":{"ss_steps":"4"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat()
}

#[test]
fn a_lora_is_as_long_as_its_header_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lora.safetensors");
    let bytes = safetensors();
    for (content, expected) in [
        (&bytes[..], true),
        (&bytes[..bytes.len() - 1], false),
        (&bytes[..5], false),
        (&[0xff; 64][..], false),
    ] {
        fs::write(&path, content).unwrap();
        assert_eq!(is_complete(&path), expected);
    }
    assert!(!is_complete(Path::new("/nowhere")));
    fs::write(&path, &bytes).unwrap();
    assert_eq!(metadata(&path).unwrap()["ss_steps"], "4");
}
