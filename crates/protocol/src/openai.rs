//! Pictures in the shape of OpenAI's API, for programs that are written for it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    generation::{CreateGeneration, LoraWeight, Sampler},
    limits::{MAX_IMAGES, MAX_PROMPT_CHARS},
    problem::{FieldError, InvalidFields, Problem},
    text, unfit,
};

/// How a picture is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    /// As a signed URL, which needs no token and is valid for an hour.
    #[default]
    Url,
    /// The PNG file itself, in Base64.
    #[serde(rename = "b64_json")]
    B64Json,
}

/// Requests pictures, as clients of OpenAI's API do. `negative_prompt`, `seed`, `steps`, `guidance` and `sampler` are
/// additions (`extra_body` of OpenAI's Python client).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImagesRequest {
    /// A base model, or a model of the library: its newest approved version is then applied to the base model that it was
    /// trained on. `GET /v1/models` lists both.
    pub model: String,
    /// What the pictures should show. Read like the prompt of a generation: `<lora:NAME:WEIGHT>` adds a LoRA.
    #[schema(max_length = 4000)]
    pub prompt: String,
    /// Number of pictures.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10, default = 1)]
    pub n: Option<u32>,
    /// `auto` for the size of the base model, or `WIDTHxHEIGHT` in pixels, each a multiple of 8 from 64 to 2048.
    #[serde(default)]
    pub size: Option<String>,
    /// How the pictures are sent.
    #[serde(default)]
    pub response_format: Option<ImageFormat>,
    /// `png`, the only one.
    #[serde(default)]
    pub output_format: Option<String>,
    /// 100, since PNG files are compressed without loss.
    #[serde(default)]
    pub output_compression: Option<u32>,
    /// `auto` or `opaque`: pictures have no transparency.
    #[serde(default)]
    pub background: Option<String>,
    /// `false`: pictures are sent when they are finished.
    #[serde(default)]
    pub stream: Option<bool>,
    /// 0: pictures are sent when they are finished.
    #[serde(default)]
    pub partial_images: Option<u32>,
    /// Has no effect here; `steps` sets how long a picture is worked on.
    #[serde(default)]
    pub quality: Option<String>,
    /// Has no effect here; the prompt and its LoRAs set the style.
    #[serde(default)]
    pub style: Option<String>,
    /// Has no effect here: nothing judges what pictures show.
    #[serde(default)]
    pub moderation: Option<String>,
    /// Has no effect here; the audit log names the token.
    #[serde(default)]
    pub user: Option<String>,
    /// What the pictures should not show. Read like the prompt, without LoRAs.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub negative_prompt: Option<String>,
    /// Seed of the first picture; each further one has the next number. Random if omitted or -1.
    #[serde(default, with = "crate::seed")]
    #[schema(schema_with = crate::seed::schema)]
    pub seed: Option<u64>,
    /// Denoising steps.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 150, default = 25)]
    pub steps: Option<u32>,
    /// Classifier-free guidance: how closely the prompt is followed. 1 switches it off.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 30, default = 5.0)]
    pub guidance: Option<f64>,
    /// How noise is turned into a picture.
    #[serde(default)]
    pub sampler: Option<Sampler>,
}

/// What draws the pictures of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnWith {
    /// The base model.
    pub base_model: String,
    /// The model version that the request names as its model.
    pub lora: Option<LoraWeight>,
}

impl ImagesRequest {
    /// The generations that make the pictures; all that is wrong is said at once, in the words of this request.
    ///
    /// # Errors
    /// If a field has a value that nothing here can follow.
    pub fn generations(&self, with: &DrawnWith) -> Result<Vec<CreateGeneration>, InvalidFields> {
        let mut errors = Vec::new();
        let mut fail = |field: &str, message: String| errors.push(FieldError::new(field, message));
        let n = self.n.unwrap_or(1);
        if !(1..=MAX_IMAGES).contains(&n) {
            fail("n", format!("must be from 1 to {MAX_IMAGES}, not {n}"));
        }
        let size = self.size.as_deref().map_or(Ok(None), parse_size);
        let size = size.unwrap_or_else(|message| {
            fail("size", message);
            None
        });
        let unlike = |found: &Option<String>, known: &[&str]| {
            found
                .as_ref()
                .filter(|found| !known.contains(&found.as_str()))
                .map(|found| text::shown(found, 40))
        };
        if let Some(found) = unlike(&self.output_format, &["png"]) {
            fail("output_format", format!("must be `png`, not `{found}`"));
        }
        if let Some(found) = self.output_compression.filter(|found| *found != 100) {
            let message = format!("must be 100, not {found}: PNG files are compressed without loss");
            fail("output_compression", message);
        }
        if let Some(found) = unlike(&self.background, &["auto", "opaque"]) {
            let message = format!("must be `auto` or `opaque`, not `{found}`: pictures have no transparency");
            fail("background", message);
        }
        if self.stream == Some(true) {
            fail(
                "stream",
                "must be `false`: pictures are sent when they are finished".to_owned(),
            );
        }
        if self.partial_images.is_some_and(|n| n > 0) {
            fail(
                "partial_images",
                "must be 0: pictures are sent when they are finished".to_owned(),
            );
        }
        for (field, text) in [
            ("prompt", Some(&self.prompt)),
            ("negative_prompt", self.negative_prompt.as_ref()),
        ] {
            if text.is_some_and(|text| text.chars().count() > MAX_PROMPT_CHARS) {
                fail(field, format!("must have at most {MAX_PROMPT_CHARS} characters"));
            }
        }
        if let Some(problem) = self.steps.and_then(unfit::n_steps) {
            fail("steps", problem);
        }
        if let Some(problem) = self.guidance.and_then(unfit::guidance) {
            fail("guidance", problem);
        }
        if !errors.is_empty() {
            return Err(InvalidFields(errors));
        }
        Ok((0..n).map(|index| self.generation(with, size, index)).collect())
    }

