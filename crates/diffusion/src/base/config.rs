//! Sizes of a base model: from the `config.json` files of a folder, or from the tensors of a single file.

use serde::Deserialize;

use crate::{
    graph::Activation,
    schedulers::{PredictionType, SchedulerConfig},
    text_encoder::{self, TextEncoderConfig},
    tokenizer::Padding,
    unet::{Level, UnetConfig},
    vae::{self, VaeConfig},
    weights::{Checkpoint, Component, FileError, Folder},
};

/// Channels that the six sizes of a picture take in the U-Net's vector.
const SIZES_WIDTH: usize = 6 * 256;

/// Pixels to a latent along each axis, in every SDXL model.
const DOWNSCALE: usize = 8;

pub(super) struct Sizes {
    pub(super) unet: UnetConfig,
    pub(super) text_encoder: TextEncoderConfig,
    pub(super) text_encoder_2: TextEncoderConfig,
    pub(super) vae: VaeConfig,
    pub(super) scheduler: SchedulerConfig,
    pub(super) second_padding: Padding,
    pub(super) native_resolution: u32,
    pub(super) absent_negative_is_zero: bool,
}

/// Finds out the sizes of all parts, and that they fit together.
pub(super) fn read(checkpoint: &Checkpoint) -> Result<Sizes, FileError> {
    let sizes = match &checkpoint.folder {
        Some(folder) => from_folder(folder)?,
        None => from_single_file(checkpoint)?,
    };
    check_fit(&sizes).map_err(|found| FileError::NotSdxl {
        path: match &checkpoint.folder {
            Some(folder) => folder.path(),
            None => checkpoint.unet.path().to_owned(),
        },
        found,
        expected: "parts of SDXL base that fit together",
    })?;
    Ok(sizes)
}

fn check_fit(sizes: &Sizes) -> Result<(), String> {
    let unet = &sizes.unet;
    let texts = sizes.text_encoder.width + sizes.text_encoder_2.width;
    if texts != unet.context_dim {
        return Err(format!(
            "text encoders of width {texts} with a U-Net for {}",
            unet.context_dim
        ));
    }
    let pooled = sizes.text_encoder_2.projection.unwrap_or(0);
    if pooled + SIZES_WIDTH != unet.vector_dim {
        return Err(format!(
            "a pooled text of width {pooled} with a U-Net whose vector has {}, not {}",
            unet.vector_dim,
            pooled + SIZES_WIDTH
        ));
    }
    if unet.in_channels != sizes.vae.latent_channels || unet.out_channels != unet.in_channels {
        return Err(format!(
            "a U-Net from {} to {} channels (an inpainting model?) with {} latent channels",
            unet.in_channels, unet.out_channels, sizes.vae.latent_channels
        ));
    }
    if sizes.vae.downscale() != DOWNSCALE {
        return Err(format!(
            "a vae that shrinks pictures by {}",
            sizes.vae.downscale()
        ));
    }
    Ok(())
}

fn from_single_file(checkpoint: &Checkpoint) -> Result<Sizes, FileError> {
    let unreadable = |part: &Component, what: &str| FileError::NotSdxl {
        path: part.path().to_owned(),
        found: format!("{what} whose sizes cannot be told from its tensors"),
        expected: "the tensors of SDXL base",
    };
    let text = |part: &Component, activation, what| {
        TextEncoderConfig::from_shapes(|name| part.shape(name), activation)
            .ok_or_else(|| unreadable(part, what))
    };
    // Merge tools mark velocity models with empty tensors of these names.
    let has_mark = |mark| checkpoint.files.iter().any(|file| file.info(mark).is_some());
    Ok(Sizes {
        unet: unet_from_shapes(&checkpoint.unet).ok_or_else(|| unreadable(&checkpoint.unet, "a U-Net"))?,
        text_encoder: text(
            &checkpoint.text_encoder,
            Activation::QuickGelu,
            "a first text encoder",
        )?,
        text_encoder_2: text(
            &checkpoint.text_encoder_2,
            Activation::Gelu,
            "a second text encoder",
        )?,
        vae: VaeConfig::from_shapes(|name| checkpoint.vae.shape(name))
            .ok_or_else(|| unreadable(&checkpoint.vae, "a vae"))?,
        scheduler: SchedulerConfig {
            prediction_type: if has_mark("v_pred") {
                PredictionType::VPrediction
            } else {
                PredictionType::Epsilon
            },
            rescale_betas_zero_snr: has_mark("ztsnr"),
            ..SchedulerConfig::default()
        },
        second_padding: Padding::Zero,
        native_resolution: 1024,
        absent_negative_is_zero: true,
    })
}

