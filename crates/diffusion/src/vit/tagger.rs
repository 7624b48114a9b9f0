//! A vision transformer whose head says which tags a picture has.
//!
//! A folder has `model.safetensors` with timm's names, `config.json` as timm writes it, and `selected_tags.csv` with a line
//! for each output of the head: `tag_id,name,category,count`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::Tensor;
use image::RgbImage;
use serde::Deserialize;

use super::{Vit, VitConfig, activation, component};
use crate::{
    cpu::Cpu,
    device::{Device, floats, tensor},
    layers::WeightError,
    weights::{FileError, TensorFile},
};

/// The files of a tagger, as Hugging Face has them.
const WEIGHTS: &str = "model.safetensors";
const CONFIG: &str = "config.json";
const TAGS: &str = "selected_tags.csv";

/// Largest `config.json` and `selected_tags.csv` that are read, in bytes. Those of WD v3 have 1 kB and 300 kB.
const MAX_TEXT_BYTES: u64 = 16 << 20;

/// Order in which a tagger takes the colors of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Channels {
    /// Blue, green, red: what SmilingWolf's taggers were trained on, those in timm's format too. Their `config.json` does
    /// not say so.
    #[default]
    Bgr,
    /// Red, green, blue.
    Rgb,
}

/// What a tag is about, by its category in Danbooru's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagKind {
    /// What is on the picture (0).
    General,
    /// Who drew it (1).
    Artist,
    /// Which work it belongs to (3).
    Copyright,
    /// Who is on it (4).
    Character,
    /// About the picture as a file (5).
    Meta,
    /// How explicit it is (9).
    Rating,
}

impl TagKind {
    fn of(category: &str) -> Option<Self> {
        match category {
            "0" => Some(Self::General),
            "1" => Some(Self::Artist),
            "3" => Some(Self::Copyright),
            "4" => Some(Self::Character),
            "5" => Some(Self::Meta),
            "9" => Some(Self::Rating),
            _ => None,
        }
    }
}

/// A tag with how sure the tagger is of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredTag {
    /// As the tagger has it, with underscores for spaces.
    pub name: String,
    /// What it is about.
    pub kind: TagKind,
    /// From 0 to 1.
    pub score: f32,
}

/// A loaded tagger.
#[derive(Debug)]
pub struct Tagger<D: Device = Cpu> {
    vit: Vit<D>,
    /// Name and kind of each output of the head.
    tags: Vec<(String, TagKind)>,
    mean: [f32; 3],
    std: [f32; 3],
    channels: Channels,
}

/// Why a tagger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TaggerError {
    /// The weights cannot be opened.
    #[error(transparent)]
    File(#[from] FileError),
    /// A tensor is missing, or has another shape.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// One of the other files cannot be read.
    #[error("failed to read `{path}`, which a tagger needs beside {WEIGHTS}: download it from the same page")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// The files are those of something else.
    #[error("`{path}` is not a tagger that can be used here: {problem}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do about it.
        problem: String,
    },
}

/// `config.json` as timm writes it.
#[derive(Debug, Deserialize)]
struct StoredConfig {
    architecture: String,
    #[serde(default)]
    model_args: ModelArgs,
    #[serde(default)]
    pretrained_cfg: PretrainedConfig,
}

#[derive(Debug, Default, Deserialize)]
struct ModelArgs {
    act_layer: Option<String>,
}

#[derive(Debug, Deserialize)]
struct PretrainedConfig {
    #[serde(default = "half")]
    mean: [f32; 3],
    #[serde(default = "half")]
    std: [f32; 3],
}

impl Default for PretrainedConfig {
    fn default() -> Self {
        Self {
            mean: half(),
            std: half(),
        }
    }
}

/// Colors from -1 to 1.
fn half() -> [f32; 3] {
    [0.5; 3]
}

impl Tagger {
    /// Opens the folder of a tagger.
    ///
    /// # Errors
    /// If a file is missing, or the files are not those of a vision transformer with a head of tags.
    pub fn open(folder: &Path, channels: Channels) -> Result<Self, TaggerError> {
        Self::open_on(&Cpu, folder, channels)
    }
}

