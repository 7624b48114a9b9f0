//! The checks of a dataset.

use axum::{extract::State, http::StatusCode};
use dataset::decoder::{DecodeError, Decoder};
use orchestrator::{Orchestrator, UnmeasuredPicture};
use protocol::{
    DatasetId, ItemId, OwnerId,
    finding::{AcknowledgeFindings, CheckDataset, DatasetFindings, Measures},
};
use tokio::runtime::Handle;

use crate::{
    auth::User,
    error::{ApiError, ApiResult},
    extract::{Json, Path},
    state::AppState,
};

/// Pictures of an older version that are measured in one request, which takes seconds.
const MEASURED_AT_ONCE: usize = 32;

/// Check a dataset
///
/// Finds what is wrong with pictures and captions for a purpose, with a repair for each. The same checks are made for a
/// job's estimate and by `morpheus dataset check` and `morpheus train`. Changes nothing but what is known of pictures that
/// an older version took: some of them are measured with each request.
#[utoipa::path(
    post,
    path = "/datasets/{id}/check",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The dataset")),
    request_body = CheckDataset,
    responses((status = 200, body = DatasetFindings))
)]
pub(crate) async fn check_dataset(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DatasetId>,
    Json(request): Json<CheckDataset>,
) -> ApiResult<axum::Json<DatasetFindings>> {
    let n_unmeasured = measure(&state, user.owner, id).await?;
    let findings = state.orchestrator.check_dataset(user.owner, id, &request).await?;
    Ok(axum::Json(DatasetFindings {
        findings,
        n_unmeasured,
    }))
}

/// Acknowledge findings
///
/// A finding that is acknowledged says so as long as the pictures and captions that it is about stay as they are.
#[utoipa::path(
    post,
    path = "/datasets/{id}/acknowledgements",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The dataset")),
    request_body = AcknowledgeFindings,
    responses((status = 204, description = "Acknowledged"))
)]
pub(crate) async fn acknowledge_findings(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DatasetId>,
    Json(request): Json<AcknowledgeFindings>,
) -> ApiResult<StatusCode> {
    state
        .orchestrator
        .acknowledge_findings(user.owner, id, &request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Measures some of the pictures that were not measured yet; returns how many are left.
async fn measure(state: &AppState, owner: OwnerId, id: DatasetId) -> ApiResult<u64> {
    let pictures = state.orchestrator.unmeasured(owner, id).await?;
    if pictures.is_empty() {
        return Ok(0);
    }
    let turn = std::sync::Arc::clone(&state.checking).acquire_owned().await;
    let turn = turn.map_err(ApiError::internal)?;
    let (orchestrator, decoder, runtime) = (
        state.orchestrator.clone(),
        state.decoder.clone(),
        Handle::current(),
    );
    let measuring = tokio::task::spawn_blocking(move || {
        let measured = measured(&orchestrator, &decoder, &runtime, pictures);
        drop(turn);
        measured
    });
    let measured = measuring.await.map_err(ApiError::internal)??;
    state.orchestrator.keep_measures(id, &measured.measures).await?;
    state.orchestrator.note_unread(&measured.lost).await?;
    Ok(measured.n_left as u64)
}

/// What became of pictures that were to be measured.
#[derive(Default)]
struct Measured {
    measures: Vec<(ItemId, Measures)>,
    /// Hashes of the files that are lost or damaged.
    lost: Vec<String>,
    n_left: usize,
}

/// Decodes some stored pictures once more. Those that cannot be measured are passed over, so that the next are reached.
fn measured(
    orchestrator: &Orchestrator,
    decoder: &Decoder,
    runtime: &Handle,
    pictures: Vec<UnmeasuredPicture>,
) -> ApiResult<Measured> {
    let mut measured = Measured::default();
    let mut pictures = pictures.into_iter();
    while measured.measures.len() + measured.lost.len() < MEASURED_AT_ONCE
        && let Some(UnmeasuredPicture { id, sha256 }) = pictures.next()
    {
        let Some(file) = runtime.block_on(orchestrator.whole_picture(&sha256))? else {
            measured.lost.push(sha256);
            continue;
        };
        match decoder.normalize(&file) {
            Ok(picture) => {
                let measures = picture.measures.map(|measures| (id, measures));
                measured.measures.extend(measures);
            }
            Err(DecodeError::Refused(_)) => {}
            Err(err @ DecodeError::Unavailable(_)) => return Err(ApiError::internal(err)),
        }
    }
    measured.n_left = pictures.len();
    Ok(measured)
}
