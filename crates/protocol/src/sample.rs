//! Preview pictures of a training: what a recipe says of each, and what that means.
//!
//! In JSON and TOML a prompt as a text stands for a picture in which nothing else is chosen, and that is how such a one
//! is written: older programs read nothing else.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error, IntoDeserializer as _, MapAccess, Visitor, value::MapAccessDeserializer},
    ser::SerializeSeq as _,
};
use utoipa::{
    ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type},
    },
};

use crate::{
    generation::Sampler,
    limits::MAX_PROMPT_CHARS,
    parameters::{Engine, Parameters},
    problem::FieldError,
    unfit,
};

mod line;

pub use line::PromptLine;

/// Denoising steps of a preview: enough for Euler to show what was learned.
pub const N_STEPS: u32 = 20;
/// Classifier-free guidance of a preview: the default of diffusers' SDXL pipeline.
pub const GUIDANCE: f64 = 5.0;
/// Most previews of a recipe.
pub const MAX_SAMPLES: usize = 16;

/// A preview picture. A text in its place is its prompt alone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct SamplePrompt {
    /// What the picture shows.
    #[schema(max_length = 4000)]
    pub prompt: String,
    /// What it should not show. If omitted, nothing is said of it, as the base model is used without a negative prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4000)]
    pub negative_prompt: Option<String>,
    /// Seed of the initial noise. If omitted, the training's seed plus the picture's place in the list.
    #[serde(default, with = "crate::seed", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::seed::schema)]
    pub seed: Option<u64>,
    /// Width in pixels. If omitted, the training's resolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 64, maximum = 2048, multiple_of = 8)]
    pub width: Option<u32>,
    /// Height in pixels. If omitted, the training's resolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 64, maximum = 2048, multiple_of = 8)]
    pub height: Option<u32>,
    /// Denoising steps; 20 if omitted.
    #[serde(default, alias = "steps", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 150)]
    pub n_steps: Option<u32>,
    /// Classifier-free guidance; 5 if omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 30)]
    pub guidance: Option<f64>,
    /// How noise is turned into a picture; Euler if omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler: Option<Sampler>,
    /// How strongly the LoRA is applied; 1 if omitted. The kohya engine applies it at 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = -4, maximum = 4)]
    pub lora_weight: Option<f64>,
}

/// Names of fields that a person may write.
const FIELDS: &[&str] = &[
    "prompt",
    "negative_prompt",
    "seed",
    "width",
    "height",
    "n_steps",
    "steps",
    "guidance",
    "sampler",
    "lora_weight",
];

/// A preview picture with everything filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What it shows.
    pub prompt: String,
    /// What it should not show; absent and empty are different things to a base model.
    pub negative_prompt: Option<String>,
    /// Seed of the initial noise.
    pub seed: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Denoising steps.
    pub n_steps: u32,
    /// Classifier-free guidance.
    pub guidance: f64,
    /// How noise is turned into a picture.
    pub sampler: Sampler,
    /// How strongly the LoRA is applied.
    pub lora_weight: f64,
}

impl From<&str> for SamplePrompt {
    fn from(prompt: &str) -> Self {
        Self::from(prompt.to_owned())
    }
}

impl From<String> for SamplePrompt {
    fn from(prompt: String) -> Self {
        Self {
            prompt,
            ..Self::default()
        }
    }
}

impl SamplePrompt {
    /// Whether nothing is chosen but the prompt.
    pub fn is_plain(&self) -> bool {
        *self == Self::from(self.prompt.as_str())
    }

    /// Fills in what was not chosen. `index` is its place among a recipe's previews.
    pub fn resolve(&self, index: usize, parameters: &Parameters) -> Sample {
        let default_seed = u64::from(parameters.seed) + index as u64;
        Sample {
            prompt: self.prompt.clone(),
            negative_prompt: self.negative_prompt.clone(),
            seed: self.seed.unwrap_or(default_seed),
            width: self.width.unwrap_or(parameters.resolution),
            height: self.height.unwrap_or(parameters.resolution),
            n_steps: self.n_steps.unwrap_or(N_STEPS),
            guidance: self.guidance.unwrap_or(GUIDANCE),
            sampler: self.sampler.unwrap_or_default(),
            lora_weight: self.lora_weight.unwrap_or(1.0),
        }
    }

