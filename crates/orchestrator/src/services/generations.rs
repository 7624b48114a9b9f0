//! Generations, as their owner asks for them.

use std::collections::BTreeSet;

use protocol::{
    OwnerId,
    audit::AuditAction,
    generation::{CreateGeneration, Generation},
    model::{ModelVersion, Stage},
    problem::{FieldError, InvalidFields},
};
use store::{StoreError, audit, generations, models};

use super::prompts::{field_of_lora, resolve};
use crate::{Orchestrator, ServiceResult};

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
            // That there is none is said below, with everything else that is wrong.
            if let Ok(file) = models::file(&self.store, owner, lora.model_version_id).await {
                let whole = self.check_whole(BTreeSet::from([file.key])).await;
                whole.map_err(|err| err.at(&field_of_lora(index, n_given)))?;
            }
        }
        let tx = self.store.begin().await?;
        let mut errors = Vec::new();
        for (index, lora) in request.loras.iter().enumerate() {
            let field = field_of_lora(index, n_given);
            match models::version(&tx, owner, lora.model_version_id).await {
                Ok(version) if version.stage == Stage::Retired => {
                    errors.push(FieldError::new(
                        field,
                        "this model version is retired: choose another",
                    ));
                }
                // It fits every base model of its class, and nobody here knows which one it was trained on.
                Ok(ModelVersion {
                    imported: Some(imported),
                    base_model: name,
                    ..
                }) => {
                    if imported.base_class != base.class {
                        errors.push(FieldError::new(
                            field,
                            format!("is for base models of the size of `{name}`: use one of them"),
                        ));
                    }
                }
                Ok(version) if version.base_model != request.base_model => {
                    let trained_on = version.base_model;
                    errors.push(FieldError::new(
                        field,
                        format!("was trained on `{trained_on}`: use that base model"),
                    ));
                }
                Ok(_) => {}
                Err(StoreError::NotFound { .. }) => {
                    let id = lora.model_version_id;
                    errors.push(FieldError::new(
                        field,
                        format!("there is no model version `{id}`"),
                    ));
                }
                Err(err) => return Err(err.into()),
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
}

fn random_seed() -> u64 {
    rand::random::<u64>() >> (64 - SEED_BITS)
}
