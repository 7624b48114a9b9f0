//! The orchestrator: what all services and reconcilers share.

use std::{sync::Arc, time::Duration};

use protocol::{agent::BaseLocation, job::BaseModel};
use store::Store;
use tokio_util::sync::CancellationToken;

use crate::providers::Provider;

/// A base model and where agents find it.
#[derive(Debug, Clone)]
pub struct Base {
    /// What the API shows.
    pub model: BaseModel,
    /// Where agents on this machine find it.
    pub location: BaseLocation,
}

/// What the orchestrator works with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Base models that are offered, by unique names.
    pub bases: Vec<Base>,
    /// Who leases machines, by unique names.
    pub providers: Vec<Arc<dyn Provider>>,
    /// An agent that does not call for this long has lost its work.
    pub lease: Duration,
    /// An instance whose agent does not call for this long after its start has failed.
    pub boot_timeout: Duration,
    /// The reconcilers look this often even when nobody wakes them.
    pub tick: Duration,
    /// Attempts in a row that may end without a new checkpoint before the job fails.
    pub max_fruitless_attempts: u32,
    /// A worker that got no generation for this long is told to end by an empty claim.
    pub idle_worker: Duration,
}

impl Options {
    /// The usual times, for these bases and providers.
    pub fn new(bases: Vec<Base>, providers: Vec<Arc<dyn Provider>>) -> Self {
        Self {
            bases,
            providers,
            lease: Duration::from_secs(20),
            boot_timeout: Duration::from_secs(60),
            tick: Duration::from_secs(1),
            max_fruitless_attempts: 5,
            idle_worker: Duration::from_secs(120),
        }
    }
}

/// Services and reconcilers over one store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Orchestrator {
    pub(crate) store: Store,
    pub(crate) options: Arc<Options>,
}

impl Orchestrator {
    /// Puts it together; nothing runs until [`run`](Self::run).
    pub fn new(store: Store, options: Options) -> Self {
        Self {
            store,
            options: Arc::new(options),
        }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Runs the reconcilers until `shutdown`. Agents are left running: they go on when the server is back.
    pub async fn run(&self, shutdown: CancellationToken) {
        let _ = shutdown;
        todo!()
    }

    /// Base models that are offered.
    pub fn base_models(&self) -> Vec<BaseModel> {
        self.options.bases.iter().map(|base| base.model.clone()).collect()
    }
}
