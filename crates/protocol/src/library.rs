//! What people add to jobs, models and pictures: stars, tags, notes, and how a LoRA is best used.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    ArtifactId, GenerationId, LabelId, ModelVersionId,
    generation::{CreateGeneration, Sampler},
    limits::{MAX_PROMPT_CHARS, MAX_TAG_CHARS, MAX_TAGS, MAX_TRIGGER_WORD_CHARS, MAX_TRIGGER_WORDS},
    problem::{FieldError, InvalidFields},
    text::checked_note,
    unfit,
};

/// What can be labeled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Labeled {
    /// A job.
    Job,
    /// A model, with all of its versions.
    Model,
    /// A generation: a picture of the playground.
    Generation,
}

impl Labeled {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Job, Self::Model, Self::Generation];
}

/// The star, tags and note of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Label {
    /// Its id.
    pub id: LabelId,
    /// What it is on.
    pub kind: Labeled,
    /// Id of the job, model or generation.
    pub subject_id: Uuid,
    /// It has a star.
    pub starred: bool,
    /// Its tags, each once, in the order in which they were given.
    #[schema(max_items = 20)]
    pub tags: Vec<String>,
    /// A note of one line; empty without one. That of a job is in the job itself.
    pub note: String,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// Changes a label. What is left out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpdateLabel {
    /// Whether it has a star.
    pub starred: Option<bool>,
    /// All of its tags, each of at most 40 characters.
    #[schema(max_items = 20)]
    pub tags: Option<Vec<String>>,
    /// A note of one line; empty for none.
    #[schema(max_length = 200)]
    pub note: Option<String>,
}

impl UpdateLabel {
    /// The change without spaces around texts, empty tags and tags that are there twice, regardless of their case; or
    /// what is wrong with it.
    pub fn checked(self) -> Result<Self, InvalidFields> {
        let mut errors = Vec::new();
        let note = match self.note.as_deref().map(checked_note).transpose() {
            Ok(note) => note.map(str::to_owned),
            Err(problem) => {
                errors.push(FieldError::new("note", problem));
                None
            }
        };
        let tags = self.tags.map(|tags| each_once(&tags));
        if let Some(tags) = &tags {
            errors.extend(too_many("tags", tags, MAX_TAGS, MAX_TAG_CHARS));
        }
        if !errors.is_empty() {
            return Err(InvalidFields(errors));
        }
        Ok(Self {
            starred: self.starred,
            tags,
            note,
        })
    }
}

/// Texts without spaces around them, and without those that are empty or repeat an earlier one in any case.
fn each_once(texts: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for text in texts.iter().map(|text| text.trim()) {
        let is_known = kept
            .iter()
            .any(|known| known.to_lowercase() == text.to_lowercase());
        if !text.is_empty() && !is_known {
            kept.push(text.to_owned());
        }
    }
    kept
}

fn too_many(field: &str, texts: &[String], most: usize, most_chars: usize) -> Option<FieldError> {
    if texts.len() > most {
        let problem = format!("must be at most {most}, not {}", texts.len());
        return Some(FieldError::new(field, problem));
    }
    let long = texts.iter().position(|text| text.chars().count() > most_chars)?;
    let problem = format!("must have at most {most_chars} characters");
    Some(FieldError::new(format!("{field}[{long}]"), problem))
}

/// How to use a model version, as its owner says. What is left out is not said.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HowToUse {
    /// Words that activate it; empty for the trigger word that it was trained with or imported with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub trigger_words: Vec<String>,
    /// Weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = -4, maximum = 4)]
    pub weight: Option<f64>,
    /// Sampler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampler: Option<Sampler>,
    /// Denoising steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 150)]
    pub n_steps: Option<u32>,
    /// Classifier-free guidance.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 30)]
    pub guidance: Option<f64>,
    /// An example of a prompt.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 4000)]
    pub prompt: String,
    /// An example of a negative prompt.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 4000)]
    pub negative_prompt: String,
}

