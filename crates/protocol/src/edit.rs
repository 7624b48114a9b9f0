//! Edits: files that are made out of LoRAs of the library and base models, without training.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    EditId, ModelVersionId,
    limits::{MAX_BLOCK_WEIGHTS_CHARS, MAX_LORAS},
    problem::{FieldError, InvalidFields},
    text, unfit,
};

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EditKind {
    /// One LoRA out of several.
    Merge,
    /// A base model with LoRAs in it, to download.
    MergeInto,
    /// A LoRA of smaller rank; of a LoHa, LoKr or DoRA a plain LoRA.
    Resize,
    /// The file under another program's names, to download.
    Convert,
    /// The difference of two base models as a LoRA.
    Extract,
    /// A LoRA whose blocks are stronger or weaker.
    Weigh,
}

impl EditKind {
    /// Whether the result is a model version; otherwise it is a file to download.
    pub fn makes_version(self) -> bool {
        !matches!(self, Self::MergeInto | Self::Convert)
    }
}

/// A LoRA of the library in an edit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditedLora {
    /// The LoRA.
    pub model_version_id: ModelVersionId,
    /// Weight in a merge: 1 is as trained, 0 leaves it out.
    #[serde(default = "one")]
    #[schema(minimum = -4, maximum = 4, default = 1.0)]
    pub weight: f64,
}

fn one() -> f64 {
    1.0
}

/// How LoRAs are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MergeMethod {
    /// Side by side: exact, and as wide as all ranks together.
    #[default]
    Concatenate,
    /// The best approximation of the sum at a smaller rank.
    Svd,
    /// NP-LoRA, for a style and a character: the first LoRA is the style, and all others lose what would disturb it.
    NpLora,
}

/// By what a rank is chosen for each module; sd-scripts' rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeepBy {
    /// A share of the Frobenius norm, from 0 to 1.
    Frobenius,
    /// A share of the sum of the singular values, from 0 to 1.
    Cumulative,
    /// Singular values larger than the largest over this number, which is above 1.
    Ratio,
}

/// Whose names a file's tensors get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoraNames {
    /// sd-scripts, ComfyUI, A1111, Invoke.
    Kohya,
    /// diffusers.
    Diffusers,
    /// PEFT: a folder for each part of the model, in a zip archive.
    Peft,
}

impl LoraNames {
    /// What they are called in a sentence.
    pub fn title(self) -> &'static str {
        match self {
            Self::Kohya => "kohya's names",
            Self::Diffusers => "diffusers' names",
            Self::Peft => "PEFT's names",
        }
    }

    /// What somebody can do with a module that these names cannot hold; PEFT's may hold it.
    pub fn instead(self, is_held_by_peft: bool) -> &'static str {
        match (self, is_held_by_peft) {
            (Self::Kohya, _) => "resize it to a plain LoRA first",
            (Self::Diffusers, true) => {
                "convert to PEFT's or kohya's names, or resize it to a plain LoRA first"
            }
            _ => "keep kohya's names, or resize it to a plain LoRA first",
        }
    }

    /// The end of a sentence about a module that they cannot hold, as `instead` has it.
    pub fn not_held(self, instead: &str) -> String {
        format!("which {} cannot hold: {instead}", self.title())
    }
}

