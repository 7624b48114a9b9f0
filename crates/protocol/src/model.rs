//! Models, their versions, and the verdict on a trained file.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ArtifactId, DatasetVersionId, JobId, ModelId, ModelVersionId, damage::Damage, imported::Imported,
    judged::EvidencePicture, judgement::Judgement, library::HowToUse,
};

/// Stage of a model version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Trained or imported, not approved yet.
    Draft,
    /// Approved for use. Requires a passed verdict, or of an imported version that its owner says that nothing judged it.
    Approved,
    /// No longer offered.
    Retired,
}

/// A named LoRA with its versions, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Model {
    /// Its id.
    pub id: ModelId,
    /// Its name.
    pub name: String,
    /// Its versions, the newest first.
    pub versions: Vec<ModelVersion>,
    /// The version that it is used by: the one that its owner chose; else the newest approved one; else the newest that
    /// is not retired; else the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_version_id: Option<ModelVersionId>,
    /// Its owner chose the current version.
    #[serde(default)]
    pub is_pinned: bool,
    /// Signed URL of its cover: the picture that its owner chose; else the newest sample of the current version's job, or
    /// the fixed-seed picture with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover_url: Option<String>,
    /// The artifact that its owner chose as its cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover_artifact_id: Option<ArtifactId>,
    /// When its first version was created.
    pub created_at: DateTime<Utc>,
}

/// One LoRA offered for use: a job trained it, or it was imported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelVersion {
    /// Its id.
    pub id: ModelVersionId,
    /// The model it belongs to.
    pub model_id: ModelId,
    /// The model's name.
    pub name: String,
    /// 1, 2, 3, … within the model.
    pub version: u32,
    /// Its stage.
    pub stage: Stage,
    /// The job that trained it; absent if it was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// The dataset version it was trained on; absent if it was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_version_id: Option<DatasetVersionId>,
    /// Where it is from and what of it is applied, if it was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
    /// The base model it was trained on, or that it was imported for.
    pub base_model: String,
    /// The word that activates it in a prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_word: Option<String>,
    /// Optimizer steps it was trained for; absent if it was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_steps: Option<u32>,
    /// Name of the file.
    pub file_name: String,
    /// Size of the file.
    pub size_bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The file's own metadata: `ss_*`, `modelspec.*`, `sshs_*`.
    pub metadata: BTreeMap<String, String>,
    /// The verdict on the file; absent if it was imported, since nothing has judged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// How to use it, as its owner says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<HowToUse>,
    /// What it does to pictures; absent if nothing judged that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
    /// The stored pictures of the judgement's evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidencePicture>,
    /// Damage of the stored file, if known; the version cannot be used or promoted then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<Damage>,
    /// Signed URL of the fixed-seed picture without the LoRA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_url: Option<String>,
    /// Signed URL of the fixed-seed picture with the LoRA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_url: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

impl ModelVersion {
    /// The words that activate it: those that its owner says, else those that it was trained or imported with.
    pub fn words(&self) -> Vec<String> {
        let said = self.usage.iter().flat_map(|usage| &usage.trigger_words);
        let imported = self.imported.iter().flat_map(|imported| &imported.trigger_words);
        let own = self.trigger_word.iter().chain(imported);
        let mut words: Vec<String> = Vec::new();
        let all: Vec<&String> = match said.clone().next() {
            Some(_) => said.collect(),
            None => own.collect(),
        };
        for word in all {
            if !words.contains(word) {
                words.push(word.clone());
            }
        }
        words
    }

    /// What the metadata of a downloaded file says in addition to its own, in the words of
    /// [ModelSpec](https://github.com/Stability-AI/ModelSpec) 1.0.1: title, trigger words, hint, and a preview, which is a
    /// data URL.
    pub fn described(&self, preview: Option<String>) -> BTreeMap<String, String> {
        let title = format!("{} v{}", self.name, self.version);
        let mut texts = BTreeMap::from([("modelspec.title".to_owned(), title)]);
        let more = [
            ("modelspec.trigger_phrase", Some(self.words().join(", "))),
            (
                "modelspec.usage_hint",
                self.usage.as_ref().and_then(HowToUse::hint),
            ),
            ("modelspec.thumbnail", preview),
        ];
        for (key, text) in more {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                texts.insert(key.to_owned(), text);
            }
        }
        texts
    }
}

