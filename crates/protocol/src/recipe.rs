//! Hyperparameters: the raw form that people send, and the recipe that is known to be valid.

use std::num::{NonZeroU16, NonZeroU32};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    preset::{BaseClass, Preset},
    problem::FieldError,
};

/// What computes the training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Our own engine, in Rust.
    #[default]
    Native,
    /// kohya-ss/sd-scripts, as a child process of an agent that has it.
    Kohya,
}

/// How the learning rate moves over the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LrSchedule {
    /// The same learning rate at every step (after warm-up).
    Constant,
    /// Half a cosine from the learning rate down to zero (after warm-up).
    #[default]
    Cosine,
}

/// Hyperparameters, complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Rank of the LoRA matrices: how much it can learn, and how large the file gets.
    #[schema(minimum = 1, maximum = 256, default = 16)]
    pub rank: u16,
    /// Alpha: the LoRA's output is scaled by alpha / rank. Equal to rank means a scale of 1.
    #[schema(exclusive_minimum = 0, maximum = 512, default = 16)]
    pub alpha: f64,
    /// Learning rate of AdamW at its highest point.
    #[schema(exclusive_minimum = 0, maximum = 1, default = 0.0001)]
    pub learning_rate: f64,
    /// How the learning rate moves over the steps.
    pub lr_schedule: LrSchedule,
    /// Steps over which the learning rate rises from zero. Must be less than the number of steps.
    #[schema(minimum = 0, maximum = 1_000_000, default = 0)]
    pub n_warmup_steps: u32,
    /// Optimizer steps.
    #[schema(minimum = 1, maximum = 1_000_000, default = 1600)]
    pub n_steps: u32,
    /// Pictures in one forward pass.
    #[schema(minimum = 1, maximum = 64, default = 1)]
    pub batch_size: u16,
    /// Forward passes whose gradients are averaged into one optimizer step.
    #[schema(minimum = 1, maximum = 256, default = 1)]
    pub gradient_accumulation: u16,
    /// Gradients are scaled down to this norm when they are longer. 0 switches clipping off.
    #[schema(minimum = 0, maximum = 100, default = 1.0)]
    pub max_gradient_norm: f64,
    /// Weight decay of AdamW.
    #[schema(minimum = 0, maximum = 1, default = 0.01)]
    pub weight_decay: f64,
    /// Limits the loss weight of nearly noise-free timesteps (Hang et al. 2023). 0 switches it off; 5 is usual.
    #[schema(minimum = 0, maximum = 20, default = 5.0)]
    pub min_snr_gamma: f64,
    /// Noise offset: lets the model learn pictures that are darker or brighter than average. 0 is off.
    #[schema(minimum = 0, maximum = 1, default = 0.0)]
    pub noise_offset: f64,
    /// Share of the training pictures shown with an empty caption.
    #[schema(minimum = 0, maximum = 1, default = 0.0)]
    pub caption_dropout: f64,
    /// Side of a square picture with the area that buckets aim for, in pixels.
    #[schema(minimum = 64, maximum = 2048, multiple_of = 8, default = 1024)]
    pub resolution: u32,
    /// Bucket sides are multiples of this, in pixels.
    #[schema(minimum = 32, maximum = 256, multiple_of = 32, default = 64)]
    pub bucket_step: u32,
    /// Tokens of a caption that are read; the rest is cut.
    #[schema(minimum = 75, maximum = 225, multiple_of = 75, default = 75)]
    pub max_tokens: u16,
    /// A checkpoint is stored each time this many steps are done. 0 stores only the last.
    #[schema(minimum = 0, maximum = 1_000_000, default = 200)]
    pub checkpoint_every_n_steps: u32,
    /// Preview pictures are rendered each time this many steps are done. 0 renders none.
    #[schema(minimum = 0, maximum = 1_000_000, default = 200)]
    pub sample_every_n_steps: u32,
    /// Seed of everything random in the training.
    #[schema(minimum = 0, default = 42)]
    pub seed: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            rank: 16,
            alpha: 16.0,
            learning_rate: 1e-4,
            lr_schedule: LrSchedule::Cosine,
            n_warmup_steps: 0,
            n_steps: 1600,
            batch_size: 1,
            gradient_accumulation: 1,
            max_gradient_norm: 1.0,
            weight_decay: 0.01,
            min_snr_gamma: 5.0,
            noise_offset: 0.0,
            caption_dropout: 0.0,
            resolution: 1024,
            bucket_step: 64,
            max_tokens: 75,
            checkpoint_every_n_steps: 200,
            sample_every_n_steps: 200,
            seed: 42,
        }
    }
}

