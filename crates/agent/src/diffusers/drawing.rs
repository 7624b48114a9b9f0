//! The seam to the pipeline: networks that the child computes.

use std::collections::HashMap;

use candle_core::Tensor;
use diffusion::{
    base::{Facts, Outline},
    device::HOST,
    embeddings::Embeddings,
    lora::{self, Weighted},
    networks::{Encoder, NetworkError, Networks},
    text_encoder::EncodedText,
    tokenizer::{CHUNK, FIRST_OWN},
    unet::Conditioning,
};
use prompt::OwnWord;
use serde_json::{Value, json};

use super::{Failure, child::Cancelled, engine::Engine};

/// A base model with its LoRAs in the child, ready to draw.
pub struct Drawing<'a> {
    engine: &'a mut Engine,
    outline: &'a Outline,
    /// Words that the LoRAs bring along.
    embeddings: Embeddings,
    is_cancelled: Cancelled<'a>,
}

impl Engine {
    /// Gets a base model and LoRAs ready. What is loaded already is not loaded again.
    ///
    /// # Errors
    /// If the child fails, or the base model or a LoRA is refused.
    pub fn prepare<'a, 'l>(
        &'a mut self,
        outline: &'a Outline,
        loras: impl IntoIterator<Item = Weighted<'l>>,
        is_cancelled: Cancelled<'a>,
    ) -> Result<Drawing<'a>, Failure> {
        let loras: Vec<Weighted> = loras.into_iter().collect();
        let embeddings = lora::embeddings(outline.layers(), loras.iter().copied())?;
        let outcome = self.get_ready(outline, loras, is_cancelled);
        self.heed(outcome)?;
        Ok(Drawing {
            engine: self,
            outline,
            embeddings,
            is_cancelled,
        })
    }
}

impl Drawing<'_> {
    /// Asks for tensors, given some.
    fn ask(
        &mut self,
        (op, what): (&str, &'static str),
        mut request: Value,
        given: HashMap<&str, Tensor>,
        wanted: &[&str],
    ) -> Result<Vec<Tensor>, NetworkError> {
        let file = self.engine.folder().join("request.safetensors");
        let answer = self.engine.folder().join("answer.safetensors");
        if !given.is_empty() {
            candle_core::safetensors::save(&given, &file)?;
        }
        request["file"] = file.display().to_string().into();
        request["answer"] = answer.display().to_string().into();
        let asked = self
            .engine
            .ask((op, what), &request, self.outline, self.is_cancelled);
        self.engine.heed(asked).map_err(|failure| match failure {
            Failure::Cancelled => NetworkError::Cancelled,
            failure => NetworkError::Failed(failure.into()),
        })?;
        let mut tensors = candle_core::safetensors::load(&answer, &HOST)?;
        let found = wanted.iter().map(|name| {
            tensors.remove(*name).ok_or_else(|| {
                NetworkError::Failed(format!("diffusers' answer has no tensor `{name}`").into())
            })
        });
        found.collect()
    }
}

impl Networks for Drawing<'_> {
    fn facts(&self) -> Facts {
        self.outline.facts()
    }

    fn words(&self) -> &[OwnWord] {
        self.embeddings.words()
    }

    fn encode(&mut self, encoder: Encoder, chunks: &[[u32; CHUNK]]) -> Result<EncodedText, NetworkError> {
        let (part, own) = match encoder {
            Encoder::First => ("text_encoder", self.embeddings.first()),
            Encoder::Second => ("text_encoder_2", self.embeddings.second()),
        };
        // Only if the prompt uses one of the words.
        let is_used = chunks.as_flattened().iter().any(|id| *id >= FIRST_OWN);
        let own = own.filter(|_| is_used).map(Tensor::contiguous).transpose()?;
        let given: HashMap<&str, Tensor> = own.into_iter().map(|own| ("own", own)).collect();
        let chunks: Vec<&[u32]> = chunks.iter().map(<[u32; CHUNK]>::as_slice).collect();
        let request = json!({ "part": part, "ids": chunks, "own": is_used });
        let wanted = ["hidden", "pooled"];
        let mut said = self
            .ask(("encode", "encode the prompt"), request, given, &wanted)?
            .into_iter();
        let hidden = said.next().ok_or_else(nothing)?;
        Ok(EncodedText {
            hidden,
            pooled: said.next().filter(|_| encoder == Encoder::Second),
        })
    }

    fn predict(
        &mut self,
        latents: &Tensor,
        timestep: f64,
        told: &[&Conditioning],
    ) -> Result<Vec<Vec<f32>>, NetworkError> {
        let contexts: Vec<&Tensor> = told.iter().map(|told| &told.context).collect();
        let vectors: Vec<&Tensor> = told.iter().map(|told| &told.vector).collect();
        let given = HashMap::from([
            ("latents", latents.contiguous()?),
            ("context", Tensor::cat(&contexts, 0)?.contiguous()?),
            ("vector", Tensor::cat(&vectors, 0)?.contiguous()?),
        ]);
        let request = json!({ "timestep": timestep });
        let said = self.ask(("predict", "predict the noise"), request, given, &["answers"])?;
        let answers: Vec<f32> = said.first().ok_or_else(nothing)?.flatten_all()?.to_vec1()?;
        let n = latents.elem_count();
        if answers.len() != n * told.len() {
            return Err(NetworkError::Failed(
                format!(
                    "diffusers answered {} numbers, not {}",
                    answers.len(),
                    n * told.len()
                )
                .into(),
            ));
        }
        Ok(answers.chunks_exact(n).map(<[f32]>::to_vec).collect())
    }

    fn decode(&mut self, latents: &Tensor) -> Result<Tensor, NetworkError> {
        let given = HashMap::from([("latents", latents.contiguous()?)]);
        let said = self.ask(("decode", "decode the latents"), json!({}), given, &["pictures"])?;
        said.into_iter().next().ok_or_else(nothing)
    }
}

fn nothing() -> NetworkError {
    NetworkError::Failed("diffusers answered nothing".into())
}
