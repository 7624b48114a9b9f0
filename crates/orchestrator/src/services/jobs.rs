//! Creating and controlling jobs, for their owner.

use dataset::{caption::rules::CaptionRules, epoch::Epoch};
use protocol::{
    DatasetId, DatasetVersionId, JobId, MicroUsd, ModelVersionId, OwnerId,
    audit::AuditAction,
    dataset::{Manifest, ManifestItem, Showing},
    job::{CreateJob, Job, PRIORITIES},
    limits::MAX_PROMPT_CHARS,
    preset::BaseClass,
    problem::{FieldError, InvalidFields},
    recipe::{Engine, Recipe, RecipeRequest, steps_of_epochs},
    sample::SamplePrompt,
    spend::{RentalWish, ResumeJob},
    text::checked_note,
};
use store::{
    Read, artifacts,
    audit::{self, named},
    datasets,
    jobs::{self, NewJob, Requested},
    models,
};

use super::{
    POOL, apply,
    damage::nothing_left,
    models::usable_version,
    pricing::{Order, check_order, check_rental},
    prompts::check_prompts,
    spend::check_limit,
};
use crate::{Orchestrator, ServiceError, ServiceResult, disk::WAITS, lifecycle::Input};

/// Preview prompts that are taken from the dataset when none are given.
const N_DEFAULT_PROMPTS: usize = 2;

/// What a job would be.
#[derive(Debug, Clone)]
pub(super) struct JobPlan {
    /// The fully resolved configuration.
    pub(super) recipe: Recipe,
    /// How large its base model is.
    pub(super) class: BaseClass,
    /// Whether its owner says something about the base model that an agent has to heed.
    pub(super) is_base_spoken_of: bool,
    /// The pictures, split into those trained on and those held out.
    pub(super) manifest: Manifest,
}

impl Orchestrator {
    /// What a job would be, without making it.
    pub(super) async fn plan(
        &self,
        db: &impl Read,
        owner: OwnerId,
        request: &CreateJob,
    ) -> ServiceResult<JobPlan> {
        self.check_provider(&request.provider, request.engine)?;
        if !PRIORITIES.contains(&request.priority) {
            return Err(ServiceError::field(
                "priority",
                format!(
                    "must be from {} to {}, not {}",
                    PRIORITIES.start(),
                    PRIORITIES.end(),
                    request.priority
                ),
            ));
        }
        checked_note(request.note.as_deref().unwrap_or_default())
            .map_err(|problem| ServiceError::field("note", problem))?;
        check_order(&Order::of(request))?;
        let manifest = read_manifest(db, owner, request.dataset_id).await?;
        let wrong = |err: ServiceError| err.at("base_model");
        let base = self.base(db, &request.base_model).await.map_err(wrong)?;
        self.base_location(&base, &request.provider).map_err(wrong)?;
        let class = base.model.class;
        let family = request.family.unwrap_or(base.model.family);
        check_prompts(&request.sample_prompts)?;
        if let Some(version) = request.start_from {
            self.check_start(db, owner, version, class).await?;
        }
        let mut wish = RecipeRequest {
            engine: request.engine,
            base_model: request.base_model.clone(),
            name: request.name.clone(),
            trigger_word: request.trigger_word.clone(),
            preset: request.preset,
            overrides: request.parameters.clone(),
            sample_prompts: request.sample_prompts.clone(),
            start_from: request.start_from,
        };
        if let Some(n_epochs) = request.n_epochs {
            // How many steps an epoch has follows from the batch size, which may be the preset's.
            let recipe = Recipe::resolve(wish.clone(), family)?;
            let epoch = Epoch::of(&manifest.items, recipe.parameters());
            let n_steps = steps_of_epochs(n_epochs, epoch.n_steps, &wish.overrides)?;
            wish.overrides.n_steps = Some(i64::from(n_steps));
        }
        let mut recipe = Recipe::resolve(wish.clone(), family)?;
        if wish.sample_prompts.is_empty() {
            wish.sample_prompts = default_prompts(&manifest, &recipe);
            check_prompts(&wish.sample_prompts)?;
            recipe = Recipe::resolve(wish, family)?;
        }
        if let Some(prediction) = base.model.prediction {
            let misfits = prediction
                .misfits(request.engine, recipe.parameters())
                .into_iter();
            let wrong: Vec<FieldError> = misfits
                .map(|misfit| FieldError::new(misfit.field, misfit.reason))
                .collect();
            if !wrong.is_empty() {
                return Err(InvalidFields(wrong).into());
            }
        }
        Ok(JobPlan {
            recipe,
            class,
            is_base_spoken_of: base.demand().is_spoken_of,
            manifest,
        })
    }

