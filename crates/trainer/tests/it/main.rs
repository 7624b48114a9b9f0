//! The training step as a whole, against PyTorch and sd-scripts, and on a second device.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod devices;
mod gradients;
mod optimizers;
mod packages;
mod predictions;
mod reference;
mod replay;
