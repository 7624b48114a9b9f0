//! Runs that describe pictures of a dataset, and the captions that they propose.

use std::collections::HashMap;

use protocol::{
    CaptionEndpointId, CaptionProposalId, CaptionRunId, DatasetId, ItemId, OwnerId,
    captioning::{CaptionPolicy, CaptionProposal, CaptionProposalState, CaptionRun, CaptionRunState},
    limits::MAX_CAPTION_RUNS,
};
use sea_orm::{
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use uuid::Uuid;

use super::row;
use crate::{
    Read, Result, StoreError, Tx,
    db::{
        entities::{caption_proposal, caption_run},
        insert,
    },
    error::Doing,
    now,
    words::{clean, unword, word},
};

/// Rows of one statement; SQLite takes 32,766 values.
const ROWS_PER_INSERT: usize = 1000;

/// A run to start.
#[derive(Debug, Clone)]
pub struct NewCaptionRun {
    /// The endpoint.
    pub endpoint_id: CaptionEndpointId,
    /// Its name.
    pub endpoint: String,
    /// The model there.
    pub model: String,
    /// What the model is told.
    pub prompt: String,
    /// What is proposed for a picture that has a caption.
    pub policy: CaptionPolicy,
    /// Word that comes first in each proposal.
    pub trigger_word: String,
    /// The pictures: id, file name and caption.
    pub items: Vec<(ItemId, String, String)>,
}

/// Starts a run over pictures of a dataset.
pub async fn create_caption_run(
    tx: &Tx,
    owner: OwnerId,
    id: DatasetId,
    new: NewCaptionRun,
) -> Result<CaptionRun> {
    row(tx, owner, id).await?;
    forget_old(tx, id).await?;
    let run = CaptionRunId::new();
    let of_run = caption_run::Model {
        id: run.0,
        dataset_id: id.0,
        endpoint_id: Some(new.endpoint_id.0),
        endpoint: new.endpoint,
        model: new.model,
        prompt: new.prompt,
        policy: word(&new.policy),
        trigger_word: new.trigger_word,
        state: word(&CaptionRunState::Running),
        n_items: new.items.len() as i64,
        n_done: 0,
        n_failed: 0,
        n_failed_in_row: 0,
        error: None,
        leased_by: None,
        leased_until: None,
        created_at: now(),
        ended_at: None,
    };
    insert(tx.connection(), of_run, "start to describe pictures").await?;
    for items in new.items.chunks(ROWS_PER_INSERT) {
        let rows = items.iter().map(|(item, file_name, caption)| {
            caption_proposal::ActiveModel::from(caption_proposal::Model {
                id: CaptionProposalId::new().0,
                run_id: run.0,
                item_id: item.0,
                file_name: clean(file_name),
                caption_before: clean(caption),
                caption_after: None,
                state: word(&CaptionProposalState::Waiting),
                error: None,
            })
        });
        caption_proposal::Entity::insert_many(rows)
            .exec_without_returning(tx.connection())
            .await
            .doing("note the pictures to describe")?;
    }
    tx.wake_on_commit();
    find_caption_run(tx, owner, id, run).await
}

/// Whether pictures of a dataset are being described.
pub async fn has_running_caption_run(db: &impl Read, id: DatasetId) -> Result<bool> {
    let n_running = caption_run::Entity::find()
        .filter(caption_run::Column::DatasetId.eq(id.0))
        .filter(caption_run::Column::State.eq(word(&CaptionRunState::Running)))
        .count(db.connection())
        .await
        .doing("look for a run that describes pictures")?;
    Ok(n_running > 0)
}

/// The runs over a dataset, the newest first.
pub async fn list_caption_runs(db: &impl Read, owner: OwnerId, id: DatasetId) -> Result<Vec<CaptionRun>> {
    row(db, owner, id).await?;
    let rows = caption_run::Entity::find()
        .filter(caption_run::Column::DatasetId.eq(id.0))
        .order_by_desc(caption_run::Column::Id)
        .all(db.connection())
        .await
        .doing("list the runs that describe pictures")?;
    complete(db, rows).await
}

/// One run over a dataset.
pub async fn find_caption_run(
    db: &impl Read,
    owner: OwnerId,
    id: DatasetId,
    run: CaptionRunId,
) -> Result<CaptionRun> {
    row(db, owner, id).await?;
    let found = db
        .hold(caption_run::Entity::find_by_id(run.0))
        .filter(caption_run::Column::DatasetId.eq(id.0))
        .one(db.connection())
        .await
        .doing("read a run that describes pictures")?
        .ok_or_else(|| StoreError::not_found("caption run", run))?;
    let mut runs = complete(db, vec![found]).await?;
    runs.pop()
        .ok_or_else(|| StoreError::not_found("caption run", run))
}

/// Stops a run; one that has ended stays as it is. Returns whether it was running.
pub async fn stop_caption_run(tx: &Tx, id: DatasetId, run: CaptionRunId) -> Result<bool> {
    let stopped = caption_run::Entity::update_many()
        .col_expr(
            caption_run::Column::State,
            Expr::value(word(&CaptionRunState::Stopped)),
        )
        .col_expr(caption_run::Column::EndedAt, Expr::value(now()))
        .filter(caption_run::Column::Id.eq(run.0))
        .filter(caption_run::Column::DatasetId.eq(id.0))
        .filter(caption_run::Column::State.eq(word(&CaptionRunState::Running)))
        .exec(tx.connection())
        .await
        .doing("stop describing pictures")?;
    tx.wake_on_commit();
    Ok(stopped.rows_affected > 0)
}

/// The first `n` proposals of a run after one of them, without those that are yet to be made.
pub async fn caption_proposals(
    db: &impl Read,
    run: CaptionRunId,
    after: Option<CaptionProposalId>,
    n: u64,
) -> Result<Vec<CaptionProposal>> {
    let mut wanted = caption_proposal::Entity::find()
        .filter(caption_proposal::Column::RunId.eq(run.0))
        .filter(caption_proposal::Column::State.ne(word(&CaptionProposalState::Waiting)))
        .order_by_asc(caption_proposal::Column::Id)
        .limit(n);
    if let Some(after) = after {
        wanted = wanted.filter(caption_proposal::Column::Id.gt(after.0));
    }
    let rows = wanted
        .all(db.connection())
        .await
        .doing("list proposed captions")?;
    rows.into_iter().map(to_proposal).collect()
}

/// All proposals of a run that somebody has to accept or dismiss.
pub async fn open_caption_proposals(db: &impl Read, run: CaptionRunId) -> Result<Vec<CaptionProposal>> {
    let rows = caption_proposal::Entity::find()
        .filter(caption_proposal::Column::RunId.eq(run.0))
        .filter(caption_proposal::Column::State.eq(word(&CaptionProposalState::Open)))
        .order_by_asc(caption_proposal::Column::Id)
        .all(db.connection())
        .await
        .doing("read proposed captions")?;
    rows.into_iter().map(to_proposal).collect()
}

/// Notes that open proposals of a run were accepted or dismissed.
pub async fn settle_caption_proposals(
    tx: &Tx,
    run: CaptionRunId,
    proposals: &[CaptionProposalId],
    state: CaptionProposalState,
) -> Result<()> {
    for proposals in proposals.chunks(ROWS_PER_INSERT) {
        caption_proposal::Entity::update_many()
            .col_expr(caption_proposal::Column::State, Expr::value(word(&state)))
            .filter(caption_proposal::Column::RunId.eq(run.0))
            .filter(caption_proposal::Column::State.eq(word(&CaptionProposalState::Open)))
            .filter(caption_proposal::Column::Id.is_in(proposals.iter().map(|id| id.0)))
            .exec(tx.connection())
            .await
            .doing("note what became of proposed captions")?;
    }
    Ok(())
}

/// Deletes the oldest runs that have ended, so that there is room for another one.
async fn forget_old(tx: &Tx, id: DatasetId) -> Result<()> {
    let ended: Vec<Uuid> = caption_run::Entity::find()
        .select_only()
        .column(caption_run::Column::Id)
        .filter(caption_run::Column::DatasetId.eq(id.0))
        .filter(caption_run::Column::State.ne(word(&CaptionRunState::Running)))
        .order_by_desc(caption_run::Column::Id)
        .into_tuple()
        .all(tx.connection())
        .await
        .doing("find old runs that describe pictures")?;
    let old = ended.into_iter().skip(MAX_CAPTION_RUNS - 1).collect();
    delete(tx, old).await
}

pub(super) async fn delete_all(tx: &Tx, id: DatasetId) -> Result<()> {
    // Before their proposals, as a server takes them that records an answer.
    let all: Vec<Uuid> = tx
        .hold(caption_run::Entity::find())
        .select_only()
        .column(caption_run::Column::Id)
        .filter(caption_run::Column::DatasetId.eq(id.0))
        .into_tuple()
        .all(tx.connection())
        .await
        .doing("find the runs that describe pictures of a dataset")?;
    delete(tx, all).await
}

async fn delete(tx: &Tx, runs: Vec<Uuid>) -> Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    caption_proposal::Entity::delete_many()
        .filter(caption_proposal::Column::RunId.is_in(runs.clone()))
        .exec(tx.connection())
        .await
        .doing("delete proposed captions")?;
    caption_run::Entity::delete_many()
        .filter(caption_run::Column::Id.is_in(runs))
        .exec(tx.connection())
        .await
        .doing("delete runs that describe pictures")?;
    Ok(())
}

