//! Limits failed sign-ins, per address and in total, and counts them for the audit log.
//!
//! A secret has 256 random bits and cannot be guessed, so a valid one is always accepted, even from an address whose
//! limit is used up by others behind the same proxy. Only failures become slower: beyond the limit the response is 429
//! with the time to wait, and the log has one line per address and minute. Memory use is bounded.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use protocol::limits::{
    ALL_REFUSALS_EVERY, MAX_ALL_REFUSALS, MAX_REFUSAL_ENTRIES, MAX_REFUSALS, MAX_REFUSED_ADDRESSES,
    REFUSALS_EVERY,
};
use store::audit::Refused;

/// What addresses without an entry of their own are called in the audit log.
const ELSEWHERE: &str = "other addresses";

/// The kind of secret used for a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum With {
    /// The form, or a login address.
    Login,
    /// A bearer token.
    Token,
    /// A cookie.
    Session,
}

impl With {
    const ALL: [Self; 3] = [Self::Login, Self::Token, Self::Session];

    fn as_text(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Token => "token",
            Self::Session => "session",
        }
    }
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Guard(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    addresses: HashMap<Option<IpAddr>, Tries>,
    elsewhere: Tries,
    all: Bucket,
}

#[derive(Debug, Default)]
struct Tries {
    bucket: Bucket,
    /// Failures that are not in the audit log yet.
    n_unwritten: [u32; With::ALL.len()],
}

/// A leaky bucket.
#[derive(Debug, Default)]
struct Bucket {
    level: f64,
    since: Option<Instant>,
}

impl Bucket {
    /// Adds one; how long to wait if there was no room.
    fn add(&mut self, now: Instant, burst: u32, every: Duration) -> Option<Duration> {
        let burst = f64::from(burst);
        self.leak(now, every);
        if self.level + 1.0 <= burst {
            self.level += 1.0;
            return None;
        }
        Some(every.mul_f64(self.level + 1.0 - burst))
    }

    fn leak(&mut self, now: Instant, every: Duration) {
        if let Some(since) = self.since.replace(now) {
            let leaked = now.saturating_duration_since(since).as_secs_f64() / every.as_secs_f64();
            self.level = (self.level - leaked).max(0.0);
        }
    }
}

/// The response to a failed sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The first failure of this address in a while, which is logged.
    pub(crate) is_first: bool,
    /// Too many failures; the next attempt is allowed after this time.
    pub(crate) wait: Option<Duration>,
}

impl Guard {
    /// Records a failed sign-in.
    pub(crate) fn refused(&self, address: Option<IpAddr>, with: With, now: Instant) -> Verdict {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *inner;
        let address = address.map(network);
        let is_known = inner.addresses.contains_key(&address);
        let tries = if is_known || inner.addresses.len() < MAX_REFUSED_ADDRESSES {
            inner.addresses.entry(address).or_default()
        } else {
            &mut inner.elsewhere
        };
        let is_first = tries.n_unwritten.iter().all(|n| *n == 0);
        let n = &mut tries.n_unwritten[with as usize];
        *n = n.saturating_add(1);
        let own = tries.bucket.add(now, MAX_REFUSALS, REFUSALS_EVERY);
        Verdict {
            is_first,
            // One address that is over its own limit takes nothing of what all share.
            wait: own.or_else(|| inner.all.add(now, MAX_ALL_REFUSALS, ALL_REFUSALS_EVERY)),
        }
    }

    /// Returns failures since the last call, and drops inactive addresses.
    pub(crate) fn drain(&self, now: Instant) -> Vec<Refused> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *inner;
        let mut drained = Vec::new();
        for (address, tries) in &mut inner.addresses {
            let address = address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
            tries.drain(&address, &mut drained);
        }
        inner.addresses.retain(|_, tries| {
            tries.bucket.leak(now, REFUSALS_EVERY);
            tries.bucket.level > 0.0
        });
        inner.elsewhere.drain(ELSEWHERE, &mut drained);
        merged(drained)
    }
}

impl Tries {
    fn drain(&mut self, address: &str, into: &mut Vec<Refused>) {
        for (with, n) in With::ALL.into_iter().zip(std::mem::take(&mut self.n_unwritten)) {
            if n > 0 {
                into.push(Refused {
                    address: address.to_owned(),
                    with: with.as_text(),
                    n,
                });
            }
        }
    }
}

/// The addresses with the most refusals, and the others as one.
fn merged(mut all: Vec<Refused>) -> Vec<Refused> {
    if all.len() <= MAX_REFUSAL_ENTRIES {
        return all;
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.n));
    let n = all
        .split_off(MAX_REFUSAL_ENTRIES - 1)
        .iter()
        .fold(0_u32, |n, one| n.saturating_add(one.n));
    all.push(Refused {
        address: ELSEWHERE.to_owned(),
        with: With::Token.as_text(),
        n,
    });
    all
}

/// Addresses are grouped by IPv6 /64 network, because one client has a whole network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests;
