//! Comic pages of a dataset, and the panels that they are split into.

use axum::extract::State;
use bytes::Bytes;
use dataset::decoder::{DecodeError, PageTask, SplitPage};
use protocol::{
    DatasetId, ItemId,
    page::{FoundPanel, FoundPanels, MadePanels, ReadingOrder, SplitIntoPanels},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::key::IdempotencyKey;
use crate::{
    auth::User,
    error::{ApiError, ApiResult},
    extract::{Json, Path, Query},
    state::AppState,
};

/// How a page is read.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PanelsQuery {
    /// In which direction the panels of a row are read.
    #[param(inline)]
    order: ReadingOrder,
}

/// Find the panels of a comic page
///
/// Says where panels are, in reading order. Changes nothing.
#[utoipa::path(
    get,
    path = "/datasets/{id}/items/{item_id}/panels",
    tag = "datasets",
    params(
        ("id" = Uuid, Path, description = "The dataset"),
        ("item_id" = Uuid, Path, description = "The picture"),
        PanelsQuery
    ),
    responses((status = 200, body = FoundPanels))
)]
pub(crate) async fn find_panels(
    State(state): State<AppState>,
    user: User,
    Path((id, item_id)): Path<(DatasetId, ItemId)>,
    Query(query): Query<PanelsQuery>,
) -> ApiResult<axum::Json<FoundPanels>> {
    let (_, file) = state
        .orchestrator
        .page_to_split(user.owner, id, item_id, None)
        .await?;
    let task = PageTask {
        order: query.order,
        ..PageTask::default()
    };
    let SplitPage { is_page, layout, .. } = split(&state, file, task).await?;
    let panels = layout.panels.into_iter().map(|panel| FoundPanel {
        frame: panel.frame,
        confidence: panel.confidence,
    });
    Ok(axum::Json(FoundPanels {
        is_page,
        panels: panels.collect(),
    }))
}

/// Split a comic page into panels
///
/// Each panel becomes a picture of the dataset, with the caption, the use and the group of its page, which is no longer
/// trained on as long as it has panels. Panels of an earlier split are replaced, unless their captions were edited since.
#[utoipa::path(
    post,
    path = "/datasets/{id}/items/{item_id}/panels",
    tag = "datasets",
    params(
        ("id" = Uuid, Path, description = "The dataset"),
        ("item_id" = Uuid, Path, description = "The picture"),
        IdempotencyKey
    ),
    request_body = SplitIntoPanels,
    responses((status = 200, body = MadePanels))
)]
pub(crate) async fn split_into_panels(
    State(state): State<AppState>,
    user: User,
    Path((id, item_id)): Path<(DatasetId, ItemId)>,
    Json(request): Json<SplitIntoPanels>,
) -> ApiResult<axum::Json<MadePanels>> {
    let (page, file) = state
        .orchestrator
        .page_to_split(user.owner, id, item_id, Some(&request.frames))
        .await?;
    // The panels take about as much room as their page.
    state.orchestrator.check_room(file.len() as u64)?;
    let task = PageTask {
        frames: Some(request.frames),
        balloons: request.balloons,
        ..PageTask::default()
    };
    let split = split(&state, file, task).await?;
    let made = state
        .orchestrator
        .record_panels(user.owner, id, &page, split)
        .await?;
    Ok(axum::Json(made))
}

/// Splits a page where pictures are decoded.
async fn split(state: &AppState, file: Bytes, task: PageTask) -> ApiResult<SplitPage> {
    let turn = std::sync::Arc::clone(&state.checking).acquire_owned().await;
    let turn = turn.map_err(ApiError::internal)?;
    let decoder = state.decoder.clone();
    let splitting = tokio::task::spawn_blocking(move || {
        let split = decoder.page(&file, &task);
        drop(turn);
        split
    });
    match splitting.await.map_err(ApiError::internal)? {
        Ok(split) => Ok(split),
        Err(DecodeError::Refused(reason)) => Err(ApiError::Conflict(format!(
            "the picture cannot be split: it {reason}"
        ))),
        Err(err @ DecodeError::Unavailable(_)) => Err(ApiError::internal(err)),
    }
}
