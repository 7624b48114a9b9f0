//! The routes of version 2, and the one GraphQL query that has no successor.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    middleware::from_fn_with_state,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    Inner,
    catalogue::{Cloud, Filter},
    contract, control, dollars,
    faults::Reads,
    gate, logs,
    pod::{Mounts, Phase, Pod},
    problem::{Answer, Problem},
    volumes::{Volume, VolumeChange, WantedVolume},
    world::{Sender, World},
};

type Parameters = Query<HashMap<String, String>>;
type Shared = State<Arc<Inner>>;

pub(super) fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/v2/pods", get(list_pods).post(create_pod))
        .route("/v2/pods/{id}", get(get_pod).patch(update_pod).delete(delete_pod))
        .route("/v2/pods/{id}/action", post(act))
        .route("/v2/pods/{id}/logs", get(pod_logs))
        .route("/v2/catalog/gpus", get(list_gpus))
        .route("/v2/catalog/gpus/{id}", get(get_gpu))
        .route("/v2/catalog/datacenters", get(list_data_centers))
        .route("/v2/catalog/datacenters/{id}", get(get_data_center))
        .route("/v2/billing/pods", get(pod_billing))
        .route("/v2/network-volumes", get(list_volumes).post(create_volume))
        .route(
            "/v2/network-volumes/{id}",
            get(get_volume).patch(update_volume).delete(delete_volume),
        )
        .route("/graphql", post(graphql))
        .merge(control::router())
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::of(StatusCode::METHOD_NOT_ALLOWED))
        .layer(from_fn_with_state(Arc::clone(&inner), gate::gate))
        .with_state(inner)
}

async fn list_pods(State(inner): Shared, Extension(sender): Extension<Sender>) -> Json<Value> {
    let pods = inner.with(|world| {
        let now = world.now;
        let mine = world
            .pods
            .values()
            .filter(|pod| pod.account == sender.account() && !pod.is_gone());
        let shown = mine.filter(|pod| !is_hidden(world, Reads::List, pod));
        shown.map(|pod| pod.json(now)).collect::<Vec<_>>()
    });
    Json(json!({ "pods": pods }))
}

fn is_hidden(world: &World, read: Reads, pod: &Pod) -> bool {
    world
        .faults
        .hides(read, &pod.wanted.name, pod.created_at, world.now)
}

/// A pod that a request by its id finds.
fn find<'a>(world: &'a World, sender: &Sender, id: &str) -> Answer<&'a Pod> {
    let pod = world.pod(sender.account(), id)?;
    if is_hidden(world, Reads::Get, pod) {
        return Err(Problem::not_found());
    }
    Ok(pod)
}

async fn create_pod(
    State(inner): Shared,
    Extension(sender): Extension<Sender>,
    body: Bytes,
) -> Answer<Response> {
    let body = contract::check(&body, &contract::CREATE_POD)?;
    let pod = inner.with(|world| {
        let id = world.create(sender.account(), body)?;
        Ok(world.pod(sender.account(), &id)?.json(world.now))
    })?;
    Ok((StatusCode::CREATED, Json(pod)).into_response())
}

async fn get_pod(
    State(inner): Shared,
    Extension(sender): Extension<Sender>,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    inner.with(|world| Ok(Json(find(world, &sender, &id)?.json(world.now))))
}

