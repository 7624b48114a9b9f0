//! Every hyperparameter is refused outside its range, with the field and what would be right.

use expect_test::{Expect, expect};

use super::*;
use crate::preset::BaseClass;

fn request(overrides: &str) -> RecipeRequest {
    RecipeRequest {
        base_model: "tiny-xl".into(),
        name: "zora".into(),
        overrides: toml::from_str(overrides).unwrap_or_else(|err| panic!("{err}")),
        ..RecipeRequest::default()
    }
}

fn recipe(overrides: &str) -> Recipe {
    Recipe::resolve(request(overrides), BaseClass::Tiny).unwrap()
}

#[track_caller]
fn check(overrides: &str, expect: Expect) {
    let errors = Recipe::resolve(request(overrides), BaseClass::Tiny).unwrap_err();
    expect.assert_eq(&errors.to_string());
}

#[test]
fn rank_zero() {
    check(
        "rank = 0",
        expect!["parameters.rank: must be from 1 to 256, not 0"],
    );
}

#[test]
fn negative_learning_rate() {
    check(
        "learning_rate = -1.0",
        expect!["parameters.learning_rate: must be above 0 and at most 1, not -1"],
    );
}

#[test]
fn learning_rate_not_a_number() {
    check(
        "learning_rate = nan",
        expect!["parameters.learning_rate: must be above 0 and at most 1, not NaN"],
    );
}

#[test]
fn all_errors_at_once() {
    check(
        "resolution = 100\nn_warmup_steps = 500\nmax_tokens = 77",
        expect![[
            "parameters.n_warmup_steps: must be less than n_steps (465), not 500; parameters.max_tokens: must be 75, 150 or 225, not 77; parameters.resolution: must be a multiple of 8, not 100"
        ]],
    );
    // Whole numbers and others, and texts, do not wait for each other.
    let mut all = request("seed = -1\nalpha = 0.0\nn_steps = 0\nn_warmup_steps = 9");
    all.name = "a/b".into();
    let errors = Recipe::resolve(all, BaseClass::Tiny).unwrap_err();
    let fields: Vec<&str> = errors.0.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "parameters.n_steps",
            "parameters.alpha",
            "parameters.seed",
            "name"
        ],
        "a warm-up cannot be judged beside a wrong number of steps"
    );
}

#[test]
fn a_changed_rank_keeps_the_scale_and_a_shorter_run_the_share_of_warm_up() {
    let overrides = ParameterOverrides {
        rank: Some(8),
        n_steps: Some(800),
        ..ParameterOverrides::default()
    };
    let request = RecipeRequest {
        overrides,
        ..request("")
    };
    let recipe = Recipe::resolve(request, BaseClass::Sdxl).unwrap();
    let p = recipe.parameters();
    assert_eq!((p.rank, p.alpha, p.n_steps, p.n_warmup_steps), (8, 4.0, 800, 40));
}

#[test]
fn unknown_field_is_named() {
    let err = toml::from_str::<ParameterOverrides>("lerning_rate = 1.0").unwrap_err();
    assert!(err.to_string().contains("lerning_rate"), "{err}");
}

#[test]
fn a_recipe_from_the_wire_is_checked() {
    let recipe = recipe("");
    let mut json = serde_json::to_value(&recipe).unwrap();
    assert_eq!(serde_json::from_value::<Recipe>(json.clone()).unwrap(), recipe);
    json["parameters"]["rank"] = 0.into();
    let err = serde_json::from_value::<Recipe>(json.clone()).unwrap_err();
    assert!(err.to_string().contains("parameters.rank"), "{err}");
    json["parameters"]["rank"] = 4.into();
    // What a newer server adds is left out; the versions of the protocol keep jobs that need it from an older agent.
    let known = serde_json::from_value::<Recipe>(json.clone()).unwrap();
    json["parameters"]["color"] = 4.into();
    assert_eq!(serde_json::from_value::<Recipe>(json).unwrap(), known);
}

