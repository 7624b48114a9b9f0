//! The state of the simulated provider, and how time changes it. No IO: the time comes in as an argument.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::MicroUsd;

use super::{
    catalogue::Catalogue,
    clock::seconds,
    faults::{Case, Death, Faults, What},
    limits::{Buckets, Passed, Quota},
    meter::{Amounts, Rate},
    pod::{Happening, Phase, Pod, Source},
    problem::{Answer, Problem},
    volumes::Volume,
};

/// A container that ended is started again after this time, for ever; seen by its users as runs every 17 seconds.
const RESTART_PAUSE: TimeDelta = TimeDelta::seconds(17);
/// How often the provider takes money off an account.
const CHARGE_PERIOD: TimeDelta = TimeDelta::minutes(5);

/// How long the steps of a pod's start take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// Until it has a machine.
    pub allocation_s: u32,
    /// Until its image is there.
    pub pull_s: u32,
    /// By how much the billing records lag behind.
    pub billing_s: u32,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            allocation_s: 5,
            pull_s: 30,
            billing_s: 0,
        }
    }
}

/// An account with its key.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) key: String,
    /// Everything that was ever paid in.
    pub(super) credit: MicroUsd,
    /// What was taken off so far.
    pub(super) charged: MicroUsd,
    buckets: Option<Buckets>,
}

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sender {
    Account(usize),
    Pod { account: usize, id: String },
}

impl Sender {
    pub(super) fn account(&self) -> usize {
        match self {
            Self::Account(account) | Self::Pod { account, .. } => *account,
        }
    }
}

/// What has to be done outside, to the programs that stand in for containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    StartContainer { pod: String, n_starts: u32 },
    EndContainer { pod: String },
}

/// The provider.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: DateTime<Utc>,
    pub(super) accounts: Vec<Account>,
    pub(super) catalogue: Catalogue,
    pub(super) pods: BTreeMap<String, Pod>,
    pub(super) volumes: BTreeMap<String, Volume>,
    pub(super) faults: Faults,
    pub(super) delays: Delays,
    quota: Option<Quota>,
    next_charge: DateTime<Utc>,
    effects: Vec<Effect>,
}

/// How a world begins.
pub(super) struct Beginning {
    pub(super) now: DateTime<Utc>,
    pub(super) catalogue: Catalogue,
    pub(super) delays: Delays,
    pub(super) quota: Option<Quota>,
    pub(super) seed: u64,
}

impl World {
    pub(super) fn new(beginning: Beginning) -> Self {
        let Beginning {
            now,
            catalogue,
            delays,
            quota,
            seed,
        } = beginning;
        Self {
            now,
            accounts: Vec::new(),
            catalogue,
            pods: BTreeMap::new(),
            volumes: BTreeMap::new(),
            faults: Faults::new(seed),
            delays,
            quota,
            next_charge: now + CHARGE_PERIOD,
            effects: Vec::new(),
        }
    }

    pub(super) fn add_account(&mut self, key: String, credit: MicroUsd) {
        self.accounts.push(Account {
            key,
            credit,
            charged: MicroUsd::ZERO,
            buckets: self.quota.map(|quota| Buckets::new(quota, self.now)),
        });
    }

    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Lets everything happen that happens until then, in its order.
    pub(super) fn advance(&mut self, to: DateTime<Utc>) {
        loop {
            let first = self
                .pods
                .values()
                .filter_map(|pod| pod.next_happening().map(|(at, what)| (at, pod.id.clone(), what)))
                .min_by_key(|(at, _, _)| *at);
            let charge_at = self.next_charge;
            match first {
                Some((at, id, what)) if at <= to && at <= charge_at => {
                    self.now = self.now.max(at);
                    self.happen(&id, at, what);
                }
                _ if charge_at <= to => {
                    self.now = self.now.max(charge_at);
                    self.charge();
                    self.next_charge = charge_at + CHARGE_PERIOD;
                }
                _ => break,
            }
        }
        self.now = self.now.max(to);
    }

