//! The commands of `morpheus lora` that write files.

use std::{collections::BTreeMap, fs, path::Path};

use image::RgbImage;
use safetensors::SafeTensors;
use serde_json::Value;

use crate::{
    generate::{PROMPT, picture, tensors, wave},
    support::{fail, path, succeed},
};

const FIRST: &str = "lora_unet_middle_block_1_transformer_blocks_0_attn1_to_q";
const SECOND: &str = "lora_unet_middle_block_1_transformer_blocks_0_attn2_to_out_0";

/// A LoRA of two attention layers, large enough to be seen, of this rank.
fn write_lora(file: &Path, rank: usize, shift: f32) {
    let numbers = |n: usize| wave(n).into_iter().map(|x| x + shift).collect::<Vec<f32>>();
    let modules = [FIRST, SECOND].map(|module| {
        [
            (
                format!("{module}.lora_down.weight"),
                vec![rank, 128],
                numbers(rank * 128),
            ),
            (
                format!("{module}.lora_up.weight"),
                vec![128, rank],
                numbers(128 * rank),
            ),
            (format!("{module}.alpha"), vec![], vec![1.0]),
        ]
    });
    let [[a, b, c], [d, e, f]] = &modules;
    let all = [a, b, c, d, e, f].map(|(name, shape, values)| (name.as_str(), shape.clone(), values.clone()));
    fs::write(file, tensors(all)).unwrap();
}

/// What [`picture`] draws with seed 1, of another base model.
fn picture_of(base: &Path, out: &Path) -> RgbImage {
    succeed([
        "generate",
        "--base",
        path(base),
        "--prompt",
        PROMPT,
        "--steps",
        "4",
        "--seed",
        "1",
        "--out",
        path(out),
    ]);
    image::open(out).unwrap().into_rgb8()
}

/// Mean difference of two pictures, in steps of 1/255.
pub(crate) fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: u64 = a
        .as_raw()
        .iter()
        .zip(b.as_raw())
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    sum as f64 / a.as_raw().len() as f64
}

/// Names, types, shapes and bytes of a file's tensors.
fn contents(file: &Path) -> BTreeMap<String, (String, Vec<usize>, Vec<u8>)> {
    let bytes = fs::read(file).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    read.iter()
        .map(|(name, view)| {
            let dtype = view.dtype().to_string();
            (
                name.to_owned(),
                (dtype, view.shape().to_vec(), view.data().to_vec()),
            )
        })
        .collect()
}

fn metadata(file: &Path) -> BTreeMap<String, String> {
    let said = succeed(["lora", "inspect", "--json", path(file)]);
    let said: Value = serde_json::from_str(&said).unwrap();
    serde_json::from_value(said["metadata"].clone()).unwrap()
}

#[test]
fn a_merged_file_and_a_merged_base_draw_what_both_files_draw() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let (a, b, out) = (place("a.safetensors"), place("b.safetensors"), place("a.png"));
    write_lora(&a, 2, 0.0);
    write_lora(&b, 1, 0.3);
    let (weighted_a, weighted_b) = (format!("{}:0.8", a.display()), format!("{}:-0.5", b.display()));
    let both = picture(
        &out,
        &["--seed", "1", "--lora", &weighted_a, "--lora", &weighted_b],
    );
    let plain = picture(&out, &["--seed", "1"]);
    assert!(difference(&plain, &both) > 0.5, "{}", difference(&plain, &both));

    let merged = place("merged.safetensors");
    let said = succeed(["lora", "merge", &weighted_a, &weighted_b, "--out", path(&merged)]);
    assert!(said.contains("2 modules of rank 3"), "{said}");
    succeed(["lora", "verify", path(&merged), "--base", "tiny-xl"]);
    let drawn = picture(&out, &["--seed", "1", "--lora", path(&merged)]);
    assert!(difference(&drawn, &both) < 0.01, "{}", difference(&drawn, &both));
    let said = metadata(&merged);
    assert_eq!(said["ss_network_dim"], "3");
    assert_eq!(said["modelspec.merged_from"], "a, b");

    let base = place("base");
    let said = succeed([
        "lora",
        "merge",
        &weighted_a,
        &weighted_b,
        "--into",
        "tiny-xl",
        "--out",
        path(&base),
    ]);
    assert!(said.contains("2 tensors changed"), "{said}");
    let drawn = picture_of(&base, &out);
    assert!(difference(&drawn, &both) < 0.01, "{}", difference(&drawn, &both));

    // What was merged in comes out again.
    let extracted = place("extracted.safetensors");
    let said = succeed([
        "lora",
        "extract",
        "--base",
        "tiny-xl",
        "--tuned",
        path(&base),
        "--rank",
        "3",
        "--out",
        path(&extracted),
        "--json",
    ]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&said["n_modules"], &said["rank_max"]),
        (&Value::from(2), &Value::from(3))
    );
    assert!(said["kept"]["least"].as_f64().unwrap() > 0.999, "{said}");
    let drawn = picture(&out, &["--seed", "1", "--lora", path(&extracted)]);
    assert!(difference(&drawn, &both) < 0.01, "{}", difference(&drawn, &both));
    let err = fail([
        "lora",
        "extract",
        "--base",
        "tiny-xl",
        "--tuned",
        "tiny-xl",
        "--rank",
        "3",
        "--out",
        path(&place("none")),
    ]);
    assert!(
        err.contains("nothing would be left") && err.contains("tiny-xl"),
        "{err}"
    );
}

