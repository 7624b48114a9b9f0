//! Deletes the rows of what was deleted too long ago to be brought back.

use chrono::{DateTime, Utc};
use protocol::{library::Labeled, trash::TrashKind};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    Read, Result, Tx,
    db::entities::{
        artifact, attempt, delivery, generation, job, job_event, job_metric, job_metric_tile, label,
        ledger_entry, model, model_version, rented_instance,
    },
    error::Doing,
    words::word,
};

/// What was deleted before this time and is still there, in an order in which it can be purged.
pub async fn due(db: &impl Read, before: DateTime<Utc>) -> Result<Vec<(TrashKind, Uuid)>> {
    /// A job that cost something keeps its row, without anything else.
    const IS_WHOLE: &str = "(EXISTS (SELECT 1 FROM job_events e WHERE e.job_id = training_jobs.id) OR NOT EXISTS \
                            (SELECT 1 FROM rented_instances r WHERE r.job_id = training_jobs.id))";
    let mut due = Vec::new();
    let mut versions: Vec<Uuid> = model_version::Entity::find()
        .select_only()
        .column(model_version::Column::Id)
        .filter(model_version::Column::DeletedAt.lt(before))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for model versions to purge")?;
    if !versions.is_empty() {
        // A job that was brought back after the version that it starts from was deleted still needs it.
        let uses = super::uses_of_versions(db).await?;
        versions.retain(|id| uses.iter().all(|(used, _)| used.0 != *id));
    }
    due.extend(versions.into_iter().map(|id| (TrashKind::ModelVersion, id)));
    let models: Vec<Uuid> = model::Entity::find()
        .select_only()
        .column(model::Column::Id)
        .filter(model::Column::DeletedAt.lt(before))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for models to purge")?;
    due.extend(models.into_iter().map(|id| (TrashKind::Model, id)));
    let pictures: Vec<Uuid> = generation::Entity::find()
        .select_only()
        .column(generation::Column::Id)
        .filter(generation::Column::DeletedAt.lt(before))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for generations to purge")?;
    due.extend(pictures.into_iter().map(|id| (TrashKind::Generation, id)));
    let jobs: Vec<Uuid> = job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::Column::DeletedAt.lt(before))
        .filter(Condition::all().add(Expr::cust(IS_WHOLE)))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for jobs to purge")?;
    due.extend(jobs.into_iter().map(|id| (TrashKind::Job, id)));
    Ok(due)
}

/// Deletes the rows of something that was deleted before this time and not brought back since; tells whether it did. A
/// model waits for its versions, a job for its version, and what shows a model until that has another cover.
pub async fn purge(tx: &Tx, kind: TrashKind, id: Uuid, before: DateTime<Utc>) -> Result<bool> {
    match kind {
        TrashKind::ModelVersion => purge_version(tx, id, before).await,
        TrashKind::Model => purge_model(tx, id, before).await,
        TrashKind::Generation => purge_generation(tx, id, before).await,
        TrashKind::Job => purge_job(tx, id, before).await,
    }
}

async fn purge_version(tx: &Tx, id: Uuid, before: DateTime<Utc>) -> Result<bool> {
    let done = model_version::Entity::delete_many()
        .filter(model_version::Column::Id.eq(id))
        .filter(model_version::Column::DeletedAt.lt(before))
        .exec(tx.connection())
        .await
        .doing("purge a model version")?;
    if done.rows_affected == 0 {
        return Ok(false);
    }
    model::Entity::update_many()
        .col_expr(model::Column::PinnedVersionId, Expr::value(None::<Uuid>))
        .filter(model::Column::PinnedVersionId.eq(id))
        .exec(tx.connection())
        .await
        .doing("forget the chosen version of a model")?;
    Ok(true)
}

async fn purge_model(tx: &Tx, id: Uuid, before: DateTime<Utc>) -> Result<bool> {
    let found = tx
        .hold(model::Entity::find_by_id(id))
        .filter(model::Column::DeletedAt.lt(before))
        .one(tx.connection())
        .await
        .doing("read a deleted model")?;
    let n_versions = model_version::Entity::find()
        .filter(model_version::Column::ModelId.eq(id))
        .count(tx.connection())
        .await
        .doing("count model versions")?;
    if found.is_none() || n_versions > 0 {
        return Ok(false);
    }
    forget_label(tx, Labeled::Model, id).await?;
    model::Entity::delete_many()
        .filter(model::Column::Id.eq(id))
        .exec(tx.connection())
        .await
        .doing("purge a model")?;
    Ok(true)
}

async fn purge_generation(tx: &Tx, id: Uuid, before: DateTime<Utc>) -> Result<bool> {
    let found = tx
        .hold(generation::Entity::find_by_id(id))
        .filter(generation::Column::DeletedAt.lt(before))
        .one(tx.connection())
        .await
        .doing("read a deleted generation")?;
    if found.is_none() || shows_model(tx, artifact::Column::GenerationId, id).await? {
        return Ok(false);
    }
    forget_label(tx, Labeled::Generation, id).await?;
    forget_files(tx, artifact::Column::GenerationId, id).await?;
    attempt::Entity::delete_many()
        .filter(attempt::Column::GenerationId.eq(id))
        .exec(tx.connection())
        .await
        .doing("purge the attempts of a generation")?;
    generation::Entity::delete_many()
        .filter(generation::Column::Id.eq(id))
        .exec(tx.connection())
        .await
        .doing("purge a generation")?;
    Ok(true)
}

