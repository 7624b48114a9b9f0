//! Finds pictures that show nearly the same without comparing each with all.
//!
//! Of two such pictures, [`MOST_DIFFERENT`] signs differ at most. So one of [`N_SLICES`] slices of their hashes has none that
//! does, and each picture is only compared with those that agree in a slice (Norouzi, Punjani and Fleet, "Fast search in
//! Hamming space with multi-index hashing", 2012). A coefficient that is too small to have a sign agrees with both: the
//! picture stands under all signs of those. One that would stand under too many is compared with all.

use protocol::finding::Measures;

use crate::picture::{self, Hash, LEAST_COMMON, MOST_DIFFERENT};

const N_SLICES: usize = MOST_DIFFERENT as usize + 1;
/// Bits of a slice: all but the mean's, which has no sign.
const SLICE_BITS: usize = 63_usize.div_ceil(N_SLICES);
/// Places at which one picture may stand, in all slices together.
const MOST_PLACES: usize = 64;

/// Pictures to compare others with.
#[derive(Debug)]
pub(super) struct Near {
    /// The index that each was added with, in rising order, and its hash.
    pictures: Vec<(usize, Hash)>,
    /// By slice and signs in it, which of them agree with these signs, in rising order.
    agreeing: Vec<Vec<u32>>,
    /// Those that are compared with all.
    faint: Vec<u32>,
    /// Pairs of hashes that were compared.
    n_compared: u64,
}

impl Default for Near {
    fn default() -> Self {
        Self {
            pictures: Vec::new(),
            agreeing: vec![Vec::new(); N_SLICES << SLICE_BITS],
            faint: Vec::new(),
            n_compared: 0,
        }
    }
}

impl Near {
    /// Adds a picture; each has a higher index than the one before.
    pub(super) fn add(&mut self, index: usize, measures: &Measures) {
        if measures.strong.count_ones() < LEAST_COMMON {
            return; // it is near nothing
        }
        let hash = (measures.signs, measures.strong);
        let at = u32::try_from(self.pictures.len()).expect("a dataset has fewer pictures");
        self.pictures.push((index, hash));
        match places(hash) {
            Some(places) => places.for_each(|place| self.agreeing[place].push(at)),
            None => self.faint.push(at),
        }
    }

    /// The index of the first picture that shows nearly the same.
    pub(super) fn first(&mut self, measures: &Measures) -> Option<usize> {
        if measures.strong.count_ones() < LEAST_COMMON {
            return None;
        }
        let views = picture::views(measures);
        let mut first = None;
        let mut n_compared = 0;
        for view in views {
            let mut look = |candidates: &mut dyn Iterator<Item = u32>| {
                for at in candidates {
                    if first.is_some_and(|first| at >= first) {
                        break;
                    }
                    n_compared += 1;
                    if picture::is_same_view(view, self.pictures[at as usize].1) {
                        first = Some(at);
                        break;
                    }
                }
            };
            match places(view) {
                Some(places) => {
                    places.for_each(|place| look(&mut self.agreeing[place].iter().copied()));
                    look(&mut self.faint.iter().copied());
                }
                None => look(&mut (0..self.pictures.len() as u32)),
            }
        }
        self.n_compared += n_compared;
        Some(self.pictures[first? as usize].0)
    }
}

/// Where a hash stands in [`Near::agreeing`]: under all signs that the coefficients without one may have. None if these are
/// too many.
fn places((signs, strong): Hash) -> Option<impl Iterator<Item = usize>> {
    let slices: Vec<(usize, usize)> = (0..N_SLICES)
        .map(|slice| (gathered(signs & strong, slice), gathered(!strong, slice)))
        .collect();
    let n_places: usize = slices.iter().map(|(_, free)| 1 << free.count_ones()).sum();
    let of_slice = |(slice, (signs, free)): (usize, (usize, usize))| {
        // All subsets of the free bits, from all of them down to none.
        let subsets = std::iter::successors(Some(free), move |subset| {
            subset.checked_sub(1).map(|less| less & free)
        });
        subsets.map(move |subset| slice << SLICE_BITS | signs | subset)
    };
    (n_places <= MOST_PLACES).then(|| slices.into_iter().enumerate().flat_map(of_slice))
}

/// The bits of a slice side by side: every [`N_SLICES`]th, so that each slice has low and high frequencies.
fn gathered(bits: u64, slice: usize) -> usize {
    let of_slice = (slice + 1..64).step_by(N_SLICES);
    of_slice
        .enumerate()
        .map(|(to, from)| usize::from(bits >> from & 1 == 1) << to)
        .sum()
}

#[cfg(test)]
mod tests;
