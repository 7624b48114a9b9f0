//! How prompts are read: tokens, chunks, LoRA tags and warnings, for the counter beside a prompt.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ModelVersionId,
    limits::{MAX_COUNTED_PROMPTS, MAX_PROMPT_CHARS},
    problem::{FieldError, InvalidFields},
};

/// Asks how prompts are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CountPrompts {
    /// The prompts.
    #[schema(max_items = 64)]
    pub prompts: Vec<CountedPrompt>,
    /// Name of the base model that a picture is made with; LoRAs that were trained on another are warned about.
    #[serde(default)]
    pub base_model: Option<String>,
}

/// A prompt, and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CountedPrompt {
    /// Its text.
    #[schema(max_length = 4000)]
    pub prompt: String,
    /// Whether brackets, `BREAK` and LoRA tags are letters, as in captions.
    #[serde(default)]
    pub literal: bool,
    /// Whether a LoRA tag has a meaning here; if not, it is warned about.
    #[serde(default = "yes")]
    pub takes_loras: bool,
    /// Tokens after which the text is cut, for captions.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10_000)]
    pub max_tokens: Option<u32>,
}

fn yes() -> bool {
    true
}

impl CountPrompts {
    /// Checks every field; all errors come at once.
    pub fn validate(&self) -> Result<(), InvalidFields> {
        let mut errors = Vec::new();
        if self.prompts.len() > MAX_COUNTED_PROMPTS {
            errors.push(FieldError::new(
                "prompts",
                format!(
                    "must be at most {MAX_COUNTED_PROMPTS}, not {}",
                    self.prompts.len()
                ),
            ));
        }
        for (index, counted) in self.prompts.iter().enumerate() {
            if counted.prompt.chars().count() > MAX_PROMPT_CHARS {
                errors.push(FieldError::new(
                    format!("prompts[{index}].prompt"),
                    format!("must have at most {MAX_PROMPT_CHARS} characters"),
                ));
            }
        }
        for (index, counted) in self.prompts.iter().enumerate() {
            if let Some(max_tokens) = counted.max_tokens.filter(|n| !(1..=10_000).contains(n)) {
                errors.push(FieldError::new(
                    format!("prompts[{index}].max_tokens"),
                    format!("must be from 1 to 10000, not {max_tokens}"),
                ));
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(InvalidFields(errors))
        }
    }
}

/// How prompts are read, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PromptCounts {
    /// One for each prompt.
    pub prompts: Vec<PromptCount>,
}

/// How one prompt is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PromptCount {
    /// Tokens of text, without begin, end and padding.
    pub n_tokens: u32,
    /// Tokens of each chunk, at most 75; at least one chunk.
    pub chunks: Vec<u32>,
    /// Where each chunk but the last ends, in characters (Unicode code points) from the beginning.
    pub borders: Vec<u32>,
    /// The LoRAs that its tags name.
    pub loras: Vec<PromptLora>,
    /// What may not be as it was meant, in words.
    pub warnings: Vec<String>,
}

/// A LoRA that a prompt names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PromptLora {
    /// The tag as it was written.
    pub tag: String,
    /// Name of the model.
    pub name: String,
    /// Weight: 0 leaves the base unchanged, 1 applies the LoRA as trained.
    pub weight: f64,
    /// The version that is applied; absent when there is none, which a warning explains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version_id: Option<ModelVersionId>,
    /// Its number within the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}