/// Adds the number of open proposals to rows, keeping their order.
async fn complete(db: &impl Read, rows: Vec<caption_run::Model>) -> Result<Vec<CaptionRun>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let open: Vec<(Uuid, i64)> = caption_proposal::Entity::find()
        .select_only()
        .column(caption_proposal::Column::RunId)
        .column_as(caption_proposal::Column::Id.count(), "n_open")
        .filter(caption_proposal::Column::RunId.is_in(ids))
        .filter(caption_proposal::Column::State.eq(word(&CaptionProposalState::Open)))
        .group_by(caption_proposal::Column::RunId)
        .into_tuple()
        .all(db.connection())
        .await
        .doing("count proposed captions")?;
    let open: HashMap<Uuid, i64> = open.into_iter().collect();
    rows.into_iter()
        .map(|row| {
            let n_open = open.get(&row.id).copied().unwrap_or(0);
            Ok(CaptionRun {
                id: CaptionRunId(row.id),
                endpoint: row.endpoint,
                model: row.model,
                prompt: row.prompt,
                policy: unword("caption_runs.policy", &row.policy)?,
                trigger_word: row.trigger_word,
                state: unword("caption_runs.state", &row.state)?,
                n_items: row.n_items.unsigned_abs(),
                n_done: row.n_done.unsigned_abs(),
                n_failed: row.n_failed.unsigned_abs(),
                n_open: n_open.unsigned_abs(),
                error: row.error,
                created_at: row.created_at,
                ended_at: row.ended_at,
            })
        })
        .collect()
}

pub(super) fn to_proposal(row: caption_proposal::Model) -> Result<CaptionProposal> {
    Ok(CaptionProposal {
        id: CaptionProposalId(row.id),
        item_id: ItemId(row.item_id),
        file_name: row.file_name,
        before: row.caption_before,
        after: row.caption_after,
        state: unword("caption_proposals.state", &row.state)?,
        error: row.error,
    })
}
