//! Edits against NumPy (`tools/golden/lora_edits.py`), and what they promise to keep.

use std::{fs, path::PathBuf};

use super::{
    convert::{Names, convert, peft_folders},
    keep::{Energy, Keep},
    merge::{Method, Projection, Weighted, merge},
    resize::resize,
    weigh::weigh,
    *,
};
use crate::weights::TensorFile;

mod conversions;
mod kinds;

const LINEAR: &str = "lora_unet_input_blocks_4_1_proj_in";
const CONV: &str = "lora_unet_input_blocks_1_0_in_layers_2";
const MODULES: [&str; 2] = [LINEAR, CONV];

fn golden() -> TensorFile {
    TensorFile::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lora_edits.safetensors"))
        .unwrap()
}

/// Writes a file of tensors, and opens it.
fn write(
    folder: &Path,
    name: &str,
    tensors: &BTreeMap<String, Stored>,
    metadata: &BTreeMap<String, String>,
) -> Source {
    let views = tensors.iter().map(|(name, stored)| {
        let view = safetensors::tensor::TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes);
        (name.clone(), view.unwrap())
    });
    let path = folder.join(name);
    let metadata = metadata.clone().into_iter().collect();
    fs::write(&path, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
    Source::open(&path).unwrap()
}

/// One of the golden files, `a` or `b`, with some of its modules.
fn input(folder: &Path, file: &str, modules: &[&str]) -> Source {
    let golden = golden();
    let mut tensors = BTreeMap::new();
    for module in modules {
        for part in ["lora_down.weight", "lora_up.weight", "alpha"] {
            let stored = golden.stored(&format!("{file}.{module}.{part}")).unwrap();
            tensors.insert(format!("{module}.{part}"), stored);
        }
    }
    let metadata = [
        ("ss_base_model_version", "sdxl_base_v1-0"),
        ("ss_seed", file),
        ("sshs_model_hash", "old"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()));
    write(folder, &format!("{file}.safetensors"), &tensors, &metadata.into())
}

/// Its tensors as they are stored.
fn stored(source: &Source) -> BTreeMap<String, Stored> {
    let file = TensorFile::open(source.path()).unwrap();
    file.names()
        .map(|key| (key.to_owned(), file.stored(key).unwrap()))
        .collect()
}

/// What the edited file does to each layer.
fn changes(edited: &Edited) -> BTreeMap<String, Vec<f32>> {
    let folder = tempfile::tempdir().unwrap();
    let source = write(
        folder.path(),
        "edited.safetensors",
        &edited.tensors,
        &edited.metadata,
    );
    let factors = source.factors("read").unwrap();
    factors
        .into_iter()
        .map(|(name, factors)| (name, factors.change()))
        .collect()
}

#[track_caller]
fn assert_close(found: &[f32], name: &str) {
    let expected = golden().read(name).unwrap();
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        assert!(
            (found - expected).abs() <= 1e-5 * largest,
            "{name}: {found} is not {expected}"
        );
    }
}

const EXACT: Storage = Storage::Fixed(Rounding::F32);

#[test]
fn merges_are_numpys() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (
        input(folder.path(), "a", &MODULES),
        input(folder.path(), "b", &MODULES),
    );
    let merged = |weights: [f64; 2], method| {
        let [weight_a, weight_b] = weights;
        let files = [
            Weighted {
                source: &a,
                weight: weight_a,
            },
            Weighted {
                source: &b,
                weight: weight_b,
            },
        ];
        merge(&files, method, EXACT, &Context::default()).unwrap()
    };
    let hard = Method::Project(Projection {
        strength: f64::INFINITY,
        share: 1.0,
    });
    let soft = Method::Project(Projection {
        strength: 0.5,
        share: 0.9,
    });
    for (name, edited, rank) in [
        ("sum", merged([0.7, -0.4], Method::Concatenate), 7),
        ("svd", merged([0.7, -0.4], Method::Svd(Keep::rank_of(2))), 2),
        ("hard", merged([1.0, 0.8], hard), 7),
        ("soft", merged([1.0, 0.8], soft), 7),
    ] {
        assert_eq!(
            (edited.summary.rank_min, edited.summary.rank_max),
            (rank, rank),
            "{name}"
        );
        let found = changes(&edited);
        for module in MODULES {
            assert_close(&found[module], &format!("{name}.{module}"));
        }
    }
    // A projection of strength 0 is a sum.
    let none = Method::Project(Projection {
        strength: 0.0,
        share: 1.0,
    });
    for module in MODULES {
        assert_close(
            &changes(&merged([0.7, -0.4], none))[module],
            &format!("sum.{module}"),
        );
    }
}

