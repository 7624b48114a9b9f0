use serde_json::{Value, json};

use super::{NamedLora, Settings, read, write};
use crate::made::{Made, tests::made};

fn shown(settings: &Settings) -> Value {
    let loras: Vec<Value> = settings
        .loras
        .iter()
        .map(|NamedLora { name, weight, hash }| json!({ "name": name, "weight": weight, "hash": hash }))
        .collect();
    json!({
        "prompt": settings.prompt,
        "negative_prompt": settings.negative_prompt,
        "loras": loras,
        "seed": settings.seed.map(|seed| seed.to_string()),
        "n_steps": settings.n_steps,
        "guidance": settings.guidance,
        "size": settings.size,
        "sampler": settings.sampler,
        "base": settings.base,
        "base_hash": settings.base_hash,
        "not_taken": settings.not_taken,
    })
}

/// Numbers that are equal as JSON texts of another form: 7 and 7.0.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(entries) => entries.iter().map(plain).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        other => other.clone(),
    }
}

#[test]
fn foreign_texts_are_read_as_far_as_they_are_known() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("cases.json")).unwrap();
    for case in cases {
        let settings = read(case["text"].as_str().unwrap());
        assert_eq!(
            plain(&shown(&settings)),
            plain(&case["settings"]),
            "{}",
            case["about"]
        );
    }
}

#[test]
fn a_picture_is_written_as_a1111_writes_it() {
    assert_eq!(
        write(&made()),
        "zora, \"smiling\" — 漫画 <lora:zora:0.8> <lora:ink_ style:-0.5>\n\
         Negative prompt: blurry\n\
         Steps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 18446744073709551615, Size: 832x1216, \
         Model hash: 3333333333, Model: sd_xl_base_1.0, RNG: CPU, \
         Lora hashes: \"zora: 555555555555, ink_ style: 777777777777\", Version: Morpheus 0.1.0"
    );
    let plain = Made {
        prompt: String::new(),
        negative_prompt: None,
        loras: Vec::new(),
        ..made()
    };
    assert!(write(&plain).starts_with("Steps: 20, Sampler: Euler a,"));
}

#[test]
fn a_tag_that_stands_in_the_prompt_is_not_added_again() {
    let tagged = Made {
        prompt: "zora <lora:zora:0.8> smiling <lora:ink_ style:-0.5>".into(),
        ..made()
    };
    let text = write(&tagged);
    assert_eq!(text.matches("<lora:").count(), 2, "{text}");
}

#[test]
fn what_is_written_is_read_again() {
    let made = made();
    let settings = read(&write(&made));
    assert_eq!(settings.prompt, made.prompt);
    assert_eq!(settings.negative_prompt, made.negative_prompt);
    assert_eq!(settings.seed, Some(made.seed));
    assert_eq!(settings.n_steps, Some(made.n_steps));
    assert_eq!(settings.guidance, Some(made.guidance));
    assert_eq!(settings.size, Some((made.width, made.height)));
    assert_eq!(settings.sampler, Some(made.sampler));
    assert_eq!(settings.loras[0].weight, 0.8);
    assert_eq!(settings.loras[0].hash.as_deref(), Some("555555555555"));
    assert_eq!(settings.not_taken, Vec::<String>::new());
}

#[test]
fn a_hostile_text_is_read_in_time_and_its_notes_are_few() {
    for piece in [
        "<",
        "<lora:",
        "<lora:a:9>",
        "Ab: 1, ",
        "Ab: \"",
        "\nNegative prompt:",
        "Ab: \"\\u",
        "::,,",
    ] {
        let text = piece.repeat((1 << 20) / piece.len());
        let settings = read(&text);
        assert!(settings.not_taken.len() <= 51, "{piece}");
        assert!(settings.loras.len() <= 64, "{piece}");
    }
}
