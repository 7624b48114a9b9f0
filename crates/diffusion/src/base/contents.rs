//! What a checkpoint must hold and what it holds besides, told from its headers alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::config::Sizes;
use crate::weights::{Checkpoint, Component, FileError, Shapes, TensorFile};

/// As many tensors are named; of more, the number is said.
const MOST_NAMED: usize = 12;

/// What a file or folder holds beside the model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extras {
    /// Tensors that nobody uses, and of which it is not known what they would do.
    pub unknown: Vec<String>,
    /// Reasons why tensors are not used, and how many there are for each.
    pub harmless: BTreeMap<&'static str, usize>,
}

impl Extras {
    /// A sentence about tensors that are not used and not known; none if there are none.
    pub fn warning(&self) -> Option<String> {
        let n = self.unknown.len();
        let are = if n == 1 {
            "1 tensor is"
        } else {
            &format!("{n} tensors are")
        };
        (n > 0).then(|| {
            format!(
                "{are} not known and not used: {}",
                named(self.unknown.iter().map(String::as_str))
            )
        })
    }
}

/// Checks that every tensor is there, has its shape, and can be read; says what is there besides.
pub(super) fn check(checkpoint: &Checkpoint, sizes: &Sizes) -> Result<Extras, FileError> {
    let lists = sizes.tensors();
    let mut problems = Vec::new();
    for (i, ((what, part), list)) in checkpoint.parts().into_iter().zip(&lists).enumerate() {
        problems.extend(problem(checkpoint, (i, what, part), list));
    }
    if problems.is_empty() {
        return Ok(extras(checkpoint, &lists));
    }
    Err(FileError::Incomplete {
        path: checkpoint.path(),
        problems: problems.join("; "),
    })
}

/// What is wrong with a part, if anything is.
fn problem(
    checkpoint: &Checkpoint,
    (i, what, part): (usize, &str, &Component),
    list: &Shapes,
) -> Option<String> {
    if part.is_empty() {
        let help = if i == 3 {
            " (name one: --vae, or the VAE of a registered base model)"
        } else {
            ""
        };
        return Some(format!("the {what} is missing{help}"));
    }
    let (mut missing, mut wrong, mut unread) = (BTreeSet::new(), Vec::new(), BTreeMap::new());
    for (name, expected) in list.iter() {
        let Some((file, key)) = part.stored(name) else {
            missing.insert(checkpoint.spelled(i, name));
            continue;
        };
        match part.shape(name) {
            Some(found) if fits(name, &found, expected) => {}
            _ => wrong.push(format!(
                "`{key}` has shape {:?}, expected {expected:?}",
                stored_shape(file, key)
            )),
        }
        if let Some(dtype) = file
            .info(key)
            .map(|info| info.dtype)
            .filter(|dtype| !TensorFile::reads(*dtype))
        {
            unread
                .entry(format!("{dtype:?}"))
                .or_insert_with(BTreeSet::new)
                .insert(key);
        }
    }
    let mut said = String::new();
    let mut say = |text: String| {
        let _ = write!(said, "{}{text}", if said.is_empty() { "" } else { ", and " });
    };
    if !missing.is_empty() {
        let n = missing.len();
        say(format!(
            "lacks {n} of {} tensors: {}",
            list.len(),
            named(missing.iter().map(String::as_str))
        ));
    }
    if !wrong.is_empty() {
        let n = wrong.len();
        wrong.truncate(MOST_NAMED);
        say(format!("has {n} tensors of other shapes: {}", wrong.join(", ")));
    }
    for (dtype, keys) in &unread {
        say(format!(
            "has {} tensors in {dtype}, which is not read (floating-point numbers are): {}",
            keys.len(),
            named(keys.iter().copied())
        ));
    }
    (!said.is_empty()).then(|| format!("the {what} {said}{}", hint(i, &missing)))
}

/// Distilled models lack whole transformer blocks.
fn hint(part: usize, missing: &BTreeSet<String>) -> &'static str {
    let is_of_transformers = |name: &String| {
        name.contains("transformer_blocks.") || name.contains("middle_block.") || name.contains("mid_block.")
    };
    if part == 0 && missing.len() > 100 && missing.iter().all(is_of_transformers) {
        " (it seems to be a distilled SDXL such as SSD-1B or Segmind Vega, which has fewer blocks)"
    } else {
        ""
    }
}

/// A larger vocabulary than CLIP's does no harm: no text holds a token beyond it.
fn fits(name: &str, found: &[usize], expected: &[usize]) -> bool {
    if name == "text_model.embeddings.token_embedding.weight"
        && let ([n_found, width], [n_expected, expected]) = (found, expected)
    {
        return n_found >= n_expected && width == expected;
    }
    found == expected
}

fn stored_shape(file: &TensorFile, key: &str) -> Vec<usize> {
    file.info(key).map(|info| info.shape.clone()).unwrap_or_default()
}

/// Up to a dozen names.
fn named<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    let n = names.clone().count();
    let shown: Vec<String> = names.take(MOST_NAMED).map(|name| format!("`{name}`")).collect();
    let more = n - shown.len();
    if more == 0 {
        shown.join(", ")
    } else {
        format!("{} and {more} more", shown.join(", "))
    }
}

fn extras(checkpoint: &Checkpoint, lists: &[Shapes; 4]) -> Extras {
    let mut used: BTreeSet<(&std::path::Path, &str)> = BTreeSet::new();
    for ((_, part), list) in checkpoint.parts().into_iter().zip(lists) {
        let stored = part
            .names()
            .filter(|name| list.contains(name))
            .filter_map(|name| part.stored(name));
        used.extend(stored.map(|(file, key)| (file.path(), key)));
    }
    let mut extras = Extras::default();
    for file in &checkpoint.files {
        for key in file.names().filter(|key| !used.contains(&(file.path(), *key))) {
            match checkpoint.harmless(file, key) {
                Some(reason) => *extras.harmless.entry(reason).or_default() += 1,
                None => extras.unknown.push(key.to_owned()),
            }
        }
    }
    extras.unknown.sort_unstable();
    extras
}
