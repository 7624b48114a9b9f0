//! Files are handed over when they are complete, and once.

use protocol::{recipe::Parameters, sample::SamplePrompt};

use super::*;

fn plan(folder: &Path) -> Plan {
    Plan {
        args: Vec::new(),
        dataset_toml: "datasets = []".into(),
        dataset_file: folder.join("dataset.toml"),
        prompts: None,
        pictures: vec![crate::kohya::plan::Picture {
            sha256: "abc".into(),
            stem: "00000".into(),
            repeats: 1,
            is_regularization: false,
            caption: Some("zora".into()),
        }],
        least_alpha: 0,
        picture_folder: folder.join("pictures"),
        output: folder.join("output"),
        logs: folder.join("logs"),
        n_before: 0,
        modules: &[],
        checkpoint_every: 0,
        samples_first: false,
        sample_every: 30,
        looks_every: 30,
        sample_prompts: vec![SamplePrompt::from("zora").resolve(0, &Parameters::default())],
    }
}

fn safetensors() -> Vec<u8> {
    let header = br#"{"__metadata__":{"ss_steps":"4"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat()
}

#[test]
fn caches_that_may_be_cut_off_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path());
    let source = folder.path().join("source.png");
    fs::write(&source, "png").unwrap();
    let lay_out = || lay_out_pictures(&plan, &|_| source.clone()).unwrap();
    lay_out();
    assert_eq!(
        fs::read_to_string(plan.picture_folder.join("00000.txt")).unwrap(),
        "zora"
    );
    let cache = plan.picture_folder.join("00000_0064x0064_sdxl.npz");
    fs::write(&cache, "half").unwrap();
    lay_out();
    assert!(!cache.exists());
    fs::write(&cache, "whole").unwrap();
    caches_are_whole(&plan);
    lay_out();
    assert!(cache.exists());
}

#[test]
fn a_transparent_picture_is_laid_on_white() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path());
    let pixels = image::RgbaImage::from_pixel(64, 64, image::Rgba([0, 100, 0, 128]));
    let mut png = std::io::Cursor::new(Vec::new());
    image::DynamicImage::from(pixels)
        .write_to(&mut png, image::ImageFormat::Png)
        .unwrap();
    let normal = picture::normalize(png.get_ref()).unwrap();
    let source = folder.path().join("source.png");
    fs::write(&source, &normal.png).unwrap();
    lay_out_pictures(&plan, &|_| source.clone()).unwrap();
    let laid = fs::read(plan.picture_folder.join("00000.png")).unwrap();
    assert_ne!(laid, normal.png);
    assert_eq!(laid, picture::laid_on_white(&normal.png, 0).unwrap());
}

#[test]
fn a_mask_picture_becomes_the_alpha_of_its_picture() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path());
    let of = |value: u8| picture::encode_png(&image::RgbImage::from_pixel(64, 64, image::Rgb([value; 3])));
    let source = folder.path().join("source.png");
    fs::write(&source, picture::with_mask(&of(200), &of(64)).unwrap()).unwrap();
    lay_out_pictures(&plan, &|_| source.clone()).unwrap();
    let laid = fs::read(plan.picture_folder.join("00000.png")).unwrap();
    assert_eq!(picture::mask_in(&laid), None);
    let (colors, alpha) = picture::read_masked(&laid).unwrap();
    // Laid on white once more, as `read_masked` does: 200 · 64/255 + 255 · 191/255.
    assert_eq!(
        (colors.get_pixel(5, 5)[0], alpha.unwrap().get_pixel(5, 5)[0]),
        (241, 64)
    );
}

