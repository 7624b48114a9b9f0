//! Everything that can go wrong at a simulated provider, to be switched on in code or, at RunPod's, at `/__sim/faults`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::clock::seconds;

/// A fault, and when it strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub what: What,
    /// How many times; until it is taken away when absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// In how many of a hundred cases; in all when absent.
    #[serde(default)]
    pub percent: Option<u8>,
    /// Only for pods whose names begin so.
    #[serde(default)]
    pub name: Option<String>,
    /// Only for requests with such a key.
    #[serde(default)]
    pub caller: Option<Caller>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    /// A pod is created, and the caller is not told.
    CreateLost {
        /// What it is told instead.
        reply: Reply,
    },
    /// A request is refused and changes nothing: 401, 402, 403, 429, 500, …
    Answer {
        /// Which.
        route: Route,
        /// The status.
        status: u16,
        /// A `Retry-After` header.
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
    /// A request changes nothing and is not answered.
    Silence {
        /// Which.
        route: Route,
        /// In which way.
        reply: Reply,
    },
    /// There is no machine with this GPU, or with any.
    NoCapacity {
        /// Its id.
        #[serde(default)]
        gpu: Option<String>,
    },
    /// New pods show up late.
    Lag {
        /// Where.
        reads: Reads,
        /// After how many seconds.
        seconds: u32,
    },
    /// Pods are missing from answers for a while after the fault was set, and come back.
    Omit {
        /// From which.
        reads: Reads,
        /// For how many seconds.
        seconds: u32,
    },
    /// A deletion is confirmed, and the pod lives on.
    DeleteIgnored {
        /// For how many seconds; for ever when absent.
        #[serde(default)]
        seconds: Option<u32>,
    },
    /// A new pod never gets a machine, and is charged.
    StuckProvisioning,
    /// A new pod's machine fails.
    Dies {
        /// Seconds after its creation.
        after_s: u32,
        /// What is seen of it.
        how: Death,
    },
    /// A new pod's container ends by itself, each time that it is started.
    ContainerExits {
        /// Seconds after its start.
        after_s: u32,
    },
    /// A new pod costs this part of the catalogue's price.
    Price {
        /// 100 is what the catalogue says.
        percent: u32,
    },
    /// A new pod's price changes while it runs.
    PriceChange {
        /// Seconds after its creation.
        after_s: u32,
        /// 100 is no change.
        percent: u32,
    },
    /// Pods cannot reach the control plane; needs the runner `process` with a relay.
    ControlPlaneUnreachable,
    /// A new pod's clock is wrong; needs the runner `process` and Debian's package `faketime`.
    ClockSkew {
        /// By how much it is ahead.
        seconds: i64,
    },
}

/// What a caller gets in place of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// An internal error.
    Status500,
    /// Nothing, until it gives up.
    Hang,
    /// A closed connection.
    Reset,
}

/// Reads that a pod can be missing from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// The list.
    List,
    /// The pod's own page.
    Get,
    /// Both.
    Both,
}

/// How a pod ends that nobody ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Death {
    /// It is gone.
    Vanishes,
    /// It stays as `ERROR`, and its volume is charged.
    Error,
    /// It stays as `EXITED`, and its volume is charged.
    Exited,
}

/// Whose key a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// The account's.
    Account,
    /// A pod's own.
    Pod,
}

/// Groups of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Every one.
    Any,
    /// Orders.
    Create,
    /// The list of machines.
    List,
    /// One machine.
    Get,
    /// Changes of a machine.
    Update,
    /// Orders to end a machine.
    Delete,
    /// Other orders to a machine.
    Action,
    /// A machine's log.
    Logs,
    /// What is on offer.
    Catalogue,
    /// Bills.
    Billing,
    /// Volumes.
    Volumes,
    /// An older API.
    Graphql,
}

