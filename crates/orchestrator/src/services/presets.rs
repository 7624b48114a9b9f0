//! Users' own presets, and recipes in the formats of other trainers.

use protocol::{
    JobId, OwnerId, PresetId,
    audit::AuditAction,
    foreign::{self, Exported, Format, Imported},
    limits::MAX_OWN_PRESETS,
    parameters::{Engine, ParameterOverrides, Parameters},
    preset::Family,
    recipe::{CreateOwnPreset, OwnPreset, Recipe, RecipeRequest},
    text::checked_name,
};
use store::{
    Read, audit, jobs,
    own_presets::{self, NewPreset},
};

use crate::{Orchestrator, ServiceError, ServiceResult};

impl Orchestrator {
    /// An owner's presets, by name.
    pub async fn own_presets(&self, owner: OwnerId) -> ServiceResult<Vec<OwnPreset>> {
        Ok(own_presets::list(&self.store, owner).await?)
    }

    /// Keeps a preset: what a job was trained with, or what is given.
    pub async fn save_preset(&self, owner: OwnerId, request: CreateOwnPreset) -> ServiceResult<OwnPreset> {
        let tx = self.store.begin().await?;
        let new = self.new_preset(&tx, owner, request).await?;
        if own_presets::has(&tx, owner, &new.name).await? {
            return Err(ServiceError::field(
                "name",
                format!(
                    "`{}` is already the name of a preset: choose another, or delete that one",
                    new.name
                ),
            ));
        }
        if own_presets::count(&tx, owner).await? >= MAX_OWN_PRESETS as u64 {
            return Err(ServiceError::Conflict(format!(
                "there are {MAX_OWN_PRESETS} presets: delete one first"
            )));
        }
        let name = new.name.clone();
        let id = own_presets::create(&tx, owner, new).await?;
        audit::record(&tx, AuditAction::PresetSaved, &name, "").await?;
        let preset = own_presets::get(&tx, owner, id).await?;
        Ok(tx.commit_with(preset).await?)
    }

    async fn new_preset(
        &self,
        db: &impl Read,
        owner: OwnerId,
        request: CreateOwnPreset,
    ) -> ServiceResult<NewPreset> {
        let CreateOwnPreset {
            name,
            job_id,
            preset,
            family,
            parameters,
        } = request;
        let name = checked_name(&name)
            .map_err(|problem| ServiceError::field("name", problem))?
            .to_owned();
        let Some(job_id) = job_id else {
            let family = family.unwrap_or_default();
            let request = RecipeRequest {
                base_model: "base".to_owned(),
                name: "name".to_owned(),
                preset,
                overrides: parameters.clone(),
                ..RecipeRequest::default()
            };
            check(request, family)?;
            return Ok(NewPreset {
                name,
                preset,
                family,
                parameters,
            });
        };
        let recipe = jobs::get(db, owner, job_id).await.map_err(ServiceError::from);
        let recipe = recipe.map_err(|err| err.at("job_id"))?.recipe;
        // A base that was removed meanwhile tells nothing.
        let family = match family {
            Some(family) => family,
            None => (self.base(db, recipe.base_model()).await)
                .map_or_else(|_| Family::default(), |base| base.model.family),
        };
        let standard = Parameters::of(recipe.preset(), family);
        Ok(NewPreset {
            name,
            preset: recipe.preset(),
            family,
            parameters: ParameterOverrides::between(recipe.parameters(), &standard),
        })
    }

    /// Forgets a preset. Jobs that were made with it stay as they are.
    pub async fn delete_preset(&self, owner: OwnerId, id: PresetId) -> ServiceResult<()> {
        let tx = self.store.begin().await?;
        let preset = own_presets::get(&tx, owner, id).await?;
        own_presets::delete(&tx, owner, id).await?;
        audit::record(&tx, AuditAction::PresetDeleted, &preset.name, "").await?;
        tx.commit().await?;
        Ok(())
    }

    /// A job's recipe for another trainer.
    pub async fn export_recipe(&self, owner: OwnerId, id: JobId, format: Format) -> ServiceResult<Exported> {
        let job = jobs::get(&self.store, owner, id).await?;
        Ok(foreign::export(&job.recipe, format))
    }
}

/// Settings of another trainer, as a recipe.
pub fn import_recipe(text: &str) -> ServiceResult<Imported> {
    foreign::import(text).map_err(|err| ServiceError::field("text", err.to_string()))
}

/// Refuses hyperparameters that no engine takes; the native one says why.
fn check(request: RecipeRequest, family: Family) -> ServiceResult<()> {
    let of = |engine| {
        let request = RecipeRequest {
            engine,
            ..request.clone()
        };
        Recipe::resolve(request, family)
    };
    if of(Engine::Kohya).is_err() {
        of(Engine::Native)?;
    }
    Ok(())
}
