//! What becomes of a folder of PEFT, and of what only looks like one.

use std::io::{Cursor, Write as _};

use protocol::safetensors::Header;
use serde_json::{Value, json};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;

fn incoming(folder: &Path, bytes: &[u8]) -> Incoming {
    let mut pieces = vec![Bytes::copy_from_slice(bytes)];
    Incoming::write(folder, || pieces.pop()).unwrap().unwrap()
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn config() -> Vec<u8> {
    let config =
        json!({ "peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_rslora": true, "target_modules": ["q"] });
    config.to_string().into_bytes()
}

/// Prepares bytes, and gives the header of what comes out with the bytes behind it.
fn prepared(bytes: &[u8], config: Option<Vec<u8>>) -> Result<(Header, Vec<u8>), String> {
    let folder = tempfile::tempdir().unwrap();
    let file = incoming(folder.path(), bytes)
        .prepared(folder.path(), config)
        .unwrap();
    let file = file.map_err(|err| err.to_string())?;
    let mut whole = Vec::new();
    file.file.reopen().unwrap().read_to_end(&mut whole).unwrap();
    assert_eq!(whole.len() as u64, file.size_bytes);
    let header = file.header().unwrap()?;
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap());
    let behind = whole[8 + usize::try_from(length).unwrap()..].to_vec();
    Ok((header, behind))
}

#[test]
fn a_folder_becomes_a_file_that_stands_alone() {
    let lora = sim::files::lora(4, "a");
    let (plain, numbers) = prepared(&lora, None).unwrap();
    assert!(!plain.metadata.contains_key(HEADER));
    let zipped = archive(&[
        ("ink/adapter_model.safetensors", &lora),
        ("ink/adapter_config.json", &config()),
    ]);
    for (bytes, sent) in [(&lora, Some(config())), (&zipped, None)] {
        let (header, behind) = prepared(bytes, sent).unwrap();
        assert_eq!(behind, numbers, "no number changes");
        assert_eq!(
            header.tensors.keys().collect::<Vec<_>>(),
            plain.tensors.keys().collect::<Vec<_>>()
        );
        let said: Value = serde_json::from_str(&header.metadata[HEADER]).unwrap();
        assert_eq!(said["unet.lora_alpha"], 8);
        assert_eq!(said["text_encoder_2.use_rslora"], true);
        assert_eq!(said.get("unet.target_modules"), None);
        assert_eq!(header.metadata["salt"], "a", "the rest of the header stays");
    }
    // Without a configuration, the archive's file is as it was.
    let alone = archive(&[("adapter_model.safetensors", &lora)]);
    assert_eq!(prepared(&alone, None).unwrap().0.metadata, plain.metadata);
}

/// An archive in which a byte of the configuration changed, so that it does not fit its checksum.
fn damaged_config() -> Vec<u8> {
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in [
        ("adapter_model.safetensors", sim::files::lora(4, "a")),
        ("adapter_config.json", config()),
    ] {
        archive.start_file(name, stored).unwrap();
        archive.write_all(&bytes).unwrap();
    }
    replaced(
        &archive.finish().unwrap().into_inner(),
        b"use_rslora",
        b"use_rslord",
    )
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + from.len()].copy_from_slice(to);
        }
    }
    bytes
}

/// An archive whose list names one file many times.
fn many_entries() -> Vec<u8> {
    const N_ENTRIES: u16 = u16::MAX - 1;
    let mut bytes = archive(&[("a", b"x")]);
    let at = bytes.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    let entry = bytes[at..at + 47].to_vec();
    bytes.truncate(at);
    for _ in 0..N_ENTRIES {
        bytes.extend(&entry);
    }
    let n_bytes = u32::try_from(entry.len()).unwrap() * u32::from(N_ENTRIES);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(N_ENTRIES.to_le_bytes());
    bytes.extend(N_ENTRIES.to_le_bytes());
    bytes.extend(n_bytes.to_le_bytes());
    bytes.extend(u32::try_from(at).unwrap().to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

#[test]
fn what_is_no_folder_of_peft_is_said() {
    let lora = sim::files::lora(4, "a");
    let other = archive(&[("pictures/1.png", b"x")]);
    let two = archive(&[
        ("a/adapter_model.safetensors", &lora),
        ("b/adapter_model.safetensors", &lora),
    ]);
    let bomb = archive(&[("adapter_model.safetensors", &vec![0; 17 << 20])]);
    let twice = {
        let one = archive(&[
            ("1/adapter_model.safetensors", &lora),
            ("2/adapter_model.safetensors", &lora),
        ]);
        replaced(&one, b"2/adapter", b"1/adapter")
    };
    for (bytes, sent, said) in [
        (bomb.as_slice(), None, "file: is a zip bomb"),
        (
            &damaged_config(),
            None,
            "file: is a zip archive whose `adapter_config.json` is damaged",
        ),
        (&twice, None, "file: contains two files with the same name"),
        (&many_entries(), None, "file: contains 65534 files"),
        // What else they are, the reader of LoRAs says.
        (other.as_slice(), None, "is not a whole safetensors file"),
        (b"PK\x03\x04 and no more", None, "is not a whole safetensors file"),
        (
            &two,
            None,
            "file: is a zip archive with 2 files `adapter_model.safetensors`",
        ),
        (
            &lora,
            Some(b"{".to_vec()),
            "config: is not PEFT's `adapter_config.json`",
        ),
        (&lora, Some(b"{\"name\": 1}".to_vec()), "config: is not PEFT's"),
    ] {
        let problem = prepared(bytes, sent).unwrap_err();
        assert!(problem.contains(said), "{problem}");
    }
}

/// The whole way of an import before anything is stored: neither an archive nor a configuration nor a header, however
/// damaged, ends in a panic, in a file larger than its limit, or in one whose numbers are not those that came.
#[test]
fn fuzz_imports() {
    let lora = sim::files::lora(2, "a");
    let zipped = archive(&[
        ("ink/adapter_model.safetensors", &lora),
        ("ink/adapter_config.json", &config()),
    ]);
    let folder = tempfile::tempdir().unwrap();
    sim::fuzz::run("imports", &[lora.clone(), zipped, config()], |input| {
        for (file, sent) in [
            (input, None),
            (input, Some(config())),
            (lora.as_slice(), Some(input.to_vec())),
        ] {
            let Ok(ready) = incoming(folder.path(), file)
                .prepared(folder.path(), sent)
                .unwrap()
            else {
                continue;
            };
            assert!(ready.size_bytes <= MAX_LORA_BYTES);
            let Ok(header) = ready.header().unwrap() else {
                continue;
            };
            ready.not_finite(&header).unwrap();
            let words = crate::lora_file::words::of_metadata(&header.metadata);
            assert!(words.len() <= protocol::limits::MAX_TRIGGER_WORDS);
        }
    });
}
