//! The provider's routes, and the faults around them.

use std::{collections::HashMap, future::pending, sync::Arc};

use axum::{
    Extension, Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::TimeDelta;
use protocol::MicroUsd;
use serde_json::{Value, json};

use super::{
    Inner, KEY, MOST_LABEL,
    world::{GPUS, NoServer, Server, Wanted, World},
};
use crate::{
    connections::Connection,
    faults::{Caller, Case, Reads, Reply, Route, What},
};

/// Machines in a page of the list.
const PAGE: usize = 4;
/// A machine that has ended stays in the list for this long.
const SHOWN_AFTER_END: TimeDelta = TimeDelta::minutes(5);

type Shared = State<Arc<Inner>>;
type Parameters = Query<HashMap<String, String>>;

pub(super) fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/api/kinds", get(kinds))
        .route("/api/servers", get(list).post(order))
        .route("/api/servers/{id}", get(show))
        .route("/api/servers/{id}/end", post(end))
        .route("/api/self/end", post(end_self))
        .route("/api/usage", get(usage))
        .with_state(inner)
}

/// A refusal: a status for machines in between, and a code that means something.
struct Refusal(StatusCode, &'static str, &'static str, Option<u64>);

impl Refusal {
    const UNKNOWN: Self = Self(StatusCode::NOT_FOUND, "unknown_server", "no such server", None);

    /// What a fault answers.
    fn of(status: u16, wait_s: Option<u64>) -> Self {
        let code = match status {
            401 => "bad_key",
            402 => "no_credit",
            403 => "not_allowed",
            404 => "unknown_server",
            409 => "sold_out",
            429 => "slow_down",
            400..500 => "invalid",
            _ => "internal",
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self(status, code, "as a fault says", wait_s)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, code, text, wait_s) = self;
        let body = json!({"code": code, "text": text, "wait_ms": wait_s.map(|wait_s| wait_s * 1000)});
        (status, Json(body)).into_response()
    }
}

/// What is done about a request before it is looked at.
enum Struck {
    Refuse(Refusal),
    Silence(Reply),
}

/// Faults strike first, but for the key.
async fn admit(
    inner: &Inner,
    headers: &HeaderMap,
    connection: &Connection,
    route: Route,
    name: Option<&str>,
) -> Result<(), Refusal> {
    if headers.get("x-tally-key").is_none_or(|key| key != KEY) {
        return Err(Refusal::of(401, None));
    }
    strike(inner, connection, route, name, Caller::Account).await
}

async fn strike(
    inner: &Inner,
    connection: &Connection,
    route: Route,
    name: Option<&str>,
    caller: Caller,
) -> Result<(), Refusal> {
    let case = Case {
        name,
        caller: Some(caller),
    };
    let struck = inner.with(|world| {
        world.faults.strike(case, |what| match what {
            What::Answer {
                route: struck,
                status,
                retry_after_s,
            } if struck.covers(route) => Some(Struck::Refuse(Refusal::of(*status, *retry_after_s))),
            What::Silence { route: struck, reply } if struck.covers(route) => Some(Struck::Silence(*reply)),
            _ => None,
        })
    });
    match struck {
        None => Ok(()),
        Some(Struck::Refuse(refusal)) => Err(refusal),
        Some(Struck::Silence(reply)) => Err(silence(reply, connection).await),
    }
}

async fn silence(reply: Reply, connection: &Connection) -> Refusal {
    match reply {
        Reply::Status500 => return Refusal::of(500, None),
        Reply::Hang => {}
        Reply::Reset => connection.cut(),
    }
    // Ends with the connection.
    pending().await
}

async fn kinds(
    State(inner): Shared,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    admit(&inner, &headers, &connection, Route::Catalogue, None).await?;
    let kinds = GPUS.map(|gpu| {
        json!({
            "kind": gpu.kind, "vram_gb": gpu.vram_gb, "most": 8, "free": 8,
            "per_minute": {"own": dollars(gpu.own), "partner": gpu.partner.map(dollars)},
        })
    });
    Ok(Json(json!({ "kinds": kinds })))
}

