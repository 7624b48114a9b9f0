//! Two trainings of the same recipe side by side: losses, learning rates, and time.
//!
//! Engines draw noise, timesteps and the order of pictures from generators of their own, so the losses of one step
//! have nothing to do with each other. What can agree are means, and how far apart two of them may be by chance is
//! what their standard errors say.

use std::collections::BTreeMap;

use protocol::event::StepMetrics;
use serde::{Deserialize, Serialize};

/// Learning rates that differ by less are the same: single precision has 24 bits.
pub const RATE_TOLERANCE: f64 = 1e-6;

/// Part of a training at either end that is compared by itself.
const PART: usize = 10;

/// What two trainings have in common and what not. The first of each pair belongs to the first training.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunComparison {
    /// Steps that each has.
    pub n_steps: [usize; 2],
    /// Steps that only one of them has.
    pub n_unpaired: usize,
    /// Losses of all steps.
    pub whole: MeanPair,
    /// Of the first tenth.
    pub first_tenth: MeanPair,
    /// Of the last tenth.
    pub last_tenth: MeanPair,
    /// The schedules.
    pub learning_rates: RateComparison,
    /// Median of a step's time.
    pub step_ms: [Option<f64>; 2],
}

/// A mean and how certain it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// Values.
    pub n: usize,
    /// Their mean; absent if there are none.
    pub mean: Option<f64>,
    /// Its standard error, if the values have nothing to do with each other; absent for fewer than two.
    pub standard_error: Option<f64>,
}

/// Two means.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanPair {
    /// Of each training.
    pub means: [Mean; 2],
    /// The second minus the first.
    pub difference: Option<f64>,
    /// The same in standard errors of the difference.
    pub in_standard_errors: Option<f64>,
}

/// Two schedules of learning rates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RateComparison {
    /// Steps that both have.
    pub n_compared: usize,
    /// The largest difference, relative to the highest rate.
    pub largest_difference: f64,
    /// Whether all are equal to within [`RATE_TOLERANCE`].
    pub are_equal: bool,
}

/// Compares two trainings by their steps, each in order.
pub fn compare(left: &[StepMetrics], right: &[StepMetrics]) -> RunComparison {
    let both = [left, right];
    let losses = both.map(|steps| steps.iter().map(|step| step.loss).collect::<Vec<_>>());
    let part = |of: fn(&[f64]) -> &[f64]| MeanPair::of([of(&losses[0]), of(&losses[1])]);
    let rates: BTreeMap<u32, f64> = left.iter().map(|step| (step.step, step.learning_rate)).collect();
    let n_paired = right.iter().filter(|step| rates.contains_key(&step.step)).count();
    RunComparison {
        n_steps: both.map(<[_]>::len),
        n_unpaired: left.len() + right.len() - 2 * n_paired,
        whole: part(|losses| losses),
        first_tenth: part(|losses| &losses[..tenth(losses.len())]),
        last_tenth: part(|losses| &losses[losses.len() - tenth(losses.len())..]),
        learning_rates: RateComparison::of(&rates, right),
        step_ms: both.map(|steps| median(steps.iter().map(|step| step.step_ms).collect())),
    }
}

/// Steps in a tenth; two at least, since one has no standard error.
fn tenth(n_steps: usize) -> usize {
    n_steps.div_ceil(PART).max(2).min(n_steps)
}

impl Mean {
    /// Of values that are independent of each other. What is not finite makes it so.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len();
        if n == 0 {
            return Self {
                n,
                mean: None,
                standard_error: None,
            };
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            n,
            mean: Some(mean),
            standard_error: (n > 1).then(|| (squares / (n - 1) as f64 / n as f64).sqrt()),
        }
    }
}

impl MeanPair {
    /// Of the values of both.
    pub fn of(values: [&[f64]; 2]) -> Self {
        let means = values.map(Mean::of);
        let [left, right] = means;
        let difference = right.mean.zip(left.mean).map(|(right, left)| right - left);
        let error = right.standard_error.zip(left.standard_error);
        let error = error
            .map(|(right, left)| right.hypot(left))
            .filter(|error| *error > 0.0);
        Self {
            means,
            difference,
            in_standard_errors: difference
                .zip(error)
                .map(|(difference, error)| difference / error),
        }
    }
}

impl RateComparison {
    fn of(left: &BTreeMap<u32, f64>, right: &[StepMetrics]) -> Self {
        let pairs: Vec<(f64, f64)> = right
            .iter()
            .filter_map(|step| Some((*left.get(&step.step)?, step.learning_rate)))
            .collect();
        let highest = pairs.iter().flat_map(|(a, b)| [*a, *b]).fold(0.0, f64::max);
        let largest = pairs.iter().map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let largest_difference = if highest > 0.0 { largest / highest } else { 0.0 };
        Self {
            n_compared: pairs.len(),
            largest_difference,
            are_equal: !pairs.is_empty() && largest_difference <= RATE_TOLERANCE,
        }
    }
}

/// The middle value.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Means over a window around each value; narrower at both ends, so that it is always in the middle.
pub fn smoothed(values: &[f64], radius: usize) -> Vec<f64> {
    let n = values.len();
    (0..n)
        .map(|at| {
            let reach = radius.min(at).min(n - 1 - at);
            let window = &values[at - reach..=at + reach];
            window.iter().sum::<f64>() / window.len() as f64
        })
        .collect()
}

#[cfg(test)]
mod tests;
