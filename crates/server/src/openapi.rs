//! The OpenAPI document: made from the handlers, snapshotted in `openapi.json`, served at `/api/openapi.json`.

use std::collections::BTreeMap;

use protocol::{event, problem::Problem};
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
        description = "LoRA training and serving for Stable Diffusion XL.\n\nEvery route needs \
            `Authorization: Bearer …` with an API token, or the session cookie of a signed-in browser, unless \
            it says otherwise. Errors are `application/problem+json` and name the fields at fault. Addresses \
            that answers hold (`url`, `…_url`) are signed, need no token, and are valid for an hour. Every route \
            that creates something but uploads of pictures, which count once by their pixels, takes an `Idempotency-Key`, with \
            which a request can be repeated safely when no answer came."
    ),
    components(schemas(event::JobEvent, event::AnyJobEvent, Problem)),
    tags(
        (name = "datasets", description = "Uploaded pictures with captions"),
        (name = "jobs", description = "Trainings, their events and files"),
        (name = "models", description = "Trained LoRAs and base models"),
        (name = "generations", description = "Text to image"),
        (name = "spend", description = "Rented machines, budgets and the ledger"),
        (name = "access", description = "Sessions and API tokens"),
        (name = "agent", description = "What agents call; needs an agent's token"),
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
    share_ranges(&mut components.schemas, "Parameters", "ParameterOverrides");
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            complete(operation);
        }
    }
    document
}

/// A field that replaces another one has its range.
fn share_ranges(schemas: &mut BTreeMap<String, RefOr<Schema>>, from: &str, to: &str) {
    let Some(RefOr::T(Schema::Object(from))) = schemas.get(from).cloned() else {
        return;
    };
    let Some(RefOr::T(Schema::Object(to))) = schemas.get_mut(to) else {
        return;
    };
    for (name, field) in &mut to.properties {
        if let Some(RefOr::T(Schema::Object(from))) = from.properties.get(name)
            && let RefOr::T(Schema::Object(field)) = field
        {
            field.minimum.clone_from(&from.minimum);
            field.maximum.clone_from(&from.maximum);
            field.exclusive_minimum.clone_from(&from.exclusive_minimum);
            field.exclusive_maximum.clone_from(&from.exclusive_maximum);
            field.multiple_of.clone_from(&from.multiple_of);
        }
    }
}

/// utoipa writes the type argument of a generic out in full; a reference makes it the same type everywhere.
fn refer_to_entries(page: &mut RefOr<Schema>, entry: &str) {
    if let RefOr::T(Schema::Object(page)) = page
        && let Some(RefOr::T(Schema::Array(items))) = page.properties.get_mut("items")
    {
        items.items = ArrayItems::RefOrSchema(Box::new(RefOr::Ref(Ref::from_schema_name(entry))));
    }
}

/// Adds what all operations have in common: the error answer, and the need to say who asks.
fn complete(operation: &mut Operation) {
    let problem = Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
    let mut response = Response::new("What is wrong, and what would be right");
    response
        .content
        .insert("application/problem+json".into(), problem.into());
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
