//! Files that agents upload.

use std::collections::BTreeMap;

use protocol::{
    ArtifactId, AttemptId,
    agent::{ArtifactKind, NewArtifact, UploadTicket},
    event::Event,
    judgement::Evidence,
    limits::{MAX_AGENT_PICTURE_BYTES, MAX_LORA_BYTES, MAX_REPORTED_PROMPT_CHARS},
    problem::{FieldError, InvalidFields},
    recipe::Recipe,
};
use store::{
    BlobKey, StoreError, Tx,
    artifacts::{self, Artifact},
    attempts::{Attempt, Subject},
    damage, drawing, edits,
    events::{self, NewEvent},
    generations, jobs,
    tokens::AgentCredential,
};

use super::agents::{held_attempt, own_attempt};
use crate::{Orchestrator, ServiceError, ServiceResult};

impl Orchestrator {
    /// Records the announcement of a file, and returns where to upload it. Announcing it again gives the same ticket.
    pub async fn announce_artifact(
        &self,
        agent: &AgentCredential,
        attempt: AttemptId,
        announced: NewArtifact,
    ) -> ServiceResult<UploadTicket> {
        let objects = self.store.objects();
        check(&announced, objects.max_put_bytes())?;
        let tx = self.store.begin().await?;
        let attempt = held_attempt(&tx, agent, attempt, announced.fence).await?;
        check_subject(&attempt, &announced.kind)?;
        let owner = match attempt.subject {
            Subject::Job(id) => {
                let job = jobs::state(&tx, id).await?;
                check_recipe(&announced.kind, &job.recipe)?;
                job.owner
            }
            Subject::Generation(id) => generations::state(&tx, id).await?.owner,
            Subject::Edit(id) => edits::state(&tx, id).await?.owner,
            Subject::Drawing(id) => drawing::state(&tx, id).await?.owner,
        };
        let artifact = artifacts::announce(&tx, owner, &attempt, &announced).await?;
        if let Subject::Job(job) = attempt.subject {
            // The order is followed once the file exists, even if its bytes are still on their way.
            jobs::clear_served_requests(&tx, job, &artifact.kind, artifact.created_at).await?;
        }
        tx.commit().await?;
        // Old unreferenced bytes may be collected at any moment, unless they are written again.
        let is_there = damage::of(&self.store, &artifact.key).await?.is_none()
            && objects
                .has_fresh(&artifact.key, artifact.size_bytes)
                .await
                .map_err(StoreError::from)?;
        let address = (!is_there).then(|| objects.put_url(&artifact.key, artifact.size_bytes));
        let (upload_url, upload_headers) = match address {
            Some(address) => (Some(address.url), address.headers),
            None => (None, BTreeMap::new()),
        };
        Ok(UploadTicket {
            artifact_id: artifact.id,
            upload_url,
            upload_headers,
        })
    }

