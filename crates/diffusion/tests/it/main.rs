//! The models against PyTorch: small golden files made by tools/golden, and sd-scripts' dumps where they are at hand.

mod golden;
mod kohya;
mod models;
mod pictures;
