//! Model versions, as their owner approves and retires them.

use protocol::{ModelVersionId, OwnerId, model::ModelVersion};

use crate::{Orchestrator, ServiceResult};

impl Orchestrator {
    /// Approves a model version; only one whose verdict passed can be.
    pub async fn promote(&self, owner: OwnerId, id: ModelVersionId) -> ServiceResult<ModelVersion> {
        let _ = (owner, id);
        todo!()
    }

    /// Stops offering a model version.
    pub async fn retire(&self, owner: OwnerId, id: ModelVersionId) -> ServiceResult<ModelVersion> {
        let _ = (owner, id);
        todo!()
    }
}
