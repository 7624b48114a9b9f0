//! Drawing sessions: rented machines that draw pictures, each with a limit of its own.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use protocol::{
    DrawingSessionId, GenerationId, MicroUsd, OwnerId,
    drawing::{CreateDrawingSession, DrawingPhase, DrawingSession},
    generation::GenerationPhase,
    spend::RentalWish,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use uuid::Uuid;

use crate::{
    Read, Result, StoreError, Tx,
    db::{
        entities::{drawing_session as drawing, generation, rented_instance as instance},
        insert,
    },
    error::Doing,
    now,
    words::{clean, from_json, json, unword, word},
};

/// State for decisions of the orchestrator.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawingState {
    /// The session.
    pub id: DrawingSessionId,
    /// Its owner.
    pub owner: OwnerId,
    /// What it is called.
    pub name: String,
    /// Who rents its machine out.
    pub provider: String,
    /// Its phase.
    pub phase: DrawingPhase,
    /// Requirements for its machine.
    pub rental: RentalWish,
    /// It ends after this many minutes without a picture.
    pub idle_minutes: u32,
    /// Its cost limit.
    pub limit: MicroUsd,
    /// Its cost so far.
    pub spent: MicroUsd,
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
}

/// A change of phase, by compare-and-set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseChange {
    /// The phase that it was read in.
    pub from: DrawingPhase,
    /// The new one.
    pub to: DrawingPhase,
    /// Why, for a person; absent to leave what is there.
    pub reason: Option<String>,
}

/// What a session was last used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// Pictures that wait or are being drawn.
    pub n_open: u32,
    /// Those that are being drawn.
    pub n_running: u32,
    /// When the newest picture was asked for or ended, or the machine became ready.
    pub at: Option<DateTime<Utc>>,
}

/// Asks for a session.
pub async fn create(tx: &Tx, owner: OwnerId, request: &CreateDrawingSession) -> Result<DrawingSessionId> {
    let id = DrawingSessionId::new();
    let row = drawing::Model {
        id: id.0,
        owner_id: owner.0,
        name: request.name.trim().to_owned(),
        provider: request.provider.clone(),
        phase: word(&DrawingPhase::Ordered),
        reason: None,
        rental: json(&request.rental),
        idle_minutes: request.idle_minutes.cast_signed(),
        limit_micro_usd: request.limit_micro_usd.0,
        spent_micro_usd: 0,
        reserved_micro_usd: 0,
        rate_micro_usd: 0,
        created_at: now(),
        started_at: None,
        ended_at: None,
    };
    insert(tx.connection(), row, "store a drawing session").await?;
    tx.wake_on_commit();
    Ok(id)
}

/// An owner's sessions, the newest first: at most `limit` that are older than `after`. How long they have is not
/// written down: the orchestrator tells it.
pub async fn list(
    db: &impl Read,
    owner: OwnerId,
    after: Option<DrawingSessionId>,
    limit: u64,
) -> Result<Vec<DrawingSession>> {
    let mut query = drawing::Entity::find().filter(drawing::Column::OwnerId.eq(owner.0));
    if let Some(after) = after {
        query = query.filter(drawing::Column::Id.lt(after.0));
    }
    let rows = query
        .order_by_desc(drawing::Column::Id)
        .limit(limit)
        .all(db.connection())
        .await
        .doing("list drawing sessions")?;
    let mut sessions = Vec::with_capacity(rows.len());
    for row in rows {
        sessions.push(to_session(db, row).await?);
    }
    Ok(sessions)
}

/// One session.
pub async fn get(db: &impl Read, owner: OwnerId, id: DrawingSessionId) -> Result<DrawingSession> {
    let row = row(db, id).await?;
    if row.owner_id != owner.0 {
        return Err(StoreError::not_found("drawing session", id));
    }
    to_session(db, row).await
}

/// State for decisions of the orchestrator.
pub async fn state(db: &impl Read, id: DrawingSessionId) -> Result<DrawingState> {
    to_state(row(db, id).await?)
}

