//! Checks a JSON body before deserialization: finds invalid characters in values and names at
//! any depth, and stops if it is nested too deeply.

use std::fmt;

use protocol::{
    limits::MAX_JSON_DEPTH,
    problem::FieldError,
    text::{self, Unfit},
};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::describe::SHOWN_CHARS;

/// Fields with more than one line, whatever body they are in: captions, prompts, what somebody notes. Every other
/// text is a name of something, and stays on its line.
pub(crate) const TEXTS: [&str; 6] = [
    "caption",
    "expected_caption",
    "prompt",
    "negative_prompt",
    "sample_prompts",
    "text",
];

/// Is only compared. It may hold what an earlier version took from a caption file, which could not be replaced otherwise.
const EXPECTED: &str = "expected_caption";

/// Maximum number of reported errors.
const MOST_FINDINGS: usize = 20;

/// All invalid fields. Fails if the JSON is malformed or nested too deeply.
pub(super) fn walk(bytes: &[u8]) -> serde_json::Result<Vec<FieldError>> {
    let mut findings = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let step = Step {
        path: &mut String::new(),
        field: "",
        depth: 0,
        findings: &mut findings,
    };
    step.deserialize(&mut deserializer)?;
    Ok(findings)
}

/// One value, and where it is.
struct Step<'a> {
    path: &'a mut String,
    /// The innermost name on the way to it.
    field: &'a str,
    depth: usize,
    findings: &'a mut Vec<FieldError>,
}

impl Step<'_> {
    fn find(&mut self, field: String, message: String) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(FieldError { field, message });
        }
    }

    fn down<E: Error>(&self) -> Result<usize, E> {
        if self.depth == MAX_JSON_DEPTH {
            return Err(E::custom(format!("it is nested more than {MAX_JSON_DEPTH} deep")));
        }
        Ok(self.depth + 1)
    }
}

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(mut self, text: &str) -> Result<(), E> {
        if let Err(unfit) = check(self.field, text) {
            self.find(self.path.clone(), unfit.to_string());
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let depth = self.down()?;
        let n_path = self.path.len();
        for n in 0.. {
            self.path.push_str(&format!("[{n}]"));
            let step = Step {
                path: self.path,
                field: self.field,
                depth,
                findings: self.findings,
            };
            let entry = entries.next_element_seed(step)?;
            self.path.truncate(n_path);
            if entry.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        let depth = self.down()?;
        let n_path = self.path.len();
        while let Some(name) = fields.next_key::<String>()? {
            if n_path > 0 {
                self.path.push('.');
            }
            self.path.push_str(&text::shown(&name, SHOWN_CHARS));
            if let Err(unfit) = text::check_line(&name) {
                self.find(self.path.clone(), format!("its name {unfit}"));
            }
            fields.next_value_seed(Step {
                path: self.path,
                field: &name,
                depth,
                findings: self.findings,
            })?;
            self.path.truncate(n_path);
        }
        Ok(())
    }
}

fn check(field: &str, text: &str) -> Result<(), Unfit> {
    if field == EXPECTED {
        if text.contains('\0') {
            Err(Unfit('\0'))
        } else {
            Ok(())
        }
    } else if TEXTS.contains(&field) {
        text::check_text(text)
    } else {
        text::check_line(text)
    }
}
