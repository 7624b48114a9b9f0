//! Settings as the other trainers' own documentation and presets have them, and recipes that go out and come back.

use expect_test::{Expect, expect};

use super::*;
use crate::{
    parameters::{Engine, Interpolation, Optimizer, Words as _},
    preset::{Family, Preset},
    recipe::RecipeRequest,
};

fn recipe(engine: Engine, overrides: Json) -> Recipe {
    let request = RecipeRequest {
        engine,
        base_model: "sdxl".into(),
        name: "zora".into(),
        trigger_word: Some("zora".into()),
        sample_prompts: vec!["zora: \"reads\"".into()],
        overrides: serde_json::from_value(overrides).unwrap(),
        ..RecipeRequest::default()
    };
    Recipe::resolve(request, Family::Sdxl).unwrap_or_else(|err| panic!("{err}"))
}

/// What an import says, resolved, as far as it differs from the defaults; then what was left out, and the notes.
#[track_caller]
fn check(text: &str, expect: Expect) {
    let imported = import(text).unwrap();
    let request = RecipeRequest {
        base_model: imported.base_model.clone().unwrap_or_else(|| "sdxl".into()),
        name: imported.name.clone().unwrap_or_else(|| "zora".into()),
        preset: Preset::Character,
        overrides: imported.parameters.clone(),
        ..RecipeRequest::default()
    };
    let recipe = Recipe::resolve(request, Family::Illustrious).unwrap_or_else(|err| panic!("{err}"));
    let default = Parameters::default();
    let changed = recipe.parameters().values().zip(default.values());
    let changed = changed.filter(|((_, value), (_, default))| value != default);
    let mut lines = vec![format!(
        "{:?} {:?} {:?} {:?} {:?}",
        imported.format, imported.name, imported.base_model, imported.trigger_word, imported.n_epochs
    )];
    lines.extend(changed.map(|((definition, value), _)| format!("{} {value}", definition.name)));
    lines.extend(
        imported
            .sample_prompts
            .iter()
            .map(|sample| format!("sample {}", sample.prompt)),
    );
    lines.extend(imported.left_out.iter().map(|left| format!("left out: {left}")));
    lines.extend(imported.notes.iter().map(|note| format!("note: {note}")));
    expect.assert_eq(&lines.join("\n"));
}

