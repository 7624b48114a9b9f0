//! How a picture was made: the record that it carries, and the same in the words of other programs.
//!
//! A picture has it three times, as texts of its PNG file: under [`KEYWORD`] everything that is needed to draw it again
//! to the bit; under [`a1111::KEYWORD`] as AUTOMATIC1111 writes it and websites read it; under [`comfyui::PROMPT`] and
//! [`comfyui::WORKFLOW`] as nodes of ComfyUI. None of them ever holds a path, a URL or a token.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::value::RawValue;

use crate::{
    ModelVersionId,
    base::Prediction,
    generation::Sampler,
    limits::{MAX_LORAS, MAX_PICTURE_TEXT_BYTES},
    text, unfit,
};

pub mod a1111;
pub mod comfyui;

/// Keyword of the record in a PNG file.
pub const KEYWORD: &str = "morpheus";

/// The newest version of the record.
pub const VERSION: u32 = 1;

/// How the program of a record begins that sd-scripts drew and we kept.
const SD_SCRIPTS: &str = "sd-scripts";

/// Everything that decides a picture's pixels, to the last bit; of a preview of sd-scripts, what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// Version of this record.
    pub version: u32,
    /// The program: `Morpheus 0.1.0`, or [`of_sd_scripts`].
    pub program: String,
    /// The base model.
    pub base: MadeBase,
    /// The prompt, without LoRA tags that were read.
    pub prompt: String,
    /// The negative prompt. Absent and empty are different things.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_prompt: Option<String>,
    /// Brackets, `BREAK` and LoRA tags in both prompts were read as letters.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub literal: bool,
    /// Length of text that prompts were padded to, in tokens: 75, 150 or 225.
    #[serde(default = "one_chunk", skip_serializing_if = "is_one_chunk")]
    pub max_tokens: u32,
    /// The LoRAs, in the order they were applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loras: Vec<MadeLora>,
    /// Seed of the noise.
    #[serde(deserialize_with = "fixed_seed", serialize_with = "digits")]
    pub seed: u64,
    /// Denoising steps, 1 to 150.
    pub n_steps: u32,
    /// Classifier-free guidance, 1 to 30.
    #[serde(deserialize_with = "exact")]
    pub guidance: f64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// How noise was turned into a picture.
    pub sampler: Sampler,
    /// The file with noise that it was drawn from, in place of the seed's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_noise: Option<InitialNoise>,
}

/// The base model of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeBase {
    /// Its name, or that of its file; never a path.
    pub name: String,
    /// SHA-256 over the hashes of its weight files, those of a VAE of its own among them, in hexadecimal: the same for
    /// the same weights.
    pub fingerprint: String,
    /// SHA-256 of its file, in hexadecimal; a folder has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What its U-Net was taken to predict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
}

impl MadeBase {
    /// The first ten digits of the hash, as A1111 shows them; of a folder, those of its fingerprint.
    pub fn short_hash(&self) -> &str {
        let hash = self.sha256.as_ref().unwrap_or(&self.fingerprint);
        hash.get(..10).unwrap_or(hash)
    }
}

/// A LoRA of a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeLora {
    /// Its name, which is that of its file without the extension; never a path.
    pub name: String,
    /// How strongly it was applied, −4 to 4.
    #[serde(deserialize_with = "exact")]
    pub weight: f64,
    /// What of it did not fit the base model was left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// SHA-256 of its file, in hexadecimal; absent for one that was still being trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// SHA-256 of its tensors without the header, in hexadecimal: A1111's and Civitai's hash (AutoV3), which stays the
    /// same when metadata is edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_sha256: Option<String>,
    /// The model version of the server that drew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version_id: Option<ModelVersionId>,
    /// Optimizer steps done, for one that was still being trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_steps: Option<u32>,
}

/// Noise that was read from a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitialNoise {
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Which of its pictures, from 0.
    pub index: u32,
}

