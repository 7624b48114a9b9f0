//! The two clocks of a machine, and how fast the provider's runs.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What both clocks of a machine show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Time since the machine was started. It never goes back, also counts while the machine is suspended, and is the
    /// same for all processes of the machine.
    pub monotonic: Duration,
    /// What the machine believes the time to be; it may be wrong, and it may jump.
    pub wall: DateTime<Utc>,
}

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self {
            monotonic: Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default(),
            wall: Utc::now(),
        }
    }
}

/// How many times as fast as the machine's clocks the provider's runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale(u32);

impl Scale {
    /// Any provider that is real.
    pub const REAL: Self = Self(1);

    /// A simulated provider's; 0 is none.
    pub fn new(factor: u32) -> Option<Self> {
        (factor > 0).then_some(Self(factor))
    }

    /// How much time has passed at the provider.
    pub fn provider(self, real: Duration) -> Duration {
        real.saturating_mul(self.0)
    }

    /// How much of our time that is.
    pub fn real(self, provider: Duration) -> Duration {
        provider / self.0
    }

    pub(super) fn is_real(self) -> bool {
        self == Self::REAL
    }
}

impl Default for Scale {
    fn default() -> Self {
        Self::REAL
    }
}
