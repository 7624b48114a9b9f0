//! Damages an input in ways that parsers stumble over.

/// Makes inputs from a seed; the same seed makes the same ones.
#[derive(Debug, Clone)]
pub struct Mutator {
    state: u64,
}

/// Numbers at which sizes overflow, signs change and loops run once too often.
const EDGES: [u32; 14] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
];

/// What an input grows to at most: twice the longest good one, and this.
const ROOM: usize = 4096;

impl Mutator {
    /// The mutator of one case of a seed.
    pub fn new(seed: u64, case: u64) -> Self {
        let mut mutator = Self {
            state: seed ^ case.rotate_left(32),
        };
        mutator.number();
        mutator
    }

    /// A damaged copy of one of the good inputs.
    pub fn mutated(&mut self, good: &[Vec<u8>]) -> Vec<u8> {
        let mut input = good[self.below(good.len())].clone();
        let longest = good.iter().map(Vec::len).max().unwrap_or(0);
        // Mostly one wound, which lets a parser come far; sometimes many.
        let n_wounds = match self.below(4) {
            0 => 1 + self.below(16),
            _ => 1 + self.below(2),
        };
        for _ in 0..n_wounds {
            self.wound(&mut input, good);
        }
        input.truncate(2 * longest + ROOM);
        input
    }

    fn wound(&mut self, input: &mut Vec<u8>, good: &[Vec<u8>]) {
        if input.is_empty() {
            input.push(self.number() as u8);
            return;
        }
        let at = self.place(input.len());
        let length = 1 + self.below((input.len() - at).min(64));
        match self.below(10) {
            0 => input[at] ^= 1 << self.below(8),
            1 => input[at] = self.number() as u8,
            2 => self.write_edge(input, at),
            3 => input.truncate(at),
            4 => drop(input.drain(at..at + length)),
            5 => {
                let copied = input[at..at + length].to_vec();
                let to = self.place(input.len());
                input.splice(to..to, copied);
            }
            6 => {
                let copied = input[at..at + length].to_vec();
                let to = self.below(input.len() - length + 1);
                input[to..to + length].copy_from_slice(&copied);
            }
            7 => {
                let noise: Vec<u8> = (0..length).map(|_| self.number() as u8).collect();
                input.splice(at..at, noise);
            }
            8 => input[at..at + length].fill([0, 0xff, b' ', b'\n'][self.below(4)]),
            _ => {
                let other = &good[self.below(good.len())];
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }

    /// Writes a number of one, two or four bytes, in either order.
    fn write_edge(&mut self, input: &mut [u8], at: usize) {
        let edge = EDGES[self.below(EDGES.len())];
        let edge = if self.below(4) == 0 {
            input.len() as u32
        } else {
            edge
        };
        let width = [1, 2, 4][self.below(3)];
        let bytes = match self.below(2) {
            0 => edge.to_le_bytes()[..width].to_vec(),
            _ => edge.to_be_bytes()[4 - width..].to_vec(),
        };
        for (place, byte) in input[at..].iter_mut().zip(bytes) {
            *place = byte;
        }
    }

    /// A position, half of the time near the beginning, where headers are.
    fn place(&mut self, n_bytes: usize) -> usize {
        match self.below(2) {
            0 => self.below(n_bytes.min(64)),
            _ => self.below(n_bytes),
        }
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() % end as u64) as usize
    }

    /// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}
