//! Rented machines and their cost: limits set by users, terms for agents, and spending.
//!
//! All times here follow the provider's clock, because the provider charges by it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{DrawingSessionId, JobId, MicroUsd, machine::Machine};

/// Environment variables that give the agent on a rented machine its terms before its first contact.
pub mod env {
    /// Deadline of the machine, in seconds since 1970 by the provider's clock.
    pub const DEADLINE: &str = "MORPHEUS_DEADLINE_UNIX";
    /// Seconds allowed until the first contact with the server.
    pub const BOOT_GRACE: &str = "MORPHEUS_BOOT_GRACE_S";
    /// Seconds before the deadline that are reserved for the last checkpoint and its upload.
    pub const STOP: &str = "MORPHEUS_STOP_S";
    /// Maximum cost per hour of the machine, in micro-dollars.
    pub const RATE: &str = "MORPHEUS_RATE_MICRO_USD";
    /// Total cost limit of the machine, in micro-dollars.
    pub const BUDGET: &str = "MORPHEUS_BUDGET_MICRO_USD";
    /// Who rents the machine out, by the name that jobs choose it by.
    pub const PROVIDER: &str = "MORPHEUS_PROVIDER";
    /// Base URL of the provider's API, if not the default.
    pub const PROVIDER_URL: &str = "MORPHEUS_PROVIDER_URL";
    /// Speed of the provider's clock relative to the real one; differs from 1 only for a simulated provider.
    pub const TIME_SCALE: &str = "MORPHEUS_TIME_SCALE";
    /// `true` on a machine that draws pictures instead of training.
    pub const GENERATE: &str = "MORPHEUS_GENERATE";
    /// Percent of a training's time in which what it makes is judged, if the server was told one.
    pub const JUDGE_SHARE: &str = "MORPHEUS_JUDGE_SHARE";
    /// Signed URL to put requests to, if the server cannot be reached; see [`mailbox`](crate::mailbox).
    pub const MAILBOX_REQUESTS: &str = "MORPHEUS_MAILBOX_REQUESTS";
    /// Signed URL to get responses from.
    pub const MAILBOX_ANSWERS: &str = "MORPHEUS_MAILBOX_ANSWERS";
}

/// What the agent on a rented machine must keep to. The server renews it with each reply; without a reply the
/// last terms hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RentalTerms {
    /// The machine must be terminated within this many seconds after this reply.
    pub seconds_to_deadline: u32,
    /// The agent stops this many seconds earlier: it writes and uploads a checkpoint and terminates its machine.
    pub stop_seconds: u32,
    /// Cost per hour of the machine, in micro-dollars.
    pub rate_micro_usd: MicroUsd,
    /// Remaining cost limit of the machine, in micro-dollars.
    pub budget_left_micro_usd: MicroUsd,
}

/// A tier of rented machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloudTier {
    /// The provider's own data centers.
    Secure,
    /// Machines of third parties.
    Community,
}

/// Requirements for the machine of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RentalWish {
    /// Ids of GPU types, in order of preference. Empty: every type that fits, cheapest first.
    #[schema(max_items = 16)]
    pub gpus: Vec<String>,
    /// Number of GPUs in the machine.
    #[schema(minimum = 1, maximum = 8)]
    pub n_gpus: u32,
    /// Tiers. Empty: all of them.
    pub clouds: Vec<CloudTier>,
    /// Ids of data centers. Empty: all of them.
    #[schema(max_items = 16)]
    pub data_centers: Vec<String>,
    /// Maximum price per hour, in micro-dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 1)]
    pub max_rate_micro_usd: Option<MicroUsd>,
    /// Labels that a machine of the pool must have (all of them).
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

/// An estimate with its range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Spread<T> {
    /// 10th percentile.
    pub low: T,
    /// Median.
    pub likely: T,
    /// 90th percentile.
    pub high: T,
}

