//! Exports of datasets.

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures::stream;
use protocol::{DatasetId, DatasetVersionId, dataset::ExportFormat};
use serde::Deserialize;
use store::objects::attachment;
use utoipa::IntoParams;

use crate::{
    auth::User,
    error::ApiResult,
    extract::{Path, Query},
    state::AppState,
};

/// What is exported.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// How the archive is laid out.
    #[param(inline)]
    format: ExportFormat,
    /// A version that a job has frozen, in place of the dataset as it is.
    version: Option<DatasetVersionId>,
}

/// Export a dataset
///
/// A zip archive of the pictures as they are stored, with captions and masks, laid out for another trainer. An upload of it
/// brings the same pictures, captions, masks, groups, repeats and uses again. A download that breaks off leaves no archive.
#[utoipa::path(
    get,
    path = "/datasets/{id}/export",
    tag = "datasets",
    params(("id" = Uuid, Path, description = "The dataset"), ExportQuery),
    responses((status = 200, content_type = "application/zip", description = "The `.zip` file"))
)]
pub(crate) async fn export_dataset(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DatasetId>,
    Query(query): Query<ExportQuery>,
) -> ApiResult<Response> {
    let export = state
        .orchestrator
        .export(user.owner, id, query.version, query.format)
        .await?;
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, attachment(&export.file_name)),
    ];
    let parts = stream::try_unfold(export, async |mut export| {
        let part = Box::pin(export.next()).await?;
        Ok::<_, orchestrator::ExportError>(part.map(|part| (part, export)))
    });
    Ok((headers, Body::from_stream(parts)).into_response())
}
