//! Claiming work.

use std::{collections::BTreeMap, time::Duration};

use chrono::TimeDelta;
use protocol::{
    AttemptId,
    agent::{Assignment, ClaimReply, ClaimRequest, GenerateWork, StoredFile, TrainWork, Work, WorkKind},
    machine::{Machine, Protocol},
    phase::{Outcome, Phase},
};
use store::{
    BlobKey, StoreError, Tx,
    artifacts::Artifact,
    attempts::{self, Claimant, NewAttempt, Subject},
    datasets,
    edits::{self, EditEnd},
    generations::{self, GenerationEnd, GenerationState},
    jobs, metrics, models,
    objects::UrlOptions,
    queue,
    tokens::{AgentCredential, AgentWork},
};
use tokio::time::{Instant, timeout_at};

use super::{
    Granted,
    fit::{ignores, lack, may_ignore, out_of_step},
    own_attempt,
};
use crate::{
    Orchestrator, ServiceError, ServiceResult,
    lifecycle::Input,
    services::{
        AttemptEnd, apply,
        damage::{checkpoint_step, settle_checkpoint},
        end_job_attempt,
    },
};

/// Maximum time that a claim waits for work.
const MAX_WAIT_SECONDS: u32 = 60;

/// Signed URLs in an assignment are valid for this long; the agent downloads its files when it begins.
pub(crate) const FETCH_TIME: TimeDelta = TimeDelta::hours(6);

/// What a machine gets wrong about pictures.
fn misreads(machine: &Machine) -> Option<&'static str> {
    let version = machine.protocol.version;
    if version < Protocol::READS_PROMPTS {
        Some("this machine runs a version of morpheus that reads prompts in another way: update it")
    } else if version < Protocol::KNOWS_OF_BASES {
        Some(
            "this machine runs a version of morpheus that does not heed the prediction and the VAE that are set for a base \
             model: update it",
        )
    } else {
        None
    }
}

/// The agent that renders pictures and makes files out of others here is one that the provider `local` started.
const WORKER_PROVIDER: &str = "local";

impl Orchestrator {
    /// Hands out work, waiting for some up to the time that was asked for (at most 60 s).
    pub async fn claim(&self, agent: &AgentCredential, request: ClaimRequest) -> ServiceResult<ClaimReply> {
        let wait = Duration::from_secs(request.wait_seconds.min(MAX_WAIT_SECONDS).into());
        let deadline = Instant::now() + wait;
        let mut wakeups = self.store.signals().on_wake();
        loop {
            let assignment = self.try_claim(agent, &request).await?;
            if assignment.is_some() || Instant::now() >= deadline {
                return Ok(ClaimReply {
                    assignment,
                    stay: matches!(agent.work, AgentWork::Pool { .. }),
                });
            }
            // Work that another process queued comes without a wake-up.
            let next_look = deadline.min(Instant::now() + self.options.tick);
            let _ = timeout_at(next_look, wakeups.wait()).await;
        }
    }

    async fn try_claim(
        &self,
        agent: &AgentCredential,
        request: &ClaimRequest,
    ) -> ServiceResult<Option<Assignment>> {
        let wants = |kind| request.kinds.contains(&kind);
        match agent.work {
            AgentWork::Attempt(attempt) if wants(WorkKind::Train) => {
                let machine = request.machine.as_ref();
                self.claim_attempt(agent, attempt, machine).await
            }
            AgentWork::Pool { owner, token } if wants(WorkKind::Train) => {
                let Some(machine) = &request.machine else {
                    return Err(ServiceError::field(
                        "machine",
                        "required with a token of the pool: the description of the machine",
                    ));
                };
                self.claim_of_pool(agent, owner, token, machine).await
            }
            AgentWork::Generations if wants(WorkKind::Generate) || wants(WorkKind::Edit) => {
                if let Some(mismatch) = out_of_step(request.machine.as_ref()) {
                    return Err(ServiceError::Conflict(format!("this machine {mismatch}")));
                }
                if wants(WorkKind::Edit)
                    && let Some(assignment) = self.claim_edit(agent).await?
                {
                    return Ok(Some(assignment));
                }
                if !wants(WorkKind::Generate) {
                    return Ok(None);
                }
                if let Some(mistake) = request.machine.as_ref().and_then(misreads) {
                    return Err(ServiceError::Conflict(mistake.to_owned()));
                }
                self.claim_generation(agent).await
            }
            _ => Ok(None),
        }
    }

