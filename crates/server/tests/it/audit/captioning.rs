//! What is written down of endpoints that describe pictures, and of runs.

use protocol::audit::AuditAction::{
    CaptionEndpointDeleted, CaptionEndpointMade, CaptionEndpointTried, CaptionRunMade, CaptionRunStopped,
    ProposalsAccepted, ProposalsDismissed,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::Changes;

/// Endpoints that describe pictures, and a run over a picture of a dataset. Nothing answers at the address.
pub(super) async fn describes_pictures(changes: &mut Changes<'_>, dataset: &str, item: &str) {
    let endpoint = json!({
        "name": "a", "url": "https://a.invalid/hidden/v1", "model": "m", "key": "hidden-key",
    });
    let endpoint = changes
        .change(
            Method::POST,
            "/caption-endpoints",
            "",
            endpoint,
            CaptionEndpointMade,
        )
        .await;
    assert_eq!(endpoint["origin"], "https://a.invalid");
    assert_eq!(endpoint["has_key"], true);
    let endpoint = endpoint["id"].as_str().unwrap();
    let asked = json!({ "dataset_id": dataset, "item_id": item, "prompt": "Describe it." });
    let tried = changes
        .change(
            Method::POST,
            "/caption-endpoints/{id}/tests",
            endpoint,
            asked,
            CaptionEndpointTried,
        )
        .await;
    assert!(tried["error"].is_string(), "{tried}");
    let run = json!({ "endpoint_id": endpoint, "prompt": "Describe it.", "policy": "replace" });
    let run = changes
        .change(
            Method::POST,
            "/datasets/{id}/caption-runs",
            dataset,
            run,
            CaptionRunMade,
        )
        .await;
    let run = run["id"].as_str().unwrap();
    for (verb, action) in [
        ("stop", CaptionRunStopped),
        ("accept", ProposalsAccepted),
        ("dismiss", ProposalsDismissed),
    ] {
        let path = format!("/api/v1/datasets/{dataset}/caption-runs/{run}/{verb}");
        let request = changes.app.request(Method::POST, &path).json(&json!({}));
        let route = format!("POST /api/v1/datasets/{{id}}/caption-runs/{{run_id}}/{verb}");
        changes.check(&route, request, action).await;
    }
    changes
        .change(
            Method::DELETE,
            "/caption-endpoints/{id}",
            endpoint,
            Value::Null,
            CaptionEndpointDeleted,
        )
        .await;
}
