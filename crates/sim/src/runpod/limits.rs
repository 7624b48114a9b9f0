//! The provider's rate limits: one bucket of tokens for a minute, an hour and a day.

use chrono::{DateTime, Utc};

/// Requests that an account may send in each window; `None` switches the limits off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// In a minute.
    pub minute: u32,
    /// In an hour.
    pub hour: u32,
    /// In a day.
    pub day: u32,
}

impl Default for Quota {
    /// The figures of the provider's own documentation.
    fn default() -> Self {
        Self {
            minute: 60,
            hour: 3_000,
            day: 50_000,
        }
    }
}

/// An account's buckets.
#[derive(Debug)]
pub(super) struct Buckets(Vec<Bucket>);

/// Whether a request may pass, and what its answer says about the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Passed {
    /// The window that is used up, and the seconds until it has room again.
    pub(super) refused: Option<(&'static str, u64)>,
    pub(super) limit: String,
    pub(super) policy: String,
}

#[derive(Debug)]
struct Bucket {
    window: &'static str,
    length_ms: u64,
    quota: u64,
    /// Room, in tokens times `length_ms`, so that it refills in whole numbers.
    room: u64,
    at: DateTime<Utc>,
}

impl Buckets {
    pub(super) fn new(quota: Quota, now: DateTime<Utc>) -> Self {
        let bucket = |window, length_s: u64, quota: u32| Bucket {
            window,
            length_ms: length_s * 1000,
            quota: u64::from(quota),
            room: u64::from(quota) * length_s * 1000,
            at: now,
        };
        Self(vec![
            bucket("minute", 60, quota.minute),
            bucket("hour", 3_600, quota.hour),
            bucket("day", 86_400, quota.day),
        ])
    }

    /// Takes a token from each bucket, or none when one of them is empty.
    pub(super) fn take(&mut self, now: DateTime<Utc>) -> Passed {
        for bucket in &mut self.0 {
            bucket.refill(now);
        }
        let refused = self.0.iter().find(|bucket| bucket.room < bucket.length_ms);
        let refused = refused.map(|bucket| (bucket.window, bucket.seconds_until(bucket.length_ms)));
        if refused.is_none() {
            for bucket in &mut self.0 {
                bucket.room -= bucket.length_ms;
            }
        }
        let list = |part: &dyn Fn(&Bucket) -> String| self.0.iter().map(part).collect::<Vec<_>>().join(", ");
        Passed {
            refused,
            limit: list(&|bucket| {
                let full_in = bucket.seconds_until(bucket.quota * bucket.length_ms);
                format!(
                    "\"{}\";r={};t={full_in}",
                    bucket.window,
                    bucket.room / bucket.length_ms
                )
            }),
            policy: list(&|bucket| {
                format!(
                    "\"{}\";q={};w={}",
                    bucket.window,
                    bucket.quota,
                    bucket.length_ms / 1000
                )
            }),
        }
    }
}

impl Bucket {
    fn refill(&mut self, now: DateTime<Utc>) {
        let passed_ms = u64::try_from((now - self.at).num_milliseconds()).unwrap_or(0);
        let most = self.quota * self.length_ms;
        self.room = passed_ms
            .saturating_mul(self.quota)
            .saturating_add(self.room)
            .min(most);
        self.at = self.at.max(now);
    }

    fn seconds_until(&self, room: u64) -> u64 {
        let missing = room.saturating_sub(self.room);
        missing.div_ceil(self.quota.max(1)).div_ceil(1000)
    }
}
