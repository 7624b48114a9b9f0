//! Generations: a worker is started when one waits, and what a dead worker left is queued again.

use chrono::TimeDelta;
use protocol::phase::Outcome;
use store::{
    attempts::{self, Attempt, Subject},
    generations::{self, GenerationEnd},
    tokens,
};
use uuid::Uuid;

use super::{ReconcileError, instances::terminate};
use crate::{
    Orchestrator,
    orchestrator::time_delta,
    providers::{LaunchRequest, Provider, Purpose},
    services::again_or_failed,
};

/// Workers started for the oldest waiting generation before it and those after it fail.
const MAX_WORKER_STARTS: u64 = 5;

/// A worker's token outlives any worker: it exits when there is nothing to do, at the latest with the machine.
const WORKER_TOKEN_LIFE: TimeDelta = TimeDelta::days(30);

impl Orchestrator {
    /// One pass over the workers of one provider: the first that can have any.
    pub(crate) async fn reconcile_generations(&self) -> Result<(), ReconcileError> {
        let Some(provider) = self.provider("local") else {
            return Ok(());
        };
        // Instances first, as for jobs.
        let workers: Vec<_> = provider
            .list()
            .await?
            .into_iter()
            .filter(|instance| instance.purpose == Purpose::Generate)
            .collect();
        let mut n_running = 0;
        for attempt in attempts::alive(&self.store).await? {
            let Subject::Generation(_) = attempt.subject else {
                continue;
            };
            if workers.is_empty() || self.lease_is_over(&attempt) {
                self.end_lost(&attempt).await?;
            } else {
                n_running += 1;
            }
        }
        let Some(waiting_since) = generations::oldest_queued(&self.store).await? else {
            return Ok(());
        };
        if workers.is_empty() {
            return self.start_worker(provider.as_ref(), waiting_since).await;
        }
        let boot_timeout = time_delta(self.options.boot_timeout);
        let late = store::now() - boot_timeout;
        if n_running == 0 && waiting_since.max(self.started_at) < late {
            for worker in workers.into_iter().filter(|worker| worker.started_at < late) {
                tracing::warn!(instance.id = %worker.id, "the worker does not ask for the work that waits");
                terminate(provider.as_ref(), worker).await?;
            }
        }
        Ok(())
    }

    fn lease_is_over(&self, attempt: &Attempt) -> bool {
        let until = attempt.lease_until.unwrap_or(attempt.created_at);
        store::now() > until.max(self.started_at + time_delta(self.options.lease))
    }

    async fn end_lost(&self, attempt: &Attempt) -> Result<(), ReconcileError> {
        let Subject::Generation(id) = attempt.subject else {
            return Ok(());
        };
        let tx = self.store.begin().await?;
        attempts::end(&tx, attempt, Outcome::Lost, None).await?;
        generations::end_attempt(&tx, id, again_or_failed(attempt)).await?;
        tx.commit().await?;
        tracing::info!(attempt.id = %attempt.id, generation.id = %id, "the worker is gone");
        Ok(())
    }

    async fn start_worker(
        &self,
        provider: &dyn Provider,
        waiting_since: chrono::DateTime<chrono::Utc>,
    ) -> Result<(), ReconcileError> {
        let starts = tokens::worker_starts_since(&self.store, waiting_since).await?;
        if let Some(newest) = starts.newest {
            let delay = self.options.worker_restart * (1 << (starts.n - 1).min(6));
            if store::now() < newest.created_at + time_delta(delay) {
                return Ok(());
            }
            if starts.n >= MAX_WORKER_STARTS {
                let words = match newest.name.parse() {
                    Ok(id) => provider.last_words(id).await,
                    Err(_) => None,
                };
                return self.fail_waiting(words).await;
            }
        }
        let id = Uuid::now_v7();
        let tx = self.store.begin().await?;
        let expires_at = store::now() + WORKER_TOKEN_LIFE;
        let owner = self.store.default_owner();
        let token = tokens::create_worker(&tx, owner, &id.to_string(), expires_at).await?;
        tx.commit().await?;
        let request = LaunchRequest {
            id,
            purpose: Purpose::Generate,
            token,
        };
        let worker = provider.launch(&request).await?;
        tracing::info!(instance.id = %id, instance = %worker.handle, "worker started");
        Ok(())
    }

    /// No worker can be kept alive: whoever waits is told why.
    async fn fail_waiting(&self, last_words: Option<String>) -> Result<(), ReconcileError> {
        let reason = format!(
            "the program that renders pictures ended {MAX_WORKER_STARTS} times before it asked for work; \
             its last words: {}",
            last_words.unwrap_or_else(|| "none".to_owned())
        );
        let tx = self.store.begin().await?;
        while let Some(generation) = store::queue::claim_generation(&tx).await? {
            generations::end_attempt(&tx, generation.id, GenerationEnd::Failed(reason.clone())).await?;
        }
        tx.commit().await?;
        tracing::error!(reason, "no worker can be kept alive");
        Ok(())
    }
}
