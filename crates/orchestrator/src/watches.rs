//! How long something has stayed as it is, by this process's own steady clock.
//!
//! A time that another server wrote says little: clocks differ and jump. So a lease has run out when this server
//! has seen it unrenewed for its whole length, whatever the time in it says. A server that starts has seen
//! nothing yet, and gives everything its whole time.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// What nobody asked about for this long is forgotten; reconcilers look far more often.
const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);

/// What is watched of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Aspect {
    /// An attempt's lease, by its fence and its end.
    Lease,
    /// When an attempt was opened, or its instance launched.
    Start,
    /// What a job's owner asked for.
    Request,
    /// The end of an attempt.
    End,
    /// That a generation is the one that waits longest.
    Waiting,
}

/// A value that changes when the row's aspect does.
pub(crate) type Mark = (i64, Option<DateTime<Utc>>);

/// What this process has seen.
#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<HashMap<(Uuid, Aspect), Seen>>);

#[derive(Debug)]
struct Seen {
    mark: Mark,
    since: Instant,
    asked: Instant,
}

impl Watches {
    /// How long the mark of a row has been this one; zero at the first look.
    pub(crate) fn unchanged_for(&self, row: Uuid, aspect: Aspect, mark: Mark) -> Duration {
        self.unchanged_at(Instant::now(), row, aspect, mark)
    }

    /// The same, by another steady clock.
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
