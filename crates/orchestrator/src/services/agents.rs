//! What agents ask for: work, and that their lease be renewed.

mod claim;
mod heartbeat;

use protocol::{AttemptId, phase::AttemptPhase};
use store::{
    Tx,
    attempts::{self, Attempt},
    tokens::AgentCredential,
};

use crate::{ServiceError, ServiceResult};

/// The attempt, if the agent was started for it and it is not over.
pub(super) async fn own_attempt(tx: &Tx, agent: &AgentCredential, id: AttemptId) -> ServiceResult<Attempt> {
    let attempt = attempts::get(tx, id).await?;
    if !attempt.belongs_to(agent) {
        return Err(ServiceError::Forbidden);
    }
    if attempt.phase == AttemptPhase::Gone {
        return Err(ServiceError::LeaseLost);
    }
    Ok(attempt)
}

/// The attempt, if the agent also holds its newest fence.
pub(super) async fn held_attempt(
    tx: &Tx,
    agent: &AgentCredential,
    id: AttemptId,
    fence: i64,
) -> ServiceResult<Attempt> {
    let attempt = own_attempt(tx, agent, id).await?;
    if attempt.fence != fence {
        return Err(ServiceError::LeaseLost);
    }
    Ok(attempt)
}
