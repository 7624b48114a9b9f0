//! Emphasis, `BREAK` and escapes: a text becomes pieces of letters with weights.
//!
//! Follows what A1111's wiki and the documentation of its function `parse_prompt_attention` say; the table in
//! [the crate's documentation](crate) has the differences.

use std::ops::Range;

use crate::{
    tags::{self, BadTag, LoraTag, Tag},
    warning::{MAX_WEIGHT, Warning},
};

/// What each bracket multiplies with, or divides by.
const STEP: f64 = 1.1;

/// A letter, and the byte after it in the text that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) c: char,
    pub(crate) end: usize,
}

/// A part of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    /// Letters that have the same weight.
    Letters { letters: Vec<Letter>, weight: f64 },
    /// The rest begins a new chunk.
    Break,
}

/// A text that was read.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) loras: Vec<LoraTag>,
    pub(crate) bad_tags: Vec<BadTag>,
    /// Where in the text the LoRA tags are, in bytes.
    pub(crate) tags: Vec<Range<usize>>,
    pub(crate) warnings: Vec<Warning>,
}

/// The whole text as letters.
pub(crate) fn literally(text: &str) -> Parsed {
    let mut scan = Scan::default();
    for (at, c) in text.char_indices() {
        scan.letter(c, at + c.len_utf8());
    }
    Parsed {
        pieces: scan.pieces(),
        ..Parsed::default()
    }
}

/// Reads the language.
pub(crate) fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let mut scan = Scan::default();
    let mut from = 0;
    for (range, tag) in tags::find(text) {
        match tag {
            Tag::Lora(lora) => parsed.loras.push(lora),
            Tag::Bad(bad) => parsed.bad_tags.push(bad),
            Tag::Other => {
                let tag = text[range].to_owned();
                scan.warnings.push(Warning::UnknownTag { tag });
                continue;
            }
        }
        scan.read(text, from..range.start);
        from = range.end;
        parsed.tags.push(range);
    }
    scan.read(text, from..text.len());
    scan.close_all();
    scan.look_for_schedules(text);
    parsed.pieces = scan.pieces();
    parsed.warnings = scan.warnings;
    parsed
}

/// Like [`parse`], of a caption: `BREAK` and tags are letters.
pub(crate) fn emphasis(text: &str) -> Vec<Piece> {
    let mut scan = Scan::default();
    scan.read(text, 0..text.len());
    scan.close_all();
    scan.pieces()
}

/// A text that is read as these letters: brackets, tags and backslashes get a backslash. `BREAK` has no such form.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '(' | ')' | '[' | ']' | '<' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A bracket that is open.
struct Open {
    /// The first run of letters inside it.
    run: usize,
    /// Where it is in characters.
    at: usize,
    /// Where the text inside begins, in bytes.
    inside: usize,
}

#[derive(Default)]
struct Scan {
    /// Letters with their weights so far.
    runs: Vec<(Vec<Letter>, f64)>,
    /// Whether the next letter begins a run of its own: a bracket came before it.
    is_cut: bool,
    round: Vec<Open>,
    square: Vec<Open>,
    n_chars: usize,
    warnings: Vec<Warning>,
    /// What stood in square brackets, in bytes.
    squares: Vec<Range<usize>>,
}

impl Scan {
    fn letter(&mut self, c: char, end: usize) {
        let letter = Letter { c, end };
        match self.runs.last_mut() {
            Some((letters, _)) if !self.is_cut => letters.push(letter),
            _ => self.runs.push((vec![letter], 1.0)),
        }
        self.is_cut = false;
    }

    fn open(&mut self, inside: usize) -> Open {
        self.is_cut = true;
        Open {
            run: self.runs.len(),
            at: self.n_chars,
            inside,
        }
    }

    /// Multiplies what came since a bracket was opened.
    fn multiply(&mut self, open: &Open, factor: f64) {
        self.is_cut = true;
        for (_, weight) in &mut self.runs[open.run..] {
            *weight *= factor;
        }
    }

    /// A part of the text between tags.
    fn read(&mut self, text: &str, part: Range<usize>) {
        // Tags before it are characters too.
        let before = &text[..part.start];
        self.n_chars = before.chars().count();
        let part_end = part.end;
        let mut at = part.start;
        while let Some(c) = text[at..part_end].chars().next() {
            let end = at + c.len_utf8();
            let rest = &text[end..part_end];
            let mut next = end;
            match c {
                '\\' => match rest.chars().next() {
                    Some(escaped @ ('(' | ')' | '[' | ']' | '<' | '\\')) => {
                        next = end + 1;
                        self.letter(escaped, next);
                    }
                    _ => self.letter(c, end),
                },
                '(' => {
                    let open = self.open(end);
                    self.round.push(open);
                }
                '[' => {
                    let open = self.open(end);
                    self.square.push(open);
                }
                ':' if !self.round.is_empty() => match weight(rest) {
                    Weight::Is(weight, length) => {
                        next = end + length;
                        if let Some(open) = self.round.pop() {
                            self.multiply(&open, weight);
                        }
                    }
                    Weight::NearlyIs(found) => {
                        let at = self.n_chars;
                        self.warnings.push(Warning::NotAWeight { found, at });
                        self.letter(c, end);
                    }
                    Weight::IsNot => self.letter(c, end),
                },
                ')' => match self.round.pop() {
                    Some(open) => self.multiply(&open, STEP),
                    None => self.unopened(c, end),
                },
                ']' => match self.square.pop() {
                    Some(open) => {
                        self.multiply(&open, 1.0 / STEP);
                        self.squares.push(open.inside..at);
                    }
                    None => self.unopened(c, end),
                },
                _ => self.letter(c, end),
            }
            self.n_chars += text[at..next].chars().count();
            at = next;
        }
    }