#[test]
fn an_older_agent_gets_no_recipe_with_a_field_that_it_would_ignore() {
    let unknown = |recipe: &Recipe, version| {
        let unknown = recipe.unknown_to(version);
        unknown.map(|(definition, since)| (definition.name, since))
    };
    assert_eq!(unknown(&recipe("noise_offset = 0.1"), 1), None);
    assert_eq!(unknown(&recipe("noise_offset = 0.1"), 0), Some(("n_steps", 1)));
    let kohya = |overrides| {
        let request = RecipeRequest {
            engine: Engine::Kohya,
            ..request(overrides)
        };
        Recipe::resolve(request, BaseClass::Sdxl).unwrap()
    };
    assert_eq!(
        unknown(&kohya("shuffle_tags = true"), 3),
        Some(("shuffle_tags", 4))
    );
    assert_eq!(unknown(&kohya("shuffle_tags = true"), 4), None);
    let sliced = "optimizer = \"prodigy\"\noptimizer_arguments = [\"slice_p=11\"]";
    assert_eq!(unknown(&recipe(sliced), 4), Some(("optimizer_arguments", 5)));
    assert_eq!(unknown(&kohya(sliced), 4), None);
    // The field is old, the word is not.
    let linear = kohya("lr_schedule = \"linear\"");
    assert_eq!(unknown(&linear, 3), Some(("lr_schedule", 4)));
    assert_eq!(unknown(&kohya("lr_schedule = \"constant\""), 1), None);
    let json = serde_json::json!({
        "engine": "native", "base_model": "sdxl", "name": "zora", "preset": "style", "parameters": {},
        "sample_prompts": [],
    });
    let defaults: Recipe = serde_json::from_value(json).unwrap();
    assert_eq!(unknown(&defaults, 0), None);
}