impl<D: Device> Tagger<D> {
    /// Opens the folder of a tagger for a device.
    ///
    /// # Errors
    /// As [`open`](Tagger::open).
    pub fn open_on(device: &D, folder: &Path, channels: Channels) -> Result<Self, TaggerError> {
        let path = folder.join(CONFIG);
        let unusable = |path: &Path, problem: String| TaggerError::Unusable {
            path: path.to_owned(),
            problem,
        };
        let stored: StoredConfig = serde_json::from_str(&read(&path)?)
            .map_err(|err| unusable(&path, format!("it is not what timm writes: {err}")))?;
        if !stored.architecture.starts_with("vit_") {
            return Err(unusable(
                &path,
                format!(
                    "its architecture is `{}`, and only plain vision transformers are read: use wd-vit-tagger-v3",
                    stored.architecture
                ),
            ));
        }
        let name = stored.model_args.act_layer.as_deref().unwrap_or("gelu");
        let activation = activation(name).ok_or_else(|| {
            unusable(
                &path,
                format!("act_layer is `{name}`, expected gelu, gelu_tanh or quick_gelu"),
            )
        })?;
        let PretrainedConfig { mean, std } = stored.pretrained_cfg;
        if std.iter().any(|std| std.is_nan() || *std <= 0.0) {
            return Err(unusable(&path, "a number of std is not above 0".to_owned()));
        }
        let path = folder.join(TAGS);
        let tags = read_tags(&read(&path)?).map_err(|problem| unusable(&path, problem))?;
        let path = folder.join(WEIGHTS);
        let file = Arc::new(TensorFile::open(&path)?);
        let part = component(path.clone(), &file);
        let config = VitConfig::from_shapes(&part, activation).map_err(|problem| unusable(&path, problem))?;
        if config.n_classes != Some(tags.len()) {
            let n_classes = config.n_classes.unwrap_or(0);
            return Err(unusable(
                &path,
                format!(
                    "its head has {n_classes} outputs, and {TAGS} has {} tags",
                    tags.len()
                ),
            ));
        }
        Ok(Self {
            vit: Vit::load(device, &part, config)?,
            tags,
            mean,
            std,
            channels,
        })
    }

    /// Height and width of the pictures that it sees, in pixels.
    pub fn side(&self) -> u32 {
        self.vit.config().side as u32
    }

    /// Tags that it knows.
    pub fn n_tags(&self) -> usize {
        self.tags.len()
    }

    /// All tags of a picture, the surest first. The picture is a square of [`side`](Self::side) pixels.
    ///
    /// # Errors
    /// If the picture has another size, or the device fails.
    pub fn tags(&self, picture: &RgbImage) -> candle_core::Result<Vec<ScoredTag>> {
        let logits = self.vit.logits(&self.input(picture)?)?;
        let logits = floats(&logits)?;
        let scored = self.tags.iter().zip(logits.iter());
        let mut scored: Vec<ScoredTag> = scored
            .map(|((name, kind), logit)| ScoredTag {
                name: name.clone(),
                kind: *kind,
                score: 1.0 / (1.0 + (-logit).exp()),
            })
            .collect();
        scored.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(scored)
    }

    /// Colors as the weights want them: `[1, height, width, 3]`.
    fn input(&self, picture: &RgbImage) -> candle_core::Result<Tensor> {
        let mut values = Vec::with_capacity(picture.as_raw().len());
        for pixel in picture.pixels() {
            let normalized =
                |channel: usize| (f32::from(pixel[channel]) / 255.0 - self.mean[channel]) / self.std[channel];
            let order = match self.channels {
                Channels::Bgr => [2, 1, 0],
                Channels::Rgb => [0, 1, 2],
            };
            values.extend(order.map(normalized));
        }
        tensor(
            values,
            [1, picture.height() as usize, picture.width() as usize, 3],
        )
    }
}

fn read(path: &Path) -> Result<String, TaggerError> {
    let unreadable = |err| TaggerError::Read {
        path: path.to_owned(),
        err,
    };
    let n_bytes = fs::metadata(path).map_err(unreadable)?.len();
    if n_bytes > MAX_TEXT_BYTES {
        return Err(TaggerError::Unusable {
            path: path.to_owned(),
            problem: format!("it has {n_bytes} bytes, at most {MAX_TEXT_BYTES} are read"),
        });
    }
    fs::read_to_string(path).map_err(unreadable)
}

/// Name and kind of each line below the first, which names the columns.
fn read_tags(table: &str) -> Result<Vec<(String, TagKind)>, String> {
    let mut lines = table.lines().filter(|line| !line.trim().is_empty());
    let head = cells(lines.next().unwrap_or_default());
    let column = |name: &str| {
        let position = head.iter().position(|cell| cell.trim() == name);
        position.ok_or_else(|| format!("its first line names no column `{name}`"))
    };
    let (name, category) = (column("name")?, column("category")?);
    let tags = lines.map(|line| {
        let cells = cells(line);
        let kind = cells
            .get(category)
            .and_then(|category| TagKind::of(category.trim()));
        let name = cells.get(name).filter(|name| !name.is_empty());
        match (name, kind) {
            (Some(name), Some(kind)) => Ok((name.clone(), kind)),
            _ => Err(format!("its line `{line}` has no name or no known category")),
        }
    });
    tags.collect()
}

/// The cells of a line; in quotes, commas are text, and two quotes are one (RFC 4180).
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if is_quoted || cell.is_empty() => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    cells.push(cell);
    cells
}
