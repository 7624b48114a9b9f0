//! Every hyperparameter is refused outside its range, with the field and what would be right.

use expect_test::{Expect, expect};

use super::*;

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
            "parameters.n_warmup_steps: must be less than n_steps (465), not 500; parameters.resolution: must be a multiple of 8, not 100; parameters.max_tokens: must be 75, 150 or 225, not 77"
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
    let unknown = |recipe: &Recipe, version| recipe.unknown_to(version).map(|definition| definition.name);
    // All hyperparameters so far are as old as the protocol.
    assert_eq!(unknown(&recipe("noise_offset = 0.1"), 1), None);
    assert_eq!(unknown(&recipe("noise_offset = 0.1"), 0), Some("n_steps"));
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
    expect![[r#"{"n_steps":1600,"learning_rate":0.0001,"rank":16,"alpha":16.0,"lr_schedule":"cosine","n_warmup_steps":0,"batch_size":1,"gradient_accumulation":1,"max_gradient_norm":1.0,"weight_decay":0.01,"min_snr_gamma":5.0,"noise_offset":0.0,"caption_dropout":0.0,"resolution":1024,"bucket_step":64,"max_tokens":75,"checkpoint_every_n_steps":200,"sample_every_n_steps":200,"seed":42}"#]]
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
