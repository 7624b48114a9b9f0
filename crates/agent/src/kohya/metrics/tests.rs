//! Steps from scalars, from the bar, and from neither.

use super::*;

fn metrics() -> Metrics {
    Metrics::new(&Parameters {
        n_steps: 10,
        n_warmup_steps: 2,
        learning_rate: 1.0,
        ..Parameters::default()
    })
}

fn scalar(tag: &str, step: i64, value: f32) -> Scalar {
    Scalar {
        tag: tag.into(),
        step,
        value,
    }
}

fn bar(step: u32, average_loss: Option<f64>) -> StepBar {
    StepBar {
        step,
        total: 10,
        seconds_per_step: Some(0.5),
        eta_seconds: Some(4.0),
        average_loss,
    }
}

#[test]
fn a_step_is_the_mean_of_its_batches_at_the_rate_before_it() {
    let mut metrics = metrics();
    metrics.epoch(1, 2);
    assert!(metrics.bar(bar(0, None)).is_none());
    // Two batches to a step: the first is written with the steps done before.
    assert!(metrics.scalar(&scalar("loss/current", 0, 1.0)).is_none());
    assert!(metrics.scalar(&scalar("lr/unet", 0, 0.0)).is_none());
    let first = metrics.scalar(&scalar("loss/current", 1, 2.0)).unwrap();
    assert_eq!((first.step, first.loss, first.learning_rate), (1, 1.5, 0.0));
    assert!(metrics.scalar(&scalar("lr/unet", 1, 0.5)).is_none());
    assert!(metrics.scalar(&scalar("loss/current", 1, 4.0)).is_none());
    let second = metrics.scalar(&scalar("loss/current", 2, 2.0)).unwrap();
    assert_eq!((second.step, second.loss, second.average_loss), (2, 3.0, 2.25));
    assert_eq!(
        (second.learning_rate, second.n_epochs, second.n_steps),
        (0.5, 2, 10)
    );
}

#[test]
fn the_bar_counts_only_without_scalars() {
    let mut metrics = metrics();
    let mut steps = Vec::new();
    for step in 0..=5 {
        // Each step is shown twice: advanced, and then with its own loss.
        steps.extend(metrics.bar(bar(step, Some(f64::from(step)))));
        steps.extend(metrics.bar(bar(step, Some(f64::from(step) + 0.5))));
    }
    let seen: Vec<_> = steps.iter().map(|step| (step.step, step.loss)).collect();
    assert_eq!(seen, [(3, 3.5), (4, 4.5)]);
    assert_eq!((steps[0].step_ms, steps[0].eta_seconds), (500.0, 4.0));
    assert_eq!(metrics.finish().unwrap().step, 5);

    let mut metrics = self::metrics();
    assert!(metrics.scalar(&scalar("loss/current", 1, 1.0)).is_some());
    for step in 0..=5 {
        assert!(metrics.bar(bar(step, Some(1.0))).is_none());
    }
    assert!(metrics.finish().is_none());
}

#[test]
fn several_losses_in_a_row_that_are_no_numbers_are_too_many() {
    let mut metrics = metrics();
    let mut add = |step, loss| {
        let reported = metrics.scalar(&scalar("loss/current", step, loss));
        (reported.is_some(), metrics.broken_since())
    };
    assert_eq!(add(1, f32::NAN), (false, None));
    assert_eq!(add(2, 1.0), (true, None));
    assert_eq!(add(3, f32::INFINITY), (false, None));
    assert_eq!(add(4, f32::NAN), (false, None));
    assert_eq!(add(5, f32::NAN), (false, Some(3)));
}

#[test]
fn a_bar_that_ends_on_nan_is_broken() {
    let mut metrics = metrics();
    for step in 0..=4 {
        assert!(metrics.bar(bar(step, Some(f64::NAN))).is_none());
    }
    assert!(metrics.finish().is_none());
    assert_eq!(metrics.ended_broken(), Some(3));
}
