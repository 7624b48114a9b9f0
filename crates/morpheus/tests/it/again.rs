//! Pictures carry how they were made, and are drawn again from it.

use std::{fs, path::Path};

use dataset::picture::{PictureText, add_texts, encode_png, read_texts};
use image::{DynamicImage, RgbImage};
use protocol::made::{self, Made};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    generate::{a_lora, tensors, wave},
    support::{fail, path, run, succeed},
};

const SETTINGS: [&str; 12] = [
    "--prompt",
    "zora, smiling — ゾラ",
    "--negative",
    "",
    "--steps",
    "3",
    "--cfg",
    "7.25",
    "--size",
    "96x160",
    "--sampler",
    "euler_a",
];

fn pixels(file: &Path) -> RgbImage {
    image::open(file).map(DynamicImage::into_rgb8).unwrap()
}

fn text(file: &Path, keyword: &str) -> String {
    let texts = read_texts(&fs::read(file).unwrap()).unwrap();
    let found: Vec<PictureText> = texts.into_iter().filter(|text| text.keyword == keyword).collect();
    assert_eq!(found.len(), 1, "{keyword}");
    found.into_iter().next().unwrap().text
}

fn generate(out: &Path, more: &[&str]) -> Value {
    let mut args = vec!["generate", "--json", "--out", path(out)];
    args.extend(more);
    serde_json::from_str(&succeed(args)).unwrap()
}

/// Draws with everything, beside the file of its LoRA.
fn draw(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let (picture, lora) = (folder.join("a.png"), folder.join("ink style.safetensors"));
    fs::write(&lora, a_lora()).unwrap();
    let weighted = format!("{}:0.85", lora.display());
    let mut more = SETTINGS.to_vec();
    more.extend(["--lora", &weighted, "--seed", "18446744073709551615"]);
    generate(&picture, &more);
    (picture, lora)
}

#[test]
fn a_picture_carries_how_it_was_made_for_three_readers() {
    let folder = tempfile::tempdir().unwrap();
    let (picture, lora) = draw(folder.path());
    let bytes = fs::read(&lora).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let whole = hex::encode(Sha256::digest(&bytes));
    let data = hex::encode(Sha256::digest(&bytes[header..]));

    let made = Made::parse(&text(&picture, made::KEYWORD)).unwrap();
    assert_eq!((made.base.name.as_str(), made.seed), ("tiny-xl", u64::MAX));
    assert_eq!(made.negative_prompt.as_deref(), Some(""));
    assert_eq!(
        (made.width, made.height, made.n_steps, made.guidance),
        (96, 160, 3, 7.25)
    );
    assert_eq!(made.loras.len(), 1);
    assert_eq!(
        (made.loras[0].name.as_str(), made.loras[0].weight),
        ("ink style", 0.85)
    );
    assert_eq!(made.loras[0].sha256.as_ref(), Some(&whole));
    assert_eq!(made.loras[0].data_sha256.as_ref(), Some(&data));

    let parameters = text(&picture, "parameters");
    let expected = format!(
        "zora, smiling — ゾラ <lora:ink style:0.85>\nSteps: 3, Sampler: Euler a, CFG scale: 7.25, \
         Seed: 18446744073709551615, Size: 96x160, Model hash: {}, Model: tiny-xl, RNG: CPU, \
         Lora hashes: \"ink style: {}\", Version: {}",
        &made.base.fingerprint[..10],
        &data[..12],
        made.program
    );
    assert_eq!(parameters, expected);
    let nodes: Value = serde_json::from_str(&text(&picture, "prompt")).unwrap();
    let classes: Vec<&str> = nodes
        .as_object()
        .unwrap()
        .values()
        .map(|node| node["class_type"].as_str().unwrap())
        .collect();
    assert!(
        classes.contains(&"LoraLoader") && classes.contains(&"KSampler"),
        "{classes:?}"
    );
    text(&picture, "workflow");

    // No text tells where anything lies on this machine.
    let file = fs::read(&picture).unwrap();
    let place = folder.path().file_name().unwrap().to_str().unwrap().as_bytes();
    assert!(!file.windows(place.len()).any(|window| window == place));
}

#[test]
fn a_picture_is_drawn_again_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (picture, _) = draw(folder.path());
    let again = folder.path().join("again.png");
    // The LoRA lies beside the picture.
    let said = generate(&again, &["--again", path(&picture)]);
    assert_eq!(said["again"]["exact"], true, "{said}");
    assert!(pixels(&again) == pixels(&picture));
    assert_eq!(text(&again, made::KEYWORD), text(&picture, made::KEYWORD));
    // So is what was drawn again.
    let third = folder.path().join("third.png");
    generate(&third, &["--again", path(&again)]);
    assert!(fs::read(&third).unwrap() == fs::read(&again).unwrap());
}