/// Estimated time and cost of a job on one type of rented machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OfferEstimate {
    /// Id of the GPU type.
    pub gpu: String,
    /// Display name.
    pub gpu_name: String,
    /// Number of GPUs in the machine.
    pub n_gpus: u32,
    /// Memory of each GPU, in GB.
    pub memory_gb: u32,
    /// Tier.
    pub cloud: CloudTier,
    /// Whether the provider reports it as available.
    pub is_in_stock: bool,
    /// Price per hour, in micro-dollars.
    pub rate_micro_usd: MicroUsd,
    /// Time from ordering the machine to its termination, in seconds.
    pub seconds: Spread<f64>,
    /// Cost of that time, in micro-dollars.
    pub cost_micro_usd: Spread<MicroUsd>,
    /// Amount that the budgets must have available to start, in micro-dollars: startup plus a minimum of work.
    pub least_limit_micro_usd: MicroUsd,
    /// Whether the times are based on this installation's own jobs; otherwise on a table of GPU speeds.
    pub is_measured: bool,
    /// Why the job cannot run on it; absent if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfit: Option<String>,
}

/// Cost and limit of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct JobSpend {
    /// Total cost limit across all machines, in micro-dollars.
    pub limit_micro_usd: Option<MicroUsd>,
    /// Cost so far, in micro-dollars; an upper bound until the provider has billed it.
    pub spent_micro_usd: MicroUsd,
    /// Reserved for the worst case of its running machines, in micro-dollars.
    pub reserved_micro_usd: MicroUsd,
    /// Cost per hour of its running machines, in micro-dollars.
    pub rate_micro_usd: MicroUsd,
}

/// Scope of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetScope {
    /// One job.
    Job,
    /// One drawing session.
    Drawing,
    /// All jobs of one project.
    Project,
    /// All spending of a user, without end date.
    User,
    /// All spending of a user in a calendar month (UTC). Its limit also applies to later months.
    Month,
}

/// A budget: its limit and usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Budget {
    /// Its scope.
    pub scope: BudgetScope,
    /// The id of a job or a drawing session, a project's name or a month such as `2026-11`; empty for a user.
    pub key: String,
    /// Limit in micro-dollars; absent without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_micro_usd: Option<MicroUsd>,
    /// Amount spent, in micro-dollars; an upper bound until the provider has billed it.
    pub spent_micro_usd: MicroUsd,
    /// Reserved for the worst case of running machines, in micro-dollars.
    pub reserved_micro_usd: MicroUsd,
}

impl Budget {
    /// Amount that can still be reserved; absent without a limit.
    pub fn left(&self) -> Option<MicroUsd> {
        self.limit_micro_usd
            .map(|limit| limit - self.spent_micro_usd - self.reserved_micro_usd)
    }
}

/// Sets a limit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetBudget {
    /// Scope: a project, the user, or this month and later ones. The limit of a job is set on the job.
    pub scope: BudgetScope,
    /// Name of the project; omitted for other scopes.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 80)]
    pub key: Option<String>,
    /// Limit in micro-dollars; null removes it.
    #[schema(value_type = Option<i64>, minimum = 1)]
    pub limit_micro_usd: Option<MicroUsd>,
}

/// Sets a job's limit.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetJobLimit {
    /// Total cost limit, in micro-dollars.
    #[schema(value_type = i64, minimum = 1)]
    pub limit_micro_usd: MicroUsd,
}

/// Resumes a job.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResumeJob {
    /// New total cost limit in micro-dollars, including what is already spent.
    #[schema(value_type = Option<i64>, minimum = 1)]
    pub limit_micro_usd: Option<MicroUsd>,
    /// New provider; unchanged if omitted.
    pub provider: Option<String>,
    /// Requirements for the machine there; none if omitted.
    pub rental: Option<RentalWish>,
}

/// Phase of a rented machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstancePhase {
    /// Committed with its reservation; it is being ordered.
    Intent,
    /// The provider gave no clear response; the machine is being looked up by its name.
    Unknown,
    /// The provider reports that it exists.
    Live,
    /// Termination was requested but is not confirmed yet.
    Ending,
    /// It was never found; part of the reservation is kept for a while, and it is terminated if it appears.
    Abandoned,
    /// It is confirmed not to exist (any more).
    Gone,
}

