//! `/__sim/…`: the simulator's own switches, for programs in other processes. No key is needed.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{State, rejection::JsonRejection},
    http::StatusCode,
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Inner, dollars,
    faults::{Fault, What},
    pod::timestamp,
    problem::{Answer, Problem},
    runner,
};

/// Time to let pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    step_s: u32,
}

pub(super) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/__sim/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/__sim/clock", get(clock).post(step))
        .route("/__sim/state", get(state))
}

async fn faults(State(inner): State<Arc<Inner>>) -> Json<Value> {
    Json(inner.with(|world| json!({"faults": world.faults.list()})))
}

async fn add_fault(
    State(inner): State<Arc<Inner>>,
    fault: Result<Json<Fault>, JsonRejection>,
) -> Answer<StatusCode> {
    let Json(fault) = fault.map_err(|err| Problem::invalid(vec![err.body_text()]))?;
    if matches!(fault.what, What::ClockSkew { .. }) && runner::faketime().is_none() {
        return Err(Problem::conflict(
            "a wrong clock needs Debian's package `faketime`",
        ));
    }
    inner.with(|world| world.faults.add(world.now, fault));
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_faults(State(inner): State<Arc<Inner>>) -> StatusCode {
    inner.with(|world| world.faults.clear());
    StatusCode::NO_CONTENT
}

async fn clock(State(inner): State<Arc<Inner>>) -> Json<Value> {
    Json(json!({"now": timestamp(inner.clock.now())}))
}

async fn step(
    State(inner): State<Arc<Inner>>,
    step: Result<Json<Step>, JsonRejection>,
) -> Answer<Json<Value>> {
    let Json(step) = step.map_err(|err| Problem::invalid(vec![err.body_text()]))?;
    inner.clock.step(Duration::from_secs(u64::from(step.step_s)));
    let now = inner.with(|world| world.now);
    Ok(Json(json!({"now": timestamp(now)})))
}

/// Everything that a test needs to compare with, also what no caller of the API is shown.
async fn state(State(inner): State<Arc<Inner>>) -> Json<Value> {
    Json(inner.with(|world| {
        let pods: Vec<Value> = world
            .pods
            .values()
            .map(|pod| {
                let mut json = pod.json(world.now);
                json["billed_micro_usd"] = pod.meter.until(world.now).total().0.into();
                json["container_starts"] = pod.n_starts.into();
                json
            })
            .collect();
        let accounts: Vec<Value> = (0..world.accounts.len())
            .map(|account| {
                json!({
                    "balance": dollars(world.balance(account)),
                    "billed_micro_usd": world.bill(account).total().0,
                })
            })
            .collect();
        json!({"now": timestamp(world.now), "accounts": accounts, "pods": pods})
    }))
}
