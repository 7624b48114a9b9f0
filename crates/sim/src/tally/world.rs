//! The state of the provider, and how time changes it. No IO: the time comes in as an argument.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::MicroUsd;

use crate::{
    clock::seconds,
    faults::{Case, Death, Faults, What},
    rented::Beginning,
};

/// From the order until the machine's program runs.
const BOOT: TimeDelta = TimeDelta::seconds(35);
const MS_IN_A_MINUTE: i128 = 60_000;

/// What a minute of one GPU costs, in micro-dollars, on the provider's own hosts and on those of its partners.
pub(super) const GPUS: [Gpu; 3] = [
    Gpu {
        kind: "tl-3090",
        vram_gb: 24,
        own: MicroUsd(6_500),
        partner: Some(MicroUsd(3_700)),
    },
    Gpu {
        kind: "tl-4090",
        vram_gb: 24,
        own: MicroUsd(10_700),
        partner: Some(MicroUsd(5_700)),
    },
    Gpu {
        kind: "tl-B200",
        vram_gb: 180,
        own: MicroUsd(99_000),
        partner: None,
    },
];

/// A type of GPU.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gpu {
    pub(super) kind: &'static str,
    pub(super) vram_gb: u32,
    pub(super) own: MicroUsd,
    pub(super) partner: Option<MicroUsd>,
}

impl Gpu {
    pub(super) fn per_minute(&self, host: &str) -> Option<MicroUsd> {
        match host {
            "own" => Some(self.own),
            "partner" => self.partner,
            _ => None,
        }
    }
}

/// What an order asks for.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    pub(super) label: String,
    pub(super) kind: String,
    pub(super) count: u32,
    pub(super) host: String,
    /// `NAME=VALUE`
    pub(super) boot: Vec<String>,
}

/// A machine, also after its end.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) id: String,
    pub(super) label: String,
    /// With it, the machine may end itself.
    pub(super) ticket: String,
    pub(super) began_at: DateTime<Utc>,
    pub(super) ended_at: Option<DateTime<Utc>>,
    pub(super) has_booted: bool,
    /// `broken` or `halted`, once it has failed.
    pub(super) failure: Option<&'static str>,
    boot: Vec<String>,
    /// What a minute costs, from each of these times on.
    prices: Vec<(DateTime<Utc>, MicroUsd)>,
    ignores_end: bool,
    plan: Vec<(DateTime<Utc>, Happening)>,
}

/// What happens to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happening {
    Boots,
    Dies(Death),
    PriceChanges(u32),
    Ends,
}

/// The provider.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: DateTime<Utc>,
    pub(super) servers: BTreeMap<String, Server>,
    pub(super) faults: Faults,
    /// Counts everything that changes the list.
    pub(super) revision: u64,
    beginning: Beginning,
}

/// Why there is no machine.
pub(super) enum NoServer {
    SoldOut,
    Invalid(&'static str),
    NoCredit,
}

impl World {
    pub(super) fn new(now: DateTime<Utc>, beginning: Beginning) -> Self {
        Self {
            now,
            servers: BTreeMap::new(),
            faults: Faults::new(rand::random()),
            revision: 0,
            beginning,
        }
    }

    /// Lets everything happen that happens until then, in its order.
    pub(super) fn advance(&mut self, to: DateTime<Utc>) {
        loop {
            let planned = self
                .servers
                .values()
                .filter_map(|server| Some((server.plan.iter().min_by_key(|(at, _)| *at)?, &server.id)));
            let Some((&(at, what), id)) = planned.min_by_key(|((at, _), _)| *at) else {
                break;
            };
            if at > to {
                break;
            }
            let id = id.clone();
            self.now = self.now.max(at);
            self.happen(&id, at, what);
        }
        self.now = self.now.max(to);
    }

    fn happen(&mut self, id: &str, at: DateTime<Utc>, what: Happening) {
        self.revision += 1;
        let Some(server) = self.servers.get_mut(id) else {
            return;
        };
        server.plan.retain(|planned| *planned != (at, what));
        match what {
            Happening::Boots => server.has_booted = true,
            Happening::Dies(Death::Vanishes) | Happening::Ends => server.end(at),
            Happening::Dies(Death::Error) => server.fail(at, "broken"),
            Happening::Dies(Death::Exited) => server.fail(at, "halted"),
            Happening::PriceChanges(percent) => {
                let price = server.per_minute().checked_percent(percent);
                server.prices.push((at, price.unwrap_or(MicroUsd(i64::MAX))));
            }
        }
    }

