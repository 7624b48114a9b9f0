//! What was deleted: hidden everywhere else, and brought back or purged from here.
//!
//! A row is in the trash if it has a `deleted_at`. With a model go its versions, at the same moment, and with the last
//! version goes its model. Purging deletes rows; the collector of objects then finds that nothing refers to their files.
//! Money is never deleted: a job that cost something keeps its row, its attempts and its entries in the ledger, hidden.

use chrono::{DateTime, Utc};
use protocol::{
    ModelVersionId, OwnerId,
    limits::{MAX_TRASH_LISTED, TRASH_LIFE},
    model::Stage,
    trash::{TrashKind, Trashed},
};
use sea_orm::{
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    Read, Result, StoreError, Tx,
    db::entities::{artifact, generation, job, model, model_version},
    edits,
    error::Doing,
    generations, jobs, now,
    words::word,
};

mod leftovers;
mod purge;

pub use leftovers::{Leftover, covers, jobs_without_version, pictures};
pub use purge::{due, purge};

/// Something that can be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletable {
    /// Its name; of a generation, its prompt.
    pub name: String,
    /// When it was deleted, if it is in the trash.
    pub deleted_at: Option<DateTime<Utc>>,
}

impl Deletable {
    /// The entry of the trash, if it is there.
    pub fn trashed(self, kind: TrashKind, id: Uuid) -> Option<Trashed> {
        let deleted_at = self.deleted_at?;
        Some(Trashed {
            kind,
            id,
            name: self.name,
            deleted_at,
            restorable_until: deleted_at + TRASH_LIFE,
        })
    }
}

/// Something of an owner's, deleted or not; what cannot be brought back any more is not found.
pub async fn find(db: &impl Read, owner: OwnerId, kind: TrashKind, id: Uuid) -> Result<Deletable> {
    let found = match kind {
        TrashKind::Job => {
            let query = db.hold(job::Entity::find_by_id(id));
            let row = query.filter(job::Column::OwnerId.eq(owner.0));
            let row = row.one(db.connection()).await.doing("read a job")?;
            row.map(|row| (row.name, row.deleted_at))
        }
        TrashKind::Model => {
            let query = db.hold(model::Entity::find_by_id(id));
            let row = query.filter(model::Column::OwnerId.eq(owner.0));
            let row = row.one(db.connection()).await.doing("read a model")?;
            row.map(|row| (row.name, row.deleted_at))
        }
        TrashKind::ModelVersion => version(db, owner, id)
            .await?
            .map(|row| (name_of_version(&row), row.deleted_at)),
        TrashKind::Generation => {
            let query = db.hold(generation::Entity::find_by_id(id));
            let row = query.filter(generation::Column::OwnerId.eq(owner.0));
            let row = row.one(db.connection()).await.doing("read a generation")?;
            row.map(|row| (row.prompt, row.deleted_at))
        }
    };
    let (name, deleted_at) = found.ok_or_else(|| StoreError::not_found(kind.as_text(), id))?;
    if deleted_at.is_some_and(|deleted_at| deleted_at < now() - TRASH_LIFE) {
        return Err(StoreError::not_found(kind.as_text(), id));
    }
    Ok(Deletable { name, deleted_at })
}