    fn generation(&self, with: &DrawnWith, size: Option<(u32, u32)>, index: u32) -> CreateGeneration {
        CreateGeneration {
            prompt: self.prompt.clone(),
            negative_prompt: self.negative_prompt.clone().unwrap_or_default(),
            loras: with.lora.iter().cloned().collect(),
            seed: self.seed.map(|seed| seed.wrapping_add(index.into())),
            n_steps: self.steps.unwrap_or_else(CreateGeneration::default_steps),
            guidance: self.guidance.unwrap_or_else(CreateGeneration::default_guidance),
            width: size.map(|(width, _)| width),
            height: size.map(|(_, height)| height),
            sampler: self.sampler.unwrap_or_default(),
            base_model: with.base_model.clone(),
            literal: false,
            drawing_session_id: None,
        }
    }

    /// The field of this request that a field of a generation comes from.
    pub fn field_of(field: &str) -> &str {
        match field {
            "base_model" => "model",
            "n_steps" => "steps",
            "width" | "height" => "size",
            field if field.starts_with("loras[") => "model",
            field => field,
        }
    }
}

/// Width and height; `None` for those of the base model.
fn parse_size(text: &str) -> Result<Option<(u32, u32)>, String> {
    if text == "auto" {
        return Ok(None);
    }
    let sides = text.split_once('x');
    let sides = sides.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let Some((width, height)) = sides else {
        let shown = text::shown(text, 40);
        return Err(format!(
            "must be `auto`, or WIDTHxHEIGHT such as `1024x1024`, not `{shown}`"
        ));
    };
    match [width, height].into_iter().find_map(unfit::side) {
        Some(problem) => Err(format!("each side {problem}")),
        None => Ok(Some((width, height))),
    }
}

/// Finished pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImagesResponse {
    /// When they were requested, in seconds since 1970.
    pub created: i64,
    /// The pictures, in the order of their seeds.
    pub data: Vec<ImageData>,
    /// `png`.
    pub output_format: String,
}

/// A finished picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImageData {
    /// The PNG file in Base64, if `response_format` is `b64_json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b64_json: Option<String>,
    /// Signed URL of the PNG file, if `response_format` is `url`; valid for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The prompt that was drawn, if it is another than was sent: LoRA tags are taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revised_prompt: Option<String>,
    /// Its seed, an addition to OpenAI's API.
    #[serde(default, with = "crate::seed")]
    #[schema(schema_with = crate::seed::schema)]
    pub seed: Option<u64>,
}

/// What a request for pictures may name as its model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelsResponse {
    /// `list`.
    pub object: String,
    /// Base models, then models of the library with an approved version.
    pub data: Vec<ModelEntry>,
}

/// Something that a request for pictures may name as its model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelEntry {
    /// Its name.
    pub id: String,
    /// `model`.
    pub object: String,
    /// When the version that is used was made, in seconds since 1970; 0 for a base model.
    pub created: i64,
    /// `morpheus`.
    pub owned_by: String,
    /// The base model that a model of the library is applied to; an addition to OpenAI's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_model: Option<String>,
    /// The word that activates a model of the library in a prompt; an addition to OpenAI's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_word: Option<String>,
}

impl ModelEntry {
    /// A base model of this name.
    pub fn base(name: &str) -> Self {
        Self {
            id: name.to_owned(),
            object: "model".to_owned(),
            created: 0,
            owned_by: "morpheus".to_owned(),
            base_model: None,
            trigger_word: None,
        }
    }
}

/// The body of every error response below `/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorResponse {
    /// The error.
    pub error: ErrorDetail,
}

/// What is wrong, as OpenAI's clients read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// What is wrong and how to fix it.
    pub message: String,
    /// `invalid_request_error`, `authentication_error`, `permission_error`, `rate_limit_error` or `server_error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The first field that is wrong.
    pub param: Option<String>,
    /// Stable, machine-readable kind.
    pub code: Option<String>,
}

impl From<&Problem> for ErrorResponse {
    fn from(problem: &Problem) -> Self {
        let kind = match problem.status {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        let code = match problem.kind.as_str() {
            "unauthorized" => "invalid_api_key",
            "too_many_requests" => "rate_limit_exceeded",
            kind => kind,
        };
        Self {
            error: ErrorDetail {
                message: problem.title.clone(),
                kind: kind.to_owned(),
                param: problem.errors.first().map(|error| error.field.clone()),
                code: Some(code.to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests;
