//! Settings of other trainers, read as recipes and written from them: sd-scripts, kohya_ss, OneTrainer and ai-toolkit.
//!
//! Nothing is dropped silently. What has no counterpart is listed with its value and the reason; what says that it is
//! not used (`false`, 0, empty) says the same here.

mod ai_toolkit;
mod draft;
mod kohya_ss;
mod one_trainer;
pub mod sd_scripts;
mod yaml;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::{
    limits::MAX_SETTINGS_BYTES,
    parameters::{Definition, ParameterOverrides, Parameters, Value},
    recipe::Recipe,
    sample::SamplePrompt,
};

/// A way in which other trainers write their settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = RecipeFormat)]
pub enum Format {
    /// The file that sd-scripts' `--config_file` takes, or the one of a dataset (TOML).
    SdScripts,
    /// A command line of sd-scripts.
    SdScriptsArguments,
    /// What kohya_ss saves (JSON).
    KohyaSs,
    /// A configuration of OneTrainer (JSON).
    #[serde(rename = "onetrainer")]
    OneTrainer,
    /// A job of ai-toolkit (YAML).
    AiToolkit,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [
        Self::SdScripts,
        Self::SdScriptsArguments,
        Self::KohyaSs,
        Self::OneTrainer,
        Self::AiToolkit,
    ];

    /// The word for it in requests and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::SdScripts => "sd-scripts",
            Self::SdScriptsArguments => "sd-scripts-arguments",
            Self::KohyaSs => "kohya-ss",
            Self::OneTrainer => "onetrainer",
            Self::AiToolkit => "ai-toolkit",
        }
    }
}

/// Something that has no counterpart on the other side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LeftOutSetting)]
pub struct LeftOut {
    /// What it is called there, or here.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Why it was left out: the rest of a sentence that begins with it.
    pub reason: String,
}

impl LeftOut {
    fn of(key: &str, value: impl ToString, reason: &str) -> Self {
        Self {
            key: key.to_owned(),
            value: value.to_string(),
            reason: reason.to_owned(),
        }
    }
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` = {} {}", self.key, self.value, self.reason)
    }
}

/// Settings of another trainer, as far as a recipe can have them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImportedRecipe)]
pub struct Imported {
    /// Where they come from.
    pub format: Format,
    /// Name of the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name of the base model's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_model: Option<String>,
    /// The word that calls the LoRA up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_word: Option<String>,
    /// Length in epochs, if it was said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_epochs: Option<u32>,
    /// Hyperparameters, those among them that the other trainer has a default for.
    pub parameters: ParameterOverrides,
    /// The preview pictures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sample_prompts: Vec<SamplePrompt>,
    /// What has no counterpart.
    pub left_out: Vec<LeftOut>,
    /// What a person should know, as sentences.
    pub notes: Vec<String>,
}

/// Settings for another trainer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ExportedRecipe)]
pub struct Exported {
    /// What they are for.
    pub format: Format,
    /// What their file may be called.
    pub file_name: String,
    /// The file.
    pub text: String,
    /// What the other trainer has no counterpart for.
    pub left_out: Vec<LeftOut>,
}

/// Reads settings of another trainer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRecipe {
    /// The file, or the command line; its format is told by what it says.
    #[schema(max_length = 262_144)]
    pub text: String,
}

/// Why a text cannot be read as settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSettings {
    /// It has more bytes than settings may have.
    #[error("has more than {MAX_SETTINGS_BYTES} bytes, which no settings have")]
    TooLong,
    /// It is in none of the formats.
    #[error(
        "is neither TOML nor arguments of sd-scripts, nor JSON of kohya_ss or OneTrainer, nor YAML of ai-toolkit: {0}"
    )]
    Unknown(String),
    /// It is for something else than a LoRA for SDXL.
    #[error("is not for a LoRA for SDXL: {0}")]
    OtherTraining(String),
}

/// Reads settings of another trainer, whose format is told by the text.
///
/// # Errors
/// If they are in no known format, or train something else.
pub fn import(text: &str) -> Result<Imported, NotSettings> {
    if text.len() > MAX_SETTINGS_BYTES {
        return Err(NotSettings::TooLong);
    }
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.starts_with('{') {
        return match serde_json::from_str(text) {
            Ok(Json::Object(fields)) if fields.contains_key("training_method") => one_trainer::import(fields),
            Ok(Json::Object(fields)) if is_of_form(&fields) => Ok(kohya_ss::import(fields)),
            Ok(_) => Err(NotSettings::Unknown(
                "it is JSON, with neither `training_method` nor `LoRA_type` or `network_dim`".to_owned(),
            )),
            Err(err) => Err(NotSettings::Unknown(format!("it is no JSON: {err}"))),
        };
    }
    let mut words = text.split_whitespace();
    if text.starts_with("--") && !text.starts_with("---")
        || words.any(|word| word.ends_with("train_network.py"))
    {
        return Ok(sd_scripts::import_arguments(text));
    }
    let toml_error = match text.parse::<toml::Table>() {
        Ok(table) if !table.is_empty() => return Ok(sd_scripts::import_toml(&table)),
        Ok(_) => "it is empty".to_owned(),
        Err(err) => err.message().to_owned(),
    };
    match yaml::read(text) {
        Ok(document) if document.get("config").is_some() => ai_toolkit::import(document),
        Ok(_) => Err(NotSettings::Unknown(toml_error)),
        // A file of lines with a colon is YAML that cannot be read.
        Err(err) if text.contains("config:") => Err(NotSettings::Unknown(err)),
        Err(_) => Err(NotSettings::Unknown(toml_error)),
    }
}

fn is_of_form(fields: &serde_json::Map<String, Json>) -> bool {
    ["LoRA_type", "network_dim", "max_resolution"]
        .iter()
        .any(|key| fields.contains_key(*key))
}

/// Writes a recipe for another trainer.
pub fn export(recipe: &Recipe, format: Format) -> Exported {
    match format {
        Format::SdScripts => sd_scripts::toml(recipe),
        Format::SdScriptsArguments => sd_scripts::arguments(recipe),
        Format::KohyaSs => kohya_ss::export(recipe),
        Format::OneTrainer => one_trainer::export(recipe),
        Format::AiToolkit => ai_toolkit::export(recipe),
    }
}

/// The hyperparameters that are not at their default and that a format has no counterpart for.
fn left_out(recipe: &Recipe, has: impl Fn(&Definition, Value<'_>) -> bool) -> Vec<LeftOut> {
    let default = Parameters::default();
    let changed = recipe.parameters().values().zip(default.values());
    let changed = changed.filter(|((_, value), (_, default))| value != default);
    let beyond = changed.filter(|((definition, value), _)| !has(definition, *value));
    let listed = beyond
        .map(|((definition, value), _)| LeftOut::of(definition.name, value, "has no counterpart there"));
    listed.collect()
}

#[cfg(test)]
mod tests;
