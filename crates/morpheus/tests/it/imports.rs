//! LoRAs of other programs, from the import to a picture.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::{
    api::Api,
    generate::{tensors, wave},
    support::Server,
};

/// Diffusers' names, and as many tensors again that nobody knows.
fn in_part() -> Vec<u8> {
    let module = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
    tensors([
        (&format!("{module}.lora_A.weight"), vec![1, 128], wave(128)),
        (&format!("{module}.lora_B.weight"), vec![128, 1], wave(128)),
        ("unet.weird.0.lora_A.weight", vec![1, 128], wave(128)),
        ("unet.weird.0.lora_B.weight", vec![128, 1], wave(128)),
    ])
}

async fn import(api: &Api, bytes: &[u8], allow_partial: bool) -> Value {
    let form = Form::new()
        .text("base_model", "tiny-xl")
        .text("license", "CC0")
        .text("allow_partial", allow_partial.to_string())
        .part("file", Part::bytes(bytes.to_vec()).file_name("ink.safetensors"));
    api.send_form("/api/v1/models/import", form).await
}

async fn picture(api: &Api, loras: Value) -> Vec<u8> {
    let request = json!({
        "base_model": "tiny-xl", "prompt": "zora", "seed": 7, "n_steps": 2, "loras": loras,
    });
    let generation = api.generated(request).await;
    api.bytes(generation["image_url"].as_str().unwrap()).await
}

#[tokio::test]
async fn a_foreign_lora_that_is_applied_in_part_is_named_and_used() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let api = Api::of(&server);
    let refused = import(&api, &in_part(), false).await;
    assert_eq!(refused["errors"][0]["field"], "allow_partial", "{refused}");
    let said = refused["errors"][0]["message"].as_str().unwrap();
    assert!(
        said.contains("not known") && said.contains("unet.weird.0"),
        "{said}"
    );

    let version = import(&api, &in_part(), true).await;
    assert_eq!(version["imported"]["n_modules"], 1, "{version}");
    assert_eq!(version["imported"]["format"], "diffusers", "{version}");
    let plain = picture(&api, json!([])).await;
    let with = picture(&api, json!([{ "model_version_id": version["id"], "weight": 1 }])).await;
    assert!(plain != with, "it changes the picture");
}

#[tokio::test]
async fn what_is_no_lora_is_refused_without_the_place_where_it_lay() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let api = Api::of(&server);
    let other = tensors([("model.diffusion_model.out.2.bias", vec![4], wave(4))]);
    for bytes in [b"<!DOCTYPE html><html>".to_vec(), other, b"PK\x03\x04".to_vec()] {
        let refused = import(&api, &bytes, true).await;
        assert_eq!(refused["errors"][0]["field"], "file", "{refused}");
        let said = refused["errors"][0]["message"].as_str().unwrap();
        let folder = data.path().to_str().unwrap();
        assert!(said.starts_with("is ") && !said.contains(folder), "{said}");
    }
}
