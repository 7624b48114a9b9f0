//! Every tensor that a text encoder of given sizes is made of. `base::tests` holds this list against what is loaded.

use super::TextEncoderConfig;
use crate::{
    tokenizer::{CHUNK, END},
    weights::Shapes,
};

impl TextEncoderConfig {
    /// CLIP-L as SDXL has it (stabilityai/stable-diffusion-xl-base-1.0, text_encoder/config.json).
    pub(crate) fn clip_l() -> Self {
        Self {
            width: 768,
            inner_width: 3072,
            n_layers: 12,
            n_heads: 12,
            activation: crate::graph::Activation::QuickGelu,
            projection: None,
        }
    }

    /// OpenCLIP-bigG as SDXL has it (stabilityai/stable-diffusion-xl-base-1.0, text_encoder_2/config.json).
    pub(crate) fn clip_g() -> Self {
        Self {
            width: 1280,
            inner_width: 5120,
            n_layers: 32,
            n_heads: 20,
            activation: crate::graph::Activation::Gelu,
            projection: Some(1280),
        }
    }

    /// transformers' names and shapes. A larger vocabulary than the list's does no harm.
    pub(crate) fn tensors(&self) -> Shapes {
        let (width, inner) = (self.width, self.inner_width);
        let mut list = Shapes::default();
        list.matrix("text_model.embeddings.token_embedding", (width, END as usize + 1));
        list.matrix("text_model.embeddings.position_embedding", (width, CHUNK));
        for i in 0..self.n_layers {
            let name = format!("text_model.encoder.layers.{i}");
            list.norm(&format!("{name}.layer_norm1"), width);
            list.norm(&format!("{name}.layer_norm2"), width);
            for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                list.linear(&format!("{name}.self_attn.{part}"), (width, width));
            }
            list.linear(&format!("{name}.mlp.fc1"), (width, inner));
            list.linear(&format!("{name}.mlp.fc2"), (inner, width));
        }
        if let Some(projection) = self.projection {
            list.norm("text_model.final_layer_norm", width);
            list.matrix("text_projection", (width, projection));
        }
        list
    }
}
