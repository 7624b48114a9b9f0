//! Jobs on machines of the pool: there is nothing to start and nothing to terminate, only leases that expire.

use protocol::phase::{AttemptPhase, Outcome, Phase};
use store::{
    attempts::{Attempt, Subject},
    jobs::{self, JobState},
};

use super::ReconcileError;
use crate::{
    Orchestrator,
    services::{AttemptEnd, POOL, end_job_attempt},
    watches::Aspect,
};

impl Orchestrator {
    /// One pass over the attempts of the pool, and over the jobs that wait for it.
    pub(crate) async fn reconcile_pool(&self) -> Result<(), ReconcileError> {
        for attempt in self.attempts_of(POOL).await? {
            let Subject::Job(job) = attempt.subject else {
                continue;
            };
            let job = jobs::state(&self.store, job).await?;
            if let Some(end) = self.end_of(&attempt, &job) {
                let tx = self.store.begin().await?;
                end_job_attempt(self, &tx, &attempt, end).await?;
                tx.commit().await?;
            }
        }
        self.tell_jobs_of_the_pool().await?;
        Ok(())
    }

    fn end_of(&self, attempt: &Attempt, job: &JobState) -> Option<AttemptEnd> {
        let watch = |aspect, mark| self.watches.unchanged_for(attempt.id.0, aspect, mark);
        let unrenewed_for = watch(Aspect::Lease, (attempt.fence, attempt.lease_until));
        let requested_for = watch(Aspect::Request, (0, job.requested_at));
        if attempt.phase == AttemptPhase::Gone {
            return None;
        }
        if unrenewed_for > self.pool_lease() {
            let seen = "its machine of the pool sent no heartbeat before its lease expired";
            return Some(AttemptEnd::new(Outcome::Lost, seen.to_owned()));
        }
        // It receives the order at its next call.
        if job.phase == Phase::Cancelling && requested_for > self.pool_lease() {
            let seen = "the agent did not carry out the cancellation";
            return Some(AttemptEnd::new(Outcome::Cancelled, seen.to_owned()));
        }
        None
    }
}
