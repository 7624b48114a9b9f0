//! Every answer keeps the provider's own specification, so that simulator and client cannot drift together.
//!
//! The specification is the provider's and no part of this repository: `MORPHEUS_RUNPOD_SPEC` names it, or it lies
//! beside the repository; where it is not, the test says so.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};
use sim::runpod::{Fault, KEY, Options, Quota, Route, RunPod, What};

use crate::{
    http::{Answer, GPU, call, call_as, create, pod, simulator},
    schema::violations,
};

const VARIABLE: &str = "MORPHEUS_RUNPOD_SPEC";
const BESIDE: &str = "../../../shared/reference/runpod-openapi-v2.json";

/// The specification; `None` where there is none, which the caller says.
fn specification() -> Option<Value> {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(BESIDE);
    let Some(path) = named.or_else(|| beside.exists().then_some(beside)) else {
        eprintln!("skipped: {VARIABLE} is not set, and {BESIDE} does not exist");
        return None;
    };
    let text = std::fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    Some(serde_json::from_str(&text).unwrap())
}

struct Contract {
    document: Value,
    n_checked: usize,
}

impl Contract {
    /// Checks an answer against what the operation says about its status.
    #[track_caller]
    fn check(&mut self, operation: &str, status: u16, answer: &Answer) {
        let context = format!("{operation} {status}: {}", answer.body);
        assert_eq!(answer.status.as_u16(), status, "{context}");
        let (method, path) = operation.split_once(' ').unwrap();
        let operation = &self.document["paths"][path][method.to_lowercase()];
        assert!(operation.is_object(), "{context}: unknown operation");
        let responses = &operation["responses"];
        let response = match &responses[status.to_string()] {
            Value::Null => &responses["default"],
            response => response,
        };
        let response = self.resolve(response);
        let kind = answer
            .headers
            .get("content-type")
            .map(|kind| kind.to_str().unwrap());
        match response.get("content").and_then(Value::as_object) {
            None => assert_eq!((kind, &answer.body), (None, &Value::Null), "{context}"),
            Some(content) => {
                let kind = kind.unwrap_or_else(|| panic!("{context}: no content type"));
                let (_, content) = content
                    .iter()
                    .find(|(name, _)| *name == kind)
                    .unwrap_or_else(|| panic!("{context}: {kind} is none of {:?}", content.keys()));
                let found = violations(&self.document, &content["schema"], &answer.body);
                assert!(found.is_empty(), "{context}\n{found:#?}");
            }
        }
        for name in response["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
        {
            assert!(
                answer.headers.contains_key(name.to_lowercase()),
                "{context}: no {name}"
            );
        }
        assert!(answer.headers.contains_key("x-request-id"), "{context}");
        self.n_checked += 1;
    }

    fn resolve(&self, value: &Value) -> Value {
        match value["$ref"].as_str() {
            Some(target) => self
                .document
                .pointer(target.strip_prefix('#').unwrap())
                .unwrap()
                .clone(),
            None => value.clone(),
        }
    }
}

#[tokio::test]
async fn every_answer_keeps_the_specification() {
    let Some(document) = specification() else { return };
    let mut contract = Contract {
        document,
        n_checked: 0,
    };
    let sim = RunPod::start(Options {
        quota: Some(Quota {
            minute: 1_000,
            ..Quota::default()
        }),
        ..Options::stepped()
    })
    .await
    .unwrap();
    pods(&mut contract, &sim).await;
    refusals(&mut contract, &sim).await;
    catalogue_and_bill(&mut contract, &sim).await;
    volumes(&mut contract, &sim).await;
    eprintln!("{} answers checked", contract.n_checked);
    assert!(contract.n_checked > 50);
}

async fn pods(contract: &mut Contract, sim: &RunPod) {
    let post = async |body| call(sim, Method::POST, "/v2/pods", Some(body)).await;
    let created = post(pod("one")).await;
    contract.check("POST /v2/pods", 201, &created);
    let one = format!("/v2/pods/{}", created.body["id"].as_str().unwrap());
    let mut with_volume = pod("two");
    with_volume["mounts"] = json!({"persistent": {"size": 10, "path": "/workspace"}});
    with_volume["gpu"]["minCudaVersion"] = "12.8".into();
    with_volume["dataCenterIds"] = json!(["US-KS-2"]);
    contract.check("POST /v2/pods", 201, &post(with_volume).await);
    // In each phase.
    for seconds in [0, 6, 40, 4_000] {
        sim.step(std::time::Duration::from_secs(seconds));
        contract.check(
            "GET /v2/pods",
            200,
            &call(sim, Method::GET, "/v2/pods", None).await,
        );
        contract.check(
            "GET /v2/pods/{id}",
            200,
            &call(sim, Method::GET, &one, None).await,
        );
    }
    let act = async |action: &str| {
        call(
            sim,
            Method::POST,
            &format!("{one}/action"),
            Some(json!({"action": action})),
        )
        .await
    };
    let action = "POST /v2/pods/{id}/action";
    contract.check(action, 200, &act("restart").await);
    contract.check(action, 200, &act("stop").await);
    contract.check(
        "GET /v2/pods/{id}",
        200,
        &call(sim, Method::GET, &one, None).await,
    );
    contract.check(action, 409, &act("restart").await);
    contract.check(action, 422, &act("explode").await);
    contract.check(action, 200, &act("start").await);
    let patch = async |body| call(sim, Method::PATCH, &one, Some(body)).await;
    contract.check(
        "PATCH /v2/pods/{id}",
        200,
        &patch(json!({"name": "uno", "env": {}})).await,
    );
    contract.check("PATCH /v2/pods/{id}", 422, &patch(json!({"gpu": {}})).await);
    let mount = json!({"mounts": {"persistent": {"size": 10, "path": "/x"}}});
    contract.check("PATCH /v2/pods/{id}", 400, &patch(mount).await);
    contract.check(action, 204, &act("terminate").await);
    contract.check(
        "GET /v2/pods/{id}",
        404,
        &call(sim, Method::GET, &one, None).await,
    );
    contract.check(
        "DELETE /v2/pods/{id}",
        404,
        &call(sim, Method::DELETE, &one, None).await,
    );
    let three = format!("/v2/pods/{}", create(sim, pod("three")).await);
    contract.check(
        "DELETE /v2/pods/{id}",
        204,
        &call(sim, Method::DELETE, &three, None).await,
    );
}

async fn refusals(contract: &mut Contract, sim: &RunPod) {
    let post = async |body| call(sim, Method::POST, "/v2/pods", Some(body)).await;
    contract.check("POST /v2/pods", 422, &post(json!({"gpuTypeIds": []})).await);
    contract.check(
        "POST /v2/pods",
        400,
        &post(json!({"name": "a", "image": "b"})).await,
    );
    let mut unknown = pod("a");
    unknown["gpu"]["id"] = "NVIDIA GeForce 256".into();
    contract.check("POST /v2/pods", 400, &post(unknown).await);
    let list = "/v2/pods";
    contract.check(
        "GET /v2/pods",
        401,
        &call_as(sim, "wrong", Method::GET, list, None).await,
    );
    for status in [402, 403, 429, 500, 503] {
        sim.fault(Fault::once(What::Answer {
            route: Route::Any,
            status,
            retry_after_s: (status == 429).then_some(3),
        }));
        contract.check("POST /v2/pods", status, &post(pod("a")).await);
    }
    create(sim, pod("own")).await;
    let own = sim.environment("own").unwrap();
    let refused = call_as(sim, &own["RUNPOD_API_KEY"], Method::GET, list, None).await;
    contract.check("GET /v2/pods", 403, &refused);

    // Not an operation of the specification, but an answer that it describes.
    let wrong_method = call(sim, Method::PUT, list, None).await;
    assert_eq!(wrong_method.status, 405);
    assert_eq!(wrong_method.headers["allow"], "GET,HEAD,POST");
    assert_eq!(wrong_method.body["title"], "Method Not Allowed");

    let strict = RunPod::start(Options {
        quota: Some(Quota {
            minute: 1,
            ..Quota::default()
        }),
        accounts: vec![(KEY.to_owned(), protocol::MicroUsd(100_000))],
        ..Options::stepped()
    })
    .await
    .unwrap();
    let poor = call(&strict, Method::POST, list, Some(pod("a"))).await;
    contract.check("POST /v2/pods", 402, &poor);
    contract.check("GET /v2/pods", 429, &call(&strict, Method::GET, list, None).await);
}

async fn catalogue_and_bill(contract: &mut Contract, sim: &RunPod) {
    let get = async |path: &str| call(sim, Method::GET, path, None).await;
    let stock = "include=AVAILABILITY&product=POD&count=1";
    let gpu = GPU.replace(' ', "%20");
    contract.check("GET /v2/catalog/gpus", 200, &get("/v2/catalog/gpus").await);
    contract.check(
        "GET /v2/catalog/gpus",
        200,
        &get(&format!("/v2/catalog/gpus?{stock}")).await,
    );
    let narrow = format!("/v2/catalog/gpus?{stock}&cloud=COMMUNITY&countryCodes=US,RO&minCudaVersion=12.8");
    contract.check("GET /v2/catalog/gpus", 200, &get(&narrow).await);
    contract.check(
        "GET /v2/catalog/gpus",
        400,
        &get("/v2/catalog/gpus?include=AVAILABILITY").await,
    );
    let one = "GET /v2/catalog/gpus/{id}";
    contract.check(one, 200, &get(&format!("/v2/catalog/gpus/{gpu}?{stock}")).await);
    contract.check(one, 404, &get("/v2/catalog/gpus/none").await);
    let places = "/v2/catalog/datacenters";
    contract.check("GET /v2/catalog/datacenters", 200, &get(places).await);
    let full = format!("{places}?include=GPU_AVAILABILITY&regions=EUROPE");
    contract.check("GET /v2/catalog/datacenters", 200, &get(&full).await);
    let place = "GET /v2/catalog/datacenters/{id}";
    contract.check(place, 200, &get(&format!("{places}/EU-RO-1")).await);
    contract.check(place, 404, &get(&format!("{places}/MOON-1")).await);
    let bill = "GET /v2/billing/pods";
    for bucket in ["hour", "day", "week", "month", "year"] {
        let path = format!("/v2/billing/pods?bucketSize={bucket}&lastN=2");
        let answer = get(&path).await;
        contract.check(bill, 200, &answer);
        assert!(
            answer.body["metadata"]["recordCount"].as_u64() > Some(0),
            "{}",
            answer.body
        );
    }
    contract.check(bill, 200, &get("/v2/billing/pods?podId=none").await);
    let both = "/v2/billing/pods?lastN=1&startTime=2026-06-01T00:00:00Z";
    contract.check(bill, 400, &get(both).await);
}

async fn volumes(contract: &mut Contract, sim: &RunPod) {
    let (all, one) = ("/v2/network-volumes", "/v2/network-volumes/{id}");
    let post = async |body| call(sim, Method::POST, all, Some(body)).await;
    let created = post(json!({"name": "data", "size": 50, "dataCenter": "EU-RO-1"})).await;
    contract.check(&format!("POST {all}"), 201, &created);
    contract.check(
        &format!("POST {all}"),
        422,
        &post(json!({"name": "data", "size": 5, "dataCenterId": "EU-RO-1"})).await,
    );
    contract.check(
        &format!("POST {all}"),
        400,
        &post(json!({"name": "data", "size": 50, "dataCenter": "MOON-1"})).await,
    );
    contract.check(
        &format!("GET {all}"),
        200,
        &call(sim, Method::GET, all, None).await,
    );
    let id = created.body["id"].as_str().unwrap();
    let path = format!("{all}/{id}");
    contract.check(
        &format!("GET {one}"),
        200,
        &call(sim, Method::GET, &path, None).await,
    );
    let patch = async |body| call(sim, Method::PATCH, &path, Some(body)).await;
    contract.check(&format!("PATCH {one}"), 200, &patch(json!({"size": 60})).await);
    contract.check(&format!("PATCH {one}"), 400, &patch(json!({"size": 10})).await);
    contract.check(&format!("PATCH {one}"), 422, &patch(json!({})).await);
    // A pod goes where its volume is.
    let mut on_volume = pod("on-volume");
    on_volume["mounts"] = json!({"network": [{"volumeId": id, "path": "/data"}]});
    let created = call(sim, Method::POST, "/v2/pods", Some(on_volume)).await;
    contract.check("POST /v2/pods", 201, &created);
    contract.check(
        &format!("DELETE {one}"),
        204,
        &call(sim, Method::DELETE, &path, None).await,
    );
    contract.check(
        &format!("GET {one}"),
        404,
        &call(sim, Method::GET, &path, None).await,
    );
    contract.check(
        &format!("DELETE {one}"),
        404,
        &call(sim, Method::DELETE, &path, None).await,
    );
}

#[tokio::test]
async fn retired_apis_are_gone() {
    let sim = simulator().await;
    assert_eq!(call(&sim, Method::GET, "/v1/pods", None).await.status, 410);
    let query = json!({"query": "query{myself{clientBalance currentSpendPerHr}}"});
    let balance = call(&sim, Method::POST, "/graphql", Some(query.clone())).await;
    assert_eq!(balance.body["data"]["myself"]["clientBalance"], 100.0);
    let later = RunPod::start(Options {
        graphql_retired: true,
        ..Options::stepped()
    })
    .await
    .unwrap();
    assert_eq!(
        call(&later, Method::POST, "/graphql", Some(query)).await.status,
        410
    );
}
