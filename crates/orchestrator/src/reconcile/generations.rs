//! Generations and edits: a worker is started when one is waiting, and those of a crashed worker are queued again.

use std::time::Duration;

use chrono::TimeDelta;
use store::{
    attempts::{self, Attempt, Subject},
    tokens,
};
use uuid::Uuid;

use super::{ReconcileError, instances::terminate};
use crate::{
    Orchestrator,
    providers::{Instance, LaunchRequest, Provider, Purpose},
    services::{WorkerQueue, end_lost},
    time::time_delta,
    watches::Aspect,
};

/// Workers started for the oldest waiting generation or edit before it and those after it fail.
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
            // A drawing session's end is that of its pictures' attempts.
            let is_of_worker = matches!(attempt.subject, Subject::Generation(_) | Subject::Edit(_));
            if !is_of_worker || attempt.provider != provider.name() {
                continue;
            }
            let mark = (attempt.fence, attempt.lease_until);
            let unrenewed_for = self.watches.unchanged_for(attempt.id.0, Aspect::Lease, mark);
            let is_ours = self.is_ours(&attempt);
            let is_lost = if is_ours {
                workers.is_empty() || unrenewed_for > self.options.lease
            } else {
                // The server that started its worker is gone too, or it would have noticed.
                unrenewed_for > 2 * self.options.lease
            };
            if is_lost {
                self.end_lost(&attempt).await?;
            } else if is_ours {
                n_running += 1;
            }
        }
        let Some(oldest) = self.oldest_waiting().await? else {
            return Ok(());
        };
        if self.disk.is_short() {
            return Ok(());
        }
        let waiting_for = self.watches.unchanged_for(oldest, Aspect::Waiting, (0, None));
        if workers.is_empty() {
            return self.start_worker(provider.as_ref(), waiting_for).await;
        }
        let boot_timeout = self.options.boot_timeout;
        if n_running == 0 && waiting_for > boot_timeout {
            let is_late = |worker: &Instance| {
                let mark = (0, Some(worker.started_at));
                self.watches.unchanged_for(worker.id, Aspect::Start, mark) > boot_timeout
            };
            for worker in workers.into_iter().filter(is_late) {
                tracing::warn!(instance.id = %worker.id, "the worker does not ask for the work that waits");
                terminate(provider.as_ref(), worker).await?;
            }
        }
        Ok(())
    }

    async fn end_lost(&self, attempt: &Attempt) -> Result<(), ReconcileError> {
        let tx = self.store.begin().await?;
        end_lost(&tx, attempt, None).await?;
        tx.commit().await?;
        tracing::info!(attempt.id = %attempt.id, subject = ?attempt.subject, "the worker is gone");
        Ok(())
    }

    /// The generation or edit that waits for longest.
    async fn oldest_waiting(&self) -> Result<Option<Uuid>, ReconcileError> {
        for queue in WorkerQueue::ALL {
            if let Some(id) = queue.oldest(&self.store).await? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    async fn start_worker(
        &self,
        provider: &dyn Provider,
        waiting_for: Duration,
    ) -> Result<(), ReconcileError> {
        // Both times are of this server's clock.
        let now = store::now();
        let prefix = format!("{}/", self.store.server());
        let since = now - time_delta(waiting_for);
        let starts = tokens::worker_starts_since(&self.store, &prefix, since).await?;
        if let Some(newest) = starts.newest {
            let delay = time_delta(self.options.worker_restart * (1 << (starts.n - 1).min(6)));
            if now < newest.created_at + delay {
                return Ok(());
            }
            if starts.n >= MAX_WORKER_STARTS {
                let words = match newest.name.trim_start_matches(&prefix).parse() {
                    Ok(id) => provider.last_words(id).await,
                    Err(_) => None,
                };
                return self.fail_waiting(words).await;
            }
        }
        let id = Uuid::now_v7();
        let tx = self.store.begin().await?;
        let expires_at = now + WORKER_TOKEN_LIFE;
        let owner = self.store.default_owner();
        let token = tokens::create_worker(&tx, owner, &format!("{prefix}{id}"), expires_at).await?;
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

    /// No worker stays alive: waiting generations and edits fail with the reason.
    async fn fail_waiting(&self, last_words: Option<String>) -> Result<(), ReconcileError> {
        let reason = format!(
            "the program that renders pictures and edits LoRAs exited {MAX_WORKER_STARTS} times before it asked for work; its last \
                 output: {}",
            last_words.unwrap_or_else(|| "none".to_owned())
        );
        let tx = self.store.begin().await?;
        for queue in WorkerQueue::ALL {
            while let Some(taken) = queue.take(&tx).await? {
                taken.fail(&tx, reason.clone()).await?;
            }
        }
        tx.commit().await?;
        tracing::error!(reason, "no worker can be kept alive");
        Ok(())
    }
}