    /// The attempt that the agent was started for. If the agent cannot do it, the attempt fails: a retry would start
    /// the same machine again.
    async fn claim_attempt(
        &self,
        agent: &AgentCredential,
        id: AttemptId,
        machine: Option<&Machine>,
    ) -> ServiceResult<Option<Assignment>> {
        let tx = self.store.begin().await?;
        let attempt = own_attempt(&tx, agent, id).await?;
        let lack = match attempt.subject {
            Subject::Job(job) => {
                let state = jobs::state(&tx, job).await?;
                let base = self.base_demand(&tx, state.recipe.base_model()).await?;
                let lack = match lack(machine, &state.recipe, base) {
                    None if may_ignore(machine) => {
                        let manifest = datasets::manifest(&tx, state.dataset_version_id).await?;
                        ignores(machine, &manifest)
                    }
                    lack => lack,
                };
                lack.map(|lack| (job, lack))
            }
            Subject::Generation(_) | Subject::Edit(_) => None,
        };
        if let Some((job, lack)) = lack {
            let detail = format!("the machine of `{}` {lack}", attempt.provider);
            tracing::warn!(job.id = %job, attempt.id = %id, detail, "an agent cannot do its attempt");
            let end = AttemptEnd::new(Outcome::Failed, detail.clone());
            end_job_attempt(self, &tx, &attempt, end).await?;
            tx.commit().await?;
            return Err(ServiceError::Conflict(detail));
        }
        self.hand_out(tx, agent, id).await
    }

    /// The work of an attempt that the agent may claim.
    pub(super) async fn hand_out(
        &self,
        tx: Tx,
        agent: &AgentCredential,
        id: AttemptId,
    ) -> ServiceResult<Option<Assignment>> {
        let attempt = own_attempt(&tx, agent, id).await?;
        let Subject::Job(job_id) = attempt.subject else {
            return Err(ServiceError::Forbidden);
        };
        let job = jobs::state(&tx, job_id).await?;
        if matches!(job.phase, Phase::Stopping | Phase::Cancelling) && attempt.claimed_at.is_none() {
            // Nothing was started: the reconciler ends it.
            return Ok(None);
        }
        let start_from = match job.recipe.start_from() {
            Some(version) => Some(models::file(&tx, job.owner, version).await?),
            None => None,
        };
        let base = self.base(&tx, job.recipe.base_model()).await?;
        let (base, base_known) = self.base_location(&base, &attempt.provider)?;
        let granted = self.grant(&tx, &attempt).await?;
        let fence = attempts::claim(&tx, id, granted.until).await?;
        apply(&tx, &job, Input::Claimed, None).await?;
        let checkpoint = settle_checkpoint(&tx, id, job_id, None).await?;
        let start_step = checkpoint.as_ref().map_or(0, checkpoint_step);
        attempts::set_start_step(&tx, id, start_step).await?;
        metrics::forget_after(&tx, job_id, start_step).await?;
        let manifest = datasets::manifest(&tx, job.dataset_version_id).await?;
        let picture_urls = manifest
            .items
            .iter()
            .map(|item| Ok((item.sha256.clone(), self.fetch_url(&item.sha256)?)))
            .collect::<ServiceResult<BTreeMap<_, _>>>()?;
        let work = TrainWork {
            job_id,
            base,
            base_known,
            recipe: job.recipe,
            manifest,
            picture_urls,
            resume_from: checkpoint.as_ref().map(|file| self.stored_file(file)),
            start_from: start_from
                .filter(|_| checkpoint.is_none())
                .map(|file| self.fetched(&file.key, file.size_bytes)),
        };
        tx.commit().await?;
        tracing::info!(job.id = %job_id, attempt.id = %id, fence, start_step, "attempt claimed");
        Ok(Some(assignment(id, fence, granted, Work::Train(Box::new(work)))))
    }

