//! Says what a job would be: its epochs, its buckets, how long it would take, and what it would cost.

use std::collections::HashMap;

use dataset::{
    buckets::{Buckets, Size},
    caption::rules::CaptionRules,
    epoch::Epoch,
    findings::Purpose,
};
use protocol::{
    JobId, OwnerId,
    api::{EstimatedBucket, JobEstimate, SeenPicture},
    dataset::{Manifest, Shown},
    job::{CreateJob, Job},
    lora::NumbersPerRank,
    parameters::LoraKind,
    phase::Phase,
    preset::BaseClass,
    recipe::Recipe,
    spend::Spread,
};
use store::{jobs, spend};

use super::{
    JobPlan,
    pricing::{Order, Pricing},
};
use crate::{Orchestrator, ServiceResult, rentals::estimate::measured};

/// Pictures that are shown as a training would see them.
const N_SEEN: usize = 24;
/// Jobs that are looked at for like ones.
const N_JOBS_REMEMBERED: u64 = 200;

impl Orchestrator {
    /// Says what a job would be, without making it.
    pub async fn estimate_job(&self, owner: OwnerId, request: &CreateJob) -> ServiceResult<JobEstimate> {
        let plan = self.plan(&self.store, owner, request).await?;
        let times = self.step_times(owner, &plan.recipe).await?;
        let pricing = self.price(owner, &Order::of(request), &plan, &times).await?;
        let JobPlan {
            recipe,
            manifest,
            class,
            ..
        } = plan;
        let seconds = times.seconds(&recipe);
        let findings = self
            .findings(owner, request.dataset_id, Purpose::of(&recipe))
            .await?;
        Ok(JobEstimate {
            findings,
            file_bytes: file_bytes(&recipe, class),
            ..outline(recipe, &manifest, seconds, pricing)
        })
    }

    /// Times per step, from this owner's own jobs whose steps cost the same.
    pub(crate) async fn step_times(
        &self,
        owner: OwnerId,
        recipe: &Recipe,
    ) -> Result<StepTimes, store::StoreError> {
        let gpus = spend::gpus_of_jobs(&self.store, owner).await?;
        let jobs = jobs::list(&self.store, owner, None, N_JOBS_REMEMBERED).await?;
        let like = jobs.iter().filter(|job| job.recipe.steps_cost_like(recipe));
        Ok(StepTimes::shown_by(like, &gpus))
    }
}

/// Times per step that jobs have shown, in seconds.
#[derive(Debug, Default)]
pub(crate) struct StepTimes {
    /// By rented GPU: the newest step of each job, and nothing else. What is beside the steps is added elsewhere.
    by_gpu: HashMap<String, Spread<f64>>,
    /// Of jobs that ran through, with everything beside the steps: caches, samples, checkpoints, validation.
    whole: Option<Spread<f64>>,
}

impl StepTimes {
    fn shown_by<'a>(jobs: impl Iterator<Item = &'a Job>, gpus: &HashMap<JobId, String>) -> Self {
        let mut by_gpu: HashMap<String, Vec<f64>> = HashMap::new();
        let mut whole = Vec::new();
        for job in jobs {
            if let (Some(gpu), Some(progress)) = (gpus.get(&job.id), job.progress) {
                let seconds = by_gpu.entry(gpu.clone()).or_default();
                seconds.push(progress.step_ms / 1000.0);
            }
            let n_steps = job.recipe.parameters().n_steps;
            // A version of a checkpoint trains no step, and a job that is finished early not all of them.
            let ran_through = job.phase == Phase::Succeeded
                && job.n_attempts == 1
                && job.progress.is_some_and(|progress| progress.step == n_steps);
            if let (true, Some(started), Some(ended)) = (ran_through, job.started_at, job.ended_at) {
                whole.push((ended - started).as_seconds_f64() / f64::from(n_steps));
            }
        }
        let by_gpu = by_gpu.into_iter();
        Self {
            by_gpu: by_gpu
                .filter_map(|(gpu, seconds)| Some((gpu, measured(seconds)?)))
                .collect(),
            whole: measured(whole),
        }
    }

    /// Of a step on this GPU, if one was seen.
    pub(crate) fn on(&self, gpu: &str) -> Option<Spread<f64>> {
        self.by_gpu.get(gpu).copied()
    }

    /// What a job is likely to take, if one like it was seen.
    fn seconds(&self, recipe: &Recipe) -> Option<f64> {
        let step = self.whole?.likely;
        Some(step * f64::from(recipe.parameters().n_steps))
    }
}

