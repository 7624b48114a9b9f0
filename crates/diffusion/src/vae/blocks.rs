//! Encoder and decoder of the VAE, and what they are made of.

use candle_core::Result as TensorResult;

use super::{VaeConfig, strips::Strips};
use crate::{
    device::Device,
    graph::{After, Eager, Graph, Mask, picture_dims},
    layers::{Conv2d, ConvGeometry, GroupNorm, Linear, Loader, WeightError},
};

/// Of every group norm in diffusers' `AutoencoderKL`.
const NORM_EPS: f32 = 1e-6;

/// Pictures to moments of latents.
#[derive(Debug, Clone)]
pub(super) struct Encoder<D: Device> {
    conv_in: Conv2d<D>,
    /// Residual blocks of each level, and how the next level is reached.
    levels: Vec<(Vec<ResBlock<D>>, Option<Conv2d<D>>)>,
    middle: Middle<D>,
    out_norm: GroupNorm<D>,
    conv_out: Conv2d<D>,
}

/// Latents to pictures.
#[derive(Debug, Clone)]
pub(super) struct Decoder<D: Device> {
    conv_in: Conv2d<D>,
    middle: Middle<D>,
    /// The coarsest first.
    levels: Vec<(Vec<ResBlock<D>>, Option<Conv2d<D>>)>,
    out_norm: GroupNorm<D>,
    conv_out: Conv2d<D>,
}

/// The blocks at the coarsest level.
#[derive(Debug, Clone)]
struct Middle<D: Device> {
    first: ResBlock<D>,
    attention: Option<Attention<D>>,
    second: ResBlock<D>,
}

#[derive(Debug, Clone)]
struct ResBlock<D: Device> {
    norm1: GroupNorm<D>,
    conv1: Conv2d<D>,
    norm2: GroupNorm<D>,
    conv2: Conv2d<D>,
    shortcut: Option<Conv2d<D>>,
}

/// Attention of every latent to every other, with one head.
#[derive(Debug, Clone)]
struct Attention<D: Device> {
    norm: GroupNorm<D>,
    q: Linear<D>,
    k: Linear<D>,
    v: Linear<D>,
    out: Linear<D>,
}

impl<D: Device> Encoder<D> {
    pub(super) fn load(source: &Loader<'_, D>, config: &VaeConfig) -> Result<Self, WeightError> {
        let conv = |name: &str, in_out| Conv2d::load(source, name, in_out, ConvGeometry::SAME);
        let first = config.channels[0];
        let mut channels = first;
        let mut levels = Vec::new();
        for (i, width) in config.channels.iter().copied().enumerate() {
            let name = format!("encoder.down_blocks.{i}");
            let blocks = (0..config.n_res_blocks)
                .map(|j| {
                    let in_out = (std::mem::replace(&mut channels, width), width);
                    ResBlock::load(source, &format!("{name}.resnets.{j}"), in_out, config)
                })
                .collect::<Result<_, _>>()?;
            let is_last = i + 1 == config.channels.len();
            let halve = (!is_last)
                .then(|| {
                    let name = format!("{name}.downsamplers.0.conv");
                    Conv2d::load(source, &name, (width, width), ConvGeometry::HALVE_PAD_END)
                })
                .transpose()?;
            levels.push((blocks, halve));
        }
        Ok(Self {
            conv_in: conv("encoder.conv_in", (3, first))?,
            levels,
            middle: Middle::load(source, "encoder", channels, config)?,
            out_norm: norm(source, "encoder.conv_norm_out", channels, config)?,
            conv_out: conv("encoder.conv_out", (channels, 2 * config.latent_channels))?,
        })
    }

    pub(super) fn forward<G: Graph<Device = D>>(&self, graph: &mut G, x: G::Value) -> TensorResult<G::Value> {
        let mut x = graph.conv2d(&x, &self.conv_in)?;
        for (blocks, halve) in &self.levels {
            for block in blocks {
                x = block.forward(graph, x)?;
            }
            if let Some(halve) = halve {
                x = graph.conv2d(&x, halve)?;
            }
        }
        self.coarsest(graph, x)
    }

    /// The same for a picture `[1, H, W, 3]`, in strips of at most `n_rows`.
    pub(super) fn forward_in_strips(
        &self,
        device: &D,
        picture: &D::Tensor,
        n_rows: usize,
    ) -> TensorResult<D::Tensor> {
        let picture = Strips::cut(device, picture, n_rows)?;
        let mut x = picture.mapped(|rows| picture.convolved(None, &self.conv_in, rows))?;
        for (blocks, halve) in &self.levels {
            for block in blocks {
                x = block.forward_in_strips(device, x)?;
            }
            if let Some(halve) = halve {
                let height = halve.geometry().output(x.height());
                x = x.turned_into(height, |x, rows| {
                    x.forget_above(2 * rows.start);
                    x.convolved(None, halve, rows)
                })?;
            }
        }
        self.coarsest(&mut Eager::new(device), x.joined()?)
    }

