//! Tensors as a file holds them: bytes and their kind, to be carried from one file to another without loss.

use safetensors::Dtype;

/// A tensor as it is stored, in main memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Kind of its numbers.
    pub dtype: Dtype,
    /// Its shape; empty for a single number.
    pub shape: Vec<usize>,
    /// Its numbers, little-endian, row by row.
    pub bytes: Vec<u8>,
}

/// How numbers are rounded on their way into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// Half precision: 11 bits, up to 65504.
    F16,
    /// 8 bits in the range of `f32`.
    Bf16,
    /// Single precision: as they are.
    F32,
}

impl Rounding {
    /// Of numbers that are stored so.
    pub fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F16 => Some(Self::F16),
            Dtype::BF16 => Some(Self::Bf16),
            Dtype::F32 => Some(Self::F32),
            _ => None,
        }
    }

    /// What the header calls it.
    pub fn dtype(self) -> Dtype {
        match self {
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::BF16,
            Self::F32 => Dtype::F32,
        }
    }

    /// Whether no finite number of these becomes infinite.
    pub fn holds(self, values: &[f32]) -> bool {
        let holds = |value: &f32| match self {
            Self::F16 => half::f16::from_f32(*value).is_finite(),
            Self::Bf16 => half::bf16::from_f32(*value).is_finite(),
            Self::F32 => true,
        };
        values.iter().all(|value| !value.is_finite() || holds(value))
    }

    /// The numbers as bytes.
    pub fn bytes(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F16 => flat(values, |value| half::f16::from_f32(value).to_le_bytes()),
            Self::Bf16 => flat(values, |value| half::bf16::from_f32(value).to_le_bytes()),
            Self::F32 => flat(values, f32::to_le_bytes),
        }
    }
}

fn flat<const N: usize>(values: &[f32], number: impl Fn(f32) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|value| number(*value)).collect()
}

impl Stored {
    /// Rounds numbers.
    pub fn new(values: &[f32], shape: Vec<usize>, rounding: Rounding) -> Self {
        Self {
            dtype: rounding.dtype(),
            shape,
            bytes: rounding.bytes(values),
        }
    }

    /// A single number: in half precision if that holds it exactly, or else in single precision.
    pub fn number(value: f32, rounding: Rounding) -> Self {
        let is_exact = match rounding {
            Rounding::F16 => half::f16::from_f32(value).to_f32() == value,
            Rounding::Bf16 => half::bf16::from_f32(value).to_f32() == value,
            Rounding::F32 => true,
        };
        Self::new(
            &[value],
            Vec::new(),
            if is_exact { rounding } else { Rounding::F32 },
        )
    }
}