#[test]
fn a_merge_keeps_modules_that_only_one_file_has() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (
        input(folder.path(), "a", &MODULES),
        input(folder.path(), "b", &[LINEAR]),
    );
    let files = [&a, &b].map(|source| Weighted { source, weight: 1.0 });
    let edited = merge(&files, Method::Concatenate, EXACT, &Context::default()).unwrap();
    assert_eq!(edited.summary.n_modules, 2);
    assert_eq!(edited.notes, ["1 of 2 modules are not in every file"]);
    // Nothing is rounded where weights are 1 and scales alike.
    let key = format!("{CONV}.lora_up.weight");
    assert_eq!(
        edited.tensors[&key],
        golden().stored(&format!("a.{key}")).unwrap()
    );
    assert_eq!(edited.metadata["ss_base_model_version"], "sdxl_base_v1-0");
    assert_eq!(edited.metadata["modelspec.merged_from"], "a, b");
    assert_eq!(
        edited.metadata["ss_training_comment"],
        "merged from a × 1 + b × 1 by concatenation"
    );
    assert_eq!(edited.metadata["ss_network_dim"], "Dynamic");
    for gone in ["ss_seed", "sshs_model_hash"] {
        assert!(!edited.metadata.contains_key(gone), "{gone}");
    }
}

#[test]
fn files_that_cannot_be_merged_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let a = input(folder.path(), "a", &[LINEAR]);
    let mut tensors = stored(&a);
    for part in ["lora_down.weight", "lora_up.weight", "alpha"] {
        // The convolution's matrices under the linear layer's name.
        let stored = golden().stored(&format!("b.{CONV}.{part}")).unwrap();
        tensors.insert(format!("{LINEAR}.{part}"), stored);
    }
    let other = write(folder.path(), "other.safetensors", &tensors, &BTreeMap::new());
    let merged = |weights: [f64; 2]| {
        let files = [&a, &other].into_iter().zip(weights);
        let files: Vec<_> = files
            .map(|(source, weight)| Weighted { source, weight })
            .collect();
        merge(&files, Method::Concatenate, EXACT, &Context::default())
    };
    let err = merged([1.0, 1.0]).unwrap_err().to_string();
    assert!(
        err.contains(LINEAR) && err.contains("[12, 54]") && err.contains("[24, 16]"),
        "{err}"
    );
    assert!(matches!(merged([0.0, 0.0]), Err(EditError::Nothing { .. })));
    assert_eq!(merged([1.0, 0.0]).unwrap().notes.len(), 1);
}

#[test]
fn a_file_is_cut_as_numpy_cuts_it() {
    let folder = tempfile::tempdir().unwrap();
    let a = input(folder.path(), "a", &MODULES);
    let edited = resize(&a, &Keep::rank_of(2), EXACT, &Context::default()).unwrap();
    let found = changes(&edited);
    for module in MODULES {
        assert_close(&found[module], &format!("resized.{module}"));
    }
    let kept = edited.summary.kept.unwrap();
    assert!(kept.least < kept.whole && kept.whole < 1.0, "{kept:?}");
    // alpha / rank stays.
    assert_eq!(
        (
            &*edited.metadata["ss_network_dim"],
            &*edited.metadata["ss_network_alpha"]
        ),
        ("2", "1")
    );
    assert_eq!(
        edited.metadata["ss_training_comment"],
        "dimension is resized from 4 to 2"
    );
    assert_eq!(edited.metadata["ss_seed"], "a");
    // What is no wider than asked stays to the bit.
    let same = resize(&a, &Keep::rank_of(4), EXACT, &Context::default()).unwrap();
    assert_eq!(same.tensors, stored(&a));
}

