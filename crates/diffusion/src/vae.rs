//! The picture codec: a variational autoencoder between pictures and latents of an eighth of their size
//! (diffusers' `AutoencoderKL`). Always in f32: SDXL's own overflows in half precision.

mod blocks;
mod strips;
mod tensors;

#[cfg(test)]
mod tests;

use candle_core::{Result as TensorResult, Tensor};
use serde::Deserialize;

use self::blocks::{Decoder, Encoder};
use crate::{
    cpu::Cpu,
    device::Device,
    graph::{Eager, Graph},
    layers::{Conv2d, ConvGeometry, Loader, WeightError},
    weights::{Component, MAX_SIDE},
};

/// Sizes of a VAE.
#[derive(Debug, Clone, PartialEq)]
pub struct VaeConfig {
    /// Channels of each level, the finest first; all but the last halve the picture.
    pub channels: Vec<usize>,
    /// Residual blocks of a level of the encoder; the decoder has one more.
    pub n_res_blocks: usize,
    /// Channels of the latents.
    pub latent_channels: usize,
    /// Groups of every group norm.
    pub n_norm_groups: usize,
    /// Brings latents to about unit variance.
    pub scaling_factor: f64,
    /// Whether there is attention at the coarsest level.
    pub has_attention: bool,
    /// Whether a convolution follows the encoder.
    pub has_quant_conv: bool,
    /// Whether a convolution precedes the decoder.
    pub has_post_quant_conv: bool,
}

/// Of stabilityai/sdxl-vae, config.json.
const SCALING_FACTOR: f64 = 0.13025;
/// Of stabilityai/sdxl-vae, config.json.
const NORM_GROUPS: usize = 32;

/// `config.json` as diffusers writes it.
#[derive(Debug, Deserialize)]
pub(crate) struct StoredConfig {
    block_out_channels: Vec<usize>,
    layers_per_block: usize,
    latent_channels: usize,
    norm_num_groups: usize,
    #[serde(default = "default_scaling_factor")]
    scaling_factor: f64,
    #[serde(default)]
    shift_factor: Option<f64>,
    #[serde(default)]
    latents_mean: Option<Vec<f64>>,
    #[serde(default = "yes")]
    mid_block_add_attention: bool,
    #[serde(default = "yes")]
    use_quant_conv: bool,
    #[serde(default = "yes")]
    use_post_quant_conv: bool,
}

/// Numbers of the largest activation from which on strips take the place of the whole: a quarter of a gigabyte, which
/// SDXL's has at 512².
const MOST_WHOLE: usize = 1 << 26;

/// Rows of a strip. The rows around it are computed twice: one in sixteen.
const STRIP: usize = 32;

/// Strips in memory at once, beside the activations that they make up.
const STRIPS_AT_ONCE: usize = 6;

/// diffusers' default.
fn yes() -> bool {
    true
}

fn default_scaling_factor() -> f64 {
    SCALING_FACTOR
}

impl VaeConfig {
    /// From `config.json`.
    pub(crate) fn from_stored(stored: StoredConfig) -> Result<Self, String> {
        if stored.shift_factor.is_some_and(|shift| shift != 0.0) || stored.latents_mean.is_some() {
            return Err("shift_factor or latents_mean is set, which SDXL's VAE does not have".to_owned());
        }
        let config = Self {
            channels: stored.block_out_channels,
            n_res_blocks: stored.layers_per_block,
            latent_channels: stored.latent_channels,
            n_norm_groups: stored.norm_num_groups,
            scaling_factor: stored.scaling_factor,
            has_attention: stored.mid_block_add_attention,
            has_quant_conv: stored.use_quant_conv,
            has_post_quant_conv: stored.use_post_quant_conv,
        };
        config.check()?;
        Ok(config)
    }

