//! Sizes of a base model: from the `config.json` files of a folder, or from the tensors of a single file.

use protocol::base::Prediction;
use serde::Deserialize;

use super::prediction::{self, Predicts};
use crate::{
    assets,
    graph::Activation,
    schedulers::{SchedulerConfig, StoredScheduler},
    text_encoder::{self, TextEncoderConfig},
    tokenizer::Padding,
    unet::{Level, UnetConfig},
    vae::{self, VaeConfig},
    weights::{Checkpoint, Component, FileError, Folder, Shapes},
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

/// Finds out the sizes of all parts, that they fit together, and what the U-Net predicts.
pub(super) fn read(
    checkpoint: &Checkpoint,
    by_hand: Option<Prediction>,
) -> Result<(Sizes, Predicts), FileError> {
    let mut sizes = match &checkpoint.folder {
        Some(folder) => from_folder(folder, own_vae(checkpoint)?)?,
        None => from_single_file(checkpoint)?,
    };
    sizes.unet.check().map_err(|problem| match &checkpoint.folder {
        Some(folder) => in_file(folder, "unet/config.json")(problem),
        None => FileError::NotSdxl {
            path: checkpoint.unet.path().to_owned(),
            found: format!("a U-Net of which {problem}"),
            expected: "the tensors of SDXL base",
        },
    })?;
    check_fit(&sizes).map_err(|found| FileError::NotSdxl {
        path: match &checkpoint.folder {
            Some(folder) => folder.path(),
            None => checkpoint.unet.path().to_owned(),
        },
        found,
        expected: "parts of SDXL base that fit together",
    })?;
    let predicts = prediction::find(checkpoint, &sizes.scheduler, by_hand)?;
    sizes.scheduler = sizes.scheduler.with_prediction(predicts.prediction);
    Ok((sizes, predicts))
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
    if unet.in_channels == unet.out_channels && unet.in_channels != sizes.vae.latent_channels {
        return Err(format!(
            "a VAE with {} latent channels (another model's, such as that of Flux or Stable Diffusion 3?) with a U-Net \
             for {}",
            sizes.vae.latent_channels, unet.in_channels
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

/// Sizes of models whose single files are known by their tensors, so that none is missed.
fn families() -> Result<[Sizes; 2], FileError> {
    let tiny = Folder::BuiltIn {
        name: "tiny-xl",
        files: assets::TINY_XL,
    };
    Ok([Sizes::sdxl(), from_folder(&tiny, None)?])
}

impl Sizes {
    /// stabilityai/stable-diffusion-xl-base-1.0.
    pub(super) fn sdxl() -> Self {
        Self {
            unet: UnetConfig::sdxl(),
            text_encoder: TextEncoderConfig::clip_l(),
            text_encoder_2: TextEncoderConfig::clip_g(),
            vae: VaeConfig::sdxl(),
            scheduler: SchedulerConfig::default(),
            second_padding: Padding::Zero,
            native_resolution: 1024,
            absent_negative_is_zero: true,
        }
    }

    /// The tensors of each part, in the order of [`Checkpoint::parts`].
    pub(super) fn tensors(&self) -> [Shapes; 4] {
        [
            self.unet.tensors(),
            self.text_encoder.tensors(),
            self.text_encoder_2.tensors(),
            self.vae.tensors(),
        ]
    }

    /// The sizes, but for channels that tell relatives of a model apart: inpainting has other inputs, and a VAE of
    /// another family other latents.
    fn of(self, checkpoint: &Checkpoint) -> Result<Self, FileError> {
        let size = |part: &Component, name: &str, axis: usize| part.shape(name)?.get(axis).copied();
        let unet = &checkpoint.unet;
        let latents = size(&checkpoint.vae, "decoder.conv_in.weight", 1);
        let vae = match own_vae(checkpoint)? {
            Some(vae) => vae,
            None => VaeConfig {
                latent_channels: latents.unwrap_or(self.vae.latent_channels),
                ..self.vae
            },
        };
        Ok(Self {
            unet: UnetConfig {
                in_channels: size(unet, "input_blocks.0.0.weight", 1).unwrap_or(self.unet.in_channels),
                out_channels: size(unet, "out.2.weight", 0).unwrap_or(self.unet.out_channels),
                ..self.unet
            },
            vae,
            ..self
        })
    }

    /// Whether most of the U-Net's tensors, and of the VAE's if there is one, are of these sizes.
    fn are_those_of(&self, checkpoint: &Checkpoint) -> bool {
        let most = |part: &Component, list: &Shapes| {
            let fits =
                |(name, shape): &(&str, &[usize])| part.shape(name).is_some_and(|found| found == *shape);
            2 * list.iter().filter(fits).count() > list.len()
        };
        let has_vae = !checkpoint.vae.is_empty() && checkpoint.own_vae.is_none();
        most(&checkpoint.unet, &self.unet.tensors())
            && (!has_vae || most(&checkpoint.vae, &self.vae.tensors()))
    }
}

fn from_single_file(checkpoint: &Checkpoint) -> Result<Sizes, FileError> {
    for family in families()? {
        if family.are_those_of(checkpoint) {
            return family.of(checkpoint);
        }
    }
    let unreadable = |part: &Component, what: &str| {
        let path = part.path().to_owned();
        if part.is_empty() {
            return FileError::Incomplete {
                path,
                problems: format!("{what} is missing"),
            };
        }
        FileError::NotSdxl {
            path,
            found: format!("{what} whose sizes cannot be told from its tensors"),
            expected: "the tensors of SDXL base",
        }
    };
    let Checkpoint {
        unet,
        text_encoder,
        text_encoder_2,
        vae,
        ..
    } = checkpoint;
    let (first, second) = ("the first text encoder", "the second text encoder");
    Ok(Sizes {
        unet: unet_from_shapes(unet).ok_or_else(|| unreadable(unet, "the U-Net"))?,
        text_encoder: TextEncoderConfig::from_shapes(text_encoder, Activation::QuickGelu, false)
            .ok_or_else(|| unreadable(text_encoder, first))?,
        text_encoder_2: TextEncoderConfig::from_shapes(text_encoder_2, Activation::Gelu, true)
            .ok_or_else(|| unreadable(text_encoder_2, second))?,
        vae: match own_vae(checkpoint)? {
            Some(vae) => vae,
            None => VaeConfig::from_shapes(vae).ok_or_else(|| unreadable(vae, "the VAE"))?,
        },
        ..Sizes::sdxl()
    })
}

/// Sizes of the VAE that was named beside the model: of its configuration, or of its tensors.
fn own_vae(checkpoint: &Checkpoint) -> Result<Option<VaeConfig>, FileError> {
    let Some(own) = &checkpoint.own_vae else {
        return Ok(None);
    };
    if let Some((folder, file)) = &own.config {
        let stored = folder.json::<vae::StoredConfig>(file)?;
        return VaeConfig::from_stored(stored)
            .map_err(in_file(folder, file))
            .map(Some);
    }
    let part = &checkpoint.vae;
    for family in families()? {
        let list = family.vae.tensors();
        let fits = |(name, shape): &(&str, &[usize])| part.shape(name).is_some_and(|found| found == *shape);
        if 2 * list.iter().filter(fits).count() > list.len() {
            return Ok(Some(family.vae));
        }
    }
    let unreadable = || FileError::NotSdxl {
        path: part.path().to_owned(),
        found: "a VAE whose sizes cannot be told from its tensors".to_owned(),
        expected: "the tensors of SDXL's VAE",
    };
    VaeConfig::from_shapes(part).ok_or_else(unreadable).map(Some)
}

/// Reads the sizes off the tensors. Heads have 64 channels and norms 32 groups, as in every single file there is. A
/// tensor that is missing changes no size: another one tells it.
fn unet_from_shapes(unet: &Component) -> Option<UnetConfig> {
    let size = |name: &str, axis: usize| unet.shape(name)?.get(axis).copied();
    let depth = |place: &str| unet.count(&format!("{place}.1.transformer_blocks."));
    let mut levels: Vec<Level> = Vec::new();
    let mut n_res_blocks = 0;
    let mut begins_level = true;
    for i in 1..unet.count("input_blocks.") {
        let place = format!("input_blocks.{i}");
        if size(&format!("{place}.0.op.weight"), 0)
            .or(size(&format!("{place}.0.op.bias"), 0))
            .is_some()
        {
            begins_level = true;
            continue;
        }
        let of_block = [
            "in_layers.2.bias",
            "out_layers.3.bias",
            "out_layers.0.weight",
            "emb_layers.1.bias",
        ];
        let channels = of_block
            .iter()
            .find_map(|part| size(&format!("{place}.0.{part}"), 0))?;
        if std::mem::take(&mut begins_level) {
            levels.push(Level {
                channels,
                transformer_depth: depth(&place),
                n_heads: (channels / UnetConfig::HEAD_DIM).max(1),
            });
        }
        n_res_blocks += usize::from(levels.len() == 1);
    }
    let mut to_context = unet.names().filter(|name| name.ends_with("attn2.to_k.weight"));
    Some(UnetConfig {
        in_channels: size("input_blocks.0.0.weight", 1).unwrap_or(4),
        out_channels: size("out.2.bias", 0).or(size("out.2.weight", 0)).unwrap_or(4),
        levels,
        middle_depth: depth("middle_block"),
        n_res_blocks,
        context_dim: to_context.find_map(|name| size(name, 1))?,
        vector_dim: size("label_emb.0.0.weight", 1)?,
        n_norm_groups: UnetConfig::NORM_GROUPS,
    })
}

fn from_folder(folder: &Folder, own_vae: Option<VaeConfig>) -> Result<Sizes, FileError> {
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
    let file = "scheduler/scheduler_config.json";
    let stored: StoredScheduler = folder.json_or_default(file)?;
    let scheduler = stored.into_config().map_err(in_file(folder, file))?;
    let tokenizer: StoredTokenizer = folder.json_or_default("tokenizer_2/tokenizer_config.json")?;
    let native_resolution = sample_size
        .checked_mul(DOWNSCALE as u32)
        .filter(|side| (64..=4096).contains(side))
        .ok_or_else(|| in_file(folder, "unet/config.json")(format!("sample_size is {sample_size}")))?;
    Ok(Sizes {
        unet: unet.sizes().map_err(in_file(folder, "unet/config.json"))?,
        text_encoder: text("text_encoder", false)?,
        text_encoder_2: text("text_encoder_2", true)?,
        vae: match own_vae {
            Some(vae) => vae,
            None => VaeConfig::from_stored(folder.json::<vae::StoredConfig>("vae/config.json")?)
                .map_err(in_file(folder, "vae/config.json"))?,
        },
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
