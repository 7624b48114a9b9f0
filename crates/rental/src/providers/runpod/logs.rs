//! A pod's log, line by line, from server-sent events.

use reqwest::Response;
use serde::Deserialize;

use super::TITLE;
use crate::{CallError, CallFault};

const WHAT: &str = "the log of a pod";
/// An event that is longer is no line of a log.
const MOST_BYTES: usize = 1 << 20;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Where to go on after it.
    pub id: String,
    /// `container`, or `system`, which tells how far the image is.
    pub source: String,
    /// What it says.
    pub text: String,
}

/// Lines as they come.
#[derive(Debug)]
pub struct Logs {
    response: Response,
    buffer: Vec<u8>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    source: String,
    line: String,
}

impl Logs {
    pub(super) fn new(response: Response) -> Self {
        Self {
            response,
            buffer: Vec::new(),
        }
    }

    /// The next line; `None` when the provider has ended the log.
    pub async fn next(&mut self) -> Result<Option<LogLine>, CallError> {
        loop {
            while let Some(event) = take_event(&mut self.buffer) {
                if let Some(line) = parse(&event) {
                    return Ok(Some(line));
                }
            }
            let chunk = self
                .response
                .chunk()
                .await
                .map_err(|err| CallFault::unclear(WHAT, err.without_url()).of(TITLE))?;
            let Some(chunk) = chunk else { return Ok(None) };
            self.buffer.extend_from_slice(&chunk);
            if self.buffer.len() > MOST_BYTES {
                return Err(CallFault::unclear(WHAT, "a line without an end").of(TITLE));
            }
        }
    }
}

/// Takes the text before the first empty line.
fn take_event(buffer: &mut Vec<u8>) -> Option<String> {
    let (end, after) = (0..buffer.len()).find_map(|at| match &buffer[at..] {
        [b'\n', b'\n', ..] => Some((at, at + 2)),
        [b'\r', b'\n', b'\r', b'\n', ..] => Some((at, at + 4)),
        _ => None,
    })?;
    let event = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..after);
    Some(event)
}

/// A line; `None` for a sign of life and for anything that is not understood.
fn parse(event: &str) -> Option<LogLine> {
    let mut id = String::new();
    let mut data = String::new();
    for field in event.lines() {
        if let Some(value) = field.strip_prefix("id:") {
            value.trim().clone_into(&mut id);
        } else if let Some(value) = field.strip_prefix("data:") {
            data.push_str(value.strip_prefix(' ').unwrap_or(value));
        }
    }
    let Data { source, line } = serde_json::from_str(&data).ok()?;
    Some(LogLine {
        id,
        source,
        text: line,
    })
}

#[cfg(test)]
mod tests;
