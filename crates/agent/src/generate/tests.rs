//! What ends a picture that diffusers draws.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, time::Duration};

use super::*;

#[test]
fn a_picture_is_cancelled_while_diffusers_starts() {
    let folder = tempfile::tempdir().unwrap();
    let python = folder.path().join("python");
    fs::write(&python, include_str!("../../tests/it/diffusers/child.py")).unwrap();
    fs::set_permissions(&python, Permissions::from_mode(0o755)).unwrap();
    let plan = r#"{ "hello": [{ "hangs": true }] }"#;
    fs::write(folder.path().join("plan.json"), plan).unwrap();
    let mut settings = Diffusers::new(python);
    settings.grace = Duration::from_millis(200);
    let engine = Engine::new(settings).unwrap();
    let outline = engine.outline("tiny-xl", &BaseOptions::default()).unwrap();
    let mut loaded = Loaded {
        base: None,
        loras: HashMap::new(),
        diffusers: Some(engine),
    };
    let request = PictureRequest {
        prompt: "zora".into(),
        negative: None,
        reading: Reading::of(false),
        length: TokenLength::T75,
        guidance: 1.0,
        n_steps: 1_u32.try_into().unwrap(),
        size: PictureSize::new(64, 64).unwrap(),
        sampler: schedulers::Sampler::Euler,
        seed: 1,
        initial_noise: None,
    };
    let drawn = loaded.draw_elsewhere(
        &outline,
        &[],
        &request,
        (&mut |_, _| ControlFlow::Continue(()), &|| true),
    );
    assert_eq!(drawn.unwrap_err(), "cancelled");
}
