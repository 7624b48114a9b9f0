//! Base models as jobs and their owner see them: those that the program brings and those that were registered, and
//! where a machine gets them.

use std::path::Path;

use protocol::{
    OwnerId,
    agent::{BaseFile, BaseLocation, StoredFile},
    audit::AuditAction,
    base::{self, BaseCopy, BaseSource, BaseState, RegisterBase, RegisteredBase},
    job::BaseModel,
    preset::BaseClass,
    problem::chain,
    recipe::Recipe,
};
use store::{
    BlobKey, Read, StoreError, audit,
    bases::{self, NewBase},
    jobs,
    objects::UrlOptions,
};

use super::{FETCH_TIME, names};
use crate::{Orchestrator, ServiceError, ServiceResult, bases::places::By, providers::local};

/// A base model that can be used.
#[derive(Debug, Clone)]
pub(crate) struct Offered {
    pub(crate) model: BaseModel,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Fixed(BaseLocation),
    Registered(Box<bases::Base>),
}

impl Orchestrator {
    /// Base models that jobs can use.
    pub async fn base_models(&self) -> ServiceResult<Vec<BaseModel>> {
        self.usable_bases(&self.store).await
    }

    async fn usable_bases(&self, db: &impl Read) -> ServiceResult<Vec<BaseModel>> {
        let fixed = self.options.bases.iter().map(|base| base.model.clone());
        let registered = bases::list(db).await?;
        let registered = registered.iter().filter_map(|base| usable(base).ok());
        Ok(fixed.chain(registered).collect())
    }

    /// The base model of this name, for a request that has it as `base_model`.
    pub async fn base_model(&self, name: &str) -> ServiceResult<BaseModel> {
        let base = self.base(&self.store, name).await;
        base.map(|base| base.model).map_err(|err| err.at("base_model"))
    }

    /// The base model of this name; a conflict says what there is instead, or what it waits for.
    pub(crate) async fn base(&self, db: &impl Read, name: &str) -> ServiceResult<Offered> {
        if let Some(base) = self.options.bases.iter().find(|base| base.model.name == name) {
            return Ok(Offered {
                model: base.model.clone(),
                place: Place::Fixed(base.location.clone()),
            });
        }
        let base = match bases::get(db, name).await {
            Ok(base) => base,
            Err(StoreError::NotFound { .. }) => {
                let models = self.usable_bases(db).await?;
                let names = names(models.iter().map(|model| model.name.as_str()));
                return Err(ServiceError::Conflict(format!(
                    "must be one of {names}, not `{name}`"
                )));
            }
            Err(err) => return Err(err.into()),
        };
        Ok(Offered {
            model: usable(&base).map_err(ServiceError::Conflict)?,
            place: Place::Registered(Box::new(base)),
        })
    }

    /// How large a job's base model is, as far as it can be used.
    pub(crate) async fn class(&self, recipe: &Recipe) -> ServiceResult<BaseClass> {
        match self.base(&self.store, recipe.base_model()).await {
            Ok(base) => Ok(base.model.class),
            // The job says so when it starts.
            Err(ServiceError::Conflict(_)) => Ok(BaseClass::Sdxl),
            Err(err) => Err(err),
        }
    }

    /// Where a machine of this provider gets a base model; a conflict says what is missing.
    pub(crate) fn base_location(&self, base: &Offered, provider: &str) -> ServiceResult<BaseLocation> {
        let base = match &base.place {
            Place::Fixed(location) => return Ok(location.clone()),
            Place::Registered(base) => base,
        };
        if provider == local::NAME
            && let Some(path) = &base.place
        {
            // What was checked, wherever its links lead to by now.
            return Ok(BaseLocation::Path { path: path.clone() });
        }
        let files = base.files.iter().map(|file| {
            let sha256 = file.sha256.clone()?;
            let (url, is_foreign) = if base.copy == BaseCopy::Stored {
                let key = BlobKey::from_sha256(&sha256).ok()?;
                let objects = self.store.objects();
                (objects.get_url(&key, &UrlOptions::fetch(FETCH_TIME)), false)
            } else {
                (file.url.clone()?, true)
            };
            let file_size = file.size_bytes;
            Some(BaseFile {
                path: file.path.clone(),
                is_foreign,
                file: StoredFile {
                    url,
                    sha256,
                    size_bytes: file_size,
                },
            })
        });
        match files.collect::<Option<Vec<_>>>() {
            Some(files) if !files.is_empty() => Ok(BaseLocation::Files { files }),
            _ => Err(ServiceError::Conflict(format!(
                "`{}` is a file of the server's machine, which `{provider}` cannot read: copy it to the object store \
                     first (Settings, Base models), or register it by URL or Hugging Face id",
                base.name
            ))),
        }
    }

    /// Every base model that was registered, and how far it is.
    pub async fn registered_bases(&self) -> ServiceResult<Vec<RegisteredBase>> {
        let bases = bases::list(&self.store).await?;
        Ok(bases.into_iter().map(shown).collect())
    }

