//! A base model as its files describe it, without its networks: for engines that compute elsewhere.

use std::{path::Path, sync::Arc};

use protocol::base::weights::PARTS;
use serde_json::{Value, json};

use super::{
    BaseError, BaseHashes, BaseInfo, BaseModel, BaseOptions, ExportError, Facts, Layers, config,
    export_built_in, file_name,
};
use crate::{
    graph::Activation,
    schedulers::SchedulerConfig,
    text_encoder::TextEncoderConfig,
    tokenizer::Padding,
    unet::UnetConfig,
    vae::VaeConfig,
    weights::{Checkpoint, Component, Part, TensorFile, names},
};

/// A base model that is known and not loaded.
#[derive(Debug)]
pub struct Outline {
    /// Facts about it.
    pub info: BaseInfo,
    scheduler: SchedulerConfig,
    unet: UnetConfig,
    texts: [TextEncoderConfig; 2],
    vae: VaeConfig,
    second_padding: Padding,
    /// All parts, in the order of [`PARTS`].
    parts: [Component; 4],
    files: Vec<Arc<TensorFile>>,
    layers: Layers,
}

/// Why a base model cannot be outlined.
#[derive(Debug, thiserror::Error)]
pub enum OutlineError {
    /// It cannot be read.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// It is part of the program, and could not be written out.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// diffusers has no such model.
    #[error(
        "the U-Net of `{name}` has {last} transformer blocks in its last level and {middle} in the middle, which \
         diffusers cannot compute: use the native engine"
    )]
    Middle {
        /// Name of the base model.
        name: String,
        /// In the last level.
        last: usize,
        /// In the middle.
        middle: usize,
    },
}

/// One part of a base model, as diffusers and transformers know it.
#[derive(Debug)]
pub struct OutlinedPart<'a> {
    /// Its folder in diffusers' layout.
    pub name: &'static str,
    /// What its class is made with.
    pub config: Value,
    /// The library's name of each tensor, its file, its name there, and which part of it is meant.
    pub weights: Vec<(String, &'a Path, &'a str, Part)>,
}

impl Outline {
    /// Looks at what a person names: a built-in model, which is written to `folder` for others to read, or the path of a
    /// file or folder.
    ///
    /// # Errors
    /// If there is nothing of that name, something else than an SDXL model, or one that diffusers does not know.
    pub fn open_with(name_or_path: &str, options: &BaseOptions, folder: &Path) -> Result<Self, OutlineError> {
        if BaseModel::BUILT_IN.contains(&name_or_path) {
            let path = folder.join(name_or_path);
            export_built_in(name_or_path, &path)?;
            let mut outline = Self::read(&path, options)?;
            outline.info.path = None;
            return Ok(outline);
        }
        Self::read(Path::new(name_or_path), options)
    }

    fn read(path: &Path, options: &BaseOptions) -> Result<Self, OutlineError> {
        let read = || -> Result<_, BaseError> {
            let checkpoint = Checkpoint::open_with(path, options.vae.as_deref())?;
            let (info, sizes) = BaseInfo::look(&checkpoint, options, file_name(path), Some(path.to_owned()))?;
            Ok((checkpoint, info, sizes))
        };
        let (checkpoint, info, sizes) = read()?;
        let config::Sizes {
            unet,
            text_encoder,
            text_encoder_2,
            vae,
            scheduler,
            second_padding,
            ..
        } = sizes;
        let last = unet.levels.last().map_or(0, |level| level.transformer_depth);
        if last != unet.middle_depth && last > 0 {
            return Err(OutlineError::Middle {
                name: info.name,
                last,
                middle: unet.middle_depth,
            });
        }
        let changeable = [
            &checkpoint.unet,
            &checkpoint.text_encoder,
            &checkpoint.text_encoder_2,
        ]
        .map(Component::clone);
        let layers = Layers::new(info.name.clone(), changeable, text_encoder.n_layers);
        Ok(Self {
            info,
            scheduler,
            unet,
            texts: [text_encoder, text_encoder_2],
            vae,
            second_padding,
            parts: [
                checkpoint.unet,
                checkpoint.text_encoder,
                checkpoint.text_encoder_2,
                checkpoint.vae,
            ],
            files: checkpoint.files,
            layers,
        })
    }

    /// What a sampler must know about it.
    pub fn facts(&self) -> Facts {
        Facts {
            absent_negative_is_zero: self.info.absent_negative_is_zero,
            scheduler: self.scheduler.clone(),
            n_channels: self.unet.in_channels,
            second_padding: self.second_padding,
        }
    }

    /// The layers that a LoRA can change.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// What tells its weights from others. Reads all of them, once.
    pub fn hashes(&self) -> BaseHashes {
        BaseHashes::of(&self.files)
    }

