//! The U-Net of Stable Diffusion XL (Podell et al. 2023), of any size.

mod config;
mod cost;
mod embeddings;
mod resnet;
mod speed;
mod tensors;
mod transformer;

use candle_core::{Result as TensorResult, Tensor, bail};

pub use config::{Level, UnetConfig};
pub use cost::{Cost, Sample};
pub use embeddings::sinusoids;

use self::{
    config::{Block, Step},
    embeddings::Embedding,
    resnet::{NORM_EPS, ResBlock},
    transformer::Transformer,
};
use crate::{
    cpu::Cpu,
    device::Device,
    graph::{AdapterSet, After, Eager, Graph, picture_dims},
    layers::{Conv2d, ConvGeometry, GroupNorm, Loader, WeightError, WeightSource as _},
};

/// What kohya puts before the name of a U-Net module.
pub const LORA_PREFIX: &str = "lora_unet";

/// Predicts the noise (or the velocity) in noisy latents.
#[derive(Debug)]
pub struct Unet<D: Device = Cpu> {
    device: D,
    config: UnetConfig,
    embedding: Embedding<D>,
    conv_in: Conv2d<D>,
    down: Vec<Down<D>>,
    middle: (ResBlock<D>, Option<Transformer<D>>, ResBlock<D>),
    up: Vec<Up<D>>,
    out_norm: GroupNorm<D>,
    conv_out: Conv2d<D>,
}

/// A step on the way down; each leaves its result for the way up.
#[derive(Debug)]
enum Down<D: Device> {
    Block(ResBlock<D>, Option<Transformer<D>>),
    Halve(Conv2d<D>),
}

/// A step on the way up; each block takes the newest result of the way down.
#[derive(Debug)]
enum Up<D: Device> {
    Block(ResBlock<D>, Option<Transformer<D>>),
    Double(Conv2d<D>),
}

/// What the U-Net is told beside the noisy latents.
#[derive(Debug, Clone)]
pub struct Conditioning {
    /// Hidden states of both text encoders, `[B, tokens, context_dim]`.
    pub context: Tensor,
    /// Pooled text and the embeddings of sizes and crop, `[B, vector_dim]`.
    pub vector: Tensor,
}

impl<D: Device> Unet<D> {
    /// Reads all weights, under their names in the original single-file layout without `model.diffusion_model.`.
    pub fn load(source: &Loader<'_, D>, config: UnetConfig) -> Result<Self, WeightError> {
        config.check().map_err(|problem| WeightError::Config {
            origin: source.origin(),
            problem,
        })?;
        let plan = config.plan();
        let c = config.model_channels();
        let block = |block: &Block| {
            let transformer = block.transformer.as_ref();
            Ok((
                ResBlock::load_block(source, block, &config)?,
                transformer
                    .map(|plan| Transformer::load(source, plan, &config))
                    .transpose()?,
            ))
        };
        let resample =
            |name: &str, channels, geometry| Conv2d::load(source, name, (channels, channels), geometry);
        let down = |step: &Step| match step {
            Step::Block(plan) => block(plan).map(|(res, transformer)| Down::Block(res, transformer)),
            Step::Resample { name, channels } => {
                resample(name, *channels, ConvGeometry::HALVE).map(Down::Halve)
            }
        };
        let up = |step: &Step| match step {
            Step::Block(plan) => block(plan).map(|(res, transformer)| Up::Block(res, transformer)),
            Step::Resample { name, channels } => {
                resample(name, *channels, ConvGeometry::SAME).map(Up::Double)
            }
        };
        let (middle_in, middle_transformer) = block(&plan.middle)?;
        // The middle block has no second residual block without its transformer at index 1, so index 2 is fixed.
        let channels = (plan.middle.out_channels, plan.middle.out_channels);
        let middle_out = ResBlock::load(source, "middle_block.2", channels, &config)?;
        Ok(Self {
            device: source.device.clone(),
            embedding: Embedding::load(source, &config)?,
            conv_in: Conv2d::load(
                source,
                "input_blocks.0.0",
                (config.in_channels, c),
                ConvGeometry::SAME,
            )?,
            down: plan.down.iter().map(down).collect::<Result<_, _>>()?,
            middle: (middle_in, middle_transformer, middle_out),
            up: plan.up.iter().map(up).collect::<Result<_, _>>()?,
            out_norm: GroupNorm::load(source, "out.0", c, config.n_norm_groups, NORM_EPS)?,
            conv_out: Conv2d::load(source, "out.2", (c, config.out_channels), ConvGeometry::SAME)?,
            config,
        })
    }

    /// What computes.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Sizes.
    pub fn config(&self) -> &UnetConfig {
        &self.config
    }

