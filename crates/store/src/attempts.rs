//! Attempts: one try of a job, a generation, an edit or a drawing session on one machine, with its lease and fence.
//!
//! Claiming an attempt gives a fence, a number that grows with each claim and at the end. A change
//! by an agent carries its fence; an outdated one changes nothing ([`StoreError::Stale`]).

use chrono::{DateTime, Utc};
use protocol::{
    AttemptId, DrawingSessionId, EditId, GenerationId, JobId,
    event::Event,
    phase::{AttemptPhase, Outcome},
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    UpdateMany,
    sea_query::{Expr, ExprTrait, Func, Query},
};

use crate::{
    Read, Result, StoreError, Tx,
    db::{
        entities::{attempt, job},
        insert,
    },
    error::Doing,
    events::{self, NewEvent},
    jobs::to_step,
    now,
    tokens::{AgentCredential, NewToken},
    words::{clean, unword, word},
};
use uuid::Uuid;

/// What an attempt is a try of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A training.
    Job(JobId),
    /// A picture.
    Generation(GenerationId),
    /// A file that is made out of others.
    Edit(EditId),
    /// A drawing session. The pictures that it draws meanwhile have attempts of their own, by the same agent.
    Drawing(DrawingSessionId),
}

impl Subject {
    /// The columns of files that refer to it: of jobs, generations and edits. A drawing session has no files.
    pub(crate) fn columns(self) -> (Option<Uuid>, Option<Uuid>, Option<Uuid>) {
        match self {
            Self::Job(id) => (Some(id.0), None, None),
            Self::Generation(id) => (None, Some(id.0), None),
            Self::Edit(id) => (None, None, Some(id.0)),
            Self::Drawing(_) => (None, None, None),
        }
    }

    fn drawing(self) -> Option<Uuid> {
        match self {
            Self::Drawing(id) => Some(id.0),
            Self::Job(_) | Self::Generation(_) | Self::Edit(_) => None,
        }
    }
}

/// One try.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// What it is a try of.
    pub subject: Subject,
    /// 1, 2, 3, … of what it is a try of.
    pub n: u32,
    /// The provider of the machine.
    pub provider: String,
    /// The server responsible for it; unknown for attempts of older versions.
    pub server: Option<Uuid>,
    /// Its phase.
    pub phase: AttemptPhase,
    /// How it ended, if it has.
    pub outcome: Option<Outcome>,
    /// What was seen at its end, or why it was told to end, for a person.
    pub detail: Option<String>,
    /// See the module's text.
    pub fence: i64,
    /// The lease ends then.
    pub lease_until: Option<DateTime<Utc>>,
    /// The provider's id of the instance, once known.
    pub instance: Option<serde_json::Value>,
    /// Optimizer steps of the checkpoint it started from.
    pub start_step: u32,
    /// Number of the agent's newest event that is stored.
    pub last_event_n: u64,
    /// When its intent was committed.
    pub created_at: DateTime<Utc>,
    /// When its instance was started.
    pub launched_at: Option<DateTime<Utc>>,
    /// When its agent first connected.
    pub claimed_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    token_hash: String,
}

impl Attempt {
    /// Whether this agent was started for it.
    pub fn belongs_to(&self, agent: &AgentCredential) -> bool {
        self.token_hash == agent.token_hash
    }
}

/// Who may claim an attempt.
#[derive(Debug, Clone)]
pub enum Claimant<'a> {
    /// An agent that is started for it, with its own token.
    Own(&'a NewToken),
    /// An existing worker.
    Worker(&'a AgentCredential),
}

/// An attempt to be made.
#[derive(Debug, Clone)]
pub struct NewAttempt<'a> {
    /// What it is a try of.
    pub subject: Subject,
    /// Its number: one more than the previous.
    pub n: u32,
    /// The provider of the machine.
    pub provider: &'a str,
    /// Who may claim it.
    pub claimant: Claimant<'a>,
    /// Optimizer steps of the checkpoint that it begins from.
    pub start_step: u32,
}

/// Commits the intent to start an instance. The database rejects a second living attempt.
pub async fn open(tx: &Tx, new: NewAttempt<'_>) -> Result<Attempt> {
    let (job_id, generation_id, edit_id) = new.subject.columns();
    let token_hash = match new.claimant {
        Claimant::Own(token) => token.hash.clone(),
        Claimant::Worker(agent) => agent.token_hash.clone(),
    };
    let row = attempt::Model {
        id: AttemptId::new().0,
        job_id,
        generation_id,
        edit_id,
        drawing_session_id: new.subject.drawing(),
        n: new.n.cast_signed(),
        provider: new.provider.to_owned(),
        server: Some(tx.server()),
        phase: word(&AttemptPhase::Intent),
        outcome: None,
        detail: None,
        fence: 0,
        lease_until: None,
        token_hash,
        instance: None,
        start_step: i64::from(new.start_step),
        last_event_n: 0,
        created_at: now(),
        launched_at: None,
        claimed_at: None,
        heartbeat_at: None,
        ended_at: None,
    };
    insert(tx.connection(), row.clone(), "store an attempt").await?;
    if let Subject::Job(id) = new.subject {
        job::Entity::update_many()
            .col_expr(job::Column::NAttempts, Expr::value(new.n))
            .filter(job::Column::Id.eq(id.0))
            .exec(tx.connection())
            .await
            .doing("count an attempt")?;
    }
    to_attempt(row)
}