#[test]
fn without_a_seed_a_lora_and_a_negative_prompt_too() {
    let folder = tempfile::tempdir().unwrap();
    let (picture, again) = (folder.path().join("a.png"), folder.path().join("b.png"));
    for seed in ["-1", "0"] {
        let said = generate(&picture, &["--prompt", "zora", "--steps", "2", "--seed", seed]);
        assert!(said["seed"].is_u64());
        generate(&again, &["--again", path(&picture)]);
        assert!(fs::read(&picture).unwrap() == fs::read(&again).unwrap(), "{seed}");
    }
}

#[test]
fn options_replace_settings_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (picture, lora) = draw(folder.path());
    let out = folder.path().join("out.png");
    let again = |more: &[&str]| {
        let mut args = vec!["--again", path(&picture)];
        args.extend(more);
        let said = generate(&out, &args)["again"].clone();
        (
            said["exact"].as_bool().unwrap(),
            said["differs"].to_string(),
            pixels(&out),
        )
    };
    let original = pixels(&picture);
    for (more, expected) in [
        (vec!["--seed", "7"], "seed: 7 instead of 18446744073709551615"),
        (
            vec!["--seed", "-1"],
            "seed: a random one instead of 18446744073709551615",
        ),
        (
            vec!["--prompt", "a fox"],
            "prompt: a fox instead of zora, smiling",
        ),
        (
            vec!["--negative", "blurry"],
            "negative prompt: `blurry` instead of ``",
        ),
        (vec!["--steps", "2"], "steps: 2 instead of 3"),
        (vec!["--cfg", "3"], "guidance: 3 instead of 7.25"),
        (vec!["--sampler", "ddim"], "sampler: ddim instead of euler_a"),
        (vec!["--size", "64x64"], "size: 64x64 instead of 96x160"),
    ] {
        let (exact, differs, drawn) = again(&more);
        assert!(!exact && differs.contains(expected), "{differs}");
        assert!(drawn != original, "{more:?}");
    }
    // What is given and equal is no difference.
    let (exact, differs, drawn) = again(&["--seed", "18446744073709551615", "--steps", "3"]);
    assert!(exact && drawn == original, "{differs}");
    let weighted = format!("{}:0.2", lora.display());
    let (exact, differs, drawn) = again(&["--lora", &weighted]);
    assert!(
        !exact && differs.contains("weight of ink style: 0.2 instead of 0.85") && drawn != original,
        "{differs}"
    );
}

#[test]
fn the_files_of_a_picture_are_known_by_their_hashes() {
    let folder = tempfile::tempdir().unwrap();
    let (picture, lora) = draw(folder.path());
    let out = folder.path().join("out.png");
    let moved = folder.path().join("renamed.safetensors");
    fs::rename(&lora, &moved).unwrap();
    let args = |more: &[&str]| {
        let mut args: Vec<String> = [
            "generate",
            "--json",
            "--again",
            path(&picture),
            "--out",
            path(&out),
        ]
        .map(str::to_owned)
        .into();
        args.extend(more.iter().map(|&word| word.to_owned()));
        args
    };
    let missing = fail(args(&[]));
    assert!(
        missing.contains("`ink style`") && missing.contains("name its file with --lora"),
        "{missing}"
    );
    // Under another name it is the same file, and has the picture's weight.
    let said = succeed(args(&["--lora", path(&moved)]));
    assert!(said.contains("\"exact\":true"), "{said}");
    assert!(pixels(&out) == pixels(&picture));
    // Another file under its name is not.
    let mut other = a_lora();
    // The least bit of the last number.
    let at = other.len() - 4;
    other[at] ^= 1;
    fs::write(&lora, &other).unwrap();
    let refused = fail(args(&[]));
    assert!(
        refused.contains("is another file than the picture's LoRA `ink style`"),
        "{refused}"
    );
    let said = succeed(args(&["--lora", path(&lora)]));
    assert!(
        said.contains("a file of the same name with other contents"),
        "{said}"
    );
}

#[test]
fn the_base_model_has_to_be_the_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let (picture, _) = draw(folder.path());
    let (base, out) = (folder.path().join("base"), folder.path().join("out.png"));
    diffusion::base::export_built_in("tiny-xl", &base).unwrap();
    // The same weights elsewhere are the same base model.
    generate(&out, &["--again", path(&picture), "--base", path(&base)]);
    assert!(pixels(&out) == pixels(&picture));
    let unet = base.join("unet/diffusion_pytorch_model.safetensors");
    let mut weights = fs::read(&unet).unwrap();
    *weights.last_mut().unwrap() ^= 1;
    fs::write(&unet, weights).unwrap();
    let refused = fail([
        "generate",
        "--again",
        path(&picture),
        "--base",
        path(&base),
        "--out",
        path(&out),
    ]);
    assert!(
        refused.contains("was drawn with base model `tiny-xl`") && refused.contains("`base` is another one"),
        "{refused}"
    );
}

