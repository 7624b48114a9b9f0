//! Whether a drawn picture is a copy: it is nearer to a training picture than training pictures are to each other, and the
//! base's picture of the same prompt and seed is not.
//!
//! That needs no threshold (the nearest-neighbor test of Somepalli et al. 2022, arXiv:2212.03860, with the dataset's own
//! distances in place of a fixed one).

/// The nearest training picture of a drawn one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Nearest {
    /// Its index.
    pub(super) index: usize,
    /// Its distance, as a multiple of the dataset's [`line`].
    pub(super) distance: f64,
}

/// The distance below which a picture is like a training picture: the least distance between two of those, but no less than
/// half of what is usual between neighbors (the median), so that near-duplicates do not make it useless. None if there are not
/// two different pictures. `distances` are those between all, in rows.
pub(super) fn line(distances: &[Vec<f64>]) -> Option<f64> {
    let nearest = |row: &Vec<f64>| {
        let others = row.iter().copied().filter(|distance| *distance > 0.0);
        others.min_by(f64::total_cmp)
    };
    let mut nearest: Vec<f64> = distances.iter().filter_map(nearest).collect();
    nearest.sort_by(f64::total_cmp);
    let least = nearest.first().copied()?;
    // The upper one of two in the middle: one pair of near-duplicates is half of four pictures.
    let median = nearest[nearest.len() / 2];
    Some(least.max(median / 2.0))
}

/// Whether a picture is a copy, by what is nearest to it and to the base's of the same prompt and seed: what the base draws by
/// itself is not learned by heart.
pub(super) fn is_copy(lora: &Nearest, base: &Nearest) -> bool {
    lora.distance < 1.0 && base.distance >= 1.0
}

/// The nearest training picture by the distances to all of them.
pub(super) fn nearest(distances: &[f64], line: f64) -> Option<Nearest> {
    let (index, distance) = distances
        .iter()
        .copied()
        .enumerate()
        .min_by(|(_, a), (_, b)| a.total_cmp(b))?;
    Some(Nearest {
        index,
        distance: distance / line,
    })
}

/// Root of the mean squared difference between two pictures of the same size.
pub(super) fn apart(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    (squares.sum::<f64>() / a.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests;