/// One attempt.
pub async fn get(db: &impl Read, id: AttemptId) -> Result<Attempt> {
    let row = db
        .hold(attempt::Entity::find_by_id(id.0))
        .one(db.connection())
        .await
        .doing("read an attempt")?
        .ok_or_else(|| StoreError::not_found("attempt", id))?;
    to_attempt(row)
}

/// All attempts that are not gone, the oldest first.
pub async fn alive(db: &impl Read) -> Result<Vec<Attempt>> {
    let rows = attempt::Entity::find()
        .filter(is_alive())
        .order_by_asc(attempt::Column::Id)
        .all(db.connection())
        .await
        .doing("list living attempts")?;
    rows.into_iter().map(to_attempt).collect()
}

/// The living attempts of the agent that this attempt was opened for, itself among them, the oldest first.
pub async fn alive_of_agent(db: &impl Read, own: &Attempt) -> Result<Vec<Attempt>> {
    let rows = db
        .hold(attempt::Entity::find())
        .filter(attempt::Column::TokenHash.eq(&own.token_hash))
        .filter(is_alive())
        .order_by_asc(attempt::Column::Id)
        .all(db.connection())
        .await
        .doing("list the attempts of an agent")?;
    rows.into_iter().map(to_attempt).collect()
}

/// The attempt of a job or generation that is not gone.
pub async fn alive_of(db: &impl Read, subject: Subject) -> Result<Option<Attempt>> {
    let of_subject = match subject {
        Subject::Job(id) => attempt::Column::JobId.eq(id.0),
        Subject::Generation(id) => attempt::Column::GenerationId.eq(id.0),
        Subject::Edit(id) => attempt::Column::EditId.eq(id.0),
        Subject::Drawing(id) => attempt::Column::DrawingSessionId.eq(id.0),
    };
    let row = attempt::Entity::find()
        .filter(of_subject)
        .filter(is_alive())
        .one(db.connection())
        .await
        .doing("look for a living attempt")?;
    row.map(to_attempt).transpose()
}

/// Replaces the token of an unclaimed attempt: the previous one is lost with the process that
/// was about to start its instance.
pub async fn replace_token(tx: &Tx, attempt: &Attempt, token: &NewToken) -> Result<()> {
    let update = attempt::Entity::update_many()
        .col_expr(attempt::Column::TokenHash, Expr::value(token.hash.clone()))
        .filter(attempt::Column::Phase.eq(word(&AttemptPhase::Intent)));
    change(tx, attempt.id, update, "replace the token of an attempt").await
}

/// Records the instance that was started. Its agent may have connected before this.
pub async fn launched(tx: &Tx, attempt: &Attempt, instance: serde_json::Value) -> Result<()> {
    let phase = Expr::case(
        Expr::col(attempt::Column::Phase).eq(word(&AttemptPhase::Intent)),
        word(&AttemptPhase::Booting),
    )
    .finally(Expr::col(attempt::Column::Phase));
    let update = attempt::Entity::update_many()
        .col_expr(attempt::Column::Phase, phase.into())
        .col_expr(attempt::Column::Instance, Expr::value(instance))
        .col_expr(attempt::Column::LaunchedAt, Expr::value(now()))
        .filter(is_alive());
    change(tx, attempt.id, update, "note the instance of an attempt").await
}

/// Claims the attempt and returns the new fence. The fence of an earlier claim is no longer valid
/// afterwards.
pub async fn claim(tx: &Tx, id: AttemptId, lease_until: DateTime<Utc>) -> Result<i64> {
    let now = now();
    let claim = Query::update()
        .table(attempt::Entity)
        .value(attempt::Column::Phase, word(&AttemptPhase::Running))
        .value(
            attempt::Column::Fence,
            Expr::col(attempt::Column::Fence).add(1_i64),
        )
        .value(attempt::Column::LeaseUntil, lease_until)
        .value(attempt::Column::HeartbeatAt, now)
        .value(
            attempt::Column::ClaimedAt,
            Func::coalesce([Expr::col(attempt::Column::ClaimedAt), Expr::value(now)]),
        )
        .and_where(attempt::Column::Id.eq(id.0))
        .cond_where(is_alive())
        .returning_col(attempt::Column::Fence)
        .to_owned();
    let claimed = tx
        .connection()
        .query_one(&claim)
        .await
        .doing("claim an attempt")?
        .ok_or_else(|| StoreError::stale("attempt", id))?;
    claimed.try_get("", "fence").doing("claim an attempt")
}

