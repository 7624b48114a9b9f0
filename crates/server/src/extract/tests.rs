use expect_test::{Expect, expect};
use protocol::{generation::CreateGeneration, job::CreateJob};
use serde::{Deserialize, de::DeserializeOwned};

use super::parse;

#[track_caller]
fn check<T: DeserializeOwned>(body: &str, expect: Expect) {
    let Err(error) = parse::<T>(body.as_bytes()) else {
        panic!("was taken: {body}");
    };
    let problem = error.problem();
    assert_eq!(problem.status, 400);
    expect.assert_eq(&problem.title);
}

fn job(fields: &str) -> String {
    format!(
        r#"{{"dataset_id": "01890000-0000-7000-8000-000000000000", "base_model": "tiny-xl", "name": "n"{fields}}}"#
    )
}

#[test]
fn unknown_field() {
    check::<CreateJob>(
        &job(r#", "colour": 1"#),
        expect![
            "colour: is not a field; the fields here are `dataset_id`, `base_model`, `name`, `trigger_word`, `preset`, `engine`, `provider`, `priority`, `parameters`, `sample_prompts`, `limit_micro_usd`, `project`, `rental`, `estimate_hash`"
        ],
    );
}

#[test]
fn unknown_nested_field() {
    check::<CreateJob>(
        &job(r#", "parameters": {"rnak": 1}"#),
        expect![
            "parameters.rnak: is not a field; the fields here are `rank`, `alpha`, `learning_rate`, `lr_schedule`, `n_warmup_steps`, `n_steps`, `batch_size`, `gradient_accumulation`, `max_gradient_norm`, `weight_decay`, `min_snr_gamma`, `noise_offset`, `caption_dropout`, `resolution`, `bucket_step`, `max_tokens`, `checkpoint_every_n_steps`, `sample_every_n_steps`, `seed`"
        ],
    );
}

#[test]
fn unknown_field_in_a_list() {
    check::<CreateGeneration>(
        r#"{"base_model": "b", "prompt": "p", "loras": [{"id": 1}]}"#,
        expect!["loras[0].id: is not a field; the fields here are `model_version_id`, `weight`"],
    );
}

#[test]
fn missing_field() {
    check::<CreateJob>("{}", expect!["dataset_id: is missing"]);
}

#[test]
fn wrong_type() {
    check::<CreateJob>(
        &job(r#", "parameters": {"rank": "many"}"#),
        expect![[r#"parameters.rank: must be a whole number, not "many""#]],
    );
    check::<CreateJob>(
        &job(r#", "parameters": {"rank": 1.5}"#),
        expect!["parameters.rank: must be a whole number, not `1.5`"],
    );
    check::<CreateGeneration>(
        r#"{"base_model": "b", "prompt": "p", "n_steps": -1}"#,
        expect!["n_steps: must be a whole number that is not negative, not `-1`"],
    );
}

#[test]
fn unknown_variant() {
    check::<CreateJob>(
        &job(r#", "preset": "landscape""#),
        expect!["preset: must be one of `character`, `style`, `concept`, not `landscape`"],
    );
}

#[test]
fn wrong_id() {
    check::<CreateJob>(
        r#"{"dataset_id": "seven", "base_model": "tiny-xl", "name": "n"}"#,
        expect!["dataset_id: must be an id, as the API gave it out: a UUID"],
    );
}

#[test]
fn not_json() {
    check::<CreateJob>(
        r#"{"parameters": {"learning_rate": NaN}}"#,
        expect!["the body is not JSON: expected value at line 1 column 34"],
    );
    check::<CreateJob>("", expect!["the body is empty; it must be a JSON object"]);
}

#[test]
fn two_values() {
    check::<serde_json::Value>("{} {}", expect!["the body holds more than one JSON value"]);
}

#[test]
fn not_an_object() {
    check::<CreateJob>("[]", expect!["the body must be a JSON object"]);
}

#[derive(Deserialize)]
struct Window {
    #[expect(dead_code, reason = "only its refusal is looked at")]
    width: u32,
}

#[test]
fn wrong_query() {
    let uri = "/x?width=wide".parse().unwrap();
    let rejection = axum::extract::Query::<Window>::try_from_uri(&uri).err().unwrap();
    let source = std::error::Error::source(&rejection).unwrap().to_string();
    expect!["width: must be a whole number that is not negative"]
        .assert_eq(&super::describe::query(&source).problem().title);
}
