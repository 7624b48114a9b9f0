//! Sends structured events to standard error: as text to a person, as JSON lines to a program.

use std::{
    io::{IsTerminal, stderr},
    panic::{self, PanicHookInfo},
};

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
        // The error would go to standard error, and panic if that cannot be written.
        .log_internal_errors(false)
        .with_ansi(stderr().is_terminal());
    if std::env::var("MORPHEUS_LOG_FORMAT").as_deref() == Ok("json") {
        builder.json().init();
    } else {
        builder.with_target(false).compact().init();
    }
    log_panics();
}

/// A panic becomes an event like any other error: with what was going on, such as the id of the request, and as JSON
/// where events are.
fn log_panics() {
    let as_before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !tracing::enabled!(tracing::Level::ERROR) {
            return as_before(info);
        }
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or_default();
        tracing::error!(
            panic = words(info),
            place,
            thread,
            "a part of the program panicked"
        );
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            as_before(info);
        }
    }));
}

fn words<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    info.payload_as_str().unwrap_or("without words")
}
