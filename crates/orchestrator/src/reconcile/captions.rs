//! Runs that describe pictures: their pictures are sent to the endpoint, and the answers are kept as proposals.
//!
//! A server that dies in between has its lease run out. Another goes on with the pictures that have no answer yet, so at most
//! a few of them are asked about twice.

use std::time::Duration;

use chrono::TimeDelta;
use dataset::caption::proposals::{Memory, Policy, Rules};
use fetch::chat::Patience;
use futures::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use protocol::captioning::{CaptionPolicy, CaptionProposal};
use store::{
    StoreError,
    caption_endpoints::{self, SecretEndpoint},
    datasets::{self, CaptionWork, Described},
};

use super::ReconcileError;
use crate::{
    Orchestrator, ServiceResult,
    services::{prompt_for, says_something},
};

/// Runs whose pictures a server describes at the same time.
const N_RUNS: usize = 4;
/// While some are being described, others are seen this late at most.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Pictures of a run that an endpoint is asked about at the same time.
const N_AT_ONCE: u64 = 4;
/// Pictures in a row at which the endpoint fails before the run does.
const MAX_FAILURES: u64 = 3;
/// How often the lease is renewed; it is several times as long.
const RENEW_EVERY: Duration = Duration::from_secs(15);

const DELETED: &str = "its endpoint was deleted";

impl Orchestrator {
    /// Describes the pictures of runs that no server works on, until there is none.
    pub(crate) async fn reconcile_captions(&self) -> Result<(), ReconcileError> {
        self.describe_pictures(TimeDelta::zero()).await
    }

