//! Who rents machines out for money. Everything about money and time is decided above these traits; a provider only
//! says what there is, takes orders, and ends what it is told to.

use std::{collections::BTreeMap, fmt, pin::Pin};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use protocol::{
    MicroUsd,
    recipe::Engine,
    spend::{CloudTier, RentalWish},
};
use serde::Serialize;

use super::kind::Kind;
use crate::{CallError, CreateError};

/// A machine on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// GPU type, as it is ordered.
    pub gpu: String,
    /// GPU type, for people.
    pub gpu_name: String,
    /// GPUs in it.
    pub n_gpus: u32,
    /// Memory of each, in GB.
    pub memory_gb: u32,
    /// Tier.
    pub cloud: CloudTier,
    /// Place; the provider chooses when absent.
    pub data_center: Option<String>,
    /// Whether there is one, by a catalogue that is old the moment it is read.
    pub is_in_stock: bool,
    /// What an hour costs by the catalogue, its disk included.
    pub rate: MicroUsd,
    /// What an hour may cost before the machine is too dear.
    pub rate_cap: MicroUsd,
}

/// Asks for one machine, once.
#[derive(Clone)]
pub struct Order<'a> {
    /// Its name, which no other machine has.
    pub name: &'a str,
    /// Which.
    pub offer: &'a Offer,
    /// What its agent is told; whoever may list machines can read it.
    pub env: BTreeMap<String, String>,
}

impl fmt::Debug for Order<'_> {
    /// Without the values of the environment, some of which are secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("name", &self.name)
            .field("offer", &self.offer)
            .finish_non_exhaustive()
    }
}

/// A machine, as its provider shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// What it is asked for by.
    pub id: String,
    /// What it was called when it was ordered.
    pub name: String,
    /// What an hour of it costs now, its disk included.
    pub rate: MicroUsd,
    /// Whether it has failed or was stopped, so that nothing will come of it.
    pub has_failed: bool,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
}

/// All machines of the account, ours or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machines {
    /// Every one.
    pub machines: Vec<Machine>,
    /// When, by the provider's clock; absent when it does not say.
    pub at: Option<DateTime<Utc>>,
}

/// Whether an order to end a machine found it. Neither says that it is gone: only a read that does not find it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminateAck {
    /// The provider took the order.
    Accepted,
    /// It knows no such machine; or, shortly after the machine was ordered, not yet.
    NotFound,
}

/// What a machine was charged, as far as the provider's records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// Which machine.
    pub id: String,
    /// Everything.
    pub total: MicroUsd,
    /// Until when its first record reaches. The machine was there before.
    pub first_until: DateTime<Utc>,
}

/// What is needed to see and to end machines. Every method may be called again at any time.
#[async_trait]
pub trait Account: fmt::Debug + Send + Sync {
    /// Whose it is.
    fn kind(&self) -> &'static dyn Kind;

    /// Every machine of the account, or an error; never a part.
    async fn list(&self) -> Result<Machines, CallError>;

    /// One machine; `None` when the provider does not know it, or not yet.
    async fn get(&self, id: &str) -> Result<Option<Machine>, CallError>;

    /// Orders the end of a machine. No answer proves that it is gone; only [`Account::get`] does, in time.
    async fn terminate(&self, id: &str) -> Result<TerminateAck, CallError>;
}

/// Rents machines out. Every method but [`order`](Landlord::order) may be called again at any time.
#[async_trait]
pub trait Landlord: Account {
    /// Whether its machines are elsewhere and cost real money; a simulated one's are near, and have no GPU.
    fn is_real(&self) -> bool;

    /// How many machines it may rent out to us at the same time.
    fn capacity(&self) -> usize;

    /// What the worker's image can train with on a GPU.
    fn engines(&self) -> &[Engine];

    /// What its agents need to know to end their own machine, besides what the provider tells them itself.
    fn agent_env(&self) -> BTreeMap<String, String>;

    /// Machines that fit, the one to order first at the front.
    async fn offers(&self, wish: &RentalWish, least_memory_gb: u32) -> Result<Vec<Offer>, CallError>;

    /// Orders a machine, once. After [`CreateFault::Ambiguous`](crate::CreateFault::Ambiguous) it is looked for by its
    /// name.
    async fn order(&self, order: &Order<'_>) -> Result<Machine, CreateError>;

    /// What the records say that machines were charged since then, one machine or all of the account. They lag behind,
    /// and are rounded up.
    async fn bills(&self, since: DateTime<Utc>, only: Option<&str>) -> Result<Vec<Bill>, CallError>;

    /// Rents one small machine, for at most one dollar, to learn what only a living account can tell. `time_scale` is how
    /// many times as fast as ours the provider's clock runs; `interrupt` ends it early, and the machine with it.
    ///
    /// # Errors
    /// If this provider has no such examination, or it did not come to its end.
    async fn examine(
        &self,
        time_scale: u32,
        interrupt: Pin<Box<dyn Future<Output = ()> + Send>>,
    ) -> Result<Vec<Examination>, ExamineError>;
}

/// A question about a provider, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// What its documents leave open.
    pub question: &'static str,
    /// What was seen.
    pub seen: String,
}

/// An examination did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// Nobody has written one.
    #[error("there is no examination of {0}")]
    None(&'static str),
    /// The provider did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// There was no machine.
    #[error("failed to rent a machine")]
    Create(#[from] CreateError),
    /// Something was not as it must be.
    #[error("{0}")]
    Stopped(String),
}
