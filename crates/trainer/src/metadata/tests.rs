use std::path::PathBuf;

use diffusion::device::HOST;
use protocol::{
    ItemId,
    dataset::Split,
    parameters::{ParameterOverrides, Parameters},
    preset::BaseClass,
    recipe::RecipeRequest,
};
use serde_json::Value as Json;

use super::*;

fn recipe(change: impl FnOnce(&mut ParameterOverrides)) -> Recipe {
    let mut overrides = ParameterOverrides::default();
    change(&mut overrides);
    let request = RecipeRequest {
        overrides,
        name: "zora".into(),
        base_model: "tiny-xl".into(),
        trigger_word: Some("zora".into()),
        ..RecipeRequest::default()
    };
    Recipe::resolve(request, BaseClass::Tiny).unwrap()
}

fn item(caption: &str, split: Split) -> ManifestItem {
    ManifestItem {
        id: ItemId::new(),
        sha256: "ab".repeat(32),
        width: 128,
        height: 100,
        caption: caption.into(),
        split,
        showing: protocol::dataset::Showing::default(),
    }
}

fn described(items: &[ManifestItem]) -> BTreeMap<String, String> {
    described_as(items, |_| ())
}

fn described_as(
    items: &[ManifestItem],
    change: impl FnOnce(&mut ParameterOverrides),
) -> BTreeMap<String, String> {
    let recipe = recipe(change);
    describe(&Facts {
        recipe: &recipe,
        base: BaseFacts {
            file_name: "tiny-xl".into(),
            ..BaseFacts::default()
        },
        items,
        buckets: &Buckets::new(128, 32),
        n_steps: 465,
        n_batches_per_epoch: 2,
        n_epochs: 233,
        started_at: 1_795_352_338.524_418,
        finished_at: 1_795_352_389.617_59,
        scheduler: &SchedulerConfig::default(),
    })
}

#[test]
fn speaks_python() {
    for (value, expected) in [
        (1.0, "1.0"),
        (1e-4, "0.0001"),
        (1e-5, "1e-05"),
        (1.5e-7, "1.5e-07"),
        (0.0, "0.0"),
        (1e16, "1e+16"),
        (0.05, "0.05"),
    ] {
        assert_eq!(float(value), expected);
    }
    let value = json!({ "a": [1, 2.0, null, true], "ü\"": "𝄞\n" });
    assert_eq!(
        dumps(&value),
        r#"{"a": [1, 2.0, null, true], "\u00fc\"": "\ud834\udd1e\n"}"#
    );
}

#[test]
fn a_key_of_a_hyperparameter_is_not_among_the_unused_ones() {
    for definition in Parameters::ALL {
        for key in definition.metadata {
            assert!(
                UNUSED.iter().all(|(unused, _)| unused != key),
                "take `{key}` out of `UNUSED`"
            );
        }
    }
}

#[test]
fn says_what_was_trained() {
    let items = [
        item("Zora, pink hair", Split::Train),
        item("pink hair, smiling", Split::Train),
        item("zora", Split::HeldOut),
    ];
    let metadata = described(&items);
    for (key, value) in [
        ("ss_network_dim", "16"),
        ("ss_network_alpha", "16.0"),
        ("ss_learning_rate", "0.001"),
        ("ss_num_train_images", "2"),
        ("ss_num_validation_images", "1"),
        ("ss_min_snr_gamma", "5.0"),
        ("ss_max_token_length", "None"),
        ("ss_noise_offset", "None"),
        (
            "ss_tag_frequency",
            r#"{"1_zora": {"pink hair": 2, "smiling": 1, "zora": 2}}"#,
        ),
        (
            "ss_dataset_dirs",
            r#"{"1_zora": {"img_count": 2, "n_repeats": 1}}"#,
        ),
        ("modelspec.date", "2026-11-22T12:59:49"),
        ("modelspec.architecture", "stable-diffusion-xl-v1-base/lora"),
        ("modelspec.trigger_phrase", "zora"),
    ] {
        assert_eq!(metadata[key], value, "{key}");
    }
    let bucket = r#""bucket_info": {"buckets": {"0": {"count": 2, "resolution": [128, 128]}}"#;
    assert!(
        metadata["ss_datasets"].contains(bucket),
        "{}",
        metadata["ss_datasets"]
    );
}