    /// SDXL's (stabilityai/sdxl-vae, config.json).
    pub(crate) fn sdxl() -> Self {
        Self {
            channels: vec![128, 256, 512, 512],
            n_res_blocks: 2,
            latent_channels: 4,
            n_norm_groups: NORM_GROUPS,
            scaling_factor: SCALING_FACTOR,
            has_attention: true,
            has_quant_conv: true,
            has_post_quant_conv: true,
        }
    }

    /// From the shapes of the tensors, for files of other sizes than SDXL's, which have no `config.json`. Groups,
    /// scale and what parts there are, are SDXL's. A tensor that is missing changes no size: another one tells it.
    pub(crate) fn from_shapes(vae: &Component) -> Option<Self> {
        let first = |name: &str| vae.shape(name).and_then(|shape| shape.first().copied());
        let n_levels = vae
            .count("encoder.down_blocks.")
            .max(vae.count("decoder.up_blocks."));
        let channels: Vec<usize> = (0..n_levels)
            .map_while(|level| {
                let (down, up) = (
                    format!("encoder.down_blocks.{level}"),
                    format!("decoder.up_blocks.{}", n_levels - 1 - level),
                );
                [down, up].iter().find_map(|block| {
                    ["conv1.bias", "conv2.bias", "norm2.weight"]
                        .iter()
                        .find_map(|part| first(&format!("{block}.resnets.0.{part}")))
                })
            })
            .collect();
        let moments = first("encoder.conv_out.bias").or_else(|| first("encoder.conv_out.weight"))?;
        let config = Self {
            channels,
            n_res_blocks: vae.count("encoder.down_blocks.0.resnets."),
            latent_channels: moments / 2,
            ..Self::sdxl()
        };
        config.check().is_ok().then_some(config)
    }

    fn check(&self) -> Result<(), String> {
        if self.channels.is_empty() || self.n_res_blocks == 0 || self.latent_channels == 0 {
            return Err("it has no blocks or no latents".to_owned());
        }
        if self
            .channels
            .iter()
            .chain([&self.latent_channels])
            .any(|size| *size > MAX_SIDE)
        {
            return Err("a size is larger than that of any model".to_owned());
        }
        if self.channels.len() > 8 || self.n_res_blocks > 8 {
            return Err("it has more than 8 levels or blocks".to_owned());
        }
        let groups = self.n_norm_groups;
        if groups == 0 || self.channels.iter().any(|c| *c == 0 || !c.is_multiple_of(groups)) {
            return Err(format!(
                "{:?} channels do not divide into {groups} groups",
                self.channels
            ));
        }
        if !(self.scaling_factor.is_finite() && self.scaling_factor > 0.0) {
            return Err(format!("scaling_factor is {}", self.scaling_factor));
        }
        Ok(())
    }

    /// Most bytes that decoding a picture takes, in `f32`, weights not counted. Encoding it takes less.
    ///
    /// A residual block at the full size holds three activations as a whole: its input, as wide as the next coarser level,
    /// the norm of that, and the result of its first convolution. In strips the norm is never there.
    pub fn decoding_bytes(&self, (height, width): (usize, usize)) -> u64 {
        self.bytes_in((height, width), self.strip((height, width)))
    }

    /// The same in strips of so many rows, or whole.
    fn bytes_in(&self, (height, width): (usize, usize), strip: Option<usize>) -> u64 {
        let (n_pixels, widest, finest) = (height * width, self.widest(), self.channels[0]);
        let n_values = match strip {
            None => n_pixels * (2 * widest + finest),
            Some(n_rows) => n_pixels * (widest + finest) + STRIPS_AT_ONCE * n_rows * width * widest,
        };
        (n_values * size_of::<f32>()) as u64
    }

