//! DoRA, LoHa, LoKr and what else LyCORIS has under other programs' names: files as PEFT, diffusers and LyCORIS write them
//! (`tools/golden/foreign.py`), there and back.

use serde_json::{Value, json};

use super::*;
use crate::lora::{LoraModule, edit::convert::Converted};

const SHORTCUT: &str = "lora_unet_input_blocks_4_0_skip_connection";

fn foreign(name: &str) -> Source {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/foreign");
    Source::open(&golden.join(name)).unwrap()
}

/// Writes a conversion as its program would, and opens it.
fn written(folder: &Path, name: &str, converted: &Converted) -> Source {
    let folder = folder.join(name);
    fs::create_dir(&folder).unwrap();
    let file = match &converted.config {
        Some(config) => {
            fs::write(folder.join("adapter_config.json"), config.to_string()).unwrap();
            "adapter_model.safetensors"
        }
        None => "lora.safetensors",
    };
    write(&folder, file, &converted.file.tensors, &converted.file.metadata)
}

/// Numbers that differ from each other.
fn numbers(shape: &[usize], rounding: Rounding) -> Stored {
    let n: usize = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|x| (x as f32 + n as f32).sin()).collect();
    Stored::new(&values, shape.to_vec(), rounding)
}

/// A file with kohya's names.
fn kohya(folder: &Path, name: &str, tensors: &[(&str, &str, &[usize])]) -> Source {
    let mut all = BTreeMap::new();
    for (module, end, shape) in tensors {
        all.insert(format!("{module}.{end}"), numbers(shape, Rounding::F16));
        all.insert(format!("{module}.alpha"), Stored::number(1.5, Rounding::F16));
    }
    write(folder, name, &all, &BTreeMap::new())
}

/// A DoRA of a linear layer, of a convolution and of one of 1×1.
const DORA: [(&str, &str, &[usize]); 9] = [
    (LINEAR, "lora_down.weight", &[4, 6]),
    (LINEAR, "lora_up.weight", &[8, 4]),
    (LINEAR, "dora_scale", &[8, 1]),
    (CONV, "lora_down.weight", &[4, 6, 3, 3]),
    (CONV, "lora_up.weight", &[8, 4, 1, 1]),
    (CONV, "dora_scale", &[8, 1, 1, 1]),
    (SHORTCUT, "lora_down.weight", &[4, 6, 1, 1]),
    (SHORTCUT, "lora_up.weight", &[8, 4, 1, 1]),
    (SHORTCUT, "dora_scale", &[8, 1, 1, 1]),
];

#[test]
fn a_dora_comes_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let source = kohya(folder.path(), "dora.safetensors", &DORA);
    for (to, name, prefix) in [
        (Names::Diffusers, "diffusers", "unet."),
        (Names::Peft, "peft", "base_model.model."),
    ] {
        let there = convert(&source, to).unwrap();
        assert_eq!(there.file.notes, [""; 0], "{name}");
        let lengths: [(&str, &[usize]); 3] = [
            ("down_blocks.1.attentions.0.proj_in", &[8]),
            ("down_blocks.0.resnets.0.conv1", &[1, 8, 1, 1]),
            ("down_blocks.1.resnets.0.conv_shortcut", &[1, 8, 1, 1]),
        ];
        for (module, shape) in lengths {
            let key = format!("{prefix}{module}.lora_magnitude_vector");
            assert_eq!(there.file.tensors[&key].shape, shape, "{key}");
        }
        let use_dora = match &there.config {
            Some(config) => config["use_dora"].clone(),
            None => {
                let header: Value =
                    serde_json::from_str(&there.file.metadata["lora_adapter_metadata"]).unwrap();
                header["unet.use_dora"].clone()
            }
        };
        assert_eq!(use_dora, json!(true), "{name}");
        let back = convert(&written(folder.path(), name, &there), Names::Kohya).unwrap();
        assert_eq!(back.file.tensors, stored(&source), "{name}");
    }
}

