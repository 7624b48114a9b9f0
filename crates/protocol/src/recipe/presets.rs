//! A preset with its hyperparameters, as pages and programs read it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    parameters::Parameters,
    preset::{BaseClass, Preset},
};

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

impl PresetInfo {
    /// A preset for a class of base model.
    pub fn of(preset: Preset, base: BaseClass) -> Self {
        Self {
            preset,
            description: preset.description().to_owned(),
            source: base.source().to_owned(),
            parameters: Parameters::of(preset, base),
        }
    }
}
