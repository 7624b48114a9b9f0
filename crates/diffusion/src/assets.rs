//! What ships inside the program: the tiny base model, so that it works from any folder.

/// Includes a file of the repository's `assets/tiny-xl`.
macro_rules! tiny_xl {
    ($($file:literal),+ $(,)?) => {
        &[$((
            $file,
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/tiny-xl/", $file)),
        )),+]
    };
}

/// The diffusers folder of `tiny-xl`. Its `tokenizer_2` is the same as its `tokenizer`.
pub(crate) const TINY_XL: &[(&str, &[u8])] = tiny_xl![
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "text_encoder_2/config.json",
    "text_encoder_2/model.safetensors",
    "tokenizer_2/tokenizer_config.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
];