/// The sessions of a provider that have not ended, the oldest first.
pub async fn open(db: &impl Read, provider: &str) -> Result<Vec<DrawingState>> {
    let rows = drawing::Entity::find()
        .filter(drawing::Column::Provider.eq(provider))
        .filter(drawing::Column::Phase.ne(word(&DrawingPhase::Ended)))
        .order_by_asc(drawing::Column::CreatedAt)
        .order_by_asc(drawing::Column::Id)
        .all(db.connection())
        .await
        .doing("list open drawing sessions")?;
    rows.into_iter().map(to_state).collect()
}

/// The sessions of every provider whose machine is not ordered yet.
pub async fn ordered(db: &impl Read) -> Result<Vec<DrawingSessionId>> {
    let ids: Vec<Uuid> = drawing::Entity::find()
        .select_only()
        .column(drawing::Column::Id)
        .filter(drawing::Column::Phase.eq(word(&DrawingPhase::Ordered)))
        .order_by_asc(drawing::Column::Id)
        .into_tuple()
        .all(db.connection())
        .await
        .doing("list drawing sessions without a machine")?;
    Ok(ids.into_iter().map(DrawingSessionId).collect())
}

/// An owner's sessions, counted by phase.
pub async fn tally(db: &impl Read, owner: OwnerId) -> Result<Vec<(DrawingPhase, u64)>> {
    let rows: Vec<(String, i64)> = drawing::Entity::find()
        .select_only()
        .column(drawing::Column::Phase)
        .column_as(drawing::Column::Id.count(), "n_sessions")
        .filter(drawing::Column::OwnerId.eq(owner.0))
        .group_by(drawing::Column::Phase)
        .into_tuple()
        .all(db.connection())
        .await
        .doing("count drawing sessions")?;
    rows.into_iter()
        .map(|(phase, n)| Ok((unword("drawing_sessions.phase", &phase)?, n.unsigned_abs())))
        .collect()
}

/// Moves a session to another phase; [`StoreError::Stale`] when somebody else has moved it.
pub async fn change_phase(tx: &Tx, id: DrawingSessionId, change: PhaseChange) -> Result<()> {
    let now = now();
    let mut update =
        drawing::Entity::update_many().col_expr(drawing::Column::Phase, Expr::value(word(&change.to)));
    if let Some(reason) = &change.reason {
        update = update.col_expr(drawing::Column::Reason, Expr::value(clean(reason)));
    }
    if change.to == DrawingPhase::Ready {
        update = update.col_expr(drawing::Column::StartedAt, Expr::value(now));
    }
    if change.from.is_open() && !change.to.is_open() {
        update = update.col_expr(drawing::Column::EndedAt, Expr::value(now));
    }
    let done = update
        .filter(drawing::Column::Id.eq(id.0))
        .filter(drawing::Column::Phase.eq(word(&change.from)))
        .exec(tx.connection())
        .await
        .doing("change the phase of a drawing session")?;
    if done.rows_affected == 0 {
        return Err(StoreError::stale("drawing session", id));
    }
    tx.wake_on_commit();
    Ok(())
}

/// What an hour of its machine costs.
pub async fn set_rate(tx: &Tx, id: DrawingSessionId, rate: MicroUsd) -> Result<()> {
    drawing::Entity::update_many()
        .col_expr(drawing::Column::RateMicroUsd, Expr::value(rate.0))
        .filter(drawing::Column::Id.eq(id.0))
        .exec(tx.connection())
        .await
        .doing("note what a drawing session costs")?;
    Ok(())
}

/// What a session was last used for.
pub async fn newest_use(db: &impl Read, id: DrawingSessionId) -> Result<Use> {
    use_of(db, &row(db, id).await?).await
}

