//! The orchestrator: what all services and reconcilers share.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use protocol::system::SystemStatus;
use store::Store;
use tokio_util::sync::CancellationToken;

use crate::{
    Base, HubOptions, Inspect, Places, Ranges, Rules, ServiceResult,
    disk::{Disk, DiskOptions},
    providers::Provider,
    rentals::{Rental, RentalOptions},
    watches::Watches,
};

/// What the orchestrator works with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Base models that the program brings, by unique names.
    pub bases: Vec<Base>,
    /// Looks at those that are registered; left out: none can be.
    pub inspect_base: Option<Inspect>,
    /// Where those are that are registered by their id on Hugging Face.
    pub hub: HubOptions,
    /// Where base models may be fetched from beside the public addresses.
    pub fetch_from: Ranges,
    /// Folders of this machine that base models may be registered from, beside those of the settings.
    pub base_folders: Vec<PathBuf>,
    /// Who leases machines, by unique names.
    pub providers: Vec<Arc<dyn Provider>>,
    /// Who rents machines out, by unique names.
    pub rentals: Vec<RentalOptions>,
    /// An agent that does not call for this long has lost its work.
    pub lease: Duration,
    /// An instance whose agent does not call for this long after its start has failed.
    pub boot_timeout: Duration,
    /// The reconcilers look this often even when nobody wakes them.
    pub tick: Duration,
    /// Attempts in a row that may end without a new checkpoint before the job fails.
    pub max_fruitless_attempts: u32,
    /// Workers that end at once are started again after 1, 2, 4, … of these.
    pub worker_restart: Duration,
    /// Time that an agent has to follow an order to cancel, or to exit after its attempt has ended.
    pub patience: Duration,
    /// Jobs of a provider that run at the same time, by its name; left out: as many as it has room for.
    pub max_running: BTreeMap<String, usize>,
    /// How long files and unreferenced objects are kept.
    pub rules: Rules,
    /// Disks that must not become full.
    pub disk: DiskOptions,
}

impl Options {
    /// The usual times, for these bases and providers.
    pub fn new(bases: Vec<Base>, providers: Vec<Arc<dyn Provider>>) -> Self {
        Self {
            bases,
            inspect_base: None,
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
        }
    }
}

/// Services and reconcilers over one store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Orchestrator {
    pub(crate) store: Store,
    pub(crate) options: Arc<Options>,
    /// Leases that ran out while nobody could renew them are not held against their agents.
    pub(crate) watches: Arc<Watches>,
    pub(crate) rentals: Arc<Vec<Rental>>,
    /// Where base models may lie.
    pub(crate) places: Places,
    pub(crate) disk: Arc<Disk>,
}

impl Orchestrator {
    /// Puts it together; nothing runs until [`run`](Self::run).
    pub fn new(store: Store, mut options: Options) -> Self {
        let rentals = std::mem::take(&mut options.rentals);
        Self {
            rentals: Arc::new(rentals.into_iter().map(Rental::new).collect()),
            places: Places::new(options.base_folders.clone(), store.local_paths().to_vec()),
            disk: Arc::new(Disk::new(options.disk.clone())),
            store,
            options: Arc::new(options),
            watches: Arc::default(),
        }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How the server itself is.
    pub fn system_status(&self) -> SystemStatus {
        SystemStatus {
            disk: self.disk.look(),
        }
    }

    /// Refuses bytes for which the server's disk has no room.
    pub fn check_room(&self, n_bytes: u64) -> ServiceResult<()> {
        // In a bucket, it takes no room here.
        let is_kept_here = self.store.objects().folder().is_some();
        self.disk.check_room(if is_kept_here { n_bytes } else { 0 })
    }

    /// Runs the reconcilers until `shutdown`. Agents are left running: they go on when the server is back.
    pub async fn run(&self, shutdown: CancellationToken) {
        Box::pin(crate::reconcile::run(self, shutdown)).await;
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

pub(crate) fn time_delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

impl Orchestrator {
    /// One pass of every reconciler; what [`run`](Self::run) repeats.
    #[doc(hidden)]
    pub async fn pass(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.reconcile_disk().await?;
        self.reconcile_bases().await?;
        self.reconcile_jobs().await?;
        self.reconcile_pool().await?;
        self.reconcile_generations().await?;
        self.reconcile_instances().await?;
        for rental in self.rentals.iter() {
            self.reconcile_rental(rental).await?;
        }
        Ok(())
    }
}
