//! What tests of rented machines see of a simulated provider, whichever it is. [`every_provider!`](crate::every_provider)
//! names all of them.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use protocol::MicroUsd;
use rental::Landlord;

pub use crate::faults::{Death, Fault, Reads, Reply, Route, What};

/// Starts a simulated provider whose clock stands still until it is stepped.
pub type Start = fn(Beginning) -> BoxFuture<'static, Arc<dyn Simulated>>;

/// How a provider begins.
#[derive(Debug, Clone, Copy)]
pub struct Beginning {
    /// The account's money.
    pub credit: MicroUsd,
    /// By how much the records of bills lag behind, in seconds.
    pub billing_delay_s: u32,
}

impl Default for Beginning {
    fn default() -> Self {
        Self {
            credit: MicroUsd(100_000_000),
            billing_delay_s: 0,
        }
    }
}

/// GPU types that every simulated provider has, as it calls them.
#[derive(Debug, Clone, Copy)]
pub struct Gpus {
    /// A middling one, in both tiers.
    pub usual: &'static str,
    /// The cheapest one.
    pub cheapest: &'static str,
    /// The dearest one, up to eight in a machine, for six dollars an hour each or a little less.
    pub largest: &'static str,
}

/// A provider whose clock and faults are the test's.
pub trait Simulated: fmt::Debug + Send + Sync {
    /// Rents from its account, over HTTP.
    fn landlord(&self) -> Arc<dyn Landlord>;

    /// See [`Gpus`].
    fn gpus(&self) -> Gpus;

    /// What its clock shows.
    fn now(&self) -> DateTime<Utc>;

    /// Moves its clock on, and lets everything happen until then.
    fn step(&self, by: Duration);

    /// Sets a fault.
    fn fault(&self, fault: Fault);

    /// Takes all faults away.
    fn clear_faults(&self);

    /// What the account's machines have cost until now.
    fn bill(&self) -> MicroUsd;

    /// What one machine has cost until now, also after its end.
    fn machine_bill(&self, id: &str) -> Option<MicroUsd>;

    /// Names of the machines that exist, whether anybody is shown them or not.
    fn living(&self) -> Vec<String>;

    /// What a machine's agent finds in its environment, by the machine's name.
    fn environment(&self, name: &str) -> Option<BTreeMap<String, String>>;

    /// How often a machine's agent was started.
    fn container_starts(&self, name: &str) -> u32;
}