    /// Registers a base model; it is looked at and hashed from now on.
    pub async fn register_base(
        &self,
        owner: OwnerId,
        request: RegisterBase,
    ) -> ServiceResult<RegisteredBase> {
        let name = request.name.trim().to_owned();
        base::check_name(&name).map_err(|reason| ServiceError::field("name", reason))?;
        if self.options.bases.iter().any(|base| base.model.name == name) {
            return Err(ServiceError::field("name", format!("`{name}` is already in use")));
        }
        let source: BaseSource = request
            .source
            .parse()
            .map_err(|err: base::InvalidSource| ServiceError::field("source", err.to_string()))?;
        if let BaseSource::Path(path) = &source {
            if owner != self.store.default_owner() {
                return Err(ServiceError::field(
                    "source",
                    "only the owner of the installation may register files on its machine: use https://… or \
                         hf:OWNER/REPOSITORY",
                ));
            }
            let permitted = self.places.permit(Path::new(path), By::Request);
            permitted.map_err(|err| ServiceError::field("source", chain(&err)))?;
        }
        let tx = self.store.begin().await?;
        let shown_source = source.shown();
        let new = NewBase {
            name: name.clone(),
            source,
            from_settings: false,
            looked: None,
        };
        if !bases::insert(&tx, new).await? {
            return Err(ServiceError::field(
                "name",
                format!("the base model `{name}` already exists: remove it first, or choose another name"),
            ));
        }
        audit::record(
            &tx,
            AuditAction::BaseRegistered,
            &name,
            &format!("from {shown_source}"),
        )
        .await?;
        let base = shown(bases::get(&tx, &name).await?);
        let base = tx.commit_with(base).await?;
        tracing::info!(base = name, "base model registered");
        Ok(base)
    }

    /// Forgets a base model that no open job needs. Files that agents keep of it are dropped in time.
    pub async fn remove_base(&self, name: &str) -> ServiceResult<()> {
        let tx = self.store.begin().await?;
        if bases::get(&tx, name).await?.from_settings {
            return Err(ServiceError::Conflict(format!(
                "`{name}` is defined in the server's settings: remove it there, and restart the server"
            )));
        }
        let open = jobs::open(&tx).await?;
        if let Some(job) = open.iter().find(|job| job.recipe.base_model() == name) {
            return Err(ServiceError::Conflict(format!(
                "the job `{}` trains on `{name}`: cancel it first, or wait until it has ended",
                job.recipe.name()
            )));
        }
        bases::delete(&tx, name).await?;
        audit::record(&tx, AuditAction::BaseRemoved, name, "").await?;
        tx.commit().await?;
        tracing::info!(base = name, "base model removed");
        Ok(())
    }

    /// Looks at a base model and hashes it again.
    pub async fn check_base_again(&self, name: &str) -> ServiceResult<RegisteredBase> {
        let tx = self.store.begin().await?;
        let base = bases::get(&tx, name).await?;
        if base.state != BaseState::Checking {
            bases::check_again(&tx, base.id).await?;
        }
        audit::record(&tx, AuditAction::BaseChecked, name, "").await?;
        tx.commit().await?;
        Ok(shown(bases::get(&self.store, name).await?))
    }

    /// Copies a base model into the object store, from where every machine can fetch it.
    pub async fn copy_base(&self, name: &str) -> ServiceResult<RegisteredBase> {
        let tx = self.store.begin().await?;
        let base = bases::get(&tx, name).await?;
        if base.state != BaseState::Ready {
            return Err(ServiceError::Conflict(format!(
                "`{name}` is not checked yet: copy it when it is ready"
            )));
        }
        if matches!(base.copy, BaseCopy::None | BaseCopy::Failed) {
            bases::ask_for_copy(&tx, base.id).await?;
        }
        audit::record(&tx, AuditAction::BaseCopied, name, "").await?;
        tx.commit().await?;
        Ok(shown(bases::get(&self.store, name).await?))
    }

    /// Makes the bases of the settings those that stand in them now.
    pub async fn declare_bases(&self, wanted: Vec<NewBase>) -> ServiceResult<()> {
        let tx = self.store.begin().await?;
        bases::declare(&tx, wanted).await?;
        // Those that somebody registered before the settings named the folders that are open now.
        for base in bases::list(&tx).await? {
            if let BaseSource::Path(path) = &base.source {
                let is_open = base.from_settings || self.places.permit(Path::new(path), By::Request).is_ok();
                if base.state == BaseState::Ready && (base.place.is_none() || !is_open) {
                    bases::check_again(&tx, base.id).await?;
                }
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

/// What jobs see of a base, as far as it can be used at all.
fn usable(base: &bases::Base) -> Result<BaseModel, String> {
    let name = &base.name;
    if base.state == BaseState::Failed {
        let problem = base.problem.as_deref().unwrap_or("it failed its check");
        return Err(format!("the base model `{name}` cannot be used: {problem}"));
    }
    let is_here = base.place.is_some();
    match &base.facts {
        Some(facts) if is_here || base.is_hashed() => Ok(BaseModel {
            name: name.clone(),
            class: facts.class,
            native_resolution: facts.native_resolution,
            built_in: false,
        }),
        _ => Err(format!(
            "the base model `{name}` is still being checked: wait until it is ready"
        )),
    }
}

fn shown(base: bases::Base) -> RegisteredBase {
    let size_bytes = base.size_bytes();
    let is_stored = base.copy == BaseCopy::Stored;
    let is_fetchable = base.is_hashed() && (is_stored || base.files.iter().all(|file| file.url.is_some()));
    let sha256 = match base.files.as_slice() {
        [file] => file.sha256.clone(),
        _ => None,
    };
    RegisteredBase {
        source: base.source.shown(),
        name: base.name,
        from_settings: base.from_settings,
        state: base.state,
        problem: base.problem,
        class: base.facts.as_ref().map(|facts| facts.class),
        native_resolution: base.facts.as_ref().map(|facts| facts.native_resolution),
        prediction: base.facts.as_ref().and_then(|facts| facts.prediction),
        notes: base.facts.map(|facts| facts.notes).unwrap_or_default(),
        size_bytes: (size_bytes > 0).then_some(size_bytes),
        done_bytes: base.done_bytes,
        n_files: u32::try_from(base.files.len()).unwrap_or(u32::MAX),
        sha256,
        is_fetchable,
        copy: base.copy,
        created_at: base.created_at,
    }
}
