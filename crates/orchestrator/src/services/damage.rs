//! Stored files that turn out lost or damaged: marking them, finding replacements, and telling a person what to do.

use std::collections::BTreeSet;

use protocol::{
    AttemptId, JobId,
    agent::{ArtifactKind, Instead, UnusableFile},
    damage::Damage,
    event::{Event, LogLevel},
};
use store::{
    BlobKey, Read, Store, StoreError, Tx,
    artifacts::{self, Artifact},
    attempts::{self, Attempt, Subject},
    bases, damage, datasets,
    dependents::{self, Dependent},
    edits,
    events::{self, NewEvent},
    generations, jobs, metrics, models,
    tokens::AgentCredential,
};

use super::agents::held_attempt;
use crate::{Orchestrator, ServiceError, ServiceResult};

/// A file that an agent reports as unusable, as its assignment names it.
enum Role {
    /// A checkpoint of its job.
    Checkpoint(JobId, Artifact),
    /// A picture that its job trains on, a LoRA or a base model: without it, there is nothing to do.
    Needed,
}

/// A checkpoint that a job cannot go on from.
pub(super) struct Unusable {
    step: u32,
    /// For a person, after its name.
    problem: String,
}

impl Orchestrator {
    /// Records that an agent could not use a file, after checking it; returns what to do instead. A checkpoint is
    /// replaced by the next older one, within the same attempt.
    pub async fn report_unusable(
        &self,
        agent: &AgentCredential,
        id: AttemptId,
        file: UnusableFile,
    ) -> ServiceResult<Instead> {
        let key = BlobKey::from_sha256(&file.sha256)
            .map_err(|err| ServiceError::field("sha256", err.to_string()))?;
        let tx = self.store.begin().await?;
        let attempt = held_attempt(&tx, agent, id, file.fence).await?;
        let role = self.role_of(&tx, &attempt, &key).await?;
        // Reading the file takes time, so it happens outside of the transaction.
        drop(tx);
        let seen = self
            .store
            .objects()
            .inspect(&key)
            .await
            .map_err(StoreError::from)?;

        let tx = self.store.begin().await?;
        let attempt = held_attempt(&tx, agent, id, file.fence).await?;
        note(&tx, &key, seen).await?;
        let instead = match (role, seen) {
            (Role::Checkpoint(job, checkpoint), None) if file.arrived => {
                artifacts::mark_unusable(&tx, checkpoint.id, &file.problem).await?;
                let unusable = Unusable {
                    step: checkpoint_step(&checkpoint),
                    problem: format!("cannot be resumed from ({})", file.problem),
                };
                self.go_back(&tx, &attempt, job, unusable).await?
            }
            (Role::Checkpoint(job, checkpoint), Some(damage)) => {
                let unusable = Unusable {
                    step: checkpoint_step(&checkpoint),
                    problem: format!("is {}", damage.as_text()),
                };
                self.go_back(&tx, &attempt, job, unusable).await?
            }
            (Role::Checkpoint(..) | Role::Needed, None) => Instead::FetchAgain,
            (Role::Needed, Some(damage)) => Instead::GiveUp {
                reason: self.reason(&tx, &key, damage).await?,
            },
        };
        tx.commit().await?;
        tracing::warn!(attempt.id = %id, key = %key, damage = ?seen, problem = file.problem, "a file cannot be used");
        Ok(instead)
    }

    /// The job goes on from an older checkpoint than the one that its attempt was given.
    async fn go_back(
        &self,
        tx: &Tx,
        attempt: &Attempt,
        job: JobId,
        unusable: Unusable,
    ) -> ServiceResult<Instead> {
        let state = jobs::state(tx, job).await?;
        let step = unusable.step;
        let older = settle_checkpoint(tx, attempt.id, job, Some(unusable)).await?;
        if state.wants_finish && older.is_none() {
            return Ok(Instead::GiveUp {
                reason: nothing_left(Some(step)),
            });
        }
        let start_step = older.as_ref().map_or(0, checkpoint_step);
        attempts::set_start_step(tx, attempt.id, start_step).await?;
        metrics::forget_after(tx, job, start_step).await?;
        Ok(Instead::GoOn {
            resume_from: older.as_ref().map(|file| self.stored_file(file)),
        })
    }

