//! What the steps of a job saw, and which pictures it struggles with.

use std::collections::{BTreeMap, HashMap};

use protocol::{
    DatasetId, ItemId, JobId, OwnerId,
    dataset::{Item, Manifest, ManifestItem, thumbnail_path},
    event::{Event, EventKind, JobEvent, SeenPictures},
    seen::{JobPicture, JobPictures, JobStep, PictureOfJob, StepPicture},
};
use store::{
    BlobKey, StoreError, datasets, events,
    jobs::{self, JobState},
    metrics,
    objects::UrlOptions,
};

use crate::{Orchestrator, ServiceResult};

/// Timesteps whose losses are compared with each other.
const BAND: u32 = 100;

/// A step's pictures are in one of the first so many reports after it was done.
const SOON: u64 = 20;

/// Reports before and after that of a step whose losses its pictures are compared with.
const AROUND: u64 = 100;

impl Orchestrator {
    /// How the pictures of a job fare, those that it struggles with first.
    pub async fn job_pictures(&self, owner: OwnerId, id: JobId) -> ServiceResult<JobPictures> {
        let shown = self.shown(owner, id).await?;
        let seen = self.seen(id).await?;
        let ranked = ranked(&seen).into_iter().filter_map(|fares| {
            Some(JobPicture {
                picture: shown.picture(self, fares.place)?,
                n_seen: fares.n_seen,
                relative_loss: fares.relative_loss,
                last_loss: fares.last_loss,
                last_step: fares.last_step,
            })
        });
        Ok(JobPictures {
            n_steps: u32::try_from(seen.len()).unwrap_or(u32::MAX),
            pictures: ranked.collect(),
        })
    }

    /// One optimizer step with what it saw.
    pub async fn job_step(&self, owner: OwnerId, id: JobId, step: u32) -> ServiceResult<JobStep> {
        let shown = self.shown(owner, id).await?;
        let done = metrics::step(&self.store, id, step).await?;
        let seen = self.seen_around(id, &done).await?;
        let means = band_means(&seen);
        let views = seen.get(&step).into_iter().flat_map(views);
        let pictures = views.filter_map(|view| {
            Some(StepPicture {
                picture: shown.picture(self, view.place)?,
                timestep: view.timestep,
                loss: view.loss,
                relative_loss: relative(view, &means),
            })
        });
        Ok(JobStep {
            pictures: pictures.collect(),
            ..done
        })
    }

    async fn shown(&self, owner: OwnerId, id: JobId) -> ServiceResult<Shown> {
        let job = jobs::get(&self.store, owner, id).await?;
        let JobState {
            dataset_version_id, ..
        } = jobs::state(&self.store, id).await?;
        let manifest = datasets::manifest(&self.store, dataset_version_id).await?;
        let now = match datasets::items(&self.store, owner, job.dataset_id).await {
            Ok(items) => items,
            Err(StoreError::NotFound { .. }) => Vec::new(),
            Err(err) => return Err(err.into()),
        };
        let now = now.into_iter().map(|item| (item.id, item)).collect();
        let dataset = job.dataset_id;
        Ok(Shown {
            dataset,
            manifest,
            now,
        })
    }

    /// What each step saw.
    async fn seen(&self, id: JobId) -> ServiceResult<BTreeMap<u32, SeenPictures>> {
        let found = events::of_kind(&self.store, id, EventKind::PicturesSeen).await?;
        Ok(in_effect(found.into_iter().flat_map(steps_of)))
    }

    /// What a step that was done saw, and the steps around it; nothing as long as that is not reported. A long job has
    /// many reports: few of them are read.
    async fn seen_around(&self, id: JobId, done: &JobStep) -> ServiceResult<BTreeMap<u32, SeenPictures>> {
        let kind = EventKind::PicturesSeen;
        // The agent reports a step before what it saw.
        let soon = events::of_kind_since(&self.store, id, kind, done.at, SOON).await?;
        let Some(holder) = soon.iter().find(|event| holds(event, done.step)) else {
            return Ok(BTreeMap::new());
        };
        let around = events::of_kind_around(&self.store, id, kind, holder.seq, AROUND).await?;
        Ok(in_effect(around.into_iter().flat_map(steps_of)))
    }
}