/// What an owner can bring back, the newest first: at most [`MAX_TRASH_LISTED`]. A version that went with its model is
/// part of that.
pub async fn list(db: &impl Read, owner: OwnerId) -> Result<Vec<Trashed>> {
    let (since, limit) = (now() - TRASH_LIFE, MAX_TRASH_LISTED as u64);
    let mut all = Vec::new();
    let mut add = |kind, id, name, deleted_at| {
        all.extend(Deletable { name, deleted_at }.trashed(kind, id));
    };
    let rows = job::Entity::find()
        .filter(job::Column::OwnerId.eq(owner.0))
        .filter(job::Column::DeletedAt.gte(since))
        .order_by_desc(job::Column::DeletedAt)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list deleted jobs")?;
    for row in rows {
        add(TrashKind::Job, row.id, row.name, row.deleted_at);
    }
    let rows = generation::Entity::find()
        .filter(generation::Column::OwnerId.eq(owner.0))
        .filter(generation::Column::DeletedAt.gte(since))
        .order_by_desc(generation::Column::DeletedAt)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list deleted generations")?;
    for row in rows {
        add(TrashKind::Generation, row.id, row.prompt, row.deleted_at);
    }
    let models = model::Entity::find()
        .filter(model::Column::OwnerId.eq(owner.0))
        .filter(model::Column::DeletedAt.gte(since))
        .order_by_desc(model::Column::DeletedAt)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list deleted models")?;
    let versions = model_version::Entity::find()
        .filter(model_version::Column::OwnerId.eq(owner.0))
        .filter(model_version::Column::DeletedAt.gte(since))
        .order_by_desc(model_version::Column::DeletedAt)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list deleted model versions")?;
    for row in versions {
        let went_with_it = models
            .iter()
            .any(|model| model.id == row.model_id && model.deleted_at == row.deleted_at);
        if !went_with_it {
            let name = name_of_version(&row);
            add(TrashKind::ModelVersion, row.id, name, row.deleted_at);
        }
    }
    for row in models {
        add(TrashKind::Model, row.id, row.name, row.deleted_at);
    }
    all.sort_by_key(|trashed| std::cmp::Reverse((trashed.deleted_at, trashed.id)));
    all.truncate(MAX_TRASH_LISTED);
    Ok(all)
}

/// The model versions that something works with, or may go on with: jobs, generations and edits, in words with their ids.
pub async fn uses_of_versions(db: &impl Read) -> Result<Vec<(ModelVersionId, String)>> {
    let mut uses = Vec::new();
    for job in jobs::unfinished(db).await? {
        if let Some(version) = job.recipe.start_from() {
            uses.push((version, format!("the job `{}` ({})", job.recipe.name(), job.id)));
        }
    }
    for generation in generations::open(db).await? {
        for lora in &generation.request.loras {
            uses.push((lora.model_version_id, format!("the generation {}", generation.id)));
        }
    }
    for edit in edits::open(db).await? {
        for from in &edit.plan.from {
            uses.push((from.model_version_id, format!("the edit {}", edit.id)));
        }
    }
    Ok(uses)
}

/// What shows or came of a job: versions that it trained, and models with one of its samples as the cover.
pub async fn users_of_job(db: &impl Read, id: Uuid) -> Result<Vec<String>> {
    let versions = model_version::Entity::find()
        .filter(model_version::Column::JobId.eq(id))
        .filter(model_version::Column::DeletedAt.is_null())
        .all(db.connection())
        .await
        .doing("look for the model versions of a job")?;
    let mut users: Vec<String> = versions
        .iter()
        .map(|row| format!("version {} of the model `{}` ({})", row.version, row.name, row.id))
        .collect();
    users.extend(covers_of(db, artifact::Column::JobId, id).await?);
    Ok(users)
}

/// The models with a generation's picture as the cover.
pub async fn users_of_generation(db: &impl Read, id: Uuid) -> Result<Vec<String>> {
    covers_of(db, artifact::Column::GenerationId, id).await
}

/// The models, without deleted ones, whose cover is a file of this subject.
async fn covers_of(db: &impl Read, column: artifact::Column, subject: Uuid) -> Result<Vec<String>> {
    let models = model::Entity::find()
        .filter(model::Column::CoverArtifactId.is_not_null())
        .filter(model::Column::DeletedAt.is_null())
        .all(db.connection())
        .await
        .doing("look for the covers of models")?;
    let files: Vec<Uuid> = artifact::Entity::find()
        .select_only()
        .column(artifact::Column::Id)
        .filter(column.eq(subject))
        .filter(artifact::Column::Id.is_in(models.iter().filter_map(|model| model.cover_artifact_id)))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("look for the files of covers")?;
    Ok(models
        .iter()
        .filter(|model| {
            model
                .cover_artifact_id
                .is_some_and(|cover| files.contains(&cover))
        })
        .map(|model| format!("the model `{}` ({}), as its cover", model.name, model.id))
        .collect())
}

