//! Results of steps before the last: ending a job early, and making a model version of a stored checkpoint.

use protocol::{
    JobId, OwnerId,
    agent::ArtifactKind,
    audit::AuditAction,
    job::{Job, MakeVersion},
    phase::Phase,
    problem::{FieldError, InvalidFields},
    spend::JobSpend,
};
use store::{
    Tx, artifacts,
    audit::{self, named},
    datasets,
    jobs::{self, NewJob},
};

use super::{apply, jobs::costing, spend::check_limit};
use crate::{Orchestrator, ServiceError, ServiceResult, disk::WAITS, lifecycle::Input};

/// The provider of the server's own machine, which costs nothing.
const LOCAL: &str = "local";
/// Steps that a refusal lists.
const MOST_LISTED: u64 = 20;

impl Orchestrator {
    /// Makes the next step of a job its last: it ends with a result, as it would have after all its steps. A job that
    /// waits for a machine is finished with its newest checkpoint.
    pub async fn finish_early(&self, owner: OwnerId, id: JobId) -> ServiceResult<Job> {
        let tx = self.store.begin().await?;
        let state = jobs::state(&tx, id).await?;
        let job = jobs::get(&tx, owner, id).await?;
        if job.phase == Phase::Succeeded || job.is_finishing {
            return Ok(job);
        }
        apply(&tx, &state, Input::FinishRequested, None).await?;
        let waits = matches!(job.phase, Phase::Queued | Phase::Launching);
        if waits && job.checkpoint_step.is_none() {
            return Err(ServiceError::Conflict(
                "this job has no checkpoint to finish with: wait until it trains, or cancel it".to_owned(),
            ));
        }
        jobs::request_finish(&tx, id).await?;
        let subject = named(job.recipe.name(), id);
        audit::record(&tx, AuditAction::JobFinished, &subject, "").await?;
        tx.commit().await?;
        tracing::info!(job.id = %id, "early end of job requested");
        Ok(jobs::get(&self.store, owner, id).await?)
    }

    /// Queues a job that makes a model version of a stored checkpoint of another job, wherever that one stands. It trains
    /// no step, and its result is checked and judged like any other.
    pub async fn make_version(&self, owner: OwnerId, id: JobId, request: MakeVersion) -> ServiceResult<Job> {
        let MakeVersion {
            step,
            provider,
            limit_micro_usd: limit,
        } = request;
        check_limit(limit)?;
        let seen = jobs::get(&self.store, owner, id).await?;
        let provider = provider.unwrap_or_else(|| match self.rental(&seen.provider) {
            Some(_) => LOCAL.to_owned(),
            None => seen.provider.clone(),
        });
        let rental = seen.rental.clone().unwrap_or_default();
        let spend = JobSpend {
            limit_micro_usd: limit,
            ..JobSpend::default()
        };
        let wanted = Job {
            spend,
            is_finishing: true,
            ..seen
        };
        // The provider is asked before the transaction, which must not wait for it.
        let fits = self.check_move(owner, &wanted, &provider, &rental, limit).await;
        fits.map_err(of_provider)?;
        let manifest = datasets::manifest(&self.store, wanted.dataset_version_id).await?;
        self.check_pictures(&manifest).await?;
        let tx = self.store.begin().await?;
        let Some(checkpoint) = artifacts::checkpoint_of_step(&tx, id, step).await? else {
            return Err(no_such_checkpoint(&tx, id, step).await?);
        };
        let name = wanted.recipe.name().to_owned();
        let new = NewJob {
            owner,
            dataset_id: wanted.dataset_id,
            dataset_version_id: wanted.dataset_version_id,
            recipe: wanted.recipe,
            rental: self.keeps_wish(&provider).then_some(rental),
            provider,
            priority: wanted.priority,
            project: wanted.project,
            note: None,
            limit,
        };
        let made = jobs::insert(&tx, new).await?;
        artifacts::lend(&tx, &checkpoint, made).await?;
        jobs::make_version_of(&tx, made, wanted.version_of.unwrap_or(id), step).await?;
        if self.disk.is_short() {
            jobs::put_off(&tx, made, WAITS, store::now()).await?;
        }
        let subject = named(&name, made);
        let detail = match limit {
            Some(_) => format!("step {step}, {}", costing(limit)),
            None => format!("step {step}"),
        };
        audit::record(&tx, AuditAction::VersionAsked, &subject, &detail).await?;
        let job = jobs::get(&tx, owner, made).await?;
        let job = tx.commit_with(job).await?;
        tracing::info!(job.id = %made, source.id = %id, step, "version of a checkpoint queued");
        Ok(job)
    }
}

/// What is wrong with a job that was made before can only be answered by another provider: the request for a version names
/// nothing else of it but the limit.
fn of_provider(err: ServiceError) -> ServiceError {
    match err {
        ServiceError::Invalid(InvalidFields(mut wrong)) => {
            for FieldError { field, .. } in &mut wrong {
                if field.as_str() != "limit_micro_usd" {
                    "provider".clone_into(field);
                }
            }
            InvalidFields(wrong).into()
        }
        err => err,
    }
}

async fn no_such_checkpoint(tx: &Tx, job: JobId, step: u32) -> ServiceResult<ServiceError> {
    let there = artifacts::whole_checkpoints(tx, job, MOST_LISTED).await?;
    let steps: Vec<String> = there
        .iter()
        .rev()
        .filter_map(|file| match file.kind {
            ArtifactKind::Checkpoint { step } => Some(step.to_string()),
            _ => None,
        })
        .collect();
    let problem = if steps.is_empty() {
        "this job has no stored checkpoint: resume it, or train again".to_owned()
    } else {
        format!(
            "there is no stored checkpoint of step {step}: choose one of {}",
            steps.join(", ")
        )
    };
    Ok(ServiceError::field("step", problem))
}
