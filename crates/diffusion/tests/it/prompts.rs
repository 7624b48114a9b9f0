//! Long and emphasized prompts against PyTorch and diffusers (`tools/golden/prompts.py`).

use std::ops::ControlFlow;

use diffusion::{
    base::BaseModel,
    graph::AdapterSet,
    pipeline::{self, PictureRequest, PictureSize},
    schedulers::Sampler,
    tokenizer::TokenLength,
};
use prompt::{Prompt, Reading};

use crate::golden::{self, Golden};

/// As for other pictures of 8 steps.
const TOLERANCE: f32 = 1e-3;
const WORDS: &str =
    "open peeps comic portrait of a person with short hair, glasses, smiling, green background, ";

/// More than 200 tokens.
fn long() -> String {
    WORDS.repeat(13).trim_end_matches(", ").to_owned()
}

fn request(prompt: &str, negative: Option<&str>) -> PictureRequest {
    PictureRequest {
        prompt: prompt.to_owned(),
        negative: negative.map(str::to_owned),
        reading: Reading::Language,
        length: TokenLength::T75,
        guidance: 5.0,
        n_steps: 8.try_into().unwrap(),
        size: PictureSize::new(128, 128).unwrap(),
        sampler: Sampler::Euler,
        seed: 7,
        initial_noise: None,
    }
}

fn latents(request: &PictureRequest) -> candle_core::Tensor {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let go_on = &mut |_, _| ControlFlow::Continue(());
    pipeline::denoise(&base, &AdapterSet::new(), request, go_on).unwrap()
}

fn numbers(request: &PictureRequest) -> Vec<f32> {
    latents(request).flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
fn check(name: &str, prompt: &str, negative: Option<&str>) {
    let latents = latents(&request(prompt, negative));
    Golden::named("prompts.safetensors").check(name, &latents, TOLERANCE);
}

#[test]
fn every_chunk_is_seen() {
    let long = long();
    assert!(Prompt::read(&long, Reading::Language).n_tokens() > 200);
    check("long", &long, None);
    check("long_negative", &long, Some("hat, beard"));
    check("negative_is_longer", "comic portrait, glasses", Some(&long));
    let end = format!("{long}, blue hat");
    assert_ne!(numbers(&request(&long, None)), numbers(&request(&end, None)));
}

#[test]
fn emphasis_and_breaks() {
    check(
        "emphasis",
        "comic portrait of a (person) with (glasses:1.5), [hat]",
        Some("(beard:1.3)"),
    );
    check("break", "comic portrait BREAK (green background:1.4)", Some(""));
    check("long_emphasis", &long_emphasis(), Some("hat, beard"));
}

fn long_emphasis() -> String {
    format!("({WORDS}:1.2){}( blue hat:0.5)", long())
}

#[test]
fn pixels() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let request = request(&long_emphasis(), Some("hat, beard"));
    let go_on = &mut |_, _| ControlFlow::Continue(());
    let picture = &pipeline::generate(&base, &AdapterSet::new(), &request, go_on).unwrap()[0];
    let expected = image::open(golden::folder().join("long_emphasis.png"))
        .unwrap()
        .into_rgb8();
    assert_eq!(picture.dimensions(), expected.dimensions());
    let differences = picture
        .iter()
        .zip(expected.iter())
        .map(|(a, b)| f64::from(a.abs_diff(*b)));
    let mean = differences.sum::<f64>() / expected.len() as f64;
    assert!(mean <= 1.0, "off by {mean} of 255 on average");
}

#[test]
fn letters_are_what_they_were_before() {
    // Brackets as letters, and the same words in the language with escapes.
    let literal = PictureRequest {
        reading: Reading::Literal,
        ..request("portrait (comic:1.5), [hat]", None)
    };
    let escaped = request(&prompt::escaped(&literal.prompt), None);
    assert_eq!(numbers(&literal), numbers(&escaped));
    assert_ne!(numbers(&literal), numbers(&request(&literal.prompt, None)));
}

#[test]
fn a_prompt_that_fits_is_read_as_captions_were() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let short = "comic portrait of a person";
    let trained = |length, prompt: &str| {
        numbers(&PictureRequest {
            length,
            ..request(prompt, None)
        })
    };
    // Longer training pads a short prompt further, so that the U-Net sees more positions.
    assert_ne!(
        trained(TokenLength::T225, short),
        trained(TokenLength::T75, short)
    );
    let text = base
        .text_encoders
        .encode(&[short], TokenLength::T225, &AdapterSet::new());
    assert_eq!(text.unwrap().context.dims()[1], 227);
    // What is longer, or says more than a caption can, is encoded in chunks whatever the training was.
    for prompt in [format!("{0}, {0}", long()), "(comic:1.3) portrait".to_owned()] {
        assert_eq!(
            trained(TokenLength::T225, &prompt),
            trained(TokenLength::T75, &prompt)
        );
    }
    // 200 tokens fit into 225, and differ from chunks by the ends between them.
    let fits = WORDS.repeat(10);
    assert_ne!(
        trained(TokenLength::T225, &fits),
        trained(TokenLength::T75, &fits)
    );
}

#[test]
fn a_lora_tag_is_no_word() {
    let base = BaseModel::built_in("tiny-xl").unwrap();
    for request in [
        request("a <lora:zora:0.8>", None),
        request("a", Some("<lora:zora>")),
    ] {
        let go_on = &mut |_, _| ControlFlow::Continue(());
        let error = pipeline::denoise(&base, &AdapterSet::new(), &request, go_on).unwrap_err();
        assert!(
            error.to_string().contains("in the prompt names a LoRA"),
            "{error}"
        );
    }
}
