//! The recipe of one training: what a person chose, laid over a preset, and known to be valid.

use std::num::{NonZeroU16, NonZeroU32};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod identity;
mod length;
mod own_preset;
mod presets;
mod questions;

pub use self::{
    identity::{Difference, Identity},
    length::{MAX_EPOCHS, steps_of_epochs},
    own_preset::{CreateOwnPreset, OwnPreset},
    presets::PresetInfo,
    questions::{Answer, Question},
};
pub use crate::parameters::{Engine, LrSchedule, ParameterOverrides, Parameters};
use crate::{
    ModelVersionId,
    parameters::{Definition, Wrong},
    preset::{Family, Preset},
    problem::{FieldError, InvalidFields},
    sample::{MAX_SAMPLES, SamplePrompt},
};

/// Fully resolved and valid configuration of one training.
///
/// Made by [`Recipe::resolve`] and by reading, which goes through the same checks. Nothing changes one: whoever holds a
/// recipe need not check it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "RawRecipe")]
pub struct Recipe {
    /// What computes it.
    engine: Engine,
    /// Name of the base model.
    base_model: String,
    /// Name of the result; the file is called so.
    name: String,
    /// The word that calls the LoRA up in a prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trigger_word: Option<String>,
    /// The preset that gave the defaults.
    preset: Preset,
    /// Every hyperparameter. They are many: boxed, a recipe is cheap to move.
    parameters: Box<Parameters>,
    /// The preview pictures.
    #[serde(with = "crate::sample")]
    #[schema(schema_with = crate::sample::schema)]
    sample_prompts: Vec<SamplePrompt>,
    /// The LoRA that the training begins with; absent for one that changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_from: Option<ModelVersionId>,
}

#[derive(Deserialize)]
struct RawRecipe {
    engine: Engine,
    base_model: String,
    name: String,
    #[serde(default)]
    trigger_word: Option<String>,
    preset: Preset,
    parameters: Box<Parameters>,
    #[serde(with = "crate::sample")]
    sample_prompts: Vec<SamplePrompt>,
    #[serde(default)]
    start_from: Option<ModelVersionId>,
}

impl TryFrom<RawRecipe> for Recipe {
    type Error = InvalidFields;

    fn try_from(raw: RawRecipe) -> Result<Self, Self::Error> {
        let RawRecipe {
            engine,
            base_model,
            name,
            trigger_word,
            preset,
            parameters,
            sample_prompts,
            start_from,
        } = raw;
        Recipe {
            engine,
            base_model,
            name,
            trigger_word,
            preset,
            parameters,
            sample_prompts,
            start_from,
        }
        .checked(Wrong::default())
    }
}

/// What a recipe is resolved from: the choices of a person.
#[derive(Debug, Clone, Default)]
pub struct RecipeRequest {
    /// See [`Recipe::engine`].
    pub engine: Engine,
    /// See [`Recipe::base_model`].
    pub base_model: String,
    /// See [`Recipe::name`].
    pub name: String,
    /// See [`Recipe::trigger_word`].
    pub trigger_word: Option<String>,
    /// See [`Recipe::preset`].
    pub preset: Preset,
    /// Replaces the preset's hyperparameters.
    pub overrides: ParameterOverrides,
    /// See [`Recipe::sample_prompts`].
    pub sample_prompts: Vec<SamplePrompt>,
    /// See [`Recipe::start_from`].
    pub start_from: Option<ModelVersionId>,
}

