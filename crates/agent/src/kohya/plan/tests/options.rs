//! Each hyperparameter as options and files of sd-scripts, at values that are not its default.

use protocol::{
    parameters::{Optimizer, Words as _},
    recipe::ParameterOverrides,
};
use serde_json::{Value as Json, json};

use super::*;

/// Recipes that use every option between them.
pub(super) fn recipes() -> Vec<Recipe> {
    let mut all: Vec<Json> = vec![
        json!({ "max_tokens": 225, "noise_offset": 0.1, "noise_offset_random": true, "adaptive_noise_scale": -0.01 }),
        json!({ "bucket_no_upscale": true, "resize_interpolation": "lanczos", "checkpoint_every_n_epochs": 1 }),
        json!({ "min_bucket_side": 512, "max_bucket_side": 1024, "sample_every_n_epochs": 3 }),
        json!({ "multires_noise_iterations": 6, "multires_noise_discount": 0.4 }),
        json!({ "input_perturbation": 0.1, "input_perturbation_random": true }),
        json!({ "min_timestep": 100, "max_timestep": 900, "debiased": true, "min_snr_gamma": 0 }),
        json!({ "scale_v_loss": true }),
        json!({ "v_like_loss": 0.5, "weighted_captions": true }),
        json!({ "network_dropout": 0.1, "rank_dropout": 0.1, "module_dropout": 0.1, "max_weight_norm": 1 }),
        json!({ "conv_rank": 8, "trained_blocks": ["b_lora_style"], "block_ranks": ["OUT01=64"] }),
        json!({ "block_learning_rates": ["IN04=0.5", "MID=0"] }),
        json!({ "text_encoder_1_learning_rate": 5e-5, "text_encoder_2_learning_rate": 5e-5, "caption_dropout": 0.1 }),
        json!({
            "shuffle_tags": true, "keep_tokens": 1, "tag_dropout": 0.1, "secondary_separator": ";;;",
            "keep_tokens_separator": "|||",
        }),
        json!({ "caption_prefix": "best quality", "caption_suffix": "-- \"quoted\"" }),
        json!({ "wildcards": true, "caption_dropout_every_n_epochs": 3 }),
        json!({ "token_warmup_min": 2, "token_warmup_steps": 100, "tag_separator": ";" }),
        json!({ "sample_at_start": true, "gradient_checkpointing": true }),
        json!({ "optimizer": "adafactor", "optimizer_arguments": ["relative_step=true", "beta1=0.9"] }),
        json!({ "min_lr_ratio": 0.1, "lora_plus_ratio": 16 }),
        json!({ "random_flip": true }),
        json!({ "random_crop": true, "color_jitter": true }),
    ];
    all.extend(
        Optimizer::WORDS
            .iter()
            .map(|optimizer| json!({ "optimizer": optimizer })),
    );
    for loss in ["l1", "huber", "smooth_l1"] {
        all.push(json!({ "loss": loss, "huber_schedule": "exponential", "huber_c": 0.2, "huber_scale": 2 }));
    }
    for schedule in ["linear", "cosine_with_restarts", "polynomial", "inverse_sqrt"] {
        all.push(json!({ "lr_schedule": schedule, "n_cycles": 3, "polynomial_power": 0.5 }));
    }
    all.into_iter().map(of).collect()
}

