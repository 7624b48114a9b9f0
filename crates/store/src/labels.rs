//! Stars, tags and notes of jobs, models and pictures.

use std::collections::BTreeSet;

use protocol::{
    LabelId, OwnerId,
    library::{Label, Labeled, UpdateLabel},
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use crate::{
    Read, Result, StoreError, Tx,
    db::entities::{generation, job, label, model},
    error::Doing,
    now,
    words::{clean, from_json, json, unword, word},
};

/// The labels of an owner's things of a kind, the newest first: at most `limit` that are older than `after`.
pub async fn list(
    db: &impl Read,
    owner: OwnerId,
    kind: Labeled,
    after: Option<LabelId>,
    limit: u64,
) -> Result<Vec<Label>> {
    let mut query = label::Entity::find()
        .filter(label::Column::OwnerId.eq(owner.0))
        .filter(label::Column::Kind.eq(word(&kind)))
        .filter(Condition::all().add(Expr::cust(is_shown(kind))));
    if let Some(after) = after {
        query = query.filter(label::Column::Id.lt(after.0));
    }
    let rows = query
        .order_by_desc(label::Column::Id)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list labels")?;
    rows.into_iter().map(to_label).collect()
}

/// What an owner gave a star.
pub async fn starred(db: &impl Read, owner: OwnerId) -> Result<BTreeSet<Uuid>> {
    let ids: Vec<Uuid> = label::Entity::find()
        .select_only()
        .column(label::Column::SubjectId)
        .filter(label::Column::OwnerId.eq(owner.0))
        .filter(label::Column::Starred.eq(true))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("list what has a star")?;
    Ok(ids.into_iter().collect())
}

/// Changes the label of something that the owner has. The note of a job goes to the job.
pub async fn update(
    tx: &Tx,
    owner: OwnerId,
    kind: Labeled,
    subject: Uuid,
    change: &UpdateLabel,
) -> Result<Label> {
    check_subject(tx, owner, kind, subject).await?;
    let new = label::Model {
        id: LabelId::new().0,
        owner_id: owner.0,
        kind: word(&kind),
        subject_id: subject,
        starred: false,
        tags: json(&Vec::<String>::new()),
        note: String::new(),
        updated_at: now(),
    };
    let key = [label::Column::Kind, label::Column::SubjectId];
    label::Entity::insert(label::ActiveModel::from(new))
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
        .exec_without_returning(tx.connection())
        .await
        .doing("store a label")?;
    let mut update = label::Entity::update_many().col_expr(label::Column::UpdatedAt, Expr::value(now()));
    if let Some(starred) = change.starred {
        update = update.col_expr(label::Column::Starred, Expr::value(starred));
    }
    if let Some(tags) = &change.tags {
        update = update.col_expr(label::Column::Tags, Expr::value(json(tags)));
    }
    if let Some(note) = &change.note {
        match kind {
            Labeled::Job => set_note_of_job(tx, subject, note).await?,
            Labeled::Model | Labeled::Generation => {
                update = update.col_expr(label::Column::Note, Expr::value(clean(note)));
            }
        }
    }
    update
        .filter(label::Column::Kind.eq(word(&kind)))
        .filter(label::Column::SubjectId.eq(subject))
        .exec(tx.connection())
        .await
        .doing("change a label")?;
    let row = label::Entity::find()
        .filter(label::Column::Kind.eq(word(&kind)))
        .filter(label::Column::SubjectId.eq(subject))
        .one(tx.connection())
        .await
        .doing("read a label")?;
    to_label(row.ok_or_else(|| StoreError::not_found("label", subject))?)
}

async fn set_note_of_job(tx: &Tx, job: Uuid, note: &str) -> Result<()> {
    let note = (!note.is_empty()).then(|| clean(note));
    job::Entity::update_many()
        .col_expr(job::Column::Note, Expr::value(note))
        .filter(job::Column::Id.eq(job))
        .exec(tx.connection())
        .await
        .doing("change the note of a job")?;
    Ok(())
}

/// What the label is on was not deleted.
fn is_shown(kind: Labeled) -> &'static str {
    match kind {
        Labeled::Job => "subject_id NOT IN (SELECT id FROM training_jobs WHERE deleted_at IS NOT NULL)",
        Labeled::Model => "subject_id NOT IN (SELECT id FROM models WHERE deleted_at IS NOT NULL)",
        Labeled::Generation => "subject_id NOT IN (SELECT id FROM generations WHERE deleted_at IS NOT NULL)",
    }
}

async fn check_subject(db: &impl Read, owner: OwnerId, kind: Labeled, id: Uuid) -> Result<()> {
    let (what, found) = match kind {
        Labeled::Job => {
            let found = job::Entity::find_by_id(id)
                .filter(job::Column::OwnerId.eq(owner.0))
                .filter(job::Column::DeletedAt.is_null());
            ("job", found.count(db.connection()).await)
        }
        Labeled::Model => {
            let found = model::Entity::find_by_id(id)
                .filter(model::Column::OwnerId.eq(owner.0))
                .filter(model::Column::DeletedAt.is_null());
            ("model", found.count(db.connection()).await)
        }
        Labeled::Generation => {
            let found = generation::Entity::find_by_id(id)
                .filter(generation::Column::OwnerId.eq(owner.0))
                .filter(generation::Column::DeletedAt.is_null());
            ("generation", found.count(db.connection()).await)
        }
    };
    match found.doing("look for what a label is on")? {
        0 => Err(StoreError::not_found(what, id)),
        _ => Ok(()),
    }
}

fn to_label(row: label::Model) -> Result<Label> {
    Ok(Label {
        id: LabelId(row.id),
        kind: unword("labels.kind", &row.kind)?,
        subject_id: row.subject_id,
        starred: row.starred,
        tags: from_json("labels.tags", row.tags)?,
        note: row.note,
        updated_at: row.updated_at,
    })
}
