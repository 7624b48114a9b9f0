//! Generations, as their owner asks for them.

use protocol::{
    OwnerId,
    generation::{CreateGeneration, Generation},
};

use crate::{Orchestrator, ServiceResult};

impl Orchestrator {
    /// Fills in seed and size, checks the LoRAs, and queues the generation.
    pub async fn create_generation(
        &self,
        owner: OwnerId,
        request: CreateGeneration,
    ) -> ServiceResult<Generation> {
        let _ = (owner, request);
        todo!()
    }
}
