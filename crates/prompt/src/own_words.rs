//! Words that stand for vectors of their own, in place of CLIP's tokens.

use crate::language::Letter;

/// A word that stands for vectors of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnWord {
    /// The word. Case does not matter.
    pub word: String,
    /// The first of its tokens, at least [`FIRST_OWN`](crate::tokenizer::FIRST_OWN); the others follow.
    pub token: u32,
    /// How many tokens it takes.
    pub n_tokens: usize,
}

/// What ComfyUI writes before such a word.
const PREFIX: &str = "embedding:";

/// A part of a text.
pub(crate) enum Part<'a> {
    /// Letters of CLIP's words.
    Letters(&'a [Letter]),
    /// A word of its own, and the byte of the prompt that it ends before.
    Word(&'a OwnWord, usize),
}

/// Takes a text apart at words of their own. Where several begin, the longest counts.
pub(crate) fn split<'a>(letters: &'a [Letter], words: &'a [OwnWord]) -> Vec<Part<'a>> {
    if words.is_empty() {
        return vec![Part::Letters(letters)];
    }
    let text: Vec<char> = letters.iter().map(|letter| letter.c).collect();
    let mut parts = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < text.len() {
        let begins = words
            .iter()
            .filter_map(|word| Some((word, end_of(&text, at, &word.word)?)));
        let Some((word, end)) = begins.max_by_key(|(_, end)| *end) else {
            at += 1;
            continue;
        };
        parts.push(Part::Letters(&letters[from..at]));
        parts.push(Part::Word(word, letters[end - 1].end));
        (from, at) = (end, end);
    }
    parts.push(Part::Letters(&letters[from..]));
    parts
}

/// Where a word ends that begins here; none if it does not, or is only a part of another one.
fn end_of(text: &[char], at: usize, word: &str) -> Option<usize> {
    let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
    if word.is_empty() || text[..at].last().is_some_and(is_word) {
        return None;
    }
    let begin = spelled(text, at, PREFIX).unwrap_or(at);
    let end = spelled(text, begin, word)?;
    (!text.get(end).is_some_and(is_word)).then_some(end)
}

/// Where these letters end, if they stand here.
fn spelled(text: &[char], at: usize, letters: &str) -> Option<usize> {
    let mut end = at;
    for c in letters.chars() {
        let found = text.get(end)?;
        if !found.to_lowercase().eq(c.to_lowercase()) {
            return None;
        }
        end += 1;
    }
    Some(end)
}
