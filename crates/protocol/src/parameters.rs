//! Every hyperparameter, defined once: the table in the files of the folder `table`.
//!
//! An entry says what a hyperparameter is called, what it holds, and what must be true of it. Everything else is derived
//! from it: the fields of [`Parameters`] and [`ParameterOverrides`], the checks, the OpenAPI document and with it the
//! dashboard's form, the columns of the database, options of sd-scripts that take the value as it is, the trained
//! file's metadata, and what a checkpoint is compared by. `CONTRIBUTING.md` says how to add one.

mod blocks;
mod choices;
mod define;
mod definition;
mod engines;
mod kinds;
mod notes;
mod optimizers;
mod schema;
mod table;

pub use blocks::Block;
pub use choices::{
    HuberSchedule, Interpolation, LoraKind, LossKind, LrSchedule, Optimizer, TimestepDistribution,
};
pub(crate) use define::Wrong;
use define::hyperparameters;
pub use definition::{Definition, Effect, Group, Range, Value};
pub use kinds::{Hyperparameter, Words};
pub use optimizers::Argument;
use serde::{Deserialize, Serialize};
use table::{captions, loss, network, optimizer, pictures, schedule};
use utoipa::ToSchema;

use crate::text;

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

impl Engine {
    /// Every engine.
    pub const ALL: &'static [Self] = &[Self::Native, Self::Kohya];

    /// Its name in recipes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Kohya => "kohya",
        }
    }
}

/// Of what sd-scripts does not have.
const NATIVE: &[Engine] = &[Engine::Native];

/// Of what our own engine does not have.
const KOHYA: &[Engine] = &[Engine::Kohya];

// Each of these adds its entries and hands on to the next; the order is that of the form.
schedule! { { network optimizer loss captions pictures hyperparameters }
    /// Hyperparameters, complete.
    pub struct Parameters;

    /// Hyperparameters that replace the preset's; every field may be left out.
    pub struct ParameterOverrides;
}

impl Parameters {
    /// Pictures in one optimizer step.
    pub fn pictures_per_step(&self) -> u32 {
        u32::from(self.batch_size) * u32::from(self.gradient_accumulation)
    }

    /// The shortest and the longest side of buckets, in pixels.
    pub fn bucket_sides(&self) -> (u32, u32) {
        let (min, max) = bucket_sides(self.resolution, self.bucket_step);
        let or = |chosen: u32, usual: u32| if chosen > 0 { chosen } else { usual };
        (or(self.min_bucket_side, min), or(self.max_bucket_side, max))
    }

    /// Steps from one checkpoint to the next, with so many steps in an epoch; 0 if only the last is stored.
    pub fn checkpoint_every(&self, n_steps_per_epoch: u32) -> u32 {
        interval(
            self.checkpoint_every_n_epochs,
            self.checkpoint_every_n_steps,
            n_steps_per_epoch,
        )
    }

    /// Steps from one row of previews to the next, with so many steps in an epoch; 0 if there are none.
    pub fn sample_every(&self, n_steps_per_epoch: u32) -> u32 {
        interval(
            self.sample_every_n_epochs,
            self.sample_every_n_steps,
            n_steps_per_epoch,
        )
    }

    /// Steps from one measurement of the validation loss to the next, with so many steps in an epoch; 0 if checkpoints
    /// decide.
    pub fn validate_every(&self, n_steps_per_epoch: u32) -> u32 {
        interval(
            self.validate_every_n_epochs,
            self.validate_every_n_steps,
            n_steps_per_epoch,
        )
    }

    /// Whether a text encoder is trained.
    pub fn trains_text_encoders(&self) -> bool {
        self.text_encoder_1_learning_rate > 0.0 || self.text_encoder_2_learning_rate > 0.0
    }

    /// Whether views of a picture look different from each other in more than being mirrored.
    pub fn draws_looks(&self) -> bool {
        self.random_crop || self.color_jitter || self.random_background
    }

