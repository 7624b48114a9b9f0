//! Model versions, as their owner approves and retires them.

use std::collections::BTreeSet;

use protocol::{
    ModelVersionId, OwnerId,
    audit::AuditAction,
    model::{ModelVersion, Promote, Stage},
    problem::FieldError,
};
use store::{Read, StoreError, Tx, audit, models};

use super::look;
use crate::{Orchestrator, ServiceError, ServiceResult};

impl Orchestrator {
    /// Approves a model version: one whose verdict passed, or an imported one if the request says that it has none.
    pub async fn promote(
        &self,
        owner: OwnerId,
        id: ModelVersionId,
        request: Promote,
    ) -> ServiceResult<ModelVersion> {
        let file = models::file(&self.store, owner, id).await?;
        // Reading the file takes time, so it happens outside of the transaction. Users of an approved version rely on
        // its bytes.
        let damage = look(&self.store, &file.key).await?;
        let tx = self.store.begin().await?;
        let version = models::version(&tx, owner, id).await?;
        if let Some(damage) = damage {
            return Err(ServiceError::Conflict(format!(
                "the file of version {} of `{}` is {}: restore it from a backup, or {} it again, before you promote \
                     it",
                version.version,
                version.name,
                damage.as_text(),
                if version.imported.is_some() {
                    "import"
                } else {
                    "train"
                },
            )));
        }
        check_verdict(&version, request)?;
        models::set_stage(&tx, owner, id, Stage::Approved).await?;
        let detail = match version.verdict {
            Some(_) => "",
            None => "imported, without a verdict",
        };
        record(&tx, AuditAction::VersionApproved, &version, detail).await?;
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
            "",
        )
        .await?;
        tx.commit().await?;
        tracing::info!(model_version.id = %id, "model version retired");
        Ok(models::version(&self.store, owner, id).await?)
    }

    /// Refuses a version that a request names in this field and whose file is lost or damaged. That there is no such
    /// version, [`usable_version`] says.
    pub(super) async fn check_whole_version(
        &self,
        owner: OwnerId,
        field: &str,
        id: ModelVersionId,
    ) -> ServiceResult<()> {
        match models::file(&self.store, owner, id).await {
            Ok(file) => {
                let whole = self.check_whole(BTreeSet::from([file.key])).await;
                whole.map_err(|err| err.at(field))
            }
            Err(_) => Ok(()),
        }
    }
}

/// A version that a request names in this field, or what is wrong with it.
pub(super) async fn usable_version(
    db: &impl Read,
    owner: OwnerId,
    field: &str,
    id: ModelVersionId,
) -> ServiceResult<Result<ModelVersion, FieldError>> {
    let wrong = |message: String| Ok(Err(FieldError::new(field, message)));
    match models::version(db, owner, id).await {
        Ok(version) if version.stage == Stage::Retired => {
            wrong("this model version is retired: choose another".to_owned())
        }
        Ok(version) => Ok(Ok(version)),
        Err(StoreError::NotFound { .. }) => wrong(format!("there is no model version `{id}`")),
        Err(err) => Err(err.into()),
    }
}

/// Refuses a version that failed a check, and one that nothing has judged unless the request knows.
fn check_verdict(version: &ModelVersion, request: Promote) -> ServiceResult<()> {
    let Some(verdict) = &version.verdict else {
        return match request.without_verdict {
            true => Ok(()),
            false => Err(ServiceError::Conflict(
                "this model version was imported, and nothing has judged it: try it in the playground, then promote \
                 it with `without_verdict` set to `true`"
                    .to_owned(),
            )),
        };
    };
    if verdict.passed {
        return Ok(());
    }
    let failed = verdict.checks.iter().filter(|check| !check.passed);
    let failed: Vec<&str> = failed.map(|check| check.name.as_str()).collect();
    Err(ServiceError::Conflict(format!(
        "only a model version that passed every check can be promoted; this one failed: {}",
        failed.join(", ")
    )))
}

async fn record(tx: &Tx, action: AuditAction, version: &ModelVersion, detail: &str) -> ServiceResult<()> {
    let subject = audit::named(&version.file_name, version.id);
    Ok(audit::record(tx, action, &subject, detail).await?)
}