#[test]
fn shares_of_energy_are_sd_scripts() {
    let expected: BTreeMap<String, BTreeMap<String, usize>> =
        serde_json::from_str(&golden().metadata()["ranks"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let a = input(folder.path(), "a", &MODULES);
    for (name, energy) in [
        ("sv_fro 0.9", Energy::Frobenius(0.9)),
        ("sv_fro 0.99", Energy::Frobenius(0.99)),
        ("sv_cumulative 0.8", Energy::Sum(0.8)),
        ("sv_ratio 3", Energy::Ratio(3.0)),
    ] {
        assert_eq!(energy.describe(), name);
        let keep = Keep {
            energy: Some(energy),
            rank: usize::MAX,
            conv_rank: usize::MAX,
        };
        let edited = resize(&a, &keep, EXACT, &Context::default()).unwrap();
        for module in MODULES {
            let rank = edited.tensors[&format!("{module}.lora_down.weight")].shape[0];
            assert_eq!(rank, expected[module][name], "{name} of {module}");
        }
        // A rank caps it, and one for convolutions caps those alone.
        let keep = Keep {
            energy: Some(energy),
            rank: usize::MAX,
            conv_rank: 1,
        };
        let edited = resize(&a, &keep, EXACT, &Context::default()).unwrap();
        assert_eq!(edited.tensors[&format!("{CONV}.lora_down.weight")].shape[0], 1);
    }
}

#[test]
fn the_clamp_is_sd_scripts() {
    let golden = golden();
    let layer = factors::Layer {
        n_out: 20,
        n_in: 30,
        kernel: None,
    };
    let svd = Factors::svd_of_change(&golden.read("difference").unwrap(), layer, 5).unwrap();
    let clamped = Factors::of_svd_clamped(&svd, 0.99, layer);
    assert_close(&clamped.up, "clamped.up");
    assert_close(&clamped.down, "clamped.down");
}

#[test]
fn numbers_too_large_for_half_precision() {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = stored(&input(folder.path(), "a", &[LINEAR]));
    let key = format!("{LINEAR}.lora_up.weight");
    tensors.insert(key.clone(), Stored::new(&[1e5; 96], vec![24, 4], Rounding::F32));
    let source = write(folder.path(), "large.safetensors", &tensors, &BTreeMap::new());
    let merged = |storage| {
        merge(
            &[Weighted {
                source: &source,
                weight: 1.0,
            }],
            Method::Concatenate,
            storage,
            &Context::default(),
        )
    };
    assert_eq!(merged(Storage::Fitting).unwrap().tensors[&key].dtype, Dtype::F32);
    assert_eq!(
        merged(Storage::Fixed(Rounding::Bf16)).unwrap().tensors[&key].dtype,
        Dtype::BF16
    );
    let err = merged(Storage::Fixed(Rounding::F16)).unwrap_err();
    assert!(matches!(err, EditError::TooLarge { .. }), "{err}");
}

#[test]
fn conversions_come_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let text = "lora_te2_text_model_encoder_layers_3_self_attn_q_proj";
    let mut tensors = BTreeMap::new();
    for (module, rank, rounding) in [(LINEAR, 4, Rounding::F16), (text, 2, Rounding::Bf16)] {
        let values: Vec<f32> = (0..rank * 8).map(|x| (x as f32).sin()).collect();
        tensors.extend([
            (
                format!("{module}.lora_down.weight"),
                Stored::new(&values, vec![rank, 8], rounding),
            ),
            (
                format!("{module}.lora_up.weight"),
                Stored::new(&values, vec![8, rank], rounding),
            ),
            (
                format!("{module}.alpha"),
                Stored::number(rank as f32 / 2.0, rounding),
            ),
        ]);
    }
    let metadata = BTreeMap::from([("ss_seed".to_owned(), "7".to_owned())]);
    let kohya = write(folder.path(), "kohya.safetensors", &tensors, &metadata);
    let there = convert(&kohya, Names::Diffusers).unwrap().file;
    assert_eq!(there.notes, [""; 0]);
    assert!(
        there
            .tensors
            .contains_key("unet.down_blocks.1.attentions.0.proj_in.lora_A.weight")
    );
    assert_eq!(there.metadata["ss_seed"], "7");
    let header: serde_json::Value = serde_json::from_str(&there.metadata["lora_adapter_metadata"]).unwrap();
    assert_eq!(header["text_encoder_2.lora_alpha"], 1);
    assert_eq!(header["unet.r"], 4);
    let diffusers = write(
        folder.path(),
        "diffusers.safetensors",
        &there.tensors,
        &there.metadata,
    );
    let back = convert(&diffusers, Names::Kohya).unwrap().file;
    assert_eq!(back.tensors, tensors);
    // A text encoder alone: PEFT's names do not say which one.
    let of_text = tensors.iter().filter(|(key, _)| key.starts_with(text));
    let of_text = of_text.map(|(key, tensor)| (key.clone(), tensor.clone()));
    let alone = write(folder.path(), "text.safetensors", &of_text.collect(), &metadata);
    let peft = convert(&alone, Names::Peft).unwrap();
    assert!(
        peft.file.notes[0].contains("text_encoder_2"),
        "{:?}",
        peft.file.notes
    );
    assert_eq!(peft.config.unwrap()["r"], 2);
    // One part of a model to a PEFT folder.
    let err = convert(&kohya, Names::Peft).unwrap_err();
    assert!(matches!(err, EditError::NoName { .. }), "{err}");
    let folders = peft_folders(&kohya).unwrap();
    let parts: Vec<&str> = folders.iter().map(|(part, _)| *part).collect();
    assert_eq!(parts, ["unet", "text_encoder_2"]);
    assert_eq!(folders[1].1.file.tensors, peft.file.tensors);
    assert_eq!(folders[0].1.config.as_ref().unwrap()["r"], 4);
}

#[test]
fn what_a_conversion_loses_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = stored(&input(folder.path(), "a", &[LINEAR]));
    // The value of this alpha comes back, its kind of number does not.
    tensors.insert(
        format!("{LINEAR}.alpha"),
        Stored::new(&[2.0], vec![], Rounding::Bf16),
    );
    let source = write(folder.path(), "odd.safetensors", &tensors, &BTreeMap::new());
    let there = convert(&source, Names::Diffusers).unwrap().file;
    assert!(
        there.notes[0].starts_with("alphas stored in another kind of number than their matrices: 1;"),
        "{:?}",
        there.notes
    );
    tensors.remove(&format!("{LINEAR}.alpha"));
    let source = write(folder.path(), "none.safetensors", &tensors, &BTreeMap::new());
    let there = convert(&source, Names::Diffusers).unwrap().file;
    assert!(
        there.notes[0].starts_with("modules without an alpha tensor, whose rank is their alpha: 1;"),
        "{:?}",
        there.notes
    );
    let same = convert(&source, Names::Kohya).unwrap().file;
    assert!(
        same.notes[0].starts_with("modules that got an alpha tensor, which these names need: 1"),
        "{:?}",
        same.notes
    );
    assert_eq!(changes(&same), changes(&there));
}

