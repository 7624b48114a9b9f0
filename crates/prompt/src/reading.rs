//! A prompt that was read: chunks of tokens with weights, LoRAs, and warnings.

use crate::{
    language::{self, Letter, Piece},
    own_words::{self, OwnWord, Part},
    tags::{BadTag, LoraTag},
    tokenizer::{BEGIN, CHUNK, END, Padding, TEXT, Tokenizer},
    warning::Warning,
};

/// How brackets, `BREAK` and tags are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reading {
    /// As [the language](crate).
    #[default]
    Language,
    /// As letters, as the captions of a training are.
    Literal,
}

impl Reading {
    /// The reading that a switch "brackets as letters" asks for.
    pub fn of(is_literal: bool) -> Self {
        if is_literal { Self::Literal } else { Self::Language }
    }
}

/// A token of a prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Token {
    /// Its number in CLIP's vocabulary, or behind it if it is one of a word of its own.
    pub id: u32,
    /// How strongly it counts: 1 without emphasis.
    pub weight: f64,
    /// The byte of the prompt's text that it ends before.
    pub end: usize,
}

/// Up to [`TEXT`] tokens, which are encoded by themselves.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chunk {
    /// The tokens, with neither begin nor end.
    pub tokens: Vec<Token>,
}

impl Chunk {
    /// The positions of a text encoder: begin, the tokens, end, padding.
    pub fn ids(&self, padding: Padding) -> [u32; CHUNK] {
        let mut ids = [padding.token(); CHUNK];
        ids[0] = BEGIN;
        for (id, token) in ids[1..].iter_mut().zip(&self.tokens) {
            *id = token.id;
        }
        ids[1 + self.tokens.len().min(TEXT)] = END;
        ids
    }

    /// The weights of those positions; 1 for all that is not text.
    pub fn weights(&self) -> [f64; CHUNK] {
        let mut weights = [1.0; CHUNK];
        for (weight, token) in weights[1..].iter_mut().zip(&self.tokens) {
            *weight = token.weight;
        }
        weights
    }

    /// Whether a weight differs from 1.
    pub fn has_emphasis(&self) -> bool {
        self.tokens.iter().any(|token| token.weight != 1.0)
    }
}

/// A prompt that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// What the prompt says without its LoRA tags.
    pub text: String,
    /// At least one; an empty prompt has an empty chunk.
    pub chunks: Vec<Chunk>,
    /// The LoRAs that it names, in their order.
    pub loras: Vec<LoraTag>,
    /// LoRA tags that cannot be read.
    pub bad_tags: Vec<BadTag>,
    /// What may not be as it was meant.
    pub warnings: Vec<Warning>,
    /// Whether there is a `BREAK`.
    pub has_break: bool,
}

impl Prompt {
    /// Reads a prompt. Every text can be read.
    pub fn read(text: &str, reading: Reading) -> Self {
        Self::read_with(text, reading, &[])
    }

    /// Like [`read`](Self::read), where some words have tokens of their own.
    pub fn read_with(text: &str, reading: Reading, words: &[OwnWord]) -> Self {
        let parsed = match reading {
            Reading::Language => language::parse(text),
            Reading::Literal => language::literally(text),
        };
        let pieces = match reading {
            Reading::Language => language::split_at_breaks(parsed.pieces),
            Reading::Literal => parsed.pieces,
        };
        let mut without_tags = String::with_capacity(text.len());
        let mut from = 0;
        for tag in &parsed.tags {
            without_tags.push_str(&text[from..tag.start]);
            from = tag.end;
        }
        without_tags.push_str(&text[from..]);
        if !parsed.tags.is_empty() {
            without_tags = without_tags.trim().to_owned();
        }
        Self {
            text: without_tags,
            has_break: pieces.contains(&Piece::Break),
            chunks: chunks(&pieces, words),
            loras: parsed.loras,
            bad_tags: parsed.bad_tags,
            warnings: parsed.warnings,
        }
    }

    /// The first LoRA tag, as it was written, for places that take none.
    pub fn first_tag(&self) -> Option<&str> {
        let loras = self.loras.iter().map(|tag| tag.written.as_str());
        let bad = self.bad_tags.iter().map(|tag| tag.written.as_str());
        loras.chain(bad).next()
    }

    /// Tokens of text, without begin, end and padding.
    pub fn n_tokens(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.tokens.len()).sum()
    }

    /// Whether the tokens stand one after the other with weight 1, as in a caption.
    pub fn is_plain(&self) -> bool {
        !self.has_break && !self.chunks.iter().any(Chunk::has_emphasis)
    }

    /// Where each chunk but the last ends, in bytes of the text that was read.
    pub fn borders(&self) -> Vec<usize> {
        let mut end = 0;
        let (_, but_last) = self.chunks.split_last().expect("there is at least one chunk");
        but_last
            .iter()
            .map(|chunk| {
                // An empty chunk, between two BREAKs, ends where the one before does.
                end = chunk.tokens.last().map_or(end, |token| token.end);
                end
            })
            .collect()
    }
}

/// Cuts after every [`TEXT`] tokens and at every `BREAK`, and before a word of its own that would be cut, as A1111 does.
fn chunks(pieces: &[Piece], words: &[OwnWord]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut chunk = Chunk::default();
    for piece in pieces {
        match piece {
            Piece::Break => chunks.push(std::mem::take(&mut chunk)),
            Piece::Letters { letters, weight } => {
                for part in own_words::split(letters, words) {
                    let (tokens, n_together): (Vec<Token>, usize) = match part {
                        Part::Letters(letters) => (tokens(letters, *weight).collect(), 1),
                        Part::Word(word, end) => (own_tokens(word, *weight, end), word.n_tokens),
                    };
                    for (index, token) in tokens.into_iter().enumerate() {
                        let n_next = if index == 0 { n_together.min(TEXT) } else { 1 };
                        if chunk.tokens.len() + n_next > TEXT {
                            chunks.push(std::mem::take(&mut chunk));
                        }
                        chunk.tokens.push(token);
                    }
                }
            }
        }
    }
    if !chunk.tokens.is_empty() || chunks.is_empty() {
        chunks.push(chunk);
    }
    chunks
}

/// The tokens of a word that stands for vectors of its own.
fn own_tokens(word: &OwnWord, weight: f64, end: usize) -> Vec<Token> {
    let ids = (0..word.n_tokens).map(|index| word.token + index as u32);
    ids.map(|id| Token { id, weight, end }).collect()
}

pub(crate) fn tokens(letters: &[Letter], weight: f64) -> impl Iterator<Item = Token> {
    let text: String = letters.iter().map(|letter| letter.c).collect();
    // By byte of `text`: the byte of the prompt after the letter that it belongs to.
    let ends: Vec<usize> = letters
        .iter()
        .flat_map(|letter| std::iter::repeat_n(letter.end, letter.c.len_utf8()))
        .collect();
    let encoded = Tokenizer.encode_with_ends(&text);
    encoded.into_iter().map(move |(id, end)| Token {
        id,
        weight,
        end: match end.checked_sub(1) {
            Some(last) => ends[last.min(ends.len() - 1)],
            None => 0,
        },
    })
}

#[cfg(test)]
mod tests;
