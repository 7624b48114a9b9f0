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
pub use choices::{HuberSchedule, LoraKind, LossKind, LrSchedule, Optimizer, TimestepDistribution};
pub(crate) use define::Wrong;
use define::hyperparameters;
pub use definition::{Definition, Effect, Group, Range, Value};
pub use kinds::{Hyperparameter, Words};
pub use optimizers::Argument;
use serde::{Deserialize, Serialize};
use table::{captions, loss, network, optimizer, schedule};
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

// Each of these adds its entries and hands on to the next; the order is that of the form.
schedule! { { network optimizer loss captions hyperparameters }
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

    /// Whether a text encoder is trained.
    pub fn trains_text_encoders(&self) -> bool {
        self.text_encoder_1_learning_rate > 0.0 || self.text_encoder_2_learning_rate > 0.0
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

/// What is wrong with a separator of tags.
fn separator(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return Some("must not be empty: `,` is usual".to_owned());
    }
    text::check_line(text).err().map(|unfit| unfit.to_string())
}

#[cfg(test)]
mod tests;