/// sd-scripts' own assertions on combinations (table 1.2 of the notes on it).
pub(super) fn check_combinations(args: &table::Parsed, plan: &Plan) {
    let has = |name: &str| args.contains_key(name);
    let dataset: toml::Table = plan.dataset_toml.parse().unwrap();
    let dataset = &dataset["datasets"][0];
    let subset = &dataset["subsets"][0];
    let has_none = |key: &str| {
        subset.get(key).is_none_or(|value| {
            let number = value
                .as_float()
                .or_else(|| value.as_integer().map(|value| value as f64));
            number == Some(0.0) || value.as_bool() == Some(false)
        })
    };
    // With cached encodings the first four are refused, and the rest have no effect.
    let keeps_captions = [
        "caption_dropout_rate",
        "shuffle_caption",
        "token_warmup_step",
        "caption_tag_dropout_rate",
        "caption_dropout_every_n_epochs",
        "enable_wildcard",
        "caption_prefix",
        "caption_suffix",
    ]
    .into_iter()
    .all(has_none);
    assert!(!has("cache_text_encoder_outputs") || (has("network_train_unet_only") && keeps_captions));
    assert!(has("network_train_unet_only") != has("text_encoder_lr"));
    assert!(!has("adaptive_noise_scale") || has("noise_offset"));
    assert!(!has("scale_v_pred_loss_like_noise_pred") || has("v_parameterization"));
    assert!(!has("v_pred_like_loss") || !has("v_parameterization"));
    assert!(args["lr_scheduler"] != ["constant"] || args["lr_warmup_steps"] == ["0"]);
    assert!(!has("fp8_base_unet") || args["mixed_precision"] != ["no"]);
    assert_eq!(has("sample_prompts"), has("sample_every_n_steps"));
    assert!(has("logging_dir"));
    let side = |key: &str| dataset[key].as_integer().unwrap();
    assert!(side("min_bucket_reso") <= side("resolution") && side("resolution") <= side("max_bucket_reso"));
    assert_eq!(side("bucket_reso_steps") % 32, 0);
    assert_eq!(side("min_bucket_reso") % side("bucket_reso_steps"), 0);
    assert_eq!(side("max_bucket_reso") % side("bucket_reso_steps"), 0);
}

fn of(overrides: Json) -> Recipe {
    let overrides: ParameterOverrides = serde_json::from_value(overrides).unwrap();
    recipe(|request| request.overrides = overrides)
}

/// What is different from the command line and the files of a recipe with nothing chosen.
fn changes(overrides: Json, step: u32) -> String {
    let shown = |recipe: &Recipe, step| {
        let manifest = manifest();
        let state = Path::new("/run/resume/state");
        let request = Request {
            resume: (step > 0).then_some(Resume { state, step }),
            ..request(recipe, &manifest)
        };
        let plan = Plan::new(&request).unwrap();
        let folder = plan.picture_folder.display().to_string();
        lines(&plan.args) + "\n" + &plan.dataset_toml.replace(&folder, "PICTURES")
    };
    let usual = shown(&recipe(|_| ()), step);
    let changed = shown(&of(overrides), step);
    let is_in = |text: &str, line: &str| text.lines().any(|other| other == line);
    let gone = usual
        .lines()
        .filter(|line| !is_in(&changed, line))
        .map(|line| format!("- {line}\n"));
    let new = changed
        .lines()
        .filter(|line| !is_in(&usual, line))
        .map(|line| format!("+ {line}\n"));
    gone.chain(new).collect()
}

