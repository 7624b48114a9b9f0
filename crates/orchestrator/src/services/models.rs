//! Model versions, as their owner approves and retires them.

use protocol::{
    ModelVersionId, OwnerId,
    audit::AuditAction,
    model::{ModelVersion, Stage},
};
use store::{Tx, audit, models};

use super::look;
use crate::{Orchestrator, ServiceError, ServiceResult};

impl Orchestrator {
    /// Approves a model version; only one whose verdict passed can be.
    pub async fn promote(&self, owner: OwnerId, id: ModelVersionId) -> ServiceResult<ModelVersion> {
        let file = models::file(&self.store, owner, id).await?;
        // Reading the file takes time, and nobody shall wait for it. Whoever approves a version relies on its bytes.
        let damage = look(&self.store, &file.key).await?;
        let tx = self.store.begin().await?;
        let version = models::version(&tx, owner, id).await?;
        if let Some(damage) = damage {
            return Err(ServiceError::Conflict(format!(
                "the file of version {} of `{}` is {}: restore it from a backup, or train it again, before you \
                     promote it",
                version.version,
                version.name,
                damage.as_text()
            )));
        }
        if !version.verdict.passed {
            let failed: Vec<&str> = version
                .verdict
                .checks
                .iter()
                .filter(|check| !check.passed)
                .map(|check| check.name.as_str())
                .collect();
            return Err(ServiceError::Conflict(format!(
                "only a model version that passed every check can be promoted; this one failed: {}",
                failed.join(", ")
            )));
        }
        models::set_stage(&tx, owner, id, Stage::Approved).await?;
        record(&tx, AuditAction::VersionApproved, &version).await?;
        tx.commit().await?;
        tracing::info!(model_version.id = %id, "model version approved");
        Ok(models::version(&self.store, owner, id).await?)
    }

    /// Stops offering a model version.
    pub async fn retire(&self, owner: OwnerId, id: ModelVersionId) -> ServiceResult<ModelVersion> {
        let tx = self.store.begin().await?;
        models::set_stage(&tx, owner, id, Stage::Retired).await?;
        record(
            &tx,
            AuditAction::VersionRetired,
            &models::version(&tx, owner, id).await?,
        )
        .await?;
        tx.commit().await?;
        tracing::info!(model_version.id = %id, "model version retired");
        Ok(models::version(&self.store, owner, id).await?)
    }
}

async fn record(tx: &Tx, action: AuditAction, version: &ModelVersion) -> ServiceResult<()> {
    let subject = audit::named(&version.file_name, version.id);
    Ok(audit::record(tx, action, &subject, "").await?)
}
