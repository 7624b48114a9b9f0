//! What a child printed last, and which of it tells why it failed.

use std::{collections::VecDeque, fmt};

/// Lines of its output that are kept to tell why it failed.
const N_KEPT: usize = 200;
/// Lines of them that a person is shown.
const N_SHOWN: usize = 12;

/// Which of its streams said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// The relevant output lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excerpt(Vec<String>);

impl Excerpt {
    /// Of these lines.
    pub(crate) fn of(lines: impl IntoIterator<Item = String>) -> Self {
        Self(lines.into_iter().collect())
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, "; its output:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

/// The last lines of a child's output.
#[derive(Debug, Default)]
pub struct Tail(VecDeque<(Stream, String)>);

impl Tail {
    /// Takes the next line.
    pub fn push(&mut self, stream: Stream, line: String) {
        if self.0.len() == N_KEPT {
            self.0.pop_front();
        }
        self.0.push_back((stream, line));
    }

    /// The last traceback with its error, or else the last lines: of the stream for errors, if it said anything. A
    /// traceback's first line may be lost behind a progress bar. The streams arrive in any order, so only one counts.
    pub(crate) fn excerpt(&self) -> Excerpt {
        let traceback = self
            .0
            .iter()
            .rposition(|(_, line)| line.starts_with("Traceback "));
        let has_errors = self.0.iter().any(|(stream, _)| *stream == Stream::Err);
        let of = match traceback {
            Some(at) => Some(self.0[at].0),
            None => has_errors.then_some(Stream::Err),
        };
        let lines = self.0.iter().skip(traceback.unwrap_or(0));
        let lines: Vec<&String> = lines
            .filter(|(stream, line)| of.is_none_or(|of| of == *stream) && !is_mark(line))
            .map(|(_, line)| line)
            .collect();
        let shown = lines.iter().rev().take(N_SHOWN).rev();
        Excerpt(shown.map(|line| line.chars().take(300).collect()).collect())
    }

    /// What a function finds in the newest line that has it.
    pub(crate) fn find<T>(&self, look: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.0.iter().rev().find_map(|(_, line)| look(line))
    }

    /// Whether a line contains a text.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.0.iter().any(|(_, line)| line.contains(text))
    }
}

/// Whether a line only points at a place in the line above it, as tracebacks do since Python 3.11.
fn is_mark(line: &str) -> bool {
    line.chars().all(|character| "^~ ".contains(character))
}

#[cfg(test)]
mod tests;
