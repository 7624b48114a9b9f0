//! The record of a preview, in its file.

use dataset::picture::{encode_png, read_texts};
use image::RgbImage;
use protocol::{
    base::Prediction,
    made::a1111,
    preset::BaseClass,
    recipe::{Engine, RecipeRequest},
    sample::SamplePrompt,
};

use super::*;

#[test]
fn a_preview_carries_what_is_known_of_it() {
    let request = RecipeRequest {
        engine: Engine::Kohya,
        base_model: "sdxl".into(),
        name: "zora".into(),
        ..RecipeRequest::default()
    };
    let recipe = Recipe::resolve(request, BaseClass::Sdxl).unwrap();
    let base = MadeBase {
        name: "sdxl.safetensors".into(),
        fingerprint: "1".repeat(64),
        sha256: Some("2".repeat(64)),
        prediction: Some(Prediction::V),
    };
    let prompt = SamplePrompt {
        prompt: "zora reads (a book:1.2)".into(),
        seed: Some(u64::MAX),
        guidance: Some(6.5),
        ..SamplePrompt::default()
    };
    let sample = prompt.resolve(1, recipe.parameters());
    let made = record(&base, &recipe, &sample, 200);

    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (
        folder.path().join("zora_000200_01.png"),
        folder.path().join("kept.png"),
    );
    let drawn = encode_png(&RgbImage::from_pixel(8, 8, image::Rgb([1, 2, 3])));
    fs::write(&from, &drawn).unwrap();
    keep(&from, &to, &made).unwrap();
    assert!(!from.exists());
    let kept = fs::read(&to).unwrap();
    // Signature and header, then texts, then what was there.
    assert!(kept.starts_with(&drawn[..33]) && kept.ends_with(&drawn[33..]));

    let texts = read_texts(&kept).unwrap();
    let text = |keyword: &str| &texts.iter().find(|text| text.keyword == keyword).unwrap().text;
    let found = Made::parse(text(made::KEYWORD)).unwrap();
    assert_eq!(found, made);
    assert!(found.is_of_sd_scripts());
    assert_eq!(found.loras[0].trained_steps, Some(200));
    // What it takes none for.
    assert_eq!(found.negative_prompt.as_deref(), Some(""));
    let words = text(a1111::KEYWORD);
    for expected in [
        "zora reads (a book:1.2) <lora:zora:1>",
        "CFG scale: 6.5",
        "Seed: 18446744073709551615",
        "Model hash: 2222222222",
        "Version: sd-scripts (kept by Morpheus ",
    ] {
        assert!(words.contains(expected), "{words}");
    }
    // A GPU drew its noise.
    assert!(!words.contains("RNG"), "{words}");
}

#[test]
fn what_is_not_there_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let request = RecipeRequest {
        engine: Engine::Kohya,
        base_model: "sdxl".into(),
        name: "zora".into(),
        ..RecipeRequest::default()
    };
    let recipe = Recipe::resolve(request, BaseClass::Sdxl).unwrap();
    let base = MadeBase {
        name: "sdxl".into(),
        fingerprint: "1".repeat(64),
        sha256: None,
        prediction: None,
    };
    let sample = SamplePrompt::from("zora").resolve(0, recipe.parameters());
    let made = record(&base, &recipe, &sample, 0);
    keep(&path("gone.png"), &path("kept.png"), &made).unwrap_err();
    assert!(!path("kept.png").exists());
}
