//! Where the randomness of a training comes from: every draw has its own seed, made of what it is for.
//!
//! No generator runs along with the steps, so a resumed training draws what an uninterrupted one would have
//! drawn, and one more picture in a batch changes nothing for the others.

use diffusion::random::Random;
use sha2::{Digest as _, Sha256};

/// A generator for one purpose. The same purpose gives the same numbers.
pub(crate) fn random(purpose: std::fmt::Arguments<'_>) -> Random {
    let hash = Sha256::digest(purpose.to_string());
    // The generator takes 32 bits.
    let seed = u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]);
    Random::from_seed(seed.into())
}
