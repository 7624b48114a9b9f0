//! Edits of many captions: what an operation makes of each.

use protocol::{caption_edit::CaptionOperation, text};
use regex::{Regex, RegexBuilder};

use super::{MAX_BYTES, cleaned, plain_tag};

/// Memory that a compiled pattern may take, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;
/// Groups within groups of a pattern.
const MAX_NESTING: u32 = 50;
/// Bytes that one edit may look at, about a second's worth. To find one match takes a time that grows with the caption,
/// but each of many matches may look at all of it.
const MAX_WORK: u64 = 1 << 30;
/// Characters shown of what is wrong.
const N_SHOWN: usize = 200;

/// An operation that is ready to be done to captions.
#[derive(Debug, Clone)]
pub struct CaptionEditor {
    step: Step,
    /// Bytes that it may still look at.
    work_left: u64,
}

#[derive(Debug, Clone)]
enum Step {
    AddFirst(String),
    AddLast(String),
    /// What matches becomes the replacement, in which groups are named if the flag is set.
    Replace {
        pattern: Regex,
        replacement: String,
        expands: bool,
    },
    /// Tags as [`plain_tag`] has them; the first of a caption becomes the new one, and the others go.
    Retag {
        tags: Vec<String>,
        new_tag: Option<String>,
    },
    /// The captions were proposed one by one: nothing is left to do.
    Nothing,
}

/// Why captions cannot be edited so.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EditError {
    /// The pattern is not a regular expression, or too large.
    #[error("is not a regular expression: {0}")]
    Pattern(String),
    /// A caption would be too long.
    #[error("makes a caption longer than {MAX_BYTES} bytes")]
    TooLong,
    /// The pattern looks at long captions again and again.
    #[error("takes too long on these captions: use a simpler pattern, or select fewer pictures")]
    TooSlow,
}

impl CaptionEditor {
    /// Prepares an operation.
    pub fn new(operation: &CaptionOperation) -> Result<Self, EditError> {
        let tags = |tags: &[String]| tags.iter().map(|tag| plain_tag(tag)).collect();
        let one = |tag: &String| vec![plain_tag(tag)];
        let step = match operation {
            CaptionOperation::AddFirst { text } => Step::AddFirst(text.trim().to_owned()),
            CaptionOperation::AddLast { text } => Step::AddLast(text.trim().to_owned()),
            CaptionOperation::Replace {
                find,
                replacement,
                ignore_case,
            } => Step::Replace {
                pattern: pattern(&regex::escape(find), *ignore_case)?,
                replacement: replacement.clone(),
                expands: false,
            },
            CaptionOperation::ReplacePattern {
                pattern: written,
                replacement,
                ignore_case,
            } => Step::Replace {
                pattern: pattern(written, *ignore_case)?,
                replacement: replacement.clone(),
                expands: true,
            },
            CaptionOperation::RemoveTag { tag } => Step::Retag {
                tags: one(tag),
                new_tag: None,
            },
            CaptionOperation::RenameTag { tag, new_tag } => Step::Retag {
                tags: one(tag),
                new_tag: Some(new_tag.trim().to_owned()),
            },
            CaptionOperation::MergeTags { tags: all, new_tag } => Step::Retag {
                tags: tags(all),
                new_tag: Some(new_tag.trim().to_owned()),
            },
            CaptionOperation::Accept { .. } => Step::Nothing,
        };
        Ok(Self {
            step,
            work_left: MAX_WORK,
        })
    }

    /// What the operation makes of a caption; the caption itself if it has nothing to do there.
    pub fn edit(&mut self, caption: &str) -> Result<String, EditError> {
        let edited = match &self.step {
            Step::AddFirst(text) => by_line(caption, text, first),
            Step::AddLast(text) => by_line(caption, text, last),
            Step::Replace {
                pattern,
                replacement,
                expands,
            } => {
                let replacing = Replacing {
                    pattern,
                    replacement,
                    expands: *expands,
                };
                replacing.replaced(caption, &mut self.work_left)?
            }
            Step::Retag { tags, new_tag } => retagged(caption, tags, new_tag.as_deref()),
            Step::Nothing => caption.to_owned(),
        };
        if edited == caption {
            return Ok(edited);
        }
        let edited = cleaned(&edited);
        if edited.len() as u64 > MAX_BYTES {
            return Err(EditError::TooLong);
        }
        Ok(edited)
    }
}