/// Renews the lease of the holder of this fence.
pub async fn renew(tx: &Tx, id: AttemptId, fence: i64, lease_until: DateTime<Utc>) -> Result<()> {
    let update = attempt::Entity::update_many()
        .col_expr(attempt::Column::LeaseUntil, Expr::value(lease_until))
        .col_expr(attempt::Column::HeartbeatAt, Expr::value(now()))
        .filter(attempt::Column::Fence.eq(fence))
        .filter(is_alive());
    change(tx, id, update, "renew a lease").await
}

/// Records the number up to which the agent's events are stored.
pub async fn acknowledge(tx: &Tx, id: AttemptId, n: u64) -> Result<()> {
    let update =
        attempt::Entity::update_many().col_expr(attempt::Column::LastEventN, Expr::value(n.cast_signed()));
    change(tx, id, update, "acknowledge events").await
}

/// Records the step from which the attempt actually starts.
pub async fn set_start_step(tx: &Tx, id: AttemptId, step: u32) -> Result<()> {
    let update =
        attempt::Entity::update_many().col_expr(attempt::Column::StartStep, Expr::value(i64::from(step)));
    change(tx, id, update, "note the start of an attempt").await
}

/// Notes why a living attempt is told to stop, other than that its owner wants it; see [`Attempt::detail`].
pub async fn told_to_stop(tx: &Tx, id: AttemptId, reason: &str) -> Result<()> {
    let update = attempt::Entity::update_many()
        .col_expr(attempt::Column::Detail, Expr::value(reason.to_owned()))
        .filter(is_alive());
    change(tx, id, update, "note why an attempt is told to stop").await
}

/// How many attempts of the same job began at the same step and ended with a detail that begins like this.
pub async fn n_ended_alike(db: &impl Read, like: &Attempt, detail: &str) -> Result<u64> {
    let Subject::Job(job) = like.subject else {
        return Ok(0);
    };
    attempt::Entity::find()
        .filter(attempt::Column::JobId.eq(job.0))
        .filter(attempt::Column::StartStep.eq(i64::from(like.start_step)))
        .filter(attempt::Column::Phase.eq(word(&AttemptPhase::Gone)))
        .filter(attempt::Column::Detail.starts_with(detail))
        .count(db.connection())
        .await
        .doing("count the attempts that ended alike")
}

/// Ends an attempt, if it has not ended, and adds an event to its job's stream.
pub async fn end(tx: &Tx, attempt: &Attempt, outcome: Outcome, detail: Option<String>) -> Result<()> {
    let now = now();
    let update = attempt::Entity::update_many()
        .col_expr(attempt::Column::Phase, Expr::value(word(&AttemptPhase::Gone)))
        .col_expr(attempt::Column::Outcome, Expr::value(word(&outcome)))
        .col_expr(attempt::Column::Detail, Expr::value(detail.as_deref().map(clean)))
        .col_expr(attempt::Column::EndedAt, Expr::value(now))
        .filter(attempt::Column::Fence.eq(attempt.fence))
        .filter(is_alive());
    change(tx, attempt.id, update, "end an attempt").await?;
    if let Subject::Job(job) = attempt.subject {
        let ended = Event::AttemptEnded { outcome, detail };
        events::append(tx, job, vec![NewEvent::of_attempt(now, attempt.id, ended)]).await?;
    }
    tx.wake_on_commit();
    Ok(())
}

fn is_alive() -> Condition {
    Condition::all().add(attempt::Column::Phase.ne(word(&AttemptPhase::Gone)))
}

async fn change(
    tx: &Tx,
    id: AttemptId,
    update: UpdateMany<attempt::Entity>,
    doing: &'static str,
) -> Result<()> {
    let done = update
        .filter(attempt::Column::Id.eq(id.0))
        .exec(tx.connection())
        .await
        .doing(doing)?;
    if done.rows_affected == 0 {
        return Err(StoreError::stale("attempt", id));
    }
    Ok(())
}

fn to_attempt(row: attempt::Model) -> Result<Attempt> {
    let subject = match (row.job_id, row.generation_id, row.edit_id, row.drawing_session_id) {
        (Some(id), ..) => Subject::Job(JobId(id)),
        (None, Some(id), ..) => Subject::Generation(GenerationId(id)),
        (None, None, Some(id), _) => Subject::Edit(EditId(id)),
        (None, None, None, Some(id)) => Subject::Drawing(DrawingSessionId(id)),
        (None, None, None, None) => return Err(StoreError::corrupt("attempts", "of nothing")),
    };
    Ok(Attempt {
        id: AttemptId(row.id),
        subject,
        n: row.n.unsigned_abs(),
        provider: row.provider,
        server: row.server,
        phase: unword("attempts.phase", &row.phase)?,
        outcome: row
            .outcome
            .map(|outcome| unword("attempts.outcome", &outcome))
            .transpose()?,
        detail: row.detail,
        fence: row.fence,
        lease_until: row.lease_until,
        instance: row.instance,
        start_step: to_step(row.start_step)?,
        last_event_n: row.last_event_n.cast_unsigned(),
        created_at: row.created_at,
        launched_at: row.launched_at,
        claimed_at: row.claimed_at,
        ended_at: row.ended_at,
        token_hash: row.token_hash,
    })
}