    /// Its parts as diffusers and transformers know them.
    pub fn parts(&self) -> Vec<OutlinedPart<'_>> {
        let configs = [
            unet_config(&self.unet),
            self.text_config(0),
            self.text_config(1),
            vae_config(&self.vae),
        ];
        let parts = self.parts.iter().zip(configs).enumerate();
        let outlined = parts.map(|(part, (component, config))| OutlinedPart {
            name: PARTS[part],
            config,
            weights: component
                .places()
                .filter_map(|(name, file, key, how)| Some((self.name_of(part, name)?, file.path(), key, how)))
                .collect(),
        });
        outlined.collect()
    }

    /// The part of the model that a layer is in, and the library's name of its `weight` or `bias` there.
    pub fn place(&self, key: &str, tensor: &str) -> Option<(&'static str, String)> {
        let (part, path) = self.layers.by_key().get(key)?.place();
        Some((PARTS[part], self.name_of(part, &format!("{path}.{tensor}"))?))
    }

    /// The library's name of a canonical one. Those of text encoders and VAE are the libraries' own.
    fn name_of(&self, part: usize, name: &str) -> Option<String> {
        match part {
            0 => names::unet_to_diffusers(name, self.unet.n_res_blocks),
            _ => Some(name.to_owned()),
        }
    }

    /// transformers' `CLIPTextConfig`.
    fn text_config(&self, encoder: usize) -> Value {
        let config = &self.texts[encoder];
        let tokens = self.parts[encoder + 1].shape("text_model.embeddings.token_embedding.weight");
        json!({
            "vocab_size": tokens.and_then(|shape| shape.first().copied()),
            "hidden_size": config.width,
            "intermediate_size": config.inner_width,
            "num_hidden_layers": config.n_layers,
            "num_attention_heads": config.n_heads,
            "hidden_act": match config.activation {
                Activation::QuickGelu => "quick_gelu",
                Activation::Gelu => "gelu",
                Activation::TanhGelu => "gelu_pytorch_tanh",
                Activation::Silu => "silu",
            },
            "projection_dim": config.projection,
        })
    }
}

impl AsRef<Layers> for Outline {
    fn as_ref(&self) -> &Layers {
        &self.layers
    }
}

/// diffusers' `UNet2DConditionModel`.
fn unet_config(config: &UnetConfig) -> Value {
    let levels = &config.levels;
    let each = |value: fn(&crate::unet::Level) -> Value| -> Vec<Value> { levels.iter().map(value).collect() };
    let block = |attends: &'static str, plain: &'static str| -> Vec<&'static str> {
        let blocks = levels.iter();
        blocks
            .map(|level| {
                if level.transformer_depth > 0 {
                    attends
                } else {
                    plain
                }
            })
            .collect()
    };
    let mut up = block("CrossAttnUpBlock2D", "UpBlock2D");
    up.reverse();
    // The last one is the middle's too.
    let mut depths: Vec<usize> = levels
        .iter()
        .map(|level| level.transformer_depth.max(1))
        .collect();
    if let Some(last) = depths.last_mut() {
        *last = config.middle_depth.max(1);
    }
    json!({
        "in_channels": config.in_channels,
        "out_channels": config.out_channels,
        "block_out_channels": each(|level| level.channels.into()),
        "down_block_types": block("CrossAttnDownBlock2D", "DownBlock2D"),
        "mid_block_type": if config.middle_depth > 0 { "UNetMidBlock2DCrossAttn" } else { "UNetMidBlock2D" },
        "up_block_types": up,
        "layers_per_block": config.n_res_blocks,
        "transformer_layers_per_block": depths,
        // The number of heads: diffusers named it wrongly and kept the name.
        "attention_head_dim": each(|level| level.n_heads.into()),
        "cross_attention_dim": config.context_dim,
        "norm_num_groups": config.n_norm_groups,
        "use_linear_projection": true,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": config.vector_dim,
    })
}

/// diffusers' `AutoencoderKL`.
fn vae_config(config: &VaeConfig) -> Value {
    let n_levels = config.channels.len();
    json!({
        "down_block_types": vec!["DownEncoderBlock2D"; n_levels],
        "up_block_types": vec!["UpDecoderBlock2D"; n_levels],
        "block_out_channels": config.channels,
        "layers_per_block": config.n_res_blocks,
        "latent_channels": config.latent_channels,
        "norm_num_groups": config.n_norm_groups,
        "scaling_factor": config.scaling_factor,
        // Side of a tile, where it is decoded in tiles.
        "sample_size": 512,
        "mid_block_add_attention": config.has_attention,
        "use_quant_conv": config.has_quant_conv,
        "use_post_quant_conv": config.has_post_quant_conv,
    })
}

#[cfg(test)]
mod tests;
