//! Rented machines and what they cost: what a user allows, what an agent must keep to, what was spent.
//!
//! All times here pass by the provider's clock, which is the one that it charges by.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{JobId, MicroUsd, agent::Machine};

/// The variables by which a rented machine's agent learns its terms, before it has reached anybody.
pub mod env {
    /// Seconds since 1970 at which the machine must be gone, by the provider's clock.
    pub const DEADLINE: &str = "MORPHEUS_DEADLINE_UNIX";
    /// Seconds until the first contact with the server.
    pub const BOOT_GRACE: &str = "MORPHEUS_BOOT_GRACE_S";
    /// Seconds before the deadline that are kept for the last checkpoint and its upload.
    pub const STOP: &str = "MORPHEUS_STOP_S";
    /// What an hour of the machine costs at most, in micro-dollars.
    pub const RATE: &str = "MORPHEUS_RATE_MICRO_USD";
    /// What the machine may cost in all, in micro-dollars.
    pub const BUDGET: &str = "MORPHEUS_BUDGET_MICRO_USD";
    /// Who rents the machine out: `runpod`.
    pub const PROVIDER: &str = "MORPHEUS_PROVIDER";
    /// The provider's address, when it is not the usual one.
    pub const PROVIDER_URL: &str = "MORPHEUS_PROVIDER_URL";
    /// How many times as fast as the real clock the provider's runs; only a simulated one's is not 1.
    pub const TIME_SCALE: &str = "MORPHEUS_TIME_SCALE";
    /// Signed address to put requests to, when the server cannot be reached; see [`mailbox`](crate::mailbox).
    pub const MAILBOX_REQUESTS: &str = "MORPHEUS_MAILBOX_REQUESTS";
    /// Signed address to get answers from.
    pub const MAILBOX_ANSWERS: &str = "MORPHEUS_MAILBOX_ANSWERS";
}

/// Where RunPod is, without `/v2`.
pub const RUNPOD_URL: &str = "https://api.runpod.io";

/// What the agent on a rented machine must keep to. The server renews it with each reply; without a reply the
/// last terms hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RentalTerms {
    /// The machine must be gone so long after this reply, in seconds.
    pub seconds_to_deadline: u32,
    /// So many seconds before that the agent stops by itself: writes a checkpoint, uploads it, ends its machine.
    pub stop_seconds: u32,
    /// What an hour of the machine costs, in micro-dollars.
    pub rate_micro_usd: MicroUsd,
    /// What the machine may still cost from now on, in micro-dollars.
    pub budget_left_micro_usd: MicroUsd,
}

/// A tier of rented machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloudTier {
    /// The provider's own data centers.
    Secure,
    /// Machines of others.
    Community,
}

/// Which machines a job may run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RentalWish {
    /// GPU types by their ids, the best first. Empty: every type that fits, the cheapest first.
    #[schema(max_items = 16)]
    pub gpus: Vec<String>,
    /// GPUs in the machine.
    #[schema(minimum = 1, maximum = 8)]
    pub n_gpus: u32,
    /// Tiers. Empty: all of them.
    pub clouds: Vec<CloudTier>,
    /// Places by their ids. Empty: all of them.
    #[schema(max_items = 16)]
    pub data_centers: Vec<String>,
    /// The most that an hour of the machine may cost, in micro-dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 1)]
    pub max_rate_micro_usd: Option<MicroUsd>,
    /// Labels that a machine of the pool must have, all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub labels: Vec<String>,
}

impl Default for RentalWish {
    fn default() -> Self {
        Self {
            gpus: Vec::new(),
            n_gpus: 1,
            clouds: Vec::new(),
            data_centers: Vec::new(),
            max_rate_micro_usd: None,
            labels: Vec::new(),
        }
    }
}

/// A low, a likely and a high value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Spread<T> {
    /// Nine of ten are above this.
    pub low: T,
    /// As many are above as below.
    pub likely: T,
    /// Nine of ten are below this.
    pub high: T,
}

