//! Jobs: training runs, their metrics and samples, and their files.

use axum::{extract::State, http::StatusCode};
use protocol::{
    JobId,
    agent::ArtifactKind,
    api::{Artifact, JobEstimate, Page, Sample},
    job::{CreateJob, DatasetChanges, Job, MakeVersion, Metrics},
    judged::JobJudgements,
    seen::{JobPictures, JobStep},
    spend::ResumeJob,
};
use serde::Deserialize;
use store::objects::UrlOptions;
use utoipa::IntoParams;

use super::{
    key::IdempotencyKey,
    page::{PageQuery, within},
};
use crate::{
    auth::User,
    error::ApiResult,
    extract::{Json, MaybeJson, Path, Query},
    state::AppState,
};

/// Resolution of metrics.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct MetricsQuery {
    /// Maximum number of entries, such as the width of a chart in pixels, 2 to 10000.
    #[param(minimum = 2, maximum = 10_000, default = 1000)]
    width: Option<u32>,
}

/// List jobs
#[utoipa::path(
    get,
    path = "/jobs",
    tag = "jobs",
    params(PageQuery),
    responses((status = 200, body = Page<Job>))
)]
pub(crate) async fn list_jobs(
    State(state): State<AppState>,
    user: User,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<Job>>> {
    let wanted = page.wanted()?;
    let found = store::jobs::list(state.store(), user.owner, wanted.after, wanted.n_to_read()).await?;
    Ok(axum::Json(wanted.page(found, |job| job.id)))
}

/// Submit a training job
///
/// The current state of the dataset is frozen for the job.
#[utoipa::path(
    post,
    path = "/jobs",
    tag = "jobs",
    params(IdempotencyKey),
    request_body = CreateJob,
    responses((status = 201, body = Job))
)]
pub(crate) async fn create_job(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CreateJob>,
) -> ApiResult<(StatusCode, axum::Json<Job>)> {
    let job = state.orchestrator.create_job(user.owner, request).await?;
    Ok((StatusCode::CREATED, axum::Json(job)))
}

/// Estimate a job without creating it
#[utoipa::path(
    post,
    path = "/jobs/estimate",
    tag = "jobs",
    request_body = CreateJob,
    responses((status = 200, body = JobEstimate))
)]
pub(crate) async fn estimate_job(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CreateJob>,
) -> ApiResult<axum::Json<JobEstimate>> {
    let estimate = state.orchestrator.estimate_job(user.owner, &request).await?;
    Ok(axum::Json(estimate))
}

/// Get a job
#[utoipa::path(
    get,
    path = "/jobs/{id}",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job")),
    responses((status = 200, body = Job))
)]
pub(crate) async fn get_job(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
) -> ApiResult<axum::Json<Job>> {
    Ok(axum::Json(store::jobs::get(state.store(), user.owner, id).await?))
}

/// Cancel a job
///
/// Nothing is kept. The request can be repeated safely.
#[utoipa::path(
    post,
    path = "/jobs/{id}/cancel",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job")),
    responses((status = 200, body = Job))
)]
pub(crate) async fn cancel_job(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
) -> ApiResult<axum::Json<Job>> {
    Ok(axum::Json(state.orchestrator.cancel_job(user.owner, id).await?))
}

/// Stop a job
///
/// A checkpoint is kept, from which the job can be resumed.
#[utoipa::path(
    post,
    path = "/jobs/{id}/stop",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job")),
    responses((status = 200, body = Job))
)]
pub(crate) async fn stop_job(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
) -> ApiResult<axum::Json<Job>> {
    Ok(axum::Json(state.orchestrator.stop_job(user.owner, id).await?))
}

/// Finish a job now
///
/// Its next step is its last: a checkpoint is stored, and the result is checked and becomes a model version as if all steps
/// had been done. With sd-scripts, it ends with the next checkpoint. The request can be repeated safely.
#[utoipa::path(
    post,
    path = "/jobs/{id}/finish",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job")),
    responses((status = 200, body = Job))
)]
pub(crate) async fn finish_job(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
) -> ApiResult<axum::Json<Job>> {
    Ok(axum::Json(state.orchestrator.finish_early(user.owner, id).await?))
}

/// Make a model version of a stored checkpoint
///
/// The job may stand anywhere, also if it has ended. The answer is a job of its own, which trains no step: it checks the
/// LoRA of the checkpoint and makes a version of it.
#[utoipa::path(
    post,
    path = "/jobs/{id}/versions",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job"), IdempotencyKey),
    request_body = MakeVersion,
    responses((status = 201, body = Job))
)]
pub(crate) async fn make_job_version(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
    Json(request): Json<MakeVersion>,
) -> ApiResult<(StatusCode, axum::Json<Job>)> {
    let job = state.orchestrator.make_version(user.owner, id, request).await?;
    Ok((StatusCode::CREATED, axum::Json(job)))
}

/// Resume a stopped or failed job
///
/// It resumes from its newest checkpoint, on a machine of another provider if the body names one. The body is optional.
#[utoipa::path(
    post,
    path = "/jobs/{id}/resume",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job"), IdempotencyKey),
    request_body = Option<ResumeJob>,
    responses((status = 200, body = Job))
)]
pub(crate) async fn resume_job(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
    MaybeJson(request): MaybeJson<ResumeJob>,
) -> ApiResult<axum::Json<Job>> {
    Ok(axum::Json(
        state.orchestrator.resume_job(user.owner, id, request).await?,
    ))
}

/// Store a checkpoint now
///
/// The job continues.
#[utoipa::path(
    post,
    path = "/jobs/{id}/checkpoint",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job"), IdempotencyKey),
    responses((status = 200, body = Job))
)]
pub(crate) async fn checkpoint_job(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
) -> ApiResult<axum::Json<Job>> {
    Ok(axum::Json(
        state.orchestrator.request_checkpoint(user.owner, id).await?,
    ))
}

