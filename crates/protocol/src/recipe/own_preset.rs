//! A user's own presets: hyperparameters that were kept under a name, and shared as a file.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

use crate::{
    JobId, PresetId,
    parameters::{ParameterOverrides, Parameters},
    preset::{Family, Preset},
};

/// A preset of a user's own: one of the program's, and what differs from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OwnPreset {
    /// Its id.
    pub id: PresetId,
    /// Its name.
    pub name: String,
    /// The preset that it starts from.
    pub preset: Preset,
    /// The family of base models that it was made for.
    pub family: Family,
    /// What differs.
    pub parameters: ParameterOverrides,
    /// When it was saved.
    pub created_at: DateTime<Utc>,
}

/// Saves a preset: what a job was trained with, or the content of a file that somebody shares.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateOwnPreset {
    /// Its name, 1 to 80 characters.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// The job whose hyperparameters it takes; then nothing else is needed.
    #[serde(default)]
    pub job_id: Option<JobId>,
    /// The preset that it starts from.
    #[serde(default)]
    pub preset: Preset,
    /// The family of base models that it is for; SDXL 1.0 if omitted.
    #[serde(default)]
    pub family: Option<Family>,
    /// What differs from that preset.
    #[serde(default)]
    pub parameters: ParameterOverrides,
}

impl ParameterOverrides {
    /// What lays these hyperparameters over others. The length stands in views where they say it, so that it means the
    /// same at another batch size.
    pub fn between(now: &Parameters, standard: &Parameters) -> Self {
        let is_in_views = now.n_views > 0;
        let differing = now.values().zip(standard.values());
        let differing = differing.filter(|((definition, now), (_, standard))| {
            let is_other_unit = definition.name == if is_in_views { "n_steps" } else { "n_views" };
            now != standard && !is_other_unit
        });
        let fields: Map<String, Json> = differing
            .map(|((definition, value), _)| (definition.name.to_owned(), value.to_json()))
            .collect();
        serde_json::from_value(Json::Object(fields)).expect("names and types of the table")
    }
}