/// What a job would take and cost on one kind of rented machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OfferEstimate {
    /// GPU type.
    pub gpu: String,
    /// For people.
    pub gpu_name: String,
    /// GPUs in the machine.
    pub n_gpus: u32,
    /// Memory of each GPU, in GB.
    pub memory_gb: u32,
    /// Tier.
    pub cloud: CloudTier,
    /// Whether the provider says that there is one.
    pub is_in_stock: bool,
    /// What an hour costs, in micro-dollars.
    pub rate_micro_usd: MicroUsd,
    /// From the order of the machine to its end, in seconds.
    pub seconds: Spread<f64>,
    /// What that costs, in micro-dollars.
    pub cost_micro_usd: Spread<MicroUsd>,
    /// What must be free in the budgets to start, in micro-dollars: enough to start, and to work for a while.
    pub least_limit_micro_usd: MicroUsd,
    /// Whether the times come from this installation's own jobs; otherwise from a table of what GPUs can do.
    pub is_measured: bool,
    /// Why a job cannot run on it; absent when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfit: Option<String>,
}

/// The money of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct JobSpend {
    /// What it may cost in all, over every machine, in micro-dollars.
    pub limit_micro_usd: Option<MicroUsd>,
    /// What it has cost until now, an upper bound until the provider has billed it, in micro-dollars.
    pub spent_micro_usd: MicroUsd,
    /// What its living machines may still cost in the worst case, in micro-dollars.
    pub reserved_micro_usd: MicroUsd,
    /// What an hour of its living machines costs, in micro-dollars.
    pub rate_micro_usd: MicroUsd,
}

/// What a limit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetScope {
    /// One job.
    Job,
    /// All jobs that carry the same project's name.
    Project,
    /// Everything of a user, for ever.
    User,
    /// Everything of a user in a calendar month (UTC). Its limit holds for the months after, too.
    Month,
}

/// A limit and what is used of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Budget {
    /// What it is for.
    pub scope: BudgetScope,
    /// Which: a job's id, a project's name, a month like `2026-11`; of a user: empty.
    pub key: String,
    /// The most that may be spent, in micro-dollars; absent when there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_micro_usd: Option<MicroUsd>,
    /// What was spent, an upper bound until the provider has billed it, in micro-dollars.
    pub spent_micro_usd: MicroUsd,
    /// What living machines may still cost in the worst case, in micro-dollars.
    pub reserved_micro_usd: MicroUsd,
}

impl Budget {
    /// What may still be reserved; absent when there is no limit.
    pub fn left(&self) -> Option<MicroUsd> {
        self.limit_micro_usd
            .map(|limit| limit - self.spent_micro_usd - self.reserved_micro_usd)
    }
}

/// Sets a limit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetBudget {
    /// What it is for: a project, the user, or the months from this one on. A job's limit is set at the job.
    pub scope: BudgetScope,
    /// A project's name; left out for the others.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 80)]
    pub key: Option<String>,
    /// The most that may be spent, in micro-dollars; null takes the limit away.
    #[schema(value_type = Option<i64>, minimum = 1)]
    pub limit_micro_usd: Option<MicroUsd>,
}

/// Sets a job's limit.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetJobLimit {
    /// What it may cost in all, in micro-dollars.
    #[schema(value_type = i64, minimum = 1)]
    pub limit_micro_usd: MicroUsd,
}

/// Resumes a job.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResumeJob {
    /// A new limit for what it may cost in all, what was spent included, in micro-dollars.
    #[schema(value_type = Option<i64>, minimum = 1)]
    pub limit_micro_usd: Option<MicroUsd>,
    /// Who leases the machine from now on; left out: as before.
    pub provider: Option<String>,
    /// Which machines it may run on there; left out: any.
    pub rental: Option<RentalWish>,
}

/// Where a rented machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstancePhase {
    /// Committed with its reservation; the provider is being asked.
    Intent,
    /// The provider gave no clear answer: it is being looked for by its name.
    Unknown,
    /// The provider says that it exists.
    Live,
    /// Its end was ordered, and is not confirmed.
    Ending,
    /// It was never found; part of the reservation is kept for a while, and it is ended if it shows up.
    Abandoned,
    /// It is confirmed that it does not exist, or no longer.
    Gone,
}