/// What a field means in recipes that were written before it existed must never change.
#[test]
fn a_recipe_without_hyperparameters_means_what_it_always_did() {
    let json = serde_json::json!({
        "engine": "native", "base_model": "sdxl", "name": "zora", "preset": "style", "parameters": {},
        "sample_prompts": [],
    });
    let recipe: Recipe = serde_json::from_value(json).unwrap();
    expect![[r#"{"n_steps":1600,"n_views":0,"learning_rate":0.0001,"lr_schedule":"cosine","n_warmup_steps":0,"n_cycles":1,"polynomial_power":1.0,"min_lr_ratio":0.0,"batch_size":1,"gradient_accumulation":1,"rank":16,"alpha":16.0,"kind":"lora","lokr_factor":8,"t_lora_min_rank":8,"t_lora_power":1.0,"conv_rank":0,"conv_alpha":1.0,"trained_blocks":[],"block_ranks":[],"block_learning_rates":[],"network_dropout":0.0,"rank_dropout":0.0,"module_dropout":0.0,"max_weight_norm":0.0,"lora_plus_ratio":1.0,"text_encoder_1_learning_rate":0.0,"text_encoder_2_learning_rate":0.0,"optimizer":"adamw","beta1":0.9,"beta2":0.999,"epsilon":1e-8,"weight_decay":0.01,"optimizer_arguments":[],"max_gradient_norm":1.0,"ema_decay":0.0,"gradient_checkpointing":false,"eight_bit_base":false,"loss":"l2","huber_c":0.1,"huber_schedule":"snr","huber_scale":1.0,"min_snr_gamma":5.0,"debiased":false,"scale_v_loss":false,"v_like_loss":0.0,"output_preservation":0.0,"min_timestep":0,"max_timestep":1000,"timestep_distribution":"uniform","timestep_bias":0.0,"timestep_scale":1.0,"timestep_shift":1.0,"noise_offset":0.0,"noise_offset_random":false,"adaptive_noise_scale":0.0,"multires_noise_iterations":0,"multires_noise_discount":0.3,"input_perturbation":0.0,"input_perturbation_random":false,"seed":42,"max_tokens":75,"caption_dropout":0.0,"caption_dropout_every_n_epochs":0,"shuffle_tags":false,"keep_tokens":0,"keep_tokens_separator":"","tag_separator":",","secondary_separator":"","tag_dropout":0.0,"caption_prefix":"","caption_suffix":"","wildcards":false,"weighted_captions":false,"token_warmup_min":1,"token_warmup_steps":0,"n_prior_pictures":0,"prior_prompt":"","prior_loss_weight":1.0,"masked_loss":false,"unmasked_weight":0.0,"random_flip":false,"random_crop":false,"crop_zoom":1.0,"color_jitter":false,"random_background":false,"n_looks":8,"resolution":1024,"bucket_step":64,"min_bucket_side":0,"max_bucket_side":0,"bucket_no_upscale":false,"resize_interpolation":"auto","checkpoint_every_n_steps":200,"checkpoint_every_n_epochs":0,"sample_every_n_steps":200,"sample_every_n_epochs":0,"validate_every_n_steps":0,"validate_every_n_epochs":0,"sample_at_start":false}"#]]
    .assert_eq(&serde_json::to_string(recipe.parameters()).unwrap());
}

#[track_caller]
fn differences(now: &Recipe, then: &Identity, expect: Expect) {
    let differences = now.identity().differences(then);
    let shown = differences
        .iter()
        .map(|difference| format!("{difference} ({:?})", difference.effect));
    expect.assert_eq(&shown.collect::<Vec<_>>().join("\n"));
}

#[test]
fn only_what_changes_the_weights_tells_trainings_apart() {
    let now = recipe("");
    let mut free = request("checkpoint_every_n_steps = 7\nsample_every_n_steps = 0");
    free.sample_prompts = vec!["zora waves".into()];
    free.name = "another".into();
    free.preset = Preset::Concept;
    let free = Recipe::resolve(free, BaseClass::Tiny).unwrap();
    differences(&now, &free.identity(), expect![""]);

    let mut other = request("seed = 43\nlearning_rate = 0.5\nn_steps = 900\nlr_schedule = \"constant\"");
    other.trigger_word = Some("zora".into());
    let other = Recipe::resolve(other, BaseClass::Tiny).unwrap();
    differences(
        &now,
        &other.identity(),
        expect![[r#"
            `parameters.n_steps` was 900 and is 465 now (Schedule)
            `parameters.learning_rate` was 0.5 and is 0.001 now (Weights)
            `parameters.lr_schedule` was "constant" and is "cosine" now (Weights)
            `parameters.seed` was 43 and is 42 now (Weights)
            `trigger_word` was "zora" and is null now (Weights)"#]],
    );
}

#[test]
fn a_checkpoint_from_before_a_field_had_its_default() {
    let fields = |recipe: &Recipe| -> std::collections::BTreeMap<String, String> {
        serde_json::from_value(serde_json::json!(recipe.identity())).unwrap()
    };
    let mut then = fields(&recipe(""));
    then.remove("parameters.noise_offset").unwrap();
    differences(&recipe(""), &Identity::from_fields(then.clone()), expect![""]);
    differences(
        &recipe("noise_offset = 0.1"),
        &Identity::from_fields(then.clone()),
        expect!["`parameters.noise_offset` was 0.0 and is 0.1 now (Weights)"],
    );
    // As another writer has the same number.
    then.insert("parameters.alpha".into(), "16".into());
    differences(&recipe(""), &Identity::from_fields(then.clone()), expect![""]);
    // Of a version to come.
    then.insert("parameters.warp".into(), "9".into());
    differences(
        &recipe(""),
        &Identity::from_fields(then),
        expect!["`parameters.warp` was 9 and is unknown to this version now (Weights)"],
    );
}

#[test]
fn what_has_no_effect_is_noted_and_not_refused() {
    let notes = |overrides: &str| {
        let request = RecipeRequest {
            engine: Engine::Kohya,
            ..request(overrides)
        };
        let recipe = Recipe::resolve(request, BaseClass::Sdxl).unwrap();
        let notes = recipe.parameters().notes();
        let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
        notes.join("; ")
    };
    assert_eq!(notes(""), "");
    assert_eq!(notes("keep_tokens = 1\nshuffle_tags = true"), "");
    assert_eq!(
        notes("keep_tokens = 1\nn_cycles = 3\nhuber_c = 0.2"),
        "parameters.n_cycles: has no effect unless lr_schedule is `cosine_with_restarts`; parameters.huber_c: has no \
         effect unless loss is `huber` or `smooth_l1`; parameters.keep_tokens: has no effect unless tags are shuffled, \
         dropped or warmed up"
    );
}

#[test]
fn epochs_are_as_many_steps() {
    let mut chosen = ParameterOverrides::default();
    assert_eq!(steps_of_epochs(3, 25, &chosen), Ok(75));
    let check = |n_epochs, per_epoch, chosen: &ParameterOverrides, expected: &str| {
        let err = steps_of_epochs(n_epochs, per_epoch, chosen).unwrap_err();
        assert_eq!(err.to_string(), expected);
    };
    check(
        1000,
        2000,
        &chosen,
        "n_epochs: would be 2000000 steps of the optimizer, and a training has at most 1000000: choose fewer epochs or a \
         larger batch",
    );
    chosen.n_views = Some(1000);
    check(
        3,
        25,
        &chosen,
        "n_epochs: says the length of the training, and so does parameters.n_views: leave one out",
    );
}