#[test]
fn groups_are_the_folders_of_sd_scripts() {
    let mut items = [
        item("pink hair", Split::Train),
        item("zora, hat", Split::Train),
        item("1girl, hat", Split::Train),
        item("zora", Split::HeldOut),
    ];
    items[1].showing.group = "outfit".into();
    items[1].showing.repeats = 4;
    items[2].showing.regularization = true;
    items[2].showing.repeats = 2;
    let metadata = described_as(&items, |o| {
        o.shuffle_tags = Some(true);
        o.secondary_separator = Some(";;;".into());
        o.caption_prefix = Some("ink".into());
        o.prior_loss_weight = Some(0.5);
    });
    for (key, value) in [
        ("ss_num_train_images", "5"),
        ("ss_num_reg_images", "2"),
        ("ss_num_validation_images", "1"),
        ("ss_prior_loss_weight", "0.5"),
        (
            "ss_tag_frequency",
            r#"{"1_zora": {"pink hair": 1, "zora": 1}, "2_regularization": {"1girl": 1, "hat": 1}, "4_outfit": {"hat": 1, "zora": 1}}"#,
        ),
        (
            "ss_dataset_dirs",
            r#"{"1_zora": {"img_count": 1, "n_repeats": 1}, "2_regularization": {"img_count": 1, "n_repeats": 2}, "4_outfit": {"img_count": 1, "n_repeats": 4}}"#,
        ),
    ] {
        assert_eq!(metadata[key], value, "{key}");
    }
    let datasets: Json = serde_json::from_str(&metadata["ss_datasets"]).unwrap();
    let subsets: Vec<Json> = datasets[0]["subsets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|subset| {
            let keys = [
                "image_dir",
                "num_repeats",
                "is_reg",
                "shuffle_caption",
                "keep_tokens",
                "secondary_separator",
                "caption_prefix",
                "caption_suffix",
            ];
            keys.map(|key| subset[key].clone()).to_vec().into()
        })
        .collect();
    assert_eq!(
        subsets,
        [
            json!(["1_zora", 1, false, true, 1, ";;;", "ink", null]),
            json!(["4_outfit", 4, false, true, 1, ";;;", "ink", null]),
            json!(["2_regularization", 2, true, true, 0, ";;;", "ink", null]),
        ]
    );
    // Five views, and as many of the regularization picture.
    assert_eq!(datasets[0]["bucket_info"]["buckets"]["0"]["count"], 10);
}

fn golden() -> Option<PathBuf> {
    let golden = std::env::var_os("MORPHEUS_GOLDEN")
        .map(|folder| PathBuf::from(folder).join("kohya-g1/final.safetensors"));
    let golden = golden.filter(|path| path.exists());
    if golden.is_none() {
        eprintln!("skipped: MORPHEUS_GOLDEN names no folder with kohya-g1/final.safetensors");
    }
    golden
}

fn golden_metadata(path: &std::path::Path) -> BTreeMap<String, String> {
    let bytes = std::fs::read(path).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    header.metadata().clone().unwrap().into_iter().collect()
}

#[test]
fn hashes_are_those_of_sd_scripts() {
    let Some(path) = golden() else { return };
    let metadata = golden_metadata(&path);
    let tensors: Vec<_> = candle_core::safetensors::load(&path, &HOST)
        .unwrap()
        .into_iter()
        .collect();
    let file = TensorFile::new(&tensors, Precision::F32);
    assert_eq!(model_hash(&file).unwrap(), metadata["sshs_model_hash"]);
    assert_eq!(
        legacy_hash(&file, &metadata).unwrap(),
        metadata["sshs_legacy_hash"]
    );
}

#[test]
fn no_key_of_sd_scripts_is_missing() {
    let Some(path) = golden() else { return };
    let ours = described(&[item("zora", Split::Train)]);
    let theirs = golden_metadata(&path);
    let added_when_written = [
        "sshs_model_hash",
        "sshs_legacy_hash",
        "ss_sd_model_hash",
        "ss_new_sd_model_hash",
    ];
    let missing: Vec<_> = theirs
        .keys()
        .filter(|key| !ours.contains_key(*key) && !added_when_written.contains(&key.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    // Options that neither side used are spelled the same way.
    for (key, value) in UNUSED {
        assert!(
            *key == "ss_sd_scripts_commit_hash" || theirs[*key] == *value,
            "{key}"
        );
    }
}

#[test]
fn stores_half_precision_unless_a_number_is_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zora.safetensors");
    for (value, dtype) in [
        (1.5_f32, candle_core::DType::F16),
        (70_000.0, candle_core::DType::F32),
    ] {
        let tensors = [("a.alpha".to_owned(), Tensor::new(value, &HOST).unwrap())];
        let written = write_lora(&path, &tensors, described(&[item("zora", Split::Train)])).unwrap();
        assert_eq!(golden_metadata(&path), written);
        let read = candle_core::safetensors::load(&path, &HOST).unwrap();
        assert_eq!(read["a.alpha"].dtype(), dtype);
        assert_eq!(
            written["sshs_legacy_hash"], "e3b0c442",
            "files below a mebibyte hash to nothing"
        );
    }
}

#[test]
fn the_module_of_sd_scripts_and_its_arguments_are_named() {
    let described = |change: &dyn Fn(&mut Parameters)| {
        let mut p = Parameters::default();
        change(&mut p);
        let args = network::args(&p).map(|args| dumps(&args));
        (network::module(&p), args, network::text_encoder_rates(&p))
    };
    assert_eq!(described(&|_| ()), ("networks.lora", None, "None".to_owned()));
    let (module, args, rates) = described(&|p| {
        (p.conv_rank, p.conv_alpha) = (4, 2.0);
        (p.text_encoder_1_learning_rate, p.text_encoder_2_learning_rate) = (5e-5, 5e-5);
    });
    assert_eq!((module, rates.as_str()), ("networks.lora", "5e-05"));
    let expected = r#"{"conv_alpha": "2.0", "conv_dim": "4", "dropout": null}"#;
    assert_eq!(args.unwrap(), expected);
    let (module, args, rates) = described(&|p| {
        (p.kind, p.lokr_factor) = (protocol::parameters::LoraKind::Lokr, 0);
        p.text_encoder_2_learning_rate = 1e-4;
    });
    assert_eq!((module, rates.as_str()), ("lycoris.kohya", "[0.0, 0.0001]"));
    assert_eq!(
        args.unwrap(),
        r#"{"algo": "lokr", "dropout": null, "factor": "-1"}"#
    );
}
