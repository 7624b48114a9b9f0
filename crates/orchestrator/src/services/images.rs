//! Pictures as clients of OpenAI's API ask for them, and what they may name as a model.

use std::collections::BTreeSet;

use protocol::{
    OwnerId,
    generation::{Generation, LoraWeight},
    model::ModelVersion,
    openai::{DrawnWith, ImagesRequest, ModelEntry},
    problem::{FieldError, InvalidFields},
};
use store::{StoreError, bases, models};

use super::names;
use crate::{Orchestrator, ServiceError, ServiceResult};

impl Orchestrator {
    /// Queues the pictures of a request: all of them, or none. Errors name the fields of this request.
    pub async fn create_images(
        &self,
        owner: OwnerId,
        request: &ImagesRequest,
    ) -> ServiceResult<Vec<Generation>> {
        let with = self.drawn_with(owner, &request.model).await?;
        let generations = request.generations(&with)?;
        self.create_generations(owner, generations)
            .await
            .map_err(in_their_words)
    }

    /// What a request for pictures may name as its model.
    pub async fn image_models(&self, owner: OwnerId) -> ServiceResult<Vec<ModelEntry>> {
        let bases = self.base_models().await?;
        let taken: BTreeSet<&str> = bases.iter().map(|base| base.name.as_str()).collect();
        let mut entries: Vec<ModelEntry> = bases.iter().map(|base| ModelEntry::base(&base.name)).collect();
        let library = self.newest_approved(owner).await?;
        let library = library
            .into_iter()
            .filter(|version| !taken.contains(version.name.as_str()));
        entries.extend(library.map(|version| ModelEntry {
            created: version.created_at.timestamp(),
            base_model: Some(version.base_model),
            trigger_word: version.trigger_word,
            ..ModelEntry::base(&version.name)
        }));
        Ok(entries)
    }

    /// What a request for pictures may name as its model, by its name.
    pub async fn image_model(&self, owner: OwnerId, name: &str) -> ServiceResult<ModelEntry> {
        let entries = self.image_models(owner).await?;
        let found = entries.into_iter().find(|entry| entry.id == name);
        found.ok_or_else(|| ServiceError::NotFound {
            what: "model",
            id: name.to_owned(),
        })
    }

    /// What draws a picture with this model. A base model goes before a model of the library with the same name.
    async fn drawn_with(&self, owner: OwnerId, name: &str) -> ServiceResult<DrawnWith> {
        let bases = self.base_models().await?;
        if bases.iter().any(|base| base.name == name) {
            return Ok(DrawnWith {
                base_model: name.to_owned(),
                lora: None,
            });
        }
        let library = self.newest_approved(owner).await?;
        if let Some(version) = library.iter().find(|version| version.name == name) {
            return Ok(DrawnWith {
                base_model: version.base_model.clone(),
                lora: Some(LoraWeight {
                    model_version_id: version.id,
                    weight: 1.0,
                    partial: false,
                }),
            });
        }
        match bases::get(&self.store, name).await {
            // It is registered; this says what it waits for.
            Ok(_) => self.base_model(name).await.map_err(in_their_words)?,
            Err(StoreError::NotFound { .. }) => {
                return Err(ServiceError::field("model", self.unknown(owner, name).await?));
            }
            Err(err) => return Err(err.into()),
        };
        // It became usable just now.
        Ok(DrawnWith {
            base_model: name.to_owned(),
            lora: None,
        })
    }

    /// Why a name is that of no model, and which there are.
    async fn unknown(&self, owner: OwnerId, name: &str) -> ServiceResult<String> {
        let library = models::names(&self.store, owner).await?;
        if library.iter().any(|(_, known)| known == name) {
            return Ok(format!(
                "`{name}` has no approved version: promote one, or add a version to the prompt of its base model as \
                 <lora:{name}:1>"
            ));
        }
        let entries = self.image_models(owner).await?;
        let known = names(entries.iter().map(|entry| entry.id.as_str()));
        Ok(format!(
            "must be one of {known}, not `{}`",
            protocol::text::shown(name, 80)
        ))
    }

    /// The newest approved version of each of an owner's models, as far as its file is whole.
    async fn newest_approved(&self, owner: OwnerId) -> ServiceResult<Vec<ModelVersion>> {
        let approved = models::approved(&self.store).await?;
        let mut newest: Vec<ModelVersion> = Vec::new();
        for one in approved {
            let version = one.version;
            let is_known = newest
                .last()
                .is_some_and(|last| last.model_id == version.model_id);
            if one.owner == owner && !is_known && version.damage.is_none() {
                newest.push(version);
            }
        }
        Ok(newest)
    }
}

/// An error about a generation, as one about the request that it was made for.
fn in_their_words(err: ServiceError) -> ServiceError {
    let ServiceError::Invalid(InvalidFields(errors)) = err else {
        return err;
    };
    let errors = errors
        .into_iter()
        .map(|error| FieldError::new(ImagesRequest::field_of(&error.field), error.message));
    ServiceError::Invalid(InvalidFields(errors.collect()))
}
