//! Loops compiled for the best instruction set that the processor has, and the few functions they need.

use pulp::Arch;

/// A loop to be compiled for several instruction sets: the arguments are its fields.
///
/// `call` has to be marked `#[inline(always)]`, and so has everything large that it calls: only what is inlined is
/// compiled anew for the instruction set, the rest stays at the baseline, where even `mul_add` is a function call.
/// Plain functions passed as values are not inlined reliably.
pub use pulp::NullaryFnOnce as Kernel;

/// Runs a kernel compiled for AVX2, AVX-512 or NEON, whichever there is.
#[inline(always)]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    Arch::new().dispatch(kernel)
}

/// Independent sums that a reduction keeps, so that it vectorizes; also fixes the order of its additions.
const LANES: usize = 32;

/// e^x within 2 units in the last place; 0 below -87.3, inf is never returned (the largest result is about 2e38).
///
/// Range reduction to x = n ln 2 + r and the Taylor polynomial of e^r for |r| <= ln 2 / 2.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LN2_HI: f32 = 0.693_359_4; // ln 2 in two parts, the first with 9 bits, so that n * LN2_HI is exact
    const LN2_LO: f32 = -2.121_944_4e-4;
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
    let x = x.clamp(-87.3, 88.3);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN2_LO, n.mul_add(-LN2_HI, x));
    let p = (1.0f32 / 5040.0).mul_add(r, 1.0 / 720.0);
    let p = p.mul_add(r, 1.0 / 120.0);
    let p = p.mul_add(r, 1.0 / 24.0);
    let p = p.mul_add(r, 1.0 / 6.0);
    let p = p.mul_add(r, 0.5);
    let p = (p * r).mul_add(r, r) + 1.0;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    p * power
}

/// The error function within 2e-7: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
///
/// `gauss` is e^(-x²), which callers have at hand.
#[inline(always)]
pub fn erf(x: f32, gauss: f32) -> f32 {
    let t = 1.0 / 0.327_591_1f32.mul_add(x.abs(), 1.0);
    let p = 1.061_405_4f32.mul_add(t, -1.453_152);
    let p = p.mul_add(t, 1.421_413_7);
    let p = p.mul_add(t, -0.284_496_74);
    let p = p.mul_add(t, 0.254_829_6);
    (p * t).mul_add(-gauss, 1.0).copysign(x)
}

/// Sum of a slice.
#[inline(always)]
pub fn sum(values: &[f32]) -> f32 {
    fold(values, |acc, v| acc + v)
}

/// Sum of the squared differences from `center`.
#[inline(always)]
pub fn sum_squares(values: &[f32], center: f32) -> f32 {
    fold(values, |acc, v| {
        let d = v - center;
        d.mul_add(d, acc)
    })
}

/// Largest value; NaN is skipped (it shows in the sums that follow).
#[inline(always)]
pub fn max(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane = if v > *lane { v } else { *lane };
        }
    }
    let mut best = f32::NEG_INFINITY;
    for &v in lanes.iter().chain(rest) {
        best = if v > best { v } else { best };
    }
    best
}

/// Scalar product of two slices of the same length.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_chunks.remainder(), b_chunks.remainder());
    for (a, b) in a_chunks.zip(b_chunks) {
        for i in 0..LANES {
            lanes[i] = a[i].mul_add(b[i], lanes[i]);
        }
    }
    for ((lane, &a), &b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane = a.mul_add(b, *lane);
    }
    combine(lanes)
}

#[inline(always)]
fn fold(values: &[f32], step: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = step(lanes[i], chunk[i]);
        }
    }
    for (lane, &v) in lanes.iter_mut().zip(rest) {
        *lane = step(*lane, v);
    }
    combine(lanes)
}

#[inline(always)]
fn combine(lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    let mut lanes = lanes;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}