fn pattern(written: &str, ignore_case: bool) -> Result<Regex, EditError> {
    RegexBuilder::new(written)
        .case_insensitive(ignore_case)
        .size_limit(MAX_PATTERN_BYTES)
        .dfa_size_limit(MAX_PATTERN_BYTES)
        .nest_limit(MAX_NESTING)
        .build()
        .map_err(|err| EditError::Pattern(text::shown(&in_a_line(&err.to_string()), N_SHOWN)))
}

/// The errors of `regex` draw an arrow below the pattern; their last line says what is wrong.
fn in_a_line(message: &str) -> String {
    let last = message.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").trim().to_owned()
}

struct Replacing<'a> {
    pattern: &'a Regex,
    replacement: &'a str,
    expands: bool,
}

impl Replacing<'_> {
    /// Replaces match by match, and stops when the caption is too long or the work too much.
    fn replaced(&self, caption: &str, work_left: &mut u64) -> Result<String, EditError> {
        let mut edited = String::new();
        let mut from = 0;
        for found in self.pattern.captures_iter(caption) {
            let work = caption.len() as u64 + 1;
            *work_left = work_left.checked_sub(work).ok_or(EditError::TooSlow)?;
            let Some(whole) = found.get(0) else { continue };
            edited.push_str(&caption[from..whole.start()]);
            if self.expands {
                found.expand(self.replacement, &mut edited);
            } else {
                edited.push_str(self.replacement);
            }
            from = whole.end();
            if edited.len() as u64 > MAX_BYTES {
                return Err(EditError::TooLong);
            }
        }
        edited.push_str(&caption[from..]);
        Ok(edited)
    }
}

/// Adds a text to each line of a caption, or makes it the caption of a picture that has none.
fn by_line(caption: &str, text: &str, add: fn(&str, &str) -> String) -> String {
    if caption.trim().is_empty() {
        return text.to_owned();
    }
    let lines: Vec<String> = caption.lines().map(|line| add(line, text)).collect();
    lines.join("\n")
}

/// Puts a text in front; its tags leave the places that they had.
fn first(line: &str, text: &str) -> String {
    let wanted: Vec<String> = tags(text).map(plain_tag).collect();
    let present: Vec<&str> = tags(line).collect();
    let front: Vec<String> = present
        .iter()
        .take(wanted.len())
        .map(|tag| plain_tag(tag))
        .collect();
    if front == wanted {
        return line.to_owned();
    }
    let rest: Vec<&str> = present
        .iter()
        .copied()
        .filter(|tag| !wanted.contains(&plain_tag(tag)))
        .collect();
    match (rest.len(), present.len()) {
        (0, _) => text.to_owned(),
        // A sentence keeps its commas as they are.
        (left, before) if left == before => format!("{text}, {}", line.trim()),
        _ => format!("{text}, {}", rest.join(", ")),
    }
}

/// Puts a text at the end, unless all of its tags are there.
fn last(line: &str, text: &str) -> String {
    let present: Vec<String> = tags(line).map(plain_tag).collect();
    if tags(text).all(|tag| present.contains(&plain_tag(tag))) {
        return line.to_owned();
    }
    match line.trim().trim_end_matches(',').trim_end() {
        "" => text.to_owned(),
        line => format!("{line}, {text}"),
    }
}

/// Replaces the first of some tags in each line, and removes the others.
fn retagged(caption: &str, retagged: &[String], new_tag: Option<&str>) -> String {
    let is_meant = |tag: &str| retagged.contains(&plain_tag(tag));
    if !caption.lines().flat_map(tags).any(is_meant) {
        return caption.to_owned();
    }
    let new = new_tag.map(plain_tag);
    let lines = caption.lines().map(|line| {
        if !tags(line).any(is_meant) {
            return line.to_owned();
        }
        let mut kept: Vec<&str> = Vec::new();
        let mut is_done = false;
        for tag in tags(line) {
            let is_new = new.as_ref().is_some_and(|new| *new == plain_tag(tag));
            if is_meant(tag) || is_new {
                if let Some(new_tag) = new_tag.filter(|_| !is_done) {
                    kept.push(new_tag);
                }
                is_done = true;
            } else {
                kept.push(tag);
            }
        }
        kept.join(", ")
    });
    let edited: Vec<String> = lines.collect();
    edited.join("\n")
}

fn tags(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(str::trim).filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests;
