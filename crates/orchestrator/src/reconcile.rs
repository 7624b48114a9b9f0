//! Reconcilers: they read what is wanted and what is, do the next step, and take no other input.
//!
//! Each pass may be killed at any line and is repaired by the next one. Passes are woken by signals and by
//! a timer; a lost wake-up costs one tick.

mod decide;
pub(crate) mod disk;
mod generations;
mod instances;
mod jobs;
pub(crate) mod objects;
mod pool;
mod rentals;

use std::future::Future;

use futures::future::join_all;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{Orchestrator, ServiceError, providers::ProviderError};

/// Why a pass could not finish; the next one tries again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Landlord(crate::providers::rental::CallError),
}

impl From<store::StoreError> for ReconcileError {
    fn from(err: store::StoreError) -> Self {
        Self::Service(err.into())
    }
}

impl ReconcileError {
    /// Somebody else changed the row first: no error, the next pass looks again.
    fn is_race(&self) -> bool {
        matches!(
            self,
            Self::Service(ServiceError::Conflict(_) | ServiceError::LeaseLost)
        )
    }
}

/// Runs all reconcilers until `shutdown`.
pub(crate) async fn run(orchestrator: &Orchestrator, shutdown: CancellationToken) {
    tokio::join!(
        repeat(orchestrator, &shutdown, "disk", || orchestrator.reconcile_disk()),
        repeat(orchestrator, &shutdown, "jobs", || orchestrator.reconcile_jobs()),
        // A check takes as long as a download; whoever comes later does it again.
        shutdown.run_until_cancelled(repeat(orchestrator, &shutdown, "bases", || async {
            Ok(orchestrator.reconcile_bases().await?)
        })),
        repeat(orchestrator, &shutdown, "pool", || orchestrator.reconcile_pool()),
        repeat(orchestrator, &shutdown, "generations", || {
            orchestrator.reconcile_generations()
        }),
        repeat(orchestrator, &shutdown, "instances", || {
            orchestrator.reconcile_instances()
        }),
        objects::repeat(orchestrator, &shutdown),
        join_all(
            orchestrator
                .rentals
                .iter()
                .map(|rental| orchestrator.repeat_rental(rental, &shutdown))
        ),
    );
}

async fn repeat<F>(
    orchestrator: &Orchestrator,
    shutdown: &CancellationToken,
    name: &'static str,
    pass: impl Fn() -> F,
) where
    F: Future<Output = Result<(), ReconcileError>>,
{
    let mut wakeups = orchestrator.store.signals().on_wake();
    let mut timer = tokio::time::interval(orchestrator.options.tick);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = wakeups.wait() => {}
            _ = timer.tick() => {}
        }
        match pass().await {
            Ok(()) => {}
            Err(err) if err.is_race() => tracing::debug!(reconciler = name, error = %err, "overtaken"),
            Err(err) => {
                let error = &err as &dyn std::error::Error;
                tracing::error!(reconciler = name, error, "reconciling failed");
            }
        }
    }
}