async fn purge_job(tx: &Tx, id: Uuid, before: DateTime<Utc>) -> Result<bool> {
    let found = tx
        .hold(job::Entity::find_by_id(id))
        .filter(job::Column::DeletedAt.lt(before))
        .one(tx.connection())
        .await
        .doing("read a deleted job")?;
    let n_versions = model_version::Entity::find()
        .filter(model_version::Column::JobId.eq(id))
        .count(tx.connection())
        .await
        .doing("count the model versions of a job")?;
    if found.is_none() || n_versions > 0 || shows_model(tx, artifact::Column::JobId, id).await? {
        return Ok(false);
    }
    forget_label(tx, Labeled::Job, id).await?;
    forget_files(tx, artifact::Column::JobId, id).await?;
    job_event::Entity::delete_many()
        .filter(job_event::Column::JobId.eq(id))
        .exec(tx.connection())
        .await
        .doing("purge the events of a job")?;
    job_metric::Entity::delete_many()
        .filter(job_metric::Column::JobId.eq(id))
        .exec(tx.connection())
        .await
        .doing("purge the metrics of a job")?;
    job_metric_tile::Entity::delete_many()
        .filter(job_metric_tile::Column::JobId.eq(id))
        .exec(tx.connection())
        .await
        .doing("purge the charts of a job")?;
    let n_entries = ledger_entry::Entity::find()
        .filter(ledger_entry::Column::JobId.eq(id))
        .count(tx.connection())
        .await
        .doing("count the ledger entries of a job")?;
    let n_machines = rented_instance::Entity::find()
        .filter(rented_instance::Column::JobId.eq(id))
        .count(tx.connection())
        .await
        .doing("count the machines of a job")?;
    // A checkpoint that was lent to another job names the attempt that it came from.
    let n_lent = artifact::Entity::find()
        .filter(artifact::Column::AttemptId.is_in(attempts_of(tx, id).await?))
        .count(tx.connection())
        .await
        .doing("count the files lent by a job")?;
    if n_entries > 0 || n_machines > 0 || n_lent > 0 {
        return Ok(true);
    }
    // What people were told stays for its own time.
    delivery::Entity::update_many()
        .col_expr(delivery::Column::JobId, Expr::value(None::<Uuid>))
        .filter(delivery::Column::JobId.eq(id))
        .exec(tx.connection())
        .await
        .doing("keep the deliveries of a job")?;
    attempt::Entity::delete_many()
        .filter(attempt::Column::JobId.eq(id))
        .exec(tx.connection())
        .await
        .doing("purge the attempts of a job")?;
    job::Entity::delete_many()
        .filter(job::Column::Id.eq(id))
        .exec(tx.connection())
        .await
        .doing("purge a job")?;
    Ok(true)
}

async fn attempts_of(tx: &Tx, job: Uuid) -> Result<Vec<Uuid>> {
    attempt::Entity::find()
        .select_only()
        .column(attempt::Column::Id)
        .filter(attempt::Column::JobId.eq(job))
        .into_tuple()
        .all(tx.connection())
        .await
        .doing("list the attempts of a job")
}

/// Whether a file of a job or a generation is the cover of a model that is not deleted: of one that was brought back after
/// its cover was deleted.
async fn shows_model(tx: &Tx, column: artifact::Column, subject: Uuid) -> Result<bool> {
    const IS_COVER: &str =
        "artifacts.id IN (SELECT m.cover_artifact_id FROM models m WHERE m.deleted_at IS NULL)";
    let n_covers = artifact::Entity::find()
        .filter(column.eq(subject))
        .filter(Condition::all().add(Expr::cust(IS_COVER)))
        .count(tx.connection())
        .await
        .doing("look for covers among files")?;
    Ok(n_covers > 0)
}

/// Forgets the files of a job or a generation, also as covers of models that are deleted themselves.
async fn forget_files(tx: &Tx, column: artifact::Column, subject: Uuid) -> Result<()> {
    let files: Vec<Uuid> = artifact::Entity::find()
        .select_only()
        .column(artifact::Column::Id)
        .filter(column.eq(subject))
        .into_tuple()
        .all(tx.connection())
        .await
        .doing("list the files of something deleted")?;
    // SQLite takes some thousand values at once.
    for files in files.chunks(500) {
        model::Entity::update_many()
            .col_expr(model::Column::CoverArtifactId, Expr::value(None::<Uuid>))
            .filter(model::Column::CoverArtifactId.is_in(files.iter().copied()))
            .exec(tx.connection())
            .await
            .doing("forget the covers of deleted models")?;
    }
    artifact::Entity::delete_many()
        .filter(column.eq(subject))
        .exec(tx.connection())
        .await
        .doing("purge files")?;
    Ok(())
}

async fn forget_label(tx: &Tx, kind: Labeled, id: Uuid) -> Result<()> {
    label::Entity::delete_many()
        .filter(label::Column::Kind.eq(word(&kind)))
        .filter(label::Column::SubjectId.eq(id))
        .exec(tx.connection())
        .await
        .doing("purge a label")?;
    Ok(())
}
