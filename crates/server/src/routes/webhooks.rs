//! How people are told of jobs: webhooks, mail, and what was delivered.

use axum::{extract::State, http::StatusCode};
use protocol::{
    DeliveryId, WebhookId,
    api::Page,
    notice::{CreateWebhook, CreatedWebhook, Delivery, Webhook},
};

use super::{key::IdempotencyKey, page::PageQuery};
use crate::{
    auth::User,
    error::ApiResult,
    extract::{Json, Path, Query},
    state::AppState,
};

/// List your webhooks
#[utoipa::path(get, path = "/webhooks", tag = "notices", responses((status = 200, body = [Webhook])))]
pub(crate) async fn list_webhooks(
    State(state): State<AppState>,
    user: User,
) -> ApiResult<axum::Json<Vec<Webhook>>> {
    let found = store::webhooks::list(state.store(), user.owner).await?;
    Ok(axum::Json(found))
}

/// Add a webhook
///
/// It receives a [`Notice`](#/components/schemas/Notice) as JSON with a POST request, signed after Standard Webhooks
/// (`webhook-id`, `webhook-timestamp`, `webhook-signature`). Each answer but 2xx is tried again for about a day; 410 ends the
/// webhook. Redirects are not followed. The secret is returned only once.
#[utoipa::path(
    post,
    path = "/webhooks",
    tag = "notices",
    params(IdempotencyKey),
    request_body = CreateWebhook,
    responses((status = 201, body = CreatedWebhook))
)]
pub(crate) async fn create_webhook(
    State(state): State<AppState>,
    user: User,
    Json(request): Json<CreateWebhook>,
) -> ApiResult<(StatusCode, axum::Json<CreatedWebhook>)> {
    let webhook = state.orchestrator.create_webhook(user.owner, request).await?;
    Ok((StatusCode::CREATED, axum::Json(webhook)))
}

/// Delete a webhook
///
/// Its deliveries are deleted with it.
#[utoipa::path(
    delete,
    path = "/webhooks/{id}",
    tag = "notices",
    params(("id" = Uuid, Path, description = "The webhook")),
    responses((status = 204, description = "Deleted"))
)]
pub(crate) async fn delete_webhook(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<WebhookId>,
) -> ApiResult<StatusCode> {
    state.orchestrator.delete_webhook(user.owner, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a test to a webhook
#[utoipa::path(
    post,
    path = "/webhooks/{id}/tests",
    tag = "notices",
    params(("id" = Uuid, Path, description = "The webhook"), IdempotencyKey),
    responses((status = 202, body = Delivery))
)]
pub(crate) async fn test_webhook(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<WebhookId>,
) -> ApiResult<(StatusCode, axum::Json<Delivery>)> {
    let delivery = state.orchestrator.test_webhook(user.owner, id).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(delivery)))
}

/// Send a test mail
///
/// To the addresses of the server's settings.
#[utoipa::path(
    post,
    path = "/mail/tests",
    tag = "notices",
    params(IdempotencyKey),
    responses((status = 202, body = Delivery))
)]
pub(crate) async fn test_mail(
    State(state): State<AppState>,
    user: User,
) -> ApiResult<(StatusCode, axum::Json<Delivery>)> {
    let delivery = state.orchestrator.test_mail(user.owner).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(delivery)))
}

/// List deliveries
///
/// Notices to webhooks and by mail, the newest first. They are kept for 30 days.
#[utoipa::path(
    get,
    path = "/deliveries",
    tag = "notices",
    params(PageQuery),
    responses((status = 200, body = Page<Delivery>))
)]
pub(crate) async fn list_deliveries(
    State(state): State<AppState>,
    user: User,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<Delivery>>> {
    let wanted = page.wanted()?;
    let found = store::outbox::list(state.store(), user.owner, wanted.after, wanted.n_to_read()).await?;
    Ok(axum::Json(wanted.page(found, |delivery| delivery.id)))
}

/// Send a notice again
///
/// With the same `webhook-id` and the same body. One that waits is tried at once.
#[utoipa::path(
    post,
    path = "/deliveries/{id}/send-again",
    tag = "notices",
    params(("id" = Uuid, Path, description = "The delivery")),
    responses((status = 200, body = Delivery))
)]
pub(crate) async fn send_again(
    State(state): State<AppState>,
    user: User,
    Path(id): Path<DeliveryId>,
) -> ApiResult<axum::Json<Delivery>> {
    Ok(axum::Json(
        state.orchestrator.send_notice_again(user.owner, id).await?,
    ))
}
