//! What is packed is unpacked elsewhere, and what is not ours is refused.

use std::io::Write as _;

use protocol::{
    DatasetVersionId, ItemId,
    dataset::{ManifestItem, Split},
    preset::BaseClass,
    recipe::{Engine, RecipeRequest},
};

use super::*;

fn recipe() -> Recipe {
    let request = RecipeRequest {
        engine: Engine::Kohya,
        base_model: "tiny-xl".into(),
        name: "zora".into(),
        ..RecipeRequest::default()
    };
    Recipe::resolve(request, BaseClass::Tiny).unwrap()
}

fn origin_of(recipe: &Recipe) -> Origin {
    Origin::of(recipe, &manifest("zora, smiling"), "weights".into())
}

fn origin() -> Origin {
    origin_of(&recipe())
}

fn manifest(caption: &str) -> Manifest {
    Manifest {
        id: DatasetVersionId(Default::default()),
        items: vec![ManifestItem {
            id: ItemId(Default::default()),
            sha256: "ab".repeat(32),
            caption: caption.into(),
            width: 128,
            height: 128,
            split: Split::Train,
        }],
    }
}

fn safetensors() -> Vec<u8> {
    let header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat()
}

/// A checkpoint of step 8.
fn checkpoint(folder: &Path) -> PathBuf {
    let (lora, state) = (folder.join("zora-step00000008.safetensors"), folder.join("saved"));
    fs::write(&lora, safetensors()).unwrap();
    fs::create_dir(&state).unwrap();
    for file in STATE_FILES {
        fs::write(state.join(file), file).unwrap();
    }
    fs::write(state.join("model.safetensors"), safetensors()).unwrap();
    fs::write(state.join("core.123"), "what somebody left there").unwrap();
    let path = folder.join("checkpoint-000008.zip");
    archive(&origin(), 8, &lora, &state, &path).unwrap();
    path
}

#[test]
fn a_state_goes_to_another_folder_as_it_was() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = there.path().join("resume.safetensors");
    fs::rename(checkpoint(here.path()), &path).unwrap();
    drop(here);
    let to = there.path().join("resume");
    let resumed = unpack(&path, &origin(), &to).unwrap();
    assert_eq!(resumed.step, 8);
    assert_eq!(fs::read(&resumed.lora).unwrap(), safetensors());
    let mut files: Vec<_> = fs::read_dir(&resumed.state)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut wanted = STATE_FILES;
    wanted.sort_unstable();
    assert_eq!(files, wanted);
    assert_eq!(
        fs::read_to_string(resumed.state.join("optimizer.bin")).unwrap(),
        "optimizer.bin"
    );
    // A second attempt in the same folder begins with an empty one.
    fs::write(to.join("state/scaler.pt"), "of another state").unwrap();
    unpack(&path, &origin(), &to).unwrap();
    assert!(!to.join("state/scaler.pt").exists());
}

#[track_caller]
fn refused(path: &Path, origin: &Origin, words: &str) {
    let to = path.with_extension("unpacked");
    let err = unpack(path, origin, &to).unwrap_err().to_string();
    assert!(err.contains(words), "{err}");
}

#[test]
fn a_checkpoint_of_another_training_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = checkpoint(folder.path());
    let mut other = recipe();
    other.parameters.seed += 1;
    refused(&path, &origin_of(&other), "was made with another seed");
    let mut other = recipe();
    other.base_model = "sdxl".into();
    refused(&path, &origin_of(&other), "was made with another base_model");
    let other = Origin::of(&recipe(), &manifest("zora, angry"), "weights".into());
    refused(&path, &other, "was made with another dataset");
    let other = Origin::of(&recipe(), &manifest("zora, smiling"), "others".into());
    refused(&path, &other, "another base model of the name `tiny-xl`");
    // When files are written is free.
    let mut other = recipe();
    other.parameters.sample_every_n_steps += 1;
    unpack(&path, &origin_of(&other), &folder.path().join("resume")).unwrap();
}

/// A copy of an archive; `change` gets every name and content, and says what the copy has instead.
fn copy(of: &Path, change: impl Fn(&str, &[u8]) -> Option<(String, Vec<u8>)>) -> PathBuf {
    let mut from = ZipArchive::new(File::open(of).unwrap()).unwrap();
    let path = of.with_file_name("other.zip");
    let mut to = ZipWriter::new(File::create(&path).unwrap());
    for index in 0..from.len() {
        let mut entry = from.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if let Some((name, content)) = change(&name, &content) {
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
            to.start_file(name, options).unwrap();
            to.write_all(&content).unwrap();
        }
    }
    to.finish().unwrap();
    path
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = checkpoint(folder.path());
    for escape in [
        "../escaped",
        "state/../../escaped",
        "/tmp/escaped",
        "state/nested/optimizer.bin",
        "state/",
        "state/sitecustomize.py",
    ] {
        let other = copy(&path, |name, content| {
            let name = if name == "state/optimizer.bin" {
                escape
            } else {
                name
            };
            Some((name.to_owned(), content.to_owned()))
        });
        refused(&other, &origin(), "which no state of sd-scripts has");
        assert!(!folder.path().join("escaped").exists());
    }
}

#[test]
fn what_is_broken_or_foreign_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = checkpoint(folder.path());
    for missing in STATE_FILES {
        let other = copy(&path, |name, content| {
            (!name.ends_with(missing)).then(|| (name.to_owned(), content.to_owned()))
        });
        // The LoRA's name ends like that of the state's weights.
        refused(&other, &origin(), "its state lacks");
    }
    let other = copy(&path, |name, content| {
        (name != NOTE).then(|| (name.to_owned(), content.to_owned()))
    });
    refused(&other, &origin(), "has no note");
    let other = copy(&path, |name, content| {
        let kept = if name.ends_with(".safetensors") {
            content.len() - 1
        } else {
            content.len()
        };
        Some((name.to_owned(), content[..kept].to_owned()))
    });
    refused(&other, &origin(), "is not complete");

    let mut bytes = fs::read(&path).unwrap();
    let at = bytes
        .windows(13)
        .position(|part| part == b"optimizer.bin")
        .unwrap();
    // Past the first name: the content of the same words.
    let content = at
        + 13
        + bytes[at + 13..]
            .windows(13)
            .position(|part| part == b"optimizer.bin")
            .unwrap();
    bytes[content] ^= 1;
    let damaged = folder.path().join("damaged.zip");
    fs::write(&damaged, &bytes).unwrap();
    refused(&damaged, &origin(), "damaged");
    fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
    refused(&damaged, &origin(), "no whole archive");

    let native = folder.path().join("checkpoint-000008.safetensors");
    fs::write(&native, safetensors()).unwrap();
    refused(
        &native,
        &origin(),
        "checkpoints of the native engine are good for that one only",
    );
}