    /// What follows the levels.
    fn coarsest<G: Graph<Device = D>>(&self, graph: &mut G, x: G::Value) -> TensorResult<G::Value> {
        let x = self.middle.forward(graph, x)?;
        let x = graph.group_norm(&x, &self.out_norm, After::Silu)?;
        graph.conv2d(&x, &self.conv_out)
    }
}

impl<D: Device> Decoder<D> {
    pub(super) fn load(source: &Loader<'_, D>, config: &VaeConfig) -> Result<Self, WeightError> {
        let conv = |name: &str, in_out| Conv2d::load(source, name, in_out, ConvGeometry::SAME);
        let coarsest = config.channels[config.channels.len() - 1];
        let mut channels = coarsest;
        let mut levels = Vec::new();
        for (i, width) in config.channels.iter().rev().copied().enumerate() {
            let name = format!("decoder.up_blocks.{i}");
            let blocks = (0..=config.n_res_blocks)
                .map(|j| {
                    let in_out = (std::mem::replace(&mut channels, width), width);
                    ResBlock::load(source, &format!("{name}.resnets.{j}"), in_out, config)
                })
                .collect::<Result<_, _>>()?;
            let is_last = i + 1 == config.channels.len();
            let smooth = (!is_last)
                .then(|| conv(&format!("{name}.upsamplers.0.conv"), (width, width)))
                .transpose()?;
            levels.push((blocks, smooth));
        }
        Ok(Self {
            conv_in: conv("decoder.conv_in", (config.latent_channels, coarsest))?,
            middle: Middle::load(source, "decoder", coarsest, config)?,
            levels,
            out_norm: norm(source, "decoder.conv_norm_out", channels, config)?,
            conv_out: conv("decoder.conv_out", (channels, 3))?,
        })
    }

    pub(super) fn forward<G: Graph<Device = D>>(&self, graph: &mut G, x: G::Value) -> TensorResult<G::Value> {
        let mut x = graph.conv2d(&x, &self.conv_in)?;
        x = self.middle.forward(graph, x)?;
        for (blocks, smooth) in &self.levels {
            for block in blocks {
                x = block.forward(graph, x)?;
            }
            if let Some(smooth) = smooth {
                let [_, height, width, _] = picture_dims(graph, &x)?;
                x = graph.upsample_2x(&x, (2 * height, 2 * width))?;
                x = graph.conv2d(&x, smooth)?;
            }
        }
        x = graph.group_norm(&x, &self.out_norm, After::Silu)?;
        graph.conv2d(&x, &self.conv_out)
    }

    /// The same for latents `[1, h, w, latent]`; the levels in strips of at most `n_rows`.
    pub(super) fn forward_in_strips(
        &self,
        device: &D,
        latents: &D::Tensor,
        n_rows: usize,
    ) -> TensorResult<D::Tensor> {
        let mut graph = Eager::new(device);
        let x = graph.conv2d(latents, &self.conv_in)?;
        let x = self.middle.forward(&mut graph, x)?;
        let mut x = Strips::cut(device, &x, n_rows)?;
        for (blocks, smooth) in &self.levels {
            for block in blocks {
                x = block.forward_in_strips(device, x)?;
            }
            if let Some(smooth) = smooth {
                let height = 2 * x.height();
                x = x.turned_into(height, |x, rows| {
                    x.forget_above(rows.start.saturating_sub(1) / 2);
                    x.doubled(smooth, rows)
                })?;
            }
        }
        let norm = x.norm(&self.out_norm)?;
        let height = x.height();
        let picture = x.turned_into(height, |x, rows| {
            x.forget_above(rows.start.saturating_sub(1));
            x.convolved(Some(&norm), &self.conv_out, rows)
        })?;
        picture.joined()
    }
}

impl<D: Device> Middle<D> {
    fn load(
        source: &Loader<'_, D>,
        side: &str,
        channels: usize,
        config: &VaeConfig,
    ) -> Result<Self, WeightError> {
        let name = format!("{side}.mid_block");
        let block = |i: usize| {
            ResBlock::load(
                source,
                &format!("{name}.resnets.{i}"),
                (channels, channels),
                config,
            )
        };
        let attention = format!("{name}.attentions.0");
        Ok(Self {
            first: block(0)?,
            attention: config
                .has_attention
                .then(|| Attention::load(source, &attention, channels, config))
                .transpose()?,
            second: block(1)?,
        })
    }

