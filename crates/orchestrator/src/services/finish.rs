//! The end of an attempt, as its agent reports it.

use protocol::{AttemptId, agent::Finish};
use store::tokens::AgentCredential;

use crate::{Orchestrator, ServiceResult};

impl Orchestrator {
    /// Ends an attempt. A result becomes artifact, model, model version, phase and events in one transaction.
    pub async fn finish(
        &self,
        agent: &AgentCredential,
        attempt: AttemptId,
        finish: Finish,
    ) -> ServiceResult<()> {
        let _ = (agent, attempt, finish);
        todo!()
    }
}
