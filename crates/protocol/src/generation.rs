//! Text to image: requests and responses of the API.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    DrawingSessionId, GenerationId, ModelVersionId,
    limits::{MAX_LORAS, MAX_PROMPT_CHARS},
    problem::{FieldError, InvalidFields},
    unfit,
};

/// How noise is turned into a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// Euler's method: quick and even.
    #[default]
    Euler,
    /// Euler with new noise at each step.
    EulerA,
    /// Denoising diffusion implicit models.
    Ddim,
    /// DPM-Solver++ of second order, multistep.
    Dpmpp2m,
}

/// A LoRA and how strongly it is applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoraWeight {
    /// The LoRA.
    pub model_version_id: ModelVersionId,
    /// Weight: 0 leaves the base unchanged, 1 applies the LoRA as trained; may be negative.
    #[schema(minimum = -4, maximum = 4, default = 1.0)]
    pub weight: f64,
    /// Applies what of the file fits the base model and leaves the rest out. Without it, a LoRA of which a part cannot be
    /// applied is refused, with the reasons.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// Requests a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateGeneration {
    /// Name of the base model.
    pub base_model: String,
    /// What the picture should show. `(x)`, `[x]` and `(x:1.3)` set emphasis, `BREAK` begins a new chunk, and
    /// `<lora:NAME:WEIGHT>` adds a LoRA: the tag leaves the prompt, and the LoRA joins `loras`.
    #[schema(max_length = 4000)]
    pub prompt: String,
    /// What the picture should not show. Read like the prompt, without LoRAs.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub negative_prompt: String,
    /// Read brackets, `BREAK` and LoRA tags in both prompts as letters.
    #[serde(default)]
    #[schema(default = false)]
    pub literal: bool,
    /// LoRAs to apply.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub loras: Vec<LoraWeight>,
    /// Seed of the initial noise. Random if omitted or -1.
    #[serde(default, with = "crate::seed")]
    #[schema(schema_with = crate::seed::schema)]
    pub seed: Option<u64>,
    /// Denoising steps.
    #[serde(default = "CreateGeneration::default_steps")]
    #[schema(minimum = 1, maximum = 150, default = 25)]
    pub n_steps: u32,
    /// Classifier-free guidance: how closely the prompt is followed. 1 switches it off.
    #[serde(default = "CreateGeneration::default_guidance")]
    #[schema(minimum = 1, maximum = 30, default = 5.0)]
    pub guidance: f64,
    /// Width in pixels. If omitted, that of the base model.
    #[serde(default)]
    #[schema(minimum = 64, maximum = 2048, multiple_of = 8)]
    pub width: Option<u32>,
    /// Height in pixels. If omitted, that of the base model.
    #[serde(default)]
    #[schema(minimum = 64, maximum = 2048, multiple_of = 8)]
    pub height: Option<u32>,
    /// How noise is turned into a picture.
    #[serde(default)]
    pub sampler: Sampler,
    /// The drawing session whose machine draws it; if omitted, the machine of the server does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawing_session_id: Option<DrawingSessionId>,
}

impl CreateGeneration {
    /// Steps of a request that says nothing of them.
    pub(crate) fn default_steps() -> u32 {
        25
    }

    /// Guidance of a request that says nothing of it.
    pub(crate) fn default_guidance() -> f64 {
        5.0
    }

    /// What an agent renders; `None` until seed and size are filled in.
    pub fn filled_in(&self) -> Option<Rendering> {
        let loras = self.loras.iter().map(|lora| AppliedLora {
            model_version_id: lora.model_version_id,
            weight: lora.weight,
            name: None,
            partial: lora.partial,
        });
        Some(Rendering {
            base_model: self.base_model.clone(),
            prompt: self.prompt.clone(),
            negative_prompt: self.negative_prompt.clone(),
            literal: self.literal,
            loras: loras.collect(),
            seed: self.seed?,
            n_steps: self.n_steps,
            guidance: self.guidance,
            width: self.width?,
            height: self.height?,
            sampler: self.sampler,
        })
    }

