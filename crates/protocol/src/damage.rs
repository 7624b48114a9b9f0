//! What can be wrong with a stored file: "stored" only means that it was stored once.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is wrong with a stored file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// The object store no longer has it.
    Missing,
    /// Its bytes differ from those that were stored.
    Damaged,
}

impl Damage {
    /// What a person reads after "is": `damaged in the object store`.
    pub fn as_text(self) -> &'static str {
        match self {
            Self::Missing => "missing from the object store",
            Self::Damaged => "damaged in the object store",
        }
    }
}