#[test]
fn noise_from_a_file_is_asked_for_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let noise = folder.path().join("noise.safetensors");
    let two = vec![2, 4, 16, 16];
    fs::write(&noise, tensors([("noise", two.clone(), wave(2 * 4 * 16 * 16))])).unwrap();
    let out = folder.path().join("a.png");
    generate(
        &out,
        &["--prompt", "zora", "--steps", "2", "--init-noise", path(&noise)],
    );
    let (second, again) = (folder.path().join("a-2.png"), folder.path().join("again.png"));
    let args = ["generate", "--again", path(&second), "--out", path(&again)];
    let asked = fail(args);
    assert!(asked.contains("name it with --init-noise"), "{asked}");
    succeed(args.into_iter().chain(["--init-noise", path(&noise)]));
    assert!(fs::read(&again).unwrap() == fs::read(&second).unwrap());
    fs::write(
        &noise,
        tensors([("noise", two, wave(2 * 4 * 16 * 16 + 1)[1..].to_vec())]),
    )
    .unwrap();
    let refused = fail(args.into_iter().chain(["--init-noise", path(&noise)]));
    assert!(refused.contains("was drawn from another file"), "{refused}");
}

#[test]
fn settings_of_other_programs_are_taken_as_far_as_they_go() {
    let folder = tempfile::tempdir().unwrap();
    let lora = folder.path().join("zora.safetensors");
    fs::write(&lora, a_lora()).unwrap();
    let foreign = folder.path().join("foreign.png");
    let mut png = encode_png(&RgbImage::new(64, 64));
    let parameters = "a fox <lora:zora:0.5> <lora:gone:1>\nNegative prompt: blurry\nSteps: 2, Sampler: DPM++ 2M Karras, \
                      CFG scale: 4, Seed: 9007199254740993, Size: 96x64, Model hash: 0123456789, Model: other, \
                      Clip skip: 2, Version: v1.10.1";
    add_texts(&mut png, &[("parameters", parameters.to_owned())]);
    fs::write(&foreign, png).unwrap();
    let out = folder.path().join("out.png");
    let args = ["generate", "--again", path(&foreign), "--out", path(&out)];
    let asked = fail(args);
    assert!(
        asked.contains("base model `other` (0123456789): name its file"),
        "{asked}"
    );
    let output = run(args.into_iter().chain(["--base", "tiny-xl"]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    for note in [
        "the picture will be similar, not equal",
        "`Sampler: DPM++ 2M Karras`: the schedule Karras is left out",
        "`Clip skip: 2`: there is no such setting here",
        "LoRA `gone` is not here",
        "was drawn with base model `other` (0123456789)",
    ] {
        assert!(said.contains(note), "{note}: {said}");
    }
    let expected = folder.path().join("expected.png");
    let weighted = format!("{}:0.5", lora.display());
    let settings = [
        "--prompt",
        "a fox",
        "--negative",
        "blurry",
        "--steps",
        "2",
        "--cfg",
        "4",
        "--sampler",
        "dpmpp_2m",
    ];
    let more = [
        "--seed",
        "9007199254740993",
        "--size",
        "96x64",
        "--lora",
        &weighted,
    ];
    generate(&expected, &settings.into_iter().chain(more).collect::<Vec<_>>());
    assert!(pixels(&out) == pixels(&expected));
}

#[test]
fn what_carries_no_settings_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.png");
    let said = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        fail([
            "generate",
            "--again",
            path(&file),
            "--out",
            path(&folder.path().join("b.png")),
        ])
    };
    let with = |keyword: &str, text: &str| {
        let mut png = encode_png(&RgbImage::new(64, 64));
        add_texts(&mut png, &[(keyword, text.to_owned())]);
        png
    };
    for (bytes, expected) in [
        (b"\xff\xd8\xff\xe0".to_vec(), "is not a PNG file"),
        (
            encode_png(&RgbImage::new(64, 64))[..50].to_vec(),
            "is a damaged PNG file",
        ),
        (encode_png(&RgbImage::new(64, 64)), "carries no settings"),
        (with("workflow", "{}"), "carries nodes of ComfyUI"),
        (with("morpheus", "{}"), "missing field `version`"),
        (with("morpheus", r#"{"version":9}"#), "newer than this program"),
    ] {
        let error = said(&bytes);
        assert!(error.contains(expected), "{expected}: {error}");
    }
}