#[test]
fn what_peft_and_diffusers_write_comes_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    for (name, to) in [
        ("peft_lora", Names::Peft),
        ("peft_conv", Names::Peft),
        ("peft_patterns", Names::Peft),
        ("peft_dora", Names::Peft),
        ("peft_loha", Names::Peft),
        ("peft_lokr", Names::Peft),
        ("diffusers_dora.safetensors", Names::Diffusers),
        ("diffusers_conv.safetensors", Names::Diffusers),
    ] {
        let source = foreign(name);
        let there = convert(&source, Names::Kohya).unwrap();
        let back = convert(&written(folder.path(), name, &there), to).unwrap();
        assert_eq!(back.file.tensors, stored(&source), "{name}");
        let Some(config) = &back.config else { continue };
        // PEFT fills in what is not said.
        let path = source.path().with_file_name("adapter_config.json");
        let expected: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let targets = |config: &Value| {
            let targets = config["target_modules"].as_array().unwrap();
            let mut targets: Vec<String> = targets
                .iter()
                .map(|target| target.as_str().unwrap().to_owned())
                .collect();
            targets.sort();
            targets
        };
        assert_eq!(targets(config), targets(&expected), "{name}");
        // Patterns are ends of names in the file, whole names here.
        for (key, value) in config.as_object().unwrap() {
            if key != "target_modules" && !(name == "peft_patterns" && key.ends_with("_pattern")) {
                assert_eq!(*value, expected[key], "{key} of {name}");
            }
        }
    }
}

#[test]
fn what_lycoris_writes_goes_through_peft_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    for (name, kind) in [
        ("lycoris_locon", "LORA"),
        ("lycoris_dora", "LORA"),
        ("lycoris_loha", "LOHA"),
        ("lycoris_loha_tucker", "LOHA"),
        ("lycoris_lokr", "LOKR"),
    ] {
        let source = foreign(&format!("{name}.safetensors"));
        let expected = convert(&source, Names::Kohya).unwrap().file.tensors;
        let there = convert(&source, Names::Peft).unwrap();
        assert_eq!(there.file.notes, [""; 0], "{name}");
        let config = there.config.as_ref().unwrap();
        assert_eq!(config["peft_type"], kind, "{name}");
        if kind != "LORA" {
            let use_effective_conv2d = json!(name == "lycoris_loha_tucker");
            assert_eq!(config["use_effective_conv2d"], use_effective_conv2d, "{name}");
            assert_eq!(
                (&config["r"], &config["alpha"]),
                (&json!(2), &json!(1.5)),
                "{name}"
            );
        }
        let back = convert(&written(folder.path(), name, &there), Names::Kohya).unwrap();
        assert_eq!(back.file.tensors, expected, "{name}");
    }
    let parts = peft_folders(&foreign("kohya_loha.safetensors")).unwrap();
    let parts: Vec<(&str, &Value)> = parts
        .iter()
        .map(|(part, converted)| (*part, &converted.config.as_ref().unwrap()["peft_type"]))
        .collect();
    let loha = json!("LOHA");
    let expected = ["unet", "text_encoder", "text_encoder_2"].map(|part| (part, &loha));
    assert_eq!(parts, expected);
}

/// LyCORIS leaves the alpha of whole matrices without meaning; PEFT does not.
#[test]
fn whole_matrices_keep_their_strength() {
    let folder = tempfile::tempdir().unwrap();
    let source = foreign("lycoris_lokr_whole.safetensors");
    let mut expected = convert(&source, Names::Kohya).unwrap().file.tensors;
    let mut there = convert(&source, Names::Peft).unwrap();
    assert!(
        there.file.notes[0].starts_with("alphas of whole matrices, where they mean nothing: 3;"),
        "{:?}",
        there.file.notes
    );
    // 8 ⊗ 8 features and 8 ⊗ 12: half of the second.
    let config = there.config.clone().unwrap();
    assert_eq!((&config["r"], &config["alpha"]), (&json!(4), &json!(4)));
    assert_eq!(
        config["rank_pattern"],
        json!({ "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k": 6 })
    );
    let back = convert(&written(folder.path(), "same", &there), Names::Kohya).unwrap();
    let mut found = back.file.tensors;
    for tensors in [&mut expected, &mut found] {
        tensors.retain(|key, _| !key.ends_with(".alpha"));
    }
    assert_eq!(found, expected);
    there.config.as_mut().unwrap()["alpha"] = json!(8);
    there.config.as_mut().unwrap()["alpha_pattern"] = json!({});
    let stronger = written(folder.path(), "stronger", &there);
    let err = convert(&stronger, Names::Kohya).unwrap_err().to_string();
    assert!(
        err.contains("is a LoKr of whole matrices with a strength of 2, which kohya's names cannot hold"),
        "{err}"
    );
}

