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
    check::<CreateJob>(&job(r#", "colour": 1"#), expect![[]]);
}

#[test]
fn unknown_nested_field() {
    check::<CreateJob>(&job(r#", "parameters": {"rnak": 1}"#), expect![[]]);
}

#[test]
fn unknown_field_in_a_list() {
    check::<CreateGeneration>(
        r#"{"base_model": "b", "prompt": "p", "loras": [{"id": 1}]}"#,
        expect![[]],
    );
}

#[test]
fn missing_field() {
    check::<CreateJob>("{}", expect![[]]);
}

#[test]
fn wrong_type() {
    check::<CreateJob>(&job(r#", "parameters": {"rank": "many"}"#), expect![[]]);
    check::<CreateJob>(&job(r#", "parameters": {"rank": 1.5}"#), expect![[]]);
    check::<CreateGeneration>(
        r#"{"base_model": "b", "prompt": "p", "n_steps": -1}"#,
        expect![[]],
    );
}

#[test]
fn unknown_variant() {
    check::<CreateJob>(&job(r#", "preset": "landscape""#), expect![[]]);
}

#[test]
fn wrong_id() {
    check::<CreateJob>(
        r#"{"dataset_id": "seven", "base_model": "tiny-xl", "name": "n"}"#,
        expect![[]],
    );
}

#[test]
fn not_json() {
    check::<CreateJob>(r#"{"parameters": {"learning_rate": NaN}}"#, expect![[]]);
    check::<CreateJob>("", expect![[]]);
}

#[test]
fn two_values() {
    check::<serde_json::Value>("{} {}", expect![[]]);
}

#[test]
fn not_an_object() {
    check::<CreateJob>("[]", expect![[]]);
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
    expect![[]].assert_eq(&super::describe::query(&source).problem().title);
}
