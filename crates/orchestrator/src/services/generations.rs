//! Generations: as their owner asks for them, and as an agent hands them in.

use protocol::{
    OwnerId,
    agent::{Finish, GenerateWork},
    audit::AuditAction,
    generation::{CreateGeneration, Generation},
    phase::Outcome,
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
    models::usable_version,
    prompts::{field_of_lora, resolve},
    reports::reason,
    workers::lost_generation,
};
use crate::{Orchestrator, ServiceError, ServiceResult};

/// A random seed is one that JavaScript can hold exactly: below 2^53.
const SEED_BITS: u32 = 53;

impl Orchestrator {
    /// Fills in seed and size, finds the LoRAs that the prompt names, checks them, and queues the generation.
    pub async fn create_generation(
        &self,
        owner: OwnerId,
        mut request: CreateGeneration,
    ) -> ServiceResult<Generation> {
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
        let tx = self.store.begin().await?;
        let mut errors = Vec::new();
        for (index, lora) in request.loras.iter().enumerate() {
            let field = field_of_lora(index, n_given);
            let version = match usable_version(&tx, owner, &field, lora.model_version_id).await? {
                Ok(version) => version,
                Err(wrong) => {
                    errors.push(wrong);
                    continue;
                }
            };
            let name = version.base_model;
            match version.imported {
                // It fits every base model of its class, and nobody here knows which one it was trained on.
                Some(imported) if imported.base_class != base.class => errors.push(FieldError::new(
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
        let id = generations::create(&tx, owner, &request).await?;
        audit::record(&tx, AuditAction::GenerationMade, &id.to_string(), "").await?;
        let generation = generations::get(&tx, owner, id).await?;
        let generation = tx.commit_with(generation).await?;
        tracing::info!(generation.id = %id, "generation queued");
        Ok(generation)
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