async fn use_of(db: &impl Read, row: &drawing::Model) -> Result<Use> {
    type Times = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);
    let own = || generation::Entity::find().filter(generation::Column::DrawingSessionId.eq(row.id));
    let times: Option<Times> = own()
        .select_only()
        .column_as(generation::Column::CreatedAt.max(), "asked")
        .column_as(generation::Column::EndedAt.max(), "ended")
        .into_tuple()
        .one(db.connection())
        .await
        .doing("look when a drawing session was used")?;
    let (asked, ended) = times.unwrap_or_default();
    let open = [GenerationPhase::Queued, GenerationPhase::Running].map(|phase| word(&phase));
    let counts: Vec<(String, i64)> = own()
        .select_only()
        .column(generation::Column::Phase)
        .column_as(generation::Column::Id.count(), "n_generations")
        .filter(generation::Column::Phase.is_in(open))
        .group_by(generation::Column::Phase)
        .into_tuple()
        .all(db.connection())
        .await
        .doing("count the open generations of a drawing session")?;
    let count = |phase: GenerationPhase| {
        let of_phase = counts.iter().find(|(counted, _)| *counted == word(&phase));
        of_phase.map_or(0, |(_, n)| u32::try_from(*n).unwrap_or(u32::MAX))
    };
    let n_running = count(GenerationPhase::Running);
    Ok(Use {
        n_open: n_running.saturating_add(count(GenerationPhase::Queued)),
        n_running,
        at: row.started_at.max(asked).max(ended),
    })
}

/// The drawing session that a generation was sent to.
pub async fn of_generation(db: &impl Read, id: GenerationId) -> Result<Option<DrawingSessionId>> {
    let found: Option<Option<Uuid>> = generation::Entity::find_by_id(id.0)
        .select_only()
        .column(generation::Column::DrawingSessionId)
        .into_tuple()
        .one(db.connection())
        .await
        .doing("look for the drawing session of a generation")?;
    Ok(found.flatten().map(DrawingSessionId))
}

/// What sessions are called, by their ids.
pub(crate) async fn names(db: &impl Read, ids: BTreeSet<Uuid>) -> Result<HashMap<Uuid, String>> {
    let rows: Vec<(Uuid, String)> = drawing::Entity::find()
        .select_only()
        .column(drawing::Column::Id)
        .column(drawing::Column::Name)
        .filter(drawing::Column::Id.is_in(ids))
        .into_tuple()
        .all(db.connection())
        .await
        .doing("read the names of drawing sessions")?;
    Ok(rows.into_iter().collect())
}

async fn row(db: &impl Read, id: DrawingSessionId) -> Result<drawing::Model> {
    db.hold(drawing::Entity::find_by_id(id.0))
        .one(db.connection())
        .await
        .doing("read a drawing session")?
        .ok_or_else(|| StoreError::not_found("drawing session", id))
}

fn to_state(row: drawing::Model) -> Result<DrawingState> {
    Ok(DrawingState {
        id: DrawingSessionId(row.id),
        owner: OwnerId(row.owner_id),
        name: row.name,
        provider: row.provider,
        phase: unword("drawing_sessions.phase", &row.phase)?,
        rental: from_json("drawing_sessions.rental", row.rental)?,
        idle_minutes: row.idle_minutes.unsigned_abs(),
        limit: MicroUsd(row.limit_micro_usd),
        spent: MicroUsd(row.spent_micro_usd),
        asked_at: row.created_at,
    })
}

async fn to_session(db: &impl Read, row: drawing::Model) -> Result<DrawingSession> {
    let used = use_of(db, &row).await?;
    let machine = instance::Entity::find()
        .filter(instance::Column::DrawingSessionId.eq(row.id))
        .order_by_desc(instance::Column::Id)
        .one(db.connection())
        .await
        .doing("read the machine of a drawing session")?;
    Ok(DrawingSession {
        id: DrawingSessionId(row.id),
        name: row.name,
        provider: row.provider,
        phase: unword("drawing_sessions.phase", &row.phase)?,
        reason: row.reason,
        gpu: machine.as_ref().map(|machine| machine.gpu.clone()),
        limit_micro_usd: MicroUsd(row.limit_micro_usd),
        spent_micro_usd: MicroUsd(row.spent_micro_usd),
        reserved_micro_usd: MicroUsd(row.reserved_micro_usd),
        rate_micro_usd: MicroUsd(row.rate_micro_usd),
        idle_minutes: row.idle_minutes.unsigned_abs(),
        n_open: used.n_open,
        used_at: used.at,
        deadline_at: machine.map(|machine| machine.deadline_at),
        seconds_to_limit: None,
        seconds_to_silence: None,
        created_at: row.created_at,
        started_at: row.started_at,
        ended_at: row.ended_at,
    })
}