async fn update_pod(
    State(inner): Shared,
    Extension(sender): Extension<Sender>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer<Json<Value>> {
    let body = contract::check(&body, &contract::UPDATE_POD)?;
    inner.with(|world| {
        find(world, &sender, &id)?;
        let now = world.now;
        let Some(pod) = world.pods.get_mut(&id) else {
            return Err(Problem::not_found());
        };
        check_new_mounts(&pod.wanted.mounts, &body["mounts"])?;
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        pod.wanted.name = text("name").unwrap_or(pod.wanted.name.clone());
        pod.wanted.image = text("image").unwrap_or(pod.wanted.image.clone());
        pod.wanted.args = text("args").unwrap_or(pod.wanted.args.clone());
        pod.locked = body["locked"].as_bool().unwrap_or(pod.locked);
        if let Ok(env) = serde_json::from_value(body["env"].clone()) {
            pod.wanted.env = env;
        }
        if let Ok(ports) = serde_json::from_value(body["ports"].clone()) {
            pod.wanted.ports = ports;
        }
        if let Some(disk) = body["disk"].as_u64().and_then(|disk| u32::try_from(disk).ok()) {
            pod.wanted.disk = disk;
        }
        // A change of the container's settings starts the container again.
        let resets = ["image", "args", "env", "ports", "disk"]
            .iter()
            .any(|name| !body[name].is_null());
        world.set_rate(&id, now);
        if resets {
            world.restart(&id, now);
        }
        Ok(Json(world.pod(sender.account(), &id)?.json(now)))
    })
}

/// The kind of storage is fixed when a pod is created.
fn check_new_mounts(old: &Mounts, new: &Value) -> Answer<()> {
    let Ok(new) = serde_json::from_value::<Mounts>(new.clone()) else {
        return Ok(());
    };
    let changes_kind = (new.persistent.is_some() && old.persistent.is_none())
        || (new.network.is_some() && old.network.is_none())
        || new.network.as_ref().is_some_and(Vec::is_empty);
    if changes_kind {
        return Err(Problem::bad_request("the kind of mount is fixed at create"));
    }
    Ok(())
}

async fn delete_pod(
    State(inner): Shared,
    Extension(sender): Extension<Sender>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    inner.with(|world| {
        find(world, &sender, &id)?;
        world.delete(sender.account(), &id)
    })?;
    Ok(StatusCode::NO_CONTENT)
}

async fn act(
    State(inner): Shared,
    Extension(sender): Extension<Sender>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer<Response> {
    let body = contract::check(&body, &contract::POD_ACTION)?;
    let action = body["action"].as_str().unwrap_or_default();
    let pod = inner.with(|world| {
        let now = world.now;
        let pod = find(world, &sender, &id)?;
        if !pod.actions().contains(&action) || (pod.locked && action != "start") {
            return Err(Problem::conflict(format!(
                "action {action} is not valid for this pod now"
            )));
        }
        match action {
            "start" => start(world, &id)?,
            "stop" => world.halt(&id, now, Phase::Exited),
            "restart" => world.restart(&id, now),
            _ => {
                world.delete(sender.account(), &id)?;
                return Ok(None);
            }
        }
        Ok(Some(world.pod(sender.account(), &id)?.json(now)))
    })?;
    Ok(pod.map_or(StatusCode::NO_CONTENT.into_response(), |pod| {
        Json(pod).into_response()
    }))
}

/// A stopped pod starts on its old host, if that has room.
fn start(world: &mut World, id: &str) -> Answer<()> {
    let now = world.now;
    let pull = super::clock::seconds(world.delays.pull_s);
    let World { pods, catalogue, .. } = world;
    let Some(pod) = pods.get_mut(id) else {
        return Err(Problem::not_found());
    };
    let place = [pod.place.clone()];
    if catalogue
        .take(&pod.gpu, pod.wanted.cloud, pod.gpu_count, &place)
        .is_none()
    {
        return Err(Problem::bad_request(
            "There are not enough free GPUs on the host machine to start this pod.",
        ));
    }
    pod.phase = Phase::Starting;
    pod.plan(now + pull, super::pod::Happening::Pulled);
    world.set_rate(id, now);
    Ok(())
}

async fn pod_logs(
    State(inner): Shared,
    Extension(sender): Extension<Sender>,
    Path(id): Path<String>,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Answer<Response> {
    inner.with(|world| find(world, &sender, &id).map(|_| ()))?;
    logs::stream(&inner, sender.account(), id, &parameters, &headers)
}

fn stock_filter(parameters: &HashMap<String, String>) -> Answer<Filter> {
    let with_stock = match parameters.get("include").map(String::as_str) {
        None => false,
        Some("AVAILABILITY") => true,
        Some(_) => return Err(Problem::bad_request("include must be AVAILABILITY")),
    };
    if with_stock != parameters.contains_key("product") {
        return Err(Problem::bad_request("include and product must be used together"));
    }
    let cloud = match parameters.get("cloud").map(String::as_str) {
        None => None,
        Some("SECURE") => Some(Cloud::Secure),
        Some("COMMUNITY") => Some(Cloud::Community),
        Some(_) => return Err(Problem::bad_request("cloud must be one of SECURE, COMMUNITY")),
    };
    let count = match parameters.get("count").map(|count| count.parse()) {
        None => 1,
        Some(Ok(count)) if count > 0 => count,
        Some(_) => return Err(Problem::bad_request("count must be a whole number above 0")),
    };
    let countries = parameters
        .get("countryCodes")
        .map(String::as_str)
        .unwrap_or_default();
    Ok(Filter {
        with_stock,
        count,
        cloud,
        countries: countries
            .split(',')
            .filter(|code| !code.is_empty())
            .map(str::to_owned)
            .collect(),
        min_cuda: parameters.get("minCudaVersion").cloned(),
    })
}

async fn list_gpus(State(inner): Shared, Query(parameters): Parameters) -> Answer<Json<Value>> {
    let filter = stock_filter(&parameters)?;
    let gpus = inner.with(|world| {
        let catalogue = &world.catalogue;
        catalogue
            .gpus
            .iter()
            .filter_map(|gpu| catalogue.gpu_json(gpu, &filter))
            .collect::<Vec<_>>()
    });
    Ok(Json(json!({ "gpus": gpus })))
}

async fn get_gpu(
    State(inner): Shared,
    Path(id): Path<String>,
    Query(parameters): Parameters,
) -> Answer<Json<Value>> {
    let filter = stock_filter(&parameters)?;
    inner.with(|world| {
        let gpu = world
            .catalogue
            .gpu(&id)
            .and_then(|gpu| world.catalogue.gpu_json(gpu, &filter));
        gpu.map(Json).ok_or_else(Problem::not_found)
    })
}

fn wants_gpus(parameters: &HashMap<String, String>) -> bool {
    let include = parameters.get("include").map(String::as_str).unwrap_or_default();
    include.split(',').any(|part| part == "GPU_AVAILABILITY")
}

async fn list_data_centers(State(inner): Shared, Query(parameters): Parameters) -> Json<Value> {
    let regions: Vec<&str> = parameters
        .get("regions")
        .map_or(Vec::new(), |text| text.split(',').collect());
    let places = inner.with(|world| {
        let places = world.catalogue.data_centers.iter();
        let places = places.filter(|place| regions.is_empty() || regions.contains(&place.region.as_str()));
        places
            .map(|place| world.catalogue.data_center_json(place, wants_gpus(&parameters)))
            .collect::<Vec<_>>()
    });
    Json(json!({ "dataCenters": places }))
}

async fn get_data_center(
    State(inner): Shared,
    Path(id): Path<String>,
    Query(parameters): Parameters,
) -> Answer<Json<Value>> {
    inner.with(|world| {
        let place = world.catalogue.data_centers.iter().find(|place| place.id == id);
        let place = place.ok_or_else(Problem::not_found)?;
        Ok(Json(
            world.catalogue.data_center_json(place, wants_gpus(&parameters)),
        ))
    })
}

async fn pod_billing(
    State(inner): Shared,
    Extension(sender): Extension<Sender>,
    Query(parameters): Parameters,
) -> Answer<Json<Value>> {
    inner
        .with(|world| world.billing(sender.account(), &parameters))
        .map(Json)
}

async fn list_volumes(State(inner): Shared, Extension(sender): Extension<Sender>) -> Json<Value> {
    let volumes = inner.with(|world| {
        let mine = world
            .volumes
            .values()
            .filter(|volume| volume.account == sender.account());
        mine.map(Volume::json).collect::<Vec<_>>()
    });
    Json(json!({ "networkVolumes": volumes }))
}

async fn create_volume(
    State(inner): Shared,
    Extension(sender): Extension<Sender>,
    body: Bytes,
) -> Answer<Response> {
    let body = contract::check(&body, &contract::CREATE_VOLUME)?;
    let wanted: WantedVolume = serde_json::from_value(body).map_err(|_| Problem::invalid(Vec::new()))?;
    let volume = inner.with(|world| {
        if !world
            .catalogue
            .data_centers
            .iter()
            .any(|place| place.id == wanted.data_center)
        {
            return Err(Problem::bad_request("unknown data center"));
        }
        let volume = Volume {
            id: world.new_id(""),
            account: sender.account(),
            name: wanted.name,
            size_gb: wanted.size,
            data_center: wanted.data_center,
            tier: wanted.tier,
        };
        let json = volume.json();
        world.volumes.insert(volume.id.clone(), volume);
        Ok(json)
    })?;
    Ok((StatusCode::CREATED, Json(volume)).into_response())
}

fn volume<'a>(world: &'a mut World, sender: &Sender, id: &str) -> Answer<&'a mut Volume> {
    world
        .volumes
        .get_mut(id)
        .filter(|volume| volume.account == sender.account())
        .ok_or_else(Problem::not_found)
}

async fn get_volume(
    State(inner): Shared,
    Extension(sender): Extension<Sender>,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    inner.with(|world| Ok(Json(volume(world, &sender, &id)?.json())))
}

async fn update_volume(
    State(inner): Shared,
    Extension(sender): Extension<Sender>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer<Json<Value>> {
    let body = contract::check(&body, &contract::UPDATE_VOLUME)?;
    let change: VolumeChange = serde_json::from_value(body).map_err(|_| Problem::invalid(Vec::new()))?;
    inner.with(|world| {
        let volume = volume(world, &sender, &id)?;
        if change.size.is_some_and(|size| size < volume.size_gb) {
            return Err(Problem::bad_request("a network volume cannot shrink"));
        }
        volume.size_gb = change.size.unwrap_or(volume.size_gb);
        volume.name = change.name.unwrap_or(volume.name.clone());
        Ok(Json(volume.json()))
    })
}

async fn delete_volume(
    State(inner): Shared,
    Extension(sender): Extension<Sender>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    inner.with(|world| {
        volume(world, &sender, &id)?;
        world.volumes.remove(&id);
        Ok(StatusCode::NO_CONTENT)
    })
}

/// The account's balance, which version 2 has no route for. GraphQL says 200 to everything.
async fn graphql(
    State(inner): Shared,
    Extension(sender): Extension<Sender>,
    body: Bytes,
) -> Answer<Json<Value>> {
    if inner.graphql_retired {
        return Err(Problem::of(StatusCode::GONE));
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let asks_for_money = body["query"]
        .as_str()
        .is_some_and(|query| query.contains("clientBalance"));
    if !asks_for_money {
        return Ok(Json(json!({"errors": [{"message": "unknown query"}]})));
    }
    let (balance, rate) = inner.with(|world| (world.balance(sender.account()), world.rate(sender.account())));
    Ok(Json(json!({"data": {"myself": {
        "clientBalance": dollars(balance),
        "currentSpendPerHr": dollars(rate),
    }}})))
}