    /// Floating-point operations of decoding a picture: its 3×3 convolutions, and the attention.
    pub fn decoding_flops(&self, (height, width): (usize, usize)) -> u64 {
        let coarsest = self.channels[self.channels.len() - 1];
        let mut n_pixels = height * width / self.downscale().pow(2);
        let convolution = |n_pixels: usize, n_in: usize, n_out: usize| 2 * 9 * n_pixels * n_in * n_out;
        let mut flops = 4 * convolution(n_pixels, coarsest, coarsest);
        if self.has_attention {
            flops += 8 * n_pixels * coarsest * coarsest + 4 * n_pixels * n_pixels * coarsest;
        }
        let mut n_in = coarsest;
        for (i, &n_out) in self.channels.iter().rev().enumerate() {
            flops += convolution(n_pixels, n_in, n_out);
            flops += (2 * self.n_res_blocks + 1) * convolution(n_pixels, n_out, n_out);
            if i + 1 < self.channels.len() {
                n_pixels *= 4;
                flops += convolution(n_pixels, n_out, n_out);
            }
            n_in = n_out;
        }
        flops as u64
    }

    /// Channels of the widest activation at the full size: those that the next coarser level hands on.
    fn widest(&self) -> usize {
        self.channels.iter().take(2).copied().max().unwrap_or(1)
    }

    /// Rows of the strips in which a picture of that height and width is computed; none if it is computed whole.
    fn strip(&self, (height, width): (usize, usize)) -> Option<usize> {
        (height * width * self.widest() > MOST_WHOLE).then_some(STRIP)
    }

    /// Pixels to a latent, along each axis.
    pub fn downscale(&self) -> usize {
        1 << (self.channels.len() - 1)
    }
}

/// A loaded VAE.
#[derive(Debug, Clone)]
pub struct Vae<D: Device = Cpu> {
    device: D,
    config: VaeConfig,
    encoder: Encoder<D>,
    /// Mean and log-variance; left out in some VAEs.
    quant: Option<Conv2d<D>>,
    post_quant: Option<Conv2d<D>>,
    decoder: Decoder<D>,
}

/// What the encoder says about pictures: a normal distribution of latents.
#[derive(Debug, Clone)]
pub struct Posterior {
    /// `[B, latent, h, w]`, unscaled.
    mean: Tensor,
    /// `[B, latent, h, w]`
    standard_deviation: Tensor,
    scaling_factor: f64,
}

impl Posterior {
    /// The likeliest latents `[B, latent, h, w]`, scaled for the U-Net.
    ///
    /// # Errors
    /// If memory is short.
    pub fn mean(&self) -> TensorResult<Tensor> {
        &self.mean * self.scaling_factor
    }

    /// Latents drawn with unit-normal `noise` `[B, latent, h, w]`, scaled for the U-Net. Training uses these.
    ///
    /// # Errors
    /// If `noise` has another shape.
    pub fn sample(&self, noise: &Tensor) -> TensorResult<Tensor> {
        (&self.mean + (&self.standard_deviation * noise)?)? * self.scaling_factor
    }
}

impl<D: Device> Vae<D> {
    /// Loads a VAE under diffusers' names.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape than `config` says.
    pub fn load(source: &Loader<'_, D>, config: VaeConfig) -> Result<Self, WeightError> {
        let pointwise = |name: &str, is_there: bool, channels| -> Result<Option<Conv2d<D>>, WeightError> {
            is_there
                .then(|| Conv2d::load(source, name, (channels, channels), ConvGeometry::POINTWISE))
                .transpose()
        };
        Ok(Self {
            device: source.device.clone(),
            encoder: Encoder::load(source, &config)?,
            quant: pointwise("quant_conv", config.has_quant_conv, 2 * config.latent_channels)?,
            post_quant: pointwise(
                "post_quant_conv",
                config.has_post_quant_conv,
                config.latent_channels,
            )?,
            decoder: Decoder::load(source, &config)?,
            config,
        })
    }

    /// Sizes of the VAE.
    pub fn config(&self) -> &VaeConfig {
        &self.config
    }

