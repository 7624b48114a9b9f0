//! Deleting jobs, models, model versions and pictures, and bringing them back.

use protocol::{
    GenerationId, JobId, ModelId, ModelVersionId, OwnerId,
    audit::AuditAction,
    model::{ModelVersion, Stage},
    trash::{TrashItem, TrashItems, TrashKind, Trashed},
};
use store::{Tx, audit, generations, jobs, models, trash};
use uuid::Uuid;

use crate::{Orchestrator, ServiceError, ServiceResult};

impl Orchestrator {
    /// Deletes things, all or none; they can be brought back for [`protocol::limits::TRASH_LIFE`]. What is in use, and an
    /// approved version, is refused.
    pub async fn move_to_trash(&self, owner: OwnerId, items: TrashItems) -> ServiceResult<Vec<Trashed>> {
        let items = items.checked()?;
        let tx = self.store.begin().await?;
        let mut all = Vec::with_capacity(items.len());
        for TrashItem { kind, id } in items {
            let found = trash::find(&tx, owner, kind, id).await?;
            if found.deleted_at.is_none() {
                check_unused(&tx, owner, kind, id).await?;
                trash::hide(&tx, owner, kind, id).await?;
                record(&tx, AuditAction::Deleted, kind, id, &found.name).await?;
            }
            let found = trash::find(&tx, owner, kind, id).await?;
            all.extend(found.trashed(kind, id));
        }
        tx.commit().await?;
        tracing::info!(n = all.len(), "moved to the trash");
        Ok(all)
    }

    /// Brings things back, all or none; what was not deleted stays as it is.
    pub async fn restore_from_trash(&self, owner: OwnerId, items: TrashItems) -> ServiceResult<()> {
        let items = items.checked()?;
        let tx = self.store.begin().await?;
        for TrashItem { kind, id } in items {
            let found = trash::find(&tx, owner, kind, id).await?;
            if found.deleted_at.is_some() {
                trash::restore(&tx, owner, kind, id).await?;
                record(&tx, AuditAction::Restored, kind, id, &found.name).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Refuses to delete what something needs.
pub(super) async fn check_unused(tx: &Tx, owner: OwnerId, kind: TrashKind, id: Uuid) -> ServiceResult<()> {
    match kind {
        TrashKind::Job => {
            let job = jobs::state(tx, JobId(id)).await?;
            let what = format!("the job `{}` ({id})", job.recipe.name());
            if !job.phase.is_ended() {
                return Err(ServiceError::Conflict(format!(
                    "{what} has not ended: cancel it first"
                )));
            }
            refuse_used(&what, &trash::users_of_job(tx, id).await?)
        }
        TrashKind::Generation => {
            let generation = generations::state(tx, GenerationId(id)).await?;
            if !generation.phase.is_ended() {
                return Err(ServiceError::Conflict(format!(
                    "the generation {id} is still being drawn: wait for it"
                )));
            }
            let what = format!("the picture of the generation {id}");
            refuse_used(&what, &trash::users_of_generation(tx, id).await?)
        }
        TrashKind::Model => {
            let model = models::get(tx, owner, ModelId(id)).await?;
            check_versions(tx, &model.versions).await
        }
        TrashKind::ModelVersion => {
            let version = models::version(tx, owner, ModelVersionId(id)).await?;
            check_versions(tx, &[version]).await
        }
    }
}

async fn check_versions(tx: &Tx, versions: &[ModelVersion]) -> ServiceResult<()> {
    let uses = trash::uses_of_versions(tx).await?;
    for version in versions {
        let what = format!(
            "version {} of the model `{}` ({})",
            version.version, version.name, version.id
        );
        if version.stage == Stage::Approved {
            return Err(ServiceError::Conflict(format!(
                "{what} is approved: retire it first"
            )));
        }
        let of_it = uses.iter().filter(|(used, _)| *used == version.id);
        let users: Vec<String> = of_it.map(|(_, user)| user.clone()).collect();
        refuse_used(&what, &users)?;
    }
    Ok(())
}

fn refuse_used(what: &str, users: &[String]) -> ServiceResult<()> {
    if users.is_empty() {
        return Ok(());
    }
    Err(ServiceError::Conflict(format!(
        "{what} is in use by {}",
        users.join(", ")
    )))
}

/// Prompts are not logged.
async fn record(tx: &Tx, action: AuditAction, kind: TrashKind, id: Uuid, name: &str) -> ServiceResult<()> {
    let detail = match kind {
        TrashKind::Generation => "",
        TrashKind::Model | TrashKind::ModelVersion | TrashKind::Job => name,
    };
    Ok(audit::record(tx, action, &audit::named(kind.as_text(), id), detail).await?)
}