/// Hyperparameters that replace the preset's; every field may be left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ParameterOverrides {
    /// See `Parameters`.
    pub rank: Option<i64>,
    /// See `Parameters`.
    pub alpha: Option<f64>,
    /// See `Parameters`.
    pub learning_rate: Option<f64>,
    /// See `Parameters`.
    pub lr_schedule: Option<LrSchedule>,
    /// See `Parameters`.
    pub n_warmup_steps: Option<i64>,
    /// See `Parameters`.
    pub n_steps: Option<i64>,
    /// See `Parameters`.
    pub batch_size: Option<i64>,
    /// See `Parameters`.
    pub gradient_accumulation: Option<i64>,
    /// See `Parameters`.
    pub max_gradient_norm: Option<f64>,
    /// See `Parameters`.
    pub weight_decay: Option<f64>,
    /// See `Parameters`.
    pub min_snr_gamma: Option<f64>,
    /// See `Parameters`.
    pub noise_offset: Option<f64>,
    /// See `Parameters`.
    pub caption_dropout: Option<f64>,
    /// See `Parameters`.
    pub resolution: Option<i64>,
    /// See `Parameters`.
    pub bucket_step: Option<i64>,
    /// See `Parameters`.
    pub max_tokens: Option<i64>,
    /// See `Parameters`.
    pub checkpoint_every_n_steps: Option<i64>,
    /// See `Parameters`.
    pub sample_every_n_steps: Option<i64>,
    /// See `Parameters`.
    pub seed: Option<i64>,
}

/// Fully resolved and valid configuration of one training.
///
/// Made by [`Recipe::resolve`] and nothing else: whoever holds one need not check it again. It
/// deserializes through the same checks, so a recipe from a wire or a disk is valid too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "RawRecipe")]
pub struct Recipe {
    /// What computes it.
    pub engine: Engine,
    /// Name of the base model.
    pub base_model: String,
    /// Name of the result; the file is called so.
    pub name: String,
    /// The word that calls the LoRA up in a prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_word: Option<String>,
    /// The preset that gave the defaults.
    pub preset: Preset,
    /// Every hyperparameter.
    pub parameters: Parameters,
    /// Prompts of the preview pictures.
    pub sample_prompts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRecipe {
    engine: Engine,
    base_model: String,
    name: String,
    #[serde(default)]
    trigger_word: Option<String>,
    preset: Preset,
    parameters: Parameters,
    sample_prompts: Vec<String>,
}

impl TryFrom<RawRecipe> for Recipe {
    type Error = crate::problem::InvalidFields;

    fn try_from(raw: RawRecipe) -> Result<Self, Self::Error> {
        let RawRecipe {
            engine,
            base_model,
            name,
            trigger_word,
            preset,
            parameters,
            sample_prompts,
        } = raw;
        let mut check = Check::default();
        check.parameters(&parameters);
        check.texts(&name, trigger_word.as_deref(), &sample_prompts);
        check.finish(Recipe {
            engine,
            base_model,
            name,
            trigger_word,
            preset,
            parameters,
            sample_prompts,
        })
    }
}

/// What a recipe is resolved from: the choices of a person, beside the hyperparameters.
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
    pub sample_prompts: Vec<String>,
}

impl Recipe {
    /// Whether a step of both costs the same on the same machine.
    pub fn steps_cost_like(&self, other: &Self) -> bool {
        let cost = |recipe: &Self| {
            let p = &recipe.parameters;
            (recipe.engine, p.resolution, p.batch_size, p.gradient_accumulation)
        };
        self.base_model == other.base_model && cost(self) == cost(other)
    }

