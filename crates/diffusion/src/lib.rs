//! Stable Diffusion XL: tokenizer, text encoders, unet, vae, noise schedulers, pipeline, weight files, LoRA loading.
#![warn(missing_docs)]

pub mod random;
pub mod schedulers;
