//! Alphas that stand outside the tensors: in the file's header, or in PEFT's `adapter_config.json` beside the file.
//!
//! | where | keys |
//! |---|---|
//! | header, one JSON text `lora_adapter_metadata` (diffusers) | `unet.lora_alpha`, `unet.r`, `unet.alpha_pattern` … |
//! | header, a text each | the same |
//! | `adapter_config.json` (PEFT) | `lora_alpha` (LoRA) or `alpha` (LoHa, LoKr), `r`, `alpha_pattern` … |

use std::{collections::HashMap, path::Path};

use serde_json::{Map, Value};

use super::names;
use crate::weights::FileError;

/// PEFT's configuration is a page of text.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// What is known about alphas beside the tensors.
#[derive(Debug, Default)]
pub(super) struct StoredAlphas {
    /// With the part before the name: `unet.lora_alpha`.
    header: Map<String, Value>,
    /// Of all parts.
    config: Map<String, Value>,
}

/// What it says about one module.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Scaling {
    pub(super) alpha: Option<f64>,
    /// The rank that it was trained with, where that is said.
    pub(super) rank: Option<f64>,
    pub(super) is_rank_stabilized: bool,
}

impl StoredAlphas {
    /// From a file's header, and from the configuration beside it, if PEFT wrote the file.
    ///
    /// # Errors
    /// If either is there and no JSON: the LoRA would be applied with another strength, and nothing would say so.
    pub(super) fn new(
        metadata: &HashMap<String, String>,
        path: &Path,
        is_peft: bool,
    ) -> Result<Self, FileError> {
        let object = |json: &str, path: &Path, what: &str| {
            serde_json::from_str::<Map<String, Value>>(json).map_err(|err| FileError::Config {
                path: path.to_owned(),
                reason: format!("{what}, which has the alphas, is damaged: {err}"),
            })
        };
        let mut header: Map<String, Value> = metadata
            .iter()
            .filter(|(key, _)| key.contains('.'))
            .map(|(key, value)| {
                let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.clone()));
                (key.clone(), value)
            })
            .collect();
        if let Some(json) = metadata.get("lora_adapter_metadata") {
            header.extend(object(json, path, "`lora_adapter_metadata` of its header")?);
        }
        let config = path.with_file_name("adapter_config.json");
        let is_small =
            std::fs::metadata(&config).is_ok_and(|file| file.is_file() && file.len() <= MAX_CONFIG_BYTES);
        let config = match is_peft && is_small {
            true => {
                let json = std::fs::read_to_string(&config).map_err(|err| FileError::Open {
                    path: config.clone(),
                    err,
                })?;
                object(&json, &config, "the file")?
            }
            false => Map::new(),
        };
        Ok(Self { header, config })
    }

    /// What is said about a module with kohya's name.
    pub(super) fn of(&self, module: &str) -> Scaling {
        let Some(name) = names::kohya_to_diffusers(module) else {
            return Scaling::default();
        };
        let Some((part, path)) = name.split_once('.') else {
            return Scaling::default();
        };
        let header = |key: &str| self.header.get(&format!("{part}.{key}"));
        let config = |key: &str| self.config.get(key);
        let (from_header, from_config) = (scaling(&header, path), scaling(&config, path));
        if from_header.alpha.is_some() {
            from_header
        } else {
            from_config
        }
    }
}

fn scaling<'a>(get: &dyn Fn(&str) -> Option<&'a Value>, path: &str) -> Scaling {
    let special = |patterns: &str| get(patterns).and_then(|patterns| by_pattern(patterns, path));
    let alpha = special("alpha_pattern")
        .or_else(|| number(get("lora_alpha")?))
        .or_else(|| number(get("alpha")?));
    Scaling {
        alpha,
        rank: special("rank_pattern").or_else(|| number(get("r")?)),
        is_rank_stabilized: get("use_rslora").is_some_and(is_true),
    }
}

/// PEFT takes the keys of a pattern for regular expressions of the path's end; programs write literal paths.
fn by_pattern(patterns: &Value, path: &str) -> Option<f64> {
    let (_, value) = patterns.as_object()?.iter().find(|(pattern, _)| {
        let literal = pattern
            .trim_start_matches('^')
            .trim_end_matches('$')
            .replace('\\', "");
        !literal.is_empty()
            && path
                .strip_suffix(literal.as_str())
                .is_some_and(|place| place.is_empty() || place.ends_with('.'))
    })?;
    number(value)
}

/// A number, as such or as text.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

fn is_true(value: &Value) -> bool {
    matches!(value, Value::Bool(true))
        || value
            .as_str()
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
}
