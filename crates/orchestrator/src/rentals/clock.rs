//! An estimate of the provider's clock: the time in its last answer, plus the time since.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use crate::time::time_delta;

/// A monotonic clock that tells how long it has run, in the provider's time.
#[derive(Clone)]
pub struct Elapsed(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Elapsed {
    /// A clock that is moved by its caller.
    pub fn new(elapsed: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(elapsed))
    }

    /// This machine's, times `scale`.
    pub(crate) fn steady(scale: u32) -> Self {
        let origin = Instant::now();
        Self::new(move || origin.elapsed().saturating_mul(scale))
    }
}

impl fmt::Debug for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Elapsed(…)")
    }
}

/// See the module's text. Our own wall clock counts only until the first answer.
#[derive(Debug)]
pub struct Clock {
    elapsed: Elapsed,
    origin: Instant,
    /// What it showed when, by `elapsed`.
    heard: Mutex<(DateTime<Utc>, Duration)>,
}

impl Clock {
    /// A clock without an answer from the provider yet.
    pub fn new(elapsed: Elapsed) -> Self {
        let now = (elapsed.0)();
        Self {
            elapsed,
            origin: Instant::now(),
            heard: Mutex::new((Utc::now(), now)),
        }
    }

    /// Records the provider's time.
    pub(crate) fn heard(&self, at: DateTime<Utc>) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = (at, (self.elapsed.0)());
    }

    /// What it shows now.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let (at, when) = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        at + time_delta((self.elapsed.0)().saturating_sub(when))
    }

    /// For [`crate::watches::Watches`], which measure by a steady clock.
    pub(crate) fn instant(&self) -> Instant {
        self.origin + (self.elapsed.0)()
    }
}
