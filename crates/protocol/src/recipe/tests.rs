//! Every hyperparameter is refused outside its range, with the field and what would be right.

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check(overrides: &str, expect: Expect) {
    let request = RecipeRequest {
        base_model: "tiny-xl".into(),
        name: "zora".into(),
        overrides: toml::from_str(overrides).unwrap_or_else(|err| panic!("{err}")),
        ..RecipeRequest::default()
    };
    let actual = match Recipe::resolve(request, BaseClass::Tiny) {
        Ok(recipe) => format!("{:?}", recipe.parameters),
        Err(errors) => errors.to_string(),
    };
    expect.assert_eq(&actual);
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
}

#[test]
fn changed_rank_keeps_the_scale() {
    let request = RecipeRequest {
        base_model: "sdxl".into(),
        name: "zora".into(),
        overrides: ParameterOverrides {
            rank: Some(8),
            ..Default::default()
        },
        ..Default::default()
    };
    let recipe = Recipe::resolve(request, BaseClass::Sdxl).unwrap();
    assert_eq!((recipe.parameters.rank, recipe.parameters.alpha), (8, 4.0));
}

#[test]
fn unknown_field_is_named() {
    let err = toml::from_str::<ParameterOverrides>("lerning_rate = 1.0").unwrap_err();
    assert!(err.to_string().contains("lerning_rate"), "{err}");
}

#[test]
fn a_recipe_from_the_wire_is_checked() {
    let request = RecipeRequest {
        base_model: "tiny-xl".into(),
        name: "zora".into(),
        ..Default::default()
    };
    let recipe = Recipe::resolve(request, BaseClass::Tiny).unwrap();
    let mut json = serde_json::to_value(&recipe).unwrap();
    assert_eq!(serde_json::from_value::<Recipe>(json.clone()).unwrap(), recipe);
    json["parameters"]["rank"] = 0.into();
    let err = serde_json::from_value::<Recipe>(json).unwrap_err();
    assert!(err.to_string().contains("parameters.rank"), "{err}");
}
