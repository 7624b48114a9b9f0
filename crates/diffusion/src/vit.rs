//! Vision transformers: what is on a picture, as tags or as a vector. Inference only.
//!
//! Dosovitskiy et al. 2020 (arXiv 2010.11929), with timm's names of tensors (`blocks.0.attn.qkv.weight`): ViT-S, ViT-B and
//! ViT-L with or without a class token, with or without LayerScale. [`Tagger`] is one with a head of tags, such as
//! SmilingWolf's `wd-vit-tagger-v3`: ViT-B/16 at 448 pixels without a class token, averaged, tanh GELU, 10,861 tags.

mod block;
mod config;
mod tagger;

use std::{path::PathBuf, sync::Arc};

use candle_core::Tensor;

pub use self::{
    config::{Pooling, VitConfig},
    tagger::{Channels, ScoredTag, TagKind, Tagger, TaggerError},
};

use self::block::Block;
use crate::{
    cpu::Cpu,
    device::{Device, floats, tensor},
    graph::{Activation, Eager, Graph},
    layers::{Conv2d, ConvGeometry, LayerNorm, Linear, Loader, WeightError, get_shaped},
    weights::{Component, Part, TensorFile},
};

/// Added to the variance in every norm (timm, `vision_transformer.py`, `norm_layer`).
const EPS: f32 = 1e-6;

/// A loaded vision transformer.
#[derive(Debug, Clone)]
pub struct Vit<D: Device = Cpu> {
    device: D,
    config: VitConfig,
    patches: Conv2d<D>,
    /// `[width]`, the token that stands before the patches.
    class_token: Option<Tensor>,
    /// `[tokens, width]`
    positions: Tensor,
    blocks: Vec<Block<D>>,
    /// Of all tokens.
    norm: Option<LayerNorm<D>>,
    /// Of the pooled vector.
    pooled_norm: Option<LayerNorm<D>>,
    head: Option<Linear<D>>,
}

/// Lists the tensors of a file with timm's names. Query, key and value, which are one tensor there, are three here.
pub fn component(path: PathBuf, file: &Arc<TensorFile>) -> Component {
    let mut component = Component::new(path);
    for key in file.names() {
        match key.split_once(".attn.qkv.") {
            Some((block, kind)) => {
                for (third, name) in ["q", "k", "v"].into_iter().enumerate() {
                    let name = format!("{block}.attn.{name}.{kind}");
                    component.list(name, file, key, Part::Third(third));
                }
            }
            None => component.list(key.to_owned(), file, key, Part::Whole),
        }
    }
    component
}

impl<D: Device> Vit<D> {
    /// Loads a transformer.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape than `config` says.
    pub fn load(device: &D, source: &Component, config: VitConfig) -> Result<Self, WeightError> {
        let scaled = block::Scaled(source);
        let loader = &Loader::new(device, &scaled);
        let width = config.width;
        let norm = |name: &str| -> Result<Option<LayerNorm<D>>, WeightError> {
            let is_there = source.shape(&format!("{name}.weight")).is_some();
            let load = || LayerNorm::load_with_eps(loader, name, width, EPS);
            is_there.then(load).transpose()
        };
        let class_token = match config.pooling {
            Pooling::Average => None,
            Pooling::ClassToken => Some(get_shaped(loader, "cls_token", &[1, 1, width])?),
        };
        let positions = get_shaped(loader, "pos_embed", &[1, config.n_tokens(), width])?;
        let unreadable = |name: &str, err| WeightError::Read {
            origin: source.path().display().to_string(),
            name: name.to_owned(),
            err,
        };
        let class_token = class_token.map(|token| token.flatten_all()).transpose();
        Ok(Self {
            patches: Conv2d::load(loader, "patch_embed.proj", (3, width), config.patching())?,
            class_token: class_token.map_err(|err| unreadable("cls_token", err))?,
            positions: positions.squeeze(0).map_err(|err| unreadable("pos_embed", err))?,
            blocks: (0..config.n_blocks)
                .map(|index| Block::load(loader, &config, index))
                .collect::<Result<_, _>>()?,
            norm: norm("norm")?,
            pooled_norm: norm("fc_norm")?,
            head: match config.n_classes {
                None => None,
                Some(n_classes) => Some(Linear::load(loader, "head", (width, n_classes))?),
            },
            device: device.clone(),
            config,
        })
    }

    /// Sizes of the transformer.
    pub fn config(&self) -> &VitConfig {
        &self.config
    }

