//! Captions that a program proposes: which of its tags they have, what becomes of words that a person wrote, and what is
//! remembered of a caption so that a tag that somebody removed stays removed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{MAX_BYTES, cleaned, plain_tag, tags, with_trigger};

/// The file of a folder of pictures that says what programs wrote there ([`Memory`]). Uploads leave it out.
pub const MEMORY_FILE: &str = ".morpheus-captions.json";

/// Who wrote a caption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A person, or a file that came with the picture.
    Human,
    /// A tagger.
    Tagger,
    /// A model that describes pictures in sentences.
    Model,
}

/// What becomes of a caption that a person wrote. One that a program wrote and nobody has changed since is always replaced,
/// and one that says nothing is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// It stays as it is.
    #[default]
    Keep,
    /// It gets the tags that it lacks.
    Add,
    /// It is replaced.
    Replace,
}

/// A tag of a tagger, with how sure the tagger is.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// As the tagger has it: `long_hair`.
    pub name: String,
    /// Whether it names a character.
    pub is_character: bool,
    /// From 0 to 1.
    pub score: f32,
}

/// Which tags are proposed.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Least score of a tag.
    pub threshold: f32,
    /// Least score of a character's name.
    pub character_threshold: f32,
    /// Tags that are never proposed, in any spelling.
    pub exclude: Vec<String>,
}

impl Choice {
    /// The tags of a picture as a caption has them: characters first, then the others, the surest first.
    pub fn tags(&self, found: &[Found]) -> Vec<String> {
        let excluded: BTreeSet<String> = self.exclude.iter().map(|tag| plain_tag(tag)).collect();
        let mut chosen: Vec<&Found> = found
            .iter()
            .filter(|tag| {
                let least = match tag.is_character {
                    true => self.character_threshold,
                    false => self.threshold,
                };
                tag.score >= least && !excluded.contains(&plain_tag(&tag.name))
            })
            .collect();
        chosen.sort_by(|a, b| {
            let by_kind = b.is_character.cmp(&a.is_character);
            by_kind.then(b.score.total_cmp(&a.score))
        });
        chosen.into_iter().map(|tag| readable(&tag.name)).collect()
    }
}

/// A tag with spaces for underscores, unless it is a face such as `>_<` or `o_o`, where none stands beside a word.
fn readable(tag: &str) -> String {
    let is_face = !tag
        .split('_')
        .any(|part| part.chars().filter(|c| c.is_alphanumeric()).count() > 1);
    match is_face {
        true => tag.to_owned(),
        false => tag.replace('_', " "),
    }
}

/// What is remembered of the caption that a program wrote for a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// What wrote it.
    pub origin: Origin,
    /// The tagger or model.
    pub by: String,
    /// The caption as it was written.
    pub caption: String,
    /// Whether it was added to words of a person: then the caption counts as a person's, and no run replaces it unasked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_addition: bool,
    /// Tags that it had once and that a person removed, in [plain](plain_tag) spelling.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub removed: BTreeSet<String>,
}

/// What is remembered of the captions of a folder, by the pictures' file names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// By file name.
    #[serde(default)]
    pub pictures: BTreeMap<String, Written>,
}

impl Memory {
    /// Who wrote the caption that a picture has. One with words of a person is a person's, whatever a program added.
    pub fn origin(&self, file_name: &str, caption: &str) -> Origin {
        match self.pictures.get(file_name) {
            Some(written) if !written.is_addition && is_same(&written.caption, caption) => written.origin,
            _ => Origin::Human,
        }
    }

    /// Whether a program wrote the caption that a picture has, or added to it, and nobody has changed it since.
    pub fn is_by(&self, file_name: &str, caption: &str, (origin, by): (Origin, &str)) -> bool {
        self.pictures.get(file_name).is_some_and(|written| {
            written.origin == origin && written.by == by && is_same(&written.caption, caption)
        })
    }

    /// Tags that a person has removed from what a program wrote, in plain spelling. A tag that is in the caption again is not
    /// among them.
    pub fn removed(&self, file_name: &str, caption: &str) -> BTreeSet<String> {
        let Some(written) = self.pictures.get(file_name) else {
            return BTreeSet::new();
        };
        let there = plain_tags(caption);
        let mut removed = written.removed.clone();
        // A sentence has no tags that could be removed; what it was added to may have some.
        if written.origin == Origin::Tagger || written.is_addition {
            removed.extend(plain_tags(&written.caption));
        }
        removed.retain(|tag| !there.contains(tag));
        removed
    }

    /// Remembers that a proposal is written now.
    pub fn note(&mut self, proposal: &Proposal, (origin, by): (Origin, &str)) {
        let mut removed = self.removed(&proposal.file_name, &proposal.old);
        let there = plain_tags(&proposal.new);
        removed.retain(|tag| !there.contains(tag));
        let written = Written {
            origin,
            by: by.to_owned(),
            caption: proposal.new.clone(),
            is_addition: proposal.is_addition,
            removed,
        };
        self.pictures.insert(proposal.file_name.clone(), written);
    }
}

