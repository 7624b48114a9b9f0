//! The work of runs that describe pictures. A server takes a run with a lease, asks about its pictures, and records each
//! answer. Of one that is killed in between, the lease runs out, and another goes on with the pictures that have no answer.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{
    CaptionEndpointId, CaptionRunId, DatasetId, OwnerId,
    captioning::{CaptionPolicy, CaptionProposal, CaptionProposalState, CaptionRunState},
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait as _},
};
use uuid::Uuid;

use super::caption_runs::to_proposal;
use crate::{
    Read, Result, StoreError, Tx,
    db::entities::{caption_proposal, caption_run, dataset},
    error::Doing,
    now,
    words::{clean, unword, word},
};

/// A server that has not renewed its lease for so long is gone.
const LEASE: TimeDelta = TimeDelta::seconds(90);

/// A run that this server works on.
#[derive(Debug, Clone)]
pub struct CaptionWork {
    /// The run.
    pub id: CaptionRunId,
    /// Whose it is.
    pub owner: OwnerId,
    /// The dataset.
    pub dataset: DatasetId,
    /// The endpoint; `None` if it was deleted.
    pub endpoint: Option<CaptionEndpointId>,
    /// What the model is told.
    pub prompt: String,
    /// What is proposed for a picture that has a caption.
    pub policy: CaptionPolicy,
    /// Word that comes first in each proposal.
    pub trigger_word: String,
    /// Tells this server from others that had the run before.
    lease: Uuid,
}

/// What came of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Described {
    /// A caption is proposed beside the one that there is.
    Proposed {
        /// The caption that there is.
        before: String,
        /// The one that is proposed.
        after: String,
    },
    /// The caption stays as it is.
    Unchanged,
    /// The endpoint failed.
    EndpointFailed(String),
    /// The picture cannot be read; other pictures may be.
    PictureFailed(String),
}

/// Whether there is a run that no server works on.
pub async fn is_caption_work_due(db: &impl Read, now: DateTime<Utc>) -> Result<bool> {
    let found = caption_run::Entity::find()
        .filter(is_due(now))
        .one(db.connection())
        .await
        .doing("look for pictures to describe")?;
    Ok(found.is_some())
}

/// Takes the oldest run that no server works on.
pub async fn claim_caption_work(tx: &Tx, now: DateTime<Utc>) -> Result<Option<CaptionWork>> {
    let found = caption_run::Entity::find()
        .filter(is_due(now))
        .order_by_asc(caption_run::Column::Id)
        .one(tx.connection())
        .await
        .doing("look for pictures to describe")?;
    let Some(found) = found else { return Ok(None) };
    let lease = Uuid::now_v7();
    // Another server may have been faster.
    let taken = caption_run::Entity::update_many()
        .col_expr(caption_run::Column::LeasedBy, Expr::value(lease))
        .col_expr(caption_run::Column::LeasedUntil, Expr::value(now + LEASE))
        .filter(caption_run::Column::Id.eq(found.id))
        .filter(is_due(now))
        .exec(tx.connection())
        .await
        .doing("take pictures to describe")?;
    if taken.rows_affected == 0 {
        return Ok(None);
    }
    let of_dataset = dataset::Entity::find_by_id(found.dataset_id)
        .one(tx.connection())
        .await
        .doing("read a dataset")?
        .ok_or_else(|| StoreError::not_found("dataset", DatasetId(found.dataset_id)))?;
    Ok(Some(CaptionWork {
        id: CaptionRunId(found.id),
        owner: OwnerId(of_dataset.owner_id),
        dataset: DatasetId(found.dataset_id),
        endpoint: found.endpoint_id.map(CaptionEndpointId),
        prompt: found.prompt,
        policy: unword("caption_runs.policy", &found.policy)?,
        trigger_word: found.trigger_word,
        lease,
    }))
}

/// Whether this server still has the run, and it still needs work: nobody stopped it, or deleted its endpoint.
pub async fn has_caption_work(db: &impl Read, work: &CaptionWork) -> Result<bool> {
    let found = caption_run::Entity::find()
        .filter(is_held(work))
        .filter(caption_run::Column::EndpointId.is_not_null())
        .one(db.connection())
        .await
        .doing("look whether pictures are still to be described")?;
    Ok(found.is_some())
}

/// Keeps the run for this server for a while longer.
pub async fn renew_caption_work(tx: &Tx, work: &CaptionWork) -> Result<()> {
    caption_run::Entity::update_many()
        .col_expr(caption_run::Column::LeasedUntil, Expr::value(now() + LEASE))
        .filter(is_held(work))
        .exec(tx.connection())
        .await
        .doing("renew the lease of pictures to describe")?;
    Ok(())
}

