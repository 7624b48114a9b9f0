//! The orchestrator: what all services and reconcilers share.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use protocol::{copies::LoraCopies, system::SystemStatus};
use store::{Outgoing, Store};

use crate::{
    Base, HubOptions, Inspect, Measure, Places, Ranges, ReadLora, Rules, ServiceResult,
    captioner::Captioner,
    copies::Copies,
    disk::{Disk, DiskOptions},
    notices::{NoticeOptions, Notices},
    previews::{Newest, Previews},
    providers::Provider,
    rentals::{Rental, RentalOptions},
    time::time_delta,
    watches::Watches,
};

/// What the orchestrator works with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Built-in base models, by unique names.
    pub bases: Vec<Base>,
    /// Inspects registered base models; if absent, none can be registered.
    pub inspect_base: Option<Inspect>,
    /// Measures what the U-Nets of registered base models on this machine do; if absent, only agents measure it.
    pub measure_base: Option<Measure>,
    /// Reads LoRAs of other programs; if left out, none can be imported.
    pub read_lora: Option<ReadLora>,
    /// The hub of base models that are registered by their id on Hugging Face.
    pub hub: HubOptions,
    /// Where base models may be fetched from, and where endpoints that describe pictures may be, beside the public addresses.
    pub fetch_from: Ranges,
    /// Folders of this machine that base models may be registered from, beside those of the settings.
    pub base_folders: Vec<PathBuf>,
    /// Providers of machines that cost nothing, by unique names.
    pub providers: Vec<Arc<dyn Provider>>,
    /// Providers that rent machines for money, by unique names.
    pub rentals: Vec<RentalOptions>,
    /// After this long without a call, an agent loses its work.
    pub lease: Duration,
    /// An instance has failed if its agent has not called this long after the start.
    pub boot_timeout: Duration,
    /// Interval of the reconcilers' passes without a wake-up.
    pub tick: Duration,
    /// Attempts in a row that may end without a new checkpoint before the job fails.
    pub max_fruitless_attempts: u32,
    /// Workers that end at once are started again after 1, 2, 4, … of these.
    pub worker_restart: Duration,
    /// Time that an agent has to follow an order to cancel, or to exit after its attempt has ended.
    pub patience: Duration,
    /// Maximum number of running jobs by name of the provider; if absent, as many as it has room for.
    pub max_running: BTreeMap<String, usize>,
    /// How long files and unreferenced objects are kept.
    pub rules: Rules,
    /// Disks that must not become full.
    pub disk: DiskOptions,
    /// Folder of another program, into which approved LoRAs are copied.
    pub lora_folder: Option<PathBuf>,
    /// How people are told of jobs that end.
    pub notices: NoticeOptions,
}

impl Options {
    /// The usual times, for these bases and providers.
    pub fn new(bases: Vec<Base>, providers: Vec<Arc<dyn Provider>>) -> Self {
        Self {
            bases,
            inspect_base: None,
            measure_base: None,
            read_lora: None,
            hub: HubOptions::default(),
            fetch_from: Ranges::default(),
            base_folders: Vec::new(),
            providers,
            rentals: Vec::new(),
            lease: Duration::from_secs(20),
            boot_timeout: Duration::from_secs(60),
            tick: Duration::from_secs(1),
            max_fruitless_attempts: 5,
            worker_restart: Duration::from_secs(1),
            patience: Duration::from_secs(15),
            max_running: BTreeMap::new(),
            rules: Rules::default(),
            disk: DiskOptions::default(),
            lora_folder: None,
            notices: NoticeOptions::default(),
        }
    }
}

/// Services and reconcilers over one store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Orchestrator {
    pub(crate) store: Store,
    pub(crate) options: Arc<Options>,
    /// A lease that expired while no server could renew it does not count as lost.
    pub(crate) watches: Arc<Watches>,
    /// Of pictures that are being rendered.
    pub(crate) previews: Arc<Previews>,
    pub(crate) rentals: Arc<Vec<Rental>>,
    /// Places that may hold base models.
    pub(crate) places: Places,
    pub(crate) disk: Arc<Disk>,
    /// Copies of approved LoRAs for other programs.
    pub(crate) copies: Arc<Copies>,
    /// Sends notices to webhooks and by mail.
    pub(crate) notices: Arc<Notices>,
    /// Asks endpoints about pictures.
    pub(crate) captioner: Arc<Captioner>,
}

impl Orchestrator {
    /// Puts it together; nothing runs until `run`.
    pub fn new(store: Store, mut options: Options) -> Self {
        let rentals = std::mem::take(&mut options.rentals);
        store.set_outgoing(Outgoing {
            public_url: options.notices.public_url.clone(),
            sends_mail: options.notices.mail.is_some(),
        });
        Self {
            rentals: Arc::new(rentals.into_iter().map(Rental::new).collect()),
            places: Places::new(options.base_folders.clone(), store.local_paths().to_vec()),
            disk: Arc::new(Disk::new(options.disk.clone())),
            copies: Arc::new(Copies::new(options.lora_folder.as_ref())),
            notices: Arc::new(Notices::new(options.notices.clone())),
            captioner: Arc::new(Captioner::new(options.fetch_from.clone())),
            store,
            options: Arc::new(options),
            previews: Arc::default(),
            watches: Arc::default(),
        }
    }

    /// Follows the previews of a generation that agents send to this server.
    pub fn previews(&self, id: protocol::GenerationId) -> Newest {
        self.previews.follow(id)
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The state of the server itself.
    pub fn system_status(&self) -> SystemStatus {
        SystemStatus {
            disk: self.disk.look(),
            sends_mail: self.notices.sends_mail(),
        }
    }

    /// The folder into which approved LoRAs are copied, and the copies, as this server saw them last.
    pub fn lora_copies(&self) -> LoraCopies {
        self.copies.known()
    }

    /// Refuses bytes for which the server's disk has no room.
    pub fn check_room(&self, n_bytes: u64) -> ServiceResult<()> {
        // In a bucket, it takes no room here.
        let is_kept_here = self.store.objects().folder().is_some();
        self.disk.check_room(if is_kept_here { n_bytes } else { 0 })
    }
}

impl Orchestrator {
    pub(crate) fn rental(&self, name: &str) -> Option<&Rental> {
        self.rentals.iter().find(|rental| rental.name() == name)
    }

    pub(crate) fn provider(&self, name: &str) -> Option<&Arc<dyn Provider>> {
        self.options
            .providers
            .iter()
            .find(|provider| provider.name() == name)
    }

    /// Jobs that a provider may run here at the same time.
    pub(crate) fn max_running(&self, provider: &dyn Provider) -> usize {
        let limit = self.options.max_running.get(provider.name());
        limit.copied().unwrap_or_else(|| provider.capacity())
    }

    /// The end of a lease that is given or renewed now.
    pub(crate) fn lease_end(&self) -> DateTime<Utc> {
        store::now() + time_delta(self.options.lease)
    }

    /// Attempts that a job may still make after one more that brought no checkpoint.
    pub(crate) fn attempts_left(&self, n_fruitless_attempts: u32) -> u32 {
        self.options
            .max_fruitless_attempts
            .saturating_sub(n_fruitless_attempts + 1)
    }
}
