//! Stable Diffusion XL: text encoders, unet, vae, noise schedulers, pipeline, weight files, LoRA loading.
#![warn(missing_docs)]

mod assets;
pub mod base;
pub mod conditioning;
pub mod cpu;
pub mod device;
pub mod embeddings;
pub mod graph;
pub mod kernels;
pub mod layers;
pub mod lora;
pub mod need;
pub mod networks;
pub mod operation;
pub mod pipeline;
pub mod preview;
pub mod random;
pub mod schedulers;
pub mod text_encoder;
pub mod unet;
pub mod vae;
pub mod vit;
pub mod weights;

pub use prompt::tokenizer;
