//! What another trainer says, on its way to a recipe: every key is taken once, and what nobody takes is listed.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{Format, Imported, LeftOut};
use crate::{
    parameters::{ParameterOverrides, Parameters},
    sample::SamplePrompt,
};

/// Hyperparameters that other trainers' defaults say nothing about.
const OWN: [&str; 5] = [
    "n_steps",
    "n_views",
    "checkpoint_every_n_steps",
    "sample_every_n_steps",
    "seed",
];

pub(super) struct Draft {
    format: Format,
    keys: BTreeMap<String, Json>,
    parameters: Map<String, Json>,
    left_out: Vec<LeftOut>,
    pub(super) notes: Vec<String>,
    pub(super) name: Option<String>,
    pub(super) base_model: Option<String>,
    pub(super) trigger_word: Option<String>,
    pub(super) n_epochs: Option<u32>,
    pub(super) sample_prompts: Vec<SamplePrompt>,
}

impl Draft {
    /// Every hyperparameter at the value that leaves it out, and no length: what other trainers do when they are told
    /// nothing.
    pub(super) fn new(format: Format) -> Self {
        let defaults = Parameters::default();
        let said = defaults
            .values()
            .filter(|(definition, _)| !OWN.contains(&definition.name));
        let mut parameters: Map<String, Json> = said
            .map(|(definition, value)| {
                let value = definition.off.unwrap_or(value);
                (definition.name.to_owned(), value.to_json())
            })
            .collect();
        // Follows from the rank of convolutions unless it is said.
        parameters.remove("conv_alpha");
        parameters.remove("t_lora_min_rank");
        Self {
            format,
            keys: BTreeMap::new(),
            parameters,
            left_out: Vec::new(),
            notes: Vec::new(),
            name: None,
            base_model: None,
            trigger_word: None,
            n_epochs: None,
            sample_prompts: Vec::new(),
        }
    }

    /// Notes a key; of two that are called the same, the last counts.
    pub(super) fn put(&mut self, key: String, value: Json) {
        self.keys.insert(key, value);
    }

    /// Notes everything in an object, its parts under `part.key`.
    pub(super) fn put_all(&mut self, prefix: &str, value: Json) {
        match value {
            Json::Object(fields) => {
                for (key, value) in fields {
                    self.put_all(
                        &format!("{prefix}{}{key}", if prefix.is_empty() { "" } else { "." }),
                        value,
                    );
                }
            }
            value => self.put(prefix.to_owned(), value),
        }
    }

    /// Forgets everything below these parts, which are of other models or hold secrets.
    pub(super) fn forget(&mut self, parts: &[&str]) {
        self.keys.retain(|key, _| {
            let part = key.split('.').next().unwrap_or(key);
            !parts.contains(&part)
        });
    }

    /// Whether a key is there, and nobody took it yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// Takes a value; none if it is absent, empty or `None`.
    pub(super) fn take(&mut self, key: &str) -> Option<Json> {
        let value = self.keys.remove(key)?;
        let is_said = !matches!(&value, Json::Null) && !matches!(value.as_str(), Some("" | "None"));
        is_said.then_some(value)
    }

    /// Takes a number, as a number or as text.
    pub(super) fn number(&mut self, key: &str) -> Option<f64> {
        let value = self.take(key)?;
        let number = number(&value);
        if number.is_none() {
            self.leave(key, &value, "is not a number");
        }
        number
    }

    /// Takes a whole number.
    pub(super) fn whole(&mut self, key: &str) -> Option<i64> {
        let value = self.number(key)?;
        if value.fract() != 0.0 {
            self.leave(key, &json!(value), "is not a whole number");
            return None;
        }
        Some(value as i64)
    }

    /// Takes a switch; off if it is absent.
    pub(super) fn switch(&mut self, key: &str) -> bool {
        match self.take(key) {
            Some(Json::Bool(value)) => value,
            Some(Json::String(word)) => matches!(word.as_str(), "true" | "True" | "1"),
            Some(Json::Number(number)) => number.as_f64() != Some(0.0),
            _ => false,
        }
    }

