//! As much of YAML as configuration files of trainers have: maps and lists by indentation, texts, numbers, switches,
//! and lists in brackets. Anything else is refused with its line.

use serde_json::{Map, Value as Json};

/// Most levels that may lie within each other.
const MAX_DEPTH: usize = 32;

/// A line that counts: its number, how far it is indented, and its text without comment.
struct Line<'a> {
    number: usize,
    indent: usize,
    text: &'a str,
}

/// Reads a document; the error says what is wrong in which line.
pub(super) fn read(text: &str) -> Result<Json, String> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let content = without_comment(line).trim_end();
        let indent = content.len() - content.trim_start_matches(' ').len();
        let text = &content[indent..];
        if text.is_empty() || (indent == 0 && text == "---") {
            continue;
        }
        let number = index + 1;
        if text.starts_with('\t') {
            return Err(format!(
                "line {number}: is indented with a tab; YAML takes spaces"
            ));
        }
        lines.push(Line { number, indent, text });
    }
    let mut at = 0;
    let value = block(&lines, &mut at, 0, 0)?;
    match lines.get(at) {
        Some(line) => Err(format!(
            "line {}: is indented less than what it belongs to",
            line.number
        )),
        None => Ok(value),
    }
}

/// The map or list whose lines are indented at least so far.
fn block(lines: &[Line<'_>], at: &mut usize, least: usize, depth: usize) -> Result<Json, String> {
    let Some(first) = lines.get(*at).filter(|line| line.indent >= least) else {
        return Ok(Json::Null);
    };
    if depth > MAX_DEPTH {
        return Err(format!("line {}: lies too deep", first.number));
    }
    let indent = first.indent;
    if is_item(first.text) {
        let mut items = Vec::new();
        while let Some(line) = lines
            .get(*at)
            .filter(|line| line.indent == indent && is_item(line.text))
        {
            items.push(item(lines, at, line, depth)?);
        }
        return Ok(Json::Array(items));
    }
    let mut fields = Map::new();
    while let Some(line) = lines
        .get(*at)
        .filter(|line| line.indent == indent && !is_item(line.text))
    {
        *at += 1;
        entry(lines, at, line.text, line.number, indent, depth, &mut fields)?;
    }
    Ok(Json::Object(fields))
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// `- value`, or `- key: value` with further keys below.
fn item(lines: &[Line<'_>], at: &mut usize, line: &Line<'_>, depth: usize) -> Result<Json, String> {
    *at += 1;
    let rest = line.text[1..].trim_start();
    if rest.is_empty() {
        return block(lines, at, line.indent + 1, depth + 1);
    }
    if key_of(rest).is_none() {
        return scalar(rest, line.number);
    }
    // The keys of the item stand below its first.
    let indent = line.indent + (line.text.len() - rest.len());
    let mut fields = Map::new();
    entry(lines, at, rest, line.number, indent, depth + 1, &mut fields)?;
    while let Some(next) = lines
        .get(*at)
        .filter(|next| next.indent == indent && !is_item(next.text))
    {
        *at += 1;
        entry(lines, at, next.text, next.number, indent, depth + 1, &mut fields)?;
    }
    Ok(Json::Object(fields))
}

/// `key: value`, or `key:` with a block below.
fn entry(
    lines: &[Line<'_>],
    at: &mut usize,
    text: &str,
    number: usize,
    indent: usize,
    depth: usize,
    fields: &mut Map<String, Json>,
) -> Result<(), String> {
    let Some((key, rest)) = key_of(text) else {
        return Err(format!("line {number}: `{text}` is not `key: value`"));
    };
    let value = if rest.is_empty() {
        // A list may stand as far left as its key.
        let is_list = lines
            .get(*at)
            .is_some_and(|line| line.indent == indent && is_item(line.text));
        block(lines, at, if is_list { indent } else { indent + 1 }, depth + 1)?
    } else {
        scalar(rest, number)?
    };
    fields.insert(key, value);
    Ok(())
}

/// Key and rest of `key: rest`.
fn key_of(text: &str) -> Option<(String, &str)> {
    let (key, rest) = match text.chars().next()? {
        quote @ ('"' | '\'') => {
            let end = text[1..].find(quote)? + 1;
            (&text[1..end], text[end + 1..].trim_start().strip_prefix(':')?)
        }
        _ => {
            let end = text.find(": ").or_else(|| text.strip_suffix(':').map(str::len))?;
            (&text[..end], &text[end + 1..])
        }
    };
    Some((key.trim().to_owned(), rest.trim()))
}

fn scalar(text: &str, number: usize) -> Result<Json, String> {
    let first = text.chars().next().unwrap_or(' ');
    match first {
        '"' | '\'' => quoted(text, first).ok_or_else(|| format!("line {number}: a quote is not closed")),
        '[' => {
            let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
            let Some(inner) = inner.filter(|inner| !inner.contains(['[', '{'])) else {
                return Err(format!(
                    "line {number}: the list must end on its line, and hold no other"
                ));
            };
            let items = split(inner).into_iter().map(|item| scalar(item.trim(), number));
            items.collect()
        }
        '{' if text == "{}" => Ok(Json::Object(Map::new())),
        '{' | '&' | '*' | '!' | '|' | '>' => Err(format!(
            "line {number}: `{first}` begins something that is not read here"
        )),
        _ => Ok(plain(text)),
    }
}

/// Parts with commas between them, outside quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut quote) = (Vec::new(), 0, None);
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, ',') => {
                parts.push(&text[from..index]);
                from = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn quoted(text: &str, quote: char) -> Option<Json> {
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    if text.len() < 2 {
        return None;
    }
    if quote == '\'' {
        return Some(Json::String(inner.replace("''", "'")));
    }
    // The escapes that matter are those of JSON.
    let json = serde_json::from_str(&format!("\"{inner}\""));
    Some(json.unwrap_or_else(|_| Json::String(inner.to_owned())))
}

fn plain(text: &str) -> Json {
    match text {
        "~" | "null" | "Null" | "NULL" => return Json::Null,
        "true" | "True" | "TRUE" => return Json::Bool(true),
        "false" | "False" | "FALSE" => return Json::Bool(false),
        _ => {}
    }
    if let Ok(whole) = text.parse::<i64>() {
        return whole.into();
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => number.into(),
        _ => Json::String(text.to_owned()),
    }
}

/// A comment begins with `#` at the start of a line or after a space, outside quotes.
fn without_comment(line: &str) -> &str {
    let (mut quote, mut before) = (None, ' ');
    for (index, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') if before == ' ' => return &line[..index],
            (None, '"' | '\'') if before == ' ' || before == '[' || before == ',' => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
        before = c;
    }
    line
}

/// A text that is read as itself.
pub(super) fn written(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}