/// Asks for a file that is made out of others. Fields that `kind` does not use must be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateEdit {
    /// What is made.
    pub kind: EditKind,
    /// Name of the model that the result becomes a version of. If omitted, that of the first LoRA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 80)]
    pub name: Option<String>,
    /// The LoRAs: at least two for `merge`, at least one for `merge_into`, none for `extract`, else one.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub loras: Vec<EditedLora>,
    /// `merge_into`: the base model. `extract`: what is subtracted. `merge`, `resize`: the base model that a DoRA's change
    /// is computed beside; if omitted, that of the first LoRA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_model: Option<String>,
    /// `extract`: the base model whose difference is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned_model: Option<String>,
    /// `merge`: how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<MergeMethod>,
    /// NP-LoRA: how strongly the others are projected; 0 is a plain sum. 0.5 if omitted, as in its paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1000)]
    pub strength: Option<f64>,
    /// NP-LoRA: remove all that the others do along the style's directions, whatever the strength.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hard: bool,
    /// NP-LoRA: share of the style's Frobenius norm whose directions are protected; all of them if omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1)]
    pub protect: Option<f64>,
    /// `merge` by SVD, `resize`, `extract`: the largest rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 4096)]
    pub rank: Option<u32>,
    /// The largest rank of convolutions. If omitted, `rank`; with `extract`, convolutions are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 4096)]
    pub conv_rank: Option<u32>,
    /// `merge` by SVD, `resize`: chooses each module's rank by `keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_by: Option<KeepBy>,
    /// The number for `keep_by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<f64>,
    /// `convert`: whose names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<LoraNames>,
    /// `weigh`: 12, 17, 20 or 26 numbers with commas between them; names, such as `BASE=0,IN04=0.5,MID=1,ELSE=0`; or
    /// B-LoRA's `content` or `style`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub blocks: Option<String>,
}

/// How much of a change is kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeepRule {
    /// The largest rank; absent for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// The largest rank of convolutions; absent for that of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conv_rank: Option<u32>,
    /// What chooses a rank for each module; absent for the ranks alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<KeepBy>,
    /// The number for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// How LoRAs are merged, with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Merging {
    /// Side by side.
    Concatenate,
    /// Approximated.
    Svd {
        /// How much is kept.
        keep: KeepRule,
    },
    /// NP-LoRA.
    NpLora {
        /// μ; absent for a hard projection.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        strength: Option<f64>,
        /// Share of the style's norm that is protected.
        protect: f64,
    },
}

/// An edit with everything that it needs and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Edit {
    /// See [`EditKind::Merge`].
    Merge {
        /// How.
        merging: Merging,
        /// Weights of the LoRAs, in their order.
        weights: Vec<f64>,
    },
    /// See [`EditKind::MergeInto`].
    MergeInto {
        /// Weights of the LoRAs, in their order.
        weights: Vec<f64>,
    },
    /// See [`EditKind::Resize`].
    Resize {
        /// How much is kept.
        keep: KeepRule,
    },
    /// See [`EditKind::Convert`].
    Convert {
        /// Whose names.
        to: LoraNames,
    },
    /// See [`EditKind::Extract`].
    Extract {
        /// Rank of the LoRA.
        rank: u32,
        /// Rank of convolutions; absent to leave them out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        conv_rank: Option<u32>,
    },
    /// See [`EditKind::Weigh`].
    Weigh {
        /// Block weights.
        blocks: String,
    },
}

/// The largest rank that may be asked for.
const MAX_RANK: u32 = 4096;
/// μ of NP-LoRA's paper.
const STRENGTH: f64 = 0.5;

