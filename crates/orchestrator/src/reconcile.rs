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

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures::{FutureExt as _, future::join_all};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{Orchestrator, ServiceError, providers::ProviderError};

/// What panicked once may do so again, and need not fill the log.
const PAUSE_AFTER_PANIC: Duration = Duration::from_secs(1);

/// Why a pass could not finish; the next one tries again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Landlord(rental::CallError),
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
    let shutdown = &shutdown;
    tokio::join!(
        again(shutdown, || repeat(orchestrator, shutdown, "disk", || {
            orchestrator.reconcile_disk()
        })),
        again(shutdown, || repeat(orchestrator, shutdown, "jobs", || {
            orchestrator.reconcile_jobs()
        })),
        // A check takes as long as a download; whoever comes later does it again.
        again(shutdown, || async {
            let checks = repeat(orchestrator, shutdown, "bases", || async {
                Ok(orchestrator.reconcile_bases().await?)
            });
            shutdown.run_until_cancelled(Box::pin(checks)).await;
        }),
        again(shutdown, || repeat(orchestrator, shutdown, "pool", || {
            orchestrator.reconcile_pool()
        })),
        again(shutdown, || repeat(orchestrator, shutdown, "generations", || {
            orchestrator.reconcile_generations()
        })),
        again(shutdown, || repeat(orchestrator, shutdown, "instances", || {
            orchestrator.reconcile_instances()
        })),
        again(shutdown, || objects::repeat(orchestrator, shutdown)),
        join_all(
            orchestrator
                .rentals
                .iter()
                .map(|rental| again(shutdown, || orchestrator.repeat_rental(rental, shutdown)))
        ),
    );
}

/// Lets a reconciler begin again when it panics: it keeps nothing in memory, and what is broken for one job must not
/// stop all others.
async fn again<F: Future<Output = ()>>(shutdown: &CancellationToken, reconciler: impl Fn() -> F) {
    while AssertUnwindSafe(reconciler()).catch_unwind().await.is_err() {
        tracing::error!("a reconciler panicked, and begins again");
        let pause = tokio::time::sleep(PAUSE_AFTER_PANIC);
        if shutdown.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
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
        crate::failpoint::reached(name);
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
