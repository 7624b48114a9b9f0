//! Textual inversions in LoRA files, and in files of their own.

use std::collections::BTreeMap;

use prompt::tokenizer::TEXT;
use protocol::problem::chain;

use crate::{device::tensor, embeddings::Embedding, weights::TensorFile};

/// The vectors of both text encoders, as every program calls them.
const PARTS: [&str; 2] = ["clip_l", "clip_g"];

/// Tensors of one embedding: their names in the file by what they are.
pub(super) type Parts = BTreeMap<String, String>;

/// The word that calls an embedding up, and which of its tensors this is: `bundle_emb.zora.clip_l`, as OneTrainer and
/// A1111 put them into the files of LoRAs.
pub(super) fn named(key: &str) -> Option<(&str, &str)> {
    let rest = key.strip_prefix("bundle_emb.")?;
    let of_part = |part: &'static str| Some((rest.strip_suffix(part)?.strip_suffix('.')?, part));
    // A word may have dots of its own.
    let found = PARTS.into_iter().find_map(of_part);
    found.or_else(|| rest.split_once('.')).or(Some((rest, "")))
}

/// The tensors of a file that is an embedding and nothing else.
pub(super) fn alone(file: &TensorFile) -> Option<Parts> {
    let names: Vec<&str> = file.names().collect();
    let is_alone = names.len() == PARTS.len() && PARTS.iter().all(|part| names.contains(part));
    is_alone.then(|| PARTS.map(|part| (part.to_owned(), part.to_owned())).into())
}

/// Reads an embedding; an error says what it is instead, in words that follow "is".
pub(super) fn read(file: &TensorFile, word: &str, parts: &Parts) -> Result<Embedding, String> {
    if word.trim().is_empty() {
        return Err("a text embedding without a word that calls it up".to_owned());
    }
    if let Some(other) = parts.keys().find(|part| !PARTS.contains(&part.as_str())) {
        return Err(format!(
            "a text embedding that is no pair of `clip_l` and `clip_g`, as SDXL needs it, but has `{other}`"
        ));
    }
    let vectors = |part: &str| {
        let Some(key) = parts.get(part) else {
            return Err(format!("a text embedding without `{part}`, which SDXL needs"));
        };
        let shape = file.info(key).map(|info| info.shape.clone()).unwrap_or_default();
        let shape = match shape.as_slice() {
            [width] => vec![1, *width],
            _ => shape,
        };
        if shape.len() != 2 || !(1..=TEXT).contains(&shape[0]) {
            return Err(format!(
                "a text embedding whose `{part}` has shape {shape:?}, expected 1 to {TEXT} vectors"
            ));
        }
        let values = file.read(key).map_err(|err| chain(&err))?;
        if !values.iter().all(|x| x.is_finite()) {
            return Err(format!("a text embedding whose `{part}` holds NaN or infinity"));
        }
        tensor(values, shape).map_err(|err| err.to_string())
    };
    let [first, second] = PARTS.map(vectors);
    let embedding = Embedding {
        word: word.to_owned(),
        first: first?,
        second: second?,
    };
    let n_second = embedding.second.dims().first().copied();
    if n_second != Some(embedding.n_vectors()) {
        return Err(format!(
            "a text embedding of {} and {} vectors, expected as many of each",
            embedding.n_vectors(),
            n_second.unwrap_or(0)
        ));
    }
    Ok(embedding)
}
