//! Schedules against values observed in sd-scripts, and those of the packages that it takes them from.

use protocol::{
    preset::BaseClass,
    recipe::{LrSchedule, ParameterOverrides, Recipe, RecipeRequest},
};
use serde::Deserialize;

use super::LearningRate;

fn rate(schedule: LrSchedule, n_warmup_steps: u32, n_steps: u32) -> LearningRate {
    LearningRate {
        peak: 2.0,
        schedule,
        n_warmup_steps,
        n_steps,
        n_cycles: 1,
        power: 1.0,
        min_ratio: 0.0,
    }
}

#[track_caller]
fn check(rate: LearningRate, expected: [f64; 10]) {
    for (step, expected) in (0..).zip(expected) {
        let found = rate.at(step) / 2.0;
        assert!(
            (found - expected).abs() < 5e-6,
            "step {step}: {found}, expected {expected}"
        );
    }
}

#[test]
fn cosine_with_warmup() {
    let expected = [
        0.0, 0.5, 1.0, 0.96194, 0.85355, 0.69134, 0.5, 0.30866, 0.14645, 0.03806,
    ];
    check(rate(LrSchedule::Cosine, 2, 10), expected);
}

#[test]
fn others_with_warmup() {
    check(
        rate(LrSchedule::Linear, 2, 10),
        [0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125],
    );
    let restarts = LearningRate {
        n_cycles: 2,
        ..rate(LrSchedule::CosineWithRestarts, 2, 10)
    };
    check(
        restarts,
        [0.0, 0.5, 1.0, 0.85355, 0.5, 0.14645, 1.0, 0.85355, 0.5, 0.14645],
    );
    let above_zero = LearningRate {
        min_ratio: 0.1,
        ..rate(LrSchedule::Cosine, 2, 10)
    };
    check(
        above_zero,
        [
            0.0, 0.5, 1.0, 0.96575, 0.8682, 0.72221, 0.55, 0.37779, 0.2318, 0.13425,
        ],
    );
}

#[test]
fn constant() {
    check(rate(LrSchedule::Constant, 0, 10), [1.0; 10]);
    check(
        rate(LrSchedule::Constant, 4, 10),
        [0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    );
}

/// (1 − z) / (½ + ½ (1 − z)) of arXiv:2107.04197, in fractions.
#[test]
fn rex() {
    let fractions = [
        1.0,
        18.0 / 19.0,
        16.0 / 18.0,
        14.0 / 17.0,
        12.0 / 16.0,
        10.0 / 15.0,
        8.0 / 14.0,
    ];
    let rate = rate(LrSchedule::Rex, 0, 10);
    for (step, expected) in (0..).zip(fractions) {
        assert!((rate.at(step) / 2.0 - expected).abs() < 1e-12, "step {step}");
    }
    assert_eq!(rate.at(10), 0.0);
}

/// 50 steps of every schedule of transformers, and of REX (tools/golden/learning_rates.py).
#[test]
fn every_step_is_that_of_the_packages() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../tests/golden/learning_rates.json")).unwrap();
    assert_eq!(cases.len(), 15);
    for Case { overrides, rates } in cases {
        let request = RecipeRequest {
            name: "zora".into(),
            base_model: "tiny-xl".into(),
            overrides,
            ..RecipeRequest::default()
        };
        let recipe = Recipe::resolve(request, BaseClass::Tiny).unwrap();
        let rate = LearningRate::of(recipe.parameters());
        for (step, expected) in (0..).zip(rates) {
            let found = rate.at(step);
            // Where transformers' polynomials end by default.
            assert!(
                (found - expected).abs() < 1.01e-7,
                "{rate:?}, step {step}: {found}, expected {expected}"
            );
        }
    }
}

#[derive(Deserialize)]
struct Case {
    overrides: ParameterOverrides,
    rates: Vec<f64>,
}

#[test]
fn nothing_is_left_behind_the_end() {
    for schedule in [
        LrSchedule::Linear,
        LrSchedule::Cosine,
        LrSchedule::CosineWithRestarts,
        LrSchedule::Rex,
    ] {
        let rate = rate(schedule, 0, 10);
        assert_eq!(rate.at(0), 2.0);
        assert_eq!(rate.at(10), 0.0);
        assert_eq!(rate.at(25), 0.0);
    }
}

#[test]
fn says_where_it_goes() {
    assert_eq!(rate(LrSchedule::Constant, 0, 10).outlook(), "stays there");
    assert_eq!(
        rate(LrSchedule::Cosine, 0, 10).outlook(),
        "falls along half a cosine to zero at step 10"
    );
    let linear = LearningRate {
        min_ratio: 0.1,
        ..rate(LrSchedule::Linear, 0, 10)
    };
    assert_eq!(linear.outlook(), "falls straight to 2.000e-1 at step 10");
}
