//! Lengths of time, between the standard library's and chrono's.

use std::time::Duration;

use chrono::TimeDelta;

/// The same length; one that is too long for it is the longest.
pub(crate) fn time_delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
