//! Jobs, as their owner makes and steers them.

use protocol::{
    JobId, OwnerId,
    job::{CreateJob, Job},
};

use crate::{Orchestrator, ServiceResult};

impl Orchestrator {
    /// Freezes the dataset, resolves the recipe and queues the job.
    pub async fn create_job(&self, owner: OwnerId, request: CreateJob) -> ServiceResult<Job> {
        let _ = (owner, request);
        todo!()
    }

    /// Ends a job without keeping anything.
    pub async fn cancel_job(&self, owner: OwnerId, id: JobId) -> ServiceResult<Job> {
        let _ = (owner, id);
        todo!()
    }

    /// Ends a job with a checkpoint, to be resumed later.
    pub async fn stop_job(&self, owner: OwnerId, id: JobId) -> ServiceResult<Job> {
        let _ = (owner, id);
        todo!()
    }

    /// Queues a stopped or failed job again; it goes on from its newest checkpoint.
    pub async fn resume_job(&self, owner: OwnerId, id: JobId) -> ServiceResult<Job> {
        let _ = (owner, id);
        todo!()
    }

    /// Asks the agent for a checkpoint now.
    pub async fn request_checkpoint(&self, owner: OwnerId, id: JobId) -> ServiceResult<Job> {
        let _ = (owner, id);
        todo!()
    }

    /// Asks the agent for preview pictures now.
    pub async fn request_sample(&self, owner: OwnerId, id: JobId) -> ServiceResult<Job> {
        let _ = (owner, id);
        todo!()
    }
}
