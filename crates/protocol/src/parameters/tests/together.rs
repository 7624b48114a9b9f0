//! Values that depend on one another.

use serde_json::{Value as Json, json};

use super::{super::Engine, resolve};

#[test]
fn intervals_are_counted_in_steps_or_in_epochs() {
    let p = |chosen: Json| resolve(chosen, Engine::Native).map(|recipe| recipe.parameters().clone());
    let by_steps = p(json!({})).unwrap();
    assert_eq!(
        (by_steps.checkpoint_every(7), by_steps.validate_every(7)),
        (200, 0)
    );
    let by_epochs = p(json!({ "checkpoint_every_n_epochs": 2, "sample_every_n_epochs": 1 })).unwrap();
    assert_eq!(
        (by_epochs.checkpoint_every(7), by_epochs.sample_every(7)),
        (14, 7)
    );
    assert_eq!(by_epochs.checkpoint_every_n_steps, 0);
    let both = json!({ "sample_every_n_epochs": 1, "sample_every_n_steps": 50 });
    assert_eq!(
        p(both).unwrap_err(),
        "parameters.sample_every_n_epochs: says how often, and so does sample_every_n_steps (50): leave one of the two out"
    );
    let kohya = resolve(json!({ "validate_every_n_epochs": 1 }), Engine::Kohya).map(|_| ());
    assert_eq!(
        kohya.unwrap_err(),
        "parameters.validate_every_n_epochs: must be 0 for the kohya engine, which does not have it, not 1; the native engine \
         has it"
    );
}

#[test]
fn sides_of_buckets_fit_the_step_and_the_resolution() {
    let wrong = |chosen: Json| resolve(chosen, Engine::Kohya).map(|_| ()).unwrap_err();
    assert_eq!(
        wrong(json!({ "min_bucket_side": 96 })),
        "parameters.min_bucket_side: must be a multiple of bucket_step (64), not 96"
    );
    assert_eq!(
        wrong(json!({ "min_bucket_side": 1088, "max_bucket_side": 960 })),
        "parameters.min_bucket_side: must be at most the resolution (1024), not 1088; \
         parameters.max_bucket_side: must be at least the resolution (1024), not 960"
    );
    let sides = |chosen: Json| {
        resolve(chosen, Engine::Kohya)
            .unwrap()
            .parameters()
            .bucket_sides()
    };
    assert_eq!(sides(json!({})), (256, 2048));
    assert_eq!(sides(json!({ "max_bucket_side": 1024 })), (256, 1024));
}

#[test]
fn a_rate_for_second_matrices_needs_an_optimizer_that_takes_several() {
    let chosen = json!({ "lora_plus_ratio": 16, "optimizer": "prodigy" });
    resolve(chosen.clone(), Engine::Native).unwrap();
    assert_eq!(
        resolve(chosen, Engine::Kohya).map(|_| ()).unwrap_err(),
        "parameters.lora_plus_ratio: must be 1 for the kohya engine, not 16: `prodigy` there takes one learning rate for all; \
         the native engine has it"
    );
}
