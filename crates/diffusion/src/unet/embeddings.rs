//! Embedding of numbers (timestep, sizes, crop) and of the conditioning vector.

use candle_core::{Result as TensorResult, Tensor};

use super::UnetConfig;
use crate::{
    device::{Device, tensor},
    graph::{Activation, Graph},
    layers::{Linear, Loader, WeightError},
};

/// Sinusoids of each value, `[n, dim]`: cosines, then sines, at frequencies 10000^(-k / (dim / 2)).
///
/// In `f32` throughout, as PyTorch computes it: the rounding of a frequency turns into an angle that is a thousand
/// times larger at timestep 1000.
pub fn sinusoids(values: &[f32], dim: usize) -> TensorResult<Tensor> {
    let half = dim / 2;
    let frequency = |k: usize| (-(10_000f32.ln()) * k as f32 / half as f32).exp();
    let mut out = Vec::with_capacity(values.len() * dim);
    for value in values {
        out.extend((0..half).map(|k| (value * frequency(k)).cos()));
        out.extend((0..half).map(|k| (value * frequency(k)).sin()));
    }
    tensor(out, [values.len(), 2 * half])
}

/// Timestep and conditioning vector to one embedding `[B, time_dim]`, with SiLU applied: every residual block wants
/// it so.
#[derive(Debug)]
pub(super) struct Embedding<D: Device> {
    time: [Linear<D>; 2],
    vector: [Linear<D>; 2],
}

impl<D: Device> Embedding<D> {
    pub(super) fn load(source: &Loader<'_, D>, config: &UnetConfig) -> Result<Self, WeightError> {
        let dim = config.time_dim();
        Ok(Self {
            time: [
                Linear::load(source, "time_embed.0", (config.model_channels(), dim))?,
                Linear::load(source, "time_embed.2", (dim, dim))?,
            ],
            vector: [
                Linear::load(source, "label_emb.0.0", (config.vector_dim, dim))?,
                Linear::load(source, "label_emb.0.2", (dim, dim))?,
            ],
        })
    }

    pub(super) fn forward<G: Graph<Device = D>>(
        &self,
        graph: &mut G,
        timesteps: &[f32],
        vector: &G::Value,
    ) -> TensorResult<G::Value> {
        let time = graph.constant(&sinusoids(timesteps, self.time[0].n_in())?)?;
        let time = perceptron(graph, &time, &self.time)?;
        let vector = perceptron(graph, vector, &self.vector)?;
        let embedding = graph.add(&time, &vector)?;
        graph.activate(&embedding, Activation::Silu)
    }
}

fn perceptron<G: Graph>(
    graph: &mut G,
    x: &G::Value,
    [first, second]: &[Linear<G::Device>; 2],
) -> TensorResult<G::Value> {
    let hidden = graph.linear(x, first)?;
    let hidden = graph.activate(&hidden, Activation::Silu)?;
    graph.linear(&hidden, second)
}
