//! What a prompt does that its author may not have meant.

use std::fmt;

/// Something that is read in another way than it may have been meant. Nothing is left out for it.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    /// A bracket that is never closed: its emphasis reaches to the end.
    Unclosed {
        /// `(` or `[`.
        bracket: char,
        /// Where it is, in characters from the beginning.
        at: usize,
    },
    /// A closing bracket without an opening one: a letter.
    Unopened {
        /// `)` or `]`.
        bracket: char,
        /// Where it is, in characters from the beginning.
        at: usize,
    },
    /// `(x:…)` with something in place of the weight that is nearly a number.
    NotAWeight {
        /// What stands there.
        found: String,
        /// Where the colon is, in characters from the beginning.
        at: usize,
    },
    /// A weight beyond [`MAX_WEIGHT`], which was limited to it.
    TooStrong,
    /// A tag of another kind than LoRA: letters.
    UnknownTag {
        /// The tag.
        tag: String,
    },
    /// Something of A1111's that changes a prompt from step to step: read as plain emphasis or letters.
    Schedule {
        /// What was written.
        written: String,
    },
}

/// Weights go up to this and down to its negative; far less already breaks a picture.
pub(crate) const MAX_WEIGHT: f64 = 100.0;

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclosed { bracket, at } => write!(
                f,
                "`{bracket}` at character {} is never closed: its emphasis reaches to the end (write `\\{bracket}` for a letter)",
                at + 1
            ),
            Self::Unopened { bracket, at } => write!(
                f,
                "`{bracket}` at character {} closes nothing and is read as a letter",
                at + 1
            ),
            Self::NotAWeight { found, at } => write!(
                f,
                "`{found}` at character {} is not a weight, and is read as letters",
                at + 1
            ),
            Self::TooStrong => write!(f, "weights beyond {MAX_WEIGHT} are read as {MAX_WEIGHT}"),
            Self::UnknownTag { tag } => {
                write!(f, "`{tag}` is not a LoRA tag, and is read as letters")
            }
            Self::Schedule { written } => write!(
                f,
                "`{written}` changes the prompt between steps in A1111; here it is read as plain text"
            ),
        }
    }
}
