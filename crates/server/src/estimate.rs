//! Says what a job would be: its epochs, its buckets, and how long it would take.

use std::collections::BTreeMap;

use dataset::buckets::{Buckets, Size};
use orchestrator::{JobPlan, Pricing};
use protocol::{
    OwnerId,
    api::{EstimatedBucket, JobEstimate},
    dataset::{Manifest, Split},
    job::{CreateJob, Job},
    phase::Phase,
    recipe::Recipe,
};

use crate::{error::ApiResult, state::AppState};

/// Finished jobs that are looked at for a like one.
const N_JOBS_REMEMBERED: u64 = 200;

/// Says what a job would be, without making it.
pub(crate) async fn estimate(state: &AppState, owner: OwnerId, request: CreateJob) -> ApiResult<JobEstimate> {
    let plan = state.orchestrator.plan_job(owner, request.clone()).await?;
    let pricing = state.orchestrator.price_job(owner, &request, &plan).await?;
    let JobPlan { recipe, manifest, .. } = plan;
    let jobs = store::jobs::list(state.store(), owner, None, N_JOBS_REMEMBERED).await?;
    let seconds = expected_seconds(&recipe, &jobs);
    Ok(outline(recipe, &manifest, seconds, pricing))
}

/// Epochs and buckets. A batch holds pictures of one bucket, so each bucket may end with an incomplete one.
fn outline(recipe: Recipe, manifest: &Manifest, seconds: Option<f64>, pricing: Pricing) -> JobEstimate {
    let parameters = recipe.parameters();
    let grid = Buckets::new(parameters.resolution, parameters.bucket_step);
    let mut buckets: BTreeMap<Size, u32> = BTreeMap::new();
    for item in manifest.items.iter().filter(|item| item.split == Split::Train) {
        let placement = grid.place(Size::new(item.width, item.height));
        *buckets.entry(placement.bucket).or_default() += 1;
    }
    let batch_size = u32::from(parameters.batch_size);
    let n_batches: u32 = buckets.values().map(|n_items| n_items.div_ceil(batch_size)).sum();
    let n_steps_per_epoch = n_batches
        .div_ceil(u32::from(parameters.gradient_accumulation))
        .max(1);
    let n_train_items = buckets.values().sum();
    JobEstimate {
        n_train_items,
        n_held_out_items: u32::try_from(manifest.items.len()).unwrap_or(u32::MAX) - n_train_items,
        n_steps_per_epoch,
        n_epochs: parameters.n_steps.div_ceil(n_steps_per_epoch),
        buckets: buckets
            .into_iter()
            .map(|(size, n_items)| EstimatedBucket {
                width: size.width,
                height: size.height,
                n_items,
            })
            .collect(),
        seconds,
        memory_gb: pricing.memory_gb,
        offers: pricing.offers,
        least_limit_micro_usd: pricing.least_limit,
        budgets: pricing.budgets,
        hash: pricing.hash,
        recipe,
    }
}

/// From finished jobs whose steps cost the same: the median of their times per step.
fn expected_seconds(recipe: &Recipe, jobs: &[Job]) -> Option<f64> {
    let mut seconds_per_step: Vec<f64> = jobs
        .iter()
        .filter(|job| {
            job.phase == Phase::Succeeded && job.n_attempts == 1 && job.recipe.steps_cost_like(recipe)
        })
        .filter_map(|job| {
            let duration = job.ended_at? - job.started_at?;
            Some(duration.as_seconds_f64() / f64::from(job.recipe.parameters().n_steps))
        })
        .collect();
    seconds_per_step.sort_by(f64::total_cmp);
    let median = seconds_per_step.get(seconds_per_step.len() / 2)?;
    Some(median * f64::from(recipe.parameters().n_steps))
}

#[cfg(test)]
mod tests;