#[test]
fn sides_of_buckets_and_intervals_in_epochs() {
    let chosen = json!({
        "min_bucket_side": 512, "max_bucket_side": 1024, "resize_interpolation": "area", "checkpoint_every_n_epochs": 20,
        "sample_every_n_epochs": 50,
    });
    // Two pictures are trained on, one in a step: an epoch has two steps.
    expect![[r#"
        - --save_every_n_steps 200
        - --save_last_n_steps 200
        - --save_last_n_steps_state 200
        - min_bucket_reso = 256
        - max_bucket_reso = 2048
        + --resize_interpolation area
        + --save_every_n_steps 40
        + --save_last_n_steps 40
        + --save_last_n_steps_state 40
        + min_bucket_reso = 512
        + max_bucket_reso = 1024
    "#]]
    .assert_eq(&changes(chosen, 0));
    expect![[r#"
        - bucket_no_upscale = false
        + bucket_no_upscale = true
    "#]]
    .assert_eq(&changes(json!({ "bucket_no_upscale": true }), 0));
}

#[test]
fn a_picture_of_less_than_a_step_is_refused_where_it_is_not_enlarged() {
    let recipe = of(json!({ "bucket_no_upscale": true, "bucket_step": 256 }));
    let mut manifest = manifest();
    manifest.items[0].height = 200;
    assert_eq!(
        refused(&request(&recipe, &manifest)),
        "parameters.bucket_no_upscale: must be off for the kohya engine: sd-scripts fails on pictures with a side below \
         bucket_step (256) that are not enlarged, and the dataset has 1; leave them out, or choose the native engine"
    );
}

#[test]
fn the_second_matrices_have_a_learning_rate_of_their_own() {
    assert_eq!(
        changes(json!({ "lora_plus_ratio": 16 }), 0),
        "+ --network_args loraplus_lr_ratio=16.0\n"
    );
}

#[test]
fn eight_bits_need_mixed_precision_and_leave_no_cheaper_setting() {
    let recipe = of(json!({ "eight_bit_base": true }));
    assert_eq!(
        changes(json!({ "eight_bit_base": true }), 0),
        "+ --fp8_base_unet\n"
    );
    assert_eq!(
        Memory::Planned.cheaper(recipe.parameters(), Precision::Bf16),
        None
    );
    let manifest = manifest();
    let full = Request {
        precision: Precision::Full,
        ..request(&recipe, &manifest)
    };
    assert!(
        refused(&full)
            .starts_with("parameters.eight_bit_base: must be off on a machine that trains in full precision"),
        "{}",
        refused(&full)
    );
}

#[test]
fn a_trained_text_encoder_is_never_cached() {
    let rates = json!({ "text_encoder_1_learning_rate": 5e-5, "text_encoder_2_learning_rate": 5e-5 });
    expect![[r#"
        - --cache_text_encoder_outputs
        - --cache_text_encoder_outputs_to_disk
        - --network_train_unet_only
        + --text_encoder_lr 5e-5
    "#]]
    .assert_eq(&changes(rates, 0));
}

#[test]
fn blocks_are_counted_as_sd_scripts_counts_them() {
    let style = json!({ "trained_blocks": ["b_lora_style"], "rank": 8, "alpha": 4, "conv_rank": 2 });
    expect![[r#"
        - --network_dim 32
        - --network_alpha 16.0
        + --network_args conv_dim=2 conv_alpha=1.0 block_dims=8,0,0,0,0,0,0,0,0,0,0,0,0,0,8,0,0,0,0,0,0,0,8 block_alphas=4.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,4.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,4.0 conv_block_dims=2,0,0,0,0,0,0,0,0,0,0,0,0,0,2,0,0,0,0,0,0,0,2 conv_block_alphas=1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,1.0
        + --network_dim 8
        + --network_alpha 4.0
    "#]]
    .assert_eq(&changes(style, 0));
    let slow = changes(
        json!({ "block_learning_rates": ["IN04=0.5", "MID=0", "up_blocks.2=2"] }),
        0,
    );
    let of = |name: &str| {
        let at = slow.find(&format!("{name}=")).unwrap();
        slow[at..].split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(
        of("down_lr_weight"),
        "down_lr_weight=1.0,1.0,1.0,1.0,0.5,1.0,1.0,1.0,1.0"
    );
    assert_eq!(of("mid_lr_weight"), "mid_lr_weight=0.0,0.0,0.0");
    assert_eq!(
        of("up_lr_weight"),
        "up_lr_weight=1.0,1.0,1.0,1.0,1.0,1.0,2.0,2.0,2.0"
    );
    // What does not learn has no matrices.
    assert_eq!(of("block_dims").split(',').filter(|rank| *rank == "0").count(), 3);
}

#[test]
fn optimizers_get_their_arguments_as_python_reads_them() {
    let arguments = |overrides: Json| {
        let changed = changes(overrides, 0);
        let lines = changed
            .lines()
            .filter_map(|line| line.strip_prefix("+ --optimizer_"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let mut all = String::new();
    for optimizer in Optimizer::WORDS {
        all += &format!(
            "{}\n",
            arguments(json!({ "optimizer": optimizer, "weight_decay": 0 }))
        );
    }
    let said = [
        "d_coef=2",
        "growth_rate=1.02",
        "safeguard_warmup=true",
        "beta3=0.99",
        "slice_p=11",
    ];
    all += &arguments(json!({ "optimizer": "prodigy", "weight_decay": 0, "optimizer_arguments": said }));
    expect![[r#"
        args weight_decay=0.0 betas=0.9,0.999 eps=1e-8
        type AdamW8bit
        args weight_decay=0.0 betas=0.9,0.999 eps=1e-8 min_8bit_size=4096
        type Adafactor
        args weight_decay=0.0 eps=1e-30,0.001 relative_step=False scale_parameter=False warmup_init=False clip_threshold=1.0 decay_rate=-0.8
        type Lion
        args weight_decay=0.0 betas=0.9,0.99
        type Prodigy
        args weight_decay=0.0 betas=0.9,0.999 eps=1e-8 d_coef=1.0 d0=1e-6 safeguard_warmup=False use_bias_correction=False decouple=True
        type prodigyplus.ProdigyPlusScheduleFree
        args weight_decay=0.0 betas=0.9,0.999 eps=1e-8 factored=False split_groups=False d_coef=1.0 d0=1e-6 prodigy_steps=0
        type pytorch_optimizer.DAdaptAdam
        args weight_decay=0.0 betas=0.9,0.999 eps=1e-8 d0=1e-6 bias_correction=False weight_decouple=True
        type AdamWScheduleFree
        args weight_decay=0.0 betas=0.9,0.999 eps=1e-8 warmup_steps=80 r=0.0 weight_lr_power=2.0
        type pytorch_optimizer.CAME
        args weight_decay=0.0 betas=0.9,0.999,0.9999 clip_threshold=1.0 eps1=1e-30 eps2=1e-16
        type Prodigy
        args weight_decay=0.0 betas=0.9,0.999 eps=1e-8 d_coef=2.0 d0=1e-6 growth_rate=1.02 safeguard_warmup=True use_bias_correction=False decouple=True beta3=0.99 slice_p=11"#]]
    .assert_eq(&all);
}

#[test]
fn a_schedule_is_that_of_all_steps_when_a_run_goes_on() {
    let mut all = String::new();
    for (schedule, min_lr_ratio) in [
        ("linear", 0.0),
        ("cosine", 0.1),
        ("cosine_with_restarts", 0.0),
        ("polynomial", 0.0),
        ("inverse_sqrt", 0.0),
    ] {
        let overrides = json!({
            "lr_schedule": schedule, "min_lr_ratio": min_lr_ratio, "n_cycles": 3, "polynomial_power": 2,
        });
        for step in [0, 600] {
            let changed = changes(overrides.clone(), step);
            let new: Vec<&str> = changed
                .lines()
                .filter_map(|line| line.strip_prefix("+ --lr_"))
                .collect();
            all += &format!("{schedule} {step}: {}\n", new.join(" "));
        }
    }
    expect![[r#"
        linear 0: scheduler linear
        linear 600: scheduler linear scheduler_type transformers.get_linear_schedule_with_warmup
        cosine 0: scheduler cosine_with_min_lr scheduler_min_lr_ratio 0.1
        cosine 600: scheduler_type transformers.optimization.get_cosine_with_min_lr_schedule_with_warmup scheduler_args num_warmup_steps=80 num_training_steps=1600 min_lr_rate=0.1
        cosine_with_restarts 0: scheduler cosine_with_restarts scheduler_num_cycles 3
        cosine_with_restarts 600: scheduler cosine_with_restarts scheduler_type transformers.get_cosine_with_hard_restarts_schedule_with_warmup scheduler_args num_warmup_steps=80 num_training_steps=1600 num_cycles=3
        polynomial 0: scheduler polynomial scheduler_power 2.0
        polynomial 600: scheduler polynomial scheduler_type transformers.get_polynomial_decay_schedule_with_warmup scheduler_args num_warmup_steps=80 num_training_steps=1600 power=2.0
        inverse_sqrt 0: scheduler inverse_sqrt
        inverse_sqrt 600: scheduler inverse_sqrt warmup_steps 80
    "#]]
    .assert_eq(&all);
    let free = changes(json!({ "optimizer": "adamw_schedule_free" }), 600);
    assert!(
        free.contains("+ --lr_scheduler constant\n") && !free.contains("+ --lr_scheduler_type"),
        "{free}"
    );
}

#[test]
fn samples_of_the_base_come_before_the_first_step() {
    let plan = plan(&of(json!({ "sample_at_start": true })));
    assert!(plan.args.iter().any(|arg| arg == "--sample_at_first"));
    assert!(plan.wants_samples(0) && !plan.wants_samples(1));
    let never = self::plan(&of(json!({ "sample_at_start": false })));
    assert!(!never.wants_samples(0));

    let (recipe, manifest) = (of(json!({ "sample_at_start": true })), manifest());
    let again = Plan::new(&Request {
        is_start_drawn: true,
        ..request(&recipe, &manifest)
    });
    let again = again.unwrap();
    assert!(!again.wants_samples(0) && !again.args.iter().any(|arg| arg == "--sample_at_first"));
}

#[test]
fn losses_that_the_base_has_no_use_for_are_refused() {
    let refusal = |overrides: Json, prediction| {
        let (recipe, manifest) = (of(overrides), manifest());
        refused(&Request {
            prediction,
            ..request(&recipe, &manifest)
        })
    };
    assert_eq!(
        refusal(json!({ "scale_v_loss": true }), Prediction::Epsilon),
        "parameters.scale_v_loss: is for base models that predict v, and this one predicts noise: switch it off"
    );
    assert_eq!(
        refusal(json!({ "v_like_loss": 1 }), Prediction::VZeroSnr),
        "parameters.v_like_loss: is for base models that predict noise, and this one predicts v: set it to 0"
    );
}

#[test]
fn what_sd_scripts_cannot_do_together_is_refused_with_the_engine_that_can() {
    let refusal = |overrides: Json| {
        let request = RecipeRequest {
            engine: Engine::Kohya,
            base_model: "sdxl".into(),
            name: "zora".into(),
            overrides: serde_json::from_value(overrides).unwrap(),
            ..RecipeRequest::default()
        };
        Recipe::resolve(request, BaseClass::Sdxl).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(json!({ "text_encoder_1_learning_rate": 1e-5 })),
        "parameters.text_encoder_2_learning_rate: must be 0.00001 as that of the first text encoder for the kohya engine, \
         which has one for both, not 0; the native engine has two"
    );
    assert_eq!(
        refusal(json!({
            "optimizer": "prodigy", "text_encoder_1_learning_rate": 0.5, "text_encoder_2_learning_rate": 0.5,
            "block_learning_rates": ["MID=0.5"],
        })),
        "parameters.block_learning_rates: must be left out for the kohya engine: `prodigy` there takes one learning rate \
         for all; parameters.text_encoder_1_learning_rate: must be 0 or 1 for the kohya engine, not 0.5: `prodigy` there \
         takes one learning rate for all"
    );
    assert_eq!(
        refusal(json!({ "lr_schedule": "linear", "min_lr_ratio": 0.1 })),
        "parameters.min_lr_ratio: must be 0 with `linear` for the kohya engine, which has it for `cosine` alone, not 0.1; \
         the native engine has it"
    );
}
