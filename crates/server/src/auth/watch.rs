//! Ends what is open when the token that it was opened with ends: WebSockets, and requests that wait.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use protocol::{TokenId, problem::chain};
use store::{Store, tokens};
use tokio::sync::watch;

/// Tokens end by time and on other servers without a word here; they are looked at this often.
const CHECK_EVERY: Duration = Duration::from_secs(3);

/// Tells when tokens end.
#[derive(Debug)]
pub(crate) struct AccessWatch {
    /// Counts what this server has changed.
    changes: watch::Sender<u64>,
    /// What was seen lately, so that all sockets of a token look once.
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

    /// Waits until the token is not good any more.
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
            // A database that is away ends nobody's session.
            Err(error) => {
                tracing::debug!(error = chain(&error), "a token could not be looked at");
                true
            }
        }
    }
}