/// Deletes something, until it is brought back; what was deleted before stays as it is.
pub async fn hide(tx: &Tx, owner: OwnerId, kind: TrashKind, id: Uuid) -> Result<()> {
    let at = now();
    match kind {
        TrashKind::Job => {
            job::Entity::update_many()
                .col_expr(job::Column::DeletedAt, Expr::value(at))
                .filter(job::Column::Id.eq(id))
                .filter(job::Column::OwnerId.eq(owner.0))
                .filter(job::Column::DeletedAt.is_null())
                .exec(tx.connection())
                .await
                .doing("delete a job")?;
        }
        TrashKind::Generation => {
            generation::Entity::update_many()
                .col_expr(generation::Column::DeletedAt, Expr::value(at))
                .filter(generation::Column::Id.eq(id))
                .filter(generation::Column::OwnerId.eq(owner.0))
                .filter(generation::Column::DeletedAt.is_null())
                .exec(tx.connection())
                .await
                .doing("delete a generation")?;
        }
        TrashKind::Model => {
            let versions = model_version::Entity::find()
                .filter(model_version::Column::ModelId.eq(id))
                .filter(model_version::Column::OwnerId.eq(owner.0))
                .filter(model_version::Column::DeletedAt.is_null())
                .all(tx.connection())
                .await
                .doing("list model versions")?;
            for row in &versions {
                hide_version(tx, row, at).await?;
            }
            hide_model(tx, owner, id, at).await?;
        }
        TrashKind::ModelVersion => {
            let Some(seen) = version(tx, owner, id).await? else {
                return Ok(());
            };
            // The versions of a model are made, deleted and brought back one at a time: it goes with the last one only.
            tx.hold(model::Entity::find_by_id(seen.model_id))
                .one(tx.connection())
                .await
                .doing("read a model")?;
            let row = version(tx, owner, id).await?;
            let Some(row) = row.filter(|row| row.deleted_at.is_none()) else {
                return Ok(());
            };
            hide_version(tx, &row, at).await?;
            let n_left = model_version::Entity::find()
                .filter(model_version::Column::ModelId.eq(row.model_id))
                .filter(model_version::Column::DeletedAt.is_null())
                .count(tx.connection())
                .await
                .doing("count model versions")?;
            if n_left == 0 {
                hide_model(tx, owner, row.model_id, at).await?;
            }
        }
    }
    Ok(())
}

/// Brings something back: a model with the versions that went with it, a version with its model and its job. What was
/// not deleted stays as it is.
pub async fn restore(tx: &Tx, owner: OwnerId, kind: TrashKind, id: Uuid) -> Result<()> {
    let Some(deleted_at) = find(tx, owner, kind, id).await?.deleted_at else {
        return Ok(());
    };
    match kind {
        TrashKind::Job => show_job(tx, id).await,
        TrashKind::Generation => {
            generation::Entity::update_many()
                .col_expr(generation::Column::DeletedAt, Expr::value(None::<DateTime<Utc>>))
                .filter(generation::Column::Id.eq(id))
                .exec(tx.connection())
                .await
                .doing("bring back a generation")?;
            Ok(())
        }
        TrashKind::Model => {
            let versions = model_version::Entity::find()
                .filter(model_version::Column::ModelId.eq(id))
                .filter(model_version::Column::DeletedAt.eq(deleted_at))
                .all(tx.connection())
                .await
                .doing("list deleted model versions")?;
            for row in &versions {
                show_version(tx, row).await?;
            }
            show_model(tx, id).await
        }
        TrashKind::ModelVersion => match version(tx, owner, id).await? {
            Some(row) => {
                // The model first, which is the order in which both are held.
                show_model(tx, row.model_id).await?;
                show_version(tx, &row).await
            }
            None => Err(StoreError::not_found(kind.as_text(), id)),
        },
    }
}

