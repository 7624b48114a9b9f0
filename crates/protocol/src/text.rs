//! Allowed characters in untrusted text, and how to display such text.
//!
//! A **line** is a name, a word or a URL: a single line. A **text** is a caption, a prompt or a log
//! line: it may have line breaks, tabs and directional formatting characters.

use std::{borrow::Cow, fmt};

use crate::limits::MAX_NOTE_CHARS;

/// Characters of a name that somebody chose.
const MAX_NAME_CHARS: usize = 80;

/// A character that is not allowed in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit(pub char);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.0 {
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => "a line break",
            '\t' => "a tab",
            c if c.is_control() => "a control character",
            c if turns_direction(c) => "a character that reverses the direction of text",
            _ => "not a valid text character",
        };
        write!(f, "must not contain U+{:04X}, {what}", u32::from(self.0))
    }
}

/// Checks a line; returns the first invalid character.
pub fn check_line(text: &str) -> Result<(), Unfit> {
    let unfit = |c: &char| {
        !fits_text(*c) || matches!(c, '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}') || turns_direction(*c)
    };
    text.chars().find(unfit).map_or(Ok(()), |c| Err(Unfit(c)))
}

/// Checks a text; returns the first invalid character.
pub fn check_text(text: &str) -> Result<(), Unfit> {
    let unfit = |c: &char| !fits_text(*c);
    text.chars().find(unfit).map_or(Ok(()), |c| Err(Unfit(c)))
}

/// A name that somebody chose, without the spaces around it; or what is wrong with it.
pub fn checked_name(text: &str) -> Result<&str, String> {
    let name = text.trim();
    if (1..=MAX_NAME_CHARS).contains(&name.chars().count()) && check_line(name).is_ok() {
        Ok(name)
    } else {
        Err(format!("must have 1 to {MAX_NAME_CHARS} characters on one line"))
    }
}

/// A note, without the spaces around it, empty for none; or what is wrong with it.
pub fn checked_note(text: &str) -> Result<&str, String> {
    let note = text.trim();
    if note.chars().count() > MAX_NOTE_CHARS {
        return Err(format!("must have at most {MAX_NOTE_CHARS} characters"));
    }
    check_line(note).map_err(|unfit| unfit.to_string())?;
    Ok(note)
}

/// Replaces each character that no field allows with U+FFFD.
pub fn cleaned(text: &str) -> Cow<'_, str> {
    match check_text(text) {
        Ok(()) => Cow::Borrowed(text),
        Err(_) => text
            .chars()
            .map(|c| {
                if fits_text(c) {
                    c
                } else {
                    char::REPLACEMENT_CHARACTER
                }
            })
            .collect::<String>()
            .into(),
    }
}

/// Formats a text for a response or a log: on one line, unusual characters escaped, at most `max_chars`
/// characters.
pub fn shown(text: &str, max_chars: usize) -> String {
    let mut shown = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == max_chars {
            shown.push('…');
            break;
        }
        match check_line(c.encode_utf8(&mut [0; 4])) {
            Ok(()) => shown.push(c),
            Err(_) => shown.extend(c.escape_default()),
        }
    }
    shown
}

/// Shortens a text to `max_bytes`, with a note that gives its full length.
pub fn shortened(text: String, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text;
    }
    let n_bytes = text.len();
    let mut end = max_bytes.saturating_sub(MARK_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut short = text;
    short.truncate(end);
    short.push_str(&format!(" … [shortened, {n_bytes} bytes in all]"));
    short
}

/// Room for the mark of [`shortened`].
const MARK_BYTES: usize = 64;

/// Not a control character other than tab and line breaks, and not one of the code points that Unicode keeps free of
/// characters. PostgreSQL stores no U+0000, terminals obey the others.
fn fits_text(c: char) -> bool {
    let is_break = matches!(c, '\t' | '\n' | '\r');
    let is_noncharacter = matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe;
    (is_break || !c.is_control()) && !is_noncharacter
}

/// Embeddings, overrides and isolates: what follows is shown in another order than it is stored.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{Unfit, check_line, check_text, checked_name, checked_note, cleaned, shortened, shown};

    #[test]
    fn lines_and_texts_hold_what_people_write() {
        for text in [
            "zora",
            "Zoë's 第一 コマ",
            "سلام\u{200f}",
            "👩\u{200d}🎨",
            "a\u{a0}b",
            "\u{fffd}",
        ] {
            assert_eq!((check_line(text), check_text(text)), (Ok(()), Ok(())), "{text}");
        }
        assert_eq!(check_text("first\r\n\tsecond \u{202e}"), Ok(()));
    }

    #[test]
    fn no_field_holds_control_characters() {
        for c in [
            '\0',
            '\u{1}',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{fffe}',
            '\u{fdd0}',
            '\u{10ffff}',
        ] {
            let text = format!("a{c}b");
            assert_eq!(check_line(&text), Err(Unfit(c)));
            assert_eq!(check_text(&text), Err(Unfit(c)));
            assert_eq!(cleaned(&text), "a\u{fffd}b");
        }
    }

    #[test]
    fn names_stay_on_their_line_and_in_their_direction() {
        for c in ['\n', '\r', '\t', '\u{2028}', '\u{202e}', '\u{2066}'] {
            assert_eq!(check_line(&format!("a{c}b")), Err(Unfit(c)));
        }
        assert_eq!(
            Unfit('\u{202e}').to_string(),
            "must not contain U+202E, a character that reverses the direction of text"
        );
        assert_eq!(
            Unfit('\0').to_string(),
            "must not contain U+0000, a control character"
        );
    }

    #[test]
    fn names_and_notes_are_lines_of_a_certain_length() {
        assert_eq!(checked_name(" Studio chat\n"), Ok("Studio chat"));
        for name in ["", " \t", "two\nlines", "a\u{202e}b", &"a".repeat(81)] {
            let wrong = "must have 1 to 80 characters on one line".to_owned();
            assert_eq!(checked_name(name), Err(wrong), "{name}");
        }
        assert_eq!(checked_note("  "), Ok(""));
        assert_eq!(checked_note(" for the cover "), Ok("for the cover"));
        let long = "a".repeat(201);
        for (note, wrong) in [(long.as_str(), "at most 200"), ("two\nlines", "a line break")] {
            let problem = checked_note(note).unwrap_err();
            assert!(problem.contains(wrong), "{problem}");
        }
    }

    #[test]
    fn what_is_shown_is_short_and_plain() {
        assert_eq!(shown("a\u{202e}b\0\n", 10), "a\\u{202e}b\\u{0}\\n");
        assert_eq!(shown("ääää", 3), "äää…");
    }

    #[test]
    fn what_is_shortened_says_so() {
        let short = shortened("ä".repeat(1000), 201);
        assert!(short.len() <= 201, "{}", short.len());
        assert!(short.starts_with("ääää"), "{short}");
        assert!(short.ends_with(" … [shortened, 2000 bytes in all]"), "{short}");
        assert_eq!(shortened("whole".into(), 5), "whole");
    }
}
