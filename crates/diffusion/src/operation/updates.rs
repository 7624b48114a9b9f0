//! What one step of an optimizer does, with everything that depends on the step alone worked out; and where.

use std::ops::Range;

/// Neighboring parameters that an update changes, and where their state lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first of them in the buffer of the parameters, and in that of the gradients.
    pub start: usize,
    /// How many.
    pub len: usize,
    /// Where their state begins in the buffers of the optimizer.
    pub state: usize,
}

impl Span {
    /// Parameters whose state lies in buffers that are parallel to theirs.
    pub fn parallel(range: Range<usize>) -> Self {
        Self {
            start: range.start,
            len: range.len(),
            state: range.start,
        }
    }

    /// Where the parameters and their gradients lie.
    pub fn values(self) -> Range<usize> {
        self.start..self.start + self.len
    }

    /// Where their state lies.
    pub fn states(self) -> Range<usize> {
        self.state..self.state + self.len
    }
}

/// How a running mean m takes a number x in: `m = m keep + x take`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Running {
    /// Share of itself that it keeps.
    pub keep: f32,
    /// Factor of what comes.
    pub take: f32,
}

impl Running {
    /// An exponential moving average: β of itself and 1 − β of what comes.
    pub fn of(beta: f64) -> Self {
        Self::scaled(beta, 1.0)
    }

    /// An exponential moving average of numbers times a factor.
    pub fn scaled(beta: f64, factor: f64) -> Self {
        Self {
            keep: beta as f32,
            take: ((1.0 - beta) * factor) as f32,
        }
    }
}

/// One step of AdamW.
///
/// For a weight w with gradient g and moments m and v: `m += (g − m) first`, `v = v beta2 + g² second`,
/// `w = w decay − step m / (√v inv_root2 + eps)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWUpdate {
    /// 1 − learning rate · weight decay.
    pub decay: f32,
    /// 1 − β₁.
    pub first: f32,
    /// β₂.
    pub beta2: f32,
    /// 1 − β₂.
    pub second: f32,
    /// 1 / √(1 − β₂ᵗ).
    pub inv_root2: f32,
    /// ε.
    pub eps: f32,
    /// Learning rate / (1 − β₁ᵗ).
    pub step: f32,
}

/// One step of Lion.
///
/// For a weight w with gradient g and momentum m: `w = w decay − rate sign(m looks ahead to g)`, then `m` takes g in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LionUpdate {
    /// 1 − learning rate · weight decay.
    pub decay: f32,
    /// Learning rate.
    pub rate: f32,
    /// How the momentum looks ahead: β₁.
    pub ahead: Running,
    /// The momentum: β₂.
    pub first: Running,
}

/// One step of Adafactor on one matrix.
///
/// With R and C the running means of `g² + eps` over each row and each column, the direction is
/// `u = g / √(Rᵢ Cⱼ / mean(R))`, divided by `max(1, rms(u) / clip)`. Then `w = w (1 − α weight_decay) − α u`, where α is the
/// rate, times `max(floor, rms(w))` if there is a floor. With a momentum, it takes `α u` in and is what w moves by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdafactorUpdate {
    /// The momentum, where there is one.
    pub first: Option<Running>,
    /// The means of rows and columns.
    pub second: Running,
    /// Added to squared gradients.
    pub eps: f32,
    /// Root mean square that a direction is scaled down to.
    pub clip: f32,
    /// Learning rate.
    pub rate: f32,
    /// The least root mean square of a matrix that the rate is multiplied by; none for a rate that ignores the matrix.
    pub floor: Option<f32>,
    /// Share of the weights, times the learning rate, that each step takes off.
    pub weight_decay: f32,
}

