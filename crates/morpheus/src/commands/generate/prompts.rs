//! The prompts of `morpheus generate`: LoRA tags become files, and what is unusual is said.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use prompt::{LoraTag, Prompt, Reading};
use protocol::limits::MAX_PROMPT_CHUNKS;
use serde::Serialize;

use super::options::LoraFile;

/// Weights that a LoRA may have, as for `--lora`.
const WEIGHTS: std::ops::RangeInclusive<f64> = -4.0..=4.0;
/// Folders within each other in which LoRA files are looked for.
const MAX_DEPTH: usize = 8;

/// A LoRA that a tag named.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct TaggedLora {
    /// The tag as it was written.
    pub(super) tag: String,
    /// The file that it names.
    pub(super) path: PathBuf,
    pub(super) weight: f64,
}

/// Prompts that were read.
#[derive(Debug)]
pub(super) struct Prompts {
    /// Without its LoRA tags.
    pub(super) prompt: String,
    /// LoRAs to apply besides those that were given.
    pub(super) loras: Vec<TaggedLora>,
    /// Chunks of 75 tokens of the longer one.
    pub(super) n_chunks: usize,
    /// What may not be as it was meant.
    pub(super) warnings: Vec<String>,
}

/// Reads both prompts. Tags name files among those of `--lora` and in the folders of `--lora-dir`, without their
/// extension.
pub(super) fn read(
    prompt: &str,
    negative: Option<&str>,
    reading: Reading,
    given: &[LoraFile],
    folders: &[PathBuf],
) -> anyhow::Result<Prompts> {
    let read = Prompt::read(prompt, reading);
    let negative = negative.map(|negative| Prompt::read(negative, reading));
    if let Some(tag) = negative.as_ref().and_then(Prompt::first_tag) {
        bail!(
            "--negative: `{tag}` names a LoRA, and a LoRA is applied to the whole picture: move it to the prompt"
        );
    }
    if let Some(bad) = read.bad_tags.first() {
        bail!("--prompt: {bad}, or use --literal to read tags as letters");
    }
    let mut loras = Vec::new();
    if !read.loras.is_empty() {
        let files = Files::find(given, folders)?;
        for tag in &read.loras {
            loras.push(files.named(tag)?);
        }
    }
    if let Some(tag) = Prompt::read(&read.text, reading).first_tag() {
        bail!("--prompt: `{tag}` appears when the other tags are taken out: write each tag by itself");
    }
    let mut warnings = Vec::new();
    let mut n_chunks = 0;
    for (option, read) in [("--prompt", Some(&read)), ("--negative", negative.as_ref())] {
        let Some(read) = read else { continue };
        let (n, n_tokens) = (read.chunks.len(), read.n_tokens());
        if n > MAX_PROMPT_CHUNKS {
            bail!("{option}: has {n} chunks of at most 75 tokens; at most {MAX_PROMPT_CHUNKS} are possible");
        }
        if n > 1 {
            warnings.push(format!(
                "{option}: {n_tokens} tokens are encoded in {n} chunks of at most 75"
            ));
        }
        warnings.extend(read.warnings.iter().map(|warning| format!("{option}: {warning}")));
        n_chunks = n_chunks.max(n);
    }
    Ok(Prompts {
        prompt: read.text,
        loras,
        n_chunks,
        warnings,
    })
}

/// LoRA files by the name that a tag has for them.
struct Files {
    by_name: BTreeMap<String, Vec<PathBuf>>,
    has_folders: bool,
}

impl Files {
    fn find(given: &[LoraFile], folders: &[PathBuf]) -> anyhow::Result<Self> {
        let mut files = Self {
            by_name: BTreeMap::new(),
            has_folders: !folders.is_empty(),
        };
        for lora in given {
            files.add(&lora.path);
        }
        for folder in folders {
            files.look_in(folder, MAX_DEPTH)?;
        }
        Ok(files)
    }

    fn look_in(&mut self, folder: &Path, depth: usize) -> anyhow::Result<()> {
        let failed = || format!("--lora-dir: failed to read the folder `{}`", folder.display());
        for entry in fs::read_dir(folder).with_context(failed)? {
            let path = entry.with_context(failed)?.path();
            if path.is_dir() {
                if depth > 0 {
                    self.look_in(&path, depth - 1)?;
                }
            } else if path
                .extension()
                .is_some_and(|extension| extension == "safetensors")
            {
                self.add(&path);
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &Path) {
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else {
            return;
        };
        let paths = self.by_name.entry(name.to_owned()).or_default();
        if !paths.iter().any(|known| known == path) {
            paths.push(path.to_owned());
        }
    }

    fn named(&self, tag: &LoraTag) -> anyhow::Result<TaggedLora> {
        let (written, name) = (&tag.written, &tag.name);
        let weight = tag.weight()?;
        if !WEIGHTS.contains(&weight) {
            bail!("--prompt: `{written}` has the weight {weight}; it must be from -4 to 4");
        }
        let lower = name.to_lowercase();
        let exact = self.by_name.get(name);
        let paths: Vec<&PathBuf> = match exact {
            Some(paths) => paths.iter().collect(),
            None => {
                let alike = self
                    .by_name
                    .iter()
                    .filter(|(known, _)| known.to_lowercase() == lower);
                alike.flat_map(|(_, paths)| paths).collect()
            }
        };
        match paths[..] {
            [path] => Ok(TaggedLora {
                tag: written.clone(),
                path: path.clone(),
                weight,
            }),
            [] => {
                let near = prompt::near_in_words(name, self.by_name.keys().map(String::as_str));
                let place = if self.has_folders {
                    "is neither in the folders of --lora-dir nor given with --lora"
                } else {
                    "is not given with --lora; name its folder with --lora-dir"
                };
                bail!(
                    "--prompt: `{written}` names a LoRA file `{name}.safetensors`, which {place}{near} With --literal, tags \
                     are letters",
                    near = if near.is_empty() { "." } else { near.as_str() }
                )
            }
            [first, second, ..] => bail!(
                "--prompt: `{written}` may be `{}` or `{}`: rename one, or give it with --lora alone",
                first.display(),
                second.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests;
