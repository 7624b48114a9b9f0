//! The recipe of a training without a server, as a TOML file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use dataset::epoch::Epoch;
use prompt::{Prompt, Reading};
use protocol::{
    base::Traces,
    dataset::ManifestItem,
    preset::{BaseClass, Family, Preset},
    recipe::{Engine, ParameterOverrides, Recipe, RecipeRequest, steps_of_epochs},
    sample::{PromptLine, SamplePrompt},
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
    /// The family of base models whose preset is taken. Left out: the one that the base is recognized as.
    #[serde(default)]
    family: Option<Family>,
    /// What computes it.
    #[serde(default)]
    pub(super) engine: Engine,
    /// Folder or zip archive with pictures and captions.
    pub(super) dataset: PathBuf,
    /// Another one, whose pictures are never trained on. Left out: some of the dataset are held out.
    #[serde(default)]
    pub(super) held_out: Option<PathBuf>,
    /// Length in epochs, in place of n_views and n_steps of the parameters.
    #[serde(default)]
    n_epochs: Option<u32>,
    /// The preview pictures: prompts, or tables with a prompt and what else is chosen. Left out: captions of the dataset.
    #[serde(default, deserialize_with = "protocol::sample::deserialize_request")]
    sample_prompts: Vec<SamplePrompt>,
    /// A file with more of them, one on a line, as sd-scripts has them: `zora --n blurry --w 832 --h 1216 --d 7 --l 5 --s 28`.
    #[serde(default)]
    sample_prompts_file: Option<PathBuf>,
    /// Replaces the preset's hyperparameters.
    #[serde(default)]
    parameters: ParameterOverrides,
}

impl RecipeFile {
    /// What the file says, with its paths as they stand in it.
    fn parse(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text =
            std::fs::read_to_string(path).with_context(|| format!("failed to read the recipe `{shown}`"))?;
        toml::from_str(&text).map_err(|err: toml::de::Error| {
            let meant = meant(err.message());
            anyhow::Error::new(err).context(format!("the recipe `{shown}` is invalid{meant}"))
        })
    }

    /// The recipe of a file by itself: neither its pictures nor its base model are looked at. The family of the base is
    /// told by its name.
    pub(super) fn alone(path: &Path) -> anyhow::Result<Recipe> {
        let file = Self::parse(path)?;
        if file.n_epochs.is_some() {
            bail!(
                "n_epochs: says nothing without the pictures: replace it by n_views or n_steps of [parameters]"
            );
        }
        let traces = Traces {
            class: (file.base_model == "tiny-xl").then_some(BaseClass::Tiny),
            names: vec![file.base_model.as_str()],
            ..Traces::default()
        };
        let family = traces.family().0;
        file.resolve(family, Vec::new(), &[])
    }

    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let mut file = Self::parse(path)?;
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
        if let Some(prompts) = &file.sample_prompts_file {
            file.sample_prompts.extend(read_prompts(&folder.join(prompts))?);
        }
        if file.base_model != "tiny-xl" {
            file.base_model = folder.join(&file.base_model).to_string_lossy().into_owned();
        }
        Ok(file)
    }

    /// Completes the file with its preset and checks every field. `captions` stand in for missing prompts, and `items`
    /// tell how long an epoch is.
    pub(super) fn resolve(
        self,
        base: impl Into<Family>,
        captions: Vec<String>,
        items: &[ManifestItem],
    ) -> anyhow::Result<Recipe> {
        let base_name = Path::new(&self.base_model).file_stem().map_or_else(
            || self.base_model.clone(),
            |stem| stem.to_string_lossy().into_owned(),
        );
        let mut request = RecipeRequest {
            engine: self.engine,
            base_model: base_name,
            name: self.name,
            trigger_word: self.trigger_word,
            preset: self.preset,
            overrides: self.parameters,
            sample_prompts: if self.sample_prompts.is_empty() {
                // Captions are letters, brackets among them.
                captions
                    .iter()
                    .map(|caption| prompt::escaped(caption).into())
                    .collect()
            } else {
                check_prompts(&self.sample_prompts)?;
                self.sample_prompts
            },
            // The file of a LoRA beside, not a version that a server knows.
            start_from: None,
        };
        let family = self.family.unwrap_or(base.into());
        if let Some(n_epochs) = self.n_epochs {
            // How many steps an epoch has follows from the batch size, which may be the preset's.
            let recipe = Recipe::resolve(request.clone(), family)?;
            let epoch = Epoch::of(items, recipe.parameters());
            let n_steps = steps_of_epochs(n_epochs, epoch.n_steps, &request.overrides)?;
            request.overrides.n_steps = Some(i64::from(n_steps));
        }
        Ok(Recipe::resolve(request, family)?)
    }
}

/// Reads prompts as sd-scripts' `--sample_prompts` has them in a text file.
fn read_prompts(path: &Path) -> anyhow::Result<Vec<SamplePrompt>> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).with_context(|| format!("failed to read the prompts `{shown}`"))?;
    let mut samples = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        let line =
            PromptLine::read(line).map_err(|err| anyhow!("line {number} of the prompts `{shown}`: {err}"))?;
        let Some(PromptLine { sample, left_out }) = line else {
            continue;
        };
        if !left_out.is_empty() {
            bail!(
                "line {number} of the prompts `{shown}`: {} has no counterpart here: remove it",
                left_out.join(", ")
            );
        }
        samples.push(sample);
    }
    Ok(samples)
}

/// What a field that does not exist may have been meant to be, as the end of a sentence. The parser's message names the
/// field and all that there are.
fn meant(message: &str) -> String {
    let unknown = message.split_once("unknown field `");
    let Some((wanted, known)) = unknown.and_then(|(_, rest)| rest.split_once('`')) else {
        return String::new();
    };
    let names = known.split('`').skip(1).step_by(2);
    prompt::near_in_words(wanted, names)
}

/// Previews are drawn with the LoRA that is trained alone.
fn check_prompts(samples: &[SamplePrompt]) -> anyhow::Result<()> {
    for (index, sample) in samples.iter().enumerate() {
        let negative = sample.negative_prompt.as_deref().unwrap_or_default();
        for text in [sample.prompt.as_str(), negative] {
            if let Some(tag) = Prompt::read(text, Reading::Language).first_tag() {
                bail!(
                    "sample_prompts[{index}]: `{tag}` names a LoRA, and previews show the LoRA that is trained alone: \
                     remove the tag, or write `\\{tag}` for letters"
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn a_field_that_does_not_exist_gets_its_neighbors() {
        let said = "unknown field `steps`, expected one of `rank`, `n_steps`, `seed`";
        assert_eq!(meant(said), "; did you mean `n_steps`?");
        assert_eq!(meant("unknown field `xyzzy`, expected `rank` or `seed`"), "");
        assert_eq!(meant("invalid type: string, expected u32"), "");
    }
}