/// The version that a model is used by, of those that it has: see [`Model::current_version_id`]. A retired one stays
/// chosen only until it is retired.
pub fn current(versions: &[ModelVersion], pinned: Option<ModelVersionId>) -> Option<&ModelVersion> {
    let newest = |fits: fn(&ModelVersion) -> bool| {
        let fitting = versions.iter().filter(|version| fits(version));
        fitting.max_by_key(|version| version.version)
    };
    let pinned = versions
        .iter()
        .find(|version| Some(version.id) == pinned && is_offered(version));
    pinned
        .or_else(|| newest(|version| version.stage == Stage::Approved))
        .or_else(|| newest(is_offered))
        .or_else(|| newest(|_| true))
}

fn is_offered(version: &ModelVersion) -> bool {
    version.stage != Stage::Retired
}

/// Approves a model version.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Promote {
    /// Approve an imported version although nothing has judged it. A version that was trained needs a passed verdict.
    pub without_verdict: bool,
}

/// Whether a trained file is fit for use, with the measurements behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// Every check passed.
    pub passed: bool,
    /// The checks, in the order they were made.
    #[schema(max_items = 64)]
    pub checks: Vec<VerdictCheck>,
    /// The validation loss before and after; absent when the dataset is too small to hold pictures out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<ValidationLosses>,
    /// Mean absolute difference between the fixed-seed pictures at weight 0 and 1, in steps of 1/255.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture_change: Option<f64>,
    /// Norm of the change of each module's weight, largest first; `(alpha / rank) · ‖up · down‖`.
    #[schema(max_items = 16_384)]
    pub module_norms: Vec<ModuleNorm>,
}

/// Checks that are required for a passed verdict.
pub const REQUIRED_CHECKS: [&str; 6] = [
    "opens",
    "complete",
    "finite",
    "non_zero",
    "weight_zero",
    "picture_changes",
];
/// A loss that did not fall does not fail the verdict: the file works, and its owner decides.
pub const VALIDATION_CHECK: &str = "validation_loss";

/// Checks of what the LoRA does to pictures and losses; all others are of the file alone.
pub const RESULT_CHECKS: [&str; 3] = ["picture_changes", VALIDATION_CHECK, "train_probe_loss"];

impl Verdict {
    /// Checks that the verdict is consistent, regardless of the file. The evaluation ends at the first check that makes
    /// a file unsound; otherwise every required check was made.
    pub fn contradiction(&self) -> Option<String> {
        let failed: Vec<&str> = self
            .checks
            .iter()
            .filter(|check| !check.passed)
            .map(|check| check.name.as_str())
            .collect();
        if self.passed != failed.is_empty() {
            return Some(match failed.first() {
                Some(name) => format!("says `passed`, but its check `{name}` failed"),
                None => "says that it did not pass, but none of its checks failed".to_owned(),
            });
        }
        if failed.iter().any(|name| *name != VALIDATION_CHECK) {
            return None;
        }
        let missing = REQUIRED_CHECKS
            .iter()
            .find(|name| self.checks.iter().all(|check| check.name != **name))?;
        Some(format!(
            "lacks the check `{missing}`: a file is sound only after {}",
            REQUIRED_CHECKS.map(|name| format!("`{name}`")).join(", ")
        ))
    }
}

/// One check of a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VerdictCheck {
    /// What was checked: `opens`, `complete`, `finite`, `non_zero`, `weight_zero`, `picture_changes`,
    /// `validation_loss`.
    pub name: String,
    /// Whether it passed.
    pub passed: bool,
    /// The result, with numbers.
    pub detail: String,
}

/// Validation losses on held-out pictures at fixed timesteps and noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ValidationLosses {
    /// Held-out pictures measured.
    pub n_items: u32,
    /// The fixed timesteps.
    pub timesteps: Vec<u32>,
    /// Mean loss at each timestep without the LoRA.
    pub before: Vec<f64>,
    /// Mean loss at each timestep with the LoRA.
    pub after: Vec<f64>,
}

impl ValidationLosses {
    /// Mean over the timesteps without the LoRA.
    pub fn mean_before(&self) -> f64 {
        mean(&self.before)
    }

    /// Mean over the timesteps with the LoRA.
    pub fn mean_after(&self) -> f64 {
        mean(&self.after)
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// How much a LoRA changes one module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModuleNorm {
    /// The module, in kohya's naming: `lora_unet_input_blocks_4_1_proj_in`.
    pub module: String,
    /// Frobenius norm of the change.
    pub norm: f64,
}
