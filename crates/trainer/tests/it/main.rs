//! The training step as a whole, against PyTorch and sd-scripts.

mod gradients;
mod replay;
