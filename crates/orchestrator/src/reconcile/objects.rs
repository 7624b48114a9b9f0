//! Deletes what is no longer needed: blobs without a row, obsolete files, unfinished uploads, and what was in the trash for
//! a week.
//!
//! Any number of servers may do so at once, since each step checks again before it deletes. An upload of the same
//! bytes is safe: code that relies on a blob older than half the grace period writes it again
//! (`BlobStore::has_fresh`), and a blob written within the period is kept.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use protocol::{ArtifactId, limits};
use serde::Serialize;
use store::{
    BlobKey, StoreError, audit, idempotency,
    objects::{BlobError, Listed},
    outbox, references, settings, trash,
};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{Orchestrator, ServiceResult, rules::Reason};

/// How often a server collects.
const EVERY: Duration = Duration::from_secs(3600);
/// Rows and blobs that are looked at together.
const PAGE: usize = 500;
/// Things in the trash that are purged in one transaction, which others wait for.
const PURGED_TOGETHER: usize = 20;
/// Blobs that are deleted at the same time.
const N_DELETES: usize = 8;

/// Whether a pass changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Only report what would be deleted.
    Look,
    /// Delete.
    Delete,
}

/// What a pass deleted, or would delete.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Collection {
    /// Blobs and remains of uploads.
    pub objects: Vec<Collected>,
    /// All of them together, as far as the store knows.
    pub total_bytes: u64,
    /// Rows of files that are no longer needed.
    pub n_files: usize,
    /// Entries of the audit log that are too old.
    pub n_audit_entries: u64,
}

/// An object to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Where it is in the store.
    pub name: String,
    /// Why it is deleted.
    pub reason: Reason,
    /// Its size, where the store says.
    pub size_bytes: Option<u64>,
}

impl Collection {
    fn add(&mut self, collected: Collected) {
        self.total_bytes += collected.size_bytes.unwrap_or(0);
        self.objects.push(collected);
    }
}

/// Files whose rows are deleted, and why their blobs are deleted with them.
#[derive(Default)]
struct Expired {
    files: BTreeSet<ArtifactId>,
    reasons: HashMap<BlobKey, Reason>,
}

impl Orchestrator {
    /// One pass over everything that is stored.
    pub async fn collect_objects(&self, pass: Pass) -> ServiceResult<Collection> {
        self.collect_at(pass, store::now()).await
    }

    /// One pass as it would be at another time.
    #[doc(hidden)]
    pub async fn collect_at(&self, pass: Pass, now: DateTime<Utc>) -> ServiceResult<Collection> {
        let objects = self.store.objects();
        self.store.claim_objects(pass == Pass::Look).await?;
        // Objects newer than the backup of a restored installation may still be needed.
        let restoration = settings::restoration(&self.store).await?;
        let newest = restoration
            .filter(|restoration| now < restoration.keeps_until())
            .map(|restoration| restoration.moment - self.options.rules.clock_skew);
        let is_kept = |at: DateTime<Utc>| newest.is_some_and(|newest| at >= newest);
        let mut collection = Collection::default();
        if pass == Pass::Delete {
            let tx = self.store.begin().await?;
            idempotency::forget(&tx, now - limits::IDEMPOTENCY_KEY_LIFE).await?;
            outbox::forget(&tx, now - limits::DELIVERY_LIFE).await?;
            tx.commit().await?;
            self.purge_trash(now).await?;
        }
        let expired = self.expire_files(pass, now).await?;
        collection.n_files = expired.files.len();
        collection.n_audit_entries = self.collect_audit(pass, now).await?;
        self.collect_blobs(pass, now, newest, &expired, &mut collection)
            .await?;
        self.collect_thumbnails(pass, now, &mut collection).await?;
        let mailboxes = match newest {
            None => self.collect_mailboxes(pass).await?,
            Some(_) => Vec::new(),
        };
        for machine in mailboxes {
            collection.add(Collected {
                name: format!("mailbox/{machine}"),
                reason: Reason::OldMailbox,
                size_bytes: None,
            });
        }
        let unfinished = objects.unfinished().await.map_err(StoreError::from)?;
        for remains in unfinished {
            if now - remains.since < self.options.rules.grace || is_kept(remains.since) {
                continue;
            }
            if pass == Pass::Delete {
                objects.discard(&remains).await.map_err(StoreError::from)?;
            }
            collection.add(Collected {
                name: remains.name,
                reason: Reason::Unfinished,
                size_bytes: remains.size_bytes,
            });
        }
        Ok(collection)
    }