/// One step of CAME on one matrix.
///
/// The direction u is Adafactor's, and the momentum m takes it in. With the running row and column means of
/// `(u − m)² + eps2`, approximated as Adafactor does it, `w = w decay − rate m / √that`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CameUpdate {
    /// 1 − learning rate · weight decay.
    pub decay: f32,
    /// Learning rate.
    pub rate: f32,
    /// The momentum: β₁.
    pub first: Running,
    /// The means of squared gradients: β₂.
    pub second: Running,
    /// The means of the instability: β₃.
    pub third: Running,
    /// Added to squared gradients.
    pub eps1: f32,
    /// Added to the instability.
    pub eps2: f32,
    /// Root mean square that a direction is scaled down to.
    pub clip: f32,
}

/// What Prodigy and D-Adaptation take from the gradients of one step, before anything moves.
///
/// With `g' = g + coupled w`, the moments m and v take g' and g'² in, and the weighted sum s takes g' in. Prodigy may leave
/// parameters out of the sum, which keep a sum of 0, and out of the estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptUpdate {
    /// Share of the weight that is added to its gradient: weight decay that is not decoupled.
    pub coupled: f32,
    /// The first moment.
    pub first: Running,
    /// The second moment.
    pub second: Running,
    /// The weighted sum.
    pub sum: Running,
    /// Added to √v before it divides.
    pub eps: f32,
    /// Only every so many parameters of a span count for the sum and the estimate, from its first.
    pub stride: usize,
}

/// A move along moments that were brought up to date before: `w = w decay − step m / (√v + eps)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamMove {
    /// What is left of the weight.
    pub decay: f32,
    /// Factor of the direction.
    pub step: f32,
    /// Added to the denominator.
    pub eps: f32,
}

/// How far one step of an optimizer without a schedule moves, for the direction n.
///
/// The weight y that is trained lies between the average x and the point z of gradient descent: `n += weight_decay y`,
/// `y += (z − y) share`, `y −= n y_rate`, `z −= n rate`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScheduleFreeMove {
    /// Weight decay.
    pub weight_decay: f32,
    /// Weight of this step in the average.
    pub share: f32,
    /// Learning rate.
    pub rate: f32,
    /// Learning rate · (1 − β₁ (1 − share)).
    pub y_rate: f32,
}

impl ScheduleFreeMove {
    /// With the learning rate and the share of the average in full precision.
    pub fn new(rate: f64, share: f64, beta1: f64, weight_decay: f64) -> Self {
        Self {
            weight_decay: weight_decay as f32,
            share: share as f32,
            rate: rate as f32,
            y_rate: (rate * (1.0 - beta1 * (1.0 - share))) as f32,
        }
    }
}

/// One step of schedule-free AdamW: the second moment v takes g² in, and the direction is `g / (√(v inv2) + eps)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScheduleFreeUpdate {
    /// The second moment: β₂.
    pub second: Running,
    /// 1 / (1 − β₂ᵗ).
    pub inv2: f32,
    /// ε.
    pub eps: f32,
    /// The move.
    pub step: ScheduleFreeMove,
}

/// One step of schedule-free Prodigy on one matrix.
///
/// The weighted sum s takes g in, the second moment v takes g² in, and the direction is `g d / (√v + eps)`, divided by
/// `√max(1, rms)` of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProdigyScheduleFreeUpdate {
    /// Estimate of the distance.
    pub d: f32,
    /// The second moment: β₂, and d² of what comes.
    pub second: Running,
    /// The weighted sum.
    pub sum: Running,
    /// d ε.
    pub eps: f32,
    /// Only every so many numbers of a matrix count for the estimate.
    pub stride: usize,
    /// The move.
    pub step: ScheduleFreeMove,
}

/// What an optimizer that estimates its own learning rate takes from its gradients.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Estimate {
    /// Scalar product of the gradients with what the optimizer compares them with.
    pub product: f64,
    /// Sum of the magnitudes of the weighted sum of gradients.
    pub magnitude: f64,
}

impl std::ops::AddAssign for Estimate {
    fn add_assign(&mut self, other: Self) {
        self.product += other.product;
        self.magnitude += other.magnitude;
    }
}
