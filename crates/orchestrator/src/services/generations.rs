//! Generations: as their owner asks for them, and as an agent hands them in.

use protocol::{
    GenerationId, OwnerId,
    agent::{Finish, GenerateWork},
    audit::AuditAction,
    generation::{CreateGeneration, Generation, GenerationPhase},
    library,
    phase::Outcome,
    preset::BaseClass,
    problem::{FieldError, InvalidFields},
};
use store::{
    StoreError, Tx,
    attempts::{self, Attempt, Subject},
    audit,
    generations::{self, GenerationEnd, GenerationState},
    models,
};

use super::{
    artifacts::stored,
    drawing::check_session,
    models::usable_version,
    prompts::{field_of_lora, resolve},
    reports::reason,
    workers::lost_generation,
};
use crate::{Orchestrator, ServiceError, ServiceResult};

/// A random seed is one that JavaScript can hold exactly: below 2^53.
const SEED_BITS: u32 = 53;

/// An agent that claims or ends a generation gets in the way of ending it once or twice, not forever.
const MAX_RACES: usize = 5;

impl Orchestrator {
    /// The name of a generation's picture for downloads: LoRAs, seed, and the end of its id.
    pub async fn picture_file_name(&self, owner: OwnerId, id: GenerationId) -> ServiceResult<String> {
        let generation = generations::get(&self.store, owner, id).await?;
        let mut loras = Vec::new();
        for lora in &generation.request.loras {
            // One at weight 0 changes nothing.
            if lora.weight == 0.0 {
                continue;
            }
            match models::version(&self.store, owner, lora.model_version_id).await {
                Ok(version) => loras.push((version.name, version.version)),
                Err(StoreError::NotFound { .. }) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Ok(library::picture_file_name(id, &generation.request, &loras))
    }

    /// Fills in seed and size, finds the LoRAs that the prompt names, checks them, and queues the generation.
    pub async fn create_generation(
        &self,
        owner: OwnerId,
        request: CreateGeneration,
    ) -> ServiceResult<Generation> {
        let prepared = self.prepare(owner, request).await?;
        let tx = self.store.begin().await?;
        let generation = queue(&tx, owner, &prepared).await?;
        let generation = tx.commit_with(generation).await?;
        tracing::info!(generation.id = %generation.id, "generation queued");
        Ok(generation)
    }

    /// The same for several: all are queued, or none.
    pub async fn create_generations(
        &self,
        owner: OwnerId,
        requests: Vec<CreateGeneration>,
    ) -> ServiceResult<Vec<Generation>> {
        let mut prepared = Vec::with_capacity(requests.len());
        for request in requests {
            prepared.push(self.prepare(owner, request).await?);
        }
        let tx = self.store.begin().await?;
        let mut generations = Vec::with_capacity(prepared.len());
        for prepared in &prepared {
            generations.push(queue(&tx, owner, prepared).await?);
        }
        let generations = tx.commit_with(generations).await?;
        tracing::info!(n_generations = generations.len(), "generations queued");
        Ok(generations)
    }

    /// Ends a generation that nobody waits for any more: an agent that draws it finds its attempt gone and stops. One that
    /// has ended stays as it is.
    pub async fn abandon_generation(&self, id: GenerationId, reason: &str) -> ServiceResult<()> {
        for _ in 0..MAX_RACES {
            let tx = self.store.begin().await?;
            // The attempt first, which is the order in which agents hold both.
            let attempt = attempts::alive_of(&tx, Subject::Generation(id)).await?;
            if let Some(attempt) = &attempt {
                match attempts::end(&tx, attempt, Outcome::Cancelled, Some(reason.to_owned())).await {
                    Err(StoreError::Stale { .. }) => continue,
                    ended => ended?,
                }
            }
            let phase = generations::state(&tx, id).await?.phase;
            if phase.is_ended() {
                return Ok(());
            }
            if phase == GenerationPhase::Running && attempt.is_none() {
                // It was claimed in between.
                continue;
            }
            generations::abandon(&tx, id, reason).await?;
            tx.commit().await?;
            tracing::info!(generation.id = %id, reason, "generation abandoned");
            return Ok(());
        }
        Err(ServiceError::Conflict(
            "the generation changed hands while it was being ended: try again".to_owned(),
        ))
    }

    /// What a request is before anything is written.
    async fn prepare(&self, owner: OwnerId, mut request: CreateGeneration) -> ServiceResult<Prepared> {
        request.validate()?;
        let base = self.base_model(&request.base_model).await?;
        let side = base.native_resolution;
        request.width.get_or_insert(side);
        request.height.get_or_insert(side);
        request.seed.get_or_insert_with(random_seed);
        let n_given = request.loras.len();
        let wrong = resolve(&self.store, owner, &mut request).await?;
        if !wrong.is_empty() {
            return Err(InvalidFields(wrong).into());
        }
        for (index, lora) in request.loras.iter().enumerate() {
            self.check_whole_version(owner, &field_of_lora(index, n_given), lora.model_version_id)
                .await?;
        }
        if let Some(session) = request.drawing_session_id {
            let session = check_session(&self.store, owner, session).await?;
            let base = self.base(&self.store, &request.base_model).await?;
            self.base_location(&base, &session.provider)
                .map_err(|err| err.at("base_model"))?;
        }
        Ok(Prepared {
            request,
            class: base.class,
            n_given,
        })
    }

    /// What an agent of this provider is told to do; a conflict says what is missing.
    pub(super) async fn generate_work(
        &self,
        tx: &Tx,
        generation: &GenerationState,
        provider: &str,
    ) -> ServiceResult<GenerateWork> {
        let unfilled = || StoreError::Corrupt {
            what: "generations.request",
            detail: "seed and size are not filled in".to_owned(),
        };
        let mut request = generation.request.filled_in().ok_or_else(unfilled)?;
        let base = self.base(tx, &request.base_model).await?;
        let (base, base_known) = self.base_location(&base, provider)?;
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
}

/// A request with seed and size, and the LoRAs that its prompt names.
struct Prepared {
    request: CreateGeneration,
    /// The size of its base model.
    class: BaseClass,
    /// LoRAs that the request had beside those of its prompt.
    n_given: usize,
}

/// Checks the LoRAs of a request and queues it.
async fn queue(tx: &Tx, owner: OwnerId, prepared: &Prepared) -> ServiceResult<Generation> {
    let Prepared {
        request,
        class,
        n_given,
    } = prepared;
    let mut errors = Vec::new();
    for (index, lora) in request.loras.iter().enumerate() {
        let field = field_of_lora(index, *n_given);
        let version = match usable_version(tx, owner, &field, lora.model_version_id).await? {
            Ok(version) => version,
            Err(wrong) => {
                errors.push(wrong);
                continue;
            }
        };
        let name = version.base_model;
        match version.imported {
            // It fits every base model of its class, and nobody here knows which one it was trained on.
            Some(imported) if imported.base_class != *class => errors.push(FieldError::new(
                field,
                format!("is for base models of the size of `{name}`: use one of them"),
            )),
            None if name != request.base_model => errors.push(FieldError::new(
                field,
                format!("was trained on `{name}`: use that base model"),
            )),
            Some(_) | None => {}
        }
    }
    if !errors.is_empty() {
        return Err(InvalidFields(errors).into());
    }
    if let Some(session) = request.drawing_session_id {
        // It may have ended meanwhile.
        check_session(tx, owner, session).await?;
    }
    let id = generations::create(tx, owner, request).await?;
    audit::record(tx, AuditAction::GenerationMade, &id.to_string(), "").await?;
    Ok(generations::get(tx, owner, id).await?)
}

/// Ends an attempt of a generation.
pub(super) async fn finish_generation(tx: &Tx, attempt: &Attempt, finish: Finish) -> ServiceResult<()> {
    let Subject::Generation(id) = attempt.subject else {
        return Err(ServiceError::Forbidden);
    };
    let end = match (finish.outcome, finish.picture) {
        (Outcome::Completed, Some(picture)) => {
            GenerationEnd::Picture(stored(tx, attempt, "picture", picture).await?.id)
        }
        (Outcome::Completed, None) => {
            return Err(ServiceError::field(
                "picture",
                "must be given when the outcome is `completed`",
            ));
        }
        (Outcome::Failed, _) => GenerationEnd::Failed(reason(finish.detail.clone())),
        _ => lost_generation(attempt),
    };
    attempts::end(tx, attempt, finish.outcome, finish.detail).await?;
    generations::end_attempt(tx, id, end).await?;
    Ok(())
}

fn random_seed() -> u64 {
    rand::random::<u64>() >> (64 - SEED_BITS)
}