    /// Deletes the rows of what was deleted too long ago to be brought back.
    async fn purge_trash(&self, now: DateTime<Utc>) -> ServiceResult<()> {
        let before = now - limits::TRASH_LIFE;
        let due = trash::due(&self.store, before).await?;
        let mut n_purged = 0_usize;
        for part in due.chunks(PURGED_TOGETHER) {
            let tx = self.store.begin().await?;
            for (kind, id) in part {
                n_purged += usize::from(trash::purge(&tx, *kind, *id, before).await?);
            }
            tx.commit().await?;
        }
        if n_purged > 0 {
            tracing::info!(n_purged, "purged the trash");
        }
        Ok(())
    }

    async fn collect_audit(&self, pass: Pass, now: DateTime<Utc>) -> ServiceResult<u64> {
        let before = now - self.options.rules.audit;
        Ok(match pass {
            Pass::Look => audit::n_before(&self.store, before).await?,
            Pass::Delete => audit::forget_before(&self.store, before).await?,
        })
    }

    /// Deletes the rows of files that are no longer needed, page by page.
    async fn expire_files(&self, pass: Pass, now: DateTime<Utc>) -> ServiceResult<Expired> {
        let rules = &self.options.rules;
        let mut expired = Expired::default();
        let mut after = None;
        loop {
            let page = references::files(&self.store, after, PAGE as u64).await?;
            let Some(last) = page.last() else {
                return Ok(expired);
            };
            after = Some(last.id);
            let mut due: Vec<_> = page
                .into_iter()
                .filter(|file| rules.expired(file, now).is_some())
                .collect();
            if pass == Pass::Delete && !due.is_empty() {
                let tx = self.store.begin().await?;
                let ids: Vec<_> = due.iter().map(|file| file.id).collect();
                // A job may have been resumed, or a version promoted, since the first look.
                due = references::files_again(&tx, &ids).await?;
                due.retain(|file| rules.expired(file, now).is_some());
                let ids: Vec<_> = due.iter().map(|file| file.id).collect();
                references::forget(&tx, &ids).await?;
                tx.commit().await?;
            }
            for file in due {
                if let Some(reason) = rules.expired(&file, now) {
                    expired.files.insert(file.id);
                    expired.reasons.insert(file.key, reason);
                }
            }
        }
    }

    /// Deletes blobs that no row refers to, and that are older than `newest`.
    async fn collect_blobs(
        &self,
        pass: Pass,
        now: DateTime<Utc>,
        newest: Option<DateTime<Utc>>,
        expired: &Expired,
        collection: &mut Collection,
    ) -> ServiceResult<()> {
        let started_at = store::now();
        let frozen = references::frozen(&self.store, None).await?;
        let mut pages = self.store.objects().list().chunks(PAGE);
        while let Some(page) = pages.next().await {
            let page: Vec<Listed> = page
                .into_iter()
                .collect::<Result<_, BlobError>>()
                .map_err(StoreError::from)?;
            let mut left: Vec<Listed> = page
                .into_iter()
                .filter(|blob| now - blob.meta.modified_at >= self.options.rules.grace)
                .filter(|blob| newest.is_none_or(|newest| blob.meta.modified_at < newest))
                .filter(|blob| !frozen.contains(&blob.key))
                .collect();
            self.keep_referred(&mut left, expired, started_at).await?;
            if pass == Pass::Delete {
                left = self.delete(left, now).await?;
            }
            for blob in left {
                let reason = expired.reasons.get(&blob.key);
                collection.add(Collected {
                    name: blob.key.to_string(),
                    reason: reason.copied().unwrap_or(Reason::Unreferenced),
                    size_bytes: Some(blob.meta.size_bytes),
                });
            }
        }
        Ok(())
    }

