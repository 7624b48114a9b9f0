//! How much of a change is kept: a rank, or a share of its singular values.

use super::factors::Layer;

/// Changes with no larger singular value than this are none (`MIN_SV` of sd-scripts' `resize_lora.py`).
const NONE: f64 = 1e-6;

/// How much is kept of every module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Keep {
    /// What decides; without it the ranks alone.
    pub energy: Option<Energy>,
    /// Largest rank.
    pub rank: usize,
    /// Largest rank of convolutions with a kernel of more than one pixel.
    pub conv_rank: usize,
}

/// Rules by which sd-scripts' `resize_lora.py` finds a rank from the singular values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Energy {
    /// As many as hold this share of the Frobenius norm (`sv_fro`), from 0 to 1.
    Frobenius(f64),
    /// As many as hold this share of the sum of all values (`sv_cumulative`), from 0 to 1.
    Sum(f64),
    /// Those larger than the largest over this (`sv_ratio`), at least 1.
    Ratio(f64),
}

impl Energy {
    /// Its name among sd-scripts' options, and its number.
    pub fn describe(&self) -> String {
        match self {
            Self::Frobenius(share) => format!("sv_fro {share}"),
            Self::Sum(share) => format!("sv_cumulative {share}"),
            Self::Ratio(ratio) => format!("sv_ratio {ratio}"),
        }
    }

    /// `square` is that of all values, of which `values` may be the largest alone.
    fn rank(&self, values: &[f64], square: f64) -> usize {
        match *self {
            Self::Frobenius(share) => {
                reaching(values.iter().map(|value| value * value), square, share * share)
            }
            Self::Sum(share) => reaching(values.iter().copied(), values.iter().sum(), share),
            Self::Ratio(ratio) => {
                let bound = values.first().copied().unwrap_or(0.0) / ratio;
                values.iter().filter(|value| **value > bound).count()
            }
        }
    }
}

/// How many numbers from the first on reach a share of the whole.
fn reaching(numbers: impl Iterator<Item = f64>, whole: f64, share: f64) -> usize {
    let mut sum = 0.0;
    let before = numbers.take_while(|number| {
        sum += number;
        sum / whole < share
    });
    before.count() + 1
}

impl Keep {
    /// No more than a rank, of convolutions too.
    pub fn rank_of(rank: usize) -> Self {
        Self {
            energy: None,
            rank,
            conv_rank: rank,
        }
    }

    /// The largest rank of a layer.
    pub fn at_most(&self, layer: Layer) -> usize {
        if layer.is_spatial() {
            self.conv_rank
        } else {
            self.rank
        }
    }

    /// The rank for a module with these singular values, the largest first: at least 1, and no value of 0 is kept.
    pub fn rank(&self, values: &[f64], layer: Layer) -> usize {
        let square = values.iter().map(|value| value * value).sum();
        self.rank_within(values, square, layer)
    }

    /// The same where only the largest values are known: the sum of the squares of all is `square`. A share of the sum
    /// of values is then one of the sum of those that are known.
    pub(super) fn rank_within(&self, values: &[f64], square: f64, layer: Layer) -> usize {
        let largest = values.first().copied().unwrap_or(0.0);
        if largest <= NONE {
            return 1;
        }
        let n_real = values
            .iter()
            .filter(|value| **value > f64::EPSILON * largest)
            .count();
        let wanted = self.energy.map_or(n_real, |energy| energy.rank(values, square));
        wanted.min(self.at_most(layer)).clamp(1, n_real.max(1))
    }
}
