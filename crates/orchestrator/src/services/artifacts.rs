//! Files that agents bring.

use protocol::{
    ArtifactId, AttemptId,
    agent::{NewArtifact, UploadTicket},
};
use store::tokens::AgentCredential;

use crate::{Orchestrator, ServiceResult};

impl Orchestrator {
    /// Takes down that a file is coming, and says where to put it. Announcing it again gives the same ticket.
    pub async fn announce_artifact(
        &self,
        agent: &AgentCredential,
        attempt: AttemptId,
        announced: NewArtifact,
    ) -> ServiceResult<UploadTicket> {
        let _ = (agent, attempt, announced);
        todo!()
    }

    /// Takes down that the bytes are there, after looking; then the job's stream tells of the file.
    pub async fn complete_artifact(
        &self,
        agent: &AgentCredential,
        attempt: AttemptId,
        artifact: ArtifactId,
    ) -> ServiceResult<()> {
        let _ = (agent, attempt, artifact);
        todo!()
    }
}
