//! One block: attention and a feed-forward part, each behind a norm and added to what came in.

use candle_core::Tensor;

use super::{EPS, VitConfig};
use crate::{
    device::{Device, Frozen},
    graph::{Graph, Mask},
    layers::{LayerNorm, Linear, Loader, WeightError, WeightSource},
    weights::Component,
};

#[derive(Debug, Clone)]
pub(super) struct Block<D: Device> {
    norm1: LayerNorm<D>,
    q: Linear<D>,
    k: Linear<D>,
    v: Linear<D>,
    out: Linear<D>,
    norm2: LayerNorm<D>,
    fc1: Linear<D>,
    fc2: Linear<D>,
}

impl<D: Device> Block<D> {
    pub(super) fn load(
        loader: &Loader<'_, D>,
        config: &VitConfig,
        index: usize,
    ) -> Result<Self, WeightError> {
        let (width, inner) = (config.width, config.inner_width);
        let path = |module: &str| format!("blocks.{index}.{module}");
        let linear = |module: &str, in_out| Linear::load(loader, &path(module), in_out);
        let norm = |module: &str| LayerNorm::load_with_eps(loader, &path(module), width, EPS);
        Ok(Self {
            norm1: norm("norm1")?,
            q: linear("attn.q", (width, width))?,
            k: linear("attn.k", (width, width))?,
            v: linear("attn.v", (width, width))?,
            out: linear("attn.proj", (width, width))?,
            norm2: norm("norm2")?,
            fc1: linear("mlp.fc1", (width, inner))?,
            fc2: linear("mlp.fc2", (inner, width))?,
        })
    }

    /// `[B, tokens, width]` to the same.
    pub(super) fn forward<G: Graph<Device = D>>(
        &self,
        graph: &mut G,
        x: &G::Value,
        config: &VitConfig,
    ) -> candle_core::Result<G::Value> {
        let normed = graph.layer_norm(x, &self.norm1)?;
        let q = graph.linear(&normed, &self.q)?;
        let k = graph.linear(&normed, &self.k)?;
        let v = graph.linear(&normed, &self.v)?;
        let attended = graph.attention([&q, &k, &v], config.n_heads, Mask::None)?;
        let attended = graph.linear(&attended, &self.out)?;
        let x = graph.add(x, &attended)?;
        let normed = graph.layer_norm(&x, &self.norm2)?;
        let inner = graph.linear(&normed, &self.fc1)?;
        let inner = graph.activate(&inner, config.activation)?;
        let inner = graph.linear(&inner, &self.fc2)?;
        graph.add(&x, &inner)
    }
}

/// Weights with LayerScale (Touvron et al. 2021, arXiv 2103.17239) in the layer before it: γ · (W x + b) is (γ W) x + γ b.
pub(super) struct Scaled<'a>(pub(super) &'a Component);

impl Scaled<'_> {
    /// The factors of the outputs of a layer, by the name of its weight or bias.
    fn factors(&self, name: &str) -> Option<String> {
        let scales = [(".attn.proj.", ".ls1.gamma"), (".mlp.fc2.", ".ls2.gamma")];
        scales.into_iter().find_map(|(layer, scale)| {
            let (block, _) = name.split_once(layer)?;
            let scale = format!("{block}{scale}");
            self.0.contains(&scale).then_some(scale)
        })
    }
}

impl WeightSource for Scaled<'_> {
    fn origin(&self) -> String {
        self.0.origin()
    }

    fn get(&self, name: &str) -> Result<Tensor, WeightError> {
        let stored = self.0.get(name)?;
        let Some(scale) = self.factors(name) else {
            return Ok(stored);
        };
        let factors = self.0.get(&scale)?;
        let scaled = match stored.rank() {
            1 => stored.mul(&factors),
            _ => factors
                .unsqueeze(1)
                .and_then(|factors| stored.broadcast_mul(&factors)),
        };
        scaled.map_err(|err| WeightError::Read {
            origin: self.origin(),
            name: scale,
            err,
        })
    }

    fn frozen(&self, name: &str) -> Result<Option<Frozen>, WeightError> {
        match self.factors(name) {
            Some(_) => Ok(None),
            None => self.0.frozen(name),
        }
    }

    fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}