#[test]
fn a_conversion_and_back_is_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let kohya = place("kohya.safetensors");
    write_lora(&kohya, 4, 0.1);
    fs::create_dir(place("peft")).unwrap();
    for (names, there) in [
        ("diffusers", "there.safetensors"),
        ("peft", "peft/adapter_model.safetensors"),
    ] {
        let (there, back) = (place(there), place(&format!("{names}-back.safetensors")));
        succeed([
            "lora",
            "convert",
            path(&kohya),
            "--to",
            names,
            "--out",
            path(&there),
        ]);
        let converted = contents(&there);
        assert_ne!(contents(&kohya), converted);
        succeed([
            "lora",
            "convert",
            path(&there),
            "--to",
            "kohya",
            "--out",
            path(&back),
        ]);
        assert_eq!(contents(&kohya), contents(&back), "{names}");
        if names == "peft" {
            let is_wrapped = |key: &String| key.starts_with("base_model.model.mid_block.");
            assert!(converted.keys().all(is_wrapped), "{:?}", converted.keys());
        }
    }
    let config: Value =
        serde_json::from_slice(&fs::read(place("peft/adapter_config.json")).unwrap()).unwrap();
    assert_eq!(
        (&config["r"], &config["lora_alpha"]),
        (&Value::from(4), &Value::from(1))
    );
    let err = fail([
        "lora",
        "convert",
        path(&kohya),
        "--to",
        "peft",
        "--out",
        path(&place("p.safetensors")),
    ]);
    assert!(err.contains("adapter_model.safetensors"), "{err}");
}

/// A LoHa has a place in PEFT's names, and none in diffusers'.
#[test]
fn a_converted_loha_draws_what_it_drew() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let loha = place("loha.safetensors");
    let factors = ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"].map(|end| format!("{FIRST}.{end}"));
    let alpha = format!("{FIRST}.alpha");
    let [first_a, first_b, second_a, second_b] = &factors;
    let file = tensors([
        (first_a, vec![128, 1], wave(128)),
        (first_b, vec![1, 128], wave(128)),
        (second_a, vec![128, 1], wave(128)),
        (second_b, vec![1, 128], wave(128)),
        (&alpha, vec![], vec![0.5]),
    ]);
    fs::write(&loha, file).unwrap();
    let (peft, back) = (place("peft/adapter_model.safetensors"), place("back.safetensors"));
    fs::create_dir(place("peft")).unwrap();
    let convert = |from: &Path, to: &str, out: &Path| {
        succeed(["lora", "convert", path(from), "--to", to, "--out", path(out)])
    };
    convert(&loha, "peft", &peft);
    convert(&peft, "kohya", &back);
    assert_eq!(contents(&loha), contents(&back));
    let config: Value =
        serde_json::from_slice(&fs::read(place("peft/adapter_config.json")).unwrap()).unwrap();
    assert_eq!(
        (&config["peft_type"], &config["alpha"]),
        (&Value::from("LOHA"), &Value::from(0.5))
    );
    let out = place("a.png");
    let drawn = |lora: &Path| picture(&out, &["--seed", "1", "--lora", path(lora)]);
    let expected = drawn(&loha);
    assert!(expected != picture(&out, &["--seed", "1"]));
    assert!(drawn(&peft) == expected);
    let err = fail([
        "lora",
        "convert",
        path(&loha),
        "--to",
        "diffusers",
        "--out",
        path(&place("d.safetensors")),
    ]);
    assert!(
        err.contains("is a LoHa, which diffusers' names cannot hold: convert to PEFT's or kohya's names"),
        "{err}"
    );
    assert!(!place("d.safetensors").exists());
}

