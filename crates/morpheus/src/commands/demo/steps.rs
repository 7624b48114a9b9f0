//! The steps of the demo, each a few calls of the API.

use std::{path::Path, time::Duration};

use ::dataset::demo;
use anyhow::{Context as _, bail};
use protocol::{
    DatasetId, JobId, ModelVersionId,
    dataset::{CreateDataset, Dataset, Split},
    event::Event,
    generation::{CreateGeneration, Generation, GenerationPhase, LoraWeight},
    job::{CreateJob, Job},
    model::ModelVersion,
    phase::Phase,
    preset::Preset,
};
use serde_json::json;
use tokio::time::Instant;

use super::comparison::{self, Row};
use crate::{
    api::{Api, UploadFile},
    screen::Screen,
    verdict,
};

const BASE: &str = "tiny-xl";
const TRIGGER: &str = "zora";
/// Prompts of the comparison.
const N_PROMPTS: usize = 4;
/// The demo gives up after this many breaks of the event stream in a row without a new event.
const MAX_SILENT_CONNECTIONS: u32 = 5;
const PICTURES_DEADLINE: Duration = Duration::from_secs(300);

/// Uploads the pictures of `zora`, and the ones that are held out.
pub(super) async fn upload_dataset(api: &Api, screen: &Screen) -> anyhow::Result<DatasetId> {
    let dataset: Dataset = api
        .post("/api/v1/datasets", &CreateDataset { name: "Zora".into() })
        .await?;
    for split in [Split::Train, Split::HeldOut] {
        let files = demo::files().filter(|file| file.split == split);
        let files = files.map(|file| UploadFile {
            name: file.name,
            bytes: file.bytes.to_vec(),
        });
        upload(api, dataset.id, split, files.collect(), screen).await?;
    }
    Ok(dataset.id)
}

async fn upload(
    api: &Api,
    dataset: DatasetId,
    split: Split,
    files: Vec<UploadFile>,
    screen: &Screen,
) -> anyhow::Result<()> {
    let report = api.upload(dataset, split, files).await?;
    if let Some(refused) = report.refused.first() {
        bail!(
            "the server rejected the demo's picture `{}`: {}",
            refused.file_name,
            refused.reason
        );
    }
    let purpose = match split {
        Split::Train => "to train on",
        Split::HeldOut => "held out for testing",
    };
    screen.say(format_args!(
        "Uploaded {} pictures {purpose}.",
        report.accepted.len()
    ));
    Ok(())
}

/// Starts a training job with the character preset.
pub(super) async fn create_job(api: &Api, dataset: DatasetId, screen: &Screen) -> anyhow::Result<JobId> {
    let request = json!({
        "dataset_id": dataset,
        "base_model": BASE,
        "name": "zora",
        "trigger_word": TRIGGER,
        "preset": Preset::Character,
    });
    // Through the type, so that a change of the API is an error here and not on somebody's screen.
    let request: CreateJob = serde_json::from_value(request)?;
    let job: Job = api.post("/api/v1/jobs", &request).await?;
    let p = job.recipe.parameters();
    screen.say(format_args!(
        "Training `{}` on {BASE}: {} steps of {} pictures, rank {}, learning rate {}.",
        job.recipe.name(),
        p.n_steps,
        p.batch_size,
        p.rank,
        p.learning_rate
    ));
    Ok(job.id)
}

/// Follows a job's events to its end and prints them.
pub(super) async fn follow(api: &Api, job: JobId, screen: &Screen) -> anyhow::Result<ModelVersionId> {
    let mut last_seq = 0;
    let mut n_silent = 0;
    loop {
        let mut events = match api.events(job, last_seq).await {
            Ok(events) => events,
            Err(err) if n_silent >= MAX_SILENT_CONNECTIONS => return Err(err),
            Err(_) => {
                n_silent += 1;
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            }
        };
        while let Ok(Some(event)) = events.next().await {
            n_silent = 0;
            last_seq = event.seq;
            if let Some(phase) = show(event.event, screen) {
                screen.training_is_over();
                return result(api, job, phase).await;
            }
        }
        n_silent += 1;
        if n_silent > MAX_SILENT_CONNECTIONS {
            bail!("the server repeatedly closed the event stream of the job");
        }
    }
}

/// Prints an event; returns the phase if it ends the job.
fn show(event: Event, screen: &Screen) -> Option<Phase> {
    match event {
        Event::PhaseChanged { phase, .. } => return phase.is_ended().then_some(phase),
        Event::Step(metrics) => screen.step(&metrics),
        Event::Sample { step, prompt, .. } => {
            screen.say(format_args!("  sample at step {step}: {prompt}"));
        }
        Event::Checkpoint { step, size_bytes, .. } => {
            screen.say(format_args!(
                "  checkpoint at step {step}: {} KiB",
                size_bytes / 1024
            ));
        }
        Event::ValidationLoss { step, loss } => {
            screen.say(format_args!("  validation loss at step {step}: {loss:.4}"));
        }
        Event::Judged { step, judgement } => {
            screen.say(format_args!("  step {step} {}", verdict::judged(&judgement)));
        }
        Event::Validated { verdict } => {
            screen.training_is_over();
            verdict::show(&verdict, screen);
        }
        Event::AttemptEnded {
            detail: Some(detail), ..
        }
        | Event::Log { message: detail, .. } => {
            screen.say(format_args!("  {detail}"));
        }
        Event::Stage { .. }
        | Event::PicturesSeen { .. }
        | Event::AttemptEnded { .. }
        | Event::ModelVersionCreated { .. }
        | Event::Spend { .. } => {}
    }
    None
}

