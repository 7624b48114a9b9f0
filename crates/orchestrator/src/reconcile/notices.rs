//! Notices: what is due is sent, and what came of it is recorded.
//!
//! A server that dies between the two sends it again when its lease is over, with the same id; receivers tell by it.

use std::time::Duration;

use chrono::TimeDelta;
use futures::{StreamExt as _, stream::FuturesUnordered};
use protocol::{agent::ArtifactKind, audit::AuditAction, limits::MAX_MAIL_PICTURE_BYTES};
use store::{
    artifacts, audit,
    outbox::{self, Due, Receiver},
    webhooks,
};

use super::ReconcileError;
use crate::{
    Orchestrator,
    notices::{Next, Picture},
    time::time_delta,
};

/// Notices that are sent at the same time.
const N_AT_ONCE: usize = 8;
/// While some are being sent, others become due this long before they are seen at the latest.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Why nothing is sent to a webhook any more.
const GONE: &str = "the receiver answered that it is gone (410): delete the webhook, or add it again";

impl Orchestrator {
    /// Sends what is due, until nothing is.
    pub(crate) async fn reconcile_notices(&self) -> Result<(), ReconcileError> {
        self.send_notices(TimeDelta::zero()).await
    }

    /// Sends what will be due so much later.
    #[doc(hidden)]
    pub async fn send_notices_after(
        &self,
        ahead: TimeDelta,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.send_notices(ahead).await?)
    }

    /// On a clock that is so much ahead. It is read for each notice: a receiver may take longer than a lease lasts. At most
    /// [`N_AT_ONCE`] are being sent at the same time, so that a receiver that does not answer keeps no other one waiting.
    async fn send_notices(&self, ahead: TimeDelta) -> Result<(), ReconcileError> {
        let sends_mail = self.notices.sends_mail();
        let mut wakeups = self.store.signals().on_wake();
        let mut sending = FuturesUnordered::new();
        loop {
            // Usually there is nothing to do, and then no transaction is opened for others to wait for.
            while sending.len() < N_AT_ONCE
                && outbox::any_due(&self.store, store::now() + ahead, sends_mail).await?
            {
                let tx = self.store.begin().await?;
                let due = outbox::claim(&tx, store::now() + ahead, sends_mail, 1).await?;
                tx.commit().await?;
                for due in due {
                    sending.push(Box::pin(self.deliver(due, ahead)));
                }
            }
            tokio::select! {
                done = sending.next() => match done {
                    Some(done) => done?,
                    None => return Ok(()),
                },
                () = wakeups.wait() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn deliver(&self, due: Due, ahead: TimeDelta) -> Result<(), ReconcileError> {
        let picture = match due.receiver {
            Receiver::Mail => self.newest_picture(&due).await,
            Receiver::Webhook { .. } => None,
        };
        let (tried, next) = self.notices.send(&due, picture).await;
        crate::failpoint::reached("notice sent");
        let (kind, problem) = (due.kind, tried.error.clone());
        let tx = self.store.begin().await?;
        match next {
            Next::Delivered => outbox::delivered(&tx, due.id, tried).await?,
            Next::Again(pause) => {
                let until = store::now() + ahead + time_delta(pause);
                outbox::put_off(&tx, due.id, until, tried).await?;
            }
            Next::GiveUp => outbox::failed(&tx, due.id, tried).await?,
            Next::Disable => {
                outbox::failed(&tx, due.id, tried).await?;
                if let Receiver::Webhook { id, .. } = due.receiver
                    && let Some(webhook) = webhooks::disable(&tx, id, GONE).await?
                {
                    audit::record(
                        &tx,
                        AuditAction::WebhookDisabled,
                        &webhook.name,
                        "it answered 410",
                    )
                    .await?;
                }
            }
        }
        tx.commit().await?;
        match next {
            Next::Delivered => tracing::info!(delivery.id = %due.id, ?kind, "notice delivered"),
            Next::Again(_) => {
                tracing::info!(delivery.id = %due.id, ?kind, problem, "a notice did not arrive yet")
            }
            Next::GiveUp | Next::Disable => {
                tracing::warn!(delivery.id = %due.id, ?kind, problem, "a notice was given up");
            }
        }
        Ok(())
    }

    /// The newest preview picture of the job, if it is small. A mail without it is better than none.
    async fn newest_picture(&self, due: &Due) -> Option<Picture> {
        let job = due.job?;
        let files = artifacts::of_job(&self.store, due.owner, job).await.ok()?;
        let newest = files
            .into_iter()
            .rfind(|file| matches!(file.kind, ArtifactKind::Sample { .. }))?;
        if newest.size_bytes > MAX_MAIL_PICTURE_BYTES {
            return None;
        }
        let bytes = self.store.objects().get(&newest.key).await.ok()?;
        Some(Picture {
            name: newest.file_name,
            bytes: bytes.to_vec(),
        })
    }
}
