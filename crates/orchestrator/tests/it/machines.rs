//! A provider whose machines are rows in memory, and which dies where a test wants it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use orchestrator::providers::{Instance, LaunchRequest, Provider, ProviderError};
use tokio::sync::Notify;
use uuid::Uuid;

/// Where the process "dies": the call never returns, and the test drops the pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    BeforeLaunch,
    AfterLaunch,
    BeforeList,
    BeforeTerminate,
    AfterTerminate,
}

/// Machines in memory.
#[derive(Debug, Default)]
pub(crate) struct Machines {
    alive: Mutex<BTreeMap<Uuid, Instance>>,
    tokens: Mutex<BTreeMap<Uuid, String>>,
    n_launches: Mutex<usize>,
    crash: Mutex<Option<Crash>>,
    crashed: Notify,
    refuse: Mutex<Option<&'static str>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds this")
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(&'static str);

impl Machines {
    pub(crate) fn crash_at(&self, crash: Crash) {
        *locked(&self.crash) = Some(crash);
    }

    pub(crate) fn refuse(&self, why: Option<&'static str>) {
        *locked(&self.refuse) = why;
    }

    pub(crate) fn alive(&self) -> Vec<Instance> {
        locked(&self.alive).values().cloned().collect()
    }

    pub(crate) fn n_launches(&self) -> usize {
        *locked(&self.n_launches)
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&self, id: Uuid) {
        locked(&self.alive).remove(&id).expect("it lives");
    }

    pub(crate) fn kill_all(&self) {
        locked(&self.alive).clear();
    }

    pub(crate) fn token(&self, id: Uuid) -> String {
        locked(&self.tokens)[&id].clone()
    }

    /// Returns when it dies.
    pub(crate) async fn crashed(&self) {
        self.crashed.notified().await;
    }

    async fn maybe_crash(&self, here: Crash) {
        let crashes = locked(&self.crash).take_if(|crash| *crash == here).is_some();
        if crashes {
            self.crashed.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Provider for Machines {
    fn name(&self) -> &'static str {
        "local"
    }

    fn capacity(&self) -> usize {
        1
    }

    async fn launch(&self, request: &LaunchRequest) -> Result<Instance, ProviderError> {
        self.maybe_crash(Crash::BeforeLaunch).await;
        let refused = *locked(&self.refuse);
        if let Some(why) = refused {
            return Err(ProviderError {
                provider: "local",
                doing: "start an agent".to_owned(),
                source: Box::new(Refused(why)),
            });
        }
        let instance = Instance {
            id: request.id,
            purpose: request.purpose,
            handle: "1".to_owned(),
            started_at: store::now(),
        };
        *locked(&self.n_launches) += 1;
        let earlier = locked(&self.alive).insert(request.id, instance.clone());
        assert!(earlier.is_none(), "the same attempt is started twice");
        locked(&self.tokens).insert(request.id, request.token.clone());
        self.maybe_crash(Crash::AfterLaunch).await;
        Ok(instance)
    }

    async fn list(&self) -> Result<Vec<Instance>, ProviderError> {
        self.maybe_crash(Crash::BeforeList).await;
        Ok(self.alive())
    }

    async fn terminate(&self, instance: &Instance) -> Result<(), ProviderError> {
        self.maybe_crash(Crash::BeforeTerminate).await;
        locked(&self.alive).remove(&instance.id);
        self.maybe_crash(Crash::AfterTerminate).await;
        Ok(())
    }

    async fn last_words(&self, _: Uuid) -> Option<String> {
        Some("out of memory".to_owned())
    }
}
