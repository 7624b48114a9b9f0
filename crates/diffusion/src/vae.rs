//! The picture codec: a variational autoencoder between pictures and latents of an eighth of their size
//! (diffusers' `AutoencoderKL`). Always in f32: SDXL's own overflows in half precision.

mod blocks;

use candle_core::{Result as TensorResult, Tensor};
use serde::Deserialize;

use self::blocks::{Decoder, Encoder};
use crate::{
    cpu::Cpu,
    device::Device,
    graph::{Eager, Graph},
    layers::{Conv2d, ConvGeometry, Loader, WeightError, WeightSource as _},
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
        };
        config.check()?;
        Ok(config)
    }

    /// From the shapes of the tensors, for single files, which have no `config.json`. Groups and scale are SDXL's.
    pub(crate) fn from_shapes(shape: impl Fn(&str) -> Option<Vec<usize>>) -> Option<Self> {
        let first = |name: String| shape(&name).and_then(|shape| shape.first().copied());
        let channels: Vec<usize> = (0..16)
            .map_while(|level| first(format!("encoder.down_blocks.{level}.resnets.0.conv1.weight")))
            .collect();
        let n_res_blocks = (0..16)
            .take_while(|i| first(format!("encoder.down_blocks.0.resnets.{i}.conv1.weight")).is_some())
            .count();
        let config = Self {
            channels,
            n_res_blocks,
            latent_channels: first("encoder.conv_out.weight".to_owned())? / 2,
            n_norm_groups: NORM_GROUPS,
            scaling_factor: SCALING_FACTOR,
        };
        config.check().is_ok().then_some(config)
    }

    fn check(&self) -> Result<(), String> {
        if self.channels.is_empty() || self.n_res_blocks == 0 || self.latent_channels == 0 {
            return Err("it has no blocks or no latents".to_owned());
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
        let pointwise = |name: &str, channels| -> Result<Option<Conv2d<D>>, WeightError> {
            source
                .contains(&format!("{name}.weight"))
                .then(|| Conv2d::load(source, name, (channels, channels), ConvGeometry::POINTWISE))
                .transpose()
        };
        Ok(Self {
            device: source.device.clone(),
            encoder: Encoder::load(source, &config)?,
            quant: pointwise("quant_conv", 2 * config.latent_channels)?,
            post_quant: pointwise("post_quant_conv", config.latent_channels)?,
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
        one_by_one(pictures, |picture| self.moments(&picture)).and_then(|moments| {
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
        let (_, channels, ..) = latents.dims4()?;
        if channels != self.config.latent_channels {
            candle_core::bail!(
                "the vae decodes {} latent channels, got {:?}",
                self.config.latent_channels,
                latents.dims()
            );
        }
        one_by_one(latents, |latents| {
            let mut graph = Eager::new(&self.device);
            let latents = channels_last(&(latents / self.config.scaling_factor)?)?;
            let mut x = graph.constant(&latents)?;
            if let Some(conv) = &self.post_quant {
                x = graph.conv2d(&x, conv)?;
            }
            let picture = self.decoder.forward(&mut graph, x)?;
            channels_first(&self.device.download(&picture)?)
        })
    }

    fn moments(&self, picture: &Tensor) -> TensorResult<Tensor> {
        let mut graph = Eager::new(&self.device);
        let picture = graph.constant(&channels_last(picture)?)?;
        let mut x = self.encoder.forward(&mut graph, picture)?;
        if let Some(conv) = &self.quant {
            x = graph.conv2d(&x, conv)?;
        }
        channels_first(&self.device.download(&x)?)
    }
}

/// One picture at a time: the finest level of a 1024² picture takes half a gigabyte for each.
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
