use serde::{Deserialize, Serialize};

use super::parse;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Body {
    #[serde(default, with = "super")]
    seed: Option<u64>,
}

fn read(json: &str) -> Result<Option<u64>, String> {
    let body = serde_json::from_str::<Body>(&format!("{{\"seed\":{json}}}"));
    body.map(|body| body.seed).map_err(|err| err.to_string())
}

#[test]
fn numbers_and_strings_are_read() {
    for (json, seed) in [
        ("0", Some(0)),
        ("42", Some(42)),
        ("\"42\"", Some(42)),
        ("9007199254740993", Some(9_007_199_254_740_993)),
        ("18446744073709551615", Some(u64::MAX)),
        ("\"18446744073709551615\"", Some(u64::MAX)),
        ("-1", None),
        ("\"-1\"", None),
        ("\"−1\"", None),
        ("null", None),
    ] {
        assert_eq!(read(json), Ok(seed), "{json}");
    }
    assert_eq!(serde_json::from_str::<Body>("{}").unwrap(), Body { seed: None });
}

#[test]
fn anything_else_is_refused_with_what_would_be_right() {
    for json in [
        "7.5",
        "-2",
        "18446744073709551616",
        "\"18446744073709551616\"",
        "\"\"",
        "\"abc\"",
        "\"7.5\"",
        "\"+5\"",
        "\"0x10\"",
        "true",
        "[1]",
        "1e30",
    ] {
        let error = read(json).unwrap_err();
        assert!(
            error.contains("a whole number from 0 to 18446744073709551615, or -1 for a random seed"),
            "{json}: {error}"
        );
    }
}

#[test]
fn what_a_browser_would_round_is_written_as_a_string() {
    let written = |seed| serde_json::to_string(&Body { seed }).unwrap();
    assert_eq!(written(Some(42)), r#"{"seed":42}"#);
    assert_eq!(written(Some(super::MAX_NUMBER)), r#"{"seed":9007199254740991}"#);
    assert_eq!(
        written(Some(super::MAX_NUMBER + 1)),
        r#"{"seed":"9007199254740992"}"#
    );
    assert_eq!(written(Some(u64::MAX)), r#"{"seed":"18446744073709551615"}"#);
    assert_eq!(written(None), r#"{"seed":null}"#);
    for seed in [Some(0), Some(u64::MAX), None] {
        assert_eq!(
            serde_json::from_str::<Body>(&written(seed)).unwrap(),
            Body { seed }
        );
    }
}

#[test]
fn a_person_may_type_spaces_around_it() {
    assert_eq!(parse(" 7 "), Ok(Some(7)));
    assert_eq!(parse("-1"), Ok(None));
    assert!(parse("").unwrap_err().to_string().ends_with("not an empty text"));
}