    /// Deletes the thumbnails of pictures that no dataset has any more. Those of frozen versions are shown nowhere.
    async fn collect_thumbnails(
        &self,
        pass: Pass,
        now: DateTime<Utc>,
        collection: &mut Collection,
    ) -> ServiceResult<()> {
        let objects = self.store.objects();
        let mut pages = objects.list_thumbnails().chunks(PAGE);
        while let Some(page) = pages.next().await {
            let mut left: Vec<Listed> = page
                .into_iter()
                .collect::<Result<_, BlobError>>()
                .map_err(StoreError::from)?;
            left.retain(|thumbnail| now - thumbnail.meta.modified_at >= self.options.rules.grace);
            if left.is_empty() {
                continue;
            }
            let pictures: Vec<BlobKey> = left.iter().map(|thumbnail| thumbnail.key.clone()).collect();
            let referred = references::referred(&self.store, &pictures, &BTreeSet::new()).await?;
            left.retain(|thumbnail| !referred.contains(&thumbnail.key));
            for thumbnail in left {
                if pass == Pass::Delete {
                    let deleted = objects.delete_thumbnail(&thumbnail.key).await;
                    deleted.map_err(StoreError::from)?;
                }
                collection.add(Collected {
                    name: format!("thumbnail of {}", thumbnail.key),
                    reason: Reason::Unreferenced,
                    size_bytes: Some(thumbnail.meta.size_bytes),
                });
            }
        }
        Ok(())
    }

    /// Removes what a row refers to from the candidates. Dataset items are read before dataset versions, so that a
    /// picture that is frozen into a version meanwhile is not missed.
    async fn keep_referred(
        &self,
        blobs: &mut Vec<Listed>,
        expired: &Expired,
        started_at: DateTime<Utc>,
    ) -> ServiceResult<()> {
        if blobs.is_empty() {
            return Ok(());
        }
        let keys: Vec<BlobKey> = blobs.iter().map(|blob| blob.key.clone()).collect();
        let referred = references::referred(&self.store, &keys, &expired.files).await?;
        let since = started_at - self.options.rules.clock_skew;
        let frozen = references::frozen(&self.store, Some(since)).await?;
        blobs.retain(|blob| !referred.contains(&blob.key) && !frozen.contains(&blob.key));
        Ok(())
    }

    /// Deletes blobs, but for those that were written again since they were listed.
    async fn delete(&self, blobs: Vec<Listed>, now: DateTime<Utc>) -> ServiceResult<Vec<Listed>> {
        let objects = self.store.objects();
        let grace = self.options.rules.grace;
        let deleting = stream::iter(blobs).map(|blob| async move {
            let meta = objects.meta(&blob.key).await?;
            if meta.is_none_or(|meta| now - meta.modified_at < grace) {
                return Ok(None);
            }
            objects.delete(&blob.key).await?;
            Ok::<_, BlobError>(Some(blob))
        });
        let deleted: Vec<Option<Listed>> = deleting
            .buffer_unordered(N_DELETES)
            .try_collect()
            .await
            .map_err(StoreError::from)?;
        Ok(deleted.into_iter().flatten().collect())
    }
}

/// Collects at once and then every hour, until `shutdown`.
pub(super) async fn repeat(orchestrator: &Orchestrator, shutdown: &CancellationToken) {
    let mut timer = tokio::time::interval(EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = timer.tick() => {}
        }
        let collected = tokio::select! {
            () = shutdown.cancelled() => return,
            collected = orchestrator.collect_objects(Pass::Delete) => collected,
        };
        match collected {
            Ok(collection) if collection == Collection::default() => {}
            Ok(collection) => tracing::info!(
                n_objects = collection.objects.len(),
                total_bytes = collection.total_bytes,
                n_files = collection.n_files,
                "collected what nothing refers to"
            ),
            Err(err) => {
                let error = &err as &dyn std::error::Error;
                tracing::error!(error, "collecting objects failed");
            }
        }
    }
}
