//! Families of base models: those that are trained alike.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::BaseClass;

/// Base models that are trained alike, and share presets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// `tiny-xl` and its like.
    Tiny,
    /// SDXL 1.0, and what is not one of the others.
    #[default]
    Sdxl,
    /// Illustrious, and what was made of it.
    Illustrious,
    /// NoobAI that predicts noise.
    Noobai,
    /// NoobAI that predicts v, and other bases that do.
    NoobaiV,
    /// NoobAI with rectified flow, and other bases with it.
    NoobaiFlow,
    /// Pony Diffusion V6, and what was made of it.
    Pony,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 7] = [
        Self::Tiny,
        Self::Sdxl,
        Self::Illustrious,
        Self::Noobai,
        Self::NoobaiV,
        Self::NoobaiFlow,
        Self::Pony,
    ];

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Tiny => "tiny-xl",
            Self::Sdxl => "SDXL 1.0",
            Self::Illustrious => "Illustrious",
            Self::Noobai => "NoobAI",
            Self::NoobaiV => "NoobAI, v-prediction",
            Self::NoobaiFlow => "NoobAI, rectified flow",
            Self::Pony => "Pony",
        }
    }

    /// Where the numbers of its presets come from.
    pub fn source(self) -> &'static str {
        match self {
            Self::Tiny => "Measured on tiny-xl with the demo datasets (docs/decisions/0004-presets.md).",
            Self::Sdxl => {
                "kohya-ss/sd-scripts' SDXL guide (rank 32, alpha 16, 1e-4, AdamW) and min-SNR gamma 5 from Hang et al. \
                 2023, arXiv 2303.09556."
            }
            Self::Illustrious | Self::Noobai => {
                "Civitai's trainer for Illustrious, hollowstrawberry's notebook and civitai.com articles 9148 and 850658; \
                 the ranges and the choices between them are in docs/decisions/0004-presets.md."
            }
            Self::NoobaiV => {
                "As NoobAI, with the debiased loss in place of min-SNR and no noise offset, as k4d3's notes on NoobAI-v \
                 have it (docs/decisions/0004-presets.md)."
            }
            Self::NoobaiFlow => {
                "As NoobAI, without weights by signal-to-noise ratio, which rectified flow does not have \
                 (docs/decisions/0004-presets.md)."
            }
            Self::Pony => {
                "Civitai's trainer for Pony: Prodigy, rank 32, alpha 32, no min-SNR, noise offset 0.03 \
                 (docs/decisions/0004-presets.md)."
            }
        }
    }
}

impl From<BaseClass> for Family {
    fn from(class: BaseClass) -> Self {
        match class {
            BaseClass::Tiny => Self::Tiny,
            BaseClass::Sdxl => Self::Sdxl,
        }
    }
}