/// Gives the run back, so that it is looked at again at once.
pub async fn release_caption_work(tx: &Tx, work: &CaptionWork) -> Result<()> {
    caption_run::Entity::update_many()
        .col_expr(
            caption_run::Column::LeasedUntil,
            Expr::value(None::<DateTime<Utc>>),
        )
        .filter(is_held(work))
        .exec(tx.connection())
        .await
        .doing("give back pictures to describe")?;
    Ok(())
}

/// At most `n` pictures of a run that are yet to be described.
pub async fn waiting_captions(db: &impl Read, run: CaptionRunId, n: u64) -> Result<Vec<CaptionProposal>> {
    let rows = caption_proposal::Entity::find()
        .filter(caption_proposal::Column::RunId.eq(run.0))
        .filter(caption_proposal::Column::State.eq(word(&CaptionProposalState::Waiting)))
        .order_by_asc(caption_proposal::Column::Id)
        .limit(n)
        .all(db.connection())
        .await
        .doing("read pictures to describe")?;
    rows.into_iter().map(to_proposal).collect()
}

/// Records what came of a picture. Changes nothing if this server no longer has the run; returns how often the endpoint has
/// failed in a row.
pub async fn record_description(
    tx: &Tx,
    work: &CaptionWork,
    picture: &CaptionProposal,
    described: &Described,
) -> Result<u64> {
    let run = tx
        .hold(caption_run::Entity::find_by_id(work.id.0))
        .filter(is_held(work))
        .one(tx.connection())
        .await
        .doing("read a run that describes pictures")?;
    let Some(run) = run else { return Ok(0) };
    let (state, before, after, error) = match described {
        Described::Proposed { before, after } => {
            (CaptionProposalState::Open, before, Some(clean(after)), None)
        }
        Described::Unchanged => (CaptionProposalState::Unchanged, &picture.before, None, None),
        Described::EndpointFailed(error) | Described::PictureFailed(error) => (
            CaptionProposalState::Failed,
            &picture.before,
            None,
            Some(clean(error)),
        ),
    };
    let has_failed = state == CaptionProposalState::Failed;
    let recorded = caption_proposal::Entity::update_many()
        .col_expr(caption_proposal::Column::State, Expr::value(word(&state)))
        .col_expr(
            caption_proposal::Column::CaptionBefore,
            Expr::value(clean(before)),
        )
        .col_expr(caption_proposal::Column::CaptionAfter, Expr::value(after))
        .col_expr(caption_proposal::Column::Error, Expr::value(error))
        .filter(caption_proposal::Column::Id.eq(picture.id.0))
        .filter(caption_proposal::Column::State.eq(word(&CaptionProposalState::Waiting)))
        .exec(tx.connection())
        .await
        .doing("record the description of a picture")?;
    if recorded.rows_affected == 0 {
        return Ok(run.n_failed_in_row.unsigned_abs());
    }
    let n_failed_in_row = match described {
        Described::EndpointFailed(_) => run.n_failed_in_row + 1,
        Described::PictureFailed(_) | Described::Unchanged => run.n_failed_in_row,
        Described::Proposed { .. } => 0,
    };
    caption_run::Entity::update_many()
        .col_expr(
            caption_run::Column::NDone,
            Expr::col(caption_run::Column::NDone).add(1),
        )
        .col_expr(
            caption_run::Column::NFailed,
            Expr::col(caption_run::Column::NFailed).add(i64::from(has_failed)),
        )
        .col_expr(caption_run::Column::NFailedInRow, Expr::value(n_failed_in_row))
        .filter(caption_run::Column::Id.eq(work.id.0))
        .exec(tx.connection())
        .await
        .doing("count the pictures that were described")?;
    Ok(n_failed_in_row.unsigned_abs())
}

/// Ends a run that this server has: it failed with this error, or all is done.
pub async fn end_caption_work(tx: &Tx, work: &CaptionWork, error: Option<&str>) -> Result<()> {
    let state = match error {
        Some(_) => CaptionRunState::Failed,
        None => CaptionRunState::Done,
    };
    caption_run::Entity::update_many()
        .col_expr(caption_run::Column::State, Expr::value(word(&state)))
        .col_expr(caption_run::Column::Error, Expr::value(error.map(clean)))
        .col_expr(caption_run::Column::EndedAt, Expr::value(now()))
        .filter(is_held(work))
        .exec(tx.connection())
        .await
        .doing("end a run that describes pictures")?;
    Ok(())
}

fn is_running() -> Condition {
    Condition::all().add(caption_run::Column::State.eq(word(&CaptionRunState::Running)))
}

fn is_due(now: DateTime<Utc>) -> Condition {
    let is_free = Condition::any()
        .add(caption_run::Column::LeasedUntil.is_null())
        .add(caption_run::Column::LeasedUntil.lt(now));
    is_running().add(is_free)
}

fn is_held(work: &CaptionWork) -> Condition {
    is_running()
        .add(caption_run::Column::Id.eq(work.id.0))
        .add(caption_run::Column::LeasedBy.eq(work.lease))
}