/// A rented machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RentedInstance {
    /// Its name at the provider.
    pub name: String,
    /// Who rents it out.
    pub provider: String,
    /// The provider's id, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// What it was rented for.
    pub job_id: JobId,
    /// Which attempt of the job.
    pub attempt: u32,
    /// Where it stands.
    pub phase: InstancePhase,
    /// GPU type.
    pub gpu: String,
    /// GPUs in it.
    pub n_gpus: u32,
    /// What an hour costs, in micro-dollars.
    pub rate_micro_usd: MicroUsd,
    /// What was reserved for its worst case, in micro-dollars.
    pub reserved_micro_usd: MicroUsd,
    /// What it has cost, by our own reckoning, an upper bound, in micro-dollars.
    pub accrued_micro_usd: MicroUsd,
    /// What the provider has billed, once that no longer changes, in micro-dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed_micro_usd: Option<MicroUsd>,
    /// When it was ordered.
    pub ordered_at: DateTime<Utc>,
    /// When it must be gone.
    pub deadline_at: DateTime<Utc>,
    /// When it was confirmed gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<DateTime<Utc>>,
}

/// What happens to money in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LedgerKind {
    /// Set aside for a machine's worst case: from available to reserved.
    Reserve,
    /// More is set aside, because the price rose: from available to reserved.
    TopUp,
    /// Used up: from reserved to spent, and from available what was not reserved.
    Accrue,
    /// Not needed after all: from reserved to available.
    Release,
    /// The provider's bill differs from our reckoning: between spent and available.
    TrueUp,
}

/// An account of the ledger. Every entry moves money from one to another, so that nothing appears or vanishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LedgerAccount {
    /// May be reserved.
    Available,
    /// Set aside for machines that exist or may exist.
    Reserved,
    /// Gone.
    Spent,
}

/// One entry of the ledger; entries are never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LedgerEntry {
    /// When, by the provider's clock.
    pub at: DateTime<Utc>,
    /// The machine that it is about, by its name.
    pub instance: String,
    /// The job that it is about.
    pub job_id: JobId,
    /// What happened.
    pub kind: LedgerKind,
    /// Where the money was.
    pub from: LedgerAccount,
    /// Where it is now.
    pub to: LedgerAccount,
    /// How much, in micro-dollars; more than 0.
    pub amount_micro_usd: MicroUsd,
}

/// Everything about money at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Spend {
    /// What living machines cost in an hour, in micro-dollars.
    pub rate_micro_usd: MicroUsd,
    /// Budgets of the user, of this month and of projects; those of jobs are at the jobs.
    pub budgets: Vec<Budget>,
    /// Machines that are not confirmed gone, then the newest of the others.
    pub instances: Vec<RentedInstance>,
}

/// Who leases machines, and how that is going.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProviderInfo {
    /// The name that jobs choose it by.
    pub name: String,
    /// Whether its machines cost money.
    pub is_rented: bool,
    /// Jobs that may run at the same time.
    pub max_running: u32,
    /// When it last answered; absent when it never did, or is not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<DateTime<Utc>>,
    /// Why nothing is launched there until somebody looks at it: an empty account, a wrong key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<String>,
    /// Machines of the account that are not ours; they are never touched.
    pub n_foreign: u32,
    /// What they cost in an hour, in micro-dollars.
    pub foreign_rate_micro_usd: MicroUsd,
    /// The machines of the pool that have called, the newest call first; of others there are none here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<PoolMember>,
}

/// A machine of the pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PoolMember {
    /// What it says of itself.
    #[serde(flatten)]
    pub machine: Machine,
    /// When it last called.
    pub seen_at: DateTime<Utc>,
    /// Whether it has called lately.
    pub is_online: bool,
    /// What it is working on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
}

impl Spread<f64> {
    /// Every value times `factor`.
    pub fn times(self, factor: f64) -> Self {
        Self {
            low: self.low * factor,
            likely: self.likely * factor,
            high: self.high * factor,
        }
    }
}
