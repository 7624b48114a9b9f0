//! Bootstrap intervals over prompts and seeds (Efron and Tibshirani 1993, chapter 13: the percentile interval).
//!
//! Pictures of one prompt resemble each other, so prompts are drawn first, and then pictures of each (the two-stage bootstrap
//! of clustered data, Davison and Hinkley 1997, section 3.8).

use diffusion::random::Random;

use super::stamp::Interval;

/// How often everything is drawn anew. Twice as often changes the ends by less than a tenth of the width.
const N_DRAWS: usize = 1000;
/// The same numbers give the same interval.
const SEED: u64 = 20_260_101;
/// What lies below and above a 95 % interval.
const TAIL: f64 = 0.025;

/// A function of the means of several numbers, which were measured together of each picture, in groups by prompt. What could
/// not be measured of a picture is NaN, and does not count. None if there is nothing, or the function gives no number.
pub(super) fn interval<const N: usize>(
    groups: &[Vec<[f64; N]>],
    of: impl Fn([f64; N]) -> f64,
) -> Option<Interval> {
    let groups: Vec<&Vec<[f64; N]>> = groups.iter().filter(|group| !group.is_empty()).collect();
    if groups.is_empty() {
        return None;
    }
    let all: Vec<&[f64; N]> = groups.iter().copied().flatten().collect();
    let value = of(means(&all));
    if !value.is_finite() {
        return None;
    }
    let mut random = Random::from_seed(SEED);
    let mut pick = |n: usize| random.integer(0..n as u32) as usize;
    let mut found = Vec::with_capacity(N_DRAWS);
    let mut drawn = Vec::with_capacity(all.len());
    for _ in 0..N_DRAWS {
        drawn.clear();
        for _ in 0..groups.len() {
            let group = groups[pick(groups.len())];
            for _ in 0..group.len() {
                drawn.push(&group[pick(group.len())]);
            }
        }
        let value = of(means(&drawn));
        if value.is_finite() {
            found.push(value);
        }
    }
    found.sort_by(f64::total_cmp);
    let at = |share: f64| quantile(&found, share).unwrap_or(value);
    Some(Interval {
        value,
        low: at(TAIL),
        high: at(1.0 - TAIL),
    })
}

/// The mean of each column over the rows that have a number there; NaN for a column without one.
fn means<const N: usize>(rows: &[&[f64; N]]) -> [f64; N] {
    std::array::from_fn(|at| {
        let known: Vec<f64> = rows.iter().map(|row| row[at]).filter(|x| !x.is_nan()).collect();
        known.iter().sum::<f64>() / known.len() as f64
    })
}

/// A quantile of sorted numbers, between two of them by a straight line.
pub(super) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = share * last as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    Some(below + (above - below) * at.fract())
}

/// Mean; 0 of nothing.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut n) = (0.0, 0);
    for value in values {
        sum += value;
        n += 1;
    }
    sum / f64::from(n.max(1))
}

#[cfg(test)]
mod tests;