    fn forward<G: Graph<Device = D>>(&self, graph: &mut G, x: G::Value) -> TensorResult<G::Value> {
        let mut x = self.first.forward(graph, x)?;
        if let Some(attention) = &self.attention {
            x = attention.forward(graph, x)?;
        }
        self.second.forward(graph, x)
    }
}

impl<D: Device> ResBlock<D> {
    fn load(
        source: &Loader<'_, D>,
        name: &str,
        (n_in, n_out): (usize, usize),
        config: &VaeConfig,
    ) -> Result<Self, WeightError> {
        let conv =
            |part: &str, in_out, geometry| Conv2d::load(source, &format!("{name}.{part}"), in_out, geometry);
        Ok(Self {
            norm1: norm(source, &format!("{name}.norm1"), n_in, config)?,
            conv1: conv("conv1", (n_in, n_out), ConvGeometry::SAME)?,
            norm2: norm(source, &format!("{name}.norm2"), n_out, config)?,
            conv2: conv("conv2", (n_out, n_out), ConvGeometry::SAME)?,
            shortcut: (n_in != n_out)
                .then(|| conv("conv_shortcut", (n_in, n_out), ConvGeometry::POINTWISE))
                .transpose()?,
        })
    }

    fn forward<G: Graph<Device = D>>(&self, graph: &mut G, x: G::Value) -> TensorResult<G::Value> {
        let mut y = graph.group_norm(&x, &self.norm1, After::Silu)?;
        y = graph.conv2d(&y, &self.conv1)?;
        y = graph.group_norm(&y, &self.norm2, After::Silu)?;
        y = graph.conv2d(&y, &self.conv2)?;
        match &self.shortcut {
            Some(shortcut) => {
                let x = graph.conv2d(&x, shortcut)?;
                graph.add(&x, &y)
            }
            None => graph.add(&x, &y),
        }
    }
}

impl<D: Device> ResBlock<D> {
    /// Holds input, what the first convolution gives, and some strips. The result takes the input's place.
    fn forward_in_strips<'a>(&self, device: &'a D, x: Strips<'a, D>) -> TensorResult<Strips<'a, D>> {
        let norm = x.norm(&self.norm1)?;
        let mut y = x.mapped(|rows| x.convolved(Some(&norm), &self.conv1, rows))?;
        let norm = y.norm(&self.norm2)?;
        let height = x.height();
        x.turned_into(height, |x, rows| {
            x.forget_above(rows.start);
            y.forget_above(rows.start.saturating_sub(1));
            let y = y.convolved(Some(&norm), &self.conv2, rows.clone())?;
            let x = match &self.shortcut {
                Some(shortcut) => x.convolved(None, shortcut, rows)?,
                None => x.rows(rows)?,
            };
            Ok(device.add(&x, &y)?)
        })
    }
}

impl<D: Device> Attention<D> {
    fn load(
        source: &Loader<'_, D>,
        name: &str,
        channels: usize,
        config: &VaeConfig,
    ) -> Result<Self, WeightError> {
        let linear = |part: &str| Linear::load(source, &format!("{name}.{part}"), (channels, channels));
        Ok(Self {
            norm: norm(source, &format!("{name}.group_norm"), channels, config)?,
            q: linear("to_q")?,
            k: linear("to_k")?,
            v: linear("to_v")?,
            out: linear("to_out.0")?,
        })
    }

    fn forward<G: Graph<Device = D>>(&self, graph: &mut G, x: G::Value) -> TensorResult<G::Value> {
        let shape = picture_dims(graph, &x)?;
        let [batch, height, width, channels] = shape;
        let normed = graph.group_norm(&x, &self.norm, After::Nothing)?;
        let tokens = graph.reshape(&normed, &[batch, height * width, channels])?;
        let q = graph.linear(&tokens, &self.q)?;
        let k = graph.linear(&tokens, &self.k)?;
        let v = graph.linear(&tokens, &self.v)?;
        let attended = graph.attention([&q, &k, &v], 1, Mask::None)?;
        let attended = graph.linear(&attended, &self.out)?;
        let attended = graph.reshape(&attended, &shape)?;
        graph.add(&x, &attended)
    }
}

fn norm<D: Device>(
    source: &Loader<'_, D>,
    name: &str,
    channels: usize,
    config: &VaeConfig,
) -> Result<GroupNorm<D>, WeightError> {
    GroupNorm::load(source, name, channels, config.n_norm_groups, NORM_EPS)
}
