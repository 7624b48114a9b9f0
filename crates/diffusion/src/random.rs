//! Seeded random numbers that equal PyTorch's CPU generator, so that a seed means the same picture everywhere.
//!
//! Source: PyTorch's `aten/src/ATen/core/MT19937RNGEngine.h`, `DistributionsHelper.h` and
//! `native/cpu/DistributionTemplates.h`, read for the method; the numbers are golden-tested against PyTorch 2.15.

use candle_core::{Shape, Tensor};
use serde::{Deserialize, Serialize};

use crate::device::tensor;

/// `torch.Generator("cpu").manual_seed(seed)`.
///
/// Serializes to its whole state, so that a resumed run draws what an uninterrupted one would have drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "State", into = "State")]
pub struct Random {
    engine: Mt19937,
    /// Second half of the last Box-Muller pair of a short draw.
    spare_normal: Option<f64>,
}

/// A saved state that no generator can have.
#[derive(Debug, thiserror::Error)]
#[error(
    "state of the random generator has {found} words at position {position}, expected {STATE_SIZE} words and a position up to that"
)]
pub struct InvalidState {
    found: usize,
    position: usize,
}

impl Random {
    /// Starts the sequence of a seed. Like PyTorch, only the lower 32 bits count.
    pub fn from_seed(seed: u64) -> Self {
        Self {
            engine: Mt19937::new(seed as u32),
            spare_normal: None,
        }
    }

    /// `torch.randn(count, generator=…)`: standard normal numbers.
    ///
    /// PyTorch draws fewer than 16 numbers one pair at a time in f64, and more in blocks of 16 in f32.
    /// The two give different numbers for the same seed, so the length of a draw matters.
    pub fn normal(&mut self, count: usize) -> Vec<f32> {
        if count < BLOCK {
            return (0..count).map(|_| self.normal_f64() as f32).collect();
        }
        let mut values: Vec<f32> = (0..count).map(|_| self.uniform()).collect();
        let mut blocks = values.chunks_exact_mut(BLOCK);
        for block in &mut blocks {
            box_muller(block);
        }
        if !blocks.into_remainder().is_empty() {
            // The tail is drawn afresh as a whole block that overlaps the one before it.
            let tail = &mut values[count - BLOCK..];
            tail.fill_with(|| self.uniform());
            box_muller(tail);
        }
        values
    }

    /// `torch.randn(shape, generator=…)` as an f32 tensor in main memory.
    pub fn normal_tensor(&mut self, shape: impl Into<Shape>) -> candle_core::Result<Tensor> {
        let shape = shape.into();
        tensor(self.normal(shape.elem_count()), shape.dims())
    }

    /// `torch.rand(1, generator=…)`: uniform in [0, 1), a multiple of 2⁻²⁴.
    pub fn uniform(&mut self) -> f32 {
        (self.engine.next_u32() & 0x00ff_ffff) as f32 * (1.0 / 16_777_216.0)
    }

    /// `torch.randint(low, high, (1,), generator=…)`: uniform in `low..high`.
    ///
    /// # Panics
    /// If `range` is empty, or as long as 2²⁸ (where PyTorch takes another path).
    pub fn integer(&mut self, range: std::ops::Range<u32>) -> u32 {
        let length = range.end.saturating_sub(range.start);
        assert!(
            (1..1 << 28).contains(&length),
            "cannot draw an integer from {range:?}"
        );
        range.start + self.engine.next_u32() % length
    }

    /// Puts the items into a random order (Fisher-Yates; not PyTorch's `randperm`).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.integer(0..last as u32 + 1) as usize;
            items.swap(last, other);
        }
    }

    fn normal_f64(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        let angle = std::f64::consts::TAU * self.uniform_f64();
        let radius = (-2.0 * (-self.uniform_f64()).ln_1p()).sqrt();
        self.spare_normal = Some(radius * angle.sin());
        radius * angle.cos()
    }

    fn uniform_f64(&mut self) -> f64 {
        let high = u64::from(self.engine.next_u32());
        let low = u64::from(self.engine.next_u32());
        let bits = ((high << 32) | low) & ((1 << 53) - 1);
        bits as f64 / (1u64 << 53) as f64
    }
}

/// How many normal numbers PyTorch makes at a time.
const BLOCK: usize = 16;

/// Turns 16 uniform numbers into 16 normal ones: the first half gives radii, the second angles.
fn box_muller(block: &mut [f32]) {
    let (radii, angles) = block.split_at_mut(BLOCK / 2);
    for (a, b) in radii.iter_mut().zip(angles) {
        let radius = (-2.0 * (1.0 - *a).ln()).sqrt();
        let angle = std::f32::consts::TAU * *b;
        *a = radius * angle.cos();
        *b = radius * angle.sin();
    }
}

const STATE_SIZE: usize = 624;
const SHIFT: usize = 397;

/// Matsumoto and Nishimura's Mersenne Twister, 1998.
#[derive(Debug, Clone, PartialEq)]
struct Mt19937 {
    words: Box<[u32; STATE_SIZE]>,
    position: usize,
}

impl Mt19937 {
    fn new(seed: u32) -> Self {
        let mut words = Box::new([0; STATE_SIZE]);
        words[0] = seed;
        for i in 1..STATE_SIZE {
            let previous = words[i - 1];
            words[i] = 1_812_433_253u32
                .wrapping_mul(previous ^ (previous >> 30))
                .wrapping_add(i as u32);
        }
        Self {
            words,
            position: STATE_SIZE,
        }
    }

    fn next_u32(&mut self) -> u32 {
        if self.position == STATE_SIZE {
            self.twist();
        }
        let mut word = self.words[self.position];
        self.position += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    fn twist(&mut self) {
        for i in 0..STATE_SIZE {
            let mixed = (self.words[i] & 0x8000_0000) | (self.words[(i + 1) % STATE_SIZE] & 0x7fff_ffff);
            let feedback = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
            self.words[i] = self.words[(i + SHIFT) % STATE_SIZE] ^ (mixed >> 1) ^ feedback;
        }
        self.position = 0;
    }
}

/// [`Random`] as it is stored.
#[derive(Serialize, Deserialize)]
struct State {
    words: Vec<u32>,
    position: usize,
    /// As bits: not every JSON reader gives back the same f64.
    spare_normal: Option<u64>,
}

impl From<Random> for State {
    fn from(random: Random) -> Self {
        Self {
            words: random.engine.words.to_vec(),
            position: random.engine.position,
            spare_normal: random.spare_normal.map(f64::to_bits),
        }
    }
}

impl TryFrom<State> for Random {
    type Error = InvalidState;

    fn try_from(state: State) -> Result<Self, InvalidState> {
        let invalid = InvalidState {
            found: state.words.len(),
            position: state.position,
        };
        if state.position > STATE_SIZE {
            return Err(invalid);
        }
        let words = Box::try_from(state.words.into_boxed_slice()).map_err(|_| invalid)?;
        Ok(Self {
            engine: Mt19937 {
                words,
                position: state.position,
            },
            spare_normal: state.spare_normal.map(f64::from_bits),
        })
    }
}

#[cfg(test)]
mod tests;
