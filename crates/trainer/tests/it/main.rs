//! The training step as a whole, against PyTorch and sd-scripts.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod gradients;
mod replay;
