//! A VAE of its own beside a base model.

use std::path::{Path, PathBuf};

use diffusion::base::{BaseInfo, BaseModel, BaseOptions};

use super::{
    draw,
    files::{self, File, vae_of_single_files},
};

fn with_vae(vae: &Path) -> BaseOptions {
    BaseOptions {
        vae: Some(vae.to_owned()),
        prediction: None,
    }
}

/// The VAE of tiny-xl, but for the color of its last layer.
fn tinted() -> File {
    File::part("vae").changed("decoder.conv_out.bias", |(_, _, bytes)| {
        bytes[..2].copy_from_slice(&half::f16::from_f32(0.5).to_le_bytes());
    })
}

#[test]
fn a_vae_is_read_under_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    let diffusers = at("vae.safetensors");
    tinted().write(&diffusers);
    let bare = at("bare.safetensors");
    vae_of_single_files(tinted()).write(&bare);
    let prefixed = at("prefixed.safetensors");
    let mut file = File::default();
    file.add("first_stage_model.", vae_of_single_files(tinted()));
    file.write(&prefixed);
    let alone = at("vae");
    tinted().write(&alone.join("diffusion_pytorch_model.fp16.safetensors"));
    std::fs::copy(
        files::tiny_xl().join("vae/config.json"),
        alone.join("config.json"),
    )
    .unwrap();
    let whole = at("whole");
    files::folder(&whole, &["vae"]);
    tinted().write(&whole.join("vae/diffusion_pytorch_model.safetensors"));

    let built_in = BaseModel::built_in("tiny-xl").unwrap();
    let expected = draw(&BaseModel::load(&whole).unwrap());
    assert_ne!(draw(&built_in), expected);

    // A base with a VAE, one without, and a folder.
    let single = at("single.safetensors");
    File::single().write(&single);
    let without = at("without.safetensors");
    File::single()
        .without(|name| name.starts_with("first_stage_model."))
        .write(&without);
    for vae in [&diffusers, &bare, &prefixed, &alone, &whole] {
        let options = with_vae(vae);
        for base in ["tiny-xl", single.to_str().unwrap(), without.to_str().unwrap()] {
            let base = BaseModel::open_with(base, &options).unwrap();
            assert_eq!(draw(&base), expected, "{} with {}", base.info.name, vae.display());
            assert_eq!(base.info.extras.unknown, Vec::<String>::new());
            assert_ne!(base.fingerprint(), built_in.fingerprint());
        }
    }
    assert!(
        BaseInfo::read(&without)
            .unwrap_err()
            .to_string()
            .contains("the VAE is missing")
    );
}

#[test]
fn what_is_no_vae_for_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vae.safetensors");
    let check = |file: File, expected: &[&str]| {
        file.write(&path);
        let error = BaseModel::open_with("tiny-xl", &with_vae(&path))
            .unwrap_err()
            .to_string();
        for word in expected {
            assert!(error.contains(word), "`{error}` does not say `{word}`");
        }
    };
    check(File::part("text_encoder"), &["vae.safetensors", "expected a VAE"]);
    check(
        tinted().without(|name| name == "decoder.conv_in.bias"),
        &["the VAE lacks 1 of 248 tensors", "decoder.conv_in.bias"],
    );
    check(
        tinted()
            .with("decoder.conv_in.weight", &[64, 16, 3, 3])
            .with("encoder.conv_out.weight", &[32, 64, 3, 3]),
        &["decoder.conv_in.weight"],
    );
    let missing = BaseModel::open_with("tiny-xl", &with_vae(Path::new("/nowhere/vae.safetensors")));
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("no file or folder at `/nowhere/vae.safetensors`")
    );
}
