//! What commands print: results on standard output, errors on standard error.

use std::{
    fmt::Display,
    io::{self, Write},
};

use serde::Serialize;

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
    if let Err(err) = writeln!(out, "{text}").and_then(|()| out.flush())
        && err.kind() == io::ErrorKind::BrokenPipe
    {
        // The reader, `head` for example, has seen enough.
        std::process::exit(0);
    }
}