    fn happen(&mut self, id: &str, at: DateTime<Utc>, what: Happening) {
        let pull = seconds(self.delays.pull_s);
        let Some(pod) = self.pods.get_mut(id) else { return };
        pod.forget(what);
        match what {
            Happening::Allocated => {
                pod.phase = Phase::Starting;
                pod.log.write(
                    at,
                    Source::System,
                    format!("create container {}", pod.wanted.image),
                );
                pod.plan(at + pull, Happening::Pulled);
            }
            Happening::Pulled => {
                pod.phase = Phase::Running;
                pod.started_at = Some(at);
                pod.log.write(at, Source::System, "image is ready");
                self.start_container(id, at);
            }
            Happening::ContainerStarts => self.start_container(id, at),
            Happening::ContainerEnds => {
                let n_starts = pod.n_starts;
                self.effects.push(Effect::EndContainer { pod: id.to_owned() });
                self.container_ended(id, n_starts, at, "exit code 1");
            }
            Happening::Dies(Death::Vanishes) => self.end(id, at),
            Happening::Dies(Death::Error) => self.halt(id, at, Phase::Error),
            Happening::Dies(Death::Exited) => self.halt(id, at, Phase::Exited),
            Happening::PriceChanges(percent) => {
                pod.price = pod.price.checked_percent(percent).unwrap_or(pod.price);
                self.set_rate(id, at);
            }
            Happening::DeletionHappens => self.end(id, at),
        }
    }

    fn start_container(&mut self, id: &str, at: DateTime<Utc>) {
        let Some(pod) = self.pods.get_mut(id) else { return };
        pod.n_starts += 1;
        pod.container_since = Some(at);
        pod.log.write(at, Source::System, "start container");
        if let Some(after_s) = pod.exits_after_s {
            pod.plan(at + seconds(after_s), Happening::ContainerEnds);
        }
        self.effects.push(Effect::StartContainer {
            pod: id.to_owned(),
            n_starts: pod.n_starts,
        });
    }

    /// A container's program is over: the provider starts it again, and goes on charging.
    pub(super) fn container_ended(&mut self, id: &str, n_starts: u32, at: DateTime<Utc>, how: &str) {
        let Some(pod) = self.pods.get_mut(id) else { return };
        if pod.phase != Phase::Running || pod.n_starts != n_starts || pod.container_since.is_none() {
            return;
        }
        pod.container_since = None;
        pod.log
            .write(at, Source::System, format!("container ended with {how}"));
        pod.plan(at + RESTART_PAUSE, Happening::ContainerStarts);
    }

    /// Gives the machine back, and keeps the volume.
    pub(super) fn halt(&mut self, id: &str, at: DateTime<Utc>, phase: Phase) {
        self.leave_machine(id);
        let Some(pod) = self.pods.get_mut(id) else { return };
        pod.phase = phase;
        let volume_gb = pod.volume_gb();
        pod.meter.set(at, Rate::stopped(volume_gb));
    }

    /// Ends a pod for good.
    pub(super) fn end(&mut self, id: &str, at: DateTime<Utc>) {
        self.leave_machine(id);
        let Some(pod) = self.pods.get_mut(id) else { return };
        pod.phase = Phase::Terminated;
        pod.plan.clear();
        pod.meter.stop(at);
    }

    fn leave_machine(&mut self, id: &str) {
        let Some(pod) = self.pods.get_mut(id) else { return };
        if !pod.is_up() {
            return;
        }
        for what in [
            Happening::Allocated,
            Happening::Pulled,
            Happening::ContainerStarts,
            Happening::ContainerEnds,
        ] {
            pod.forget(what);
        }
        pod.container_since = None;
        self.effects.push(Effect::EndContainer { pod: id.to_owned() });
        let (gpu, count, place) = (pod.gpu.clone(), pod.gpu_count, pod.place.clone());
        self.catalogue.give_back(&gpu, pod.wanted.cloud, count, &place);
    }

