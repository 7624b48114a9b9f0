//! What activates a LoRA, by the metadata that trainers write.

use std::collections::BTreeMap;

use protocol::{
    imported::trigger_words,
    limits::{MAX_METADATA_BYTES, MAX_TRIGGER_WORD_CHARS, MAX_TRIGGER_WORDS},
    text,
};

/// Tags that stand in most captions are no trigger words if there are more of them.
const MAX_TOP_TAGS: usize = 4;

/// The trigger words that a file names: its `modelspec.trigger_phrase`, or else the tags that most of its captions
/// had, by kohya's `ss_tag_frequency` (`{"10_zora": {"zora": 20, "smile": 3}}`).
pub(crate) fn of_metadata(metadata: &BTreeMap<String, String>) -> Vec<String> {
    let phrase = metadata.get("modelspec.trigger_phrase");
    let mut words = phrase.map(|phrase| trigger_words(phrase)).unwrap_or_default();
    if words.is_empty() {
        words = metadata
            .get("ss_tag_frequency")
            .map(|json| most_frequent(json))
            .unwrap_or_default();
    }
    fit(words)
}

/// Those that a page and a prompt can hold.
pub(crate) fn fit(mut words: Vec<String>) -> Vec<String> {
    words.retain(|word| word.chars().count() <= MAX_TRIGGER_WORD_CHARS && text::check_line(word).is_ok());
    words.truncate(MAX_TRIGGER_WORDS);
    words
}

fn most_frequent(json: &str) -> Vec<String> {
    let folders: BTreeMap<String, BTreeMap<String, u64>> = serde_json::from_str(json).unwrap_or_default();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (tag, n) in folders.into_values().flatten() {
        let count = counts.entry(tag.trim().to_owned()).or_default();
        *count = count.saturating_add(n);
    }
    let most = counts.values().max().copied().unwrap_or(0);
    let top: Vec<String> = counts
        .into_iter()
        .filter(|(tag, n)| *n == most && !tag.is_empty())
        .map(|(tag, _)| tag)
        .collect();
    if top.len() > MAX_TOP_TAGS { Vec::new() } else { top }
}

/// The metadata as far as it may be kept beside a file: the longest texts are replaced by their length. The file
/// keeps them.
pub(crate) fn kept(metadata: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut kept = metadata.clone();
    let size = |kept: &BTreeMap<String, String>| -> usize {
        kept.iter().map(|(name, value)| name.len() + value.len()).sum()
    };
    let mut longest: Vec<(usize, String)> = kept
        .iter()
        .map(|(name, value)| (value.len(), name.clone()))
        .collect();
    longest.sort();
    while size(&kept) > MAX_METADATA_BYTES
        && let Some((n_bytes, name)) = longest.pop()
    {
        kept.insert(name, format!("({n_bytes} bytes, in the file only)"));
    }
    // Of names alone there may be too much.
    while size(&kept) > MAX_METADATA_BYTES && kept.pop_last().is_some() {}
    kept
}