/// A record that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MadeError {
    /// It was written by a newer program.
    #[error(
        "version {0} of the record is newer than this program, which reads up to version {VERSION}: update Morpheus"
    )]
    Newer(u32),
    /// It is damaged, or not ours.
    #[error("the record is not valid")]
    Json(#[source] serde_json::Error),
    /// A value is none that a picture can have.
    #[error("{field} of the record {problem}")]
    Field {
        /// Which.
        field: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

/// Only the version, to tell a newer record from a damaged one.
#[derive(Deserialize)]
struct Dated {
    version: u32,
}

/// The program of a record that sd-scripts drew, and this program of ours kept.
pub fn of_sd_scripts(program: &str) -> String {
    format!("{SD_SCRIPTS} (kept by {program})")
}

impl Made {
    /// Whether sd-scripts drew it. It draws noise on the GPU, so that no other program draws the same.
    pub fn is_of_sd_scripts(&self) -> bool {
        self.program.starts_with(SD_SCRIPTS)
    }

    /// The record as text: JSON in ASCII.
    ///
    /// # Panics
    /// Never: every value has a form in JSON.
    pub fn to_json(&self) -> String {
        ascii(&serde_json::to_string(self).expect("a record is JSON"))
    }

    /// Reads a record that anybody may have written.
    ///
    /// # Errors
    /// If it is not JSON, newer than this program, or holds a value that no picture can have.
    pub fn parse(json: &str) -> Result<Self, MadeError> {
        if json.len() > MAX_PICTURE_TEXT_BYTES {
            return Err(wrong("the size", "exceeds the limit".into()));
        }
        let Dated { version } = serde_json::from_str(json).map_err(MadeError::Json)?;
        if version > VERSION {
            return Err(MadeError::Newer(version));
        }
        let made: Self = serde_json::from_str(json).map_err(MadeError::Json)?;
        made.check()?;
        Ok(made)
    }

    fn check(&self) -> Result<(), MadeError> {
        let line = |field: &str, value: &str| match text::check_line(value) {
            _ if value.is_empty() || value.chars().count() > 300 => {
                Err(wrong(field, "must have from 1 to 300 characters".into()))
            }
            Err(unfit) => Err(wrong(field, unfit.to_string())),
            Ok(()) => Ok(()),
        };
        let hash = |field: &str, value: &str| {
            let is_hash = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hash
                .then_some(())
                .ok_or_else(|| wrong(field, "must be a SHA-256 of 64 hexadecimal digits".into()))
        };
        line("program", &self.program)?;
        line("base.name", &self.base.name)?;
        hash("base.fingerprint", &self.base.fingerprint)?;
        if let Some(sha256) = &self.base.sha256 {
            hash("base.sha256", sha256)?;
        }
        if self.loras.len() > MAX_LORAS {
            return Err(wrong(
                "loras",
                format!("must be at most {MAX_LORAS}, not {}", self.loras.len()),
            ));
        }
        for (index, lora) in self.loras.iter().enumerate() {
            line(&format!("loras[{index}].name"), &lora.name)?;
            let hashes = [("sha256", &lora.sha256), ("data_sha256", &lora.data_sha256)];
            for (field, value) in hashes {
                if let Some(value) = value {
                    hash(&format!("loras[{index}].{field}"), value)?;
                }
            }
            if let Some(problem) = unfit::weight(lora.weight) {
                return Err(wrong(&format!("loras[{index}].weight"), problem));
            }
        }
        if let Some(noise) = &self.initial_noise {
            hash("initial_noise.sha256", &noise.sha256)?;
        }
        if ![75, 150, 225].contains(&self.max_tokens) {
            return Err(wrong(
                "max_tokens",
                format!("must be 75, 150 or 225, not {}", self.max_tokens),
            ));
        }
        let sides = unfit::side(self.width).map(|problem| ("width", problem));
        let sides = sides.or_else(|| unfit::side(self.height).map(|problem| ("height", problem)));
        let steps = unfit::n_steps(self.n_steps).map(|problem| ("n_steps", problem));
        let guidance = unfit::guidance(self.guidance).map(|problem| ("guidance", problem));
        match sides.or(steps).or(guidance) {
            Some((field, problem)) => Err(wrong(field, problem)),
            None => Ok(()),
        }
    }
}

fn wrong(field: &str, problem: String) -> MadeError {
    MadeError::Field {
        field: field.to_owned(),
        problem,
    }
}

fn one_chunk() -> u32 {
    75
}

fn is_one_chunk(n_tokens: &u32) -> bool {
    *n_tokens == one_chunk()
}

/// A seed that is known: a random one draws nothing again.
fn fixed_seed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    crate::seed::deserialize(deserializer)?.ok_or_else(|| D::Error::custom("the seed must be a number"))
}

fn digits<S: serde::Serializer>(seed: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    crate::seed::serialize(&Some(*seed), serializer)
}

/// A number read to its last bit, which `serde_json` alone does not promise.
fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    raw.get()
        .parse()
        .map_err(|_| D::Error::custom(format!("must be a number, not `{}`", text::shown(raw.get(), 40))))
}

/// JSON whose strings hold nothing but ASCII: readers disagree about the encoding of a PNG's text.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests;
