//! What every handler can reach.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderValue, Uri};
use dataset::decoder::Decoder;
use ipnet::IpNet;
use orchestrator::Orchestrator;
use protocol::TokenId;
use store::Store;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access_watch::AccessWatch, feed::Feeds, guard::Guard, readiness::Readiness, telemetry::Counters,
    timing::Timing,
};

/// The use of a token is noted this often.
const USE_PRECISION: Duration = Duration::from_secs(60);

/// Shared by all requests. Cheap to clone.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) orchestrator: Orchestrator,
    /// Decodes the pictures of all uploads.
    pub(crate) decoder: Decoder,
    /// Files of all uploads that are checked at the same time.
    pub(crate) checking: Arc<Semaphore>,
    /// Thumbnails that are made again at the same time. They wait for no upload, and no upload waits for them.
    pub(crate) thumbnails: Arc<Semaphore>,
    /// How browsers reach the server.
    pub(crate) public_url: Uri,
    /// What pages may load from where.
    pub(crate) content_security_policy: HeaderValue,
    /// The server listens on this machine only.
    pub(crate) is_loopback: bool,
    /// Proxies that say where requests come from.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Limits refused sign-ins.
    pub(crate) guard: Guard,
    /// Tells when tokens end.
    pub(crate) access: AccessWatch,
    pub(crate) timing: Timing,
    pub(crate) counters: Counters,
    pub(crate) readiness: Readiness,
    /// New events of the jobs that sockets follow.
    pub(crate) feeds: Feeds,
    /// Tokens whose use was noted lately, so that not every request writes to the database.
    pub(crate) noted_uses: Mutex<HashMap<TokenId, Instant>>,
    /// Long requests end when this is cancelled.
    pub(crate) shutdown: CancellationToken,
    /// Open WebSockets and what requests leave to do behind them, which the HTTP server does not wait for by itself.
    pub(crate) sockets: TaskTracker,
}

impl AppState {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Notes that a token is in use, at most once a minute; a failure to do so refuses nobody.
    pub(crate) async fn note_use(&self, token: TokenId) {
        let is_due = {
            let mut noted = self.noted_uses.lock().unwrap_or_else(PoisonError::into_inner);
            noted.retain(|_, at| at.elapsed() < USE_PRECISION);
            match noted.entry(token) {
                Entry::Occupied(_) => false,
                Entry::Vacant(entry) => {
                    entry.insert(Instant::now());
                    true
                }
            }
        };
        if !is_due {
            return;
        }
        let noting = async {
            let tx = self.store().begin().await?;
            store::tokens::touch(&tx, token).await?;
            tx.commit().await
        };
        if let Err(error) = noting.await {
            tracing::warn!(
                error = protocol::problem::chain(&error),
                "the use of a token was not noted"
            );
        }
    }

    pub(crate) fn store(&self) -> &Store {
        self.0.orchestrator.store()
    }
}

impl std::ops::Deref for AppState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