    async fn role_of(&self, tx: &Tx, attempt: &Attempt, key: &BlobKey) -> ServiceResult<Role> {
        let hash = key.sha256();
        let is_needed = match attempt.subject {
            Subject::Job(id) => {
                if let Some(checkpoint) = artifacts::checkpoint_with(tx, id, &hash).await? {
                    return Ok(Role::Checkpoint(id, checkpoint));
                }
                let job = jobs::state(tx, id).await?;
                let manifest = datasets::manifest(tx, job.dataset_version_id).await?;
                manifest.items.iter().any(|item| item.sha256 == hash)
                    || has_copy(tx, job.recipe.base_model(), &hash).await?
            }
            Subject::Generation(id) => {
                let generation = generations::state(tx, id).await?;
                let mut is_needed = has_copy(tx, &generation.request.base_model, &hash).await?;
                for lora in &generation.request.loras {
                    let file = models::file(tx, generation.owner, lora.model_version_id).await?;
                    is_needed |= file.sha256 == hash;
                }
                is_needed
            }
            Subject::Edit(id) => {
                let edit = edits::state(tx, id).await?;
                let mut is_needed = has_copy(tx, &edit.plan.base_model, &hash).await?;
                if let Some(tuned) = &edit.plan.tuned_model {
                    is_needed |= has_copy(tx, tuned, &hash).await?;
                }
                for from in &edit.plan.from {
                    let file = models::file(tx, edit.owner, from.model_version_id).await?;
                    is_needed |= file.sha256 == hash;
                }
                is_needed
            }
            Subject::Drawing(_) => false,
        };
        if is_needed {
            return Ok(Role::Needed);
        }
        Err(ServiceError::field(
            "sha256",
            "must be the hash of a file in this attempt's assignment",
        ))
    }

    /// Why work that needs an object cannot be done, and what its owner can do.
    async fn reason(&self, tx: &Tx, key: &BlobKey, damage: Damage) -> ServiceResult<String> {
        let keys = BTreeSet::from([key.clone()]);
        let found = dependents::of(tx, &keys).await?.remove(key).unwrap_or_default();
        for dependent in &found {
            if let Dependent::Base {
                name, is_only: false, ..
            } = dependent
            {
                // Its original source may still have it.
                let base = bases::get(tx, name).await?;
                bases::ask_for_copy(tx, base.id).await?;
            }
        }
        Ok(reason(&found, damage))
    }

    /// Refuses work on files that are marked as lost or damaged, after checking them again: they may have been
    /// restored.
    pub(crate) async fn check_whole(&self, keys: BTreeSet<BlobKey>) -> ServiceResult<()> {
        let marked = damage::among(&self.store, &keys).await?;
        for key in marked.into_keys() {
            if let Some(damage) = look(&self.store, &key).await? {
                let found = dependents::of(&self.store, &BTreeSet::from([key.clone()])).await?;
                let found: Vec<Dependent> = found.into_values().flatten().collect();
                return Err(ServiceError::Conflict(reason(&found, damage)));
            }
        }
        Ok(())
    }

    /// The keys of all pictures that a dataset version has.
    pub(crate) async fn check_pictures(&self, manifest: &protocol::dataset::Manifest) -> ServiceResult<()> {
        let keys = manifest
            .items
            .iter()
            .map(|item| BlobKey::from_sha256(&item.sha256))
            .collect::<Result<_, _>>()
            .map_err(|err| StoreError::Corrupt {
                what: "dataset_versions.manifest",
                detail: err.to_string(),
            })?;
        self.check_whole(keys).await
    }
}

/// Reads an object, and records its state.
pub(crate) async fn look(store: &Store, key: &BlobKey) -> ServiceResult<Option<Damage>> {
    let seen = store.objects().inspect(key).await.map_err(StoreError::from)?;
    let tx = store.begin().await?;
    note(&tx, key, seen).await?;
    tx.commit().await?;
    Ok(seen)
}

