//! Base models as jobs and their owner see them: those that the program brings and those that were registered, and
//! where a machine gets them.

use std::path::Path;

use protocol::{
    OwnerId,
    agent::{BaseFile, BaseLocation, KnownOfBase, StoredFile},
    audit::AuditAction,
    base::{
        self, BaseCopy, BaseFacts, BaseSettings, BaseSource, BaseState, RegisterBase, RegisteredBase, Traces,
    },
    job::BaseModel,
    preset::{BaseClass, Family},
    problem::chain,
    recipe::Recipe,
};
use store::{
    BlobKey, Read, StoreError, audit,
    bases::{self, NewBase, Said},
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

/// What a base model asks of the machine that works with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BaseDemand {
    /// How large it is.
    pub(crate) class: BaseClass,
    /// Whether its owner says something about it that an agent has to heed.
    pub(crate) is_spoken_of: bool,
}

#[derive(Debug, Clone)]
enum Place {
    Fixed(BaseLocation),
    Registered(Box<bases::Base>),
}

impl Offered {
    pub(crate) fn demand(&self) -> BaseDemand {
        let is_spoken_of = match &self.place {
            Place::Fixed(_) => false,
            Place::Registered(base) => base.said != Said::default(),
        };
        BaseDemand {
            class: self.model.class,
            is_spoken_of,
        }
    }
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
        Ok(self.base_demand(&self.store, recipe.base_model()).await?.class)
    }

    /// What a base model asks of the machine that works with it, as far as it can be used.
    pub(super) async fn base_demand(&self, db: &impl Read, name: &str) -> ServiceResult<BaseDemand> {
        match self.base(db, name).await {
            Ok(base) => Ok(base.demand()),
            // The job says so when it starts.
            Err(ServiceError::Conflict(_)) => Ok(BaseDemand {
                class: BaseClass::Sdxl,
                is_spoken_of: false,
            }),
            Err(err) => Err(err),
        }
    }

    /// Where a machine of this provider gets a base model, and what it has to know of it; a conflict says what is
    /// missing.
    pub(crate) fn base_location(
        &self,
        base: &Offered,
        provider: &str,
    ) -> ServiceResult<(BaseLocation, KnownOfBase)> {
        let base = match &base.place {
            Place::Fixed(location) => return Ok((location.clone(), KnownOfBase::default())),
            Place::Registered(base) => base,
        };
        let (vae, own): (Vec<_>, Vec<_>) = base.files.iter().partition(|file| file.is_vae);
        let at = |place: &Option<String>, files: &[&bases::File]| {
            if provider == local::NAME
                && let Some(path) = place
            {
                // What was checked, wherever its links lead to by now.
                return Some(BaseLocation::Path { path: path.clone() });
            }
            let files = files.iter().map(|file| self.fetchable(base, file));
            let files = files
                .collect::<Option<Vec<_>>>()
                .filter(|files| !files.is_empty())?;
            Some(BaseLocation::Files { files })
        };
        let unreachable = |what: &str| {
            ServiceError::Conflict(format!(
                "{what} is a file of the server's machine, which `{provider}` cannot read: copy it to the object store \
                 first (Settings, Base models), or register it by URL or Hugging Face id"
            ))
        };
        let location = at(&base.place, &own).ok_or_else(|| unreachable(&format!("`{}`", base.name)))?;
        let vae = match &base.said.vae {
            Some(_) => Some(
                at(&base.vae_place, &vae)
                    .ok_or_else(|| unreachable(&format!("the VAE of `{}`", base.name)))?,
            ),
            None => None,
        };
        let known = KnownOfBase {
            prediction: base.said.prediction,
            vae,
            measured: base.measured.clone(),
        };
        Ok((location, known))
    }

    /// A file that machines download.
    fn fetchable(&self, base: &bases::Base, file: &bases::File) -> Option<BaseFile> {
        let sha256 = file.sha256.clone()?;
        let (url, is_foreign) = if base.is_stored(file) {
            let key = BlobKey::from_sha256(&sha256).ok()?;
            let objects = self.store.objects();
            (objects.get_url(&key, &UrlOptions::fetch(FETCH_TIME)), false)
        } else {
            (file.url.clone()?, true)
        };
        Some(BaseFile {
            path: file.path.clone(),
            is_foreign,
            file: StoredFile {
                url,
                sha256,
                size_bytes: file.size_bytes,
            },
        })
    }

    /// Every base model that was registered, and how far it is.
    pub async fn registered_bases(&self) -> ServiceResult<Vec<RegisteredBase>> {
        let bases = bases::list(&self.store).await?;
        Ok(bases.into_iter().map(shown_base).collect())
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
        self.permit(owner, "source", &source)?;
        let settings = BaseSettings {
            prediction: request.prediction,
            vae: request.vae,
        };
        let said = self.said(owner, &settings)?;
        let tx = self.store.begin().await?;
        let (said, files) = match &source {
            BaseSource::Edit(edit) => {
                let (file, before) = self.merged_base(&tx, owner, *edit).await?;
                let is_open = |vae: &BaseSource| self.permit(owner, "vae", vae).is_ok();
                let said = Said {
                    prediction: said.prediction.or(before.prediction),
                    vae: said.vae.or(before.vae.filter(is_open)),
                };
                (said, vec![file])
            }
            BaseSource::Path(_) | BaseSource::Url { .. } | BaseSource::Hub { .. } => (said, Vec::new()),
        };
        let shown_source = source.shown();
        let new = NewBase {
            name: name.clone(),
            source,
            said,
            from_settings: false,
            looked: None,
            files,
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
        let base = shown_base(bases::get(&tx, &name).await?);
        let base = tx.commit_with(base).await?;
        tracing::info!(base = name, "base model registered");
        Ok(base)
    }

    /// Whether this owner may name a source.
    fn permit(&self, owner: OwnerId, field: &'static str, source: &BaseSource) -> ServiceResult<()> {
        let BaseSource::Path(path) = source else {
            return Ok(());
        };
        if owner != self.store.default_owner() {
            return Err(ServiceError::field(
                field,
                "only the owner of the installation may register files on its machine: use https://… or \
                     hf:OWNER/REPOSITORY",
            ));
        }
        let permitted = self.places.permit(Path::new(path), By::Request);
        permitted.map_err(|err| ServiceError::field(field, chain(&err)))
    }

    /// What an owner says about a base model.
    fn said(&self, owner: OwnerId, settings: &BaseSettings) -> ServiceResult<Said> {
        let text = settings
            .vae
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty());
        let vae = text
            .map(base::vae_source)
            .transpose()
            .map_err(|reason| ServiceError::field("vae", reason))?;
        if let Some(vae) = &vae {
            self.permit(owner, "vae", vae)?;
        }
        Ok(Said {
            prediction: settings.prediction,
            vae,
        })
    }

    /// Changes what is said about a base model, whatever its files say; it is checked again.
    pub async fn set_base(
        &self,
        owner: OwnerId,
        name: &str,
        settings: BaseSettings,
    ) -> ServiceResult<RegisteredBase> {
        let tx = self.store.begin().await?;
        let base = bases::get(&tx, name).await?;
        if base.from_settings {
            return Err(ServiceError::Conflict(format!(
                "`{name}` is defined in the server's settings: set its prediction and VAE there, and restart the server"
            )));
        }
        // Addresses are shown without their secrets: what was shown stands for what there is.
        let shown = base.said.vae.as_ref().map(BaseSource::shown);
        let said = if settings.vae.is_some() && settings.vae == shown {
            Said {
                prediction: settings.prediction,
                vae: base.said.vae.clone(),
            }
        } else {
            self.said(owner, &settings)?
        };
        if said != base.said {
            bases::say(&tx, base.id, &said).await?;
        }
        let detail = format!(
            "prediction: {}, VAE: {}",
            said.prediction
                .map_or("what its files say", |prediction| prediction.describe()),
            said.vae
                .as_ref()
                .map_or_else(|| "its own".to_owned(), BaseSource::shown)
        );
        audit::record(&tx, AuditAction::BaseSet, name, &detail).await?;
        tx.commit().await?;
        Ok(shown_base(bases::get(&self.store, name).await?))
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
        Ok(shown_base(bases::get(&self.store, name).await?))
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
        Ok(shown_base(bases::get(&self.store, name).await?))
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
    let is_here = base.place.is_some() && (base.said.vae.is_none() || base.vae_place.is_some());
    match &base.facts {
        Some(facts) if is_here || base.is_hashed() => {
            let (family, family_reason) = family(base, facts);
            Ok(BaseModel {
                name: name.clone(),
                class: facts.class,
                family,
                family_reason,
                native_resolution: facts.native_resolution,
                built_in: false,
                prediction: facts.prediction,
                notes: notes(base),
            })
        }
        _ => Err(format!(
            "the base model `{name}` is still being checked: wait until it is ready"
        )),
    }
}