async fn order(
    State(inner): Shared,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Refusal> {
    let label = wanted.label.clone();
    admit(&inner, &headers, &connection, Route::Create, Some(&label)).await?;
    let made = inner.with(|world| {
        let id = world.order(wanted, MOST_LABEL)?;
        Ok::<_, NoServer>(shown(&world.servers[&id]))
    });
    let made = made.map_err(|why| match why {
        NoServer::SoldOut => Refusal::of(409, None),
        NoServer::NoCredit => Refusal::of(402, None),
        NoServer::Invalid(text) => Refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid", text, None),
    })?;
    let case = Case {
        name: Some(&label),
        caller: Some(Caller::Account),
    };
    let lost = inner.with(|world| {
        world.faults.strike(case, |what| match what {
            What::CreateLost { reply } => Some(*reply),
            _ => None,
        })
    });
    match lost {
        None => Ok((StatusCode::ACCEPTED, Json(json!({ "server": made }))).into_response()),
        Some(reply) => Err(silence(reply, &connection).await),
    }
}

/// All machines, ended ones too, page by page.
async fn list(
    State(inner): Shared,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    Query(parameters): Parameters,
) -> Result<Json<Value>, Refusal> {
    admit(&inner, &headers, &connection, Route::List, None).await?;
    let from: usize = parameters
        .get("from")
        .and_then(|from| from.parse().ok())
        .unwrap_or(0);
    Ok(Json(inner.with(|world| {
        let listed: Vec<&Server> = world
            .servers
            .values()
            .filter(|server| server.ended_at.is_none_or(|at| world.now - at < SHOWN_AFTER_END))
            .filter(|server| !is_hidden(world, Reads::List, server))
            .collect();
        let page: Vec<Value> = listed
            .iter()
            .skip(from)
            .take(PAGE)
            .map(|server| shown(server))
            .collect();
        json!({
            "servers": page, "more": listed.len() > from + PAGE, "revision": world.revision,
            "clock": world.now.timestamp(),
        })
    })))
}

fn is_hidden(world: &World, read: Reads, server: &Server) -> bool {
    world
        .faults
        .hides(read, &server.label, server.began_at, world.now)
}

/// The label of a machine that a request by its id finds.
fn find(inner: &Inner, id: &str) -> Option<String> {
    inner.with(|world| {
        let server = world.servers.get(id)?;
        (!is_hidden(world, Reads::Get, server)).then(|| server.label.clone())
    })
}

async fn show(
    State(inner): Shared,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let label = find(&inner, &id);
    admit(&inner, &headers, &connection, Route::Get, label.as_deref()).await?;
    label.ok_or(Refusal::UNKNOWN)?;
    Ok(Json(
        inner.with(|world| json!({ "server": shown(&world.servers[&id]) })),
    ))
}

async fn end(
    State(inner): Shared,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let label = find(&inner, &id);
    admit(&inner, &headers, &connection, Route::Delete, label.as_deref()).await?;
    label.ok_or(Refusal::UNKNOWN)?;
    inner.with(|world| world.end(&id));
    Ok(StatusCode::ACCEPTED)
}

/// The machine whose ticket it is ends.
async fn end_self(
    State(inner): Shared,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let ticket = headers
        .get("x-tally-ticket")
        .and_then(|ticket| ticket.to_str().ok());
    let found = inner.with(|world| {
        let mut servers = world.servers.values();
        let server = servers.find(|server| Some(server.ticket.as_str()) == ticket)?;
        Some((server.id.clone(), server.label.clone()))
    });
    let Some((id, label)) = found else {
        return Err(Refusal::of(401, None));
    };
    strike(&inner, &connection, Route::Delete, Some(&label), Caller::Pod).await?;
    inner.with(|world| world.end(&id));
    Ok(StatusCode::ACCEPTED)
}

/// What machines were charged that were charged something since then, each from its beginning on.
async fn usage(
    State(inner): Shared,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    Query(parameters): Parameters,
) -> Result<Json<Value>, Refusal> {
    admit(&inner, &headers, &connection, Route::Billing, None).await?;
    let since: i64 = parameters
        .get("since")
        .and_then(|since| since.parse().ok())
        .unwrap_or(0);
    Ok(Json(inner.with(|world| {
        let until = world.billed_until();
        let usage: Vec<Value> = world
            .servers
            .values()
            .filter(|server| server.began_at < until)
            .filter(|server| server.ended_at.is_none_or(|at| at.timestamp() >= since))
            .map(|server| {
                json!({
                    "server": server.id, "began": server.began_at.timestamp(),
                    "charged": dollars(server.charged(until)),
                })
            })
            .collect();
        json!({ "usage": usage })
    })))
}

/// A machine as the provider shows it.
fn shown(server: &Server) -> Value {
    let state = match (server.ended_at, server.failure, server.has_booted) {
        (Some(_), _, _) => "ended",
        (None, Some(failure), _) => failure,
        (None, None, true) => "up",
        (None, None, false) => "booting",
    };
    json!({
        "id": server.id, "label": server.label, "state": state, "began": server.began_at.timestamp(),
        "per_minute": dollars(server.per_minute()),
    })
}

/// Money as a text of dollars with all its digits.
fn dollars(amount: MicroUsd) -> String {
    format!("{}.{:06}", amount.0 / 1_000_000, amount.0 % 1_000_000)
}
