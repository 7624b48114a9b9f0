//! Models and their versions, as their owner names, approves, retires and describes them.

use std::collections::BTreeSet;

use protocol::{
    ModelId, ModelVersionId, OwnerId,
    audit::AuditAction,
    library::{HowToUse, Label, Labeled, ModelChoices, UpdateLabel},
    model::{Model, ModelVersion, Promote, Stage},
    problem::FieldError,
};
use store::{Read, StoreError, Tx, audit, labels, models};
use uuid::Uuid;

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

    /// Renames a model.
    pub async fn rename_model(&self, owner: OwnerId, id: ModelId, name: &str) -> ServiceResult<Model> {
        let tx = self.store.begin().await?;
        let before = models::get(&tx, owner, id).await?;
        let others = models::names(&tx, owner).await?;
        if others.iter().any(|(other, taken)| *other != id && taken == name) {
            return Err(ServiceError::field(
                "name",
                format!("`{name}` is already the name of a model: choose another"),
            ));
        }
        if before.name != name && models::is_in_trash(&tx, owner, name).await? {
            return Err(ServiceError::field(
                "name",
                format!(
                    "`{name}` is the name of a model that was deleted: bring that back, or choose another"
                ),
            ));
        }
        models::rename(&tx, owner, id, name).await?;
        let detail = format!("was {}", before.name);
        audit::record(&tx, AuditAction::ModelRenamed, &audit::named(name, id), &detail).await?;
        tx.commit().await?;
        Ok(models::get(&self.store, owner, id).await?)
    }

    /// Keeps the version to use and the cover of a model, as its owner chooses them.
    pub async fn choose_of_model(
        &self,
        owner: OwnerId,
        id: ModelId,
        choices: ModelChoices,
    ) -> ServiceResult<Model> {
        let tx = self.store.begin().await?;
        let model = models::get(&tx, owner, id).await?;
        if let Some(wanted) = choices.version_id {
            let version = model.versions.iter().find(|version| version.id == wanted);
            match version {
                None => {
                    return Err(ServiceError::field(
                        "version_id",
                        "must be a version of this model",
                    ));
                }
                Some(version) if version.stage == Stage::Retired => {
                    return Err(ServiceError::field(
                        "version_id",
                        "this version is retired: choose another",
                    ));
                }
                Some(_) => {}
            }
        }
        let cover = match (choices.cover_artifact_id, choices.cover_generation_id) {
            (None, None) => None,
            (Some(sample), None) => match models::is_picture(&tx, owner, sample).await? {
                true => Some(sample),
                false => {
                    return Err(ServiceError::field(
                        "cover_artifact_id",
                        format!("there is no sample or picture `{sample}`"),
                    ));
                }
            },
            (None, Some(generation)) => match models::picture_of(&tx, owner, generation).await? {
                Some(picture) => Some(picture),
                None => {
                    return Err(ServiceError::field(
                        "cover_generation_id",
                        format!("there is no picture of a generation `{generation}`"),
                    ));
                }
            },
            (Some(_), Some(_)) => {
                return Err(ServiceError::field(
                    "cover_artifact_id",
                    "a cover is one picture: leave this or `cover_generation_id` out",
                ));
            }
        };
        models::choose(&tx, owner, id, choices.version_id, cover).await?;
        let subject = audit::named(&model.name, id);
        audit::record(&tx, AuditAction::ModelChosen, &subject, "").await?;
        tx.commit().await?;
        Ok(models::get(&self.store, owner, id).await?)
    }

    /// Keeps how a model version is used, as its owner says.
    pub async fn set_usage(
        &self,
        owner: OwnerId,
        id: ModelVersionId,
        usage: HowToUse,
    ) -> ServiceResult<ModelVersion> {
        let usage = usage.checked()?;
        let tx = self.store.begin().await?;
        models::set_usage(&tx, owner, id, &usage).await?;
        let version = models::version(&tx, owner, id).await?;
        record(&tx, AuditAction::UsageSet, &version, "").await?;
        tx.commit().await?;
        Ok(version)
    }

    /// Changes the star, tags or note of a job, a model or a picture.
    pub async fn update_label(
        &self,
        owner: OwnerId,
        kind: Labeled,
        subject: Uuid,
        change: UpdateLabel,
    ) -> ServiceResult<Label> {
        let change = change.checked()?;
        let tx = self.store.begin().await?;
        let label = labels::update(&tx, owner, kind, subject, &change).await?;
        let what = match kind {
            Labeled::Job => "job",
            Labeled::Model => "model",
            Labeled::Generation => "generation",
        };
        audit::record(&tx, AuditAction::LabelChanged, &audit::named(what, subject), "").await?;
        tx.commit().await?;
        Ok(label)
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
