//! Residual block of the U-Net.

use candle_core::Result as TensorResult;

use super::{UnetConfig, config::Block};
use crate::{
    device::Device,
    graph::{After, Graph, Part},
    layers::{Conv2d, ConvGeometry, GroupNorm, Linear, Loader, WeightError},
};

/// Group norm of residual blocks and of the output: torch.nn.GroupNorm's default.
pub(super) const NORM_EPS: f32 = 1e-5;

#[derive(Debug, Clone)]
pub(super) struct ResBlock<D: Device> {
    in_norm: GroupNorm<D>,
    in_conv: Conv2d<D>,
    embedding: Linear<D>,
    out_norm: GroupNorm<D>,
    out_conv: Conv2d<D>,
    /// Where input and output channels differ.
    skip: Option<Conv2d<D>>,
}

impl<D: Device> ResBlock<D> {
    pub(super) fn load(
        source: &Loader<'_, D>,
        name: &str,
        (n_in, n_out): (usize, usize),
        config: &UnetConfig,
    ) -> Result<Self, WeightError> {
        let path = |part: &str| format!("{name}.{part}");
        let norm = |part: &str, channels| {
            GroupNorm::load(source, &path(part), channels, config.n_norm_groups, NORM_EPS)
        };
        let conv = |part: &str, in_out, geometry| Conv2d::load(source, &path(part), in_out, geometry);
        Ok(Self {
            in_norm: norm("in_layers.0", n_in)?,
            in_conv: conv("in_layers.2", (n_in, n_out), ConvGeometry::SAME)?,
            embedding: Linear::load(source, &path("emb_layers.1"), (config.time_dim(), n_out))?,
            out_norm: norm("out_layers.0", n_out)?,
            out_conv: conv("out_layers.3", (n_out, n_out), ConvGeometry::SAME)?,
            skip: (n_in != n_out)
                .then(|| conv("skip_connection", (n_in, n_out), ConvGeometry::POINTWISE))
                .transpose()?,
        })
    }

    pub(super) fn load_block(
        source: &Loader<'_, D>,
        block: &Block,
        config: &UnetConfig,
    ) -> Result<Self, WeightError> {
        let channels = (block.in_channels, block.out_channels);
        Self::load(source, &format!("{}.0", block.name), channels, config)
    }
}

impl<D: Device> Part<D> for ResBlock<D> {
    /// `x [B, H, W, in]`, `embedding [B, time_dim]`: `[B, H, W, out]`.
    fn forward<G: Graph<Device = D>>(
        &self,
        graph: &mut G,
        [x, embedding]: [&G::Value; 2],
    ) -> TensorResult<G::Value> {
        let h = graph.group_norm(x, &self.in_norm, After::Silu)?;
        let h = graph.conv2d(&h, &self.in_conv)?;
        let shift = graph.linear(embedding, &self.embedding)?;
        let h = graph.add_channels(&h, &shift)?;
        let h = graph.group_norm(&h, &self.out_norm, After::Silu)?;
        let h = graph.conv2d(&h, &self.out_conv)?;
        match &self.skip {
            Some(skip) => {
                let x = graph.conv2d(x, skip)?;
                graph.add(&x, &h)
            }
            None => graph.add(x, &h),
        }
    }
}