async fn result(api: &Api, job: JobId, phase: Phase) -> anyhow::Result<ModelVersionId> {
    let job: Job = api.get(&format!("/api/v1/jobs/{job}")).await?;
    if phase != Phase::Succeeded {
        bail!(
            "the job is {}: {}",
            phase.as_str(),
            job.reason.as_deref().unwrap_or("no reason given")
        );
    }
    job.model_version_id
        .context("the job succeeded without a model version")
}

/// Approves the version for use.
pub(super) async fn promote(
    api: &Api,
    version: ModelVersionId,
    screen: &Screen,
) -> anyhow::Result<ModelVersion> {
    let version: ModelVersion = api
        .post(&format!("/api/v1/model-versions/{version}/promote"), &json!({}))
        .await?;
    screen.say(format_args!(
        "Promoted `{}` version {}.",
        version.name, version.version
    ));
    Ok(version)
}

/// Renders the same prompts and seeds without and with the LoRA, side by side into one picture.
pub(super) async fn compare(
    api: &Api,
    version: &ModelVersion,
    screen: &Screen,
    path: &Path,
) -> anyhow::Result<()> {
    screen.say("Rendering the same prompts and seeds without and with the LoRA.");
    let prompts: Vec<_> = demo::held_out_captions().take(N_PROMPTS).collect();
    let mut asked = Vec::new();
    for weight in [None, Some(1.0)] {
        for (seed, prompt) in (1..).zip(&prompts) {
            let loras = weight.map(|weight| LoraWeight {
                partial: false,
                model_version_id: version.id,
                weight,
            });
            let request =
                json!({ "base_model": BASE, "prompt": prompt, "seed": seed, "loras": Vec::from_iter(loras) });
            let request: CreateGeneration = serde_json::from_value(request)?;
            let generation: Generation = api.post("/api/v1/generations", &request).await?;
            asked.push(generation);
        }
    }
    let mut pictures = Vec::new();
    let deadline = Instant::now() + PICTURES_DEADLINE;
    for generation in asked {
        let bytes = picture(api, generation, deadline).await?;
        pictures
            .push(::dataset::picture::read_normalized(&bytes).context("the server sent an invalid picture")?);
    }
    let with = pictures.split_off(prompts.len());
    let rows: Vec<_> = prompts
        .into_iter()
        .zip(pictures.into_iter().zip(with))
        .zip(1..)
        .map(|((prompt, (before, after)), seed)| Row {
            label: format!("{prompt} (seed {seed})"),
            pictures: vec![before, after],
        })
        .collect();
    let title = format!(
        "{BASE}, and with the LoRA `{}` that was trained here",
        version.name
    );
    let title = title.replace('`', "'");
    comparison::draw(&title, &["without", "with, weight 1"], &rows)
        .save(path)
        .with_context(|| format!("failed to write `{}`", path.display()))
}

async fn picture(api: &Api, mut generation: Generation, deadline: Instant) -> anyhow::Result<Vec<u8>> {
    loop {
        match generation.phase {
            GenerationPhase::Succeeded => {
                let url = generation
                    .image_url
                    .context("a finished generation has no picture")?;
                return api.download(&url).await;
            }
            GenerationPhase::Failed => {
                bail!(
                    "rendering a picture failed: {}",
                    generation.error.as_deref().unwrap_or("no reason given")
                );
            }
            GenerationPhase::Queued | GenerationPhase::Running => {}
        }
        if Instant::now() > deadline {
            bail!(
                "the pictures were not rendered within {} s",
                PICTURES_DEADLINE.as_secs()
            );
        }
        generation = api
            .get(&format!("/api/v1/generations/{}?wait_seconds=30", generation.id))
            .await?;
    }
}

/// Downloads the trained file.
pub(super) async fn download(api: &Api, version: &ModelVersion, path: &Path) -> anyhow::Result<()> {
    let bytes = api
        .download(&format!("/api/v1/model-versions/{}/download", version.id))
        .await?;
    std::fs::write(path, bytes).with_context(|| format!("failed to write `{}`", path.display()))
}

/// Writes the base model as a diffusers folder, for programs that cannot read it from this binary.
pub(super) fn write_base(folder: &Path) -> anyhow::Result<()> {
    Ok(diffusion::base::export_built_in(BASE, folder)?)
}
