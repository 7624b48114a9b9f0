//! Enums of the protocol as the words that the database keeps.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Result, StoreError};

/// The word of a unit variant, as serde writes it: `Phase::Queued` is `queued`.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        other => unreachable!("only enums of plain words are stored as words, not {other:?}"),
    }
}

/// The enum of a word; `what` names table and column.
pub(crate) fn unword<T: DeserializeOwned>(what: &'static str, word: &str) -> Result<T> {
    from_json(what, Value::String(word.to_owned()))
}

/// A protocol type as a JSON column.
pub(crate) fn json<T: Serialize>(value: &T) -> Value {
    let mut value = serde_json::to_value(value).expect("protocol types have string keys and finite depth");
    clean_json(&mut value);
    value
}

/// Text as every database takes it: PostgreSQL keeps no character of the number 0, which an uploaded file or an
/// agent's log may have.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn clean_json(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = clean(text),
        Value::Array(values) => values.iter_mut().for_each(clean_json),
        Value::Object(fields) if fields.keys().any(|key| key.contains('\0')) => {
            let cleaned = std::mem::take(fields).into_iter();
            *fields = cleaned.map(|(key, value)| (clean(&key), value)).collect();
            fields.values_mut().for_each(clean_json);
        }
        Value::Object(fields) => fields.values_mut().for_each(clean_json),
        _ => {}
    }
}

/// A protocol type from a JSON column; `what` names table and column.
pub(crate) fn from_json<T: DeserializeOwned>(what: &'static str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|err| StoreError::corrupt(what, err))
}
