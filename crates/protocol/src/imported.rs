//! LoRAs that were made elsewhere: what a file holds, and what its owner said about it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    edit::Made,
    limits::{MAX_IMPORT_TEXT_CHARS, MAX_TRIGGER_WORDS},
    lora::{KindCount, Leftover, LoraFormat},
    preset::BaseClass,
    problem::{FieldError, InvalidFields},
    text,
};

/// What a file is that no job trained, where it is from, and what of it is applied.
///
/// Nothing was measured with it: a version that was imported or made out of others has no verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Imported {
    /// What it was made of, if it was made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
    /// How its modules are named.
    pub format: LoraFormat,
    /// Modules that are applied, by kind.
    #[schema(max_items = 16)]
    pub kinds: Vec<KindCount>,
    /// How many they are.
    pub n_modules: usize,
    /// The smallest rank; absent where nothing has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_min: Option<usize>,
    /// The largest rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_max: Option<usize>,
    /// What is not applied, by reason.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub left_out: Vec<LeftOut>,
    /// Its owner agreed to use it even if a part of it is not applied.
    pub allow_partial: bool,
    /// Class of the base models that it fits.
    pub base_class: BaseClass,
    /// The base model that it was trained on, as the file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<String>,
    /// Words that activate it in a prompt: typed by the owner, or from the file.
    #[serde(default)]
    #[schema(max_items = 32)]
    pub trigger_words: Vec<String>,
    /// Where its owner has it from: a note or an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The license that its owner named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// Parts of a file that are not applied, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    /// Why, so that "is" may stand before it: "not known".
    pub reason: String,
    /// How many there are: modules, or tensors outside of modules.
    pub n: usize,
    /// Names of some of them, as the file has them.
    #[schema(max_items = 8)]
    pub examples: Vec<String>,
    /// Whether the file is used only by an explicit yes.
    pub needs_consent: bool,
}

/// Names that are kept of what is left out for one reason.
const N_EXAMPLES: usize = 5;
/// Reasons that are kept; what is left out for others is counted with the last one.
const N_REASONS: usize = 64;

impl LeftOut {
    /// What is left out, by reason, in the order in which the reasons come.
    pub fn of(leftovers: &[Leftover]) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for Leftover {
            name,
            reason,
            needs_consent,
        } in leftovers
        {
            let same = |part: &Self| part.reason == *reason && part.needs_consent == *needs_consent;
            let at = found.iter().position(same);
            let at = at.or_else(|| (found.len() == N_REASONS).then_some(N_REASONS - 1));
            match at {
                Some(at) => {
                    let part = &mut found[at];
                    part.n += 1;
                    part.needs_consent |= needs_consent;
                    if part.examples.len() < N_EXAMPLES {
                        part.examples.push(name.clone());
                    }
                }
                None => found.push(Self {
                    reason: reason.clone(),
                    n: 1,
                    examples: vec![name.clone()],
                    needs_consent: *needs_consent,
                }),
            }
        }
        found
    }
}

/// What an owner says about a file to import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportLora {
    /// Name of the model that it becomes a version of.
    pub name: String,
    /// Name of a base model that it is for.
    pub base_model: String,
    /// Use it although a part of it is not applied.
    pub allow_partial: bool,
    /// Words that activate it in a prompt; none: those of the file's metadata.
    pub trigger_words: Vec<String>,
    /// Where it is from: a note or an address.
    pub source: Option<String>,
    /// Its license.
    pub license: Option<String>,
}

impl ImportLora {
    /// Checks every field; all errors come at once.
    pub fn validate(&self) -> Result<(), InvalidFields> {
        let mut errors = Vec::new();
        let mut fail = |field: &str, message: String| errors.push(FieldError::new(field, message));
        if !(1..=80).contains(&self.name.chars().count()) {
            fail("name", "must have 1 to 80 characters".to_owned());
        } else if let Err(unfit) = text::check_line(&self.name) {
            fail("name", unfit.to_string());
        }
        if let Err(unfit) = text::check_line(&self.base_model) {
            fail("base_model", unfit.to_string());
        }
        if self.trigger_words.len() > MAX_TRIGGER_WORDS {
            let n = self.trigger_words.len();
            fail(
                "trigger_words",
                format!("must be at most {MAX_TRIGGER_WORDS}, not {n}"),
            );
        }
        if let Some(unfit) = self
            .trigger_words
            .iter()
            .find_map(|word| text::check_line(word).err())
        {
            fail("trigger_words", unfit.to_string());
        }
        for (field, value) in [("source", &self.source), ("license", &self.license)] {
            let Some(value) = value else { continue };
            let n_chars = value.chars().count();
            if n_chars > MAX_IMPORT_TEXT_CHARS {
                fail(
                    field,
                    format!("must have at most {MAX_IMPORT_TEXT_CHARS} characters, not {n_chars}"),
                );
            } else if let Err(unfit) = text::check_text(value) {
                fail(field, unfit.to_string());
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(InvalidFields(errors))
        }
    }
}

/// Words that activate a LoRA in a prompt, typed in one line with commas between them.
pub fn trigger_words(line: &str) -> Vec<String> {
    let words = line.split(',').map(str::trim);
    let mut found: Vec<String> = Vec::new();
    for word in words.filter(|word| !word.is_empty()) {
        if found.iter().all(|known| known != word) {
            found.push(word.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests;
