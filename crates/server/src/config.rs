//! What a server is made of: where it listens, where it keeps what, which machines it has.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use dataset::decoder::WorkerCommand;
use ipnet::IpNet;
use orchestrator::{
    Base, HubOptions, Inspect, MailOptions, Measure, Ranges, ReadLora, disk::Gauge, providers::Provider,
};
use protocol::{limits::AUDIT_DAYS, recipe::Engine};
use rental::Landlord;
use store::{bases::NewBase, objects::S3Settings};

use crate::timing::Timing;

/// What a server is made of. Not printed: it holds passwords.
#[derive(Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Holds everything that is kept on this machine.
    pub data_dir: PathBuf,
    /// URL of the database; left out: SQLite in the data folder.
    pub database: Option<String>,
    /// URL of the object store; left out: files in the data folder.
    pub objects: Option<String>,
    /// URL of what wakes other servers; left out: the database.
    pub queue: Option<String>,
    /// File with the certificates of the authorities that may vouch for a `rediss://` queue; left out: the public ones.
    pub queue_ca: Option<PathBuf>,
    /// How to reach the bucket, when the objects are in one.
    pub s3: S3Settings,
    /// How browsers reach the server, when that is not where it listens: `https://morpheus.example`.
    pub public_url: Option<String>,
    /// Proxies whose `X-Forwarded-For` says where a request comes from; without them it says nothing.
    pub trusted_proxies: Vec<IpNet>,
    /// Days that entries of the audit log are kept.
    pub audit_days: u32,
    /// Base models that the program brings, by unique names.
    pub base_models: Vec<Base>,
    /// Base models of the settings.
    pub declared_bases: Vec<NewBase>,
    /// Looks at base models that are registered; left out: none can be.
    pub inspect_base: Option<Inspect>,
    /// Measures what those on this machine do; left out: only agents do.
    pub measure_base: Option<Measure>,
    /// Reads LoRAs that were made elsewhere; left out: none can be imported.
    pub read_lora: Option<ReadLora>,
    /// Where those are that are registered by their id on Hugging Face.
    pub hub: HubOptions,
    /// Where base models may be fetched from beside the public addresses.
    pub fetch_from: Ranges,
    /// Folders of this machine that base models may be registered from, beside those of the settings.
    pub base_folders: Vec<PathBuf>,
    /// Starts agents on this machine; left out: none are, and there is no provider `local`.
    pub local_agent: Option<AgentCommand>,
    /// What decodes pictures in processes of their own; left out: this process does.
    pub decode_worker: Option<WorkerCommand>,
    /// Further providers.
    pub providers: Vec<Arc<dyn Provider>>,
    /// Who rents machines to us, by unique names.
    pub rentals: Vec<RentalConfig>,
    /// Jobs of a provider that run here at the same time, by its name; left out: as many as it has room for.
    pub max_running: BTreeMap<String, usize>,
    /// Bytes that stay free of the disks with the data folder and the objects; left out: a share of each. 0: any.
    pub min_free_bytes: Option<u64>,
    /// Folder of another program, into which approved LoRAs are copied; left out: none are.
    pub lora_folder: Option<PathBuf>,
    /// Addresses that webhooks may be at beside the public ones.
    pub webhooks_to: Ranges,
    /// Mail about jobs; left out: none is sent.
    pub mail: Option<MailOptions>,
    /// Measures the disks.
    pub gauge: Gauge,
    /// Times that matter to tests only.
    pub timing: Timing,
}

impl Config {
    /// The embedded default in a folder, with these base models.
    pub fn new(data_dir: PathBuf, base_models: Vec<Base>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7860)),
            data_dir,
            database: None,
            objects: None,
            queue: None,
            queue_ca: None,
            s3: S3Settings::default(),
            public_url: None,
            trusted_proxies: Vec::new(),
            audit_days: AUDIT_DAYS,
            base_models,
            declared_bases: Vec::new(),
            inspect_base: None,
            measure_base: None,
            read_lora: None,
            hub: HubOptions::default(),
            fetch_from: Ranges::default(),
            base_folders: Vec::new(),
            local_agent: None,
            decode_worker: None,
            providers: Vec::new(),
            rentals: Vec::new(),
            max_running: BTreeMap::new(),
            min_free_bytes: None,
            lora_folder: None,
            webhooks_to: Ranges::default(),
            mail: None,
            gauge: Gauge::default(),
            timing: Timing::default(),
        }
    }
}

/// How to rent machines from a provider.
#[derive(Debug, Clone)]
pub struct RentalConfig {
    /// Its account, and what is rented, whatever the job.
    pub landlord: Arc<dyn Landlord>,
    /// How many times as fast as ours its clock runs; a simulated one's may.
    pub time_scale: u32,
    /// Whether its machines talk to the server by way of the bucket, since they cannot reach it.
    pub has_mailbox: bool,
}

impl RentalConfig {
    /// What jobs choose the provider by.
    pub fn name(&self) -> &'static str {
        self.landlord.kind().name()
    }
}

/// How to start an agent: `PROGRAM FIRST_ARGS… agent --server URL …`.
#[derive(Debug, Clone)]
pub struct AgentCommand {
    /// The program: `morpheus` itself.
    pub program: PathBuf,
    /// Arguments before ours.
    pub first_args: Vec<OsString>,
    /// Jobs that train at the same time.
    pub capacity: usize,
    /// What they can train with.
    pub engines: Vec<Engine>,
}
