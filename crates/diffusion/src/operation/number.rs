//! Kinds of numbers that weights are stored in, and how they become `f32`.

/// A kind of floating-point number, as weight files hold it: little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// Single precision.
    F32,
    /// Half precision: 11 bits, up to 65504.
    F16,
    /// 8 bits in the range of `f32`.
    Bf16,
    /// 4 bits of exponent and 3 of fraction, without infinities.
    E4m3,
    /// The upper half of an `F16`.
    E5m2,
}

impl Number {
    /// Bytes of each.
    pub const fn n_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::E4m3 | Self::E5m2 => 1,
        }
    }

    /// The numbers in `bytes` as `f32`, which holds each exactly. `into` has a place for each.
    ///
    /// Inlined, so that a kernel that calls it compiles it for its own instruction set.
    #[inline(always)]
    pub fn widen(self, bytes: &[u8], into: &mut [f32]) {
        match self {
            Self::F32 => each(bytes, into, f32::from_le_bytes),
            Self::F16 => each(bytes, into, |bytes| from_f16(u16::from_le_bytes(bytes))),
            Self::Bf16 => each(bytes, into, |bytes| {
                f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)
            }),
            Self::E4m3 => each(bytes, into, |[byte]| E4M3[usize::from(byte)]),
            Self::E5m2 => each(bytes, into, |[byte]| from_f16(u16::from(byte) << 8)),
        }
    }

    /// Whether none of the numbers in `bytes` is infinite or none at all.
    pub fn are_finite(self, bytes: &[u8]) -> bool {
        match self {
            Self::F32 => largest(bytes, |b| u32::from_le_bytes(b) & 0x7fff_ffff) < f32::INFINITY.to_bits(),
            Self::F16 => largest(bytes, |b| u32::from(u16::from_le_bytes(b) & 0x7fff)) < 0x7c00,
            Self::Bf16 => largest(bytes, |b| u32::from(u16::from_le_bytes(b) & 0x7fff)) < 0x7f80,
            Self::E4m3 => largest(bytes, |[byte]| u32::from(byte & 0x7f)) < 0x7f,
            Self::E5m2 => largest(bytes, |[byte]| u32::from(byte & 0x7f)) < 0x7c,
        }
    }
}

#[inline(always)]
fn each<const N: usize>(bytes: &[u8], into: &mut [f32], number: impl Fn([u8; N]) -> f32) {
    let (numbers, _) = bytes.as_chunks::<N>();
    for (into, bytes) in into.iter_mut().zip(numbers) {
        *into = number(*bytes);
    }
}

/// The largest of some bits of all numbers, found without a branch.
fn largest<const N: usize>(bytes: &[u8], bits: impl Fn([u8; N]) -> u32) -> u32 {
    let (numbers, _) = bytes.as_chunks::<N>();
    numbers.iter().map(|number| bits(*number)).fold(0, u32::max)
}

/// Half precision by arithmetic on whole numbers, of which a compiler makes vectors. No `f32` on the way is denormal: those
/// are slow on many processors, and among the weights of a model there are always some that small.
#[inline(always)]
fn from_f16(half: u16) -> f32 {
    let size = u32::from(half & 0x7fff);
    // Infinity and NaN have the largest exponent in either kind.
    let rebias = if size >= 0x7c00 {
        2 * (112 << 23)
    } else {
        112 << 23
    };
    let normal = (size << 13) + rebias;
    let small = (size as i32 as f32 * (1.0 / (1 << 24) as f32)).to_bits();
    let size = if size < 0x400 { small } else { normal };
    f32::from_bits(size | u32::from(half & 0x8000) << 16)
}

/// Micikevicius et al. 2022, *FP8 Formats for Deep Learning*, table 1.
static E4M3: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (exponent, fraction) = ((byte as u32 >> 3) & 0xf, byte as u32 & 7);
        // Of a denormal number the fraction is a whole number of 2^-9.
        let size = match (exponent, fraction) {
            (0xf, 7) => f32::NAN,
            (0, _) => fraction as f32 / 512.0,
            _ => f32::from_bits((exponent + 120) << 23 | fraction << 20),
        };
        table[byte] = if byte < 128 { size } else { -size };
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::Number;

    fn widened(number: Number, bytes: &[u8]) -> Vec<f32> {
        let mut values = vec![0.0; bytes.len() / number.n_bytes()];
        number.widen(bytes, &mut values);
        values
    }

    #[test]
    fn every_half_becomes_the_same_number() {
        let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let (halves, brains) = (widened(Number::F16, &bytes), widened(Number::Bf16, &bytes));
        for (bits, (half, brain)) in (0..=u16::MAX).zip(halves.into_iter().zip(brains)) {
            for (found, expected) in [
                (half, half::f16::from_bits(bits).to_f32()),
                (brain, half::bf16::from_bits(bits).to_f32()),
            ] {
                let is_same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
                assert!(is_same, "{bits:#x}: {found}, expected {expected}");
            }
        }
    }

    /// Against the table of the paper and `torch.float8_e4m3fn`.
    #[test]
    fn small_floats() {
        for (byte, number) in [
            (0x00, 0.0),
            (0x01, 2f32.powi(-9)),
            (0x07, 0.875 * 2f32.powi(-6)),
            (0x08, 2f32.powi(-6)),
            (0x38, 1.0),
            (0x3c, 1.5),
            (0x7e, 448.0),
            (0xb8, -1.0),
            (0xfe, -448.0),
        ] {
            assert_eq!(widened(Number::E4m3, &[byte]), [number], "{byte:#x}");
        }
        assert!(
            widened(Number::E4m3, &[0x7f, 0xff])
                .iter()
                .all(|number| number.is_nan())
        );
        assert_eq!(widened(Number::E5m2, &[0x3c, 0xbc, 0x7b]), [1.0, -1.0, 57344.0]);
    }

    #[test]
    fn what_is_no_number_is_found() {
        for (number, broken) in [
            (Number::F32, vec![0, 0, 0x80, 0x7f]),
            (Number::F16, vec![0, 0xfc]),
            (Number::Bf16, vec![0x80, 0x7f]),
            (Number::E4m3, vec![0xff]),
            (Number::E5m2, vec![0x7c]),
        ] {
            let fine = vec![0x11; number.n_bytes() * 3];
            assert!(number.are_finite(&fine), "{number:?}");
            assert!(!number.are_finite(&[fine, broken].concat()), "{number:?}");
        }
    }
}