/// Fails with [`StoreError::Stale`] if it was approved meanwhile.
async fn hide_version(tx: &Tx, row: &model_version::Model, at: DateTime<Utc>) -> Result<()> {
    set_result(tx, row, None).await?;
    let done = model_version::Entity::update_many()
        .col_expr(model_version::Column::DeletedAt, Expr::value(at))
        .filter(model_version::Column::Id.eq(row.id))
        .filter(model_version::Column::Stage.ne(word(&Stage::Approved)))
        .exec(tx.connection())
        .await
        .doing("delete a model version")?;
    match done.rows_affected {
        0 => Err(StoreError::stale("model version", row.id)),
        _ => Ok(()),
    }
}

async fn show_version(tx: &Tx, row: &model_version::Model) -> Result<()> {
    if let Some(job) = row.job_id {
        show_job(tx, job).await?;
    }
    set_result(tx, row, Some(row)).await?;
    model_version::Entity::update_many()
        .col_expr(
            model_version::Column::DeletedAt,
            Expr::value(None::<DateTime<Utc>>),
        )
        .filter(model_version::Column::Id.eq(row.id))
        .exec(tx.connection())
        .await
        .doing("bring back a model version")?;
    Ok(())
}

/// The result that the job of a version shows. A job that was resumed after its version was deleted may have another one,
/// and keeps it.
async fn set_result(
    tx: &Tx,
    row: &model_version::Model,
    result: Option<&model_version::Model>,
) -> Result<()> {
    let Some(job) = row.job_id else { return Ok(()) };
    let before = match result {
        Some(_) => job::Column::ModelVersionId.is_null(),
        None => job::Column::ModelVersionId.eq(row.id),
    };
    job::Entity::update_many()
        .col_expr(
            job::Column::ModelVersionId,
            Expr::value(result.map(|result| result.id)),
        )
        .col_expr(
            job::Column::ArtifactUrl,
            Expr::value(result.map(|result| result.artifact_url.clone())),
        )
        .filter(job::Column::Id.eq(job))
        .filter(before)
        .exec(tx.connection())
        .await
        .doing("note the result of a job")?;
    Ok(())
}

async fn hide_model(tx: &Tx, owner: OwnerId, id: Uuid, at: DateTime<Utc>) -> Result<()> {
    model::Entity::update_many()
        .col_expr(model::Column::DeletedAt, Expr::value(at))
        .filter(model::Column::Id.eq(id))
        .filter(model::Column::OwnerId.eq(owner.0))
        .filter(model::Column::DeletedAt.is_null())
        .exec(tx.connection())
        .await
        .doing("delete a model")?;
    Ok(())
}

async fn show_model(tx: &Tx, id: Uuid) -> Result<()> {
    model::Entity::update_many()
        .col_expr(model::Column::DeletedAt, Expr::value(None::<DateTime<Utc>>))
        .filter(model::Column::Id.eq(id))
        .exec(tx.connection())
        .await
        .doing("bring back a model")?;
    Ok(())
}

async fn show_job(tx: &Tx, id: Uuid) -> Result<()> {
    job::Entity::update_many()
        .col_expr(job::Column::DeletedAt, Expr::value(None::<DateTime<Utc>>))
        .filter(job::Column::Id.eq(id))
        .exec(tx.connection())
        .await
        .doing("bring back a job")?;
    Ok(())
}

async fn version(db: &impl Read, owner: OwnerId, id: Uuid) -> Result<Option<model_version::Model>> {
    model_version::Entity::find_by_id(id)
        .filter(model_version::Column::OwnerId.eq(owner.0))
        .one(db.connection())
        .await
        .doing("read a model version")
}

fn name_of_version(row: &model_version::Model) -> String {
    format!("{} v{}", row.name, row.version)
}
