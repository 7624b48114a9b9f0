//! What a rented machine works for: a job or a drawing session, as it was read.

use chrono::{DateTime, Utc};
use store::{
    Read, StoreError,
    drawing::{self, DrawingState, Use},
    jobs::{self, JobState},
    spend::Payer,
};

/// See the module's text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Work {
    Job(Box<JobState>),
    Drawing(Box<DrawingState>, Use),
}

impl Work {
    pub(super) async fn read(db: &impl Read, payer: Payer) -> Result<Self, StoreError> {
        Ok(match payer {
            Payer::Job(id) => Self::Job(Box::new(jobs::state(db, id).await?)),
            Payer::Drawing(id) => {
                let state = drawing::state(db, id).await?;
                Self::Drawing(Box::new(state), drawing::newest_use(db, id).await?)
            }
        })
    }

    /// When its owner asked for the job's end; a drawing session ends as soon as that is asked for.
    pub(super) fn requested_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Job(job) => job.requested_at,
            Self::Drawing(..) => None,
        }
    }

    /// What the drawing session was last used for.
    pub(super) fn newest_use(&self) -> Option<Use> {
        match self {
            Self::Job(_) => None,
            Self::Drawing(_, used) => Some(*used),
        }
    }

    /// Whether the cost is still the one that was read.
    pub(super) async fn is_as_told(&self, db: &impl Read) -> Result<bool, StoreError> {
        Ok(match self {
            Self::Job(job) => jobs::state(db, job.id).await?.spend == job.spend,
            Self::Drawing(session, _) => drawing::state(db, session.id).await?.spent == session.spent,
        })
    }
}