#[test]
fn resized_and_weighed_files_say_what_was_done() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let lora = place("lora.safetensors");
    write_lora(&lora, 4, 0.1);
    let resized = place("resized.safetensors");
    let said = succeed([
        "lora",
        "resize",
        path(&lora),
        "--frobenius",
        "0.5",
        "--out",
        path(&resized),
    ]);
    assert!(said.contains("% of the Frobenius norm is kept"), "{said}");
    let said = metadata(&resized);
    assert_eq!(
        said["ss_training_comment"],
        "Dynamic resize with sv_fro: 0.5 from 4"
    );
    assert_eq!(said["sshs_model_hash"].len(), 64);
    assert!(contents(&resized).values().all(|(dtype, ..)| dtype == "F16"));
    let single = place("single.safetensors");
    succeed([
        "lora",
        "resize",
        path(&lora),
        "--rank",
        "2",
        "--dtype",
        "f32",
        "--out",
        path(&single),
    ]);
    assert!(contents(&single).values().all(|(dtype, ..)| dtype == "F32"));

    let weighed = place("weighed.safetensors");
    let said = succeed([
        "lora",
        "weigh",
        path(&lora),
        "--blocks",
        "MID=-0.5",
        "--out",
        path(&weighed),
    ]);
    assert!(said.contains("2 of 2 modules are scaled"), "{said}");
    assert_eq!(
        contents(&weighed)[&format!("{FIRST}.alpha")].2,
        (-0.5_f32).to_le_bytes()
    );
    assert_ne!(
        metadata(&weighed)["sshs_model_hash"],
        metadata(&resized)["sshs_model_hash"]
    );
    let err = fail([
        "lora",
        "weigh",
        path(&lora),
        "--blocks",
        "MIDDLE=1",
        "--out",
        path(&place("x")),
    ]);
    assert!(
        err.contains("`MIDDLE`") && err.contains("expected 12, 17, 20 or 26"),
        "{err}"
    );
}

#[test]
fn nothing_is_replaced_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let (lora, out) = (place("lora.safetensors"), place("out.safetensors"));
    write_lora(&lora, 2, 0.0);
    fs::write(&out, "precious").unwrap();
    let merge = ["lora", "merge", path(&lora), "--out", path(&out)];
    let err = fail(merge);
    assert!(
        err.contains("is there already") && err.contains("--force"),
        "{err}"
    );
    assert_eq!(fs::read(&out).unwrap(), b"precious");
    succeed([&merge[..], &["--force"]].concat());
    succeed(["lora", "verify", path(&out)]);
    let err = fail([
        "lora",
        "merge",
        path(&lora),
        "--into",
        "tiny-xl",
        "--force",
        "--out",
        path(folder.path()),
    ]);
    assert!(err.contains("folders are never replaced"), "{err}");
    // A file may become its own successor.
    succeed([
        "lora",
        "resize",
        path(&lora),
        "--rank",
        "1",
        "--out",
        path(&lora),
        "--force",
    ]);
    assert_eq!(metadata(&lora)["ss_network_dim"], "1");
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn options_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let lora = folder.path().join("lora.safetensors");
    write_lora(&lora, 2, 0.0);
    let out = folder.path().join("out.safetensors");
    for (options, problem) in [
        (&["merge", "--method", "svd"][..], "--rank"),
        (&["merge", "--method", "np-lora"], "the style first"),
        (
            &["merge", "--method", "concatenate", "--rank", "2"],
            "--method svd",
        ),
        (&["merge", "--strength", "1"], "--method np-lora"),
        (&["merge", "--into", "tiny-xl", "--rank", "2"], "--rank"),
        (&["merge", "--rank", "0"], "from 1 to 4096"),
        (&["resize"], "--frobenius"),
        (&["resize", "--frobenius", "1.5"], "up to 1"),
        (&["resize", "--frobenius", "0.5", "--ratio", "2"], "--ratio"),
        (&["convert", "--to", "a1111"], "diffusers"),
    ] {
        let arguments = [&["lora"], options, &[path(&lora), "--out", path(&out)]].concat();
        let err = fail(arguments);
        assert!(err.contains(problem), "{options:?}: {err}");
        assert!(!out.exists());
    }
}
