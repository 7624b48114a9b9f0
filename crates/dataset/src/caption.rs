//! Captions: decodes their files, prepends the trigger word, and varies them from view to view.

use std::borrow::Cow;

use protocol::text;

pub mod edits;
pub mod proposals;
pub mod rules;

/// A caption read from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// The text without white space at the ends of its lines; never empty. Its lines are one text, of which the tokenizers
    /// see white space between them, or with wildcards one is drawn ([`rules`]).
    pub text: String,
    /// Notes on changes: `caption converted from UTF-16`.
    pub notes: Vec<String>,
}

/// Why a caption file is rejected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CaptionError {
    /// Nothing in it but white space.
    #[error("is empty: describe the picture, or remove the file")]
    Empty,
    /// Longer than [`MAX_BYTES`].
    #[error("is {0} bytes long: captions have at most {MAX_BYTES} bytes")]
    TooLong(u64),
    /// Neither UTF-8 nor UTF-16 with a byte order mark.
    #[error(
        "is not UTF-8 text: byte {position} is 0x{byte:02x}, as in a Windows or Latin-1 code page; save the \
         caption as UTF-8"
    )]
    NotUtf8 {
        /// Where the first wrong byte is.
        position: usize,
        /// The byte.
        byte: u8,
    },
    /// It has a UTF-16 byte order mark, and what follows is not UTF-16.
    #[error("starts like UTF-16 text but is not valid UTF-16; save the caption as UTF-8")]
    NotUtf16,
    /// It holds a NUL: binary data, or UTF-16 without a byte order mark.
    #[error(
        "contains a NUL byte at {position}, like a binary file or UTF-16 without a byte order mark; save the \
         caption as UTF-8"
    )]
    Nul {
        /// Where it is.
        position: usize,
    },
}

/// Longest caption file that is read, in bytes. 225 tokens, the most that any engine reads, are about 1 kB.
pub const MAX_BYTES: u64 = 64 * 1024;

/// What is noted of a caption with several lines.
pub const SEVERAL_LINES: &str = "its caption has several lines, which are read as one text, or with wildcards one of them \
                                 each time; sd-scripts by itself would read only the first";

/// Reads a caption file: UTF-8 with or without a byte order mark, or UTF-16 with one.
///
/// Lines are kept and empty ones left out. sd-scripts by itself reads the first line only, and all of them with wildcards.
/// Which it will be is not known yet, and words that somebody wrote about a picture are not dropped: without wildcards,
/// both engines train on all lines as one text ([`rules::CaptionRules::written`]). Invisible characters are dropped, since
/// engines differ in how they treat them.
pub fn decode(bytes: &[u8]) -> Result<Caption, CaptionError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(CaptionError::TooLong(bytes.len() as u64));
    }
    let mut notes = Vec::new();
    let raw = match bytes {
        [0xff, 0xfe, rest @ ..] => {
            notes.push("caption converted from UTF-16".to_owned());
            Cow::Owned(utf16(rest, u16::from_le_bytes)?)
        }
        [0xfe, 0xff, rest @ ..] => {
            notes.push("caption converted from UTF-16".to_owned());
            Cow::Owned(utf16(rest, u16::from_be_bytes)?)
        }
        _ => Cow::Borrowed(utf8(bytes)?),
    };
    if visible(&raw) != raw.trim_start_matches('\u{feff}') {
        notes.push("invisible characters removed from the caption".to_owned());
    }
    let text = cleaned(&raw);
    if text.is_empty() {
        return Err(CaptionError::Empty);
    }
    if text.contains('\n') {
        notes.push(SEVERAL_LINES.to_owned());
    }
    Ok(Caption { text, notes })
}

/// A caption as it is stored, however it came: without invisible characters, white space at the ends of its lines and
/// empty lines; empty if nothing but commas is left.
pub fn cleaned(text: &str) -> String {
    if says_nothing(text) {
        return String::new();
    }
    let visible = visible(text);
    let lines: Vec<&str> = visible
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let cleaned = lines.join("\n");
    match says_nothing(&cleaned) {
        true => String::new(),
        false => cleaned,
    }
}

/// A tag as it is compared with others: in lower case, with spaces for underscores, and without the backslashes that keep
/// brackets from being emphasis.
pub fn plain_tag(tag: &str) -> String {
    tag.to_lowercase()
        .replace('_', " ")
        .replace('\\', "")
        .trim()
        .to_owned()
}

/// The caption with the trigger word prepended, unless it already contains the word.
///
/// Upper and lower case are the same to SDXL's tokenizers, so they are here.
pub fn with_trigger<'a>(caption: &'a str, trigger_word: &str) -> Cow<'a, str> {
    let trigger_word = trigger_word.trim();
    if trigger_word.is_empty() || holds_word(caption, trigger_word) {
        return Cow::Borrowed(caption);
    }
    Cow::Owned(prepended(caption, trigger_word))
}

fn prepended(caption: &str, trigger_word: &str) -> String {
    match caption.trim() {
        "" => trigger_word.to_owned(),
        caption => format!("{trigger_word}, {caption}"),
    }
}