impl CreateEdit {
    /// The edit, or all that is wrong with the request.
    pub fn parse(&self) -> Result<Edit, InvalidFields> {
        let mut errors = self.superfluous();
        let mut fail = |field: &str, message: String| errors.push(FieldError::new(field, message));
        if let Some(name) = &self.name {
            if !(1..=80).contains(&name.trim().chars().count()) {
                fail("name", "must have 1 to 80 characters".to_owned());
            } else if let Err(unfit) = text::check_line(name) {
                fail("name", unfit.to_string());
            }
        }
        let (least, most) = match self.kind {
            EditKind::Merge => (2, MAX_LORAS),
            EditKind::MergeInto => (1, MAX_LORAS),
            EditKind::Extract => (0, 0),
            EditKind::Resize | EditKind::Convert | EditKind::Weigh => (1, 1),
        };
        let n = self.loras.len();
        if !(least..=most).contains(&n) {
            let wanted = match (least, most) {
                (0, _) => "must be left out for `extract`".to_owned(),
                (1, 1) => format!("must be one, not {n}"),
                _ => format!("must be {least} to {most}, not {n}"),
            };
            fail("loras", wanted);
        }
        for (index, lora) in self.loras.iter().enumerate() {
            if let Some(problem) = unfit::weight(lora.weight) {
                fail(&format!("loras[{index}].weight"), problem);
            }
        }
        for (field, rank) in [("rank", self.rank), ("conv_rank", self.conv_rank)] {
            if rank.is_some_and(|rank| !(1..=MAX_RANK).contains(&rank)) {
                fail(field, format!("must be from 1 to {MAX_RANK}"));
            }
        }
        if self
            .strength
            .is_some_and(|strength| !(0.0..=1000.0).contains(&strength))
        {
            fail("strength", "must be from 0 to 1000".to_owned());
        }
        if self.protect.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            fail("protect", "must be above 0 and at most 1".to_owned());
        }
        match (self.keep_by, self.keep) {
            (Some(KeepBy::Ratio), Some(ratio)) if !(ratio > 1.0 && ratio.is_finite()) => {
                fail("keep", "must be above 1, such as 20".to_owned());
            }
            (Some(KeepBy::Frobenius | KeepBy::Cumulative), Some(share)) if !(share > 0.0 && share <= 1.0) => {
                fail("keep", "must be above 0 and at most 1, such as 0.95".to_owned());
            }
            (Some(_), None) => fail("keep", "required with `keep_by`".to_owned()),
            (None, Some(_)) => fail("keep_by", "required with `keep`".to_owned()),
            _ => {}
        }
        let needs_keep = self.kind == EditKind::Resize
            || (self.kind == EditKind::Merge && self.method == Some(MergeMethod::Svd));
        if needs_keep && self.rank.is_none() && self.keep_by.is_none() {
            fail(
                "rank",
                "required, unless `keep_by` says how much is kept".to_owned(),
            );
        }
        for (field, is_missing) in [
            ("base_model", self.base_model.is_none() && self.needs_base()),
            (
                "tuned_model",
                self.tuned_model.is_none() && self.kind == EditKind::Extract,
            ),
            ("rank", self.rank.is_none() && self.kind == EditKind::Extract),
            ("to", self.to.is_none() && self.kind == EditKind::Convert),
            ("blocks", self.blocks.is_none() && self.kind == EditKind::Weigh),
        ] {
            if is_missing {
                fail(field, format!("required for `{}`", self.kind));
            }
        }
        if let Some(blocks) = &self.blocks {
            if blocks.chars().count() > MAX_BLOCK_WEIGHTS_CHARS {
                fail(
                    "blocks",
                    format!("must have at most {MAX_BLOCK_WEIGHTS_CHARS} characters"),
                );
            } else if let Err(unfit) = text::check_line(blocks) {
                fail("blocks", unfit.to_string());
            }
        }
        if errors.is_empty() {
            Ok(self.edit())
        } else {
            Err(InvalidFields(errors))
        }
    }

    /// The edit, when everything is there.
    fn edit(&self) -> Edit {
        let weights = || self.loras.iter().map(|lora| lora.weight).collect();
        let keep = KeepRule {
            rank: self.rank,
            conv_rank: self.conv_rank,
            by: self.keep_by,
            value: self.keep,
        };
        match self.kind {
            EditKind::Merge => Edit::Merge {
                merging: match self.method.unwrap_or_default() {
                    MergeMethod::Concatenate => Merging::Concatenate,
                    MergeMethod::Svd => Merging::Svd { keep },
                    MergeMethod::NpLora => Merging::NpLora {
                        strength: (!self.hard).then(|| self.strength.unwrap_or(STRENGTH)),
                        protect: self.protect.unwrap_or(1.0),
                    },
                },
                weights: weights(),
            },
            EditKind::MergeInto => Edit::MergeInto { weights: weights() },
            EditKind::Resize => Edit::Resize { keep },
            EditKind::Convert => Edit::Convert {
                to: self.to.unwrap_or(LoraNames::Kohya),
            },
            EditKind::Extract => Edit::Extract {
                rank: self.rank.unwrap_or(1),
                conv_rank: self.conv_rank,
            },
            EditKind::Weigh => Edit::Weigh {
                blocks: self.blocks.clone().unwrap_or_default(),
            },
        }
    }

    fn needs_base(&self) -> bool {
        matches!(self.kind, EditKind::MergeInto | EditKind::Extract)
    }

    /// Fields that are given and mean nothing here.
    fn superfluous(&self) -> Vec<FieldError> {
        let kind = self.kind;
        let method = self.method.unwrap_or_default();
        let is_svd = kind == EditKind::Merge && method == MergeMethod::Svd;
        let is_np = kind == EditKind::Merge && method == MergeMethod::NpLora;
        let by_rank = is_svd || kind == EditKind::Resize;
        let uses_base = self.needs_base() || matches!(kind, EditKind::Merge | EditKind::Resize);
        let given = [
            ("name", self.name.is_some(), kind.makes_version()),
            ("base_model", self.base_model.is_some(), uses_base),
            (
                "tuned_model",
                self.tuned_model.is_some(),
                kind == EditKind::Extract,
            ),
            ("method", self.method.is_some(), kind == EditKind::Merge),
            ("strength", self.strength.is_some(), is_np),
            ("hard", self.hard, is_np),
            ("protect", self.protect.is_some(), is_np),
            ("rank", self.rank.is_some(), by_rank || kind == EditKind::Extract),
            (
                "conv_rank",
                self.conv_rank.is_some(),
                by_rank || kind == EditKind::Extract,
            ),
            ("keep_by", self.keep_by.is_some(), by_rank),
            ("keep", self.keep.is_some(), by_rank),
            ("to", self.to.is_some(), kind == EditKind::Convert),
            ("blocks", self.blocks.is_some(), kind == EditKind::Weigh),
        ];
        let of = match kind {
            EditKind::Merge => format!("`merge` by `{method}`"),
            kind => format!("`{kind}`"),
        };
        let wrong = given
            .into_iter()
            .filter(|(_, is_given, is_used)| *is_given && !is_used);
        wrong
            .map(|(field, ..)| FieldError::new(field, format!("must be left out: {of} does not use it")))
            .collect()
    }
}