/// Render the sample prompts now
///
/// The job continues.
#[utoipa::path(
    post,
    path = "/jobs/{id}/sample",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job"), IdempotencyKey),
    responses((status = 200, body = Job))
)]
pub(crate) async fn sample_job(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
) -> ApiResult<axum::Json<Job>> {
    Ok(axum::Json(
        state.orchestrator.request_sample(user.owner, id).await?,
    ))
}

/// Get a job's step metrics, in columns for a chart
#[utoipa::path(
    get,
    path = "/jobs/{id}/metrics",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job"), MetricsQuery),
    responses((status = 200, body = Metrics))
)]
pub(crate) async fn job_metrics(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
    Query(query): Query<MetricsQuery>,
) -> ApiResult<axum::Json<Metrics>> {
    let width = within("width", query.width, 2..=10_000, 1000)?;
    store::jobs::get(state.store(), user.owner, id).await?;
    Ok(axum::Json(store::metrics::chart(state.store(), id, width).await?))
}

/// List the pictures that a job has trained on, those that it struggles with first
///
/// A picture whose loss is higher than usual at the same noise may be mislabeled, or unlike the others. Only the native
/// engine reports what its steps saw; with sd-scripts, the list is empty.
#[utoipa::path(
    get,
    path = "/jobs/{id}/pictures",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job")),
    responses((status = 200, body = JobPictures))
)]
pub(crate) async fn list_job_pictures(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
) -> ApiResult<axum::Json<JobPictures>> {
    Ok(axum::Json(state.orchestrator.job_pictures(user.owner, id).await?))
}

/// Get one optimizer step of a job, with the pictures of its batch
#[utoipa::path(
    get,
    path = "/jobs/{id}/steps/{step}",
    tag = "jobs",
    params(
        ("id" = Uuid, Path, description = "The job"),
        ("step" = u32, Path, description = "The step, from 1", minimum = 1)
    ),
    responses((status = 200, body = JobStep))
)]
pub(crate) async fn get_job_step(
    State(state): State<AppState>,
    user: User,
    Path((id, step)): Path<(JobId, u32)>,
) -> ApiResult<axum::Json<JobStep>> {
    Ok(axum::Json(
        state.orchestrator.job_step(user.owner, id, step).await?,
    ))
}

/// Get what changed in a job's dataset since the job was created
#[utoipa::path(
    get,
    path = "/jobs/{id}/dataset-changes",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job")),
    responses((status = 200, body = DatasetChanges))
)]
pub(crate) async fn job_dataset_changes(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
) -> ApiResult<axum::Json<DatasetChanges>> {
    Ok(axum::Json(
        state.orchestrator.changes_since(user.owner, id).await?,
    ))
}

/// Get what the results of a job were found to be
///
/// What its result and its checkpoints do to pictures, and which checkpoint to use.
#[utoipa::path(
    get,
    path = "/jobs/{id}/judgements",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job")),
    responses((status = 200, body = JobJudgements))
)]
pub(crate) async fn job_judgements(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
) -> ApiResult<axum::Json<JobJudgements>> {
    Ok(axum::Json(state.orchestrator.judgements(user.owner, id).await?))
}

/// List a job's preview pictures, in the order of their steps
#[utoipa::path(
    get,
    path = "/jobs/{id}/samples",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job")),
    responses((status = 200, body = [Sample]))
)]
pub(crate) async fn list_job_samples(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
) -> ApiResult<axum::Json<Vec<Sample>>> {
    store::jobs::get(state.store(), user.owner, id).await?;
    let artifacts = store::artifacts::of_job(state.store(), user.owner, id).await?;
    let mut samples: Vec<Sample> = artifacts
        .into_iter()
        .filter_map(|artifact| {
            let url = state
                .store()
                .objects()
                .get_url(&artifact.key, &UrlOptions::picture());
            match artifact.kind {
                ArtifactKind::Sample {
                    step,
                    prompt_index,
                    prompt,
                    seed,
                } => Some(Sample {
                    artifact_id: artifact.id,
                    step,
                    prompt_index,
                    prompt,
                    seed,
                    url,
                    created_at: artifact.created_at,
                }),
                _ => None,
            }
        })
        .collect();
    samples.sort_by_key(|sample| (sample.step, sample.prompt_index, sample.created_at));
    Ok(axum::Json(samples))
}

/// List the files kept from a job, in the order they were stored
///
/// The pictures that show what its results were found to be are not among them: its judgements have those.
#[utoipa::path(
    get,
    path = "/jobs/{id}/artifacts",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job")),
    responses((status = 200, body = [Artifact]))
)]
pub(crate) async fn list_job_artifacts(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<JobId>,
) -> ApiResult<axum::Json<Vec<Artifact>>> {
    store::jobs::get(state.store(), user.owner, id).await?;
    let artifacts = store::artifacts::of_job(state.store(), user.owner, id).await?;
    let objects = state.store().objects();
    let files = artifacts
        .into_iter()
        .filter(|artifact| !matches!(artifact.kind, ArtifactKind::Evidence { .. }));
    let artifacts = files.map(|artifact| Artifact {
        id: artifact.id,
        job_id: id,
        url: objects.get_url(&artifact.key, &UrlOptions::download(&artifact.file_name)),
        kind: artifact.kind,
        file_name: artifact.file_name,
        size_bytes: artifact.size_bytes,
        sha256: artifact.sha256,
        judgement: artifact.judgement,
        created_at: artifact.created_at,
    });
    Ok(axum::Json(artifacts.collect()))
}
