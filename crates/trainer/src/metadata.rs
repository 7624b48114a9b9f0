//! The trained LoRA's file: kohya's keys, and the metadata that other programs read.
//!
//! The metadata is what kohya-ss/sd-scripts 0.10 writes, in its spelling: every value is Python's `str()` of
//! it, or Python's `json.dumps`. The hashes are sd-scripts' too, so that model managers recognize files.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
};

use candle_core::Tensor;
use dataset::buckets::Buckets;
use diffusion::{
    schedulers::{PredictionType, SchedulerConfig},
    weights::Stored,
};
use half::f16;
use protocol::{
    dataset::ManifestItem,
    parameters::{Definition, Value},
    recipe::Recipe,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::tensor_file::{Precision, TensorFile, WriteError, write_atomically};

mod datasets;
mod network;
mod optimizer;
mod python;

use python::{dumps, float};

/// What there is to say about a training.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// Its configuration.
    pub recipe: &'a Recipe,
    /// The base model.
    pub base: BaseFacts,
    /// The pictures, held-out ones included.
    pub items: &'a [ManifestItem],
    /// The buckets.
    pub buckets: &'a Buckets,
    /// Optimizer steps done.
    pub n_steps: u32,
    /// All batches of one epoch.
    pub n_batches_per_epoch: usize,
    /// Epochs begun.
    pub n_epochs: u32,
    /// When it began, in seconds since 1970.
    pub started_at: f64,
    /// When it ended, in seconds since 1970.
    pub finished_at: f64,
    /// How the base is noised, and what it predicts.
    pub scheduler: &'a SchedulerConfig,
}

/// What there is to say about a base model.
#[derive(Debug, Clone, Default)]
pub struct BaseFacts {
    /// Name of its file.
    pub file_name: String,
    /// First 8 digits of the SHA-256 of its bytes 0x100000 to 0x110000; none for a folder.
    pub legacy_hash: Option<String>,
    /// SHA-256 of its file; none for a folder.
    pub sha256: Option<String>,
}

/// The complete metadata, but for the two hashes that need the tensors.
pub fn describe(facts: &Facts<'_>) -> BTreeMap<String, String> {
    let recipe = facts.recipe;
    let p = recipe.parameters();
    let mut metadata = BTreeMap::new();
    let mut set = |key: &str, value: String| {
        metadata.insert(key.to_owned(), value);
    };
    for (key, value) in UNUSED {
        set(key, (*value).to_owned());
    }
    for (definition, value) in p.values() {
        for key in definition.metadata {
            set(key, spoken(definition, value));
        }
    }
    set("ss_session_id", session_id(facts).to_string());
    set("ss_training_started_at", float(facts.started_at));
    set("ss_training_finished_at", float(facts.finished_at));
    set("ss_output_name", recipe.name().to_owned());
    set("ss_text_encoder_lr", network::text_encoder_rates(p));
    if let Some(args) = network::args(p) {
        set("ss_network_args", dumps(&args));
    }
    let counts = datasets::counts(facts);
    set("ss_num_train_images", counts.trained.to_string());
    set("ss_num_validation_images", counts.held_out.to_string());
    set("ss_num_reg_images", counts.regularization.to_string());
    set("ss_num_batches_per_epoch", facts.n_batches_per_epoch.to_string());
    set("ss_num_epochs", facts.n_epochs.to_string());
    set("ss_epoch", facts.n_epochs.to_string());
    set(
        "ss_gradient_checkpointing",
        if p.gradient_checkpointing { "True" } else { "False" }.to_owned(),
    );
    set("ss_steps", facts.n_steps.to_string());
    set("ss_lr_scheduler", optimizer::lr_scheduler(p));
    set("ss_network_module", network::module(p).to_owned());
    set("ss_mixed_precision", "no".to_owned());
    set("ss_base_model_version", "sdxl_base_v1-0".to_owned());
    set("ss_v2", "False".to_owned());
    set("ss_clip_skip", "None".to_owned());
    set("ss_cache_latents", "True".to_owned());
    set("ss_optimizer", optimizer::optimizer(p));
    set(
        "ss_training_comment",
        format!("trained with Morpheus {}", env!("CARGO_PKG_VERSION")),
    );
    set("ss_sd_model_name", facts.base.file_name.clone());
    if let Some(hash) = &facts.base.legacy_hash {
        set("ss_sd_model_hash", hash.clone());
    }
    if let Some(hash) = &facts.base.sha256 {
        set("ss_new_sd_model_hash", hash.clone());
    }
    set("ss_tag_frequency", dumps(&datasets::tag_frequency(facts)));
    set("ss_dataset_dirs", dumps(&datasets::dataset_dirs(facts)));
    set("ss_datasets", dumps(&json!([datasets::dataset(facts)])));
    model_spec(facts, &mut set);
    metadata
}

/// A hyperparameter as Python shows it.
fn spoken(definition: &Definition, value: Value<'_>) -> String {
    if definition.off == Some(value) {
        return "None".to_owned();
    }
    match value {
        Value::Whole(value) => value.to_string(),
        Value::Number(value) => float(value),
        Value::Switch(true) => "True".to_owned(),
        Value::Switch(false) => "False".to_owned(),
        Value::Text(value) => value.to_owned(),
        Value::List(values) => dumps(&json!(values)),
    }
}

