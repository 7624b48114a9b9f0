//! Cleaning up by rules: what they name goes to the trash.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{
    ModelId, ModelVersionId, OwnerId,
    audit::AuditAction,
    limits::MAX_TRASH_ITEMS,
    model::{Model, Stage},
    trash::{CleanUp, CleanUpResult, CleanedUp, TrashKind},
};
use store::{Read, audit, labels, models, trash};
use uuid::Uuid;

use super::trash::check_unused;
use crate::{Orchestrator, ServiceError, ServiceResult};

/// Models that are looked at together.
const PAGE: u64 = 100;

impl Orchestrator {
    /// What these rules name now.
    pub async fn preview_clean_up(&self, owner: OwnerId, rules: CleanUp) -> ServiceResult<CleanUpResult> {
        plan(&self.store, owner, rules.checked()?, store::now()).await
    }

    /// Moves what these rules name to the trash.
    pub async fn clean_up(&self, owner: OwnerId, rules: CleanUp) -> ServiceResult<CleanUpResult> {
        let rules = rules.checked()?;
        let tx = self.store.begin().await?;
        let mut found = plan(&tx, owner, rules, store::now()).await?;
        for item in std::mem::take(&mut found.items) {
            if matches!(item.kind, TrashKind::Job | TrashKind::Generation) {
                // A job may have been resumed since it was listed, and either may have become a cover.
                match check_unused(&tx, owner, item.kind, item.id).await {
                    Ok(()) => {}
                    Err(ServiceError::Conflict(_)) => {
                        found.total_bytes -= item.size_bytes;
                        continue;
                    }
                    Err(err) => return Err(err),
                }
            }
            trash::hide(&tx, owner, item.kind, item.id).await?;
            found.items.push(item);
        }
        let subject = format!("{} things", found.items.len());
        audit::record(&tx, AuditAction::CleanedUp, &subject, &words(rules)).await?;
        tx.commit().await?;
        tracing::info!(n = found.items.len(), "cleaned up");
        Ok(found)
    }
}

async fn plan(
    db: &impl Read,
    owner: OwnerId,
    rules: CleanUp,
    now: DateTime<Utc>,
) -> ServiceResult<CleanUpResult> {
    let starred = labels::starred(db, owner).await?;
    let mut items = Vec::new();
    if rules.drafts_kept.is_some() || rules.drafts_days.is_some() {
        let uses = trash::uses_of_versions(db).await?;
        let used: BTreeSet<ModelVersionId> = uses.into_iter().map(|(version, _)| version).collect();
        let mut after: Option<ModelId> = None;
        loop {
            let page = models::list(db, owner, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for model in page.iter().filter(|model| !starred.contains(&model.id.0)) {
                items.extend(old_drafts(model, rules, &used, now));
            }
        }
    }
    let covers = trash::covers(db, owner).await?;
    let is_free = |id: &Uuid| !starred.contains(id) && !covers.contains(id);
    if let Some(days) = rules.pictures_days {
        let found = trash::pictures(db, owner, before(now, days)).await?;
        let found = found.into_iter().filter(|picture| is_free(&picture.id));
        items.extend(found.map(|picture| cleaned(TrashKind::Generation, picture)));
    }
    if let Some(days) = rules.jobs_days {
        let found = trash::jobs_without_version(db, owner, before(now, days)).await?;
        let found = found.into_iter().filter(|job| is_free(&job.id));
        items.extend(found.map(|job| cleaned(TrashKind::Job, job)));
    }
    let has_more = items.len() > MAX_TRASH_ITEMS;
    items.truncate(MAX_TRASH_ITEMS);
    Ok(CleanUpResult {
        total_bytes: items.iter().map(|item| item.size_bytes).sum(),
        items,
        has_more,
    })
}

/// The drafts of a model that the rules name, the newest first. The version that it is used by stays.
fn old_drafts(
    model: &Model,
    rules: CleanUp,
    used: &BTreeSet<ModelVersionId>,
    now: DateTime<Utc>,
) -> Vec<CleanedUp> {
    let mut drafts: Vec<_> = model
        .versions
        .iter()
        .filter(|version| version.stage == Stage::Draft)
        .collect();
    drafts.sort_by_key(|version| std::cmp::Reverse(version.version));
    drafts
        .into_iter()
        .zip(0_u32..)
        .filter(|(version, n)| {
            let is_surplus = rules.drafts_kept.is_some_and(|kept| *n >= kept);
            let is_old = rules
                .drafts_days
                .is_some_and(|days| version.created_at < before(now, days));
            is_surplus || is_old
        })
        .map(|(version, _)| version)
        .filter(|version| Some(version.id) != model.current_version_id && !used.contains(&version.id))
        .map(|version| CleanedUp {
            kind: TrashKind::ModelVersion,
            id: version.id.0,
            name: format!("{} v{}", version.name, version.version),
            size_bytes: version.size_bytes,
        })
        .collect()
}

fn cleaned(kind: TrashKind, found: trash::Leftover) -> CleanedUp {
    CleanedUp {
        kind,
        id: found.id,
        name: found.name,
        size_bytes: found.size_bytes,
    }
}

fn before(now: DateTime<Utc>, days: u32) -> DateTime<Utc> {
    now - TimeDelta::days(i64::from(days))
}

/// The rules, for the audit log.
fn words(rules: CleanUp) -> String {
    let parts = [
        rules
            .drafts_kept
            .map(|n| format!("drafts beyond the newest {n} of a model")),
        rules.drafts_days.map(|n| format!("drafts older than {n} days")),
        rules
            .pictures_days
            .map(|n| format!("pictures older than {n} days")),
        rules
            .jobs_days
            .map(|n| format!("jobs without a version older than {n} days")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
