//! What is packed is unpacked elsewhere, and what is not ours is refused.

use std::io::Write as _;

use protocol::{
    DatasetVersionId, ItemId,
    dataset::{Manifest, ManifestItem, Split},
    preset::BaseClass,
    recipe::{Engine, Recipe, RecipeRequest},
};

use super::*;

fn recipe(change: impl FnOnce(&mut RecipeRequest)) -> Recipe {
    let mut request = RecipeRequest {
        engine: Engine::Kohya,
        base_model: "tiny-xl".into(),
        name: "zora".into(),
        ..RecipeRequest::default()
    };
    change(&mut request);
    Recipe::resolve(request, BaseClass::Tiny).unwrap()
}

fn training_of(recipe: &Recipe) -> Training {
    Training::of(recipe, &manifest("zora, smiling"), "weights".into())
}

fn training() -> Training {
    training_of(&recipe(|_| ()))
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
            showing: protocol::dataset::Showing::default(),
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
    for file in STATE_FILES.into_iter().chain(["scheduler.bin"]) {
        fs::write(state.join(file), file).unwrap();
    }
    fs::write(state.join("model.safetensors"), safetensors()).unwrap();
    fs::write(state.join("core.123"), "what somebody left there").unwrap();
    let path = folder.join("checkpoint-000008.zip");
    archive(training().origin(), 8, &lora, &state, &path).unwrap();
    path
}

#[test]
fn a_state_goes_to_another_folder_as_it_was() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = there.path().join("resume.safetensors");
    fs::rename(checkpoint(here.path()), &path).unwrap();
    drop(here);
    let to = there.path().join("resume");
    let resumed = unpack(&path, &training(), &to).unwrap();
    assert_eq!(resumed.step, 8);
    assert_eq!(fs::read(&resumed.lora).unwrap(), safetensors());
    let mut files: Vec<_> = fs::read_dir(&resumed.state)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut wanted: Vec<_> = STATE_FILES.into_iter().chain(["scheduler.bin"]).collect();
    wanted.sort_unstable();
    assert_eq!(files, wanted);
    assert_eq!(
        fs::read_to_string(resumed.state.join("optimizer.bin")).unwrap(),
        "optimizer.bin"
    );
    // A second attempt in the same folder begins with an empty one.
    fs::write(to.join("state/scaler.pt"), "of another state").unwrap();
    unpack(&path, &training(), &to).unwrap();
    assert!(!to.join("state/scaler.pt").exists());
}

#[track_caller]
fn refused(path: &Path, training: &Training, words: &str) {
    let to = path.with_extension("unpacked");
    let err = unpack(path, training, &to).unwrap_err().to_string();
    assert!(err.contains(words), "{err}");
}

#[test]
fn a_checkpoint_of_another_training_is_refused_with_every_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = checkpoint(folder.path());
    let other = recipe(|request| {
        request.overrides.seed = Some(43);
        request.overrides.rank = Some(4);
        request.trigger_word = Some("zora".into());
    });
    let other = Training::of(&other, &manifest("zora, angry"), "weights".into());
    refused(
        &path,
        &other,
        "was made by another training: `parameters.rank` was 16 and is 4 now, `parameters.alpha` was 16.0 and is 4.0 \
         now, `parameters.seed` was 42 and is 43 now, `trigger_word` was null and is \"zora\" now, `dataset` was ",
    );
    let other = Training::of(&recipe(|_| ()), &manifest("zora, smiling"), "others".into());
    refused(&path, &other, "`base_model` was weights and is others now");
    let other = recipe(|request| request.overrides.n_steps = Some(7));
    refused(
        &path,
        &training_of(&other),
        "has 8 steps done, and `parameters.n_steps` is 7",
    );
}

#[test]
fn what_does_not_change_the_weights_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let path = checkpoint(folder.path());
    let other = recipe(|request| {
        request.overrides.sample_every_n_steps = Some(7);
        request.overrides.checkpoint_every_n_steps = Some(0);
        request.sample_prompts = vec!["zora waves".into()];
        request.name = "another name".into();
    });
    let resumed = unpack(&path, &training_of(&other), &folder.path().join("resume")).unwrap();
    assert_eq!(resumed.new_schedule, None);
    let longer = recipe(|request| request.overrides.n_steps = Some(800));
    let resumed = unpack(&path, &training_of(&longer), &folder.path().join("resume")).unwrap();
    let said = resumed.new_schedule.unwrap();
    assert!(
        said.starts_with(
            "goes on after step 8 with another schedule: `parameters.n_steps` was 465 and is 800 now;"
        ),
        "{said}"
    );
    // A warm-up that was over counts no more; one that was not is another training.
    let warm = recipe(|request| request.overrides.n_warmup_steps = Some(8));
    unpack(&path, &training_of(&warm), &folder.path().join("resume")).unwrap();
    let warmer = recipe(|request| request.overrides.n_warmup_steps = Some(9));
    refused(
        &path,
        &training_of(&warmer),
        "`parameters.n_warmup_steps` was 0 and is 9 now",
    );
}

/// Written by the version before hyperparameters had definitions, by the function `checkpoint` above as it was then.
#[test]
fn a_checkpoint_of_format_2_is_gone_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("format-2.zip");
    fs::write(&path, include_bytes!("fixtures/format-2.zip")).unwrap();
    let resumed = unpack(&path, &training(), &folder.path().join("resume")).unwrap();
    assert_eq!((resumed.step, resumed.new_schedule), (8, None));
    assert_eq!(fs::read(&resumed.lora).unwrap(), safetensors());
    let longer = recipe(|request| request.overrides.n_steps = Some(800));
    let resumed = unpack(&path, &training_of(&longer), &folder.path().join("resume")).unwrap();
    assert!(resumed.new_schedule.is_some());
    let other = recipe(|request| request.overrides.seed = Some(43));
    refused(
        &path,
        &training_of(&other),
        "`parameters.seed` was 42 and is 43 now; go on with what it was made with",
    );
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
        refused(
            &other,
            &training(),
            "which does not belong in a state of sd-scripts",
        );
        assert!(!folder.path().join("escaped").exists());
    }
}

#[test]
fn a_schedule_free_optimizer_has_no_schedule_in_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = copy(&checkpoint(folder.path()), |name, content| {
        (name != "state/scheduler.bin").then(|| (name.to_owned(), content.to_owned()))
    });
    let resumed = unpack(&path, &training(), &folder.path().join("resume")).unwrap();
    assert!(resumed.state.join("optimizer.bin").exists());
    assert!(!resumed.state.join("scheduler.bin").exists());
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
        refused(&other, &training(), "its state lacks");
    }
    let other = copy(&path, |name, content| {
        (name != NOTE).then(|| (name.to_owned(), content.to_owned()))
    });
    refused(&other, &training(), "has no note");
    let other = copy(&path, |name, content| {
        let kept = if name.ends_with(".safetensors") {
            content.len() - 1
        } else {
            content.len()
        };
        Some((name.to_owned(), content[..kept].to_owned()))
    });
    refused(&other, &training(), "is not complete");

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
    refused(&damaged, &training(), "damaged");
    fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
    refused(&damaged, &training(), "not a complete archive");

    let native = folder.path().join("checkpoint-000008.safetensors");
    fs::write(&native, safetensors()).unwrap();
    refused(
        &native,
        &training(),
        "checkpoints of the native engine only work with the native engine",
    );
}
