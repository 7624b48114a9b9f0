//! Every hyperparameter, defined once: the table at the end of this file.
//!
//! An entry says what a hyperparameter is called, what it holds, and what must be true of it. Everything else is derived
//! from it: the fields of [`Parameters`] and [`ParameterOverrides`], the checks, the OpenAPI document and with it the
//! dashboard's form, the columns of the database, options of sd-scripts that take the value as it is, the trained
//! file's metadata, and what a checkpoint is compared by. `CONTRIBUTING.md` says how to add one.

mod define;
mod definition;
mod kinds;
mod schema;

pub(crate) use define::Wrong;
use define::{hyperparameters, words};
pub use definition::{Definition, Effect, Group, Range, Value};
pub use kinds::{Hyperparameter, Words};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

words! {
    /// How the learning rate moves over the steps.
    pub enum LrSchedule {
        /// The same learning rate at every step (after warm-up).
        Constant = "constant",
        /// Half a cosine from the learning rate down to zero (after warm-up).
        #[default]
        Cosine = "cosine",
    }
}

hyperparameters! {
    /// Hyperparameters, complete.
    pub struct Parameters;

    /// Hyperparameters that replace the preset's; every field may be left out.
    pub struct ParameterOverrides;

    /// Optimizer steps.
    n_steps: u32 {
        default: 1600,
        range: Range::whole(1, 1_000_000),
        presets: {
            (Tiny, Character | Concept) => 465,
            (Tiny, Style) => 400,
            (Sdxl, Concept) => 1500,
            (Sdxl, Style) => 3000,
        },
        about: {
            group: Group::Basic,
            unit: "steps",
            effect: Effect::Schedule,
            metadata: &["ss_max_train_steps"],
        },
    }

    /// Learning rate of AdamW at its highest point.
    learning_rate: f64 {
        default: 1e-4,
        range: Range::above(0.0, 1.0),
        presets: {
            (Tiny, Character | Concept) => 1e-3,
            (Tiny, Style) => 2e-3,
        },
        about: {
            group: Group::Basic,
            kohya: Some("learning_rate"),
            metadata: &["ss_learning_rate", "ss_unet_lr"],
        },
    }

    /// Rank of the LoRA matrices: how much it can learn, and how large the file gets.
    rank: u16 {
        default: 16,
        range: Range::whole(1, 256),
        presets: { (Sdxl, _) => 32 },
        about: {
            group: Group::Basic,
            kohya: Some("network_dim"),
            metadata: &["ss_network_dim"],
        },
    }

    /// Alpha: the LoRA's output is scaled by alpha / rank. Equal to rank means a scale of 1.
    alpha: f64 {
        default: 16.0,
        range: Range::above(0.0, 512.0),
        // A changed rank keeps the preset's scale alpha / rank.
        follows: |preset, now| preset.alpha / f64::from(preset.rank) * f64::from(now.rank),
        about: {
            kohya: Some("network_alpha"),
            metadata: &["ss_network_alpha"],
        },
    }

    /// How the learning rate moves over the steps.
    lr_schedule: LrSchedule {
        default: LrSchedule::Cosine,
        range: Range::words::<LrSchedule>(),
    }

    /// Steps over which the learning rate rises from zero. Must be less than the number of steps.
    n_warmup_steps: u32 {
        default: 0,
        range: Range::whole(0, 1_000_000),
        // A twentieth of the preset's steps.
        presets: {
            (Sdxl, Character) => 80,
            (Sdxl, Concept) => 75,
            (Sdxl, Style) => 150,
        },
        // The preset's warm-up shrinks with a shorter run.
        follows: |preset, now| {
            let scaled = u64::from(preset.n_warmup_steps) * u64::from(now.n_steps) / u64::from(preset.n_steps);
            scaled.min(u64::from(u32::MAX)) as u32
        },
        rule: |p| (p.n_warmup_steps >= p.n_steps)
            .then(|| format!("must be less than n_steps ({}), not {}", p.n_steps, p.n_warmup_steps)),
        beside: [n_steps],
        about: {
            unit: "steps",
            effect: Effect::Schedule,
            metadata: &["ss_lr_warmup_steps"],
        },
    }

    /// Pictures in one forward pass.
    batch_size: u16 {
        default: 1,
        range: Range::whole(1, 64),
        presets: { (Tiny, _) => 8 },
        about: { group: Group::Basic, unit: "pictures" },
    }

    /// Forward passes whose gradients are averaged into one optimizer step.
    gradient_accumulation: u16 {
        default: 1,
        range: Range::whole(1, 256),
        about: { metadata: &["ss_gradient_accumulation_steps"] },
    }

    /// Gradients are scaled down to this norm when they are longer. 0 switches clipping off.
    max_gradient_norm: f64 {
        default: 1.0,
        range: Range::number(0.0, 100.0),
        about: {
            kohya: Some("max_grad_norm"),
            metadata: &["ss_max_grad_norm"],
        },
    }

    /// Weight decay of AdamW.
    weight_decay: f64 {
        default: 0.01,
        range: Range::number(0.0, 1.0),
    }

    /// Limits the loss weight of nearly noise-free timesteps (Hang et al. 2023). 0 switches it off; 5 is usual.
    min_snr_gamma: f64 {
        default: 5.0,
        range: Range::number(0.0, 20.0),
        about: {
            off: Some(Value::Number(0.0)),
            kohya: Some("min_snr_gamma"),
            metadata: &["ss_min_snr_gamma"],
        },
    }

    /// Noise offset: lets the model learn pictures that are darker or brighter than average. 0 is off.
    noise_offset: f64 {
        default: 0.0,
        range: Range::number(0.0, 1.0),
        about: {
            off: Some(Value::Number(0.0)),
            kohya: Some("noise_offset"),
            metadata: &["ss_noise_offset"],
        },
    }

    /// Share of the training pictures shown with an empty caption.
    caption_dropout: f64 {
        default: 0.0,
        range: Range::number(0.0, 1.0),
        presets: { (Sdxl, Style) => 0.05 },
        about: { metadata: &["ss_caption_dropout_rate"] },
    }

    /// Side of a square picture with the area that buckets aim for, in pixels.
    resolution: u32 {
        default: 1024,
        // The VAE halves a picture three times.
        range: Range::multiples(8, 64, 2048),
        presets: { (Tiny, _) => 128 },
        about: { group: Group::Basic, unit: "pixels" },
    }

    /// Bucket sides are multiples of this, in pixels.
    bucket_step: u32 {
        default: 64,
        // The VAE halves a picture three times, the U-Net twice more.
        range: Range::multiples(32, 32, 256),
        presets: { (Tiny, _) => 32 },
        about: { unit: "pixels" },
    }

    /// Tokens of a caption that are read; the rest is cut.
    max_tokens: u16 {
        default: 75,
        range: Range::multiples(75, 75, 225),
        about: {
            unit: "tokens",
            // What an absent option means; sd-scripts does not take the number.
            off: Some(Value::Whole(75)),
            kohya: Some("max_token_length"),
            metadata: &["ss_max_token_length"],
        },
    }

    /// A checkpoint is stored each time this many steps are done. 0 stores only the last.
    checkpoint_every_n_steps: u32 {
        default: 200,
        range: Range::whole(0, 1_000_000),
        presets: { (Tiny, _) => 100 },
        about: { unit: "steps", effect: Effect::None },
    }

    /// Preview pictures are rendered each time this many steps are done. 0 renders none.
    sample_every_n_steps: u32 {
        default: 200,
        range: Range::whole(0, 1_000_000),
        presets: { (Tiny, _) => 100 },
        about: { unit: "steps", effect: Effect::None },
    }

    /// Seed of everything random in the training.
    seed: u32 {
        default: 42,
        range: Range::whole(0, u32::MAX as i64),
        about: {
            kohya: Some("seed"),
            metadata: &["ss_seed"],
        },
    }
}

#[cfg(test)]
mod tests;