fn plain_tags(caption: &str) -> BTreeSet<String> {
    tags(caption).map(|tag| plain_tag(&tag)).collect()
}

/// Captions are compared without what reading them changes.
fn is_same(a: &str, b: &str) -> bool {
    cleaned(a) == cleaned(b)
}

/// What a picture's caption would become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// The picture.
    pub file_name: String,
    /// Who wrote the caption that there is.
    pub origin: Origin,
    /// The present caption; empty if the picture has none.
    pub old: String,
    /// What it would become: the same where a person's words stay and nothing is added.
    pub new: String,
    /// Whether a person's words stay in it.
    pub is_addition: bool,
    /// Tags that the program found and that are left out, since a person removed them once.
    pub left_out: Vec<String>,
}

impl Proposal {
    /// Whether anything would change.
    pub fn is_change(&self) -> bool {
        !is_same(&self.old, &self.new)
    }
}

/// How captions are proposed.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// What becomes of a person's words.
    pub policy: Policy,
    /// The word that activates the LoRA, which comes first; empty for none.
    pub trigger_word: &'a str,
}

impl Rules<'_> {
    /// Proposes a caption of tags.
    pub fn of_tags(&self, memory: &Memory, (file_name, old): (&str, &str), found: &[String]) -> Proposal {
        let removed = memory.removed(file_name, old);
        let (left_out, kept): (Vec<String>, Vec<String>) = found
            .iter()
            .cloned()
            .partition(|tag| removed.contains(&plain_tag(tag)));
        let origin = memory.origin(file_name, old);
        let new = match (self.fate(origin, old), self.policy) {
            (Fate::Goes, _) => self.triggered(&kept.join(", ")),
            (Fate::Stays, Policy::Add) => {
                let there = plain_tags(old);
                let new = kept.iter().filter(|tag| !there.contains(&plain_tag(tag)));
                let all = std::iter::once(old).chain(new.map(String::as_str));
                self.triggered(&all.collect::<Vec<_>>().join(", "))
            }
            (Fate::Stays, _) => old.to_owned(),
        };
        self.proposal((file_name, old), origin, new, left_out)
    }

    /// Proposes a caption of sentences. [`Policy::Add`] puts them behind a person's words.
    pub fn of_text(&self, memory: &Memory, (file_name, old): (&str, &str), text: &str) -> Proposal {
        let origin = memory.origin(file_name, old);
        let text = cleaned(text).lines().collect::<Vec<_>>().join(" ");
        let new = match (self.fate(origin, old), self.policy) {
            (Fate::Goes, _) => self.triggered(&text),
            (Fate::Stays, Policy::Add) if !old.contains(&text) => self.triggered(&format!("{old}, {text}")),
            (Fate::Stays, _) => old.to_owned(),
        };
        self.proposal((file_name, old), origin, new, Vec::new())
    }

    fn proposal(
        &self,
        (file_name, old): (&str, &str),
        origin: Origin,
        new: String,
        left_out: Vec<String>,
    ) -> Proposal {
        let is_addition = matches!(self.fate(origin, old), Fate::Stays);
        // A proposal that says nothing, or more than a caption may, changes nothing.
        let is_usable = !cleaned(&new).is_empty() && new.len() as u64 <= MAX_BYTES;
        Proposal {
            file_name: file_name.to_owned(),
            origin,
            old: old.to_owned(),
            new: if is_usable { new } else { old.to_owned() },
            is_addition,
            left_out,
        }
    }

    fn fate(&self, origin: Origin, old: &str) -> Fate {
        let is_replaced = self.policy == Policy::Replace || origin != Origin::Human;
        match is_replaced || cleaned(old).is_empty() {
            true => Fate::Goes,
            false => Fate::Stays,
        }
    }

    fn triggered(&self, caption: &str) -> String {
        match cleaned(caption).is_empty() {
            true => String::new(),
            false => with_trigger(caption, self.trigger_word).into_owned(),
        }
    }
}

/// What becomes of the caption that there is.
enum Fate {
    Stays,
    Goes,
}

/// The words that ask a model for a caption, with what they name put in: `{trigger}`, `{tags}` and `{name}`.
pub fn filled(template: &str, trigger_word: &str, tags: &str, file_name: &str) -> String {
    let name = file_name.rsplit('/').next().unwrap_or(file_name);
    let name = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    // What is put in is not read again: a tag may have braces.
    while let Some(start) = rest.find('{') {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        let places = [("{trigger}", trigger_word), ("{tags}", tags), ("{name}", name)];
        let place = places.into_iter().find(|(place, _)| rest.starts_with(place));
        let (word, text) = place.unwrap_or(("{", "{"));
        filled.push_str(text);
        rest = &rest[word.len()..];
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests;
