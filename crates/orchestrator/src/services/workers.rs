//! Generations and edits, which workers make one after the other: what is the same for both.

use protocol::{DrawingSessionId, phase::Outcome};
use store::{
    Store, Tx,
    attempts::{self, Attempt, Subject},
    edits::{self, EditEnd, EditState},
    generations::{self, GenerationEnd, GenerationState},
    queue,
};
use uuid::Uuid;

use crate::ServiceResult;

/// Attempts of a generation or an edit before it fails.
const MAX_ATTEMPTS: u32 = 3;

/// What waits for a worker.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WorkerQueue {
    Generations,
    /// Generations that were sent to this session.
    OfDrawing(DrawingSessionId),
    Edits,
}

/// A generation or an edit that was taken from its queue.
pub(crate) enum Taken {
    Generation(GenerationState),
    Edit(EditState),
}

impl WorkerQueue {
    /// What waits for a worker of the server's own machine.
    pub(crate) const ALL: [Self; 2] = [Self::Generations, Self::Edits];

    pub(crate) async fn is_empty(self, store: &Store) -> ServiceResult<bool> {
        let n_queued = match self {
            Self::Generations => generations::n_queued(store, None).await?,
            Self::OfDrawing(id) => generations::n_queued(store, Some(id)).await?,
            Self::Edits => edits::n_queued(store).await?,
        };
        Ok(n_queued == 0)
    }

    /// The id of the one that has waited for a worker of the server's own machine for longest.
    pub(crate) async fn oldest(self, store: &Store) -> ServiceResult<Option<Uuid>> {
        Ok(match self {
            Self::Generations => generations::oldest_queued(store).await?.map(|id| id.0),
            Self::OfDrawing(_) => None,
            Self::Edits => edits::oldest_queued(store).await?.map(|id| id.0),
        })
    }

    /// Takes the one that has waited for longest, and counts an attempt.
    pub(crate) async fn take(self, tx: &Tx) -> ServiceResult<Option<Taken>> {
        Ok(match self {
            Self::Generations => queue::claim_generation(tx, None).await?.map(Taken::Generation),
            Self::OfDrawing(id) => queue::claim_generation(tx, Some(id))
                .await?
                .map(Taken::Generation),
            Self::Edits => queue::claim_edit(tx).await?.map(Taken::Edit),
        })
    }
}

impl Taken {
    pub(crate) fn subject(&self) -> Subject {
        match self {
            Self::Generation(generation) => Subject::Generation(generation.id),
            Self::Edit(edit) => Subject::Edit(edit.id),
        }
    }

    pub(crate) fn n_attempts(&self) -> u32 {
        match self {
            Self::Generation(generation) => generation.n_attempts,
            Self::Edit(edit) => edit.n_attempts,
        }
    }

    /// Ends it with an error.
    pub(crate) async fn fail(&self, tx: &Tx, error: String) -> ServiceResult<()> {
        match self {
            Self::Generation(generation) => {
                generations::end_attempt(tx, generation.id, GenerationEnd::Failed(error)).await?;
            }
            Self::Edit(edit) => edits::end_attempt(tx, edit.id, EditEnd::Failed(error)).await?,
        }
        Ok(())
    }
}

/// Ends the attempt of a generation or an edit whose agent is gone. A job or a drawing session has more to decide: its
/// attempt is left alone.
pub(crate) async fn end_lost(tx: &Tx, attempt: &Attempt, detail: Option<String>) -> ServiceResult<()> {
    match attempt.subject {
        Subject::Job(_) | Subject::Drawing(_) => {}
        Subject::Generation(id) => {
            attempts::end(tx, attempt, Outcome::Lost, detail).await?;
            generations::end_attempt(tx, id, lost_generation(attempt)).await?;
        }
        Subject::Edit(id) => {
            attempts::end(tx, attempt, Outcome::Lost, detail).await?;
            let edit = edits::state(tx, id).await?;
            edits::end_attempt(tx, id, lost_edit(attempt, &edit)).await?;
        }
    }
    Ok(())
}

/// What becomes of a generation whose agent is gone.
pub(super) fn lost_generation(attempt: &Attempt) -> GenerationEnd {
    match given_up(attempt, "rendered this picture") {
        Some(error) => GenerationEnd::Failed(error),
        None => GenerationEnd::Again,
    }
}

/// What becomes of an edit whose agent is gone.
pub(super) fn lost_edit(attempt: &Attempt, edit: &EditState) -> EditEnd {
    if edit.wants_cancel {
        return EditEnd::Cancelled;
    }
    match given_up(attempt, "made this file") {
        Some(error) => EditEnd::Failed(error),
        None => EditEnd::Again,
    }
}

/// The error if this lost attempt was the last; `did` is what its agent was lost at.
fn given_up(attempt: &Attempt, did: &str) -> Option<String> {
    (attempt.n >= MAX_ATTEMPTS).then(|| format!("the agent was lost {MAX_ATTEMPTS} times while it {did}"))
}