#[test]
fn a_state_is_handed_over_when_it_is_whole_and_still() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path());
    prepare(&plan).unwrap();
    let mut outputs = Outputs::new(&plan, "zo_ra", 8);
    let state = plan.output.join("zo_ra-step00000004-state");
    fs::create_dir(&state).unwrap();
    for file in [
        "train_state.json",
        "model.safetensors",
        "optimizer.bin",
        "scheduler.bin",
    ] {
        fs::write(state.join(file), file).unwrap();
    }
    fs::write(
        plan.output.join("zo_ra-step00000004.safetensors"),
        &safetensors()[..20],
    )
    .unwrap();
    assert_eq!((outputs.look(false), outputs.look(false)), (vec![], vec![]));
    fs::write(state.join("random_states_0.pkl"), "pickle").unwrap();
    assert_eq!((outputs.look(false), outputs.look(false)), (vec![], vec![]));
    let lora = plan.output.join("zo_ra-step00000004.safetensors");
    fs::write(&lora, safetensors()).unwrap();
    let found = Found::State {
        step: 4,
        lora: lora.clone(),
        state: state.clone(),
    };
    assert_eq!((outputs.look(false), outputs.look(true)), (vec![found], vec![]));
}

#[test]
fn a_state_without_a_schedule_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path());
    prepare(&plan).unwrap();
    let mut outputs = Outputs::new(&plan, "zo_ra", 8);
    let state = plan.output.join("zo_ra-step00000004-state");
    fs::create_dir(&state).unwrap();
    for file in STATE_FILES {
        fs::write(state.join(file), file).unwrap();
    }
    fs::write(plan.output.join("zo_ra-step00000004.safetensors"), safetensors()).unwrap();
    assert_eq!(outputs.look(true).len(), 1);
}

#[test]
fn a_sample_is_handed_over_when_its_end_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path());
    prepare(&plan).unwrap();
    let samples = plan.output.join("sample");
    fs::create_dir(&samples).unwrap();
    let mut outputs = Outputs::new(&plan, "zo_ra", 8);
    let path = samples.join("zo_ra_000004_00_20261122124900_42.png");
    fs::write(&path, "half a picture").unwrap();
    fs::write(samples.join("zo_ra_000004_07_20261122124900_42.png"), PNG_END).unwrap();
    assert_eq!(outputs.look(true), []);
    fs::write(&path, [&b"a picture"[..], &PNG_END].concat()).unwrap();
    let kind = ArtifactKind::Sample {
        step: 4,
        prompt_index: 0,
        prompt: "zora".into(),
        seed: 42,
    };
    assert_eq!(outputs.look(false), [Found::Sample { kind, path }]);
    assert_eq!(outputs.look(true), []);
    let first = outputs.sample(&samples.join("zo_ra_e000000_00_20261122124739_42.png"));
    assert!(
        matches!(first, Some(ArtifactKind::Sample { step: 0, .. })),
        "{first:?}"
    );
}

#[test]
fn names_of_a_run_that_goes_on_count_from_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        n_before: 16,
        ..plan(folder.path())
    };
    let outputs = Outputs::new(&plan, "zo_ra", 24);
    let state = |name: &str| outputs.state(&plan.output.join(name)).unwrap().0;
    assert_eq!(state("zo_ra-step00000004-state"), 20);
    assert_eq!(state("zo_ra-state"), 24);
    let sample = outputs.sample(&plan.output.join("zo_ra_000004_00_20261122124900_42.png"));
    assert!(
        matches!(sample, Some(ArtifactKind::Sample { step: 20, .. })),
        "{sample:?}"
    );
    let of_base = outputs.sample(&plan.output.join("zo_ra_e000000_00_20261122124900_42.png"));
    assert!(
        matches!(of_base, Some(ArtifactKind::Sample { step: 16, .. })),
        "{of_base:?}"
    );
    assert_eq!(
        outputs.state(&plan.output.join("zo_ra-step4294967295-state")),
        None
    );
}

#[test]
fn prompts_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.json");
    let plan = Plan {
        prompts: Some((path.clone(), "[]".into())),
        ..plan(folder.path())
    };
    for is_wanted in [true, true, false, false, true] {
        offer_prompts(&plan, is_wanted).unwrap();
        assert_eq!(path.exists(), is_wanted);
    }
    assert_eq!(std::fs::read(&path).unwrap(), b"[]");
}