impl Recipe {
    /// Completes a request with its preset for a family of base models, and checks every field.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn resolve(request: RecipeRequest, base: impl Into<Family>) -> Result<Self, InvalidFields> {
        let RecipeRequest {
            engine,
            base_model,
            name,
            trigger_word,
            preset,
            overrides,
            sample_prompts,
            start_from,
        } = request;
        let mut wrong = Wrong::default();
        let parameters = Box::new(Parameters::resolve(
            overrides,
            Parameters::of(preset, base),
            &mut wrong,
        ));
        let mut recipe = Recipe {
            engine,
            base_model,
            name,
            trigger_word,
            preset,
            parameters,
            sample_prompts,
            start_from,
        }
        .checked(wrong)?;
        recipe.trigger_word = recipe
            .trigger_word
            .map(|word| word.trim().to_owned())
            .filter(|word| !word.is_empty());
        recipe.name = recipe.name.trim().to_owned();
        Ok(recipe)
    }

    /// The same training by another engine.
    ///
    /// # Errors
    /// If that one does not honor a field.
    pub fn for_engine(&self, engine: Engine) -> Result<Self, InvalidFields> {
        let recipe = self.clone();
        Recipe { engine, ..recipe }.checked(Wrong::default())
    }

    fn checked(self, mut wrong: Wrong) -> Result<Self, InvalidFields> {
        self.parameters.check(self.engine, &mut wrong);
        self.parameters.check_together(self.engine, &mut wrong);
        let mut errors: Vec<FieldError> = wrong.into_errors().collect();
        check_texts(&self, &mut errors);
        if errors.is_empty() {
            Ok(self)
        } else {
            Err(InvalidFields(errors))
        }
    }

    /// What computes it.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Name of the base model.
    pub fn base_model(&self) -> &str {
        &self.base_model
    }

    /// Name of the result; the file is called so.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The word that calls the LoRA up in a prompt.
    pub fn trigger_word(&self) -> Option<&str> {
        self.trigger_word.as_deref()
    }

    /// The LoRA that the training begins with.
    pub fn start_from(&self) -> Option<ModelVersionId> {
        self.start_from
    }

    /// The preset that gave the defaults.
    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// Every hyperparameter.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The first hyperparameter that agents of a version of the protocol would ignore although it is not at its default,
    /// and the first version that knows its value.
    pub fn unknown_to(&self, version: u32) -> Option<(&'static Definition, u32)> {
        let default = Parameters::default();
        let changed = self.parameters.values().zip(default.values());
        let changed = changed.filter(|((_, value), (_, default))| value != default);
        let mut since = changed.map(|((definition, value), _)| {
            let since = match definition.name {
                "optimizer_arguments" => self.parameters.arguments_since(self.engine),
                _ => definition.since(value),
            };
            (definition, since)
        });
        since.find(|(_, since)| *since > version)
    }

    /// The preview pictures.
    pub fn sample_prompts(&self) -> &[SamplePrompt] {
        &self.sample_prompts
    }

    /// Rank as the type that cannot be zero.
    pub fn rank(&self) -> NonZeroU16 {
        NonZeroU16::new(self.parameters.rank).expect("checked by resolve")
    }

    /// Number of optimizer steps as the type that cannot be zero.
    pub fn n_steps(&self) -> NonZeroU32 {
        NonZeroU32::new(self.parameters.n_steps).expect("checked by resolve")
    }

    /// What tells its checkpoints from those of another training.
    pub fn identity(&self) -> Identity {
        Identity::of(self)
    }

    /// Whether a step of both costs the same on the same machine.
    pub fn steps_cost_like(&self, other: &Self) -> bool {
        let cost = |recipe: &Self| {
            let p = &recipe.parameters;
            let sizes = (p.resolution, p.batch_size, p.gradient_accumulation, p.max_tokens);
            let targets = (
                p.kind,
                p.conv_rank > 0,
                p.trains_text_encoders(),
                p.trained_blocks.clone(),
            );
            let extra = (p.gradient_checkpointing, p.output_preservation > 0.0);
            (recipe.engine, sizes, targets, extra)
        };
        self.base_model == other.base_model && cost(self) == cost(other)
    }
}

fn check_texts(recipe: &Recipe, errors: &mut Vec<FieldError>) {
    let mut fail = |field: &str, message: &str| errors.push(FieldError::new(field, message));
    let name = recipe.name.trim();
    if name.is_empty() || name.chars().count() > 80 {
        fail("name", "must have from 1 to 80 characters");
    } else if name.starts_with('.') || name.chars().any(|c| c.is_control() || "/\\:*?\"<>|".contains(c)) {
        fail(
            "name",
            "names a file, so it must not start with a dot or contain / \\ : * ? \" < > |",
        );
    }
    let is_wrong = |word: &str| word.chars().count() > 80 || word.chars().any(char::is_control);
    if recipe.trigger_word().is_some_and(is_wrong) {
        fail("trigger_word", "must have at most 80 characters, on one line");
    }
    if recipe.parameters.output_preservation > 0.0 && recipe.trigger_word().is_none() {
        fail(
            "parameters.output_preservation",
            "needs a trigger word: what is said without it is what stays as it is",
        );
    }
    let samples = &recipe.sample_prompts;
    if samples.len() > MAX_SAMPLES {
        fail(
            "sample_prompts",
            &format!("must be at most {MAX_SAMPLES} prompts, not {}", samples.len()),
        );
    }
    for (index, sample) in samples.iter().enumerate() {
        errors.extend(sample.problems(&format!("sample_prompts[{index}]"), recipe.engine));
    }
}

#[cfg(test)]
mod tests;