/// Options of sd-scripts that this engine does not have, at the values that say so.
const UNUSED: &[(&str, &str)] = &[
    ("ss_face_crop_aug_range", "None"),
    ("ss_fp8_base", "False"),
    ("ss_full_fp16", "False"),
    ("ss_lowram", "False"),
    ("ss_max_validation_steps", "None"),
    ("ss_sd_scripts_commit_hash", "(unknown)"),
    ("ss_validate_every_n_epochs", "None"),
    ("ss_validate_every_n_steps", "None"),
    ("ss_validation_seed", "None"),
    ("ss_validation_split", "0.0"),
    ("ss_zero_terminal_snr", "False"),
];

fn model_spec(facts: &Facts<'_>, set: &mut impl FnMut(&str, String)) {
    let recipe = facts.recipe;
    let resolution = recipe.parameters().resolution;
    set("modelspec.sai_model_spec", "1.0.1".to_owned());
    set(
        "modelspec.architecture",
        "stable-diffusion-xl-v1-base/lora".to_owned(),
    );
    set(
        "modelspec.implementation",
        "https://github.com/Stability-AI/generative-models".to_owned(),
    );
    set(
        "modelspec.implementation_version",
        format!("morpheus/{}", env!("CARGO_PKG_VERSION")),
    );
    set("modelspec.title", recipe.name().to_owned());
    set("modelspec.resolution", format!("{resolution}x{resolution}"));
    let finished = chrono::DateTime::from_timestamp(facts.finished_at as i64, 0).unwrap_or_default();
    set("modelspec.date", finished.format("%Y-%m-%dT%H:%M:%S").to_string());
    // sd-scripts knows the first two; others say the third as `base::prediction` reads it.
    let prediction = match facts.scheduler.prediction_type {
        PredictionType::Epsilon => "epsilon",
        PredictionType::VPrediction => "v",
        PredictionType::Flow => "flow",
    };
    set("modelspec.prediction_type", prediction.to_owned());
    if facts.scheduler.rescale_betas_zero_snr {
        set("ss_zero_terminal_snr", "True".to_owned());
    }
    if let Some(word) = recipe.trigger_word() {
        set("modelspec.trigger_phrase", word.to_owned());
    }
}

/// A number that tells trainings apart: a function of what was trained and when, so that nothing is drawn.
fn session_id(facts: &Facts<'_>) -> u32 {
    let seed = format!("{} {}", facts.recipe.name(), facts.started_at);
    let hash = Sha256::digest(seed);
    u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]])
}

/// Writes a LoRA file with its metadata and hashes; returns the metadata as written.
///
/// Stored in half precision, as sd-scripts' users do, unless a number is too large for it.
pub fn write_lora(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, WriteError> {
    let precision = match fits_half(tensors) {
        Ok(true) => Precision::F16,
        Ok(false) => Precision::F32,
        Err(err) => {
            let path = path.to_owned();
            return Err(WriteError { path, err });
        }
    };
    write_hashed(path, &TensorFile::new(tensors, precision), metadata)
}

/// Writes a LoRA file of tensors as they are, with its metadata and hashes; returns the metadata as written.
pub fn write_stored_lora(
    path: &Path,
    tensors: &BTreeMap<String, Stored>,
    metadata: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, WriteError> {
    write_hashed(path, &TensorFile::stored(tensors), metadata)
}

fn write_hashed(
    path: &Path,
    file: &TensorFile<'_>,
    mut metadata: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, WriteError> {
    let failed = |err: io::Error| WriteError {
        path: path.to_owned(),
        err,
    };
    metadata.insert("sshs_model_hash".to_owned(), model_hash(file).map_err(failed)?);
    metadata.insert(
        "sshs_legacy_hash".to_owned(),
        legacy_hash(file, &metadata).map_err(failed)?,
    );
    write_atomically(path, |out| file.write(&metadata, out))?;
    Ok(metadata)
}

/// `sshs_model_hash`: SHA-256 of the tensors, without header and metadata.
pub fn model_hash(file: &TensorFile<'_>) -> io::Result<String> {
    let mut hasher = HashWriter {
        hasher: Sha256::new(),
        at: 0,
        from: 0,
        to: u64::MAX,
    };
    file.write_data(&mut hasher)?;
    Ok(hex::encode(hasher.hasher.finalize()))
}

/// `sshs_legacy_hash`: first 8 digits of the SHA-256 of bytes 0x100000 to 0x110000 of the file as it would be with
/// only the `ss_*` part of the metadata.
pub fn legacy_hash(file: &TensorFile<'_>, metadata: &BTreeMap<String, String>) -> io::Result<String> {
    let training = metadata
        .iter()
        .filter(|(key, _)| key.starts_with("ss_"))
        .map(|(key, value)| (key.clone(), value.clone()));
    let mut hasher = HashWriter {
        hasher: Sha256::new(),
        at: 0,
        from: 0x10_0000,
        to: 0x11_0000,
    };
    file.write(&training.collect(), &mut hasher)?;
    let mut hash = hex::encode(hasher.hasher.finalize());
    hash.truncate(8);
    Ok(hash)
}

fn fits_half(tensors: &[(String, Tensor)]) -> io::Result<bool> {
    for (_, tensor) in tensors {
        let values = diffusion::device::floats(tensor).map_err(io::Error::other)?;
        if values
            .iter()
            .any(|&value| value.is_finite() && f16::from_f32(value).is_infinite())
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Hashes a window of what is written to it.
struct HashWriter {
    hasher: Sha256,
    at: u64,
    from: u64,
    to: u64,
}

impl Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let within = |position: u64| (position.saturating_sub(self.at) as usize).min(bytes.len());
        self.hasher.update(&bytes[within(self.from)..within(self.to)]);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