/// Reads the sizes off the tensors. Heads have 64 channels and norms 32 groups, as in every single file there is.
fn unet_from_shapes(unet: &Component) -> Option<UnetConfig> {
    let size = |name: &str, axis: usize| unet.shape(name)?.get(axis).copied();
    let depth = |place: &str| {
        (0..100)
            .take_while(|i| {
                let name = format!("{place}.1.transformer_blocks.{i}.norm1.weight");
                unet.shape(&name).is_some()
            })
            .count()
    };
    let mut levels: Vec<Level> = Vec::new();
    let mut n_res_blocks = 0;
    let mut begins_level = true;
    for i in 1..100 {
        let place = format!("input_blocks.{i}");
        if size(&format!("{place}.0.op.weight"), 0).is_some() {
            begins_level = true;
            continue;
        }
        let Some(channels) = size(&format!("{place}.0.in_layers.2.weight"), 0) else {
            break;
        };
        if std::mem::take(&mut begins_level) {
            levels.push(Level {
                channels,
                transformer_depth: depth(&place),
                n_heads: (channels / UnetConfig::HEAD_DIM).max(1),
            });
        }
        n_res_blocks += usize::from(levels.len() == 1);
    }
    let context = "middle_block.1.transformer_blocks.0.attn2.to_k.weight";
    Some(UnetConfig {
        in_channels: size("input_blocks.0.0.weight", 1)?,
        out_channels: size("out.2.weight", 0)?,
        levels,
        middle_depth: depth("middle_block"),
        n_res_blocks,
        context_dim: size(context, 1)?,
        vector_dim: size("label_emb.0.0.weight", 1)?,
        n_norm_groups: UnetConfig::NORM_GROUPS,
    })
}

fn from_folder(folder: &Folder) -> Result<Sizes, FileError> {
    let index: ModelIndex = folder.json("model_index.json")?;
    if !index.class_name.starts_with("StableDiffusionXL") {
        return Err(FileError::NotSdxl {
            path: folder.path(),
            found: format!("a {}", index.class_name),
            expected: "a StableDiffusionXLPipeline",
        });
    }
    let unet: StoredUnet = folder.json("unet/config.json")?;
    let sample_size = unet.sample_size;
    let text = |part: &str, has_projection| {
        let file = format!("{part}/config.json");
        let stored: text_encoder::StoredConfig = folder.json(&file)?;
        TextEncoderConfig::from_stored(stored, has_projection).map_err(in_file(folder, &file))
    };
    let scheduler: SchedulerConfig = folder.json_or_default("scheduler/scheduler_config.json")?;
    scheduler
        .check()
        .map_err(in_file(folder, "scheduler/scheduler_config.json"))?;
    let tokenizer: StoredTokenizer = folder.json_or_default("tokenizer_2/tokenizer_config.json")?;
    let native_resolution = sample_size
        .checked_mul(DOWNSCALE as u32)
        .filter(|side| (64..=4096).contains(side))
        .ok_or_else(|| in_file(folder, "unet/config.json")(format!("sample_size is {sample_size}")))?;
    Ok(Sizes {
        unet: unet.sizes().map_err(in_file(folder, "unet/config.json"))?,
        text_encoder: text("text_encoder", false)?,
        text_encoder_2: text("text_encoder_2", true)?,
        vae: VaeConfig::from_stored(folder.json::<vae::StoredConfig>("vae/config.json")?)
            .map_err(in_file(folder, "vae/config.json"))?,
        scheduler,
        second_padding: tokenizer.padding(),
        native_resolution,
        absent_negative_is_zero: index.force_zeros_for_empty_prompt,
    })
}