    fn unopened(&mut self, bracket: char, end: usize) {
        let at = self.n_chars;
        self.warnings.push(Warning::Unopened { bracket, at });
        self.letter(bracket, end);
    }

    /// Brackets that are never closed reach to the end; one with nothing behind it is a letter.
    fn close_all(&mut self) {
        let round = std::mem::take(&mut self.round);
        let square = std::mem::take(&mut self.square);
        let round = round.into_iter().map(|open| ('(', STEP, open));
        let square = square.into_iter().map(|open| ('[', 1.0 / STEP, open));
        let mut unclosed: Vec<(char, f64, Open)> = round.chain(square).collect();
        unclosed.sort_by_key(|(_, _, open)| open.inside);
        let n_runs = self.runs.len();
        for (bracket, factor, open) in unclosed {
            if open.run == n_runs {
                self.letter(bracket, open.inside);
                continue;
            }
            self.multiply(&open, factor);
            let at = open.at;
            self.warnings.push(Warning::Unclosed { bracket, at });
        }
    }

    /// `[from:to:when]`, `[one|other]` and `AND` mean something else in A1111.
    fn look_for_schedules(&mut self, text: &str) {
        for inside in std::mem::take(&mut self.squares) {
            let inside = &text[inside];
            let is_edit = inside
                .rsplit_once(':')
                .is_some_and(|(_, when)| when.trim().parse::<f64>().is_ok());
            if is_edit || inside.contains('|') {
                let written = format!("[{inside}]");
                self.warnings.push(Warning::Schedule { written });
            }
        }
        if words(text, "AND").next().is_some() {
            let written = "AND".to_owned();
            self.warnings.push(Warning::Schedule { written });
        }
    }

    /// Neighbors of one weight are put together, and `BREAK` is taken out.
    fn pieces(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (letters, weight) in std::mem::take(&mut self.runs) {
            let limited = weight.clamp(-MAX_WEIGHT, MAX_WEIGHT);
            if limited != weight && !self.warnings.contains(&Warning::TooStrong) {
                self.warnings.push(Warning::TooStrong);
            }
            add_letters(&mut pieces, letters, limited);
        }
        pieces
    }
}

/// Like [`Scan::pieces`], without `BREAK`.
fn add_letters(pieces: &mut Vec<Piece>, letters: Vec<Letter>, weight: f64) {
    match pieces.last_mut() {
        Some(Piece::Letters {
            letters: before,
            weight: same,
        }) if *same == weight => before.extend(letters),
        _ => pieces.push(Piece::Letters { letters, weight }),
    }
}

/// Splits letters at `BREAK`, which takes the spaces around it along.
pub(crate) fn split_at_breaks(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut split = Vec::new();
    for piece in pieces {
        let Piece::Letters { letters, weight } = piece else {
            split.push(piece);
            continue;
        };
        let text: String = letters.iter().map(|letter| letter.c).collect();
        let mut from = 0;
        for at in words(&text, "BREAK") {
            let n_before = text[..at].chars().count();
            split.push(Piece::Letters {
                letters: letters[from..n_before].to_vec(),
                weight,
            });
            split.push(Piece::Break);
            from = n_before + "BREAK".len();
        }
        split.push(Piece::Letters {
            letters: letters[from..].to_vec(),
            weight,
        });
    }
    split.retain(|piece| !matches!(piece, Piece::Letters { letters, .. } if letters.is_empty()));
    split
}

/// Where a word stands by itself, in bytes.
fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

enum Weight {
    /// A weight and its bracket, and how many bytes they take.
    Is(f64, usize),
    /// Digits and dots up to the bracket, but no number.
    NearlyIs(String),
    IsNot,
}

/// What follows a colon in round brackets.
fn weight(rest: &str) -> Weight {
    let Some(close) = rest.find(|c: char| !(c.is_ascii_digit() || c.is_whitespace() || "+-.".contains(c)))
    else {
        return Weight::IsNot;
    };
    let number = rest[..close].trim();
    if !rest[close..].starts_with(')') || number.is_empty() {
        return Weight::IsNot;
    }
    match number.parse::<f64>() {
        Ok(weight) if weight.is_finite() => Weight::Is(weight, close + 1),
        _ => Weight::NearlyIs(number.to_owned()),
    }
}

#[cfg(test)]
mod tests;