/// Which base models are trained like this one, and what tells it.
fn family(base: &bases::Base, facts: &BaseFacts) -> (Family, String) {
    let own: Vec<_> = base.files.iter().filter(|file| !file.is_vae).collect();
    let sha256 = match own.as_slice() {
        [file] => file.sha256.as_deref(),
        _ => None,
    };
    let source = base.source.shown();
    let title = facts.title.as_deref();
    let traces = Traces {
        class: Some(facts.class),
        prediction: facts.prediction,
        sha256,
        names: title
            .into_iter()
            .chain([base.name.as_str(), source.as_str()])
            .collect(),
    };
    traces.family()
}

/// What one should know before using a base: what its files say, and what contradicts what it was measured to do.
fn notes(base: &bases::Base) -> Vec<String> {
    let Some(facts) = &base.facts else {
        return Vec::new();
    };
    let contradiction = base.measured.as_ref().zip(facts.prediction);
    let contradiction =
        contradiction.and_then(|(measured, taken)| measured.contradiction(taken, facts.said_by.as_deref()));
    facts.notes.iter().cloned().chain(contradiction).collect()
}

fn shown_base(base: bases::Base) -> RegisteredBase {
    let size_bytes = base.size_bytes();
    let is_anywhere = |file: &bases::File| file.url.is_some() || base.is_stored(file);
    let is_fetchable = base.is_hashed() && base.files.iter().all(is_anywhere);
    let own: Vec<_> = base.files.iter().filter(|file| !file.is_vae).collect();
    let sha256 = match own.as_slice() {
        [file] => file.sha256.clone(),
        _ => None,
    };
    RegisteredBase {
        source: base.source.shown(),
        notes: notes(&base),
        n_files: u32::try_from(own.len()).unwrap_or(u32::MAX),
        name: base.name,
        from_settings: base.from_settings,
        state: base.state,
        problem: base.problem,
        class: base.facts.as_ref().map(|facts| facts.class),
        native_resolution: base.facts.as_ref().map(|facts| facts.native_resolution),
        prediction: base.facts.as_ref().and_then(|facts| facts.prediction),
        said_by: base.facts.and_then(|facts| facts.said_by),
        settings: BaseSettings {
            prediction: base.said.prediction,
            vae: base.said.vae.as_ref().map(BaseSource::shown),
        },
        measured: base.measured,
        size_bytes: (size_bytes > 0).then_some(size_bytes),
        done_bytes: base.done_bytes,
        sha256,
        is_fetchable,
        copy: base.copy,
        created_at: base.created_at,
    }
}
