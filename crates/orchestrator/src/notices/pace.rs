//! When a notice that did not arrive is tried again: pure functions.

use std::time::Duration;

use protocol::limits::MAX_NOTICE_TRIES;
use store::outbox::Tried;

/// The pause after the first try; each one is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(4 * 3600);

/// What follows a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It arrived.
    Delivered,
    /// It is tried again after this pause.
    Again(Duration),
    /// It is given up.
    GiveUp,
    /// The receiver wants nothing any more.
    Disable,
}

/// What follows try number `n_tries`; `jitter` is from 0 to 1. No other try follows one that `is_final`.
pub(crate) fn next_step(tried: &Tried, is_final: bool, n_tries: u32, jitter: f64) -> Next {
    match tried.status {
        _ if tried.error.is_none() => Next::Delivered,
        // 410 Gone: after Standard Webhooks, nothing is sent there any more.
        Some(410) => Next::Disable,
        _ if is_final => Next::GiveUp,
        _ => pause(n_tries, jitter).map_or(Next::GiveUp, Next::Again),
    }
}

/// The pause after `n_tries`; `None` after the last.
fn pause(n_tries: u32, jitter: f64) -> Option<Duration> {
    if n_tries >= MAX_NOTICE_TRIES {
        return None;
    }
    let doubled = FIRST_PAUSE * (1 << n_tries.saturating_sub(1).min(16));
    // A quarter more or less, so that receivers that come back are not asked by all at once.
    Some(doubled.min(LONGEST_PAUSE).mul_f64(0.75 + 0.5 * jitter))
}
