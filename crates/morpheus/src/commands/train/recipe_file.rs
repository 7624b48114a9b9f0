//! The recipe of a training without a server, as a TOML file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use prompt::{Prompt, Reading};
use protocol::{
    preset::{BaseClass, Preset},
    recipe::{Engine, ParameterOverrides, Recipe, RecipeRequest},
};
use serde::Deserialize;

/// What the file says, with its paths made absolute.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecipeFile {
    /// `tiny-xl`, or the path of a base model.
    pub(super) base_model: String,
    /// Name of the result.
    name: String,
    /// The word that calls the LoRA up in a prompt.
    #[serde(default)]
    trigger_word: Option<String>,
    /// What the LoRA is for.
    #[serde(default)]
    preset: Preset,
    /// What computes it.
    #[serde(default)]
    pub(super) engine: Engine,
    /// Folder or zip archive with pictures and captions.
    pub(super) dataset: PathBuf,
    /// Another one, whose pictures are never trained on. Left out: some of the dataset are held out.
    #[serde(default)]
    pub(super) held_out: Option<PathBuf>,
    /// Prompts of the preview pictures. Left out: captions of the dataset.
    #[serde(default)]
    sample_prompts: Vec<String>,
    /// Replaces the preset's hyperparameters.
    #[serde(default)]
    parameters: ParameterOverrides,
}

impl RecipeFile {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text =
            std::fs::read_to_string(path).with_context(|| format!("failed to read the recipe `{shown}`"))?;
        let mut file: Self =
            toml::from_str(&text).with_context(|| format!("the recipe `{shown}` is invalid"))?;
        // Paths in a file are relative to the file.
        let folder = path.parent().unwrap_or(Path::new(""));
        for (field, path) in [
            ("dataset", Some(&mut file.dataset)),
            ("held_out", file.held_out.as_mut()),
        ] {
            let Some(path) = path else { continue };
            *path = folder.join(&*path);
            if !path.exists() {
                bail!(
                    "the recipe `{shown}`: {field}: `{}` does not exist; use a folder or a zip archive",
                    path.display()
                );
            }
        }
        if file.base_model != "tiny-xl" {
            file.base_model = folder.join(&file.base_model).to_string_lossy().into_owned();
        }
        Ok(file)
    }

    /// Completes the file with its preset and checks every field. `captions` stand in for missing prompts.
    pub(super) fn resolve(self, base: BaseClass, captions: Vec<String>) -> anyhow::Result<Recipe> {
        let base_name = Path::new(&self.base_model).file_stem().map_or_else(
            || self.base_model.clone(),
            |stem| stem.to_string_lossy().into_owned(),
        );
        let request = RecipeRequest {
            engine: self.engine,
            base_model: base_name,
            name: self.name,
            trigger_word: self.trigger_word,
            preset: self.preset,
            overrides: self.parameters,
            sample_prompts: if self.sample_prompts.is_empty() {
                // Captions are letters, brackets among them.
                captions.iter().map(|caption| prompt::escaped(caption)).collect()
            } else {
                check_prompts(&self.sample_prompts)?;
                self.sample_prompts
            },
        };
        Ok(Recipe::resolve(request, base)?)
    }
}

/// Previews are drawn with the LoRA that is trained alone.
fn check_prompts(prompts: &[String]) -> anyhow::Result<()> {
    for (index, text) in prompts.iter().enumerate() {
        if let Some(tag) = Prompt::read(text, Reading::Language).first_tag() {
            bail!(
                "sample_prompts[{index}]: `{tag}` names a LoRA, and previews show the LoRA that is trained alone: remove \
                 the tag, or write `\\{tag}` for letters"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod fuzz;