    /// Checks that a training on base models of this size may go on from a LoRA. Whether its kind, ranks and layers fit
    /// is seen when its file is read.
    async fn check_start(
        &self,
        db: &impl Read,
        owner: OwnerId,
        id: ModelVersionId,
        class: BaseClass,
    ) -> ServiceResult<()> {
        let version = usable_version(db, owner, "start_from", id).await?;
        let version = version.map_err(|wrong| InvalidFields(vec![wrong]))?;
        let trained_on = match &version.imported {
            Some(imported) => Some(imported.base_class),
            // That base model may be gone; then nobody here knows its size.
            None => self
                .base(db, &version.base_model)
                .await
                .ok()
                .map(|base| base.model.class),
        };
        if trained_on.is_some_and(|of| of != class) {
            let problem = format!(
                "is for base models of the size of `{}`: choose another",
                version.base_model
            );
            return Err(ServiceError::field("start_from", problem));
        }
        Ok(())
    }

    /// Freezes the dataset, resolves the recipe and queues the job.
    pub async fn create_job(&self, owner: OwnerId, request: CreateJob) -> ServiceResult<Job> {
        // The provider is asked before the transaction, which must not wait for it.
        let seen = self.plan(&self.store, owner, &request).await?;
        self.check_rental(owner, &request, &seen).await?;
        self.check_pool(owner, &Order::of(&request), &seen, false).await?;
        let whole = self.check_pictures(&seen.manifest).await;
        whole.map_err(|err| err.at("dataset_id"))?;
        let tx = self.store.begin().await?;
        // What the transaction sees counts: captions may have changed meanwhile.
        let JobPlan { recipe, manifest, .. } = self.plan(&tx, owner, &request).await?;
        let CreateJob {
            dataset_id,
            provider,
            priority,
            project,
            note,
            rental,
            limit_micro_usd: limit,
            ..
        } = request;
        let rental = self.keeps_wish(&provider).then_some(rental);
        let manifest = datasets::freeze(&tx, dataset_id, manifest).await?;
        let name = recipe.name().to_owned();
        let new = NewJob {
            owner,
            dataset_id,
            dataset_version_id: manifest.id,
            recipe,
            provider,
            priority,
            project: project.map(|project| project.trim().to_owned()),
            note: note
                .map(|note| note.trim().to_owned())
                .filter(|note| !note.is_empty()),
            rental,
            limit,
        };
        let id = jobs::insert(&tx, new).await?;
        if self.disk.is_short() {
            jobs::put_off(&tx, id, WAITS, store::now()).await?;
        }
        audit::record(&tx, AuditAction::JobMade, &named(&name, id), &costing(limit)).await?;
        let job = jobs::get(&tx, owner, id).await?;
        let job = tx.commit_with(job).await?;
        tracing::info!(job.id = %id, "job queued");
        Ok(job)
    }

    /// Ends a job without keeping anything.
    pub async fn cancel_job(&self, owner: OwnerId, id: JobId) -> ServiceResult<Job> {
        self.request(owner, id, Requested::Cancel, Input::CancelRequested)
            .await
    }

    /// Ends a job with a checkpoint, to be resumed later.
    pub async fn stop_job(&self, owner: OwnerId, id: JobId) -> ServiceResult<Job> {
        self.request(owner, id, Requested::Stop, Input::StopRequested)
            .await
    }

    async fn request(
        &self,
        owner: OwnerId,
        id: JobId,
        requested: Requested,
        input: Input,
    ) -> ServiceResult<Job> {
        let tx = self.store.begin().await?;
        let state = jobs::state(&tx, id).await?;
        let job = jobs::get(&tx, owner, id).await?;
        let done_already = matches!(
            (requested, job.phase),
            (Requested::Cancel, protocol::phase::Phase::Cancelled)
                | (Requested::Stop, protocol::phase::Phase::Stopped)
        );
        if done_already {
            return Ok(job);
        }
        jobs::request(&tx, id, Some(requested)).await?;
        apply(&tx, &state, input, None).await?;
        let action = match requested {
            Requested::Cancel => AuditAction::JobCancelled,
            Requested::Stop => AuditAction::JobStopped,
        };
        audit::record(&tx, action, &named(job.recipe.name(), id), "").await?;
        tx.commit().await?;
        tracing::info!(job.id = %id, ?requested, "end of job requested");
        Ok(jobs::get(&self.store, owner, id).await?)
    }

