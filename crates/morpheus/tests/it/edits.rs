//! LoRAs that are made out of others, with a server and agents of their own, and with power cuts.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::{
    api::Api,
    generate::{tensors, wave},
    lora::difference,
    support::{Server, kill},
};

/// kohya's names for one layer of tiny-xl.
fn lora(rank: usize) -> Vec<u8> {
    let module = "lora_unet_middle_block_1_transformer_blocks_0_attn1_to_q";
    tensors([
        (
            &format!("{module}.lora_down.weight"),
            vec![rank, 128],
            wave(128 * rank),
        ),
        (
            &format!("{module}.lora_up.weight"),
            vec![128, rank],
            wave(128 * rank),
        ),
    ])
}

async fn import(api: &Api, name: &str, rank: usize) -> Value {
    let file = Part::bytes(lora(rank)).file_name(format!("{name}.safetensors"));
    let form = Form::new()
        .text("base_model", "tiny-xl")
        .text("name", name.to_owned())
        .part("file", file);
    api.send_form("/api/v1/models/import", form).await
}

async fn ended(api: &Api, edit: &Value) -> Value {
    let path = format!("/api/v1/edits/{}", edit["id"].as_str().unwrap());
    let is_over = |edit: &Value| {
        ["succeeded", "failed", "cancelled"]
            .iter()
            .any(|end| edit["phase"] == *end)
    };
    api.wait_for(&path, is_over).await
}

fn merge(loras: [&Value; 2]) -> Value {
    let loras = loras.map(|version| json!({ "model_version_id": version["id"], "weight": 0.5 }));
    json!({ "kind": "merge", "loras": loras, "name": "both" })
}

#[tokio::test]
async fn a_merge_is_a_version_that_draws() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let api = Api::of(&server);
    let (ink, zora) = (import(&api, "ink", 2).await, import(&api, "zora", 3).await);
    let edit = api.post("/api/v1/edits", merge([&ink, &zora])).await;
    let edit = ended(&api, &edit).await;
    assert_eq!(edit["phase"], "succeeded", "{edit}");
    let id = edit["model_version_id"].as_str().unwrap();
    let version = api.get(&format!("/api/v1/model-versions/{id}")).await;
    let imported = &version["imported"];
    assert_eq!(
        (&imported["rank_max"], &imported["n_modules"]),
        (&json!(5), &json!(1)),
        "{version}"
    );
    assert_eq!(
        imported["made"]["done"],
        "merged from ink × 0.5 + zora × 0.5 by concatenation"
    );

    // Half of each is what the merge is.
    let picture = async |loras: Value| {
        let request =
            json!({ "base_model": "tiny-xl", "prompt": "zora", "seed": 7, "n_steps": 2, "loras": loras });
        let generation = api.generated(request).await;
        api.bytes(generation["image_url"].as_str().unwrap()).await
    };
    let weighted =
        |version: &Value, weight: f64| json!({ "model_version_id": version["id"], "weight": weight });
    let plain = picture(json!([])).await;
    let merged = picture(json!([weighted(&version, 1.0)])).await;
    assert!(plain != merged, "it changes the picture");

    // A file for another program, and a rank that cannot be.
    let convert =
        json!({ "kind": "convert", "to": "diffusers", "loras": [{ "model_version_id": ink["id"] }] });
    let made = ended(&api, &api.post("/api/v1/edits", convert).await).await;
    assert_eq!(made["file_name"], "ink-v1-diffusers.safetensors", "{made}");
    let address = format!("/api/v1/edits/{}/download", made["id"].as_str().unwrap());
    let bytes = api.bytes(&address).await;
    assert!(
        String::from_utf8_lossy(&bytes).contains("unet.mid_block.attentions.0"),
        "{}",
        bytes.len()
    );
    let extract = json!({ "kind": "extract", "base_model": "tiny-xl", "tuned_model": "tiny-xl", "rank": 4 });
    let failed = ended(&api, &api.post("/api/v1/edits", extract).await).await;
    let error = failed["error"].as_str().unwrap();
    assert!(error.starts_with("nothing would be left"), "{error}");
}

/// It draws what the base model draws with the LoRA beside it, although nobody has downloaded it.
#[tokio::test]
async fn what_was_merged_into_a_base_model_is_drawn_with_as_one() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let api = Api::of(&server);
    let ink = import(&api, "ink", 2).await;
    let lora = json!({ "model_version_id": ink["id"], "weight": 0.5 });
    let into = json!({ "kind": "merge_into", "base_model": "tiny-xl", "loras": [lora] });
    let edit = ended(&api, &api.post("/api/v1/edits", into).await).await;
    // A base model in a folder becomes one again.
    assert_eq!(edit["file_name"], "tiny-xl-ink.zip", "{edit}");
    let source = format!("edit:{}", edit["id"].as_str().unwrap());
    let request = json!({ "name": "mine", "source": source });
    api.post("/api/v1/registered-base-models", request).await;
    let bases = api
        .wait_for("/api/v1/registered-base-models", |bases| {
            bases[0]["state"] != "checking"
        })
        .await;
    let base = &bases[0];
    assert_eq!(base["state"], "ready", "{base}");
    assert_eq!(
        (&base["source"], &base["is_fetchable"], &base["class"]),
        (&json!(source), &json!(true), &json!("tiny")),
        "{base}"
    );
    let picture = async |base: &str, loras: Value| {
        let request =
            json!({ "base_model": base, "prompt": "zora", "seed": 7, "n_steps": 2, "loras": loras });
        let generation = api.generated(request).await;
        let bytes = api.bytes(generation["image_url"].as_str().unwrap()).await;
        image::load_from_memory(&bytes).unwrap().into_rgb8()
    };
    let plain = picture("tiny-xl", json!([])).await;
    let beside = picture("tiny-xl", json!([lora])).await;
    let merged = picture("mine", json!([])).await;
    let (change, error) = (difference(&plain, &beside), difference(&merged, &beside));
    // The base is stored in half precision.
    assert!(change > 0.01 && error < 0.1 * change, "{error} of {change}");
}

#[tokio::test]
async fn an_edit_outlives_its_agent_and_its_server() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let api = Api::of(&server);
    let (ink, zora) = (import(&api, "ink", 2).await, import(&api, "zora", 3).await);
    let edit = api.post("/api/v1/edits", merge([&ink, &zora])).await;
    // Whatever it does at that moment.
    crate::support::wait_for("an agent", || {
        let agents = server.agents();
        agents.iter().for_each(|agent| kill(*agent));
        (!agents.is_empty()).then_some(())
    });
    assert_eq!(ended(&api, &edit).await["phase"], "succeeded");

    let resize = json!({ "kind": "resize", "rank": 1, "loras": [{ "model_version_id": zora["id"] }] });
    let edit = api.post("/api/v1/edits", resize).await;
    let listen = format!("127.0.0.1:{}", server.url.port().unwrap());
    server.kill();
    let server = Server::start_at(data.path(), &listen);
    let api = api.at(&server);
    let edit = ended(&api, &edit).await;
    assert_eq!(edit["phase"], "succeeded", "{edit}");
    let model = api
        .get(&format!("/api/v1/models/{}", zora["model_id"].as_str().unwrap()))
        .await;
    assert_eq!(model["versions"].as_array().unwrap().len(), 2, "{model}");
}
