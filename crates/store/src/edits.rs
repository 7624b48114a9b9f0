//! Files that are made out of others: what was asked for, and where it stands.

use std::collections::BTreeMap;

use protocol::{
    ArtifactId, EditId, ModelVersionId, OwnerId,
    edit::{CreateEdit, Edit, EditPhase, EditProgress, LoraEdit, MadeFrom},
    preset::BaseClass,
};
use sea_orm::{
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    BlobKey, Read, Result, StoreError, Tx,
    artifacts::{self, Artifact},
    db::{
        entities::{artifact, edit},
        insert,
    },
    error::Doing,
    now,
    words::{clean, from_json, json, unword, word},
};

/// An edit with what was found out when it was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EditPlan {
    /// What to make.
    pub edit: Edit,
    /// Name of the result, without ending, and of its model.
    pub name: String,
    /// The base model that the result is for.
    pub base_model: String,
    /// Its class.
    pub base_class: BaseClass,
    /// The base model whose difference is taken.
    pub tuned_model: Option<String>,
    /// The LoRAs with their weights.
    pub from: Vec<MadeFrom>,
    /// Words that activate them.
    pub trigger_words: Vec<String>,
    /// Whether the result is a model version; otherwise it is a file to download.
    pub makes_version: bool,
}

/// State for decisions of the orchestrator.
#[derive(Debug, Clone, PartialEq)]
pub struct EditState {
    /// The edit.
    pub id: EditId,
    /// Its owner.
    pub owner: OwnerId,
    /// Its phase.
    pub phase: EditPhase,
    /// What to make.
    pub plan: EditPlan,
    /// Number of attempts.
    pub n_attempts: u32,
    /// Its owner asked to cancel it.
    pub wants_cancel: bool,
}

/// How an attempt of an edit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditEnd {
    /// Success.
    Made {
        /// The file.
        file: ArtifactId,
        /// The version that it became, if it became one.
        version: Option<ModelVersionId>,
        /// What a person should know.
        notes: Vec<String>,
    },
    /// Failure, with an error.
    Failed(String),
    /// Its owner canceled it.
    Cancelled,
    /// Its agent was lost: another attempt may follow.
    Again,
}

/// An owner's edits, the newest first: at most `limit` that are older than `after`.
pub async fn list(
    db: &impl Read,
    owner: OwnerId,
    after: Option<EditId>,
    limit: u64,
) -> Result<Vec<LoraEdit>> {
    let mut query = edit::Entity::find().filter(edit::Column::OwnerId.eq(owner.0));
    if let Some(after) = after {
        query = query.filter(edit::Column::Id.lt(after.0));
    }
    let rows = query
        .order_by_desc(edit::Column::Id)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list edits")?;
    to_edits(db, rows).await
}

/// One edit.
pub async fn get(db: &impl Read, owner: OwnerId, id: EditId) -> Result<LoraEdit> {
    let row = row(db, id).await?;
    if row.owner_id != owner.0 {
        return Err(StoreError::not_found("edit", id));
    }
    let mut edits = to_edits(db, vec![row]).await?;
    edits.pop().ok_or_else(|| StoreError::not_found("edit", id))
}

/// Key and name of the file that a finished edit made to be downloaded; it is kept for a week.
pub async fn file(db: &impl Read, owner: OwnerId, id: EditId) -> Result<(BlobKey, String)> {
    let row = row(db, id).await?;
    let missing = || StoreError::not_found("file of edit", id);
    let artifact = row.artifact_id.filter(|_| row.owner_id == owner.0);
    let artifact = ArtifactId(artifact.ok_or_else(missing)?);
    match artifacts::find(db, artifact).await {
        Ok(file) => Ok((file.key, file.file_name)),
        Err(StoreError::NotFound { .. }) => Err(missing()),
        Err(err) => Err(err),
    }
}

/// The same file, which is not forgotten before the transaction ends.
pub async fn keep_file(tx: &Tx, owner: OwnerId, id: EditId) -> Result<Artifact> {
    let row = row(tx, id).await?;
    let missing = || StoreError::not_found("file of edit", id);
    let artifact = row.artifact_id.filter(|_| row.owner_id == owner.0);
    match artifacts::keep(tx, owner, ArtifactId(artifact.ok_or_else(missing)?)).await {
        Err(StoreError::NotFound { .. }) => Err(missing()),
        kept => kept,
    }
}

/// State for decisions of the orchestrator.
pub async fn state(db: &impl Read, id: EditId) -> Result<EditState> {
    to_state(row(db, id).await?)
}

/// Number of queued edits.
pub async fn n_queued(db: &impl Read) -> Result<u64> {
    edit::Entity::find()
        .filter(edit::Column::Phase.eq(word(&EditPhase::Queued)))
        .count(db.connection())
        .await
        .doing("count queued edits")
}

/// All edits that have not ended.
pub(crate) async fn open(db: &impl Read) -> Result<Vec<EditState>> {
    let open = [EditPhase::Queued, EditPhase::Running].map(|phase| word(&phase));
    let rows = edit::Entity::find()
        .filter(edit::Column::Phase.is_in(open))
        .order_by_asc(edit::Column::Id)
        .all(db.connection())
        .await
        .doing("list open edits")?;
    rows.into_iter().map(to_state).collect()
}

/// The oldest queued edit.
pub async fn oldest_queued(db: &impl Read) -> Result<Option<EditId>> {
    let row = edit::Entity::find()
        .filter(edit::Column::Phase.eq(word(&EditPhase::Queued)))
        .order_by_asc(edit::Column::CreatedAt)
        .one(db.connection())
        .await
        .doing("look for queued edits")?;
    Ok(row.map(|row| EditId(row.id)))
}