    async fn claim_generation(&self, agent: &AgentCredential) -> ServiceResult<Option<Assignment>> {
        loop {
            if self.disk.is_short() || generations::n_queued(&self.store).await? == 0 {
                return Ok(None);
            }
            let tx = self.store.begin().await?;
            let Some(generation) = queue::claim_generation(&tx).await? else {
                return Ok(None);
            };
            let work = match self.generate_work(&tx, &generation).await {
                Ok(work) => work,
                Err(ServiceError::Conflict(reason)) => {
                    generations::end_attempt(&tx, generation.id, GenerationEnd::Failed(reason)).await?;
                    tx.commit().await?;
                    continue;
                }
                Err(err) => return Err(err),
            };
            let new = NewAttempt {
                subject: Subject::Generation(generation.id),
                n: generation.n_attempts,
                provider: WORKER_PROVIDER,
                claimant: Claimant::Worker(agent),
                start_step: 0,
            };
            let attempt = attempts::open(&tx, new).await?;
            let granted = self.grant(&tx, &attempt).await?;
            let fence = attempts::claim(&tx, attempt.id, granted.until).await?;
            tx.commit().await?;
            tracing::info!(generation.id = %generation.id, attempt.id = %attempt.id, "generation claimed");
            return Ok(Some(assignment(attempt.id, fence, granted, Work::Generate(work))));
        }
    }

    async fn claim_edit(&self, agent: &AgentCredential) -> ServiceResult<Option<Assignment>> {
        loop {
            if self.disk.is_short() || edits::n_queued(&self.store).await? == 0 {
                return Ok(None);
            }
            let tx = self.store.begin().await?;
            let Some(edit) = queue::claim_edit(&tx).await? else {
                return Ok(None);
            };
            let work = match self.edit_work(&tx, &edit, WORKER_PROVIDER).await {
                Ok(work) => work,
                Err(ServiceError::Conflict(reason)) => {
                    edits::end_attempt(&tx, edit.id, EditEnd::Failed(reason)).await?;
                    tx.commit().await?;
                    continue;
                }
                Err(err) => return Err(err),
            };
            let new = NewAttempt {
                subject: Subject::Edit(edit.id),
                n: edit.n_attempts,
                provider: WORKER_PROVIDER,
                claimant: Claimant::Worker(agent),
                start_step: 0,
            };
            let attempt = attempts::open(&tx, new).await?;
            let granted = self.grant(&tx, &attempt).await?;
            let fence = attempts::claim(&tx, attempt.id, granted.until).await?;
            tx.commit().await?;
            tracing::info!(edit.id = %edit.id, attempt.id = %attempt.id, "edit claimed");
            let work = Work::Edit(Box::new(work));
            return Ok(Some(assignment(attempt.id, fence, granted, work)));
        }
    }

    async fn generate_work(&self, tx: &Tx, generation: &GenerationState) -> ServiceResult<GenerateWork> {
        let unfilled = || StoreError::Corrupt {
            what: "generations.request",
            detail: "seed and size are not filled in".to_owned(),
        };
        let mut request = generation.request.filled_in().ok_or_else(unfilled)?;
        let base = self.base(tx, &request.base_model).await?;
        let (base, base_known) = self.base_location(&base, WORKER_PROVIDER)?;
        let mut lora_files = Vec::with_capacity(request.loras.len());
        for lora in &mut request.loras {
            let file = models::file(tx, generation.owner, lora.model_version_id).await?;
            lora.name = Some(file.file_name.trim_end_matches(".safetensors").to_owned());
            lora.partial |= file.allow_partial;
            lora_files.push(self.fetched(&file.key, file.size_bytes));
        }
        Ok(GenerateWork {
            generation_id: generation.id,
            request,
            base,
            base_known,
            lora_files,
        })
    }

    pub(super) fn lease_seconds(&self) -> u32 {
        u32::try_from(self.options.lease.as_secs()).unwrap_or(u32::MAX)
    }

    fn fetch_url(&self, sha256: &str) -> ServiceResult<String> {
        let key = BlobKey::from_sha256(sha256).map_err(|err| {
            ServiceError::Store(StoreError::Corrupt {
                what: "dataset_versions.manifest",
                detail: err.to_string(),
            })
        })?;
        Ok(self.store.objects().get_url(&key, &UrlOptions::fetch(FETCH_TIME)))
    }

    pub(in crate::services) fn stored_file(&self, file: &Artifact) -> StoredFile {
        self.fetched(&file.key, file.size_bytes)
    }

    pub(in crate::services) fn fetched(&self, key: &BlobKey, size_bytes: u64) -> StoredFile {
        StoredFile {
            url: self.store.objects().get_url(key, &UrlOptions::fetch(FETCH_TIME)),
            sha256: key.sha256(),
            size_bytes,
        }
    }
}

fn assignment(attempt_id: AttemptId, fence: i64, granted: Granted, work: Work) -> Assignment {
    Assignment {
        attempt_id,
        fence,
        lease_seconds: granted.seconds,
        work,
        terms: granted.terms,
    }
}
