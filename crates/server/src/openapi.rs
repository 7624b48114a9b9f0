//! The OpenAPI document: generated from the handlers, stored in `openapi.json`, served at `/api/openapi.json`.

use std::sync::LazyLock;

use axum::{http::header, response::IntoResponse};
use protocol::{event, notice, openai::ErrorResponse, problem::Problem, sample};
use utoipa::{
    OpenApi,
    openapi::{
        Content, Ref, RefOr, Response,
        path::Operation,
        schema::{ArrayItems, Schema},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Morpheus",
        description = "LoRA training and serving for Stable Diffusion XL.\n\nEvery route requires `Authorization: \
             Bearer …` with an API token, or the session cookie of a signed-in browser, unless stated otherwise. \
             Errors are `application/problem+json` and name the invalid fields. URLs in responses (`url`, `…_url`) \
             are signed, need no token, and are valid for an hour. Every route that creates something accepts an \
             `Idempotency-Key`, which makes it safe to repeat a request that got no response. Uploads of pictures \
             need none: a picture that already exists is not added again."
    ),
    components(schemas(event::JobEvent, event::AnyJobEvent, event::EventKind, notice::Notice, Problem, ErrorResponse, sample::SamplePrompt)),
    tags(
        (name = "datasets", description = "Uploaded pictures with captions"),
        (name = "jobs", description = "Training jobs, their events and files"),
        (name = "models", description = "Trained LoRAs and base models"),
        (name = "generations", description = "Text to image"),
        (name = "openai", description = "Text to image in the shape of OpenAI's API, for programs that are written for it"),
        (name = "spend", description = "Rented machines, budgets and the ledger"),
        (name = "notices", description = "Webhooks and mail that tell of jobs"),
        (name = "access", description = "Sessions and API tokens"),
        (name = "agent", description = "Routes for agents; require an agent's token"),
    )
)]
struct Document;

/// The whole document.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.merge(routes::documented().split_for_parts().1);
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(
        "token",
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
    );
    components.add_security_scheme(
        "session",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(crate::auth::SESSION_COOKIE))),
    );
    for (name, schema) in &mut components.schemas {
        if let Some(entry) = name.strip_prefix("Page_") {
            refer_to_entries(schema, entry);
        }
    }
    for (path, item) in &mut document.paths.paths {
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            complete(path, operation);
        }
    }
    document
}

static JSON: LazyLock<String> = LazyLock::new(|| {
    document()
        .to_json()
        .expect("the document is made of strings and numbers")
});

/// Responds with the document.
pub(crate) async fn serve() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], JSON.as_str())
}

/// utoipa writes the type argument of a generic out in full; a reference makes it the same type everywhere.
fn refer_to_entries(page: &mut RefOr<Schema>, entry: &str) {
    if let RefOr::T(Schema::Object(page)) = page
        && let Some(RefOr::T(Schema::Array(items))) = page.properties.get_mut("items")
    {
        items.items = ArrayItems::RefOrSchema(Box::new(RefOr::Ref(Ref::from_schema_name(entry))));
    }
}

/// Adds what all operations have in common: the error response and authentication.
fn complete(path: &str, operation: &mut Operation) {
    let (content_type, schema) = match routes::is_openai_shaped(path) {
        true => ("application/json", "ErrorResponse"),
        false => ("application/problem+json", "Problem"),
    };
    let problem = Content::new(Some(RefOr::Ref(Ref::from_schema_name(schema))));
    let mut response = Response::new("What is wrong and how to fix it");
    response.content.insert(content_type.into(), problem.into());
    operation
        .responses
        .responses
        .insert("default".into(), response.into());
    if operation.security.is_none() {
        operation.security = Some(vec![
            SecurityRequirement::new("token", Vec::<String>::new()),
            SecurityRequirement::new("session", Vec::<String>::new()),
        ]);
    }
}

#[cfg(test)]
mod tests;
