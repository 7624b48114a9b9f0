//! Trainings whose difference is known.

use super::*;

fn steps(losses: impl IntoIterator<Item = f64>, rate: f64) -> Vec<StepMetrics> {
    let numbered = (1..).zip(losses);
    numbered
        .map(|(step, loss)| StepMetrics {
            step,
            n_steps: 20,
            epoch: 1,
            n_epochs: 1,
            loss,
            average_loss: loss,
            learning_rate: rate * f64::from(step),
            gradient_norm: 0.0,
            step_ms: f64::from(step),
            eta_seconds: 0.0,
        })
        .collect()
}

#[test]
fn a_mean_has_its_error() {
    let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0]);
    assert_eq!((mean.n, mean.mean), (4, Some(2.5)));
    // The variance of 1, 2, 3, 4 is 5/3.
    assert!((mean.standard_error.unwrap() - (5.0_f64 / 12.0).sqrt()).abs() < 1e-15);
    assert_eq!(Mean::of(&[7.0]).standard_error, None);
    assert_eq!(Mean::of(&[]).mean, None);
}

#[test]
fn a_difference_is_told_in_standard_errors() {
    let pair = MeanPair::of([&[1.0, 2.0, 3.0, 4.0], &[2.0, 3.0, 4.0, 5.0]]);
    let expected = 1.0 / (5.0_f64 / 6.0).sqrt();
    assert!((pair.in_standard_errors.unwrap() - expected).abs() < 1e-12);
    let pair = MeanPair::of([&[1.0, 1.0], &[2.0, 2.0]]);
    assert_eq!((pair.difference, pair.in_standard_errors), (Some(1.0), None));
}

#[test]
fn tenths_are_taken_from_both_ends() {
    let left = steps((0..40).map(f64::from), 1.0);
    let comparison = compare(&left, &left);
    assert_eq!(comparison.first_tenth.means[0].mean, Some(1.5));
    assert_eq!(comparison.last_tenth.means[1].mean, Some(37.5));
    assert_eq!(comparison.whole.in_standard_errors, Some(0.0));
    assert_eq!(comparison.step_ms, [Some(21.0); 2]);
    let short = compare(&left[..1], &[]);
    assert_eq!((short.first_tenth.means[0].n, short.n_unpaired), (1, 1));
    assert!(!short.learning_rates.are_equal);
}

#[test]
fn rates_are_equal_to_the_precision_that_they_are_stored_in() {
    let left = steps([1.0; 20], 1e-4);
    let mut right = left.clone();
    for step in &mut right {
        step.learning_rate = f64::from(step.learning_rate as f32);
    }
    assert!(compare(&left, &right).learning_rates.are_equal);
    right[19].learning_rate *= 1.01;
    let rates = compare(&left, &right).learning_rates;
    assert!(
        !rates.are_equal && (rates.largest_difference - 0.01 / 1.01).abs() < 1e-6,
        "{rates:?}"
    );
    // The last step is missing.
    right.pop();
    assert_eq!(compare(&left, &right).n_unpaired, 1);
}

#[test]
fn a_smooth_line_keeps_a_straight_one() {
    let straight: Vec<f64> = (0..9).map(f64::from).collect();
    assert_eq!(smoothed(&straight, 3), straight);
    assert_eq!(smoothed(&[0.0, 3.0, 0.0], 1), [0.0, 1.0, 0.0]);
    assert!(smoothed(&[], 1).is_empty());
}
