//! Claiming work.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::TimeDelta;
use protocol::{
    AttemptId,
    agent::{Assignment, ClaimReply, ClaimRequest, DrawingLease, StoredFile, TrainWork, Work, WorkKind},
    machine::{Machine, Protocol},
    phase::{AttemptPhase, Outcome, Phase},
};
use store::{
    BlobKey, StoreError, Tx,
    artifacts::{self, Artifact},
    attempts::{self, Attempt, Claimant, NewAttempt, Subject},
    datasets, drawing, jobs, metrics, models,
    objects::UrlOptions,
    tokens::{AgentCredential, AgentWork},
};
use tokio::time::{Instant, timeout_at};

use super::{
    Granted,
    fit::{cannot_finish_early, ignores, lack, lack_for_pictures, may_ignore, out_of_step},
    own_attempt,
};
use crate::{
    Orchestrator, ServiceError, ServiceResult,
    lifecycle::Input,
    services::{
        AttemptEnd, SILENCE, apply,
        damage::{checkpoint_step, nothing_left, settle_checkpoint},
        drawing::claimed_drawing,
        end_job_attempt, end_lost, end_rented_attempt, is_silent, silent_for,
        workers::{Taken, WorkerQueue},
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

/// Whether every sample prompt of a recipe has its preview. An attempt may be lost between two of them.
fn is_drawn(drawn: &BTreeSet<u32>, n_prompts: usize) -> bool {
    n_prompts > 0
        && (0..n_prompts).all(|index| u32::try_from(index).is_ok_and(|index| drawn.contains(&index)))
}

/// The agent that renders pictures and makes files out of others here is one that the provider `local` started.
const WORKER_PROVIDER: &str = "local";

impl Orchestrator {
    /// Hands out work, waiting for some up to the time that was asked for (at most 60 s).
    pub async fn claim(&self, agent: &AgentCredential, request: ClaimRequest) -> ServiceResult<ClaimReply> {
        let wait = Duration::from_secs(request.wait_seconds.min(MAX_WAIT_SECONDS).into());
        let deadline = Instant::now() + wait;
        let mut wakeups = self.store.signals().on_wake();
        let drawing = match agent.work {
            AgentWork::Attempt(attempt) => self.renew_drawing(agent, attempt, &request).await?,
            AgentWork::Generations | AgentWork::Pool { .. } => None,
        };
        loop {
            let assignment = self.try_claim(agent, &request).await?;
            if assignment.is_some() || Instant::now() >= deadline {
                return Ok(ClaimReply {
                    assignment,
                    stay: drawing.is_some() || matches!(agent.work, AgentWork::Pool { .. }),
                    drawing,
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
            AgentWork::Attempt(attempt) if wants(WorkKind::Generate) => {
                self.claim_of_drawing(agent, attempt).await
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
                    && let Some(assignment) = self.claim_for_worker(agent, WorkerQueue::Edits, None).await?
                {
                    return Ok(Some(assignment));
                }
                if !wants(WorkKind::Generate) {
                    return Ok(None);
                }
                if let Some(mistake) = request.machine.as_ref().and_then(misreads) {
                    return Err(ServiceError::Conflict(mistake.to_owned()));
                }
                self.claim_for_worker(agent, WorkerQueue::Generations, None).await
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
                let lack = lack(machine, &state.recipe, base)
                    .or_else(|| cannot_finish_early(machine, state.wants_finish));
                let lack = match lack {
                    None if may_ignore(machine) => {
                        let manifest = datasets::manifest(&tx, state.dataset_version_id).await?;
                        ignores(machine, &manifest)
                    }
                    lack => lack,
                };
                lack.map(|lack| (job, lack))
            }
            Subject::Generation(_) | Subject::Edit(_) | Subject::Drawing(_) => None,
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
        let checkpoint = settle_checkpoint(&tx, id, job_id, None).await?;
        if job.wants_finish && job.requested.is_none() && checkpoint.is_none() {
            // Trained from the start, it would be another result than the one that was asked for.
            let detail = nothing_left(job.checkpoint_step);
            tracing::warn!(job.id = %job_id, attempt.id = %id, detail, "a job cannot be finished early");
            // Before the claim, which raises the fence.
            let end = AttemptEnd::new(Outcome::Failed, detail);
            end_job_attempt(self, &tx, &attempt, end).await?;
            tx.commit().await?;
            // No refusal: a machine of the pool would leave it.
            return Ok(None);
        }
        let fence = attempts::claim(&tx, id, granted.until).await?;
        apply(&tx, &job, Input::Claimed, None).await?;
        let finish = job.wants_finish && checkpoint.is_some();
        let start_step = checkpoint.as_ref().map_or(0, checkpoint_step);
        attempts::set_start_step(&tx, id, start_step).await?;
        metrics::forget_after(&tx, job_id, start_step).await?;
        let manifest = datasets::manifest(&tx, job.dataset_version_id).await?;
        let picture_urls = manifest
            .items
            .iter()
            .map(|item| Ok((item.sha256.clone(), self.fetch_url(&item.sha256)?)))
            .collect::<ServiceResult<BTreeMap<_, _>>>()?;
        let drawn = artifacts::start_samples(&tx, job_id).await?;
        let is_start_drawn = is_drawn(&drawn, job.recipe.sample_prompts().len());
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
            is_start_drawn,
            finish,
        };
        tx.commit().await?;
        tracing::info!(job.id = %job_id, attempt.id = %id, fence, start_step, "attempt claimed");
        Ok(Some(assignment(id, fence, granted, Work::Train(Box::new(work)))))
    }

    /// Renews the lease of a drawing session's machine, and makes the session ready at the first call; `None` if the agent
    /// was not started for one. An agent that asks for work has none: what it was handed and did not get waits again.
    async fn renew_drawing(
        &self,
        agent: &AgentCredential,
        id: AttemptId,
        request: &ClaimRequest,
    ) -> ServiceResult<Option<DrawingLease>> {
        let tx = self.store.begin().await?;
        let attempt = own_attempt(&tx, agent, id).await?;
        let Subject::Drawing(session) = attempt.subject else {
            return Ok(None);
        };
        let machine = request.machine.as_ref();
        let rental = self.rental(&attempt.provider);
        let is_real = rental.is_some_and(|rental| rental.landlord.is_real());
        let lack = match (out_of_step(machine), machine.and_then(misreads)) {
            (Some(mismatch), _) => Some(format!("this machine {mismatch}")),
            (None, Some(mistake)) => Some(mistake.to_owned()),
            (None, None) if !request.kinds.contains(&WorkKind::Generate) => Some(
                "this machine runs a version of morpheus that draws no pictures there: update it".to_owned(),
            ),
            // A simulated machine has no GPU.
            (None, None) if is_real => lack_for_pictures(machine).map(|lack| format!("this machine {lack}")),
            (None, None) => None,
        };
        if let Some(lack) = lack {
            tracing::warn!(drawing_session.id = %session, lack, "an agent cannot draw");
            let end = AttemptEnd::new(Outcome::Failed, lack.clone());
            end_rented_attempt(self, &tx, &attempt, end).await?;
            tx.commit().await?;
            return Err(ServiceError::Conflict(lack));
        }
        for lost in attempts::alive_of_agent(&tx, &attempt).await? {
            end_lost(&tx, &lost, None).await?;
        }
        let granted = self.grant(&tx, &attempt).await?;
        let Some(terms) = granted.terms else {
            return Err(ServiceError::LeaseLost);
        };
        // The reconciler ends silent sessions as well, but not while the provider does not answer it.
        if let Some(rental) = rental {
            let state = drawing::state(&tx, session).await?;
            let used = drawing::newest_use(&tx, session).await?;
            if is_silent(&state, used, silent_for(rental, id, used)) {
                let end = AttemptEnd::new(Outcome::Stopped, SILENCE.to_owned());
                end_rented_attempt(self, &tx, &attempt, end).await?;
                tx.commit().await?;
                return Err(ServiceError::LeaseLost);
            }
        }
        let fence = match attempt.claimed_at {
            None => attempts::claim(&tx, id, granted.until).await?,
            Some(_) => {
                attempts::renew(&tx, id, attempt.fence, granted.until).await?;
                attempt.fence
            }
        };
        claimed_drawing(&tx, session).await?;
        tx.commit().await?;
        Ok(Some(DrawingLease {
            attempt_id: id,
            fence,
            lease_seconds: granted.seconds,
            terms,
        }))
    }

    async fn claim_of_drawing(
        &self,
        agent: &AgentCredential,
        id: AttemptId,
    ) -> ServiceResult<Option<Assignment>> {
        let attempt = attempts::get(&self.store, id).await?;
        let Subject::Drawing(session) = attempt.subject else {
            return Ok(None);
        };
        if attempt.phase == AttemptPhase::Gone {
            return Err(ServiceError::LeaseLost);
        }
        self.claim_for_worker(agent, WorkerQueue::OfDrawing(session), Some(&attempt))
            .await
    }

    /// Takes the next of a queue; `of` is the attempt of the drawing session that the agent's machine was rented for.
    async fn claim_for_worker(
        &self,
        agent: &AgentCredential,
        queue: WorkerQueue,
        of: Option<&Attempt>,
    ) -> ServiceResult<Option<Assignment>> {
        let provider = of.map_or(WORKER_PROVIDER, |attempt| attempt.provider.as_str());
        loop {
            if self.disk.is_short() || queue.is_empty(&self.store).await? {
                return Ok(None);
            }
            let tx = self.store.begin().await?;
            if let Some(of) = of {
                own_attempt(&tx, agent, of.id).await?;
            }
            let Some(taken) = queue.take(&tx).await? else {
                return Ok(None);
            };
            let work = match self.work_of(&tx, &taken, provider).await {
                Ok(work) => work,
                Err(ServiceError::Conflict(reason)) => {
                    taken.fail(&tx, reason).await?;
                    tx.commit().await?;
                    continue;
                }
                Err(err) => return Err(err),
            };
            let new = NewAttempt {
                subject: taken.subject(),
                n: taken.n_attempts(),
                provider,
                claimant: Claimant::Worker(agent),
                start_step: 0,
            };
            let attempt = attempts::open(&tx, new).await?;
            let granted = self.grant(&tx, &attempt).await?;
            let fence = attempts::claim(&tx, attempt.id, granted.until).await?;
            tx.commit().await?;
            tracing::info!(subject = ?attempt.subject, attempt.id = %attempt.id, "attempt claimed");
            return Ok(Some(assignment(attempt.id, fence, granted, work)));
        }
    }

    /// What a worker is told to do; a conflict says what is missing.
    async fn work_of(&self, tx: &Tx, taken: &Taken, provider: &str) -> ServiceResult<Work> {
        Ok(match taken {
            Taken::Generation(generation) => {
                Work::Generate(self.generate_work(tx, generation, provider).await?)
            }
            Taken::Edit(edit) => Work::Edit(Box::new(self.edit_work(tx, edit, provider).await?)),
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
