//! Numbers in eight bits: blocks with a scale each, and codes with more of them near zero (Dettmers et al. 2022, "8-bit
//! Optimizers via Block-wise Quantization").

use std::sync::LazyLock;

/// Numbers that share a scale.
pub const BLOCK: usize = 256;

/// What each code stands for, in rising order; the largest is 1.
pub type Codebook = [f32; 256];

/// Codes of numbers of either sign: a first moment.
pub static SIGNED: LazyLock<Codebook> = LazyLock::new(|| codebook(true));

/// Codes of numbers that are never negative: a second moment.
pub static UNSIGNED: LazyLock<Codebook> = LazyLock::new(|| codebook(false));

/// What the exponent's bits stand for, from all of them to none.
const SCALES: [f32; 7] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0];

/// The dynamic data type of Dettmers 2015 ("8-Bit Approximations for Parallelism in Deep Learning"): the decimal exponent
/// takes as many bits as it is below zero, and what is left divides 0.1 to 1 evenly. 0 and 1 have codes of their own.
fn codebook(is_signed: bool) -> Codebook {
    let mut values = vec![0.0, 1.0];
    for (bits, scale) in SCALES.into_iter().enumerate() {
        let n = if is_signed { 1 << bits } else { 2 << bits };
        for pair in boundaries(n).windows(2) {
            let value = scale * ((pair[0] + pair[1]) / 2.0);
            values.push(value);
            if is_signed {
                values.push(-value);
            }
        }
    }
    values.sort_by(f32::total_cmp);
    values.try_into().expect("2 and twice 127, or 2 and 254")
}

/// `n` even steps from 0.1 to 1: `torch.linspace`, which counts from both ends.
fn boundaries(n: usize) -> Vec<f32> {
    let step = (1.0 - 0.1f32) / n as f32;
    let boundary = |i: usize| {
        if i < n.div_ceil(2) {
            0.1 + step * i as f32
        } else {
            1.0 - step * (n - i) as f32
        }
    };
    (0..=n).map(boundary).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `create_dynamic_map` of bitsandbytes 0.50 has them: numbers by their place.
    #[test]
    fn the_codes_are_those_of_bitsandbytes() {
        for codes in [&*SIGNED, &*UNSIGNED] {
            assert!(codes.windows(2).all(|pair| pair[0] < pair[1]));
        }
        let check = |codes: &Codebook, expected: &[(usize, f32)]| {
            for &(code, expected) in expected {
                assert!(
                    (codes[code] - expected).abs() <= 2e-7 * expected.abs(),
                    "{code}: {}",
                    codes[code]
                );
            }
        };
        let signed = [
            (0, -0.992_968_75),
            (126, -5.5e-7),
            (127, 0.0),
            (128, 5.5e-7),
            (254, 0.992_968_75),
            (255, 1.0),
        ];
        check(&SIGNED, &signed);
        let unsigned = [
            (0, 0.0),
            (1, 3.25e-7),
            (2, 7.75e-7),
            (254, 0.996_484_4),
            (255, 1.0),
        ];
        check(&UNSIGNED, &unsigned);
    }
}
