//! Presets: bundles of hyperparameters that are known to work, with their source.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::recipe::{LrSchedule, Parameters};

/// What the LoRA is for; chooses the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// One figure that stays the same from panel to panel.
    #[default]
    Character,
    /// A way of drawing.
    Style,
    /// An object, an outfit, a pose.
    Concept,
}

/// How large a base model is, as far as presets care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BaseClass {
    /// A full SDXL (2.6 billion parameters in the unet), trained at about 1024×1024.
    Sdxl,
    /// `tiny-xl` and its like: the same topology, a thousandth of the size.
    Tiny,
}

/// A preset with its hyperparameters for one class of base model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PresetInfo {
    /// Its name.
    pub preset: Preset,
    /// What it is for, in a sentence.
    pub description: String,
    /// Where the numbers come from.
    pub source: String,
    /// The complete parameters.
    pub parameters: Parameters,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 3] = [Self::Character, Self::Style, Self::Concept];

    /// The complete hyperparameters for a class of base model.
    pub fn info(self, base: BaseClass) -> PresetInfo {
        let description = match self {
            Self::Character => "One figure that stays the same from panel to panel; 15 to 30 pictures.",
            Self::Style => "A way of drawing, for any subject; 30 to 100 pictures.",
            Self::Concept => "An object, an outfit or a pose; 10 to 30 pictures.",
        };
        let (source, parameters) = match base {
            BaseClass::Tiny => (TINY_SOURCE, tiny(self)),
            BaseClass::Sdxl => (SDXL_SOURCE, sdxl(self)),
        };
        PresetInfo {
            preset: self,
            description: description.into(),
            source: source.into(),
            parameters,
        }
    }
}

const TINY_SOURCE: &str = "Measured on tiny-xl with the demo datasets (docs/decisions/0004-presets.md).";
const SDXL_SOURCE: &str = "kohya-ss/sd-scripts' SDXL guide (rank 32, alpha 16, 1e-4, AdamW) and \
    min-SNR gamma 5 from Hang et al. 2023, arXiv 2303.09556.";

fn tiny(preset: Preset) -> Parameters {
    let (learning_rate, n_steps) = match preset {
        Preset::Character | Preset::Concept => (1e-3, 465),
        Preset::Style => (2e-3, 400),
    };
    Parameters {
        rank: 16,
        alpha: 16.0,
        learning_rate,
        n_steps,
        batch_size: 8,
        resolution: 128,
        bucket_step: 32,
        checkpoint_every_n_steps: 100,
        sample_every_n_steps: 100,
        ..Parameters::default()
    }
}

fn sdxl(preset: Preset) -> Parameters {
    let n_steps = match preset {
        Preset::Character => 1600,
        Preset::Concept => 1500,
        Preset::Style => 3000,
    };
    Parameters {
        rank: 32,
        alpha: 16.0,
        n_steps,
        batch_size: 1,
        lr_schedule: LrSchedule::Cosine,
        n_warmup_steps: n_steps / 20,
        caption_dropout: if preset == Preset::Style { 0.05 } else { 0.0 },
        ..Parameters::default()
    }
}