    /// Completes a request with its preset and checks every field; all errors come at once.
    pub fn resolve(request: RecipeRequest, base: BaseClass) -> Result<Self, crate::problem::InvalidFields> {
        let RecipeRequest {
            engine,
            base_model,
            name,
            trigger_word,
            preset,
            overrides,
            sample_prompts,
        } = request;
        let mut check = Check::default();
        let parameters = check.apply(preset.info(base).parameters, overrides);
        if check.errors.is_empty() {
            check.parameters(&parameters);
        }
        check.texts(&name, trigger_word.as_deref(), &sample_prompts);
        let trigger_word = trigger_word
            .map(|word| word.trim().to_owned())
            .filter(|word| !word.is_empty());
        let name = name.trim().to_owned();
        check.finish(Recipe {
            engine,
            base_model,
            name,
            trigger_word,
            preset,
            parameters,
            sample_prompts,
        })
    }

    /// Rank as the type that cannot be zero.
    pub fn rank(&self) -> NonZeroU16 {
        NonZeroU16::new(self.parameters.rank).expect("checked by resolve")
    }

    /// Number of optimizer steps as the type that cannot be zero.
    pub fn n_steps(&self) -> NonZeroU32 {
        NonZeroU32::new(self.parameters.n_steps).expect("checked by resolve")
    }
}

