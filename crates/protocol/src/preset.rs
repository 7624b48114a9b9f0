//! What presets are for: bundles of hyperparameters that are known to work, with their source.

mod family;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::family::Family;

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

/// How large a base model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BaseClass {
    /// A full SDXL (2.6 billion parameters in the unet), trained at about 1024×1024.
    Sdxl,
    /// `tiny-xl` and its like: the same topology, a thousandth of the size.
    Tiny,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 3] = [Self::Character, Self::Style, Self::Concept];

    /// What it is for, in a sentence.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Character => "One figure that stays the same from panel to panel; 15 to 30 pictures.",
            Self::Style => "A way of drawing, for any subject; 30 to 100 pictures.",
            Self::Concept => "An object, an outfit or a pose; 10 to 30 pictures.",
        }
    }
}
