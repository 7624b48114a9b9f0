//! What headers say about an upload and its parts.

use dataset::ingest::readable;

use super::Part;

/// The boundary that a `Content-Type` names, for forms only. RFC 2046 allows 70 characters.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    const MAX_BYTES: usize = 70;
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    (1..=MAX_BYTES).contains(&boundary.len()).then_some(boundary)
}

/// Name and file name of a part, from all of its headers. Browsers write a quotation mark of a file name as `%22`, and
/// nothing else so (HTML, "multipart/form-data").
pub(super) fn part(headers: &[u8]) -> Part {
    let headers = readable(headers, None);
    let mut part = Part::default();
    for line in headers.split("\r\n") {
        let Some((header, value)) = line.split_once(':') else {
            continue;
        };
        if !header.trim().eq_ignore_ascii_case("content-disposition") {
            continue;
        }
        // The kind comes first, which is always `form-data`.
        let parameters = value.split_once(';').map_or("", |(_, parameters)| parameters);
        part.name = encoded(parameters, "name").unwrap_or_default();
        part.file_name = encoded(parameters, "filename").map(|name| name.replace("%22", "\""));
    }
    part
}

/// A parameter, which clients may also write as `name*=utf-8''…` with what is not ASCII in hexadecimal (RFC 5987). Who
/// writes both has put something simpler into the plain one.
fn encoded(parameters: &str, name: &str) -> Option<String> {
    let extended = parameter(parameters, &format!("{name}*")).and_then(|value| {
        let (charset, rest) = value.split_once('\'')?;
        let (_, text) = rest.split_once('\'')?;
        Some(readable(&percent_decoded(text), Some(charset)).into_owned())
    });
    extended.or_else(|| parameter(parameters, name))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|digits| str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) if byte == b'%' => {
                bytes.push(value);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    bytes
}

/// The value of a parameter: `name=value; name="value"`. In quotes, only a quote is escaped: browsers of old send
/// whole paths, with backslashes that mean themselves.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (name, behind) = rest.split_once('=')?;
        let name = name.trim_matches(|c: char| c == ';' || c.is_whitespace());
        let (value, behind) = match behind.trim_start().strip_prefix('"') {
            Some(quoted) => quoted_value(quoted)?,
            None => {
                let (value, behind) = behind.split_once(';').unwrap_or((behind, ""));
                (value.trim().to_owned(), behind)
            }
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = behind;
    }
}

/// The value up to the closing quote, and what follows.
fn quoted_value(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => match characters.next_if(|(_, next)| *next == '"') {
                Some(_) => value.push('"'),
                None => value.push('\\'),
            },
            other => value.push(other),
        }
    }
    None
}