impl HowToUse {
    /// The same without spaces around texts and without repeated trigger words; or what is wrong with it.
    pub fn checked(self) -> Result<Self, InvalidFields> {
        let usage = Self {
            trigger_words: each_once(&self.trigger_words),
            prompt: self.prompt.trim().to_owned(),
            negative_prompt: self.negative_prompt.trim().to_owned(),
            ..self
        };
        let mut errors: Vec<FieldError> = [
            ("weight", usage.weight.and_then(unfit::weight)),
            ("n_steps", usage.n_steps.and_then(unfit::n_steps)),
            ("guidance", usage.guidance.and_then(unfit::guidance)),
        ]
        .into_iter()
        .filter_map(|(field, problem)| Some(FieldError::new(field, problem?)))
        .collect();
        errors.extend(too_many(
            "trigger_words",
            &usage.trigger_words,
            MAX_TRIGGER_WORDS,
            MAX_TRIGGER_WORD_CHARS,
        ));
        for (field, text) in [
            ("prompt", &usage.prompt),
            ("negative_prompt", &usage.negative_prompt),
        ] {
            if text.chars().count() > MAX_PROMPT_CHARS {
                let problem = format!("must have at most {MAX_PROMPT_CHARS} characters");
                errors.push(FieldError::new(field, problem));
            }
        }
        if errors.is_empty() {
            Ok(usage)
        } else {
            Err(InvalidFields(errors))
        }
    }

    /// The settings in one sentence, for people: `Weight 0.8, sampler euler_a, 28 steps, guidance 6.`
    pub fn hint(&self) -> Option<String> {
        let parts: Vec<String> = [
            self.weight.map(|weight| format!("weight {weight}")),
            self.sampler.map(|sampler| format!("sampler {}", word(sampler))),
            self.n_steps.map(|n| format!("{n} steps")),
            self.guidance.map(|guidance| format!("guidance {guidance}")),
            (!self.prompt.is_empty()).then(|| format!("for example: {}", self.prompt)),
            (!self.negative_prompt.is_empty()).then(|| format!("negative prompt: {}", self.negative_prompt)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let said = parts.join(", ");
        let mut chars = said.chars();
        let first = chars.next()?;
        Some(format!("{}{}", first.to_uppercase(), chars.as_str()))
    }
}

/// A sampler as it is written in JSON.
fn word(sampler: Sampler) -> String {
    serde_json::to_value(sampler)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Chooses the cover of a model and the version that it is used by. What is left out is chosen by the server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelChoices {
    /// The version to use; the newest approved one if absent.
    pub version_id: Option<ModelVersionId>,
    /// A sample of a job, or the file of a picture, as its cover.
    pub cover_artifact_id: Option<ArtifactId>,
    /// The picture of a generation as its cover. Without either, the newest sample of the current version is the cover.
    pub cover_generation_id: Option<GenerationId>,
}

/// Renames a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameModel {
    /// Its new name, of 1 to 80 characters. Jobs keep the name that they were started with: their results become
    /// versions of the model that has it then.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
}

/// The name of a version's file for downloads, without its ending: `zora-v2`.
pub fn file_stem(name: &str, version: u32) -> String {
    format!("{}-v{version}", slug(name))
}

/// The name of a picture's file: the LoRAs that it was drawn with, its seed and the beginning of its id, such as
/// `zora-v2-seed42-01a2b3c4.png`.
pub fn picture_file_name(id: GenerationId, request: &CreateGeneration, loras: &[(String, u32)]) -> String {
    /// More make the name too long for some programs.
    const MOST: usize = 3;
    let mut parts: Vec<String> = loras
        .iter()
        .take(MOST)
        .map(|(name, version)| file_stem(name, *version))
        .collect();
    if parts.is_empty() {
        parts.push(slug(&request.base_model));
    }
    if let Some(seed) = request.seed {
        parts.push(format!("seed{seed}"));
    }
    // The end of an id is random; its beginning is the time.
    let id = id.0.simple().to_string();
    parts.push(id.get(24..).unwrap_or_default().to_owned());
    format!("{}.png", parts.join("-"))
}

/// Letters and digits of a name in lower case, with a dash in place of everything between them.
fn slug(name: &str) -> String {
    /// Characters; file systems take 255 bytes.
    const MOST: usize = 48;
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let short: String = slug.chars().take(MOST).collect();
    match short.trim_matches('-') {
        "" => "lora".to_owned(),
        short => short.to_owned(),
    }
}

#[cfg(test)]
mod tests;