/// Collects what is wrong, field by field.
#[derive(Default)]
struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    fn fail(&mut self, field: &str, message: String) {
        self.errors.push(FieldError::new(field, message));
    }

    fn finish(self, recipe: Recipe) -> Result<Recipe, crate::problem::InvalidFields> {
        if self.errors.is_empty() {
            Ok(recipe)
        } else {
            Err(crate::problem::InvalidFields(self.errors))
        }
    }

    /// An integer within `low..=high`; the default stands in for a wrong one until the errors are returned.
    fn int<T: TryFrom<i64> + Copy>(
        &mut self,
        name: &str,
        value: Option<i64>,
        default: T,
        low: i64,
        high: i64,
    ) -> T {
        let Some(value) = value else { return default };
        if value < low || value > high {
            self.fail(
                &format!("parameters.{name}"),
                format!("must be from {low} to {high}, not {value}"),
            );
            return default;
        }
        T::try_from(value).unwrap_or(default)
    }

    fn apply(&mut self, preset: Parameters, o: ParameterOverrides) -> Parameters {
        let p = preset;
        Parameters {
            rank: self.int("rank", o.rank, p.rank, 1, 256),
            alpha: o.alpha.unwrap_or(match o.rank {
                // A changed rank keeps the preset's scale alpha / rank.
                Some(rank) => p.alpha / f64::from(p.rank) * rank as f64,
                None => p.alpha,
            }),
            learning_rate: o.learning_rate.unwrap_or(p.learning_rate),
            lr_schedule: o.lr_schedule.unwrap_or(p.lr_schedule),
            n_steps: self.int("n_steps", o.n_steps, p.n_steps, 1, 1_000_000),
            n_warmup_steps: match (o.n_warmup_steps, o.n_steps) {
                // The preset's warm-up shrinks with a shorter run.
                (None, Some(n)) if n > 0 => (u64::from(p.n_warmup_steps) * n as u64 / u64::from(p.n_steps))
                    .min(u64::from(u32::MAX)) as u32,
                (value, _) => self.int("n_warmup_steps", value, p.n_warmup_steps, 0, 1_000_000),
            },
            batch_size: self.int("batch_size", o.batch_size, p.batch_size, 1, 64),
            gradient_accumulation: self.int(
                "gradient_accumulation",
                o.gradient_accumulation,
                p.gradient_accumulation,
                1,
                256,
            ),
            max_gradient_norm: o.max_gradient_norm.unwrap_or(p.max_gradient_norm),
            weight_decay: o.weight_decay.unwrap_or(p.weight_decay),
            min_snr_gamma: o.min_snr_gamma.unwrap_or(p.min_snr_gamma),
            noise_offset: o.noise_offset.unwrap_or(p.noise_offset),
            caption_dropout: o.caption_dropout.unwrap_or(p.caption_dropout),
            resolution: self.int("resolution", o.resolution, p.resolution, 64, 2048),
            bucket_step: self.int("bucket_step", o.bucket_step, p.bucket_step, 32, 256),
            max_tokens: self.int("max_tokens", o.max_tokens, p.max_tokens, 75, 225),
            checkpoint_every_n_steps: self.int(
                "checkpoint_every_n_steps",
                o.checkpoint_every_n_steps,
                p.checkpoint_every_n_steps,
                0,
                1_000_000,
            ),
            sample_every_n_steps: self.int(
                "sample_every_n_steps",
                o.sample_every_n_steps,
                p.sample_every_n_steps,
                0,
                1_000_000,
            ),
            seed: self.int("seed", o.seed, p.seed, 0, i64::from(u32::MAX)),
        }
    }

    fn range(&mut self, name: &str, value: f64, low: f64, high: f64) {
        if !(value >= low && value <= high) {
            self.fail(
                &format!("parameters.{name}"),
                format!("must be from {low} to {high}, not {value}"),
            );
        }
    }

    fn positive(&mut self, name: &str, value: f64, high: f64) {
        if !(value > 0.0 && value <= high) {
            self.fail(
                &format!("parameters.{name}"),
                format!("must be above 0 and at most {high}, not {value}"),
            );
        }
    }

    fn parameters(&mut self, p: &Parameters) {
        for (name, value, low, high) in [
            ("rank", i64::from(p.rank), 1, 256),
            ("n_steps", i64::from(p.n_steps), 1, 1_000_000),
            ("batch_size", i64::from(p.batch_size), 1, 64),
            (
                "gradient_accumulation",
                i64::from(p.gradient_accumulation),
                1,
                256,
            ),
            ("resolution", i64::from(p.resolution), 64, 2048),
            ("bucket_step", i64::from(p.bucket_step), 32, 256),
        ] {
            self.int(name, Some(value), 0_i64, low, high);
        }
        self.positive("alpha", p.alpha, 512.0);
        self.positive("learning_rate", p.learning_rate, 1.0);
        self.range("max_gradient_norm", p.max_gradient_norm, 0.0, 100.0);
        self.range("weight_decay", p.weight_decay, 0.0, 1.0);
        self.range("min_snr_gamma", p.min_snr_gamma, 0.0, 20.0);
        self.range("noise_offset", p.noise_offset, 0.0, 1.0);
        self.range("caption_dropout", p.caption_dropout, 0.0, 1.0);
        if p.n_warmup_steps >= p.n_steps {
            let n_steps = p.n_steps;
            self.fail(
                "parameters.n_warmup_steps",
                format!("must be less than n_steps ({n_steps}), not {}", p.n_warmup_steps),
            );
        }
        // The VAE halves a picture three times, the U-Net twice more. A resolution only sets the area of buckets.
        for (name, value, factor) in [
            ("resolution", p.resolution, 8),
            ("bucket_step", p.bucket_step, 32),
        ] {
            if value % factor != 0 {
                self.fail(
                    &format!("parameters.{name}"),
                    format!("must be a multiple of {factor}, not {value}"),
                );
            }
        }
        if ![75, 150, 225].contains(&p.max_tokens) {
            self.fail(
                "parameters.max_tokens",
                format!("must be 75, 150 or 225, not {}", p.max_tokens),
            );
        }
    }

    fn texts(&mut self, name: &str, trigger_word: Option<&str>, sample_prompts: &[String]) {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 80 {
            self.fail("name", "must have from 1 to 80 characters".into());
        } else if name.starts_with('.') || name.chars().any(|c| c.is_control() || "/\\:*?\"<>|".contains(c)) {
            self.fail(
                "name",
                "names a file, so it must not start with a dot or contain / \\ : * ? \" < > |".into(),
            );
        }
        if trigger_word.is_some_and(|word| word.chars().count() > 80 || word.chars().any(char::is_control)) {
            self.fail(
                "trigger_word",
                "must have at most 80 characters, on one line".into(),
            );
        }
        if sample_prompts.len() > 16 {
            self.fail(
                "sample_prompts",
                format!("must be at most 16 prompts, not {}", sample_prompts.len()),
            );
        }
        if let Some(index) = sample_prompts
            .iter()
            .position(|prompt| prompt.chars().count() > 2000)
        {
            self.fail(
                &format!("sample_prompts[{index}]"),
                "must have at most 2000 characters".into(),
            );
        }
    }
}

#[cfg(test)]
mod tests;
