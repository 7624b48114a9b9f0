//! What the results of a job were found to be, and which of its checkpoints is the best.

use std::collections::BTreeMap;

use protocol::{
    JobId, OwnerId,
    agent::ArtifactKind,
    judged::{JobJudgements, JudgedStep},
    judgement::{Candidate, recommend},
};
use store::{BlobKey, artifacts, jobs, models, objects::UrlOptions};

use crate::{Orchestrator, ServiceResult};

/// Checkpoints of a job that are looked at, the newest.
const MOST_CHECKPOINTS: u64 = 1000;

impl Orchestrator {
    /// What the result and the checkpoints of a job were found to be.
    pub async fn judgements(&self, owner: OwnerId, id: JobId) -> ServiceResult<JobJudgements> {
        let store = &self.store;
        let job = jobs::get(store, owner, id).await?;
        let mut by_step = BTreeMap::new();
        // The newest of a step counts, and comes first.
        for file in artifacts::whole_checkpoints(store, id, MOST_CHECKPOINTS).await? {
            if let (ArtifactKind::Checkpoint { step }, Some(judgement)) = (file.kind, file.judgement) {
                by_step.entry(step).or_insert(judgement);
            }
        }
        let version = match job.model_version_id {
            Some(version) => Some(models::version(store, owner, version).await?),
            None => None,
        };
        let judged = by_step.keys().map(|step| (id, *step)).collect();
        let stored = artifacts::evidence(store, &judged).await?;
        let url = |key: &BlobKey| store.objects().get_url(key, &UrlOptions::picture());
        let checkpoints: Vec<JudgedStep> = by_step
            .into_iter()
            .map(|(step, judgement)| JudgedStep {
                step,
                pictures: stored.of_judgement((id, step), &judgement, url),
                judgement,
            })
            .collect();
        let candidates: Vec<Candidate<'_>> = checkpoints
            .iter()
            .map(|checkpoint| Candidate {
                step: checkpoint.step,
                judgement: &checkpoint.judgement,
            })
            .collect();
        Ok(JobJudgements {
            recommendation: recommend(&candidates),
            checkpoints,
            result: version.and_then(|version| {
                Some(JudgedStep {
                    step: version.n_steps?,
                    judgement: version.judgement?,
                    pictures: version.evidence,
                })
            }),
        })
    }
}