fn in_file(folder: &Folder, file: &str) -> impl Fn(String) -> FileError {
    let path = folder.path().join(file);
    move |reason| FileError::Config {
        path: path.clone(),
        reason,
    }
}

#[derive(Deserialize)]
struct ModelIndex {
    #[serde(rename = "_class_name")]
    class_name: String,
    /// diffusers' default.
    #[serde(default = "yes")]
    force_zeros_for_empty_prompt: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize, Default)]
struct StoredTokenizer {
    #[serde(default)]
    pad_token: Option<StoredToken>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum StoredToken {
    Plain(String),
    Added { content: String },
}

impl StoredTokenizer {
    fn padding(&self) -> Padding {
        match &self.pad_token {
            Some(StoredToken::Plain(token) | StoredToken::Added { content: token })
                if token == "<|endoftext|>" =>
            {
                Padding::End
            }
            _ => Padding::Zero,
        }
    }
}

/// `unet/config.json` as diffusers writes it.
#[derive(Deserialize)]
struct StoredUnet {
    in_channels: usize,
    out_channels: usize,
    block_out_channels: Vec<usize>,
    down_block_types: Vec<String>,
    layers_per_block: usize,
    transformer_layers_per_block: OneOrEach,
    /// The number of heads: diffusers named it wrongly and kept the name.
    attention_head_dim: OneOrEach,
    #[serde(default)]
    num_attention_heads: Option<OneOrEach>,
    cross_attention_dim: usize,
    norm_num_groups: usize,
    #[serde(default)]
    addition_embed_type: Option<String>,
    #[serde(default)]
    addition_time_embed_dim: Option<usize>,
    #[serde(default)]
    projection_class_embeddings_input_dim: Option<usize>,
    #[serde(default)]
    use_linear_projection: bool,
    sample_size: u32,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrEach {
    One(usize),
    Each(Vec<usize>),
}

impl OneOrEach {
    fn at(&self, level: usize) -> Option<usize> {
        match self {
            Self::One(value) => Some(*value),
            Self::Each(values) => values.get(level).copied(),
        }
    }
}

impl StoredUnet {
    fn sizes(&self) -> Result<UnetConfig, String> {
        if self.addition_embed_type.as_deref() != Some("text_time")
            || self.addition_time_embed_dim != Some(256)
        {
            return Err("it lacks SDXL's text_time conditioning with 256 channels to a size".to_owned());
        }
        if !self.use_linear_projection {
            return Err("use_linear_projection is off, SDXL has it on".to_owned());
        }
        let n = self.block_out_channels.len();
        if n == 0 || n > 8 || self.down_block_types.len() != n || self.layers_per_block > 8 {
            return Err("block_out_channels, down_block_types and layers_per_block do not fit".to_owned());
        }
        let heads = self
            .num_attention_heads
            .as_ref()
            .unwrap_or(&self.attention_head_dim);
        let depths = &self.transformer_layers_per_block;
        let levels = (0..n)
            .map(|i| {
                let transformer_depth = match self.down_block_types[i].as_str() {
                    "DownBlock2D" => 0,
                    "CrossAttnDownBlock2D" => {
                        depths.at(i).ok_or("transformer_layers_per_block is too short")?
                    }
                    other => return Err(format!("block type `{other}` does not occur in SDXL")),
                };
                Ok(Level {
                    channels: self.block_out_channels[i],
                    transformer_depth,
                    n_heads: heads.at(i).ok_or("attention_head_dim is too short")?,
                })
            })
            .collect::<Result<Vec<_>, String>>()?;
        Ok(UnetConfig {
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            levels,
            middle_depth: depths
                .at(n - 1)
                .ok_or("transformer_layers_per_block is too short")?,
            n_res_blocks: self.layers_per_block,
            context_dim: self.cross_attention_dim,
            vector_dim: self
                .projection_class_embeddings_input_dim
                .ok_or("projection_class_embeddings_input_dim is missing")?,
            n_norm_groups: self.norm_num_groups,
        })
    }
}
