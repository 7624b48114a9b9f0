//! What crosses the wire, as far as we read it. Unknown fields and words are taken as they come.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use protocol::MicroUsd;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;

/// A tier of machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Cloud {
    /// The provider's own data centers.
    Secure,
    /// Machines of others.
    Community,
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secure => "SECURE",
            Self::Community => "COMMUNITY",
        })
    }
}

/// Asks for a pod: one GPU type, one cloud, one place.
#[derive(Clone, PartialEq, Eq)]
pub struct PodSpec {
    /// See [`MachineName`](crate::MachineName).
    pub name: String,
    /// The container's image.
    pub image: String,
    /// Arguments of its entry point, as one text.
    pub args: String,
    /// Size of the container's disk in GB, at least 1.
    pub disk_gb: u32,
    /// Its environment, at most 50 variables. Whoever may list pods can read it.
    pub env: BTreeMap<String, String>,
    /// GPU type.
    pub gpu: String,
    /// How many GPUs.
    pub gpu_count: u32,
    /// Least CUDA version of the host: `12.8`.
    pub min_cuda_version: Option<String>,
    /// Tier.
    pub cloud: Cloud,
    /// Place; the provider chooses when absent.
    pub data_center: Option<String>,
}

impl fmt::Debug for PodSpec {
    /// Without the values of the environment, some of which are secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PodSpec")
            .field("name", &self.name)
            .field("image", &self.image)
            .field("gpu", &self.gpu)
            .field("gpu_count", &self.gpu_count)
            .field("cloud", &self.cloud)
            .field("data_center", &self.data_center)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateBody<'a> {
    name: &'a str,
    image: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    args: &'a str,
    disk: u32,
    env: &'a BTreeMap<String, String>,
    cloud: Cloud,
    gpu: CreateGpu<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_center_ids: Option<[&'a str; 1]>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateGpu<'a> {
    id: &'a str,
    /// Always sent: without it the provider says that it has no machine.
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_cuda_version: Option<&'a str>,
}

impl PodSpec {
    pub(super) fn body(&self) -> CreateBody<'_> {
        CreateBody {
            name: &self.name,
            image: &self.image,
            args: &self.args,
            disk: self.disk_gb,
            env: &self.env,
            cloud: self.cloud,
            gpu: CreateGpu {
                id: &self.gpu,
                count: self.gpu_count,
                min_cuda_version: self.min_cuda_version.as_deref(),
            },
            data_center_ids: self.data_center.as_deref().map(|id| [id]),
        }
    }
}

/// What a pod was last seen doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PodStatus {
    /// It waits for a machine, and is charged.
    Provisioning,
    /// Its image is being fetched.
    Starting,
    /// Its container runs, or is being started again.
    Running,
    /// It has been stopped.
    Exited,
    /// It has failed.
    Error,
    /// It has ended.
    Terminated,
    /// A word that is newer than we are.
    #[serde(other)]
    Unknown,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// What it is asked for by.
    pub id: String,
    /// What we called it.
    pub name: String,
    /// What it is doing.
    pub status: PodStatus,
    /// What an hour of it costs now, rounded up.
    #[serde(rename = "cost", deserialize_with = "usd")]
    pub rate: MicroUsd,
    /// GPUs; absent for a CPU pod.
    #[serde(default)]
    pub gpu: Option<PodGpu>,
    /// Tier.
    #[serde(default)]
    pub cloud: Option<Cloud>,
    /// Place, once it is known.
    #[serde(default)]
    pub data_center_id: Option<String>,
    /// When it was created.
    #[serde(default)]
    pub created_at: Option<DateTime<Utc>>,
    /// When its container was first started.
    #[serde(default)]
    pub started_at: Option<DateTime<Utc>>,
    /// What its container does.
    #[serde(default)]
    pub runtime: Option<PodRuntime>,
}

/// A pod's GPUs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PodGpu {
    /// Type.
    pub id: String,
    /// How many; the provider leaves out a one.
    #[serde(default = "one")]
    pub count: u32,
}

fn one() -> u32 {
    1
}

/// What a pod's container does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PodRuntime {
    /// Seconds since its newest start.
    #[serde(default)]
    pub uptime: Option<i64>,
}

/// All pods of an account, and the provider's time when it listed them.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// Every one, ours or not.
    pub pods: Vec<Pod>,
    /// By the provider's clock; absent when it does not say.
    pub at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
pub(super) struct PodList {
    pub(super) pods: Vec<Pod>,
    /// The specification has no pages, and clients have met a cursor: a list with one would not be all of it.
    #[serde(default, alias = "nextCursor", alias = "nextPageToken", alias = "next")]
    pub(super) cursor: Option<Box<RawValue>>,
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Default)]
#[serde(from = "String")]
pub enum Stock {
    /// Nothing, or we do not understand what is said.
    #[default]
    None,
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
}

impl From<String> for Stock {
    fn from(word: String) -> Self {
        match word.as_str() {
            "LOW" => Self::Low,
            "MEDIUM" => Self::Medium,
            "HIGH" => Self::High,
            _ => Self::None,
        }
    }
}

/// A GPU type on offer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GpuOffer {
    /// What a pod is asked for with.
    pub id: String,
    /// For people.
    pub name: String,
    /// GPU memory in GB.
    #[serde(rename = "memory")]
    pub memory_gb: u32,
    /// List price of one GPU for an hour; 0 where it is not offered, never free.
    pub price: Price,
    /// The most GPUs in one machine.
    pub max_count: MaxCount,
    /// How much there is of it.
    #[serde(default, rename = "availability")]
    pub stock: Stock,
    /// Where.
    #[serde(default)]
    pub data_centers: Vec<StockAt>,
}

/// A price in each cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Price {
    /// See [`Cloud::Secure`].
    #[serde(deserialize_with = "usd")]
    pub secure: MicroUsd,
    /// See [`Cloud::Community`].
    #[serde(deserialize_with = "usd")]
    pub community: MicroUsd,
}

/// A number of GPUs in each cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct MaxCount {
    /// See [`Cloud::Secure`].
    pub secure: u32,
    /// See [`Cloud::Community`].
    pub community: u32,
}

/// Stock in a data center.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StockAt {
    /// Its id.
    pub id: String,
    /// How much.
    #[serde(rename = "availability")]
    pub stock: Stock,
}

#[derive(Deserialize)]
pub(super) struct GpuList {
    pub(super) gpus: Vec<GpuOffer>,
}

#[derive(Deserialize)]
pub(super) struct BillRecords {
    pub(super) records: Vec<BillRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BillRecord {
    pub(super) pod_id: String,
    pub(super) end_time: DateTime<Utc>,
    #[serde(deserialize_with = "usd")]
    pub(super) total_amount: MicroUsd,
}

/// Dollars from the digits that were sent: a number, or (in older examples) a text with one.
fn usd<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MicroUsd, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    MicroUsd::parse_usd_up(raw.get().trim_matches('"')).map_err(de::Error::custom)
}
