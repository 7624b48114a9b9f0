//! A preset with its hyperparameters, as pages and programs read it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Question;
use crate::{
    parameters::Parameters,
    preset::{Family, Preset},
};

/// A preset with its hyperparameters for one family of base models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PresetInfo {
    /// Its name.
    pub preset: Preset,
    /// The family of base models.
    pub family: Family,
    /// The family's name for people.
    pub family_title: String,
    /// What it is for, in a sentence.
    pub description: String,
    /// Where the numbers come from.
    pub source: String,
    /// The complete parameters.
    pub parameters: Parameters,
    /// What it leaves open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
}

impl PresetInfo {
    /// A preset for a family of base models.
    pub fn of(preset: Preset, family: Family) -> Self {
        Self {
            preset,
            family,
            family_title: family.title().to_owned(),
            description: preset.description().to_owned(),
            source: family.source().to_owned(),
            parameters: Parameters::of(preset, family),
            questions: Question::of(preset, family),
        }
    }
}