    /// Records that the bytes are stored, after checking; then adds the file to the job's event stream.
    pub async fn complete_artifact(
        &self,
        agent: &AgentCredential,
        attempt: AttemptId,
        artifact: ArtifactId,
    ) -> ServiceResult<()> {
        let announced = artifacts::find(&self.store, artifact).await?;
        if announced.attempt_id != attempt {
            return Err(ServiceError::Forbidden);
        }
        let objects = self.store.objects();
        let mut is_there = objects
            .confirm(&announced.key, announced.size_bytes)
            .await
            .map_err(StoreError::from)?;
        // The size of a damaged file may be right.
        let was_damaged = damage::of(&self.store, &announced.key).await?.is_some();
        if is_there && was_damaged {
            let seen = objects.inspect(&announced.key).await;
            is_there = seen.map_err(StoreError::from)?.is_none();
        }
        if !is_there {
            return Err(ServiceError::Conflict(format!(
                "the bytes of `{}` are not stored yet: upload them first",
                announced.file_name
            )));
        }
        self.check_content(&announced).await?;
        let tx = self.store.begin().await?;
        let attempt = own_attempt(&tx, agent, attempt).await?;
        if was_damaged {
            damage::clear(&tx, [&announced.key]).await?;
        }
        if artifacts::mark_stored(&tx, artifact).await? {
            tell(&tx, &attempt, &announced).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Adds a stored file to the job's event stream, and records a checkpoint.
async fn tell(tx: &Tx, attempt: &Attempt, file: &Artifact) -> ServiceResult<()> {
    let Subject::Job(job) = attempt.subject else {
        return Ok(());
    };
    let artifact_id = file.id;
    let event = match file.kind.clone() {
        ArtifactKind::Checkpoint { step } => {
            jobs::set_checkpoint(tx, job, step).await?;
            Event::Checkpoint {
                artifact_id,
                step,
                size_bytes: file.size_bytes,
            }
        }
        ArtifactKind::Sample {
            step,
            prompt_index,
            prompt,
            seed,
        } => Event::Sample {
            artifact_id,
            step,
            prompt_index,
            prompt,
            seed,
        },
        // The others belong to the result, which has its own event.
        ArtifactKind::Lora { .. }
        | ArtifactKind::PictureBefore
        | ArtifactKind::PictureAfter
        | ArtifactKind::Picture
        | ArtifactKind::Edited
        | ArtifactKind::Evidence { .. } => return Ok(()),
    };
    let new = NewEvent::of_attempt(store::now(), attempt.id, event);
    events::append(tx, job, vec![new]).await?;
    Ok(())
}

/// Refuses a file of a step or a prompt that the job does not have.
fn check_recipe(kind: &ArtifactKind, recipe: &Recipe) -> ServiceResult<()> {
    let n_steps = recipe.parameters().n_steps;
    let (step, first) = match kind {
        ArtifactKind::Sample {
            step,
            prompt_index,
            prompt,
            ..
        } => {
            let n_prompts = recipe.sample_prompts().len();
            if usize::try_from(*prompt_index).map_or(true, |index| index >= n_prompts) {
                return Err(ServiceError::field(
                    "prompt_index",
                    format!("must be the index of one of the recipe's {n_prompts} sample prompts"),
                ));
            }
            if prompt.chars().count() > MAX_REPORTED_PROMPT_CHARS {
                return Err(ServiceError::field(
                    "prompt",
                    format!("must have at most {MAX_REPORTED_PROMPT_CHARS} characters"),
                ));
            }
            (*step, 0)
        }
        ArtifactKind::Checkpoint { step } | ArtifactKind::Lora { step } => (*step, 1),
        ArtifactKind::Evidence { step, name } => {
            if !Evidence::is_name(name) {
                return Err(ServiceError::field(
                    "name",
                    "must have 1 to 80 characters out of letters, digits, `-` and `_`",
                ));
            }
            (*step, 1)
        }
        ArtifactKind::PictureBefore
        | ArtifactKind::PictureAfter
        | ArtifactKind::Picture
        | ArtifactKind::Edited => return Ok(()),
    };
    if (first..=n_steps).contains(&step) {
        return Ok(());
    }
    Err(ServiceError::field(
        "step",
        format!("must be from {first} to {n_steps} (the steps of the recipe), not {step}"),
    ))
}

/// Maximum size of a file of this kind.
fn most_bytes(kind: &ArtifactKind, max_bytes: u64) -> u64 {
    match kind {
        // A base model with LoRAs in it is as large as a checkpoint.
        ArtifactKind::Checkpoint { .. } | ArtifactKind::Edited => max_bytes,
        ArtifactKind::Lora { .. } => max_bytes.min(MAX_LORA_BYTES),
        ArtifactKind::Sample { .. }
        | ArtifactKind::PictureBefore
        | ArtifactKind::PictureAfter
        | ArtifactKind::Picture
        | ArtifactKind::Evidence { .. } => max_bytes.min(MAX_AGENT_PICTURE_BYTES),
    }
}

fn check(announced: &NewArtifact, max_bytes: u64) -> ServiceResult<()> {
    let max_bytes = most_bytes(&announced.kind, max_bytes);
    let mut errors = Vec::new();
    if let Err(err) = BlobKey::from_sha256(&announced.sha256) {
        errors.push(FieldError::new("sha256", err.to_string()));
    }
    if !(1..=max_bytes).contains(&announced.size_bytes) {
        errors.push(FieldError::new(
            "size_bytes",
            format!(
                "must be from 1 to {max_bytes}, the limit for files of this kind, not {}",
                announced.size_bytes
            ),
        ));
    }
    let name = &announced.file_name;
    if name.is_empty()
        || name.chars().count() > 200
        || name.starts_with('.')
        || name.contains(['/', '\\'])
        || name.contains(char::is_control)
    {
        errors.push(FieldError::new(
            "file_name",
            "must be a plain file name of at most 200 characters that does not start with a dot",
        ));
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(InvalidFields(errors).into())
    }
}

/// A file of this attempt whose bytes are stored.
pub(super) async fn stored(
    tx: &Tx,
    attempt: &Attempt,
    field: &str,
    id: ArtifactId,
) -> ServiceResult<Artifact> {
    let wrong = |message: &str| ServiceError::field(field, message);
    let file = match artifacts::find(tx, id).await {
        Ok(file) => file,
        Err(StoreError::NotFound { .. }) => return Err(wrong("must be an announced file")),
        Err(err) => return Err(err.into()),
    };
    if file.attempt_id != attempt.id {
        return Err(wrong("must be a file of this attempt"));
    }
    if !file.is_stored {
        return Err(wrong("must be uploaded and completed first"));
    }
    Ok(file)
}

fn check_subject(attempt: &Attempt, kind: &ArtifactKind) -> ServiceResult<()> {
    let (is_right, right) = match attempt.subject {
        Subject::Job(_) => (
            !matches!(kind, ArtifactKind::Picture | ArtifactKind::Edited),
            "anything but `picture` and `edited`",
        ),
        Subject::Generation(_) => (*kind == ArtifactKind::Picture, "`picture`"),
        Subject::Edit(_) => (*kind == ArtifactKind::Edited, "`edited`"),
        // Its pictures have attempts of their own.
        Subject::Drawing(_) => (false, "of another attempt"),
    };
    if is_right {
        return Ok(());
    }
    Err(ServiceError::field(
        "kind",
        format!("must be {right} for this attempt"),
    ))
}
