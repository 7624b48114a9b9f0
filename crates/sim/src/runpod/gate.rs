//! What every request goes through: its id, the key, the rate limits, and the faults around the handlers.

use std::{future::pending, sync::Arc};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use serde_json::Value;

use super::{
    Connection, Inner,
    faults::{Caller, Case, Reply, Route, What},
    limits::Passed,
    problem::{Answer, Problem},
    world::{Sender, World},
};

/// More than any body that the provider takes.
const MOST_BYTES: usize = 1 << 20;

/// What happens to a request before its handler sees it.
enum Verdict {
    Pass,
    Refuse(Problem),
    Silence(Reply),
}

/// What is known about a request before it is handled.
struct Asked {
    route: Route,
    /// The pod that its path names.
    pod: Option<String>,
    body: Value,
}

/// Lets a request through to its handler, or not.
pub(super) async fn gate(State(inner): State<Arc<Inner>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.starts_with("/__sim/") {
        return next.run(request).await;
    }
    let (request_id, date) = inner.with(|world| (world.new_id("req_"), world.now));
    let mut response = if path == "/v1" || path.starts_with("/v1/") {
        Problem::of(StatusCode::GONE).into_response()
    } else {
        admit(&inner, request, next).await
    };
    let headers = response.headers_mut();
    insert(headers, "x-request-id", &request_id);
    // The provider's clock, by which a caller can judge its own.
    insert(
        headers,
        "date",
        &date.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    );
    response
}

fn insert(headers: &mut axum::http::HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

async fn admit(inner: &Inner, request: Request, next: Next) -> Response {
    let sender = match authenticate(inner, &request) {
        Ok(sender) => sender,
        Err(problem) => return problem.into_response(),
    };
    let passed = inner.with(|world| world.count_request(sender.account()));
    let mut response = match passed.as_ref().and_then(|passed| passed.refused) {
        Some((window, retry_after_s)) => Problem::rate_limited(window, retry_after_s).into_response(),
        None => handle(inner, sender, request, next).await,
    };
    if let Some(Passed { limit, policy, .. }) = passed {
        insert(response.headers_mut(), "ratelimit", &limit);
        insert(response.headers_mut(), "ratelimit-policy", &policy);
    }
    response
}

fn authenticate(inner: &Inner, request: &Request) -> Answer<Sender> {
    // What stands in front of the provider turns away whoever does not say who it is.
    if !request.headers().contains_key(header::USER_AGENT) {
        return Err(Problem::of(StatusCode::FORBIDDEN));
    }
    let key = request.headers().get(header::AUTHORIZATION);
    let key = key.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let key = key.unwrap_or_default().to_owned();
    inner
        .with(|world| world.sender(&key))
        .ok_or_else(|| Problem::of(StatusCode::UNAUTHORIZED))
}

async fn handle(inner: &Inner, sender: Sender, request: Request, next: Next) -> Response {
    let connection = request.extensions().get::<Connection>().cloned();
    let (mut parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, MOST_BYTES).await else {
        return Problem::of(StatusCode::BAD_REQUEST).into_response();
    };
    let asked = Asked {
        route: route(&parts.method, parts.uri.path()),
        pod: pod_in(parts.uri.path()),
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    };
    match inner.with(|world| judge(world, &sender, &asked)) {
        Verdict::Pass => {}
        Verdict::Refuse(problem) => return problem.into_response(),
        Verdict::Silence(reply) => return silence(reply, connection).await,
    }
    parts.extensions.insert(sender.clone());
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    if asked.route != Route::Create || response.status() != StatusCode::CREATED {
        return response;
    }
    let lost = inner.with(|world| {
        world
            .faults
            .strike(case(world_name(&asked, None), &sender), |what| match what {
                What::CreateLost { reply } => Some(*reply),
                _ => None,
            })
    });
    match lost {
        None => response,
        Some(reply) => silence(reply, connection).await,
    }
}

fn case<'a>(name: Option<&'a str>, sender: &Sender) -> Case<'a> {
    let caller = match sender {
        Sender::Account(_) => Caller::Account,
        Sender::Pod { .. } => Caller::Pod,
    };
    Case {
        name,
        caller: Some(caller),
    }
}

/// The name of the pod that a request is about.
fn world_name<'a>(asked: &'a Asked, world: Option<&'a World>) -> Option<&'a str> {
    match (&asked.pod, world) {
        (Some(id), Some(world)) => Some(&world.pods.get(id)?.wanted.name),
        _ => asked.body.get("name")?.as_str(),
    }
}

fn judge(world: &mut World, sender: &Sender, asked: &Asked) -> Verdict {
    if let Sender::Pod { id, .. } = sender
        && !may_do_to_itself(asked, id)
    {
        return Verdict::Refuse(Problem::of(StatusCode::FORBIDDEN));
    }
    let name = world_name(asked, Some(world)).map(str::to_owned);
    let case = case(name.as_deref(), sender);
    let struck = world.faults.strike(case, |what| match what {
        What::Answer {
            route,
            status,
            retry_after_s,
        } if route.covers(asked.route) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Some(Verdict::Refuse(Problem::of(status).retry_after(*retry_after_s)))
        }
        What::Silence { route, reply } if route.covers(asked.route) => Some(Verdict::Silence(*reply)),
        _ => None,
    });
    struck.unwrap_or(Verdict::Pass)
}

/// A pod's own key is good for looking at itself and for ending itself.
fn may_do_to_itself(asked: &Asked, id: &str) -> bool {
    if asked.pod.as_deref() != Some(id) {
        return false;
    }
    match asked.route {
        Route::Get | Route::Delete => true,
        Route::Action => asked.body["action"] == "terminate",
        _ => false,
    }
}

async fn silence(reply: Reply, connection: Option<Connection>) -> Response {
    match reply {
        Reply::Status500 => return Problem::of(StatusCode::INTERNAL_SERVER_ERROR).into_response(),
        Reply::Hang => {}
        Reply::Reset => {
            if let Some(connection) = connection {
                connection.cut();
            }
        }
    }
    // Ends with the connection.
    pending().await
}

fn route(method: &Method, path: &str) -> Route {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["v2", "pods"]) => Route::Create,
        ("GET", ["v2", "pods"]) => Route::List,
        ("GET", ["v2", "pods", _]) => Route::Get,
        ("PATCH", ["v2", "pods", _]) => Route::Update,
        ("DELETE", ["v2", "pods", _]) => Route::Delete,
        ("POST", ["v2", "pods", _, "action"]) => Route::Action,
        ("GET", ["v2", "pods", _, "logs"]) => Route::Logs,
        (_, ["v2", "catalog", ..]) => Route::Catalogue,
        (_, ["v2", "billing", ..]) => Route::Billing,
        (_, ["v2", "network-volumes", ..]) => Route::Volumes,
        (_, ["graphql"]) => Route::Graphql,
        _ => Route::Any,
    }
}

fn pod_in(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/v2/pods/")?;
    Some(rest.split('/').next()?.to_owned())
}
