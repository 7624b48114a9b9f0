//! Captions of many pictures in one file, as other trainers have them.
//!
//! | file | has |
//! |---|---|
//! | `metadata.jsonl` | a JSON object on each line (Hugging Face's image folders) |
//! | `metadata.csv` | a line for each picture, below a line with the names of the columns |
//! | `meta_cap.json` | an object by path (sd-scripts' metadata), or a list of objects |
//! | `zora.json` | an object about `zora.png` beside it |

use protocol::limits::MAX_CAPTIONS_BYTES;
use serde_json::{Map, Value};

use super::{Batch, PendingCaption, name};
use crate::caption::{self, Caption};

/// Largest list that is read, in bytes. In memory it takes a multiple of that.
const MAX_LIST_BYTES: usize = 8 << 20;
/// Names of what says which picture a line is about.
const PATHS: [&str; 6] = ["file_name", "filename", "file", "image", "image_path", "path"];
/// Names of sentences, the first of which counts.
const SENTENCES: [&str; 3] = ["caption", "text", "prompt"];
/// Names of tags, which come behind a sentence.
const TAGS: [&str; 2] = ["tags", "tag_string"];

impl Batch {
    /// Takes a list of captions. One that has no captions is refused.
    pub(super) fn add_list(&mut self, shown_name: String, archive: Option<&str>, list: &str, bytes: &[u8]) {
        if bytes.len() > MAX_LIST_BYTES {
            let reason = format!(
                "is too large: a list of captions has at most {} MiB",
                MAX_LIST_BYTES >> 20
            );
            self.refuse(shown_name, reason);
            return;
        }
        let entries = match read(list, bytes) {
            Ok(entries) => entries,
            Err(reason) => {
                self.refuse(shown_name, reason);
                return;
            }
        };
        for (path, text) in entries {
            let text = caption::cleaned(&text);
            if text.is_empty() || text.len() as u64 > caption::MAX_BYTES {
                continue;
            }
            if !self.has_room_for(&text) {
                let reason = format!(
                    "exceeds the limit of {} MiB for all captions of one upload; send it in another upload",
                    MAX_CAPTIONS_BYTES >> 20
                );
                self.refuse(shown_name, reason);
                return;
            }
            let stem = (
                archive.unwrap_or_default().to_owned(),
                name::listed_stem(list, &path),
            );
            let mut notes = vec![format!("caption taken from `{shown_name}`")];
            if text.contains('\n') {
                notes.push(caption::SEVERAL_LINES.to_owned());
            }
            let caption = Caption { text, notes };
            self.listed.insert(
                stem,
                PendingCaption {
                    shown_name: shown_name.clone(),
                    caption,
                },
            );
        }
    }
}

/// Paths and captions of a list.
fn read(list: &str, bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let text = str::from_utf8(bytes).map_err(|_| "is not UTF-8 text: save it as UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{feff}');
    let lower = list.to_lowercase();
    let entries = if lower.ends_with(".csv") {
        from_table(&table(text))
    } else if lower.ends_with(".jsonl") {
        let mut entries = Vec::new();
        for (line, text) in (1..)
            .zip(text.lines())
            .filter(|(_, text)| !text.trim().is_empty())
        {
            let object: Map<String, Value> =
                serde_json::from_str(text).map_err(|err| format!("is not JSON in line {line}: {err}"))?;
            entries.extend(entry(&object));
        }
        entries
    } else {
        let value: Value = serde_json::from_str(text).map_err(|err| format!("is not JSON: {err}"))?;
        from_json(list, &value)
    };
    if entries.is_empty() {
        return Err(
            "has no captions that can be read: captions go into .txt files beside the pictures, or into a \
             metadata.jsonl with `file_name` and `text` on each line"
                .to_owned(),
        );
    }
    Ok(entries)
}

fn from_json(list: &str, value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Array(objects) => objects
            .iter()
            .filter_map(|object| entry(object.as_object()?))
            .collect(),
        Value::Object(object) => {
            if let Some(caption) = caption_in(object) {
                // About the picture beside it, or the one that it names.
                let own = || {
                    list[..list.len() - ".json".len()]
                        .rsplit('/')
                        .next()
                        .map(str::to_owned)
                };
                let path = path_in(object).or_else(own);
                return path.map(|path| (path, caption)).into_iter().collect();
            }
            let captions = object.iter().filter_map(|(path, value)| {
                let caption = match value {
                    Value::Object(of_picture) => caption_in(of_picture)?,
                    Value::String(caption) if name::has_picture_extension(path) => caption.clone(),
                    _ => return None,
                };
                Some((path.clone(), caption))
            });
            captions.collect()
        }
        _ => Vec::new(),
    }
}

fn entry(object: &Map<String, Value>) -> Option<(String, String)> {
    Some((path_in(object)?, caption_in(object)?))
}

fn path_in(object: &Map<String, Value>) -> Option<String> {
    let path = PATHS.iter().find_map(|name| object.get(*name)?.as_str())?;
    Some(path.to_owned())
}

/// The sentence and the tags of an object, whichever it has.
fn caption_in(object: &Map<String, Value>) -> Option<String> {
    let text = |name: &&str| match object.get(*name)? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let parts: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
            Some(parts.join(", "))
        }
        _ => None,
    };
    join(SENTENCES.iter().find_map(text), TAGS.iter().find_map(text))
}

fn join(sentence: Option<String>, tags: Option<String>) -> Option<String> {
    match (sentence, tags) {
        (Some(sentence), Some(tags)) if sentence != tags => {
            let sentence = sentence.trim().trim_end_matches(['.', ',']).to_owned();
            Some(format!("{sentence}, {tags}"))
        }
        (sentence, tags) => sentence.or(tags),
    }
}

fn from_table(rows: &[Vec<String>]) -> Vec<(String, String)> {
    let Some((head, rows)) = rows.split_first() else {
        return Vec::new();
    };
    let column = |names: &[&str]| {
        names.iter().find_map(|name| {
            head.iter()
                .position(|column| column.trim().eq_ignore_ascii_case(name))
        })
    };
    let Some(path) = column(&PATHS) else {
        return Vec::new();
    };
    let (sentence, tags) = (column(&SENTENCES), column(&TAGS));
    let entries = rows.iter().filter_map(|row| {
        let cell = |column: Option<usize>| row.get(column?).filter(|text| !text.trim().is_empty()).cloned();
        Some((cell(Some(path))?, join(cell(sentence), cell(tags))?))
    });
    entries.collect()
}

/// The cells of a table with commas; in quotes, commas and line breaks are text, and two quotes are one (RFC 4180).
fn table(text: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let (mut row, mut cell) = (Vec::new(), String::new());
    let mut is_quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if is_quoted || cell.is_empty() => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !is_quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !is_quoted => {}
            other => cell.push(other),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests;
