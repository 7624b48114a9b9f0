//! Sends structured events to standard error: as text to a person, as JSON lines to a program.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// Starts logging. `MORPHEUS_LOG` holds a filter such as `debug` or `orchestrator=debug,info`.
pub(crate) fn start(default_filter: &str) {
    start_to(default_filter, stderr);
}

/// The same with another writer in place of standard error.
pub(crate) fn start_to(default_filter: &str, writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let filter = EnvFilter::try_from_env("MORPHEUS_LOG").unwrap_or_else(|_| EnvFilter::new(default_filter));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(stderr().is_terminal());
    if std::env::var("MORPHEUS_LOG_FORMAT").as_deref() == Ok("json") {
        builder.json().init();
    } else {
        builder.with_target(false).compact().init();
    }
}
