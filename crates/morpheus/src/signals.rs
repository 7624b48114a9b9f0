//! The signals that ask a program to end.

use std::{fs, process, sync::OnceLock, thread, time::Duration};

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind, signal};
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

/// Returns when the program is asked to end, by a person (Ctrl-C), by a service manager, or by a terminal that is
/// closed.
pub(crate) async fn asked_to_end() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the signals end the program by themselves.
        return std::future::pending().await;
    };
    let hangup = if outlives_its_terminal() {
        None
    } else {
        signal(SignalKind::hangup()).ok()
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = hung_up(hangup) => {}
    }
}

async fn hung_up(hangup: Option<unix::Signal>) {
    match hangup {
        Some(mut hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether the program was started to go on after its terminal is closed, as `nohup` does: it ignores that signal. It
/// is looked at once, before there is a handler.
fn outlives_its_terminal() -> bool {
    static OUTLIVES: OnceLock<bool> = OnceLock::new();
    *OUTLIVES.get_or_init(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        ignores_hangup(&status)
    })
}

/// What `/proc/self/status` says of it: a bit for each signal that is ignored, the lowest for number 1, which it is.
fn ignores_hangup(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
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
                tracing::warn!("second signal: exiting immediately");
                process::exit(130);
            }
            () = tokio::time::sleep(bound) => {
                tracing::error!(bound_s = bound.as_secs(), "shutdown is blocked: exiting now");
                process::exit(1);
            }
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || runtime.block_on(watch))?;
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::ignores_hangup;

    #[test]
    fn a_program_under_nohup_is_known() {
        assert!(ignores_hangup(
            "Name:\tmorpheus\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"
        ));
        assert!(!ignores_hangup(
            "Name:\tmorpheus\nSigIgn:\t0000000000001000\nSigCgt:\t1\n"
        ));
        assert!(!ignores_hangup(""));
    }
}
