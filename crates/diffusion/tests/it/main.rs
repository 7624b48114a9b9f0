//! The models against PyTorch: small golden files made by tools/golden, and sd-scripts' dumps where they are at hand.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod bases;
mod foreign;
mod golden;
mod kohya;
mod loras;
mod merged;
mod models;
mod pictures;
mod prompts;
mod taggers;