    /// What is wrong with it, by the names of its fields behind `at`.
    pub(crate) fn problems(&self, at: &str, engine: Engine) -> Vec<FieldError> {
        let prompts = [
            ("prompt", Some(&self.prompt)),
            ("negative_prompt", self.negative_prompt.as_ref()),
        ];
        let too_long = |text: &String| {
            (text.chars().count() > MAX_PROMPT_CHARS)
                .then(|| format!("must have at most {MAX_PROMPT_CHARS} characters"))
        };
        let texts = prompts.map(|(field, text)| (field, text.and_then(too_long)));
        let numbers = [
            ("width", self.width.and_then(unfit::side)),
            ("height", self.height.and_then(unfit::side)),
            ("n_steps", self.n_steps.and_then(unfit::n_steps)),
            ("guidance", self.guidance.and_then(unfit::guidance)),
            (
                "lora_weight",
                self.lora_weight.and_then(|weight| unfit_weight(weight, engine)),
            ),
        ];
        // A text that stands for the picture has no fields of its own.
        let name = |field: &str| {
            if self.is_plain() {
                at.to_owned()
            } else {
                format!("{at}.{field}")
            }
        };
        let all = texts.into_iter().chain(numbers);
        all.filter_map(|(field, problem)| Some(FieldError::new(name(field), problem?)))
            .collect()
    }
}

fn unfit_weight(weight: f64, engine: Engine) -> Option<String> {
    let only_one = || {
        "must be 1 for the kohya engine, which draws previews with the LoRA at full strength; the native engine \
         has it"
            .to_owned()
    };
    let is_refused = engine == Engine::Kohya && weight != 1.0;
    unfit::weight(weight).or_else(|| is_refused.then(only_one))
}

/// Writes previews: those that are nothing but a prompt as a text.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(samples: &[SamplePrompt], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(samples.len()))?;
    for sample in samples {
        if sample.is_plain() {
            list.serialize_element(&sample.prompt)?;
        } else {
            list.serialize_element(sample)?;
        }
    }
    list.end()
}

/// Reads previews that a program wrote: fields that are not known are left out.
///
/// # Errors
/// If it is something else.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SamplePrompt>, D::Error> {
    let entries: Vec<Entry<false>> = Vec::deserialize(deserializer)?;
    Ok(entries.into_iter().map(|Entry(sample)| sample).collect())
}

/// Reads previews that a person wrote: fields that are not known are refused.
///
/// # Errors
/// If it is something else.
pub fn deserialize_request<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<SamplePrompt>, D::Error> {
    let entries: Vec<Entry<true>> = Vec::deserialize(deserializer)?;
    Ok(entries.into_iter().map(|Entry(sample)| sample).collect())
}

/// The schema of a list of previews.
pub(crate) fn schema() -> RefOr<Schema> {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(MAX_PROMPT_CHARS));
    let entry = OneOfBuilder::new()
        .item(text)
        .item(Ref::from_schema_name("SamplePrompt"));
    let description = "The preview pictures, at most 16: each a prompt, or an object with a prompt and what else is chosen. If \
                       omitted, captions of the dataset are used.";
    ArrayBuilder::new()
        .items(entry)
        .description(Some(description))
        .max_items(Some(MAX_SAMPLES))
        .into()
}

/// A prompt, or an object with one. `STRICT` refuses fields that are not known.
struct Entry<const STRICT: bool>(SamplePrompt);

impl<'de, const STRICT: bool> Deserialize<'de> for Entry<STRICT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<const STRICT: bool>;

        impl<'de, const STRICT: bool> Visitor<'de> for Either<STRICT> {
            type Value = SamplePrompt;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a prompt, or an object with one")
            }

            fn visit_str<E>(self, prompt: &str) -> Result<SamplePrompt, E> {
                Ok(prompt.into())
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<SamplePrompt, A::Error> {
                if STRICT {
                    SamplePrompt::deserialize(MapAccessDeserializer::new(Known(fields)))
                } else {
                    SamplePrompt::deserialize(MapAccessDeserializer::new(fields))
                }
            }
        }

        deserializer.deserialize_any(Either::<STRICT>).map(Self)
    }
}

/// Fields, all of them known.
struct Known<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Known<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(name) = self.0.next_key::<String>()? else {
            return Ok(None);
        };
        if !FIELDS.contains(&name.as_str()) {
            return Err(A::Error::unknown_field(&name, FIELDS));
        }
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests;
