//! The simulator's clock: the real one, one that runs faster, or one that a test moves by hand.

use std::{
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};

/// How time passes in the simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// As it does outside.
    #[default]
    Real,
    /// This many times as fast.
    Scaled(u32),
    /// Only when somebody steps it.
    Stepped,
}

impl FromStr for Pace {
    type Err = String;

    /// `real`, `scaled:60` or `stepped`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "real" => Ok(Self::Real),
            None if text == "stepped" => Ok(Self::Stepped),
            Some(("scaled", factor)) => match factor.parse() {
                Ok(factor) if factor > 0 => Ok(Self::Scaled(factor)),
                _ => Err(format!("`{factor}` is not a whole number above 0")),
            },
            _ => Err("write it as real, scaled:60 or stepped".to_owned()),
        }
    }
}

/// A clock.
#[derive(Debug)]
pub(crate) struct Clock {
    pace: Pace,
    origin: Instant,
    /// What the clock showed at `origin`, and what was stepped since.
    shown: Mutex<DateTime<Utc>>,
}

impl Clock {
    pub(crate) fn new(pace: Pace, start: DateTime<Utc>) -> Self {
        Self {
            pace,
            origin: Instant::now(),
            shown: Mutex::new(start),
        }
    }

    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        let factor = match self.pace {
            Pace::Real => 1,
            Pace::Scaled(factor) => factor,
            Pace::Stepped => 0,
        };
        let passed = self.origin.elapsed().saturating_mul(factor);
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) + delta(passed)
    }

    /// Moves the clock on, in any pace.
    pub(crate) fn step(&self, by: Duration) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) += delta(by);
    }
}

/// A length of time as chrono has it; more than chrono can hold becomes its most.
pub(crate) fn delta(time: Duration) -> TimeDelta {
    TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX)
}

/// Seconds as a length of time.
pub(crate) fn seconds(n: u32) -> TimeDelta {
    TimeDelta::seconds(i64::from(n))
}