    /// Describes the pictures of runs that no server will work on so much later.
    #[doc(hidden)]
    pub async fn describe_pictures_after(
        &self,
        ahead: TimeDelta,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.describe_pictures(ahead).await?)
    }

    /// On a clock that is so much ahead. It is read for each run: one takes longer than a lease lasts. At most [`N_RUNS`] are
    /// worked on at the same time, so that an endpoint that answers slowly does not keep the other runs waiting.
    async fn describe_pictures(&self, ahead: TimeDelta) -> Result<(), ReconcileError> {
        let mut wakeups = self.store.signals().on_wake();
        let mut describing = FuturesUnordered::new();
        loop {
            // Usually there is nothing to do, and then no transaction is opened for others to wait for.
            while describing.len() < N_RUNS
                && datasets::is_caption_work_due(&self.store, store::now() + ahead).await?
            {
                let tx = self.store.begin().await?;
                let work = datasets::claim_caption_work(&tx, store::now() + ahead).await?;
                tx.commit().await?;
                // Otherwise another server was faster.
                if let Some(work) = work {
                    describing.push(Box::pin(self.describe_run(work)));
                }
            }
            tokio::select! {
                done = describing.next() => match done {
                    Some(done) => done?,
                    None => return Ok(()),
                },
                () = wakeups.wait() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn describe_run(&self, work: CaptionWork) -> Result<(), ReconcileError> {
        tracing::info!(caption_run.id = %work.id, "describing pictures");
        let Some(endpoint) = self.endpoint_of(&work).await? else {
            return self.end_captions(&work, Some(DELETED)).await;
        };
        tokio::select! {
            done = self.describe_all(&work, &endpoint) => done,
            stopped = self.hold_caption_work(&work) => stopped,
        }
    }

    /// Renews the lease of a run until somebody stops it, deletes its endpoint, or another server has it.
    async fn hold_caption_work(&self, work: &CaptionWork) -> Result<(), ReconcileError> {
        let mut wakeups = self.store.signals().on_wake();
        let mut timer = tokio::time::interval(RENEW_EVERY);
        loop {
            let is_due = tokio::select! {
                () = wakeups.wait() => false,
                _ = timer.tick() => true,
            };
            if !datasets::has_caption_work(&self.store, work).await? {
                // A run without its endpoint is looked at again, and fails.
                let tx = self.store.begin().await?;
                datasets::release_caption_work(&tx, work).await?;
                tx.commit().await?;
                return Ok(());
            }
            if is_due {
                let tx = self.store.begin().await?;
                datasets::renew_caption_work(&tx, work).await?;
                tx.commit().await?;
            }
        }
    }

    /// Describes what is left of a run.
    async fn describe_all(
        &self,
        work: &CaptionWork,
        endpoint: &SecretEndpoint,
    ) -> Result<(), ReconcileError> {
        loop {
            let waiting = datasets::waiting_captions(&self.store, work.id, N_AT_ONCE).await?;
            if waiting.is_empty() {
                return self.end_captions(work, None).await;
            }
            let failures = join_all(
                waiting
                    .iter()
                    .map(|picture| self.describe_one(work, endpoint, picture)),
            );
            for failure in failures.await {
                if let Some(problem) = failure? {
                    return self.end_captions(work, Some(&problem)).await;
                }
            }
        }
    }

    async fn endpoint_of(&self, work: &CaptionWork) -> Result<Option<SecretEndpoint>, ReconcileError> {
        let Some(id) = work.endpoint else { return Ok(None) };
        match caption_endpoints::secret(&self.store, work.owner, id).await {
            Ok(endpoint) => Ok(Some(endpoint)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(err) => Err(err.into()),
        }
    }

    /// Describes a picture; returns what is wrong if the endpoint has failed too often.
    async fn describe_one(
        &self,
        work: &CaptionWork,
        endpoint: &SecretEndpoint,
        picture: &CaptionProposal,
    ) -> Result<Option<String>, ReconcileError> {
        let described = self.description(work, endpoint, picture).await?;
        crate::failpoint::reached("picture described");
        let tx = self.store.begin().await?;
        let n_failed = datasets::record_description(&tx, work, picture, &described).await?;
        tx.commit().await?;
        match described {
            Described::EndpointFailed(problem) => {
                tracing::warn!(caption_run.id = %work.id, problem, "a picture was not described");
                Ok((n_failed >= MAX_FAILURES).then_some(problem))
            }
            _ => Ok(None),
        }
    }

    async fn description(
        &self,
        work: &CaptionWork,
        endpoint: &SecretEndpoint,
        picture: &CaptionProposal,
    ) -> ServiceResult<Described> {
        let item = match datasets::item(&self.store, work.owner, work.dataset, picture.item_id).await {
            Ok(item) => item,
            Err(StoreError::NotFound { .. }) => {
                return Ok(Described::PictureFailed("the picture was deleted".to_owned()));
            }
            Err(err) => return Err(err.into()),
        };
        if work.policy == CaptionPolicy::Keep && says_something(&item.caption) {
            // Somebody has written a caption since the run was started.
            return Ok(Described::Unchanged);
        }
        let png = match self.picture_to_send(&item).await? {
            Ok(png) => png,
            Err(problem) => return Ok(Described::PictureFailed(problem)),
        };
        let prompt = prompt_for(&item, (&work.prompt, &work.trigger_word));
        let patience = Patience::default();
        let answer = self.captioner.describe(endpoint, (&prompt, &png), patience).await;
        let text = match answer {
            Ok(text) => text,
            Err(problem) => return Ok(Described::EndpointFailed(problem)),
        };
        let rules = Rules {
            policy: match work.policy {
                CaptionPolicy::Keep => Policy::Keep,
                CaptionPolicy::Add => Policy::Add,
                CaptionPolicy::Replace => Policy::Replace,
            },
            trigger_word: &work.trigger_word,
        };
        let of = (item.file_name.as_str(), item.caption.as_str());
        let proposal = rules.of_text(&Memory::default(), of, &text);
        Ok(match proposal.is_change() {
            true => Described::Proposed {
                before: proposal.old,
                after: proposal.new,
            },
            false => Described::Unchanged,
        })
    }

    async fn end_captions(&self, work: &CaptionWork, problem: Option<&str>) -> Result<(), ReconcileError> {
        let tx = self.store.begin().await?;
        datasets::end_caption_work(&tx, work, problem).await?;
        tx.commit().await?;
        tracing::info!(caption_run.id = %work.id, problem, "pictures described");
        Ok(())
    }
}
