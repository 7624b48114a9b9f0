//! Command lines: split into words as shells do, and quoted for them.

use serde_json::{Value as Json, json};

use super::super::draft::Draft;

/// Words of a command line; quotes keep spaces, and a backslash or a caret at the end of a line continues it.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"'), '\\') if matches!(chars.peek(), Some('"' | '\\')) => {
                word.get_or_insert_default().extend(chars.next());
            }
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\' | '^' | '`') if matches!(chars.peek(), Some('\n' | '\r') | None) => {}
            (None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Whether shells take a word as it is.
pub(crate) fn is_plain(word: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./=,:+@%".contains(c);
    !word.is_empty() && word.chars().all(is_plain)
}

/// A word as shells take it.
pub(super) fn quoted(word: &str) -> String {
    if is_plain(word) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Options with their values; what stands before the first option is the program.
pub(crate) fn read(text: &str, draft: &mut Draft) {
    let all = words(text);
    // Options before the script are those of what starts it.
    let script = all.iter().position(|word| word.ends_with("train_network.py"));
    let options = all.into_iter().skip(script.map_or(0, |at| at + 1));
    let mut words = options.skip_while(|word| !word.starts_with("--")).peekable();
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix("--") else {
            draft.leave("", &json!(word), "belongs to no option");
            continue;
        };
        let (name, attached) = match option.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (option.to_owned(), None),
        };
        let mut values = Vec::from_iter(attached);
        while let Some(value) = words.next_if(|word| !word.starts_with("--")) {
            values.push(value);
        }
        let value = match values.as_slice() {
            [] => Json::Bool(true),
            [one] => json!(one),
            several => json!(several),
        };
        draft.put(name, value);
    }
}