#[test]
fn block_weights_scale_what_a_module_does() {
    let folder = tempfile::tempdir().unwrap();
    let a = input(folder.path(), "a", &MODULES);
    let before = a.factors("read").unwrap();
    let weighed = weigh(&a, &"IN04=0.3,ELSE=-2".parse().unwrap()).unwrap();
    let after = changes(&weighed);
    for (module, weight) in [(LINEAR, 0.3), (CONV, -2.0)] {
        for (before, after) in before[module].change().iter().zip(&after[module]) {
            assert!(
                (after - weight * before).abs() <= 1e-5 * (1.0 + before.abs()),
                "{module}"
            );
        }
    }
    // The matrices are the same to the bit.
    for (key, stored) in stored(&a) {
        assert!(
            key.ends_with(".alpha") || weighed.tensors[&key] == stored,
            "{key}"
        );
    }
    let without = weigh(&a, &"IN04=0".parse().unwrap()).unwrap();
    assert!(without.tensors.keys().all(|key| key.starts_with(CONV)));
    assert!(
        without.notes[0].contains("1 have weight 0"),
        "{:?}",
        without.notes
    );
    let none = weigh(&a, &"ELSE=0".parse().unwrap());
    assert!(matches!(none, Err(EditError::Nothing { .. })));
    let elsewhere = weigh(&a, &"OUT11=0.5".parse().unwrap()).unwrap();
    assert_eq!(elsewhere.tensors, stored(&a));
    assert_eq!(elsewhere.notes[1], "no module of this file is in OUT11");
}

#[test]
fn block_weights_without_an_alpha_scale_the_up_matrix() {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = stored(&input(folder.path(), "a", &[LINEAR]));
    tensors.remove(&format!("{LINEAR}.alpha"));
    let source = write(folder.path(), "none.safetensors", &tensors, &BTreeMap::new());
    let weighed = weigh(&source, &"IN04=0.5".parse().unwrap()).unwrap();
    let before = source.factors("read").unwrap()[LINEAR].change();
    let half: Vec<f32> = before.iter().map(|x| x / 2.0).collect();
    assert_eq!(changes(&weighed)[LINEAR], half);
}

#[test]
fn tensors_that_would_vanish_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = stored(&input(folder.path(), "a", &[LINEAR]));
    let with = |key: &str| -> PathBuf {
        let mut tensors = tensors.clone();
        tensors.insert(key.to_owned(), Stored::new(&[1.0; 24], vec![24], Rounding::F32));
        let views = tensors.iter().map(|(name, stored)| {
            let view =
                safetensors::tensor::TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes);
            (name.clone(), view.unwrap())
        });
        let path = folder.path().join("more.safetensors");
        fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        path
    };
    let err = Source::open(&with("something.else")).unwrap_err().to_string();
    assert!(
        err.contains("`something.else`, which is not known and would be lost"),
        "{err}"
    );
    // What changes a bias too is more than two matrices.
    let source = Source::open(&with(&format!("{LINEAR}.diff_b"))).unwrap();
    let err = source.factors("merged").unwrap_err().to_string();
    assert!(
        err.contains("is a LoRA with a change of the bias, which cannot be merged"),
        "{err}"
    );
}
