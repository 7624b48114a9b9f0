//! Which of the trained timesteps a sampler visits.

use super::{SchedulerConfig, StepCount, TimestepSpacing};

/// Timesteps of the first-order samplers, from noisy to clean. `linspace` leaves them fractional.
pub(super) fn first_order(config: &SchedulerConfig, n_steps: StepCount) -> Vec<f64> {
    let n = n_steps.get();
    let n_train = config.num_train_timesteps;
    match config.timestep_spacing {
        TimestepSpacing::Linspace => linspace(n_train, n, n - 1),
        TimestepSpacing::Leading => leading(n_train / n, 0..n, config.steps_offset),
        TimestepSpacing::Trailing => trailing(n_train, n),
    }
}

/// Timesteps of DPM-Solver++, which leaves out the cleanest one of a plan that is one step longer.
pub(super) fn second_order(config: &SchedulerConfig, n_steps: StepCount) -> Vec<f64> {
    let n = n_steps.get();
    let n_train = config.num_train_timesteps;
    let timesteps = match config.timestep_spacing {
        TimestepSpacing::Linspace => linspace(n_train, n, n),
        TimestepSpacing::Leading => leading(n_train / (n + 1), 1..n + 1, config.steps_offset),
        TimestepSpacing::Trailing => trailing(n_train, n),
    };
    timesteps.into_iter().map(f64::round_ties_even).collect()
}

/// The `n` noisiest of the timesteps that cut the trained range into `n_intervals`.
fn linspace(n_train: usize, n: usize, n_intervals: usize) -> Vec<f64> {
    let stride = (n_train - 1) as f64 / n_intervals.max(1) as f64;
    (0..n_intervals + 1)
        .rev()
        .take(n)
        .map(|i| f64::from((i as f64 * stride) as f32))
        .collect()
}

fn leading(stride: usize, multiples: std::ops::Range<usize>, offset: usize) -> Vec<f64> {
    multiples.rev().map(|i| (i * stride + offset) as f64).collect()
}

fn trailing(n_train: usize, n: usize) -> Vec<f64> {
    let stride = n_train as f64 / n as f64;
    (0..n)
        .map(|i| (n_train as f64 - i as f64 * stride).round_ties_even() - 1.0)
        .collect()
}