    /// Queues a stopped or failed job again; it goes on from its newest checkpoint, on another provider if requested.
    /// A new limit includes what was already spent.
    pub async fn resume_job(&self, owner: OwnerId, id: JobId, request: ResumeJob) -> ServiceResult<Job> {
        let ResumeJob {
            limit_micro_usd: limit,
            provider,
            rental,
        } = request;
        let rental = rental.unwrap_or_default();
        check_limit(limit)?;
        check_rental(&rental)?;
        let seen = jobs::get(&self.store, owner, id).await?;
        let provider = provider.filter(|provider| *provider != seen.provider);
        if let Some(provider) = &provider {
            // The provider is asked before the transaction, which must not wait for it.
            self.check_move(owner, &seen, provider, &rental, limit).await?;
        }
        let version = jobs::state(&self.store, id).await?.dataset_version_id;
        let manifest = datasets::manifest(&self.store, version).await?;
        self.check_pictures(&manifest).await?;
        let tx = self.store.begin().await?;
        let state = jobs::state(&tx, id).await?;
        let job = jobs::get(&tx, owner, id).await?;
        if job.model_version_id.is_some() {
            return Err(ServiceError::Conflict(
                "this job has finished training: create a new one".to_owned(),
            ));
        }
        if let Some(version) = state.recipe.start_from() {
            // Deleted with all of its rows since; better said now than to the machine.
            models::file(&tx, owner, version).await?;
        }
        let spent = job.spend.spent_micro_usd + job.spend.reserved_micro_usd;
        if let Some(limit) = limit {
            if limit <= spent {
                return Err(ServiceError::field(
                    "limit_micro_usd",
                    format!("must be more than {spent}, which is already spent"),
                ));
            }
            jobs::set_limit(&tx, id, limit).await?;
        }
        apply(&tx, &state, Input::Resume, None).await?;
        jobs::forgive(&tx, id).await?;
        if job.version_of.is_some() {
            if artifacts::newest_checkpoint(&tx, id).await?.is_none() {
                // Before a machine is rented for it.
                return Err(ServiceError::Conflict(nothing_left(state.checkpoint_step)));
            }
            jobs::request_finish(&tx, id).await?;
        }
        if let Some(provider) = &provider {
            let rental = self.keeps_wish(provider).then_some(&rental);
            jobs::move_to(&tx, id, provider, rental).await?;
        }
        let subject = named(job.recipe.name(), id);
        audit::record(&tx, AuditAction::JobResumed, &subject, &costing(limit)).await?;
        let job = jobs::get(&tx, owner, id).await?;
        let job = tx.commit_with(job).await?;
        tracing::info!(job.id = %id, provider, "job resumed");
        Ok(job)
    }

    /// Refuses another provider that does not exist or could not train the job.
    pub(super) async fn check_move(
        &self,
        owner: OwnerId,
        job: &Job,
        provider: &str,
        rental: &RentalWish,
        limit: Option<MicroUsd>,
    ) -> ServiceResult<()> {
        let recipe = job.recipe.clone();
        self.check_provider(provider, recipe.engine())?;
        let wrong = |err: ServiceError| err.at("provider");
        let base = self.base(&self.store, recipe.base_model()).await.map_err(wrong)?;
        self.base_location(&base, provider).map_err(wrong)?;
        let order = Order {
            provider,
            rental,
            limit: limit.or(job.spend.limit_micro_usd),
            project: job.project.as_deref(),
        };
        check_order(&order)?;
        let manifest = datasets::manifest(&self.store, job.dataset_version_id).await?;
        let plan = JobPlan {
            recipe,
            class: base.model.class,
            is_base_spoken_of: base.demand().is_spoken_of,
            manifest,
        };
        self.check_affordable(owner, &order, &plan).await?;
        let finishes = job.is_finishing || job.version_of.is_some();
        self.check_pool(owner, &order, &plan, finishes).await
    }

    fn check_provider(&self, name: &str, engine: Engine) -> ServiceResult<()> {
        let free = self.provider(name);
        if free.is_none() && self.rental(name).is_none() && name != POOL {
            let free = self.options.providers.iter().map(|provider| provider.name());
            let rented = self.rentals.iter().map(|rental| rental.name());
            let names = names(free.chain([POOL]).chain(rented));
            return Err(ServiceError::field(
                "provider",
                format!("must be one of {names}, not `{name}`"),
            ));
        }
        if let Some(rental) = self.rental(name)
            && !rental.landlord.engines().contains(&engine)
        {
            return Err(ServiceError::field(
                "engine",
                format!(
                    "the image of `{name}` does not train with this engine on a GPU: choose another engine, or an image \
                     that does, and say so with --{name}-engines"
                ),
            ));
        }
        if free.is_some_and(|free| !free.engines().contains(&engine)) {
            return Err(ServiceError::field(
                "engine",
                format!(
                    "`{name}` has no sd-scripts: set MORPHEUS_KOHYA_DIR and MORPHEUS_KOHYA_PYTHON for `morpheus serve`, \
                     choose a machine with sd-scripts, or use the native engine"
                ),
            ));
        }
        Ok(())
    }