impl fmt::Display for EditKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Merge => "merge",
            Self::MergeInto => "merge_into",
            Self::Resize => "resize",
            Self::Convert => "convert",
            Self::Extract => "extract",
            Self::Weigh => "weigh",
        })
    }
}

impl fmt::Display for MergeMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Concatenate => "concatenate",
            Self::Svd => "svd",
            Self::NpLora => "np_lora",
        })
    }
}

/// Where an edit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EditPhase {
    /// Waiting for an agent.
    Queued,
    /// An agent computes it.
    Running,
    /// The result is stored.
    Succeeded,
    /// It failed with an error.
    Failed,
    /// Its owner canceled it.
    Cancelled,
}

impl EditPhase {
    /// Whether nothing follows.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// How far an edit is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EditProgress {
    /// The current step, for a person.
    pub stage: String,
    /// Completed units.
    pub done: u32,
    /// Total units; 0 if unknown.
    pub total: u32,
}

/// A file that is made out of others, or was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LoraEdit {
    /// Its id.
    pub id: EditId,
    /// Its phase.
    pub phase: EditPhase,
    /// The request.
    pub request: CreateEdit,
    /// How far it is; absent before an agent has said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<EditProgress>,
    /// Its owner asked to cancel it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cancelling: bool,
    /// The model version that it became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version_id: Option<ModelVersionId>,
    /// Name of the file to download; absent if the result is a model version, or until there is one. Such files are
    /// kept for a week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// What a person should know: what was left out, added, or lost.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub notes: Vec<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was requested.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

/// What a model version was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Made {
    /// The edit.
    pub edit_id: EditId,
    /// What was done: "merged from ink × 1 + zora × 0.8 by concatenation".
    pub done: String,
    /// The versions that it was made of.
    #[schema(max_items = 64)]
    pub from: Vec<MadeFrom>,
    /// Share of the Frobenius norm of the change that is left, from 0 to 1, if something was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<f64>,
    /// What a person should know.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub notes: Vec<String>,
}

/// One of the LoRAs that another was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MadeFrom {
    /// The version.
    pub model_version_id: ModelVersionId,
    /// Its model's name.
    pub name: String,
    /// Its number.
    pub version: u32,
    /// Its weight.
    pub weight: f64,
}

#[cfg(test)]
mod tests;