    /// Whether captions are not the same each time they are read, so that their encodings cannot be kept.
    pub fn varies_captions(&self) -> bool {
        self.caption_dropout > 0.0
            || self.caption_dropout_every_n_epochs > 0
            || self.shuffle_tags
            || self.tag_dropout > 0.0
            || self.wildcards
            || self.token_warmup_steps > 0
    }

    /// Whether a block of the U-Net is trained.
    pub fn trains_block(&self, block: Block) -> bool {
        let is_chosen = self.trained_blocks.is_empty()
            || (self.trained_blocks.iter()).any(|name| Block::named(name).contains(&block));
        is_chosen && self.block_rank(block) > 0 && self.block_learning_rate(block) > 0.0
    }

    /// Rank of a block of the U-Net that is trained, but for its 3×3 convolutions.
    pub fn block_rank(&self, block: Block) -> u16 {
        number_of(&self.block_ranks, block).map_or(self.rank, |rank| rank as u16)
    }

    /// Factor of the learning rate of a block of the U-Net that is trained.
    pub fn block_learning_rate(&self, block: Block) -> f64 {
        number_of(&self.block_learning_rates, block).unwrap_or(1.0)
    }
}

fn interval(n_epochs: u32, n_steps: u32, n_steps_per_epoch: u32) -> u32 {
    if n_epochs > 0 {
        n_epochs.saturating_mul(n_steps_per_epoch)
    } else {
        n_steps
    }
}

fn number_of(items: &[String], block: Block) -> Option<f64> {
    let numbers = blocks::numbers(items);
    let found = numbers.iter().find(|(of, _)| *of == block)?;
    Some(found.1)
}

/// A text encoder's learning rate when nobody chose one: the preset's share of the U-Net's. An optimizer that finds its
/// own takes the same factor for all.
fn beside_learning_rate(rate: f64, preset: &Parameters, now: &Parameters) -> f64 {
    let is_adaptive = now.optimizer.is_adaptive();
    if rate == 0.0
        || (now.learning_rate == preset.learning_rate && is_adaptive == preset.optimizer.is_adaptive())
    {
        rate
    } else if is_adaptive {
        now.learning_rate
    } else if preset.optimizer.is_adaptive() {
        now.learning_rate / 10.0
    } else {
        rate / preset.learning_rate * now.learning_rate
    }
}

/// The shortest and the longest side of buckets for a resolution, in pixels, when a recipe names none: a quarter of it
/// and twice of it, which for 1024 are the 256 and 2048 that SDXL was trained with. Multiples of `step`.
pub fn bucket_sides(resolution: u32, step: u32) -> (u32, u32) {
    let step = step.max(1);
    let min = (resolution / 4 / step * step).max(step);
    let max = (resolution * 2).div_ceil(step) * step;
    (min, max)
}

/// What is wrong with a limit on the sides of buckets; a limit of 0 means that there is no limit.
fn wrong_bucket_side(p: &Parameters, side: u32, is_beyond: bool, than: &str) -> Option<String> {
    let step = p.bucket_step;
    if side == 0 {
        None
    } else if !side.is_multiple_of(step) {
        Some(format!("must be a multiple of bucket_step ({step}), not {side}"))
    } else {
        is_beyond.then(|| format!("must be {than} the resolution ({}), not {side}", p.resolution))
    }
}

/// What is wrong with an interval in epochs beside the same one in steps.
fn twice(n_epochs: u32, steps: &str, n_steps: u32) -> Option<String> {
    (n_epochs > 0 && n_steps > 0)
        .then(|| format!("says how often, and so does {steps} ({n_steps}): leave one of the two out"))
}

/// What is wrong with a separator of tags.
fn separator(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return Some("must not be empty: `,` is usual".to_owned());
    }
    text::check_line(text).err().map(|unfit| unfit.to_string())
}

#[cfg(test)]
mod tests;
