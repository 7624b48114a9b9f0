use expect_test::{Expect, expect};
use protocol::{api::CreateToken, generation::CreateGeneration, job::CreateJob, parameters::Parameters};
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
            "colour: is not a known field; valid fields are `dataset_id`, `base_model`, `name`, `trigger_word`, `preset`, `family`, `engine`, `provider`, `priority`, `parameters`, `n_epochs`, `sample_prompts`, `start_from`, `limit_micro_usd`, `project`, `note`, `rental`, `estimate_hash`"
        ],
    );
}

#[test]
fn unknown_nested_field() {
    let error = parse::<CreateJob>(job(r#", "parameters": {"rnak": 1}"#).as_bytes()).unwrap_err();
    let names: Vec<&str> = Parameters::ALL.iter().map(|definition| definition.name).collect();
    assert_eq!(
        error.problem().title,
        format!(
            "parameters.rnak: is not a known field; valid fields are `{}`",
            names.join("`, `")
        )
    );
}

#[test]
fn unknown_field_in_a_list() {
    check::<CreateGeneration>(
        r#"{"base_model": "b", "prompt": "p", "loras": [{"id": 1}]}"#,
        expect![
            "loras[0].id: is not a known field; valid fields are `model_version_id`, `weight`, `partial`"
        ],
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
        expect!["n_steps: must be a non-negative whole number, not `-1`"],
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
fn no_word_at_all() {
    check::<CreateToken>(
        r#"{"name": "ci", "scope": null}"#,
        expect!["scope: must be a text, not `null`"],
    );
    check::<CreateToken>(
        r#"{"name": "ci", "scope": 7}"#,
        expect!["scope: must be a text, not `7`"],
    );
    check::<CreateToken>(
        r#"{"name": "ci", "scope": }"#,
        expect!["the body is not JSON: expected value at line 1 column 25"],
    );
}

#[test]
fn wrong_id() {
    check::<CreateJob>(
        r#"{"dataset_id": "seven", "base_model": "tiny-xl", "name": "n"}"#,
        expect!["dataset_id: must be an id from the API: a UUID"],
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
    check::<serde_json::Value>("{} {}", expect!["the body contains more than one JSON value"]);
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
    expect!["width: must be a non-negative whole number"]
        .assert_eq(&super::describe::query(&source).problem().title);
}
