//! Text-to-image requests and their pictures.

use std::collections::BTreeMap;

use protocol::{
    ArtifactId, DrawingSessionId, GenerationId, OwnerId,
    generation::{CreateGeneration, Generation, GenerationPhase},
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    BlobKey, Read, Result, StoreError, Tx, artifacts,
    db::{
        entities::{artifact, generation},
        insert,
    },
    error::Doing,
    now,
    objects::UrlOptions,
    words::{clean, from_json, json, unword, word},
};

/// State for decisions of the orchestrator.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationState {
    /// The generation.
    pub id: GenerationId,
    /// Its owner.
    pub owner: OwnerId,
    /// Its phase.
    pub phase: GenerationPhase,
    /// What to render; seed, width and height are filled in.
    pub request: CreateGeneration,
    /// Number of attempts.
    pub n_attempts: u32,
    /// The drawing session whose machine draws it; absent for the server's own machine.
    pub drawing: Option<DrawingSessionId>,
}

/// How an attempt of a generation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GenerationEnd {
    /// Success, with this picture.
    Picture(ArtifactId),
    /// Failure, with an error.
    Failed(String),
    /// Its agent was lost: another attempt may follow.
    Again,
}

/// An owner's generations, the newest first: at most `limit` that are older than `after`.
pub async fn list(
    db: &impl Read,
    owner: OwnerId,
    after: Option<GenerationId>,
    limit: u64,
) -> Result<Vec<Generation>> {
    let mut query = generation::Entity::find()
        .filter(generation::Column::OwnerId.eq(owner.0))
        .filter(generation::Column::DeletedAt.is_null());
    if let Some(after) = after {
        query = query.filter(generation::Column::Id.lt(after.0));
    }
    let rows = query
        .order_by_desc(generation::Column::Id)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list generations")?;
    to_generations(db, rows).await
}

/// One generation.
pub async fn get(db: &impl Read, owner: OwnerId, id: GenerationId) -> Result<Generation> {
    let row = row(db, id).await?;
    if row.owner_id != owner.0 || row.deleted_at.is_some() {
        return Err(StoreError::not_found("generation", id));
    }
    let mut generations = to_generations(db, vec![row]).await?;
    generations
        .pop()
        .ok_or_else(|| StoreError::not_found("generation", id))
}

/// The finished picture's key.
pub async fn picture(db: &impl Read, owner: OwnerId, id: GenerationId) -> Result<BlobKey> {
    let row = row(db, id).await?;
    let is_shown = row.owner_id == owner.0 && row.deleted_at.is_none();
    match row.artifact_id.filter(|_| is_shown) {
        Some(artifact) => Ok(artifacts::find(db, ArtifactId(artifact)).await?.key),
        None => Err(StoreError::not_found("picture of generation", id)),
    }
}

/// State for decisions of the orchestrator.
pub async fn state(db: &impl Read, id: GenerationId) -> Result<GenerationState> {
    to_state(row(db, id).await?)
}

/// Number of queued generations of a drawing session, or of the server's own machine.
pub async fn n_queued(db: &impl Read, drawing: Option<DrawingSessionId>) -> Result<u64> {
    generation::Entity::find()
        .filter(generation::Column::Phase.eq(word(&GenerationPhase::Queued)))
        .filter(of_drawing(drawing))
        .count(db.connection())
        .await
        .doing("count queued generations")
}

/// All generations that have not ended.
pub(crate) async fn open(db: &impl Read) -> Result<Vec<GenerationState>> {
    let open = [GenerationPhase::Queued, GenerationPhase::Running].map(|phase| word(&phase));
    let rows = generation::Entity::find()
        .filter(generation::Column::Phase.is_in(open))
        .order_by_asc(generation::Column::Id)
        .all(db.connection())
        .await
        .doing("list open generations")?;
    rows.into_iter().map(to_state).collect()
}

