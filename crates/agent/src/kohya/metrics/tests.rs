//! Steps from scalars, from the bar, and from neither.

use super::*;

fn metrics() -> Metrics {
    after(0)
}

fn after(n_before: u32) -> Metrics {
    let parameters = Parameters {
        n_steps: 10,
        n_warmup_steps: 2,
        learning_rate: 1.0,
        ..Parameters::default()
    };
    Metrics::new(&parameters, n_before)
}

fn scalar(tag: &str, step: i64, value: f32) -> Scalar {
    Scalar {
        tag: tag.into(),
        step,
        value,
        wall_time: 0.0,
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
fn rates_that_were_found_or_differ_by_block_are_told() {
    let mut metrics = metrics();
    for (tag, value) in [("lr/unet", 1.0), ("lr/d*lr/unet", 0.25), ("lr/textencoder", 0.5)] {
        assert!(metrics.scalar(&scalar(tag, 0, value)).is_none());
    }
    let first = metrics.scalar(&scalar("loss/current", 1, 2.0)).unwrap();
    assert_eq!(first.learning_rate, 0.25);
    for (tag, value) in [
        ("lr/unet_block4", 0.5),
        ("lr/unet_block5", 1.0),
        ("lr/unet_block6", 0.0),
    ] {
        assert!(metrics.scalar(&scalar(tag, 1, value)).is_none());
    }
    let second = metrics.scalar(&scalar("loss/current", 2, 2.0)).unwrap();
    assert_eq!(second.learning_rate, 1.0);
}

#[test]
fn the_rate_that_prodigy_found_counts_from_the_first_step() {
    for optimizer in [Optimizer::Prodigy, Optimizer::ProdigyScheduleFree] {
        let parameters = Parameters {
            n_steps: 10,
            learning_rate: 1.0,
            optimizer,
            optimizer_arguments: vec!["d0=0.125".into()],
            ..Parameters::default()
        };
        let mut metrics = Metrics::new(&parameters, 0);
        let first = metrics.scalar(&scalar("loss/current", 1, 2.0)).unwrap();
        assert_eq!(first.learning_rate, 0.125, "{optimizer:?}");
        // As sd-scripts writes them for the schedule-free one with text encoders.
        for (tag, value) in [
            ("lr/textencoder", 1.0),
            ("lr/d*lr", 0.25),
            ("lr/unet", 1.0),
            ("lr/d*lr/group1", 0.5),
        ] {
            assert!(metrics.scalar(&scalar(tag, 1, value)).is_none());
        }
        let second = metrics.scalar(&scalar("loss/current", 2, 2.0)).unwrap();
        assert_eq!(second.learning_rate, 0.25, "{optimizer:?}");
    }
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

#[test]
fn a_pause_makes_no_step_slow_and_counts_until_the_end() {
    let mut metrics = metrics();
    metrics.bar(bar(1, None));
    let mut step_at = |step, wall_time| {
        let loss = scalar("loss/current", step, 1.0);
        let metrics = metrics.scalar(&Scalar { wall_time, ..loss }).unwrap();
        (metrics.step_ms, metrics.eta_seconds)
    };
    // Only the bar can say anything of the first.
    assert_eq!(step_at(1, 100.0), (500.0, 4.0));
    assert_eq!(step_at(2, 100.5), (500.0, 4.0));
    assert_eq!(step_at(3, 101.0), (500.0, 3.5));
    // Samples were rendered before it, and more are to come.
    assert_eq!(step_at(4, 104.5), (500.0, 9.0));
    assert_eq!(step_at(6, 105.5), (500.0, 4.4));
}

#[test]
fn the_last_step_of_an_epoch_belongs_to_it() {
    let mut metrics = metrics();
    metrics.batches(7);
    metrics.accumulation(2);
    // The line is there before the scalar.
    metrics.epoch(2, 3);
    let mut epoch_of = |step| {
        let metrics = metrics.scalar(&scalar("loss/current", step, 1.0)).unwrap();
        (metrics.epoch, metrics.n_epochs)
    };
    // Seven batches make four steps.
    assert_eq!(epoch_of(4), (1, 3));
    assert_eq!(epoch_of(5), (2, 3));
    assert_eq!(epoch_of(8), (2, 3));
    assert_eq!(epoch_of(9), (3, 3));
}

#[test]
fn a_run_that_goes_on_counts_from_where_it_was() {
    let mut metrics = after(6);
    metrics.batches(4);
    assert_eq!(metrics.newest_step(), 6);
    assert!(metrics.scalar(&scalar("loss/current", 0, 1.0)).is_none());
    let step = metrics.scalar(&scalar("loss/current", 1, 2.0)).unwrap();
    assert_eq!(
        (step.step, step.n_steps, step.epoch, step.n_epochs),
        (7, 10, 2, 3)
    );
    // By its own count this would be the first step of the warm-up.
    assert!(step.learning_rate > 0.1 && step.learning_rate < 0.9, "{step:?}");

    let mut metrics = after(6);
    let bars = (0..=4).map(|step| metrics.bar(bar(step, Some(0.5))));
    let steps: Vec<_> = bars.flatten().map(|metrics| metrics.step).collect();
    assert_eq!((steps, metrics.finish().unwrap().step), (vec![9], 10));
}
