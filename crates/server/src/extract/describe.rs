//! Translates serde's messages into a field name and a description of valid values.

use protocol::text::shown;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::error::ApiError;

/// Maximum length of client input repeated in an error.
pub(super) const SHOWN_CHARS: usize = 80;
/// Maximum length of a message, which may list all valid fields.
const MESSAGE_CHARS: usize = 500;

/// Describes an error in a JSON body. `path` is the position of the parser: `parameters.rank`, or `.` at the top.
pub(super) fn json(path: &str, error: &serde_json::Error) -> ApiError {
    if !error.is_data() {
        return ApiError::InvalidRequest(format!("the body is not JSON: {error}"));
    }
    let message = error.to_string();
    // serde_json appends its position; the path says more.
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(text, _)| text);
    let parent = if path == "." { "" } else { path };
    match field(parent, message) {
        Some((field, message)) => ApiError::field(field, message),
        None => {
            let message = shown(message, MESSAGE_CHARS);
            ApiError::InvalidRequest(format!("the body is invalid: {message}"))
        }
    }
}

/// The value at a position of the parser's.
pub(super) fn at<'a>(body: &'a Value, path: &Path) -> Option<&'a Value> {
    path.iter().try_fold(body, |value, segment| match segment {
        Segment::Seq { index } => value.get(*index),
        Segment::Map { key } => value.get(key.as_str()),
        Segment::Enum { .. } | Segment::Unknown => None,
    })
}

/// Describes something else in the place of one of several words, in a body that is JSON. To serde_json it is an error
/// of syntax.
pub(super) fn no_word(path: &str, found: &Value) -> ApiError {
    let found = shown(&found.to_string(), SHOWN_CHARS);
    ApiError::field(
        shown(path, 2 * SHOWN_CHARS),
        format!("must be a text, not `{found}`"),
    )
}

/// Describes an error in a query. `message` starts with the parameter's name, if it is known.
pub(super) fn query(message: &str) -> ApiError {
    let (name, rest) = message.split_once(": ").unwrap_or(("", message));
    let rest = match rest {
        text if text.starts_with("invalid digit") => "must be a non-negative whole number",
        text if text.starts_with("number too large") => "is too large",
        text if text.starts_with("cannot parse integer from empty string") => "must not be empty",
        text => text,
    };
    match field(name, rest) {
        Some((field, message)) => ApiError::field(field, message),
        None => {
            let message = shown(message, MESSAGE_CHARS);
            ApiError::InvalidRequest(format!("the query is invalid: {message}"))
        }
    }
}

/// The invalid field, and what is valid.
fn field(path: &str, message: &str) -> Option<(String, String)> {
    let path = &shown(path, 2 * SHOWN_CHARS);
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let mut names = quoted(rest);
        let name = &shown(names.next()?, SHOWN_CHARS);
        let known = names.map(|name| format!("`{name}`")).collect::<Vec<_>>();
        let message = if known.is_empty() {
            "is not a known field; there are none here".to_owned()
        } else {
            format!("is not a known field; valid fields are {}", known.join(", "))
        };
        return Some((join(path, name), message));
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        return Some((join(path, quoted(rest).next()?), "is missing".to_owned()));
    }
    if let Some(rest) = message.strip_prefix("duplicate field ") {
        return Some((join(path, quoted(rest).next()?), "is given twice".to_owned()));
    }
    if path.is_empty() {
        return None;
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let mut names = quoted(rest);
        let name = shown(names.next()?, SHOWN_CHARS);
        let known = names
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ");
        return Some((path.to_owned(), format!("must be one of {known}, not `{name}`")));
    }
    let mismatch = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "));
    if let Some((found, expected)) = mismatch {
        return Some((
            path.to_owned(),
            format!(
                "must be {}, not {}",
                plain(expected),
                shown(value(found), SHOWN_CHARS)
            ),
        ));
    }
    if message.starts_with("UUID parsing failed") {
        return Some((path.to_owned(), "must be an id from the API: a UUID".to_owned()));
    }
    Some((path.to_owned(), shown(message, MESSAGE_CHARS)))
}

fn join(path: &str, name: &str) -> String {
    // The parser's path may end in the name already.
    match path {
        "" => name.to_owned(),
        path if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// The parts of a text that stand between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// What was found, as it stands in the JSON: serde puts a word for its type in front.
fn value(found: &str) -> &str {
    match found {
        "map" => "an object",
        "sequence" => "a list",
        other => ["integer ", "floating point ", "boolean ", "string "]
            .iter()
            .find_map(|word| other.strip_prefix(word))
            .unwrap_or(other),
    }
}

/// Translates Rust type names into plain words.
fn plain(expected: &str) -> &str {
    match expected {
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a non-negative whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "str" | "string" => "a text",
        "a sequence" => "a list",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}
