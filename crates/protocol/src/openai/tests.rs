use serde_json::{Value, json};

use super::{DrawnWith, ImagesRequest};

fn with() -> DrawnWith {
    DrawnWith {
        base_model: "tiny-xl".to_owned(),
        lora: None,
    }
}

/// What is wrong with a request, by its fields.
fn wrong(more: Value) -> Vec<String> {
    let mut body = json!({ "model": "tiny-xl", "prompt": "zora" });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let request: ImagesRequest = serde_json::from_value(body).unwrap();
    match request.generations(&with()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.0.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn what_openai_s_clients_send_is_taken_or_refused_with_a_reason() {
    assert_eq!(
        wrong(json!({
            "quality": "hd", "style": "vivid", "user": "me", "moderation": "low", "background": "opaque", "stream": false,
            "partial_images": 0, "output_format": "png", "output_compression": 100, "size": "auto", "n": null,
            "seed": null, "response_format": "b64_json",
        })),
        [""; 0]
    );
    for (body, words) in [
        (json!({ "n": 11 }), "n: must be from 1 to 10, not 11"),
        (
            json!({ "size": "large" }),
            "size: must be `auto`, or WIDTHxHEIGHT such as `1024x1024`, not `large`",
        ),
        (
            json!({ "size": "100x64" }),
            "size: each side must be a multiple of 8 from 64 to 2048, not 100",
        ),
        (
            json!({ "output_format": "webp" }),
            "output_format: must be `png`, not `webp`",
        ),
        (
            json!({ "output_compression": 50 }),
            "output_compression: must be 100, not 50: PNG files are compressed without loss",
        ),
        (
            json!({ "background": "transparent" }),
            "background: must be `auto` or `opaque`, not `transparent`: pictures have no transparency",
        ),
        (
            json!({ "stream": true }),
            "stream: must be `false`: pictures are sent when they are finished",
        ),
        (
            json!({ "partial_images": 2 }),
            "partial_images: must be 0: pictures are sent when they are finished",
        ),
    ] {
        assert_eq!(wrong(body), [words]);
    }
    assert_eq!(
        wrong(json!({ "n": 0, "size": "1x1", "steps": 0 })).len(),
        3,
        "all errors come at once"
    );
}

#[test]
fn each_picture_has_a_seed_of_its_own() {
    let request: ImagesRequest = serde_json::from_value(json!({
        "model": "tiny-xl", "prompt": "zora", "n": 3, "seed": u64::MAX.to_string(), "size": "64x128",
    }))
    .unwrap();
    let made = request.generations(&with()).unwrap();
    let seeds: Vec<Option<u64>> = made.iter().map(|made| made.seed).collect();
    assert_eq!(seeds, [Some(u64::MAX), Some(0), Some(1)]);
    assert_eq!((made[2].width, made[2].height), (Some(64), Some(128)));
}
