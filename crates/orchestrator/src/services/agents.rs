//! What agents ask for: work, and that their lease be renewed.

use protocol::{
    AttemptId,
    agent::{ClaimReply, ClaimRequest, Heartbeat, HeartbeatReply},
};
use store::tokens::AgentCredential;

use crate::{Orchestrator, ServiceResult};

impl Orchestrator {
    /// Hands out work, waiting for some up to the time that was asked for (at most 60 s).
    pub async fn claim(&self, agent: &AgentCredential, request: ClaimRequest) -> ServiceResult<ClaimReply> {
        let _ = (agent, request);
        todo!()
    }

    /// Stores events, renews the lease, gives orders.
    pub async fn heartbeat(
        &self,
        agent: &AgentCredential,
        attempt: AttemptId,
        heartbeat: Heartbeat,
    ) -> ServiceResult<HeartbeatReply> {
        let _ = (agent, attempt, heartbeat);
        todo!()
    }
}