impl Fault {
    /// A fault that strikes always, until it is taken away.
    pub fn always(what: What) -> Self {
        Self {
            what,
            times: None,
            percent: None,
            name: None,
            caller: None,
        }
    }

    /// A fault that strikes once.
    pub fn once(what: What) -> Self {
        Self::always(what).times(1)
    }

    /// Strikes so many times.
    #[must_use]
    pub fn times(mut self, n: u32) -> Self {
        self.times = Some(n);
        self
    }

    /// Strikes in so many of a hundred cases.
    #[must_use]
    pub fn percent(mut self, percent: u8) -> Self {
        self.percent = Some(percent);
        self
    }

    /// Strikes only pods whose names begin so.
    #[must_use]
    pub fn named(mut self, prefix: impl Into<String>) -> Self {
        self.name = Some(prefix.into());
        self
    }

    /// Strikes only requests with such a key.
    #[must_use]
    pub fn from_caller(mut self, caller: Caller) -> Self {
        self.caller = Some(caller);
        self
    }
}

/// What a fault's filters are compared with.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Case<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) caller: Option<Caller>,
}

/// The faults that are set.
#[derive(Debug)]
pub(crate) struct Faults {
    set: Vec<(DateTime<Utc>, Fault)>,
    dice: Dice,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            set: Vec::new(),
            dice: Dice(seed),
        }
    }

    pub(crate) fn add(&mut self, now: DateTime<Utc>, fault: Fault) {
        self.set.push((now, fault));
    }

    pub(crate) fn clear(&mut self) {
        self.set.clear();
    }

    pub(crate) fn list(&self) -> Vec<&Fault> {
        self.set.iter().map(|(_, fault)| fault).collect()
    }

    /// The first of the wanted faults that strikes this case; it counts as having struck.
    pub(crate) fn strike<T>(&mut self, case: Case<'_>, wanted: impl Fn(&What) -> Option<T>) -> Option<T> {
        for (_, fault) in &mut self.set {
            let Some(found) = wanted(&fault.what) else {
                continue;
            };
            if !fault.fits(case) || fault.times == Some(0) {
                continue;
            }
            if fault
                .percent
                .is_some_and(|percent| self.dice.roll() % 100 >= u64::from(percent))
            {
                continue;
            }
            if let Some(times) = &mut fault.times {
                *times -= 1;
            }
            return Some(found);
        }
        None
    }

    /// Whether a pod is missing from a read.
    pub(crate) fn hides(
        &self,
        read: Reads,
        name: &str,
        created_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> bool {
        let case = Case {
            name: Some(name),
            caller: None,
        };
        self.set.iter().any(|(set_at, fault)| {
            let (reads, until) = match fault.what {
                What::Lag { reads, seconds: n } => (reads, created_at + seconds(n)),
                What::Omit { reads, seconds: n } => (reads, *set_at + seconds(n)),
                _ => return false,
            };
            (reads == read || reads == Reads::Both) && now < until && fault.fits(case)
        })
    }

    pub(crate) fn is_partitioned(&self, name: &str) -> bool {
        let case = Case {
            name: Some(name),
            caller: None,
        };
        self.set
            .iter()
            .any(|(_, fault)| fault.what == What::ControlPlaneUnreachable && fault.fits(case))
    }

    /// A number that nobody foresees; the same ones again for the same seed.
    pub(crate) fn number(&mut self) -> u64 {
        self.dice.roll()
    }
}

impl Fault {
    fn fits(&self, case: Case<'_>) -> bool {
        let name_fits = match (&self.name, case.name) {
            (Some(prefix), Some(name)) => name.starts_with(prefix),
            (Some(_), None) => false,
            (None, _) => true,
        };
        name_fits && (self.caller.is_none() || case.caller.is_none() || self.caller == case.caller)
    }
}

impl Route {
    /// Whether a fault of this route strikes a request of another.
    pub(crate) fn covers(self, request: Self) -> bool {
        self == Self::Any || self == request
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): a seed is enough to repeat a run.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