/// Epochs, buckets, and what has no effect.
fn outline(recipe: Recipe, manifest: &Manifest, seconds: Option<f64>, pricing: Pricing) -> JobEstimate {
    let parameters = recipe.parameters();
    let epoch = Epoch::of(&manifest.items, parameters);
    let n_train_items = epoch.n_items();
    JobEstimate {
        n_train_items,
        n_held_out_items: u32::try_from(manifest.items.len()).unwrap_or(u32::MAX) - n_train_items,
        n_steps_per_epoch: epoch.n_steps,
        n_epochs: parameters.n_steps.div_ceil(epoch.n_steps),
        n_views: parameters.n_steps.saturating_mul(parameters.pictures_per_step()),
        notes: parameters.notes(),
        findings: Vec::new(),
        buckets: epoch
            .buckets
            .into_iter()
            .map(|(size, (n_items, _))| EstimatedBucket {
                width: size.width,
                height: size.height,
                n_items,
            })
            .collect(),
        seen: seen(&recipe, manifest),
        seconds,
        file_bytes: None,
        memory_gb: pricing.memory_gb,
        offers: pricing.offers,
        least_limit_micro_usd: pricing.least_limit,
        budgets: pricing.budgets,
        hash: pricing.hash,
        recipe,
    }
}

/// Size of a plain LoRA's file for SDXL, in half precision as both engines write it. Other kinds have other matrices, and
/// blocks of their own rank are not counted one by one.
fn file_bytes(recipe: &Recipe, class: BaseClass) -> Option<u64> {
    const N_BYTES: u64 = 2;
    let p = recipe.parameters();
    let is_plain = matches!(p.kind, LoraKind::Lora | LoraKind::TLora);
    let is_even =
        p.trained_blocks.is_empty() && p.block_ranks.is_empty() && p.block_learning_rates.is_empty();
    if class != BaseClass::Sdxl || !is_plain || !is_even {
        return None;
    }
    let layers = NumbersPerRank::SDXL;
    let (rank, conv_rank) = (u64::from(p.rank), u64::from(p.conv_rank));
    let mut n_numbers = layers.transformers * rank;
    if conv_rank > 0 {
        n_numbers += layers.beside_kernels * rank + layers.kernels * conv_rank;
    }
    for (rate, numbers) in [
        (p.text_encoder_1_learning_rate, layers.text_encoder_1),
        (p.text_encoder_2_learning_rate, layers.text_encoder_2),
    ] {
        if rate > 0.0 {
            n_numbers += numbers * rank;
        }
    }
    Some(N_BYTES * n_numbers)
}

/// The first pictures of a training as it sees them.
fn seen(recipe: &Recipe, manifest: &Manifest) -> Vec<SeenPicture> {
    let p = recipe.parameters();
    let shown = Shown::of(&manifest.items, p.n_prior_pictures);
    let repeats = shown.items.iter().map(|(_, repeats)| repeats);
    let per_epoch: u64 = repeats.chain(&shown.drawn).map(|n| u64::from(*n)).sum();
    let n_views = u64::from(p.n_steps) * u64::from(p.pictures_per_step());
    let grid = Buckets::of(p);
    let subjects = CaptionRules::of(recipe);
    let others = subjects.without_trigger_word();
    let pictures = shown.items.into_iter().take(N_SEEN);
    let seen = pictures.map(|(item, repeats)| {
        let placement = grid.place(Size::new(item.width, item.height));
        let rules = if item.is_subject() { &subjects } else { &others };
        let written = rules.written(&item.caption);
        let share = n_views * u64::from(repeats) / per_epoch.max(1);
        SeenPicture {
            id: item.id,
            sha256: item.sha256.clone(),
            width: placement.bucket.width,
            height: placement.bucket.height,
            cut: placement.crop_loss(),
            is_caption_changing: rules.changes(&written),
            caption: rules.settled(&written),
            n_views: u32::try_from(share).unwrap_or(u32::MAX),
        }
    });
    seen.collect()
}

#[cfg(test)]
mod tests;