    /// Whether a provider has machines to choose from.
    pub(super) fn keeps_wish(&self, provider: &str) -> bool {
        self.rental(provider).is_some() || provider == POOL
    }

    /// Asks the agent for a checkpoint now.
    pub async fn request_checkpoint(&self, owner: OwnerId, id: JobId) -> ServiceResult<Job> {
        let tx = self.store.begin().await?;
        let job = jobs::get(&tx, owner, id).await?;
        check_trains(&job, "checkpoint")?;
        jobs::request_checkpoint(&tx, id).await?;
        audit::record(
            &tx,
            AuditAction::CheckpointAsked,
            &named(job.recipe.name(), id),
            "",
        )
        .await?;
        let job = jobs::get(&tx, owner, id).await?;
        Ok(tx.commit_with(job).await?)
    }

    /// Asks the agent for preview pictures now.
    pub async fn request_sample(&self, owner: OwnerId, id: JobId) -> ServiceResult<Job> {
        let tx = self.store.begin().await?;
        let job = jobs::get(&tx, owner, id).await?;
        check_trains(&job, "sample")?;
        if job.recipe.sample_prompts().is_empty() {
            return Err(ServiceError::Conflict(
                "this job has no sample prompts: set some when you create a job".to_owned(),
            ));
        }
        jobs::request_sample(&tx, id).await?;
        audit::record(&tx, AuditAction::SamplesAsked, &named(job.recipe.name(), id), "").await?;
        let job = jobs::get(&tx, owner, id).await?;
        Ok(tx.commit_with(job).await?)
    }
}

/// A limit, for the audit log.
pub(super) fn costing(limit: Option<MicroUsd>) -> String {
    limit.map_or_else(String::new, |limit| format!("for at most {limit}"))
}

fn check_trains(job: &Job, what: &str) -> ServiceResult<()> {
    use protocol::phase::Phase;
    if matches!(job.phase, Phase::Launching | Phase::Running) {
        return Ok(());
    }
    let phase = job.phase.as_str();
    Err(ServiceError::Conflict(format!(
        "a {what} can only be requested while a job is training; this one is {phase}"
    )))
}

async fn read_manifest(db: &impl Read, owner: OwnerId, dataset: DatasetId) -> ServiceResult<Manifest> {
    let items = match datasets::items(db, owner, dataset).await {
        Ok(items) => items,
        Err(store::StoreError::NotFound { .. }) => {
            return Err(ServiceError::field(
                "dataset_id",
                format!("there is no dataset `{dataset}`"),
            ));
        }
        Err(err) => return Err(err.into()),
    };
    let items = items
        .into_iter()
        .filter(|item| !item.set_aside)
        .map(|item| ManifestItem {
            id: item.id,
            sha256: item.sha256,
            width: item.width,
            height: item.height,
            caption: item.caption,
            split: item.split,
            showing: Showing {
                group: item.group,
                repeats: item.repeats,
                regularization: item.regularization,
            },
        })
        .collect();
    dataset::split::freeze(DatasetVersionId::new(), items)
        .map_err(|err| ServiceError::field("dataset_id", err.to_string()))
}

/// The first distinct captions of the training pictures, with nothing drawn.
fn default_prompts(manifest: &Manifest, recipe: &Recipe) -> Vec<SamplePrompt> {
    let rules = CaptionRules::of(recipe);
    let mut prompts: Vec<String> = Vec::new();
    for item in manifest.items.iter().filter(|item| item.is_subject()) {
        let prompt = rules.settled(&rules.written(&item.caption)).trim().to_owned();
        if !prompt.is_empty() && !prompts.contains(&prompt) {
            prompts.push(prompt);
        }
        if prompts.len() == N_DEFAULT_PROMPTS {
            break;
        }
    }
    // Captions are letters, brackets among them, unless they are read with emphasis.
    let has_emphasis = recipe.parameters().weighted_captions;
    let as_prompt = |caption: String| {
        let prompt = if has_emphasis {
            caption.replace('<', "\\<")
        } else {
            prompt::escaped(&caption)
        };
        SamplePrompt::from(prompt.chars().take(MAX_PROMPT_CHARS).collect::<String>())
    };
    prompts.into_iter().map(as_prompt).collect()
}

pub(crate) fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
