//! How long a value has been unchanged, by this process's own monotonic clock.
//!
//! A time written by another server is not reliable: clocks differ and jump. So a lease has expired when this server
//! has seen no renewal for the length of the lease, whatever time it states. After its start, a server has seen
//! nothing yet, and waits for the whole length.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Rows that were not asked about for this long are forgotten; reconcilers ask far more often.
const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);

/// The aspect of a row that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Aspect {
    /// An attempt's lease, by its fence and its end.
    Lease,
    /// When an attempt was opened, or its instance launched.
    Start,
    /// The request of a job's owner, such as to stop.
    Request,
    /// The end of an attempt.
    End,
    /// Which generation has been waiting the longest.
    Waiting,
    /// When a drawing session was asked for.
    Asked,
    /// When a drawing session was last used.
    Use,
}

/// A value that changes whenever this aspect of the row changes.
pub(crate) type Mark = (i64, Option<DateTime<Utc>>);

/// The observations of this process.
#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<HashMap<(Uuid, Aspect), Seen>>);

#[derive(Debug)]
struct Seen {
    mark: Mark,
    since: Instant,
    asked: Instant,
}

impl Watches {
    /// How long the row has had this mark; zero at the first observation.
    pub(crate) fn unchanged_for(&self, row: Uuid, aspect: Aspect, mark: Mark) -> Duration {
        self.unchanged_at(Instant::now(), row, aspect, mark)
    }

    /// The same, by another monotonic clock.
    pub(crate) fn unchanged_at(&self, now: Instant, row: Uuid, aspect: Aspect, mark: Mark) -> Duration {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = all.get_mut(&(row, aspect)) {
            if seen.mark != mark {
                (seen.mark, seen.since) = (mark, now);
            }
            seen.asked = now;
            return now - seen.since;
        }
        all.retain(|_, seen| now - seen.asked < FORGET_AFTER);
        let seen = Seen {
            mark,
            since: now,
            asked: now,
        };
        all.insert((row, aspect), seen);
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_clock_that_jumps_changes_nothing() {
        let watches = Watches::default();
        let (row, written) = (Uuid::now_v7(), Utc::now());
        let mut now = Instant::now();
        // Whether the time in the row lies an hour ahead or an hour back, only its change counts.
        for skew in [TimeDelta::hours(1), TimeDelta::hours(-1)] {
            let look = |now, n: i32| {
                let renewed = written + skew + TimeDelta::seconds(n.into());
                watches.unchanged_at(now, row, Aspect::Lease, (1, Some(renewed)))
            };
            for n in 0..5 {
                assert_eq!(look(now, n), Duration::ZERO, "renewed just now");
                now += MINUTE;
            }
            assert_eq!(look(now, 4), MINUTE);
            now += MINUTE;
            assert_eq!(look(now, 4), 2 * MINUTE);
        }
    }

    #[test]
    fn what_nobody_asks_about_is_forgotten() {
        let watches = Watches::default();
        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
        let now = Instant::now();
        watches.unchanged_at(now, one, Aspect::End, (0, None));
        watches.unchanged_at(now + FORGET_AFTER + MINUTE, other, Aspect::End, (0, None));
        assert_eq!(watches.0.lock().unwrap().len(), 1);
    }
}