/// The pictures of a job, as they were then and as they are now.
struct Shown {
    dataset: DatasetId,
    manifest: Manifest,
    now: HashMap<ItemId, Item>,
}

impl Shown {
    /// The picture at a place of the manifest; an agent may name one that is not there.
    fn picture(&self, orchestrator: &Orchestrator, place: u32) -> Option<PictureOfJob> {
        let ManifestItem {
            id, sha256, caption, ..
        } = self.manifest.items.get(place as usize)?;
        let now = self.now.get(id);
        let url = match now {
            Some(item) => thumbnail_path(self.dataset, *id, &item.sha256),
            None => {
                let objects = orchestrator.store.objects();
                objects.get_url(&BlobKey::from_sha256(sha256).ok()?, &UrlOptions::picture())
            }
        };
        Some(PictureOfJob {
            item_id: *id,
            file_name: now.map(|item| item.file_name.clone()),
            caption: caption.clone(),
            url,
        })
    }
}

fn steps_of(event: JobEvent) -> Vec<SeenPictures> {
    match event.event {
        Event::PicturesSeen { steps } => steps,
        _ => Vec::new(),
    }
}

/// Whether a report tells what a step saw.
fn holds(event: &JobEvent, step: u32) -> bool {
    match &event.event {
        Event::PicturesSeen { steps } => steps.iter().any(|seen| seen.step == step),
        _ => false,
    }
}

/// One picture in one step.
#[derive(Debug, Clone, Copy)]
struct View {
    place: u32,
    timestep: u32,
    loss: f64,
}

/// How one picture fares.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fares {
    place: u32,
    n_seen: u32,
    relative_loss: f64,
    last_loss: f64,
    last_step: u32,
}

/// The steps that count: an attempt that goes on from a checkpoint does those behind it again.
fn in_effect(steps: impl IntoIterator<Item = SeenPictures>) -> BTreeMap<u32, SeenPictures> {
    let mut seen = BTreeMap::new();
    for step in steps {
        drop(seen.split_off(&step.step));
        seen.insert(step.step, step);
    }
    seen
}

fn views(step: &SeenPictures) -> impl Iterator<Item = View> {
    let timesteps = step.pictures.iter().zip(&step.timesteps);
    timesteps
        .zip(&step.losses)
        .map(|((&place, &timestep), &loss)| View {
            place,
            timestep,
            loss,
        })
}

/// Mean loss of each band of timesteps.
fn band_means(seen: &BTreeMap<u32, SeenPictures>) -> HashMap<u32, f64> {
    let mut sums: HashMap<u32, (f64, f64)> = HashMap::new();
    for view in seen.values().flat_map(views) {
        let (sum, n) = sums.entry(view.timestep / BAND).or_default();
        *sum += view.loss;
        *n += 1.0;
    }
    sums.into_iter().map(|(band, (sum, n))| (band, sum / n)).collect()
}

/// A loss as a multiple of the mean of its band; a mean of zero says nothing.
fn relative(view: View, means: &HashMap<u32, f64>) -> f64 {
    match means.get(&(view.timestep / BAND)) {
        Some(mean) if *mean > 0.0 => view.loss / mean,
        _ => 1.0,
    }
}

/// How each picture fares, the highest relative loss first.
fn ranked(seen: &BTreeMap<u32, SeenPictures>) -> Vec<Fares> {
    let means = band_means(seen);
    let mut pictures: BTreeMap<u32, Fares> = BTreeMap::new();
    for (&step, view) in seen
        .iter()
        .flat_map(|(step, seen)| views(seen).map(move |view| (step, view)))
    {
        let fares = pictures.entry(view.place).or_insert(Fares {
            place: view.place,
            n_seen: 0,
            relative_loss: 0.0,
            last_loss: 0.0,
            last_step: 0,
        });
        fares.n_seen += 1;
        fares.relative_loss += (relative(view, &means) - fares.relative_loss) / f64::from(fares.n_seen);
        (fares.last_loss, fares.last_step) = (view.loss, step);
    }
    let mut ranked: Vec<Fares> = pictures.into_values().collect();
    ranked.sort_by(|a, b| b.relative_loss.total_cmp(&a.relative_loss));
    ranked
}

#[cfg(test)]
mod tests;
