//! Reconcilers: they read the wanted and the actual state, do the next step, and take no other input.
//!
//! Each pass may be killed at any point; the next one repairs the result. Signals and a timer start passes; a lost
//! signal costs one tick.

mod bases;
mod captions;
mod copies;
mod decide;
mod disk;
mod generations;
mod instances;
mod jobs;
mod notices;
pub(crate) mod objects;
mod pool;
mod rentals;

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures::{FutureExt as _, future::join_all};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{Orchestrator, ServiceError, providers::ProviderError};

/// After a panic, which may repeat, so that the log does not fill up.
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
    /// The row was changed by somebody else first: not an error, the next pass reads it again.
    fn is_race(&self) -> bool {
        matches!(
            self,
            Self::Service(ServiceError::Conflict(_) | ServiceError::LeaseLost)
        )
    }
}

impl Orchestrator {
    /// Runs the reconcilers until `shutdown`. Agents are left running: they go on when the server is back.
    pub async fn run(&self, shutdown: CancellationToken) {
        Box::pin(run(self, shutdown)).await;
    }

    /// One pass of every reconciler; what [`run`](Self::run) repeats.
    #[doc(hidden)]
    pub async fn pass(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.reconcile_disk().await?;
        self.reconcile_bases().await?;
        self.reconcile_jobs().await?;
        self.reconcile_pool().await?;
        self.reconcile_generations().await?;
        self.reconcile_instances().await?;
        self.copy_loras().await?;
        self.reconcile_notices().await?;
        self.reconcile_captions().await?;
        for rental in self.rentals.iter() {
            self.reconcile_rental(rental).await?;
        }
        Ok(())
    }
}

/// Runs all reconcilers until `shutdown`.
async fn run(orchestrator: &Orchestrator, shutdown: CancellationToken) {
    let shutdown = &shutdown;
    tokio::join!(
        again(shutdown, || repeat(orchestrator, shutdown, "disk", || {
            orchestrator.reconcile_disk()
        })),
        again(shutdown, || repeat(orchestrator, shutdown, "jobs", || {
            orchestrator.reconcile_jobs()
        })),
        // A check takes as long as a download; wake-ups meanwhile cause one more pass.
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
        // A copy takes as long as a download, and begins anew after a restart.
        again(shutdown, || async {
            let copying = repeat(orchestrator, shutdown, "copies", || {
                orchestrator.reconcile_copies()
            });
            shutdown.run_until_cancelled(Box::pin(copying)).await;
        }),
        // A receiver may take long to answer; what is not recorded is sent again.
        again(shutdown, || async {
            let sending = repeat(orchestrator, shutdown, "notices", || {
                orchestrator.reconcile_notices()
            });
            shutdown.run_until_cancelled(Box::pin(sending)).await;
        }),
        // A model takes minutes for a picture; what is not recorded is asked again.
        again(shutdown, || async {
            let describing = repeat(orchestrator, shutdown, "captions", || {
                orchestrator.reconcile_captions()
            });
            shutdown.run_until_cancelled(Box::pin(describing)).await;
        }),
        again(shutdown, || objects::repeat(orchestrator, shutdown)),
        join_all(
            orchestrator
                .rentals
                .iter()
                .map(|rental| again(shutdown, || orchestrator.repeat_rental(rental, shutdown)))
        ),
    );
}

/// Restarts a reconciler after a panic: it keeps no state in memory, and a problem with one job must not stop all
/// others.
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
