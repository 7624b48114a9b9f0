//! What a start writes down. A server starts on storage that takes no writes, as a running one goes on, and writes
//! this when it can.

use std::{net::SocketAddr, time::Duration};

use orchestrator::{Orchestrator, ServiceError};
use protocol::{audit::AuditAction, problem::chain};
use store::{
    Store, StoreError,
    audit::{self, Actor},
    bases::NewBase,
};

use crate::state::AppState;

/// Interval of the attempts.
const TRY_EVERY: Duration = Duration::from_secs(10);

/// What is still to be written.
pub(super) struct Late {
    bases: Option<Vec<NewBase>>,
    /// Subject and detail of the entry in the audit log.
    start: Option<(String, String)>,
    actor: Option<Actor>,
}

impl Late {
    pub(super) fn new(bases: Vec<NewBase>, address: SocketAddr, public_url: &str) -> Self {
        let detail = format!("version {}, for {public_url}", env!("CARGO_PKG_VERSION"));
        Self {
            bases: Some(bases),
            start: Some((format!("on {address}"), detail)),
            actor: audit::actor(),
        }
    }

    /// Registers the base models of the settings. Storage that takes no writes is no error.
    pub(super) async fn declare(&mut self, orchestrator: &Orchestrator) -> Result<(), ServiceError> {
        let Some(bases) = self.bases.clone() else {
            return Ok(());
        };
        match orchestrator.declare_bases(bases).await {
            Err(ServiceError::Store(error)) if error.fault().is_some() => {
                put_off("the base models from the settings were not registered", &error);
                Ok(())
            }
            outcome => {
                self.bases = None;
                outcome
            }
        }
    }

    /// Says in the audit log that the server was started. Storage that takes no writes is no error.
    pub(super) async fn record(&mut self, store: &Store) -> Result<(), StoreError> {
        let Some((subject, detail)) = &self.start else {
            return Ok(());
        };
        let recording = record(store, subject, detail);
        let outcome = match self.actor.clone() {
            Some(actor) => audit::acting(actor, recording).await,
            None => recording.await,
        };
        match outcome {
            Err(error) if error.fault().is_some() => {
                put_off("the start was not recorded in the audit log", &error);
                Ok(())
            }
            outcome => {
                self.start = None;
                outcome
            }
        }
    }

    /// Tries again until everything is written.
    pub(super) async fn run(mut self, state: AppState) {
        while self.bases.is_some() || self.start.is_some() {
            tokio::select! {
                () = state.shutdown.cancelled() => return,
                () = tokio::time::sleep(TRY_EVERY) => {}
            }
            if let Err(error) = self.declare(&state.orchestrator).await {
                tracing::error!(
                    error = chain(&error),
                    "failed to register the base models from the settings"
                );
            }
            if let Err(error) = self.record(state.store()).await {
                tracing::error!(
                    error = chain(&error),
                    "failed to record the start in the audit log"
                );
            }
        }
    }
}

async fn record(store: &Store, subject: &str, detail: &str) -> Result<(), StoreError> {
    let tx = store.begin().await?;
    audit::record(&tx, AuditAction::ServerStarted, subject, detail).await?;
    tx.commit().await
}

fn put_off(what: &'static str, error: &StoreError) {
    let seconds = TRY_EVERY.as_secs();
    tracing::error!(
        error = chain(error),
        "{what}; the server tries again every {seconds} s"
    );
}