/// A rented machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RentedInstance {
    /// Its name at the provider.
    pub name: String,
    /// The provider.
    pub provider: String,
    /// The provider's id, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// The job it was rented for; absent for a machine of a drawing session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// The drawing session it was rented for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawing_session_id: Option<DrawingSessionId>,
    /// What its drawing session is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawing_session: Option<String>,
    /// Number of the attempt.
    pub attempt: u32,
    /// Its phase.
    pub phase: InstancePhase,
    /// Id of the GPU type.
    pub gpu: String,
    /// Number of GPUs.
    pub n_gpus: u32,
    /// Price per hour, in micro-dollars.
    pub rate_micro_usd: MicroUsd,
    /// Reserved for its worst case, in micro-dollars.
    pub reserved_micro_usd: MicroUsd,
    /// Cost by our own accounting, an upper bound, in micro-dollars.
    pub accrued_micro_usd: MicroUsd,
    /// Amount billed by the provider, once final, in micro-dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed_micro_usd: Option<MicroUsd>,
    /// When it was ordered.
    pub ordered_at: DateTime<Utc>,
    /// When it must be terminated.
    pub deadline_at: DateTime<Utc>,
    /// When it was confirmed terminated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<DateTime<Utc>>,
}

/// Kind of a ledger entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LedgerKind {
    /// Reserved for a machine's worst case: from available to reserved.
    Reserve,
    /// More reserved because the price rose: from available to reserved.
    TopUp,
    /// Spent: from reserved to spent, and from available for what was not reserved.
    Accrue,
    /// Released because it was not needed: from reserved to available.
    Release,
    /// Adjustment to the provider's bill: between spent and available.
    TrueUp,
}

/// An account of the ledger. Every entry moves money from one account to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LedgerAccount {
    /// Available to be reserved.
    Available,
    /// Reserved for machines that exist or may exist.
    Reserved,
    /// Spent.
    Spent,
}

/// One entry of the ledger; entries are never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LedgerEntry {
    /// Time of the entry, by the provider's clock.
    pub at: DateTime<Utc>,
    /// Name of the machine.
    pub instance: String,
    /// The job that paid; absent for a drawing session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// The drawing session that paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawing_session_id: Option<DrawingSessionId>,
    /// What that drawing session is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawing_session: Option<String>,
    /// Kind of the entry.
    pub kind: LedgerKind,
    /// Account that the money left.
    pub from: LedgerAccount,
    /// Account that received the money.
    pub to: LedgerAccount,
    /// Amount in micro-dollars; above 0.
    pub amount_micro_usd: MicroUsd,
}

/// Overview of spending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Spend {
    /// Cost per hour of all running machines, in micro-dollars.
    pub rate_micro_usd: MicroUsd,
    /// The month that a machine ordered now would be paid by, as the key of its budget: `2026-11`.
    pub month: String,
    /// Budgets of the user, of months and of projects. Those of jobs are part of the jobs.
    pub budgets: Vec<Budget>,
    /// Machines: first those not confirmed terminated, then the newest of the others.
    pub instances: Vec<RentedInstance>,
}

/// A provider of machines and its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProviderInfo {
    /// The name to use in jobs.
    pub name: String,
    /// What people call it, when it rents machines out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether its machines cost money.
    pub is_rented: bool,
    /// Maximum number of jobs that run at the same time.
    pub max_running: u32,
    /// When it last responded; absent if it never did or is never contacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<DateTime<Utc>>,
    /// Why renting is paused there until somebody resumes it: an empty account, a wrong key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<String>,
    /// Machines in the account that Morpheus did not create; they are never touched.
    pub n_foreign: u32,
    /// Cost per hour of those machines, in micro-dollars.
    pub foreign_rate_micro_usd: MicroUsd,
    /// Machines of the pool that have connected, the most recent first; empty for other providers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<PoolMember>,
}

/// A machine of the pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PoolMember {
    /// The machine as its agent describes it.
    #[serde(flatten)]
    pub machine: Machine,
    /// When it last connected.
    pub seen_at: DateTime<Utc>,
    /// Whether it has connected recently.
    pub is_online: bool,
    /// The job it is working on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Why it is given no work at all, until somebody does something about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
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