    /// Checks every field; all errors come at once.
    pub fn validate(&self) -> Result<(), InvalidFields> {
        let mut errors = Vec::new();
        let mut fail = |field: String, message: String| errors.push(FieldError { field, message });
        for (field, text) in [
            ("prompt", &self.prompt),
            ("negative_prompt", &self.negative_prompt),
        ] {
            if text.chars().count() > MAX_PROMPT_CHARS {
                fail(
                    field.into(),
                    format!("must have at most {MAX_PROMPT_CHARS} characters"),
                );
            }
        }
        if self.loras.len() > MAX_LORAS {
            fail(
                "loras".into(),
                format!("must be at most {MAX_LORAS}, not {}", self.loras.len()),
            );
        }
        for (index, lora) in self.loras.iter().enumerate() {
            if let Some(problem) = unfit::weight(lora.weight) {
                fail(format!("loras[{index}].weight"), problem);
            }
        }
        if let Some(problem) = unfit::n_steps(self.n_steps) {
            fail("n_steps".into(), problem);
        }
        if let Some(problem) = unfit::guidance(self.guidance) {
            fail("guidance".into(), problem);
        }
        for (field, side) in [("width", self.width), ("height", self.height)] {
            if let Some(problem) = side.and_then(unfit::side) {
                fail(field.into(), problem);
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(InvalidFields(errors))
        }
    }
}

/// What to render: what somebody asked for, with everything filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rendering {
    /// Name of the base model.
    pub base_model: String,
    /// What the picture is to show.
    pub prompt: String,
    /// What it is not to show.
    #[serde(default)]
    pub negative_prompt: String,
    /// Whether brackets in both are letters. LoRA tags were resolved before.
    #[serde(default)]
    pub literal: bool,
    /// LoRAs to apply.
    #[serde(default)]
    pub loras: Vec<AppliedLora>,
    /// Seed of the starting noise.
    pub seed: u64,
    /// Denoising steps.
    pub n_steps: u32,
    /// Classifier-free guidance; 1 switches it off.
    pub guidance: f64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// How noise is turned into a picture.
    #[serde(default)]
    pub sampler: Sampler,
}

/// A LoRA and how strongly it is applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AppliedLora {
    /// The LoRA.
    pub model_version_id: ModelVersionId,
    /// 0 leaves the base as it is, 1 is what was trained; may be negative.
    pub weight: f64,
    /// Name of its file without the extension, for the picture's settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether what of it does not fit the base model may be left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// Where a generation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GenerationPhase {
    /// Waiting for an agent.
    Queued,
    /// An agent renders it.
    Running,
    /// The picture is stored.
    Succeeded,
    /// It failed with an error.
    Failed,
}

impl GenerationPhase {
    /// Whether nothing follows.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// One text-to-image request and its picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Generation {
    /// Its id.
    pub id: GenerationId,
    /// Its phase.
    pub phase: GenerationPhase,
    /// The request, with the seed that was used.
    pub request: CreateGeneration,
    /// Signed URL of the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// What its agent does or waits for; only while that runs, and only where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// What a person should know of how it was rendered, such as a memory that was too small for the quickest way.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub notes: Vec<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Time the agent took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// When it was requested.
    pub created_at: DateTime<Utc>,
}

/// A picture that comes into being: small, and its colors are nearly right. Nobody keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// Denoising steps done.
    pub step: u32,
    /// All denoising steps.
    pub n_steps: u32,
    /// A PNG file in base64.
    #[schema(max_length = 98304)]
    pub png: String,
}

impl Preview {
    /// Whether it is small, and may be shown by a browser.
    pub fn is_fit(&self) -> bool {
        // The first eight bytes of every PNG file, and of the ninth what they leave undecided.
        let is_png = self.png.starts_with("iVBORw0KGgo");
        let mut bytes = self.png.bytes();
        self.png.len() <= crate::limits::MAX_PREVIEW_BYTES
            && is_png
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
    }
}

/// A message of `WS /api/v1/generations/{id}/live`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GenerationNews {
    /// How it stands: the first message, and whenever that changes. After the one that says that it has ended, the server
    /// closes the connection.
    State {
        /// The generation.
        generation: Box<Generation>,
    },
    /// What the picture looks like now.
    Preview {
        /// The newest preview; those before it may be left out.
        preview: Preview,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_png_files_are_previews() {
        let preview = |png: String| Preview {
            step: 1,
            n_steps: 2,
            png,
        };
        let png = "iVBORw0KGgoAAAANSUhEUg+/==";
        assert!(preview(png.to_owned()).is_fit());
        for wrong in ["", "PHN2Zz4=", "iVBORw0KGgo\"><script>"] {
            assert!(!preview(wrong.to_owned()).is_fit(), "{wrong}");
        }
        assert!(!preview(format!("{png}{}", "A".repeat(crate::limits::MAX_PREVIEW_BYTES))).is_fit());
    }
}
