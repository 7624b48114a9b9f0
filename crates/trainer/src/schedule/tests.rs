//! Schedules against values observed in sd-scripts.

use protocol::recipe::LrSchedule;

use super::LearningRate;

#[track_caller]
fn check(schedule: LrSchedule, n_warmup_steps: u32, expected: [f64; 10]) {
    let rate = LearningRate {
        peak: 2.0,
        schedule,
        n_warmup_steps,
        n_steps: 10,
    };
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
    check(LrSchedule::Cosine, 2, expected);
}

#[test]
fn constant() {
    check(LrSchedule::Constant, 0, [1.0; 10]);
    check(
        LrSchedule::Constant,
        4,
        [0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    );
}

#[test]
fn nothing_is_left_behind_the_end() {
    let rate = LearningRate {
        peak: 1.0,
        schedule: LrSchedule::Cosine,
        n_warmup_steps: 0,
        n_steps: 10,
    };
    assert_eq!(rate.at(0), 1.0);
    assert_eq!(rate.at(10), 0.0);
    assert_eq!(rate.at(25), 0.0);
}