    /// The container alone: ends it, and starts it at once.
    pub(super) fn restart(&mut self, id: &str, at: DateTime<Utc>) {
        let Some(pod) = self.pods.get_mut(id) else { return };
        if pod.phase != Phase::Running {
            return;
        }
        pod.forget(Happening::ContainerStarts);
        pod.forget(Happening::ContainerEnds);
        self.effects.push(Effect::EndContainer { pod: id.to_owned() });
        self.start_container(id, at);
    }

    pub(super) fn set_rate(&mut self, id: &str, at: DateTime<Utc>) {
        let Some(pod) = self.pods.get_mut(id).filter(|pod| pod.is_up()) else {
            return;
        };
        let rate = Rate::running(pod.price, pod.wanted.disk, pod.volume_gb());
        pod.meter.set(at, rate);
    }

    /// What an account's pods have cost until now.
    pub(super) fn bill(&self, account: usize) -> Amounts {
        self.pods
            .values()
            .filter(|pod| pod.account == account)
            .fold(Amounts::default(), |sum, pod| sum.plus(pod.meter.until(self.now)))
    }

    /// What its pods cost in an hour.
    pub(super) fn rate(&self, account: usize) -> MicroUsd {
        self.pods
            .values()
            .filter(|pod| pod.account == account)
            .filter_map(|pod| Some(pod.meter.rate()?.gpu))
            .sum()
    }

    pub(super) fn balance(&self, account: usize) -> MicroUsd {
        let account = &self.accounts[account];
        account.credit - account.charged
    }

    /// Takes what pods have cost off the accounts; one that is empty loses its pods.
    fn charge(&mut self) {
        for account in 0..self.accounts.len() {
            self.accounts[account].charged = self.bill(account).total();
            if self.balance(account) > MicroUsd::ZERO {
                continue;
            }
            let up: Vec<(String, bool)> = self
                .pods
                .values()
                .filter(|pod| pod.account == account && pod.is_up())
                .map(|pod| (pod.id.clone(), pod.wanted.mounts.network.is_some()))
                .collect();
            for (id, has_network_volume) in up {
                if has_network_volume {
                    self.halt(&id, self.now, Phase::Exited);
                } else {
                    self.end(&id, self.now);
                }
            }
        }
    }

    /// Whose key this is.
    pub(super) fn sender(&self, key: &str) -> Option<Sender> {
        if let Some(account) = self.accounts.iter().position(|account| account.key == key) {
            return Some(Sender::Account(account));
        }
        let pod = self.pods.values().find(|pod| pod.key == key)?;
        Some(Sender::Pod {
            account: pod.account,
            id: pod.id.clone(),
        })
    }

    /// Counts a request against an account's limits; `None` without limits.
    pub(super) fn count_request(&mut self, account: usize) -> Option<Passed> {
        let now = self.now;
        self.accounts[account]
            .buckets
            .as_mut()
            .map(|buckets| buckets.take(now))
    }

    /// A pod that this account may see.
    pub(super) fn pod(&self, account: usize, id: &str) -> Answer<&Pod> {
        self.pods
            .get(id)
            .filter(|pod| pod.account == account && !pod.is_gone())
            .ok_or_else(Problem::not_found)
    }

    /// Ends a pod, unless a fault keeps it.
    pub(super) fn delete(&mut self, account: usize, id: &str) -> Answer<()> {
        let pod = self.pod(account, id)?;
        if pod.ignores_deletion {
            return Ok(());
        }
        let name = pod.wanted.name.clone();
        let case = Case {
            name: Some(&name),
            caller: None,
        };
        let ignored = self.faults.strike(case, |what| match what {
            What::DeleteIgnored { seconds } => Some(*seconds),
            _ => None,
        });
        match ignored {
            None => self.end(id, self.now),
            Some(survives_s) => {
                let at = survives_s.map(|survives_s| self.now + seconds(survives_s));
                if let Some(pod) = self.pods.get_mut(id) {
                    pod.ignores_deletion = true;
                    if let Some(at) = at {
                        pod.plan(at, Happening::DeletionHappens);
                    }
                }
            }
        }
        Ok(())
    }
}