/// The caption without the trigger word, wherever it stands as a separate word: what the rest of it says. Tags that are
/// empty then are gone.
pub fn without_trigger(caption: &str, trigger_word: &str) -> String {
    let word = trigger_word.trim();
    if word.is_empty() {
        return caption.to_owned();
    }
    let tags = caption.split(',').map(|tag| {
        let mut rest = tag.to_owned();
        while let Some((start, end)) = place_of_word(&rest, word) {
            rest.replace_range(start..end, "");
        }
        rest.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    let tags: Vec<String> = tags.filter(|tag| !tag.is_empty()).collect();
    tags.join(", ")
}

/// A caption with something else in each place where a word stands as a separate word.
pub fn replaced_word(caption: &str, word: &str, by: &str) -> String {
    let word = word.trim();
    let mut replaced = String::with_capacity(caption.len());
    let mut rest = caption;
    while !word.is_empty()
        && let Some((start, end)) = place_of_word(rest, word)
    {
        replaced.push_str(&rest[..start]);
        replaced.push_str(by);
        rest = &rest[end..];
    }
    replaced.push_str(rest);
    replaced
}

/// Where a word begins and ends in a text in which it stands as a separate word. Letters are compared one by one, since
/// some of them are longer in lower case.
fn place_of_word(text: &str, word: &str) -> Option<(usize, usize)> {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let n_chars = word.chars().count();
    text.char_indices().find_map(|(start, _)| {
        let found = &text[start..];
        let end = start
            + found
                .char_indices()
                .nth(n_chars)
                .map_or(found.len(), |(at, _)| at);
        let is_same = text[start..end].to_lowercase() == word.to_lowercase();
        let is_apart = !is_part(text[..start].chars().next_back()) && !is_part(text[end..].chars().next());
        (is_same && is_apart).then_some((start, end))
    })
}

/// Where a word stands in a text as a separate word, in bytes.
pub fn places_of_word(text: &str, word: &str) -> Vec<usize> {
    let word = word.trim();
    let mut places = Vec::new();
    let mut from = 0;
    while !word.is_empty()
        && let Some((start, end)) = place_of_word(&text[from..], word)
    {
        places.push(from + start);
        from += end;
    }
    places
}

/// Whether a caption has nothing but white space and commas.
pub fn says_nothing(caption: &str) -> bool {
    tags(caption).next().is_none()
}

/// Whether the caption contains the word (or words) as a separate word.
pub fn holds_word(caption: &str, word: &str) -> bool {
    let (caption, word) = (caption.to_lowercase(), word.to_lowercase());
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    caption.match_indices(&word).any(|(start, found)| {
        let (before, after) = (&caption[..start], &caption[start + found.len()..]);
        !is_part(before.chars().next_back()) && !is_part(after.chars().next())
    })
}

/// The tags of a caption, as `ss_tag_frequency` counts them: split at commas and line breaks, lower case.
pub fn tags(caption: &str) -> impl Iterator<Item = String> {
    caption
        .split([',', '\n'])
        .map(|tag| tag.trim().to_lowercase())
        .filter(|tag| !tag.is_empty())
}

fn utf8(bytes: &[u8]) -> Result<&str, CaptionError> {
    if let Some(position) = bytes.iter().position(|&byte| byte == 0) {
        return Err(CaptionError::Nul { position });
    }
    str::from_utf8(bytes).map_err(|err| CaptionError::NotUtf8 {
        position: err.valid_up_to(),
        byte: bytes[err.valid_up_to()],
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, CaptionError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(CaptionError::NotUtf16);
    }
    let units: Vec<u16> = pairs.iter().map(|&pair| unit(pair)).collect();
    String::from_utf16(&units).map_err(|_| CaptionError::NotUtf16)
}

/// A text without invisible characters. Joiners stay between letters that they join or keep apart: in Persian, in Indic
/// scripts, and in pictographs of several parts.
fn visible(text: &str) -> String {
    let joins = |c: Option<&char>| c.is_some_and(|c| !c.is_ascii() && !c.is_whitespace());
    let chars: Vec<char> = text.chars().collect();
    let kept = chars.iter().enumerate().filter_map(|(at, &c)| {
        let is_joiner = matches!(c, '\u{200c}' | '\u{200d}');
        let is_between = at > 0 && joins(chars.get(at - 1)) && joins(chars.get(at + 1));
        if is_joiner && is_between { Some(c) } else { kept(c) }
    });
    kept.collect()
}

/// None for zero-width characters, byte order marks, what reverses the direction of text, and what no field may hold; of
/// the last, white space becomes a space.
fn kept(c: char) -> Option<char> {
    if matches!(
        c,
        '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
            | '\u{ad}'
    ) {
        return None;
    }
    match text::check_text(c.encode_utf8(&mut [0; 4])) {
        Ok(()) => Some(c),
        Err(_) => c.is_whitespace().then_some(' '),
    }
}

#[cfg(test)]
mod tests;