    /// Encodes pictures `[B, 3, H, W]` in [−1, 1]. Height and width are multiples of
    /// [`downscale`](VaeConfig::downscale).
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn encode(&self, pictures: &Tensor) -> TensorResult<Posterior> {
        let (_, channels, height, width) = pictures.dims4()?;
        let step = self.config.downscale();
        if channels != 3 || !height.is_multiple_of(step) || !width.is_multiple_of(step) {
            candle_core::bail!(
                "the vae encodes [B, 3, H, W] with sides that are multiples of {step}, got {:?}",
                pictures.dims()
            );
        }
        let strip = self.config.strip((height, width));
        one_by_one(pictures, |picture| self.moments(&picture, strip)).and_then(|moments| {
            let n = self.config.latent_channels;
            let mean = moments.narrow(1, 0, n)?.contiguous()?;
            // The bounds are diffusers' (DiagonalGaussianDistribution).
            let log_variance = moments.narrow(1, n, n)?.contiguous()?.clamp(-30.0, 20.0)?;
            Ok(Posterior {
                mean,
                standard_deviation: (log_variance * 0.5)?.exp()?,
                scaling_factor: self.config.scaling_factor,
            })
        })
    }

    /// Decodes scaled latents `[B, latent, h, w]` to pictures `[B, 3, H, W]`, about in [−1, 1].
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn decode(&self, latents: &Tensor) -> TensorResult<Tensor> {
        let (_, channels, height, width) = latents.dims4()?;
        if channels != self.config.latent_channels {
            candle_core::bail!(
                "the vae decodes {} latent channels, got {:?}",
                self.config.latent_channels,
                latents.dims()
            );
        }
        let step = self.config.downscale();
        let strip = self.config.strip((height * step, width * step));
        one_by_one(latents, |latents| self.picture(&latents, strip))
    }

    /// A picture `[1, 3, H, W]` of scaled latents, in strips of so many rows if there is a number.
    fn picture(&self, latents: &Tensor, strip: Option<usize>) -> TensorResult<Tensor> {
        let mut graph = Eager::new(&self.device);
        let latents = channels_last(&(latents / self.config.scaling_factor)?)?;
        let mut x = graph.constant(&latents)?;
        if let Some(conv) = &self.post_quant {
            x = graph.conv2d(&x, conv)?;
        }
        let picture = match strip {
            Some(n_rows) => self.decoder.forward_in_strips(&self.device, &x, n_rows)?,
            None => self.decoder.forward(&mut graph, x)?,
        };
        channels_first(&self.device.download(&picture)?)
    }

    /// Mean and log-variance `[1, 2 · latent, h, w]` of a picture, in strips of so many rows if there is a number.
    fn moments(&self, picture: &Tensor, strip: Option<usize>) -> TensorResult<Tensor> {
        let mut graph = Eager::new(&self.device);
        let picture = graph.constant(&channels_last(picture)?)?;
        let mut x = match strip {
            Some(n_rows) => self.encoder.forward_in_strips(&self.device, &picture, n_rows)?,
            None => self.encoder.forward(&mut graph, picture)?,
        };
        if let Some(conv) = &self.quant {
            x = graph.conv2d(&x, conv)?;
        }
        channels_first(&self.device.download(&x)?)
    }
}

/// One picture at a time: the finest level of a 1024² picture takes half a gigabyte for each activation.
fn one_by_one(batch: &Tensor, each: impl Fn(Tensor) -> TensorResult<Tensor>) -> TensorResult<Tensor> {
    let parts = (0..batch.dim(0)?)
        .map(|i| each(batch.narrow(0, i, 1)?))
        .collect::<TensorResult<Vec<_>>>()?;
    Tensor::cat(&parts, 0)
}

fn channels_last(x: &Tensor) -> TensorResult<Tensor> {
    x.permute((0, 2, 3, 1))?.contiguous()
}

fn channels_first(x: &Tensor) -> TensorResult<Tensor> {
    x.permute((0, 3, 1, 2))?.contiguous()
}
