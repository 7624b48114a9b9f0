//! What commands print: results on standard output, errors on standard error.

use std::{
    fmt::Display,
    io::{self, Write},
    sync::OnceLock,
};

use anyhow::anyhow;
use serde::Serialize;

/// Why a part of the result did not reach its reader: the first such error.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Prints a line of a result.
pub(crate) fn line(text: impl Display) {
    print(format_args!("{text}"));
}

/// Prints a result for a program: one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string(value)?);
    Ok(())
}

/// Prints a line that is no result, for a person who watches.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints an error with everything that led to it.
pub(crate) fn error(err: &anyhow::Error) {
    let _ = writeln!(io::stderr().lock(), "error: {err:#}");
}

fn print(text: std::fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    if let Err(err) = writeln!(out, "{text}").and_then(|()| out.flush()) {
        if err.kind() == io::ErrorKind::BrokenPipe {
            // The reader, `head` for example, has seen enough.
            std::process::exit(0);
        }
        // What the command does goes on, and is worth more than its words; it ends with this error.
        let _ = LOST.set(err);
    }
}

/// The error that a command ends with if not all of its result could be written.
pub(crate) fn lost() -> Option<anyhow::Error> {
    let err = LOST.get()?;
    Some(anyhow!(
        "failed to write the result to the standard output: {err}; what the command had to do is done"
    ))
}