/// Queues an edit.
pub async fn create(tx: &Tx, owner: OwnerId, request: &CreateEdit, plan: &EditPlan) -> Result<EditId> {
    let id = EditId::new();
    let row = edit::Model {
        id: id.0,
        owner_id: owner.0,
        kind: word(&request.kind),
        phase: word(&EditPhase::Queued),
        request: json(request),
        plan: json(plan),
        n_attempts: 0,
        wants_cancel: false,
        progress: None,
        notes: json(&Vec::<String>::new()),
        artifact_id: None,
        model_version_id: None,
        error: None,
        created_at: now(),
        started_at: None,
        ended_at: None,
    };
    insert(tx.connection(), row, "store an edit").await?;
    tx.wake_on_commit();
    Ok(id)
}

/// Cancels a queued edit at once, and notes for a running one that its owner wants it canceled. One that has ended stays
/// as it is.
pub async fn cancel(tx: &Tx, id: EditId) -> Result<()> {
    let now = now();
    edit::Entity::update_many()
        .col_expr(edit::Column::Phase, Expr::value(word(&EditPhase::Cancelled)))
        .col_expr(edit::Column::EndedAt, Expr::value(now))
        .filter(edit::Column::Id.eq(id.0))
        .filter(edit::Column::Phase.eq(word(&EditPhase::Queued)))
        .exec(tx.connection())
        .await
        .doing("cancel an edit")?;
    edit::Entity::update_many()
        .col_expr(edit::Column::WantsCancel, Expr::value(true))
        .filter(edit::Column::Id.eq(id.0))
        .filter(edit::Column::Phase.eq(word(&EditPhase::Running)))
        .exec(tx.connection())
        .await
        .doing("note that an edit is to be canceled")?;
    Ok(())
}

/// Notes how far a running edit is.
pub async fn set_progress(tx: &Tx, id: EditId, progress: &EditProgress) -> Result<()> {
    edit::Entity::update_many()
        .col_expr(edit::Column::Progress, Expr::value(json(progress)))
        .filter(edit::Column::Id.eq(id.0))
        .filter(edit::Column::Phase.eq(word(&EditPhase::Running)))
        .exec(tx.connection())
        .await
        .doing("note how far an edit is")?;
    Ok(())
}

/// Ends an attempt of a running edit.
pub async fn end_attempt(tx: &Tx, id: EditId, end: EditEnd) -> Result<()> {
    let mut update = edit::Entity::update_many();
    let phase = match end {
        EditEnd::Made { file, version, notes } => {
            update = update
                .col_expr(edit::Column::ArtifactId, Expr::value(file.0))
                .col_expr(
                    edit::Column::ModelVersionId,
                    Expr::value(version.map(|version| version.0)),
                )
                .col_expr(edit::Column::Notes, Expr::value(json(&notes)));
            EditPhase::Succeeded
        }
        EditEnd::Failed(error) => {
            update = update.col_expr(edit::Column::Error, Expr::value(clean(&error)));
            EditPhase::Failed
        }
        EditEnd::Cancelled => EditPhase::Cancelled,
        EditEnd::Again => EditPhase::Queued,
    };
    if phase.is_ended() {
        update = update.col_expr(edit::Column::EndedAt, Expr::value(now()));
    }
    let done = update
        .col_expr(edit::Column::Phase, Expr::value(word(&phase)))
        .filter(edit::Column::Id.eq(id.0))
        .filter(edit::Column::Phase.eq(word(&EditPhase::Running)))
        .exec(tx.connection())
        .await
        .doing("end an edit")?;
    if done.rows_affected == 0 {
        return Err(StoreError::stale("edit", id));
    }
    tx.wake_on_commit();
    Ok(())
}

async fn row(db: &impl Read, id: EditId) -> Result<edit::Model> {
    db.hold(edit::Entity::find_by_id(id.0))
        .one(db.connection())
        .await
        .doing("read an edit")?
        .ok_or_else(|| StoreError::not_found("edit", id))
}

fn to_state(row: edit::Model) -> Result<EditState> {
    Ok(EditState {
        id: EditId(row.id),
        owner: OwnerId(row.owner_id),
        phase: unword("edits.phase", &row.phase)?,
        plan: from_json("edits.plan", row.plan)?,
        n_attempts: row.n_attempts.unsigned_abs(),
        wants_cancel: row.wants_cancel,
    })
}

async fn to_edits(db: &impl Read, rows: Vec<edit::Model>) -> Result<Vec<LoraEdit>> {
    let files: Vec<Uuid> = rows.iter().filter_map(|row| row.artifact_id).collect();
    let names: BTreeMap<Uuid, String> = artifact::Entity::find()
        .select_only()
        .column(artifact::Column::Id)
        .column(artifact::Column::FileName)
        .filter(artifact::Column::Id.is_in(files))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("read the files of edits")?
        .into_iter()
        .collect();
    rows.into_iter()
        .map(|row| {
            let phase: EditPhase = unword("edits.phase", &row.phase)?;
            let file_name = row
                .artifact_id
                .filter(|_| row.model_version_id.is_none())
                .and_then(|id| names.get(&id).cloned());
            Ok(LoraEdit {
                id: EditId(row.id),
                phase,
                request: from_json("edits.request", row.request)?,
                progress: row
                    .progress
                    .map(|progress| from_json("edits.progress", progress))
                    .transpose()?,
                is_cancelling: row.wants_cancel && !phase.is_ended(),
                model_version_id: row.model_version_id.map(ModelVersionId),
                file_name,
                notes: from_json("edits.notes", row.notes)?,
                error: row.error,
                created_at: row.created_at,
                ended_at: row.ended_at,
            })
        })
        .collect()
}