/// kohya's names hold every kind, and every kind does the same under them.
#[test]
fn everything_has_names_of_kohya() {
    let folder = tempfile::tempdir().unwrap();
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/foreign");
    let mut n_files = 0;
    for entry in fs::read_dir(golden).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let source = Source::open(&path).unwrap();
        let converted = convert(&source, Names::Kohya).unwrap();
        assert!(
            converted.file.tensors.keys().all(|key| key.starts_with("lora_")),
            "{name}"
        );
        let found = written(folder.path(), name, &converted);
        let changes = |source: &Source| -> BTreeMap<String, Vec<Vec<f32>>> {
            let modules = source.lora().modules().iter();
            modules
                .map(|(key, module)| (key.clone(), changes_of(&base, key, module)))
                .collect()
        };
        let (found, expected) = (changes(&found), changes(&source));
        assert!(found.keys().eq(expected.keys()), "{name}");
        for (key, expected) in &expected {
            assert_eq!(found[key].len(), expected.len(), "{key} of {name}");
            let pairs = found[key].iter().flatten().zip(expected.iter().flatten());
            for (found, expected) in pairs {
                // The root in the scale of a rank-stabilized LoRA is rounded.
                assert!(
                    (found - expected).abs() <= 1e-6,
                    "{key} of {name}: {found}, {expected}"
                );
            }
        }
        n_files += 1;
    }
    assert_eq!(n_files, 35);
}

/// What a module does to the weight and the bias of its layer.
fn changes_of(base: &BaseModel, key: &str, module: &LoraModule) -> Vec<Vec<f32>> {
    let weight = base.stored(&base.layers()[key], "weight").unwrap();
    let delta = module.delta_for(&weight).unwrap();
    let both = [delta, module.bias.clone()].into_iter().flatten();
    both.map(|change| change.flatten_all().unwrap().to_vec1().unwrap())
        .collect()
}

#[track_caller]
fn refused(source: &Source, to: Names, words: &[&str]) {
    let err = match to {
        Names::Peft => peft_folders(source).unwrap_err(),
        _ => convert(source, to).unwrap_err(),
    };
    assert!(matches!(err, EditError::NotHeld { .. }), "{err}");
    for word in words {
        assert!(err.to_string().contains(word), "`{err}` does not say `{word}`");
    }
}

#[test]
fn what_names_cannot_hold_is_refused_with_what_would_work() {
    let plain = ["keep kohya's names, or resize it to a plain LoRA first"];
    for (name, to, kind, instead) in [
        (
            "lycoris_dora_input",
            Names::Diffusers,
            "a DoRA with one length per input",
            plain[0],
        ),
        (
            "lycoris_dora_input",
            Names::Peft,
            "a DoRA with one length per input",
            plain[0],
        ),
        (
            "lycoris_lokr_dora",
            Names::Peft,
            "a LoKr with the lengths of a DoRA",
            plain[0],
        ),
        (
            "lycoris_loha",
            Names::Diffusers,
            "a LoHa, which diffusers' names cannot hold",
            "convert to PEFT's or kohya's names",
        ),
        (
            "lycoris_lokr",
            Names::Diffusers,
            "a LoKr, which diffusers' names cannot hold",
            "convert to PEFT's or kohya's names",
        ),
        (
            "lycoris_tucker",
            Names::Diffusers,
            "a LoCon with a core (`lora_mid`)",
            plain[0],
        ),
        (
            "lycoris_tucker",
            Names::Peft,
            "a LoCon with a core (`lora_mid`)",
            plain[0],
        ),
        (
            "lycoris_glora",
            Names::Peft,
            "a GLoRA, which PEFT's names cannot hold",
            plain[0],
        ),
        (
            "lycoris_ia3",
            Names::Peft,
            "an IA3, which PEFT's names cannot hold",
            plain[0],
        ),
        ("lycoris_oft", Names::Diffusers, "an OFT, which", plain[0]),
        ("lycoris_boft", Names::Peft, "an OFT, which", plain[0]),
        (
            "lycoris_full",
            Names::Peft,
            "a full difference with a change of the bias, which",
            ": keep kohya's names",
        ),
    ] {
        refused(&foreign(&format!("{name}.safetensors")), to, &[kind, instead]);
    }
}