    /// One vector for each of some pictures `[B, side, side, 3]`, normalized as the weights want it: `[B, width]`.
    ///
    /// # Errors
    /// If the pictures have another size, or the device fails.
    pub fn embed(&self, pictures: &Tensor) -> candle_core::Result<Tensor> {
        let mut graph = Eager::new(&self.device);
        let pooled = self.pooled(&mut graph, pictures)?;
        Ok(self.device.download(&pooled)?)
    }

    /// What the head says of some pictures `[B, side, side, 3]`: `[B, classes]`, before any sigmoid.
    ///
    /// # Errors
    /// If there is no head, the pictures have another size, or the device fails.
    pub fn logits(&self, pictures: &Tensor) -> candle_core::Result<Tensor> {
        let Some(head) = &self.head else {
            candle_core::bail!("the vision transformer has no head");
        };
        let mut graph = Eager::new(&self.device);
        let pooled = self.pooled(&mut graph, pictures)?;
        let logits = graph.linear(&pooled, head)?;
        Ok(self.device.download(&logits)?)
    }

    /// `[B, width]`
    fn pooled(&self, graph: &mut Eager<'_, D>, pictures: &Tensor) -> candle_core::Result<D::Tensor> {
        let n_pictures = pictures.dim(0)?;
        let expected = [n_pictures, self.config.side, self.config.side, 3];
        if pictures.dims() != expected {
            candle_core::bail!(
                "pictures {:?} are no input of a vision transformer that sees {expected:?}",
                pictures.dims()
            );
        }
        let (n_tokens, width) = (self.config.n_tokens(), self.config.width);
        let pictures = graph.constant(pictures)?;
        let patches = graph.conv2d(&pictures, &self.patches)?;
        let mut x = match &self.class_token {
            None => patches,
            Some(token) => {
                // Tokens of a picture are one row, so that the class token comes before them.
                let token = graph.constant(&repeated(token, n_pictures)?)?;
                let patches = graph.reshape(&patches, &[n_pictures, (n_tokens - 1) * width])?;
                graph.concat(&token, &patches)?
            }
        };
        x = graph.reshape(&x, &[n_pictures, n_tokens, width])?;
        let positions = repeated(&self.positions.flatten_all()?, n_pictures)?;
        let positions = graph.constant(&positions.reshape((n_pictures, n_tokens, width))?)?;
        x = graph.add(&x, &positions)?;
        for block in &self.blocks {
            x = block.forward(graph, &x, &self.config)?;
        }
        if let Some(norm) = &self.norm {
            x = graph.layer_norm(&x, norm)?;
        }
        let mut pooled = match self.config.pooling {
            Pooling::ClassToken => {
                let rows: Vec<usize> = (0..n_pictures).map(|picture| picture * n_tokens).collect();
                graph.gather(&x, &rows)?
            }
            Pooling::Average => graph.constant(&average(&self.device.download(&x)?)?)?,
        };
        if let Some(norm) = &self.pooled_norm {
            pooled = graph.layer_norm(&pooled, norm)?;
        }
        Ok(pooled)
    }
}

/// A row of numbers as several equal ones: `[n, numbers]`.
fn repeated(row: &Tensor, n: usize) -> candle_core::Result<Tensor> {
    row.unsqueeze(0)?.repeat((n, 1))
}

/// The mean over the tokens of `[B, tokens, width]`: `[B, width]`. Sums are kept in `f64`, since there are hundreds of
/// tokens.
fn average(tokens: &Tensor) -> candle_core::Result<Tensor> {
    let (n_pictures, n_tokens, width) = tokens.dims3()?;
    let values = floats(tokens)?;
    let mut means = Vec::with_capacity(n_pictures * width);
    for picture in values.chunks_exact(n_tokens * width) {
        let mut sums = vec![0.0_f64; width];
        for token in picture.chunks_exact(width) {
            for (sum, value) in sums.iter_mut().zip(token) {
                *sum += f64::from(*value);
            }
        }
        means.extend(sums.into_iter().map(|sum| (sum / n_tokens as f64) as f32));
    }
    tensor(means, [n_pictures, width])
}

/// The name of an activation in timm's files.
fn activation(name: &str) -> Option<Activation> {
    match name {
        "gelu" => Some(Activation::Gelu),
        "gelu_tanh" => Some(Activation::TanhGelu),
        "quick_gelu" => Some(Activation::QuickGelu),
        _ => None,
    }
}

impl VitConfig {
    /// How a picture is cut into patches.
    fn patching(&self) -> ConvGeometry {
        ConvGeometry {
            kernel: self.patch,
            stride: self.patch,
            pad_start: 0,
            pad_end: 0,
        }
    }
}