async fn note(tx: &Tx, key: &BlobKey, seen: Option<Damage>) -> ServiceResult<()> {
    match seen {
        Some(damage) => damage::mark(tx, key, damage).await?,
        None => {
            damage::clear(tx, [key]).await?;
        }
    }
    Ok(())
}

/// Whether a base model has such a file in the object store.
async fn has_copy(db: &impl Read, base: &str, hash: &str) -> ServiceResult<bool> {
    let registered = bases::list(db).await?;
    Ok(registered.iter().any(|registered| {
        registered.name == base
            && registered
                .files
                .iter()
                .any(|file| file.sha256.as_deref() == Some(hash) && registered.is_stored(file))
    }))
}

/// The checkpoint that a job goes on from: the newest that is whole. When it is not the one that the job was to go on
/// from, its stream says so.
pub(super) async fn settle_checkpoint(
    tx: &Tx,
    attempt: AttemptId,
    job: JobId,
    unusable: Option<Unusable>,
) -> ServiceResult<Option<Artifact>> {
    let state = jobs::state(tx, job).await?;
    let expected = state.checkpoint_step;
    let found = artifacts::newest_checkpoint(tx, job).await?;
    let step = found.as_ref().map(checkpoint_step);
    // A version says of which step it is, whatever becomes of the checkpoint.
    if step != expected && state.version_of.is_none() {
        jobs::go_on_from(tx, job, step).await?;
    }
    let lost = match (unusable, expected) {
        (Some(unusable), _) => Some(unusable),
        (None, Some(expected)) if step < Some(expected) => Some(Unusable {
            step: expected,
            problem: "is no longer intact in the object store".to_owned(),
        }),
        (None, _) => None,
    };
    if let Some(Unusable { step: lost, problem }) = lost {
        let then = match step {
            Some(step) => format!("resuming from the one of step {step}"),
            None if state.wants_finish => "no other is left".to_owned(),
            None => "no other is left, restarting at step 0".to_owned(),
        };
        let line = Event::Log {
            level: LogLevel::Warning,
            message: format!("the checkpoint of step {lost} {problem}: {then}"),
        };
        events::append(tx, job, vec![NewEvent::of_attempt(store::now(), attempt, line)]).await?;
    }
    Ok(found)
}

pub(super) fn checkpoint_step(file: &Artifact) -> u32 {
    match file.kind {
        ArtifactKind::Checkpoint { step } => step,
        _ => 0,
    }
}

/// Why a job that was to be finished with its checkpoint cannot be. A job without a step had none yet.
pub(super) fn nothing_left(step: Option<u32>) -> String {
    match step {
        Some(step) => format!(
            "the checkpoint of step {step} is lost or damaged, and there is no other to finish with: train again, or \
             restore it from a backup"
        ),
        None => "its machine was lost before its first checkpoint, so there is nothing to finish with: resume it, or train \
                 again"
            .to_owned(),
    }
}

/// For a person: what is lost, and what to do. The first reference to it is the most informative.
fn reason(found: &[Dependent], damage: Damage) -> String {
    let damage = damage.as_text();
    let Some(first) = found.first() else {
        return format!("a file that this needs is {damage}: run `morpheus objects verify` on the server");
    };
    let remedy = match first {
        Dependent::Picture { .. } => "upload the picture again, then resume or start the job again",
        Dependent::FrozenPicture { .. } => {
            "upload the same picture again, into this or any other dataset, then resume the job"
        }
        Dependent::ModelVersion { .. } => "restore the file from a backup, or train it again",
        Dependent::Base { is_only: true, .. } => {
            "restore it from a backup, or merge it again and register the result"
        }
        Dependent::Base { is_only: false, .. } => "it is being copied again; try again when that is done",
        Dependent::Checkpoint { .. }
        | Dependent::VersionPicture { .. }
        | Dependent::Sample { .. }
        | Dependent::JobFile { .. }
        | Dependent::Edit { .. }
        | Dependent::Generation { .. } => "restore it from a backup",
    };
    format!("{first} is {damage}: {remedy}")
}