#[test]
fn what_peft_would_not_make_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = |tensors: &[(&str, &str, &[usize])]| kohya(folder.path(), "odd.safetensors", tensors);
    let to_q = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q";
    let lora: [(&str, &str, &[usize]); 2] = [
        (to_q, "lora_down.weight", &[4, 6]),
        (to_q, "lora_up.weight", &[8, 4]),
    ];
    let mixed = [&DORA[..], &lora].concat();
    for to in [Names::Diffusers, Names::Peft] {
        refused(&file(&mixed), to, &["is a LoRA beside a DoRA, which", to_q]);
    }
    // 64 = 2 · 32 here, 8 · 8 there.
    let factors = file(&[
        (LINEAR, "lokr_w1", &[2, 2]),
        (LINEAR, "lokr_w2", &[32, 32]),
        (to_q, "lokr_w1", &[8, 8]),
        (to_q, "lokr_w2", &[8, 8]),
    ]);
    refused(
        &factors,
        Names::Peft,
        &["a LoKr whose shapes PEFT would not give it", LINEAR],
    );
    let core_of_first = file(&[
        (LINEAR, "lokr_w1_a", &[2, 8]),
        (LINEAR, "lokr_w1_b", &[2, 8]),
        (LINEAR, "lokr_t1", &[2, 2, 1, 1]),
        (LINEAR, "lokr_w2", &[8, 8]),
    ]);
    refused(
        &core_of_first,
        Names::Peft,
        &["a LoKr whose shapes PEFT would not give it"],
    );
    let ranks = file(&[
        (LINEAR, "hada_w1_a", &[64, 2]),
        (LINEAR, "hada_w1_b", &[2, 64]),
        (LINEAR, "hada_w2_a", &[64, 3]),
        (LINEAR, "hada_w2_b", &[3, 64]),
    ]);
    refused(
        &ranks,
        Names::Peft,
        &["a LoHa whose shapes PEFT would not give it"],
    );
    let other = "lora_unet_input_blocks_2_0_in_layers_2";
    let cores = file(&[
        (CONV, "hada_w1_a", &[8, 2]),
        (CONV, "hada_w1_b", &[2, 72]),
        (CONV, "hada_w2_a", &[8, 2]),
        (CONV, "hada_w2_b", &[2, 72]),
        (other, "hada_w1_a", &[2, 8]),
        (other, "hada_w1_b", &[2, 8]),
        (other, "hada_t1", &[2, 2, 3, 3]),
        (other, "hada_w2_a", &[2, 8]),
        (other, "hada_w2_b", &[2, 8]),
        (other, "hada_t2", &[2, 2, 3, 3]),
    ]);
    refused(
        &cores,
        Names::Peft,
        &["a LoHa without a core beside 1 with one", CONV],
    );
    // Lengths that nobody is known to write so.
    let lengths = file(&[
        (CONV, "lora_down.weight", &[4, 6, 3, 3]),
        (CONV, "lora_up.weight", &[8, 4, 1, 1]),
        (CONV, "dora_scale", &[8, 1]),
    ]);
    for to in [Names::Diffusers, Names::Peft] {
        refused(
            &lengths,
            to,
            &["lengths of shape [8, 1] beside matrices of 4 dimensions"],
        );
    }
    let scalar = file(&[
        (LINEAR, "lora_down.weight", &[4, 6]),
        (LINEAR, "lora_up.weight", &[8, 4]),
        (LINEAR, "scalar", &[1]),
    ]);
    refused(&scalar, Names::Diffusers, &["a LoRA with a `scalar`"]);
    let back = convert(&scalar, Names::Kohya).unwrap().file.tensors;
    assert_eq!(back, stored(&scalar));
}