    /// The prediction `[B, h, w, out_channels]` for latents `[B, in_channels, h, w]`: mind the order of dimensions.
    pub fn forward<G: Graph<Device = D>>(
        &self,
        graph: &mut G,
        latents: &Tensor,
        timesteps: &[f32],
        conditioning: &Conditioning,
    ) -> TensorResult<G::Value> {
        let context = graph.constant(&conditioning.context)?;
        let vector = graph.constant(&conditioning.vector)?;
        self.forward_told(graph, latents, timesteps, [&context, &vector])
    }

    /// The same, where context and vector are on the graph already: what they are made of may want gradients.
    pub fn forward_told<G: Graph<Device = D>>(
        &self,
        graph: &mut G,
        latents: &Tensor,
        timesteps: &[f32],
        [context, vector]: [&G::Value; 2],
    ) -> TensorResult<G::Value> {
        self.check_input(latents, timesteps, [graph.dims(context), graph.dims(vector)])?;
        let x = graph.constant(&latents.permute((0, 2, 3, 1))?.contiguous()?)?;
        let embedding = self.embedding.forward(graph, timesteps, vector)?;

        let mut x = graph.conv2d(&x, &self.conv_in)?;
        let mut skips = vec![x.clone()];
        for step in &self.down {
            x = match step {
                Down::Block(res, transformer) => {
                    let x = graph.part(res, [&x, &embedding])?;
                    attend(graph, transformer.as_ref(), x, context)?
                }
                Down::Halve(conv) => graph.conv2d(&x, conv)?,
            };
            skips.push(x.clone());
        }
        let (first, transformer, second) = &self.middle;
        x = graph.part(first, [&x, &embedding])?;
        x = attend(graph, transformer.as_ref(), x, context)?;
        x = graph.part(second, [&x, &embedding])?;
        for step in &self.up {
            x = match step {
                Up::Block(res, transformer) => {
                    let skip = skips.pop().expect("the plan has one skip for each block");
                    let x = graph.concat(&x, &skip)?;
                    let x = graph.part(res, [&x, &embedding])?;
                    attend(graph, transformer.as_ref(), x, context)?
                }
                Up::Double(conv) => {
                    // The size of the next skip, so that odd sides come back as they were.
                    let next = skips.last().expect("a larger level follows");
                    let [_, height, width, _] = picture_dims(graph, next)?;
                    let x = graph.upsample_2x(&x, (height, width))?;
                    graph.conv2d(&x, conv)?
                }
            };
        }
        let x = graph.group_norm(&x, &self.out_norm, After::Silu)?;
        graph.conv2d(&x, &self.conv_out)
    }

    /// The prediction `[B, out_channels, h, w]` with LoRAs applied by weight.
    pub fn predict(
        &self,
        adapters: &AdapterSet<D>,
        latents: &Tensor,
        timesteps: &[f32],
        conditioning: &Conditioning,
    ) -> TensorResult<Tensor> {
        let mut graph = Eager::with_adapters(&self.device, adapters);
        let prediction = self.forward(&mut graph, latents, timesteps, conditioning)?;
        let prediction = self.device.download(&prediction)?;
        prediction.permute((0, 3, 1, 2))?.contiguous()
    }

    /// Numbers of one sample's activation at the first level, for latents `[B, in_channels, h, w]`.
    pub fn activation_len(&self, latents: &Tensor) -> TensorResult<usize> {
        let (_, _, height, width) = latents.dims4()?;
        Ok(height * width * self.config.model_channels())
    }

    fn check_input(
        &self,
        latents: &Tensor,
        timesteps: &[f32],
        [context, vector]: [&[usize]; 2],
    ) -> TensorResult<()> {
        let batch = timesteps.len();
        let UnetConfig {
            in_channels,
            context_dim,
            vector_dim,
            ..
        } = self.config;
        let fits = matches!(latents.dims(), &[b, c, h, w] if b == batch && c == in_channels && h * w > 0)
            && matches!(context, &[b, _, width] if b == batch && width == context_dim)
            && vector == [batch, vector_dim];
        if !fits || batch == 0 {
            bail!(
                "the unet got {batch} timesteps, latents {:?}, text {context:?} and vector {vector:?}; it needs \
                 {in_channels} latent channels, text of width {context_dim} and a vector of width {vector_dim}",
                latents.dims()
            );
        }
        Ok(())
    }
}

fn attend<G: Graph>(
    graph: &mut G,
    transformer: Option<&Transformer<G::Device>>,
    x: G::Value,
    context: &G::Value,
) -> TensorResult<G::Value> {
    match transformer {
        Some(transformer) => transformer.forward(graph, &x, context),
        None => Ok(x),
    }
}
