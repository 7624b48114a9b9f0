//! The four networks of a base model, wherever they are computed: what a picture needs of an engine.
//!
//! Everything that decides how a picture looks is above this seam and the same for every engine: tokens, emphasis, noise,
//! timesteps, guidance and samplers.

use candle_core::Tensor;
use prompt::OwnWord;

use crate::{
    base::{BaseModel, Facts},
    device::Device,
    graph::AdapterSet,
    text_encoder::EncodedText,
    tokenizer::CHUNK,
    unet::Conditioning,
};

/// A base model with its LoRAs, ready to compute.
pub trait Networks {
    /// What a sampler must know about the base model.
    fn facts(&self) -> Facts;

    /// Words that the LoRAs bring along, with tokens that [`encode`](Self::encode) knows beside CLIP's.
    fn words(&self) -> &[OwnWord];

    /// What a text encoder says about chunks of tokens.
    ///
    /// # Errors
    /// If the engine fails, or is asked to stop.
    fn encode(&mut self, encoder: Encoder, chunks: &[[u32; CHUNK]]) -> Result<EncodedText, NetworkError>;

    /// Says that all texts of a picture are encoded: what encoded them may give its memory back until the next picture.
    fn encoded(&mut self) {}

    /// The U-Net's answer about the same latents `[B, 4, h, w]` to each of the conditionings, flat.
    ///
    /// # Errors
    /// If the engine fails, or is asked to stop.
    fn predict(
        &mut self,
        latents: &Tensor,
        timestep: f64,
        told: &[&Conditioning],
    ) -> Result<Vec<Vec<f32>>, NetworkError>;

    /// Pictures `[B, 3, H, W]` in [−1, 1] of latents as the U-Net sees them.
    ///
    /// # Errors
    /// If the engine fails, or is asked to stop.
    fn decode(&mut self, latents: &Tensor) -> Result<Tensor, NetworkError>;
}

/// One of the two text encoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoder {
    /// CLIP-L.
    First,
    /// OpenCLIP-bigG, the one with a pooled output.
    Second,
}

/// Why an engine has no answer.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// It was asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// It failed.
    #[error(transparent)]
    Failed(#[from] Box<dyn std::error::Error + Send + Sync>),
}

impl From<candle_core::Error> for NetworkError {
    fn from(err: candle_core::Error) -> Self {
        Self::Failed(err.into())
    }
}

/// The native engine: networks in this process.
#[derive(Debug)]
pub struct Native<'a, D: Device> {
    /// The base model.
    pub base: &'a BaseModel<D>,
    /// The LoRAs.
    pub adapters: &'a AdapterSet<D>,
}

impl<D: Device> Networks for Native<'_, D> {
    fn facts(&self) -> Facts {
        self.base.facts()
    }

    fn words(&self) -> &[OwnWord] {
        self.adapters.embeddings().words()
    }

    fn encode(&mut self, encoder: Encoder, chunks: &[[u32; CHUNK]]) -> Result<EncodedText, NetworkError> {
        let encoders = &self.base.text_encoders;
        let encoder = match encoder {
            Encoder::First => &encoders.first,
            Encoder::Second => &encoders.second,
        };
        Ok(encoder.encode(chunks, self.adapters)?)
    }

    fn encoded(&mut self) {
        self.base.release_text_encoders();
    }

    /// The negative prompt goes beside the prompt rather than in one batch with it: two passes keep two threads busy
    /// without waiting for each other at every layer.
    fn predict(
        &mut self,
        latents: &Tensor,
        timestep: f64,
        told: &[&Conditioning],
    ) -> Result<Vec<Vec<f32>>, NetworkError> {
        let timesteps = vec![timestep as f32; latents.dim(0)?];
        let ask = |told: &Conditioning| -> candle_core::Result<Vec<f32>> {
            let output = self.base.unet.predict(self.adapters, latents, &timesteps, told)?;
            output.flatten_all()?.to_vec1()
        };
        if let [first, second] = told {
            let (first, second) = rayon::join(|| ask(first), || ask(second));
            return Ok(vec![first?, second?]);
        }
        let answers = told.iter().map(|told| ask(told));
        Ok(answers.collect::<candle_core::Result<_>>()?)
    }

    fn decode(&mut self, latents: &Tensor) -> Result<Tensor, NetworkError> {
        // The last use of the U-Net for this picture; decoding takes the most memory beside weights.
        self.base.release_unet();
        Ok(self.base.vae.decode(latents)?)
    }
}