/// The oldest queued generation of the server's own machine.
pub async fn oldest_queued(db: &impl Read) -> Result<Option<GenerationId>> {
    let row = generation::Entity::find()
        .filter(generation::Column::Phase.eq(word(&GenerationPhase::Queued)))
        .filter(of_drawing(None))
        .order_by_asc(generation::Column::CreatedAt)
        .one(db.connection())
        .await
        .doing("look for queued generations")?;
    Ok(row.map(|row| GenerationId(row.id)))
}

/// The generations of a drawing session that have not ended, the oldest first.
pub async fn open_of(db: &impl Read, drawing: DrawingSessionId) -> Result<Vec<GenerationState>> {
    let open = [GenerationPhase::Queued, GenerationPhase::Running].map(|phase| word(&phase));
    let rows = db
        .hold(generation::Entity::find())
        .filter(of_drawing(Some(drawing)))
        .filter(generation::Column::Phase.is_in(open))
        .order_by_asc(generation::Column::Id)
        .all(db.connection())
        .await
        .doing("list the open generations of a drawing session")?;
    rows.into_iter().map(to_state).collect()
}

/// Generations of this drawing session; without one, those of the server's own machine.
pub(crate) fn of_drawing(drawing: Option<DrawingSessionId>) -> Condition {
    Condition::all().add(match drawing {
        Some(drawing) => generation::Column::DrawingSessionId.eq(drawing.0),
        None => generation::Column::DrawingSessionId.is_null(),
    })
}

/// Queues a generation.
pub async fn create(tx: &Tx, owner: OwnerId, request: &CreateGeneration) -> Result<GenerationId> {
    let id = GenerationId::new();
    let row = generation::Model {
        id: id.0,
        owner_id: owner.0,
        phase: word(&GenerationPhase::Queued),
        base_model: request.base_model.clone(),
        prompt: request.prompt.clone(),
        request: json(request),
        n_attempts: 0,
        artifact_id: None,
        drawing_session_id: request.drawing_session_id.map(|id| id.0),
        error: None,
        duration_ms: None,
        created_at: now(),
        started_at: None,
        ended_at: None,
        stage: None,
        notes: None,
        deleted_at: None,
    };
    insert(tx.connection(), row, "store a generation").await?;
    tx.touch_generation(id);
    tx.wake_on_commit();
    Ok(id)
}

/// Notes what the agent of a running generation does or waits for, and what it has to say, in addition to what it said
/// before; what is too much is left out.
pub async fn note(tx: &Tx, id: GenerationId, stage: Option<&str>, notes: &[String]) -> Result<()> {
    let row = row(tx, id).await?;
    let mut update = generation::Entity::update_many();
    if let Some(stage) = stage {
        update = update.col_expr(generation::Column::Stage, Expr::value(clean(stage)));
    }
    if !notes.is_empty() {
        let mut all = read_notes(row.notes)?;
        all.extend(notes.iter().map(|note| clean(note)));
        all.truncate(protocol::limits::MAX_GENERATION_NOTES);
        update = update.col_expr(generation::Column::Notes, Expr::value(json(&all)));
    }
    update
        .filter(generation::Column::Id.eq(id.0))
        .filter(generation::Column::Phase.eq(word(&GenerationPhase::Running)))
        .exec(tx.connection())
        .await
        .doing("note how a generation stands")?;
    tx.touch_generation(id);
    Ok(())
}

fn read_notes(notes: Option<sea_orm::prelude::Json>) -> Result<Vec<String>> {
    let notes = notes.map(|notes| from_json("generations.notes", notes));
    Ok(notes.transpose()?.unwrap_or_default())
}