    /// A new machine's id.
    pub(super) fn order(&mut self, wanted: Wanted, most_label: usize) -> Result<String, NoServer> {
        if wanted.label.chars().count() > most_label {
            return Err(NoServer::Invalid("label: has more than 32 characters"));
        }
        if !(1..=8).contains(&wanted.count) {
            return Err(NoServer::Invalid("count: is not from 1 to 8"));
        }
        let case = Case {
            name: Some(&wanted.label),
            caller: None,
        };
        let is_sold_out = self.faults.strike(case, |what| match what {
            What::NoCapacity { gpu } => gpu.as_ref().is_none_or(|gpu| *gpu == wanted.kind).then_some(()),
            _ => None,
        });
        let gpu = GPUS.iter().find(|gpu| gpu.kind == wanted.kind);
        let price = gpu.and_then(|gpu| gpu.per_minute(&wanted.host)?.checked_mul(wanted.count));
        let (Some(price), None) = (price, is_sold_out) else {
            return Err(NoServer::SoldOut);
        };
        if self.bill() >= self.beginning.credit {
            return Err(NoServer::NoCredit);
        }
        let percent = self.faults.strike(case, |what| match what {
            What::Price { percent } => Some(*percent),
            _ => None,
        });
        let price = price.checked_percent(percent.unwrap_or(100)).unwrap_or(price);
        let is_stuck = self
            .faults
            .strike(case, |what| (*what == What::StuckProvisioning).then_some(()));
        let later = self.faults.strike(case, |what| match what {
            What::PriceChange { after_s, percent } => Some((*after_s, Happening::PriceChanges(*percent))),
            _ => None,
        });
        let dies = self.faults.strike(case, |what| match what {
            What::Dies { after_s, how } => Some((*after_s, Happening::Dies(*how))),
            _ => None,
        });
        let mut plan: Vec<_> = later
            .into_iter()
            .chain(dies)
            .map(|(after_s, what)| (self.now + seconds(after_s), what))
            .collect();
        if is_stuck.is_none() {
            plan.push((self.now + BOOT, Happening::Boots));
        }
        // In the order of their creation.
        let id = format!("t{:06}", self.servers.len());
        let server = Server {
            id: id.clone(),
            label: wanted.label,
            ticket: format!("{:016x}", self.faults.number()),
            began_at: self.now,
            ended_at: None,
            has_booted: false,
            failure: None,
            boot: wanted.boot,
            prices: vec![(self.now, price)],
            ignores_end: false,
            plan,
        };
        self.servers.insert(id.clone(), server);
        self.revision += 1;
        Ok(id)
    }

    /// Ends a machine, unless a fault keeps it.
    pub(super) fn end(&mut self, id: &str) {
        self.revision += 1;
        let now = self.now;
        let Some(server) = self.servers.get_mut(id) else {
            return;
        };
        if server.ended_at.is_some() || server.ignores_end {
            return;
        }
        let case = Case {
            name: Some(&server.label),
            caller: None,
        };
        let ignored = self.faults.strike(case, |what| match what {
            What::DeleteIgnored { seconds } => Some(*seconds),
            _ => None,
        });
        match ignored {
            None => server.end(now),
            Some(survives_s) => {
                server.ignores_end = true;
                let at = survives_s.map(|survives_s| (now + seconds(survives_s), Happening::Ends));
                server.plan.extend(at);
            }
        }
    }

    /// What all machines have cost until now.
    pub(super) fn bill(&self) -> MicroUsd {
        let servers = self.servers.values();
        servers.map(|server| server.charged(self.now)).sum()
    }

    /// Until when the records of bills reach.
    pub(super) fn billed_until(&self) -> DateTime<Utc> {
        self.now - seconds(self.beginning.billing_delay_s)
    }
}

impl Server {
    /// What a minute costs now.
    pub(super) fn per_minute(&self) -> MicroUsd {
        self.prices.last().map_or(MicroUsd::ZERO, |(_, price)| *price)
    }

    fn fail(&mut self, at: DateTime<Utc>, how: &'static str) {
        self.failure = Some(how);
        self.plan.retain(|(_, what)| *what == Happening::Ends);
        self.prices.push((at, MicroUsd::ZERO));
    }

    fn end(&mut self, at: DateTime<Utc>) {
        self.plan.clear();
        self.ended_at.get_or_insert(at);
    }

    /// Everything until then, rounded up to whole micro-dollars.
    pub(super) fn charged(&self, until: DateTime<Utc>) -> MicroUsd {
        let until = self.ended_at.map_or(until, |end| end.min(until));
        let mut sum = 0_i128;
        for (index, (from, price)) in self.prices.iter().enumerate() {
            let next = self.prices.get(index + 1);
            let to = next.map_or(until, |(next, _)| until.min(*next));
            sum += i128::from(price.0) * i128::from((to - *from).num_milliseconds().max(0));
        }
        let up = sum.div_euclid(MS_IN_A_MINUTE) + i128::from(sum.rem_euclid(MS_IN_A_MINUTE) != 0);
        MicroUsd(i64::try_from(up).unwrap_or(i64::MAX))
    }

    /// What its program finds in its environment.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let pairs = self.boot.iter().filter_map(|line| line.split_once('='));
        let mut found: BTreeMap<_, _> = pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        found.insert("TALLY_SERVER".to_owned(), self.id.clone());
        found.insert("TALLY_TICKET".to_owned(), self.ticket.clone());
        found
    }
}
