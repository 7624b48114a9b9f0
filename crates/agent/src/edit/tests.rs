//! Each edit on small files: what comes out is a file that does what was asked for.

use std::{
    collections::BTreeMap,
    io::Read as _,
    path::{Path, PathBuf},
};

use diffusion::{
    lora::Lora,
    weights::{Rounding, Stored},
};
use protocol::edit::{Edit, KeepRule, LoraNames, Merging};
use trainer::metadata::write_stored_lora;

use super::make::{Inputs, Output, make, plain};
use crate::job::Base;

const UNET: &str = "lora_unet_input_blocks_4_1_proj_in";
const TEXT: &str = "lora_te2_text_model_encoder_layers_0_self_attn_q_proj";

/// Writes a LoRA of one rank for these modules; layers have `n` inputs and outputs.
fn lora(folder: &Path, name: &str, modules: &[(&str, usize)], rank: usize) -> PathBuf {
    let mut tensors = BTreeMap::new();
    for (seed, (module, n)) in modules.iter().enumerate() {
        let numbers: Vec<f32> = (0..rank * n)
            .map(|x| ((x + seed) as f32 * 0.7).sin() / 4.0)
            .collect();
        for (part, shape) in [
            ("lora_down.weight", vec![rank, *n]),
            ("lora_up.weight", vec![*n, rank]),
        ] {
            let stored = Stored::new(&numbers, shape, Rounding::F32);
            tensors.insert(format!("{module}.{part}"), stored);
        }
        tensors.insert(
            format!("{module}.alpha"),
            Stored::number(rank as f32, Rounding::F32),
        );
    }
    let path = folder.join(format!("{name}.safetensors"));
    write_stored_lora(&path, &tensors, BTreeMap::new()).unwrap();
    path
}

fn inputs(folder: &Path, edit: Edit, loras: Vec<PathBuf>) -> Inputs {
    Inputs {
        edit,
        loras,
        base: None,
        base_name: None,
        tuned: None,
        name: "both: ../x".to_owned(),
        folder: folder.to_owned(),
    }
}

fn go(inputs: &Inputs) -> Result<Output, String> {
    make(inputs, &|_, _| true)
}

#[test]
fn loras_are_merged_resized_and_weighed() {
    let folder = tempfile::tempdir().unwrap();
    let a = lora(folder.path(), "ink", &[(UNET, 8)], 2);
    let b = lora(folder.path(), "zora", &[(UNET, 8), (TEXT, 4)], 3);
    let merge = Edit::Merge {
        merging: Merging::Concatenate,
        weights: vec![1.0, 0.5],
    };
    let merged = go(&inputs(folder.path(), merge, vec![a, b])).unwrap();
    assert_eq!(merged.file_name, "both_ .._x.safetensors");
    assert_eq!(merged.done, "merged from ink × 1 + zora × 0.5 by concatenation");
    assert_eq!(merged.notes, ["1 of 2 modules are not in every file"]);
    let summary = merged.summary.unwrap();
    assert_eq!(
        (summary.n_modules, summary.rank_min, summary.rank_max),
        (2, Some(3), Some(5))
    );
    assert_eq!(Lora::open(&merged.path).unwrap().modules().len(), 2);

    let large = folder.path().join("merged.safetensors");
    std::fs::rename(&merged.path, &large).unwrap();
    let keep = KeepRule {
        rank: Some(2),
        conv_rank: None,
        by: None,
        value: None,
    };
    let resize = Edit::Resize { keep };
    let resized = go(&inputs(folder.path(), resize, vec![large.clone()])).unwrap();
    assert_eq!(resized.summary.unwrap().rank_max, Some(2));
    assert!(
        resized.kept.is_some_and(|kept| kept > 0.0 && kept < 1.0),
        "{:?}",
        resized.kept
    );
    let weigh = |blocks: &str| Edit::Weigh {
        blocks: blocks.to_owned(),
    };
    let weighed = go(&inputs(folder.path(), weigh("BASE=0"), vec![large.clone()])).unwrap();
    assert_eq!(weighed.summary.unwrap().n_modules, 1);
    assert_eq!(weighed.done, "block weights BASE=0");
    let refused = go(&inputs(folder.path(), weigh("1,2"), vec![large])).unwrap_err();
    assert!(refused.contains("these are 2 numbers"), "{refused}");
}

#[test]
fn conversions_are_files_to_download() {
    let folder = tempfile::tempdir().unwrap();
    let file = lora(folder.path(), "ink", &[(UNET, 8), (TEXT, 4)], 2);
    let convert = |to| inputs(folder.path(), Edit::Convert { to }, vec![file.clone()]);
    let diffusers = go(&convert(LoraNames::Diffusers)).unwrap();
    assert_eq!(diffusers.file_name, "both_ .._x-diffusers.safetensors");
    assert_eq!(diffusers.done, "converted to diffusers' names");
    assert!(diffusers.summary.is_none());
    let peft = go(&convert(LoraNames::Peft)).unwrap();
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&peft.path).unwrap()).unwrap();
    let mut names: Vec<String> = archive
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "text_encoder_2/adapter_config.json",
            "text_encoder_2/adapter_model.safetensors",
            "unet/adapter_config.json",
            "unet/adapter_model.safetensors",
        ]
    );
    let mut config = String::new();
    let mut file = archive.by_name("unet/adapter_config.json").unwrap();
    file.read_to_string(&mut config).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!((&config["r"], &config["lora_alpha"]), (&2.into(), &2.into()));
}

#[test]
fn base_models_are_merged_into_and_subtracted() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = || Some(Base::BuiltIn("tiny-xl".to_owned()));
    let same = Inputs {
        base: tiny(),
        tuned: tiny(),
        ..inputs(
            folder.path(),
            Edit::Extract {
                rank: 2,
                conv_rank: None,
            },
            Vec::new(),
        )
    };
    let refused = go(&same).unwrap_err();
    assert!(refused.starts_with("nothing would be left"), "{refused}");

    let unknown = lora(
        folder.path(),
        "ink",
        &[("lora_unet_input_blocks_8_1_proj_in", 8)],
        2,
    );
    let merge = Edit::MergeInto { weights: vec![1.0] };
    let into = |loras| Inputs {
        base: tiny(),
        base_name: Some("tiny-xl".to_owned()),
        ..inputs(folder.path(), merge.clone(), loras)
    };
    let refused = go(&into(vec![unknown])).unwrap_err();
    // By the file's name, not by its path here.
    assert!(
        refused.contains("in `ink`") && !refused.contains("/tmp"),
        "{refused}"
    );
}

#[test]
fn an_edit_that_is_not_wanted_any_more_ends() {
    let folder = tempfile::tempdir().unwrap();
    let file = lora(folder.path(), "ink", &[(UNET, 8)], 4);
    let keep = KeepRule {
        rank: Some(2),
        conv_rank: None,
        by: None,
        value: None,
    };
    let edit = inputs(folder.path(), Edit::Resize { keep }, vec![file]);
    assert_eq!(make(&edit, &|_, _| false).unwrap_err(), "canceled");
}

#[test]
fn names_are_those_of_files() {
    for (name, file) in [
        ("Zora's ink", "Zora's ink"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\nb", "a_b"),
        ("...", "lora"),
    ] {
        assert_eq!(plain(name), file);
    }
}
