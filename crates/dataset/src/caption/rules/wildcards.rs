//! Wildcards: `{red|blue} hat` says one of the two each time. `{{` and `}}` are braces as letters.

/// A caption with a choice made for each wildcard. `choose` gets how many choices there are.
///
/// As in sd-scripts, a wildcard ends at the first closing brace, so wildcards cannot be nested. One that is never closed,
/// or is empty, stays in the text as it is.
pub(super) fn resolve(text: &str, choose: &mut dyn FnMut(usize) -> usize) -> String {
    let mut resolved = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Letters(letters) => resolved.push_str(&unescaped(letters)),
            Part::Wildcard(inside) => {
                let choices: Vec<&str> = inside.split('|').collect();
                let chosen = choices[choose(choices.len())];
                resolved.push_str(&unescaped(chosen));
            }
        }
    }
    resolved
}

/// A caption in which blanks stand for its wildcards, as long as they were.
pub(super) fn blanked(text: &str) -> String {
    let mut blanked = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Letters(letters) => blanked.push_str(letters),
            // With the braces.
            Part::Wildcard(inside) => blanked.extend(std::iter::repeat_n(BLANK, inside.len() + 2)),
        }
    }
    blanked
}

/// In no caption, and in no separator.
const BLANK: char = '\0';

enum Part<'a> {
    Letters(&'a str),
    /// What is between its braces.
    Wildcard(&'a str),
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let bytes = text.as_bytes();
    let mut parts = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < bytes.len() {
        if bytes[at] != b'{' && bytes[at] != b'}' {
            at += 1;
        } else if bytes.get(at + 1) == Some(&bytes[at]) {
            at += 2;
        } else if bytes[at] == b'{'
            && let Some(end) = closing(bytes, at + 1)
            && end > at + 1
        {
            parts.push(Part::Letters(&text[from..at]));
            parts.push(Part::Wildcard(&text[at + 1..end]));
            at = end + 1;
            from = at;
        } else {
            at += 1;
        }
    }
    parts.push(Part::Letters(&text[from..]));
    parts
}

/// The next brace that closes and is not one of a pair.
fn closing(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'}' if bytes.get(at + 1) == Some(&b'}') => at += 2,
            b'}' => return Some(at),
            b'{' if bytes.get(at + 1) == Some(&b'{') => at += 2,
            _ => at += 1,
        }
    }
    None
}

fn unescaped(text: &str) -> String {
    text.replace("{{", "{").replace("}}", "}")
}
