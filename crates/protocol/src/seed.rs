//! Seeds in JSON and on the command line: −1 is a random one, and every digit survives a browser.
//!
//! JavaScript's numbers are exact up to 2^53 − 1 only, and a seed has 64 bits. So a larger one is written as a string
//! of digits. Both forms are read.

use std::fmt;

use serde::{
    Deserializer, Serializer,
    de::{Error, Visitor},
};
use utoipa::openapi::{
    RefOr, Schema,
    schema::{ObjectBuilder, SchemaType, Type},
};

/// The largest seed that is written as a JSON number: JavaScript's `Number.MAX_SAFE_INTEGER`.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;

/// A text or number that is no seed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 0 to 18446744073709551615, or -1 for a random seed, not {0}")]
pub struct InvalidSeed(String);

/// Reads a seed as a person types it; `None` is a random one.
///
/// # Errors
/// If it is neither −1 nor a whole number from 0 to 2^64 − 1.
pub fn parse(text: &str) -> Result<Option<u64>, InvalidSeed> {
    let digits = text.trim();
    // The second one has the typographic minus sign that pages show.
    if digits == "-1" || digits == "−1" {
        return Ok(None);
    }
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(seed) if is_number => Ok(Some(seed)),
        _ if digits.is_empty() => Err(InvalidSeed("an empty text".to_owned())),
        _ => Err(InvalidSeed(format!("`{}`", crate::text::shown(digits, 40)))),
    }
}

/// Reads a seed from a number or a string; `None` is a random one.
///
/// # Errors
/// If it is neither −1 nor a whole number from 0 to 2^64 − 1.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    deserializer.deserialize_any(Seed)
}

/// Writes a seed as a number if every reader keeps its digits, and else as a string.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(seed: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match *seed {
        None => serializer.serialize_none(),
        Some(seed) if seed <= MAX_NUMBER => serializer.serialize_u64(seed),
        Some(seed) => serializer.collect_str(&seed),
    }
}

/// The schema of an optional seed.
pub(crate) fn schema() -> RefOr<Schema> {
    let description = "Seed of the initial noise, up to 18446744073709551615. Random if it is omitted or -1. One above \
                       9007199254740991 is written as a string, so that JavaScript keeps all of its digits.";
    let types = SchemaType::from_iter([Type::Integer, Type::String, Type::Null]);
    ObjectBuilder::new()
        .schema_type(types)
        .description(Some(description))
        .minimum(Some(-1))
        .pattern(Some("^(-1|[0-9]{1,20})$"))
        .into()
}

struct Seed;

impl Visitor<'_> for Seed {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number from 0 to 18446744073709551615, or -1 for a random seed")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, seed: u64) -> Result<Self::Value, E> {
        Ok(Some(seed))
    }

    fn visit_i64<E: Error>(self, seed: i64) -> Result<Self::Value, E> {
        match seed {
            -1 => Ok(None),
            seed => u64::try_from(seed)
                .map(Some)
                .map_err(|_| E::custom(InvalidSeed(seed.to_string()))),
        }
    }

    fn visit_f64<E: Error>(self, seed: f64) -> Result<Self::Value, E> {
        // JSON numbers above 2^64 − 1 arrive here too.
        Err(E::custom(InvalidSeed(seed.to_string())))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        parse(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests;
