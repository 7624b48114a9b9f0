//! Ends WebSockets and long-polling requests when their token ends.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use protocol::{TokenId, problem::chain};
use store::{Store, tokens};
use tokio::sync::watch;

/// Tokens can expire, or end on other servers, without a notification; they are checked this often.
const CHECK_EVERY: Duration = Duration::from_secs(3);

/// Notifies when tokens end.
#[derive(Debug)]
pub(crate) struct AccessWatch {
    /// Counts the changes made by this server.
    changes: watch::Sender<u64>,
    /// Recent results, so that all sockets of a token share one check.
    seen: Mutex<HashMap<TokenId, (u64, Instant)>>,
}

impl Default for AccessWatch {
    fn default() -> Self {
        Self {
            changes: watch::Sender::new(0),
            seen: Mutex::default(),
        }
    }
}

impl AccessWatch {
    /// A token or a session was ended here.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Waits until the token is no longer valid.
    pub(crate) async fn ended(&self, store: &Store, token: TokenId) {
        let mut changes = self.changes.subscribe();
        loop {
            let n = *changes.borrow_and_update();
            if !self.is_good(store, token, n).await {
                return;
            }
            // The sender lives as long as this.
            let _ = tokio::time::timeout(CHECK_EVERY, changes.changed()).await;
        }
    }

    async fn is_good(&self, store: &Store, token: TokenId, n_changes: u64) -> bool {
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.retain(|_, (_, at)| at.elapsed() < CHECK_EVERY);
            if seen.get(&token).is_some_and(|(n, _)| *n == n_changes) {
                return true;
            }
        }
        match tokens::is_valid(store, token).await {
            Ok(true) => {
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.insert(token, (n_changes, Instant::now()));
                true
            }
            Ok(false) => false,
            // An unavailable database does not end sessions.
            Err(error) => {
                tracing::debug!(error = chain(&error), "a token could not be checked");
                true
            }
        }
    }
}
