//! What the header of an edited file says: what still holds of the header of its source, and what was done.

use std::collections::BTreeMap;

use super::{Factors, Source, stem};

/// Of several files only what says for which model they are, and what they are.
const OF_THE_MODEL: [&str; 12] = [
    "ss_base_model_version",
    "ss_clip_skip",
    "ss_network_module",
    "ss_new_sd_model_hash",
    "ss_new_vae_hash",
    "ss_sd_model_hash",
    "ss_sd_model_name",
    "ss_v2",
    "modelspec.architecture",
    "modelspec.prediction_type",
    "modelspec.resolution",
    "modelspec.sai_model_spec",
];

/// Hashes of the source's tensors; those of the new tensors are added when the file is written.
const HASHES: [&str; 3] = ["sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256"];

/// All that the header of one source says, but for its hashes, and what was done to it.
pub(super) fn of_one(source: &Source, done: &str) -> BTreeMap<String, String> {
    let mut metadata = source.metadata();
    metadata.retain(|key, _| !HASHES.contains(&key.as_str()));
    comment(&mut metadata, done);
    metadata
}

/// What all sources say alike of their model, what they were, and what was done to them.
pub(super) fn of_several(sources: &[&Source], done: &str) -> BTreeMap<String, String> {
    let mut headers = sources.iter().map(|source| source.metadata());
    let mut metadata = headers.next().unwrap_or_default();
    metadata.retain(|key, _| OF_THE_MODEL.contains(&key.as_str()));
    for header in headers {
        metadata.retain(|key, value| header.get(key) == Some(value));
    }
    let names: Vec<String> = sources.iter().map(|source| stem(source.path())).collect();
    metadata.insert("modelspec.merged_from".to_owned(), names.join(", "));
    let headers: Vec<_> = sources.iter().map(|source| source.metadata()).collect();
    let mut triggers: Vec<&str> = Vec::new();
    for trigger in headers
        .iter()
        .filter_map(|header| header.get("modelspec.trigger_phrase"))
    {
        if !triggers.contains(&trigger.as_str()) {
            triggers.push(trigger);
        }
    }
    if !triggers.is_empty() {
        metadata.insert("modelspec.trigger_phrase".to_owned(), triggers.join(", "));
    }
    comment(&mut metadata, done);
    metadata
}

/// The comment that model managers show, in front of what it was: sd-scripts' tools do the same.
pub(super) fn comment(metadata: &mut BTreeMap<String, String>, done: &str) {
    let before = metadata.get("ss_training_comment");
    let before = before.filter(|before| !before.is_empty() && *before != "None");
    let comment = match before {
        Some(before) => format!("{done}; {before}"),
        None => done.to_owned(),
    };
    metadata.insert("ss_training_comment".to_owned(), comment);
}

/// Rank and alpha in sd-scripts' words: numbers if all modules have the same, or else `Dynamic`.
pub(super) fn sizes<'a>(
    metadata: &mut BTreeMap<String, String>,
    modules: impl Iterator<Item = &'a Factors> + Clone,
) {
    let numbers = modules.clone().map(|module| module.rank() as f64);
    ranks(metadata, numbers, modules.map(Factors::alpha));
}

/// The same of ranks and alphas.
pub(super) fn ranks(
    metadata: &mut BTreeMap<String, String>,
    ranks: impl Iterator<Item = f64>,
    alphas: impl Iterator<Item = f64>,
) {
    metadata.insert("ss_network_dim".to_owned(), common(ranks));
    metadata.insert("ss_network_alpha".to_owned(), common(alphas));
}

fn common(mut numbers: impl Iterator<Item = f64>) -> String {
    let first = numbers.next().unwrap_or(0.0);
    let is_close = |number: f64| (number - first).abs() <= 1e-9 * first.abs();
    if numbers.all(is_close) {
        first.to_string()
    } else {
        "Dynamic".to_owned()
    }
}