#[test]
fn a_command_line_means_what_it_means_there() {
    check(
        r#"accelerate launch --num_processes 1 sdxl_train_network.py \
            --pretrained_model_name_or_path="C:\models\Illustrious XL.safetensors" --output_name zora \
            --network_module networks.lora --network_dim 16 --network_alpha 8 --network_args "conv_dim=8" "conv_alpha=4" \
            --unet_lr 3e-4 --text_encoder_lr 3e-5 --optimizer_type AdamW8bit \
            --optimizer_args weight_decay=0.1 betas=0.9,0.99 "foo=1" --lr_scheduler cosine_with_restarts \
            --lr_scheduler_num_cycles 3 --lr_warmup_steps 0.05 --max_train_steps 2000 --train_batch_size 4 \
            --resolution 1024,1024 --shuffle_caption --keep_tokens 1 --min_snr_gamma 8 --max_token_length 225 \
            --cache_latents --mixed_precision bf16 --noise_offset 0.03 --frobnicate 7"#,
        expect![[r#"
            SdScriptsArguments Some("zora") Some("Illustrious XL") None None
            n_steps 2000
            n_views 8000
            learning_rate 0.0003
            lr_schedule `cosine_with_restarts`
            n_warmup_steps 100
            n_cycles 3
            batch_size 4
            alpha 8
            conv_rank 8
            conv_alpha 4
            text_encoder_1_learning_rate 0.00003
            text_encoder_2_learning_rate 0.00003
            optimizer `adamw_8bit`
            beta2 0.99
            weight_decay 0.1
            min_snr_gamma 8
            noise_offset 0.03
            max_tokens 225
            shuffle_tags true
            keep_tokens 1
            checkpoint_every_n_steps 100
            sample_every_n_steps 100
            left out: `optimizer_args.foo` = 1 has no counterpart
            left out: `cache_latents` = true is decided by Morpheus for each machine
            left out: `frobnicate` = 7 has no counterpart
            left out: `mixed_precision` = bf16 is decided by Morpheus for each machine"#]],
    );
}

#[test]
fn what_is_absent_is_what_sd_scripts_takes() {
    check(
        "[network]\nnetwork_dim = 32\n\n[training]\nmax_train_epochs = 10\nlr_warmup_steps = 0.1\n",
        expect![[r#"
            SdScripts None None None Some(10)
            n_views 1600
            learning_rate 0.000002
            lr_schedule `constant`
            rank 32
            alpha 1
            text_encoder_1_learning_rate 0.000002
            text_encoder_2_learning_rate 0.000002
            min_snr_gamma 0
            checkpoint_every_n_steps 100
            sample_every_n_steps 100
            left out: `lr_warmup_steps` = 0.1 is a share of the steps, which follow from the epochs: set the warm-up by hand
            note: no learning rate was given: sd-scripts then takes 2e-6
            note: sd-scripts trains the text encoders with the learning rate of the U-Net unless it is told not to"#]],
    );
}

#[test]
fn the_form_of_kohya_ss_hides_what_it_does_not_use() {
    // As `presets/lora/SDXL - LoRA AI_characters standard v1.1.json` has it, shortened.
    check(
        r#"{
            "LoRA_type": "Standard", "adaptive_noise_scale": 0, "block_dims": "", "bucket_reso_steps": 64,
            "cache_latents": true, "caption_dropout_rate": 0.05, "clip_skip": "1", "conv_alpha": 1, "conv_dim": 1,
            "epoch": 50, "factor": -1, "gradient_accumulation_steps": "1", "gradient_checkpointing": true,
            "keep_tokens": "0", "learning_rate": 3e-05, "lr_scheduler": "constant", "lr_warmup": 0,
            "max_resolution": "1024,1024", "max_timestep": 1000, "max_token_length": "75", "max_train_epochs": "50",
            "max_train_steps": "", "min_snr_gamma": 5, "mixed_precision": "fp16", "multires_noise_discount": 0,
            "multires_noise_iterations": 0, "network_alpha": 32, "network_dim": 32, "noise_offset": 0,
            "noise_offset_type": "Original", "optimizer": "AdamW", "optimizer_args": "", "prior_loss_weight": 1.0,
            "sdxl": true, "seed": "", "shuffle_caption": false, "text_encoder_lr": 3e-05, "train_batch_size": 3,
            "unet_lr": 3e-05, "training_comment": "3 repeats", "wandb_api_key": "abc"
        }"#,
        expect![[r#"
            KohyaSs None None None Some(50)
            n_steps 534
            n_views 1600
            learning_rate 0.00003
            lr_schedule `constant`
            batch_size 3
            rank 32
            alpha 32
            text_encoder_1_learning_rate 0.00003
            text_encoder_2_learning_rate 0.00003
            gradient_checkpointing true
            caption_dropout 0.05
            checkpoint_every_n_steps 100
            sample_every_n_steps 100
            left out: `clip_skip` = 1 has no effect on SDXL
            left out: `cache_latents` = true is decided by Morpheus for each machine
            left out: `mixed_precision` = fp16 is decided by Morpheus for each machine
            left out: `training_comment` = 3 repeats is about records of the other program
            left out: `wandb_api_key` = … is about records of the other program"#]],
    );
}

#[test]
fn sides_of_buckets_and_intervals_in_epochs_are_kept() {
    let set = |text: &str| {
        let imported = import(text).unwrap();
        let p = imported.parameters;
        let left: Vec<String> = imported.left_out.into_iter().map(|left| left.key).collect();
        (
            [p.min_bucket_side, p.max_bucket_side],
            [p.checkpoint_every_n_epochs, p.checkpoint_every_n_steps],
            [p.sample_every_n_epochs, p.sample_every_n_steps],
            p.resize_interpolation.unwrap(),
            left.join(" "),
        )
    };
    let auto = Interpolation::Auto;
    let (none, off) = (String::new(), Some(0));
    assert_eq!(
        set("--resolution 1024 --min_bucket_reso 256 --max_bucket_reso 2048 --save_every_n_epochs 1"),
        ([off, off], [Some(1), None], [off, None], auto, none.clone()),
    );
    assert_eq!(
        set(
            "--resolution 1024 --enable_bucket --max_bucket_reso 1024 --sample_every_n_epochs 2 \
             --sample_every_n_steps 50 --resize_interpolation cubic"
        ),
        (
            [off, Some(1024)],
            [off, None],
            [Some(2), None],
            Interpolation::Bicubic,
            none.clone()
        ),
    );
    assert_eq!(
        set(
            r#"{ "network_dim": 8, "max_resolution": "768,768", "enable_bucket": false, "save_every_n_steps": 100,
            "save_every_n_epochs": 1, "additional_parameters": "--resize_interpolation area --frobnicate 7" }"#
        ),
        (
            [Some(768), Some(768)],
            [off, Some(100)],
            [off, None],
            Interpolation::Area,
            "save_every_n_epochs frobnicate".to_owned()
        ),
    );
    let one_trainer = r#"{
        "training_method": "LORA", "model_type": "STABLE_DIFFUSION_XL_10_BASE", "resolution": "1024",
        "aspect_ratio_bucketing": false, "sample_after": 2, "sample_after_unit": "EPOCH", "save_every": 30,
        "save_every_unit": "MINUTE", "validation": true, "validate_after": 1, "validate_after_unit": "EPOCH"
    }"#;
    assert_eq!(
        set(one_trainer),
        (
            [Some(1024), Some(1024)],
            [off, None],
            [Some(2), None],
            auto,
            "save_every".to_owned()
        ),
    );
    let imported = import(one_trainer).unwrap().parameters;
    assert_eq!(imported.validate_every_n_epochs, Some(1));
}

#[test]
fn a_warm_up_of_tags_may_be_a_share_of_the_steps() {
    let imported = import("--token_warmup_step 0.1 --max_train_steps 400").unwrap();
    assert_eq!(imported.parameters.token_warmup_steps, Some(40));
}

#[test]
fn what_the_dataset_or_the_base_model_says_is_named_with_its_place() {
    let imported =
        import("--alpha_mask --num_repeats 10 --vae sdxl.vae --clip_skip 2 --dataset_repeats 1").unwrap();
    assert_eq!(imported.parameters.masked_loss, Some(true));
    let left: Vec<String> = imported.left_out.iter().map(ToString::to_string).collect();
    assert_eq!(
        left,
        [
            "`num_repeats` = 10 is said by the dataset: give its groups repeats",
            "`clip_skip` = 2 has no effect on SDXL",
            "`vae` = sdxl.vae is set for the base model",
        ]
    );
}

#[test]
fn a_configuration_of_one_trainer_is_read() {
    check(
        r#"{
            "training_method": "LORA", "model_type": "STABLE_DIFFUSION_XL_10_BASE",
            "base_model_name": "stabilityai/stable-diffusion-xl-base-1.0", "output_model_destination": "models/zora.safetensors",
            "learning_rate": 0.0003, "learning_rate_scheduler": "REX", "learning_rate_warmup_steps": 50.0, "epochs": 12,
            "batch_size": 4, "resolution": "1024", "lora_rank": 16, "lora_alpha": 8.0, "lora_decompose": true,
            "text_encoder": { "train": true, "learning_rate": 3e-5 }, "text_encoder_2": { "train": false },
            "unet": { "learning_rate": null, "gradient_checkpointing": true },
            "optimizer": { "optimizer": "PRODIGY", "beta1": 0.9, "beta2": 0.99, "d_coef": 2.0, "safeguard_warmup": true,
                           "growth_rate": "inf", "decouple": true, "weight_decay": 0.01, "nesterov": true, "slice_p": 11 },
            "loss_weight_fn": "MIN_SNR_GAMMA", "loss_weight_strength": 5.0, "offset_noise_weight": 0.05,
            "perturbation_noise_weight": 0.1, "masked_training": true, "prior": { "learning_rate": 1.0 },
            "secrets": { "huggingface_token": "abc" }, "sample_after": 100, "sample_after_unit": "STEP",
            "concepts": [{ "path": "/a", "image": { "enable_random_flip": true }, "text": { "enable_tag_shuffling": true, "keep_tags_count": 1 } }, { "path": "/b" }],
            "samples": [{ "prompt": "zora waves", "width": 1024, "height": 1024, "seed": 7, "diffusion_steps": 28, "cfg_scale": 6.5 }]
        }"#,
        expect![[r#"
            OneTrainer Some("zora") Some("stable-diffusion-xl-base-1.0") None Some(12)
            n_steps 400
            n_views 1600
            learning_rate 0.0003
            lr_schedule `rex`
            n_warmup_steps 50
            batch_size 4
            alpha 8
            kind `dora`
            text_encoder_1_learning_rate 0.00003
            optimizer `prodigy`
            beta2 0.99
            optimizer_arguments ["d_coef=2.0", "safeguard_warmup=true", "decouple=true", "slice_p=11"]
            gradient_checkpointing true
            noise_offset 0.05
            shuffle_tags true
            keep_tokens 1
            masked_loss true
            unmasked_weight 0.1
            random_flip true
            checkpoint_every_n_steps 100
            sample_every_n_steps 100
            sample zora waves
            left out: `concepts[1]` = /b is another folder: upload its pictures to the dataset
            left out: `optimizer.nesterov` = true has no counterpart
            left out: `perturbation_noise_weight` = 0.1 has no counterpart"#]],
    );
    let other = r#"{ "training_method": "LORA", "model_type": "FLUX_DEV_1" }"#;
    assert_eq!(
        import(other).unwrap_err().to_string(),
        "is not for a LoRA for SDXL: model_type is FLUX_DEV_1, not SDXL"
    );
}

#[test]
fn a_job_of_ai_toolkit_is_read() {
    check(
        r#"---
job: extension
config:
  # this name will be the folder and filename name
  name: "zora_v1"
  process:
    - type: 'sd_trainer'
      training_folder: "output"
#      performance_log_every: 1000
      trigger_word: "zora"
      network:
        type: "lora"
        linear: 16
        linear_alpha: 8
        conv: 4
      save:
        dtype: float16 # precision to save
        save_every: 250
      datasets:
        - folder_path: "/path/to/images"
          caption_dropout_rate: 0.05
          shuffle_tokens: true
          resolution: [ 512, 768, 1024 ]
        - folder_path: "/other"
      train:
        batch_size: 2
        steps: 2000
        gradient_accumulation: 2
        train_text_encoder: false
        optimizer: "adamw8bit"
        lr: 1e-4
        ema_config:
          use_ema: true
          ema_decay: 0.99
        dtype: bf16
        skip_first_sample: true
        content_or_style: style
      model:
        name_or_path: "/models/noob.safetensors"
        arch: "sdxl"
      sample:
        sample_every: 250
        width: 832
        prompts:
          - "[trigger] playing chess: at the park"
          - 'it''s late'
        neg: ""
        seed: 42
        walk_seed: true
        guidance_scale: 6
meta:
  version: '1.0'
"#,
        expect![[r#"
            AiToolkit Some("zora_v1") Some("noob") Some("zora") None
            n_steps 2000
            n_views 8000
            lr_schedule `constant`
            batch_size 2
            gradient_accumulation 2
            alpha 8
            conv_rank 4
            conv_alpha 4
            optimizer `adamw_8bit`
            ema_decay 0.99
            gradient_checkpointing true
            min_snr_gamma 0
            caption_dropout 0.05
            shuffle_tags true
            checkpoint_every_n_steps 250
            sample_every_n_steps 250
            sample zora playing chess: at the park
            sample it's late
            left out: `meta` = {"version":"1.0"} is about records of the other program
            left out: `datasets[1].folder_path` = /other is another folder: upload its pictures to the dataset
            left out: `save.dtype` = float16 is decided by Morpheus for each machine
            left out: `train.content_or_style` = style has no counterpart
            left out: `train.dtype` = bf16 is decided by Morpheus for each machine
            left out: `training_folder` = output is a place on the other machine
            note: of several resolutions, the largest is kept"#]],
    );
}

#[test]
fn what_is_no_settings_says_so() {
    let check = |text: &str, expected: &str| {
        let err = import(text).unwrap_err().to_string();
        assert!(err.contains(expected), "{err}");
    };
    check("", "it is empty");
    check("hello there", "is neither TOML nor arguments");
    check("[]", "is neither TOML");
    check("{}", "with neither `training_method` nor `LoRA_type`");
    check("{\"a\": ", "it is no JSON");
    check("config:\n\tname: a", "line 2: is indented with a tab");
    check("config:\n  name: [a", "line 2: the list must end on its line");
    check(&"a".repeat(MAX_SETTINGS_BYTES + 1), "has more than 262144 bytes");
    check(
        "config:\n  process:\n    - model:\n        arch: flux",
        "model.arch is flux, not sdxl",
    );
}

/// Recipes with something of everything that sd-scripts has.
fn recipes() -> Vec<Recipe> {
    let mut all = vec![
        serde_json::json!({}),
        serde_json::json!({
            "text_encoder_1_learning_rate": 5e-5, "text_encoder_2_learning_rate": 5e-5, "conv_rank": 8, "shuffle_tags": true,
            "keep_tokens": 2, "caption_prefix": "best quality,", "secondary_separator": ";;;", "tag_dropout": 0.1,
            "min_snr_gamma": 0, "noise_offset": 0.05, "max_tokens": 225, "min_timestep": 100, "batch_size": 4, "seed": 7,
            "loss": "huber", "huber_c": 0.2, "network_dropout": 0.1, "rank_dropout": 0.2, "caption_dropout": 0.25,
            "resolution": 768, "sample_at_start": true, "token_warmup_steps": 50, "weighted_captions": true, "random_flip": true,
            "masked_loss": true,
        }),
        serde_json::json!({ "lr_schedule": "cosine_with_restarts", "n_cycles": 3 }),
        serde_json::json!({ "lr_schedule": "polynomial", "polynomial_power": 2, "n_warmup_steps": 0 }),
        serde_json::json!({ "min_lr_ratio": 0.1, "lora_plus_ratio": 16 }),
        serde_json::json!({
            "checkpoint_every_n_epochs": 1, "sample_every_n_epochs": 2, "min_bucket_side": 320, "max_bucket_side": 1536,
            "resize_interpolation": "bicubic", "wildcards": true, "tag_separator": "/", "caption_suffix": "ink",
        }),
        serde_json::json!({ "bucket_no_upscale": true, "bucket_step": 96, "min_bucket_side": 960, "max_bucket_side": 1056 }),
        serde_json::json!({ "block_learning_rates": ["IN04=0.5", "MID=2.0"] }),
    ];
    for &optimizer in Optimizer::WORDS {
        all.push(serde_json::json!({ "optimizer": optimizer, "weight_decay": 0.05 }));
    }
    all.into_iter()
        .map(|overrides| recipe(Engine::Kohya, overrides))
        .collect()
}

/// Everything that goes out comes back, or is listed.
#[test]
fn a_recipe_that_goes_out_comes_back() {
    for format in Format::ALL {
        for recipe in recipes() {
            let exported = export(&recipe, format);
            let imported =
                import(&exported.text).unwrap_or_else(|err| panic!("{format:?}: {err}\n{}", exported.text));
            assert_eq!(imported.format, format, "{}", exported.text);
            assert_eq!(imported.name.as_deref(), Some("zora"));
            let mut overrides = imported.parameters;
            // Files of OneTrainer say epochs.
            overrides
                .n_steps
                .get_or_insert(i64::from(recipe.parameters().n_steps));
            let request = RecipeRequest {
                engine: Engine::Kohya,
                base_model: "sdxl".into(),
                name: "zora".into(),
                overrides,
                ..RecipeRequest::default()
            };
            let back = Recipe::resolve(request, Family::Sdxl)
                .unwrap_or_else(|err| panic!("{format:?}: {err}\n{}", exported.text));
            let (now, then) = (back.parameters(), recipe.parameters());
            let listed = |name: &str| exported.left_out.iter().any(|left| left.key == name);
            for ((definition, now), (_, then)) in now.values().zip(then.values()) {
                let differs_by_design = matches!(
                    definition.name,
                    // sd-scripts always has it on; arguments are compared below; an absent seed is drawn.
                    "gradient_checkpointing" | "optimizer_arguments" | "seed"
                );
                // What is not at its default is listed unless it comes back.
                if !differs_by_design && !listed(definition.name) && !listed("optimizer") {
                    assert_eq!(now, then, "{format:?} {}\n{}", definition.name, exported.text);
                }
            }
            if !listed("optimizer") && !listed("optimizer_arguments") {
                for ((argument, now), (_, then)) in now.optimizer_values().zip(then.optimizer_values()) {
                    // JSON's numbers are read to the last digit but one.
                    let is_near = match (&now, &then) {
                        (Value::Number(now), Value::Number(then)) if now.is_finite() => {
                            (now - then).abs() <= 1e-12 * then.abs()
                        }
                        _ => now == then,
                    };
                    assert!(
                        is_near,
                        "{format:?} {}: {now:?} {then:?}\n{}",
                        argument.name, exported.text
                    );
                }
            }
        }
    }
}

#[test]
fn what_the_other_has_no_counterpart_for_is_listed() {
    let native = recipe(
        Engine::Native,
        serde_json::json!({ "ema_decay": 0.99, "lr_schedule": "rex", "tag_dropout": 0.1, "unmasked_weight": 0.1 }),
    );
    let listed = |format| {
        let left_out = export(&native, format).left_out;
        left_out
            .iter()
            .map(|left| left.key.clone())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(listed(Format::SdScripts), "lr_schedule ema_decay unmasked_weight");
    assert_eq!(listed(Format::KohyaSs), "lr_schedule ema_decay unmasked_weight");
    assert_eq!(
        listed(Format::OneTrainer),
        "n_steps tag_dropout unmasked_weight sample_at_start"
    );
    assert_eq!(listed(Format::AiToolkit), "lr_schedule unmasked_weight");
}

#[test]
fn words_of_a_command_line_are_those_of_a_shell() {
    let words = |text| sd_scripts::words(text).join("|");
    assert_eq!(words(r#"a "b c" 'd "e"' f\ g ^"#), "a|b c|d \"e\"|f g");
    assert_eq!(words("a \\\n  b \"\""), "a|b|");
}
