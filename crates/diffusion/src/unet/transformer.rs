//! Transformer of the U-Net: self-attention over pixels, attention to the text, gated feed-forward.

use candle_core::Result as TensorResult;

use super::{UnetConfig, config::TransformerPlan};
use crate::{
    device::Device,
    graph::{After, Graph, Mask, Part, picture_dims},
    layers::{GroupNorm, LayerNorm, Linear, Loader, WeightError},
};

/// Group norm before the transformer (sd-scripts and diffusers, Transformer2DModel).
const NORM_EPS: f32 = 1e-6;

#[derive(Debug)]
pub(super) struct Transformer<D: Device> {
    norm: GroupNorm<D>,
    proj_in: Linear<D>,
    blocks: Vec<Block<D>>,
    proj_out: Linear<D>,
}

impl<D: Device> Transformer<D> {
    pub(super) fn load(
        source: &Loader<'_, D>,
        plan: &TransformerPlan,
        config: &UnetConfig,
    ) -> Result<Self, WeightError> {
        let TransformerPlan { name, channels, .. } = plan;
        let projection = |part: &str| Linear::load(source, &format!("{name}.{part}"), (*channels, *channels));
        let norm = format!("{name}.norm");
        let block = |i| {
            Block::load(
                source,
                &format!("{name}.transformer_blocks.{i}"),
                plan,
                config.context_dim,
            )
        };
        Ok(Self {
            norm: GroupNorm::load(source, &norm, *channels, config.n_norm_groups, NORM_EPS)?,
            proj_in: projection("proj_in")?,
            blocks: (0..plan.depth).map(block).collect::<Result<_, _>>()?,
            proj_out: projection("proj_out")?,
        })
    }

    /// The first of its blocks.
    pub(super) fn first(&self) -> Option<&Block<D>> {
        self.blocks.first()
    }

    /// `x [B, H, W, C]`, `context [B, T, context_dim]`: `[B, H, W, C]`.
    pub(super) fn forward<G: Graph<Device = D>>(
        &self,
        graph: &mut G,
        x: &G::Value,
        context: &G::Value,
    ) -> TensorResult<G::Value> {
        let dims = picture_dims(graph, x)?;
        let [batch, height, width, channels] = dims;
        let h = graph.group_norm(x, &self.norm, After::Nothing)?;
        let h = graph.reshape(&h, &[batch, height * width, channels])?;
        let mut h = graph.linear(&h, &self.proj_in)?;
        for block in &self.blocks {
            h = graph.part(block, [&h, context])?;
        }
        let h = graph.linear(&h, &self.proj_out)?;
        let h = graph.reshape(&h, &dims)?;
        graph.add(x, &h)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Block<D: Device> {
    norm1: LayerNorm<D>,
    attn1: Attention<D>,
    norm2: LayerNorm<D>,
    attn2: Attention<D>,
    norm3: LayerNorm<D>,
    feed_in: Linear<D>,
    feed_out: Linear<D>,
}

impl<D: Device> Block<D> {
    fn load(
        source: &Loader<'_, D>,
        name: &str,
        plan: &TransformerPlan,
        context_dim: usize,
    ) -> Result<Self, WeightError> {
        let c = plan.channels;
        let path = |part: &str| format!("{name}.{part}");
        let norm = |part: &str| LayerNorm::load(source, &path(part), c);
        let linear = |part: &str, in_out| Linear::load(source, &path(part), in_out);
        Ok(Self {
            norm1: norm("norm1")?,
            attn1: Attention::load(source, &path("attn1"), plan, c)?,
            norm2: norm("norm2")?,
            attn2: Attention::load(source, &path("attn2"), plan, context_dim)?,
            norm3: norm("norm3")?,
            feed_in: linear("ff.net.0.proj", (c, 8 * c))?,
            feed_out: linear("ff.net.2", (4 * c, c))?,
        })
    }
}

impl<D: Device> Part<D> for Block<D> {
    fn forward<G: Graph<Device = D>>(
        &self,
        graph: &mut G,
        [x, context]: [&G::Value; 2],
    ) -> TensorResult<G::Value> {
        let h = graph.layer_norm(x, &self.norm1)?;
        let h = self.attn1.forward(graph, &h, &h)?;
        let x = graph.add(x, &h)?;
        let h = graph.layer_norm(&x, &self.norm2)?;
        let h = self.attn2.forward(graph, &h, context)?;
        let x = graph.add(&x, &h)?;
        let h = graph.layer_norm(&x, &self.norm3)?;
        let h = graph.linear(&h, &self.feed_in)?;
        let h = graph.geglu(&h)?;
        let h = graph.linear(&h, &self.feed_out)?;
        graph.add(&x, &h)
    }
}

#[derive(Debug, Clone)]
struct Attention<D: Device> {
    to_q: Linear<D>,
    to_k: Linear<D>,
    to_v: Linear<D>,
    to_out: Linear<D>,
    n_heads: usize,
}

impl<D: Device> Attention<D> {
    fn load(
        source: &Loader<'_, D>,
        name: &str,
        plan: &TransformerPlan,
        context_dim: usize,
    ) -> Result<Self, WeightError> {
        let c = plan.channels;
        let projection =
            |part: &str, n_in| Linear::load_no_bias(source, &format!("{name}.{part}"), (n_in, c));
        Ok(Self {
            to_q: projection("to_q", c)?,
            to_k: projection("to_k", context_dim)?,
            to_v: projection("to_v", context_dim)?,
            to_out: Linear::load(source, &format!("{name}.to_out.0"), (c, c))?,
            n_heads: plan.n_heads,
        })
    }

    fn forward<G: Graph<Device = D>>(
        &self,
        graph: &mut G,
        x: &G::Value,
        context: &G::Value,
    ) -> TensorResult<G::Value> {
        let q = graph.linear(x, &self.to_q)?;
        let k = graph.linear(context, &self.to_k)?;
        let v = graph.linear(context, &self.to_v)?;
        let h = graph.attention([&q, &k, &v], self.n_heads, Mask::None)?;
        graph.linear(&h, &self.to_out)
    }
}