/// Ends an attempt of a running generation.
pub async fn end_attempt(tx: &Tx, id: GenerationId, end: GenerationEnd) -> Result<()> {
    let (row, now) = (row(tx, id).await?, now());
    let mut update = generation::Entity::update_many();
    let phase = match end {
        GenerationEnd::Picture(artifact) => {
            let started = row.started_at.unwrap_or(row.created_at);
            update = update
                .col_expr(generation::Column::ArtifactId, Expr::value(artifact.0))
                .col_expr(
                    generation::Column::DurationMs,
                    Expr::value((now - started).num_milliseconds().max(0)),
                )
                .col_expr(generation::Column::EndedAt, Expr::value(now));
            GenerationPhase::Succeeded
        }
        GenerationEnd::Failed(error) => {
            update = update
                .col_expr(generation::Column::Error, Expr::value(clean(&error)))
                .col_expr(generation::Column::EndedAt, Expr::value(now));
            GenerationPhase::Failed
        }
        GenerationEnd::Again => GenerationPhase::Queued,
    };
    let done = update
        .col_expr(generation::Column::Phase, Expr::value(word(&phase)))
        .col_expr(generation::Column::Stage, Expr::value(None::<String>))
        .filter(generation::Column::Id.eq(id.0))
        .filter(generation::Column::Phase.eq(word(&GenerationPhase::Running)))
        .exec(tx.connection())
        .await
        .doing("end a generation")?;
    if done.rows_affected == 0 {
        return Err(StoreError::stale("generation", id));
    }
    tx.touch_generation(id);
    tx.wake_on_commit();
    Ok(())
}

/// Fails a generation that has not ended, for a reason that is not its agent's; one that has ended stays as it is.
pub async fn abandon(tx: &Tx, id: GenerationId, reason: &str) -> Result<()> {
    let open = [GenerationPhase::Queued, GenerationPhase::Running];
    generation::Entity::update_many()
        .col_expr(
            generation::Column::Phase,
            Expr::value(word(&GenerationPhase::Failed)),
        )
        .col_expr(generation::Column::Error, Expr::value(clean(reason)))
        .col_expr(generation::Column::EndedAt, Expr::value(now()))
        .filter(generation::Column::Id.eq(id.0))
        .filter(generation::Column::Phase.is_in(open.map(|phase| word(&phase))))
        .exec(tx.connection())
        .await
        .doing("abandon a generation")?;
    tx.touch_generation(id);
    tx.wake_on_commit();
    Ok(())
}

async fn row(db: &impl Read, id: GenerationId) -> Result<generation::Model> {
    db.hold(generation::Entity::find_by_id(id.0))
        .one(db.connection())
        .await
        .doing("read a generation")?
        .ok_or_else(|| StoreError::not_found("generation", id))
}

pub(crate) fn to_state(row: generation::Model) -> Result<GenerationState> {
    Ok(GenerationState {
        id: GenerationId(row.id),
        owner: OwnerId(row.owner_id),
        phase: unword("generations.phase", &row.phase)?,
        request: from_json("generations.request", row.request)?,
        n_attempts: row.n_attempts.unsigned_abs(),
        drawing: row.drawing_session_id.map(DrawingSessionId),
    })
}

async fn to_generations(db: &impl Read, rows: Vec<generation::Model>) -> Result<Vec<Generation>> {
    let pictures: Vec<Uuid> = rows.iter().filter_map(|row| row.artifact_id).collect();
    let keys: BTreeMap<Uuid, String> = artifact::Entity::find()
        .select_only()
        .column(artifact::Column::Id)
        .column(artifact::Column::BlobKey)
        .filter(artifact::Column::Id.is_in(pictures))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("read the pictures of generations")?
        .into_iter()
        .collect();
    rows.into_iter()
        .map(|row| {
            let image_url = match row.artifact_id.and_then(|id| keys.get(&id)) {
                Some(key) => {
                    let key = key
                        .parse()
                        .map_err(|err| StoreError::corrupt("artifacts.blob_key", err))?;
                    Some(db.objects().get_url(&key, &UrlOptions::picture()))
                }
                None => None,
            };
            let phase: GenerationPhase = unword("generations.phase", &row.phase)?;
            Ok(Generation {
                id: GenerationId(row.id),
                phase,
                request: from_json("generations.request", row.request)?,
                image_url,
                stage: row.stage.filter(|_| phase == GenerationPhase::Running),
                notes: read_notes(row.notes)?,
                error: row.error,
                duration_ms: row.duration_ms.map(i64::cast_unsigned),
                created_at: row.created_at,
            })
        })
        .collect()
}
