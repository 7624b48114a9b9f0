//! The signals that ask a program to end.

use std::{process, thread, time::Duration};

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Makes a file that may not grow any more (`ulimit -f`) an error of the write, like a full disk, where it would end
/// the program. Programs that this one starts begin without it; those of ours do the same.
pub(crate) fn survive_limits_of_files() -> std::io::Result<()> {
    // A handler stays for as long as the program runs, and needs a runtime only to be set up.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _context = runtime.enter();
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

/// Returns when the program is asked to end, by a person (Ctrl-C) or by a service manager.
pub(crate) async fn asked_to_end() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the signals end the program by themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Makes sure that the program ends when it is asked to: the token that it returns is cancelled by the first signal; a
/// second one ends the program at once, and so does the end of `bound` after the first.
///
/// It has a thread and a runtime of its own, and so works whatever keeps the program's threads.
pub(crate) fn end_within(bound: Duration) -> std::io::Result<CancellationToken> {
    let asked = CancellationToken::new();
    let told = asked.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let watch = async move {
        asked_to_end().await;
        told.cancel();
        tokio::select! {
            () = asked_to_end() => {
                tracing::warn!("asked to end a second time: ending at once");
                process::exit(130);
            }
            () = tokio::time::sleep(bound) => {
                tracing::error!(bound_s = bound.as_secs(), "something keeps the program from ending: ending it");
                process::exit(1);
            }
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || runtime.block_on(watch))?;
    Ok(asked)
}