    /// Takes a text.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)? {
            Json::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            other => Some(other.to_string()),
        }
    }

    /// Takes several texts: a list, or words with spaces between them.
    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        match self.take(key) {
            Some(Json::Array(values)) => values
                .iter()
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                .collect(),
            Some(Json::String(text)) => super::sd_scripts::words(&text),
            Some(other) => vec![other.to_string()],
            None => Vec::new(),
        }
    }

    /// Sets a hyperparameter.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Json>) {
        self.parameters.insert(name.to_owned(), value.into());
    }

    /// A hyperparameter as it was set so far.
    pub(super) fn now(&self, name: &str) -> Option<&Json> {
        self.parameters.get(name)
    }

    /// One size for all pictures, which are cut to a square: no other side than the resolution's.
    pub(super) fn square_buckets_alone(&mut self) {
        let number = |name: &str| self.now(name).and_then(Json::as_u64).filter(|number| *number > 0);
        if let (Some(resolution), Some(step)) = (number("resolution"), number("bucket_step")) {
            self.set("min_bucket_side", resolution / step * step);
            self.set("max_bucket_side", resolution.next_multiple_of(step));
        }
    }

    /// Sets a hyperparameter to a number that is taken as it is, if it is there.
    pub(super) fn set_number(&mut self, key: &str, name: &str) {
        if let Some(value) = self.number(key) {
            self.set(name, value);
        }
    }

    /// The same for a whole number.
    pub(super) fn set_whole(&mut self, key: &str, name: &str) {
        if let Some(value) = self.whole(key) {
            self.set(name, value);
        }
    }

    /// Lists something that has no counterpart.
    pub(super) fn leave(&mut self, key: &str, value: &Json, reason: &str) {
        let is_secret = ["api_key", "huggingface_token", "hf_token", "secret"]
            .iter()
            .any(|word| key.contains(word));
        let value = match value.as_str() {
            _ if is_secret => "…".to_owned(),
            Some(text) => text.to_owned(),
            None => value.to_string(),
        };
        self.left_out.push(LeftOut {
            key: key.to_owned(),
            value,
            reason: reason.to_owned(),
        });
    }

    /// Takes a value that is listed with a reason of its own.
    pub(super) fn refuse(&mut self, key: &str, reason: &str) {
        if let Some(value) = self.take(key).filter(|value| !is_off(value)) {
            self.leave(key, &value, reason);
        }
    }

    pub(super) fn finish(mut self) -> Imported {
        for (key, value) in std::mem::take(&mut self.keys) {
            if !is_off(&value) {
                self.leave(&key, &value, reason(&key));
            }
        }
        // What does not have the type of its hyperparameter is listed, one by one, so that the rest is read.
        let mut parameters = Map::new();
        for (name, value) in std::mem::take(&mut self.parameters) {
            let one: Map<String, Json> = [(name.clone(), value.clone())].into_iter().collect();
            match serde_json::from_value::<ParameterOverrides>(Json::Object(one)) {
                Ok(_) => {
                    parameters.insert(name, value);
                }
                Err(err) => self.leave(&name, &value, &err.to_string()),
            }
        }
        Imported {
            format: self.format,
            name: self.name,
            base_model: self.base_model,
            trigger_word: self.trigger_word,
            n_epochs: self.n_epochs,
            parameters: serde_json::from_value(Json::Object(parameters)).unwrap_or_default(),
            sample_prompts: self.sample_prompts,
            left_out: self.left_out,
            notes: self.notes,
        }
    }
}

/// A number, as a number or as text.
pub(super) fn number(value: &Json) -> Option<f64> {
    let number: Option<f64> = match value {
        Json::String(text) => text.trim().parse().ok(),
        value => value.as_f64(),
    };
    number.filter(|number| number.is_finite())
}

/// Whether a value says that something is not used.
fn is_off(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => true,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::String(text) => matches!(text.trim(), "" | "None" | "none" | "0" | "false"),
        Json::Array(values) => values.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        Json::Bool(true) => false,
    }
}

/// Why a key is not taken.
fn reason(key: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| key.contains(word));
    if has(&[
        "_dir",
        "path",
        "folder",
        "file",
        "workspace",
        "destination",
        "concept",
    ]) {
        "is a place on the other machine"
    } else if has(&[
        "cache",
        "worker",
        "dtype",
        "precision",
        "xformers",
        "sdpa",
        "vram",
        "device",
        "attention",
    ]) {
        "is decided by Morpheus for each machine"
    } else if has(&[
        "log",
        "wandb",
        "huggingface",
        "hf_",
        "tensorboard",
        "metadata",
        "comment",
        "secret",
    ]) {
        "is about records of the other program"
    } else if has(&["save", "backup", "sample"]) {
        "is about files that Morpheus keeps in its own way"
    } else {
        "has no counterpart"
    }
}

/// The last part of a path, without its ending.
pub(super) fn stem(path: &str) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = name
        .strip_suffix(".safetensors")
        .or_else(|| name.strip_suffix(".ckpt"));
    stem.unwrap_or(name).to_owned()
}
