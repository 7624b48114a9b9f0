//! As much of JSON Schema 2020-12 as the provider's specification uses for answers. A keyword that is not
//! understood fails the test that meets it, so that nothing passes unchecked.

use chrono::DateTime;
use serde_json::{Map, Value};

/// Keywords that check nothing.
const SILENT: [&str; 6] = [
    "description",
    "example",
    "examples",
    "default",
    "title",
    "x-enum-varnames",
];

/// Every way in which a value breaks a schema of the document.
pub(crate) fn violations(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(document, schema, value, "$", &mut found);
    found
}

fn check(document: &Value, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let schema = schema.as_object().unwrap();
    for (keyword, rule) in schema {
        check_keyword(document, schema, (keyword, rule), value, path, found);
    }
}

fn check_keyword(
    document: &Value,
    schema: &Map<String, Value>,
    (keyword, rule): (&str, &Value),
    value: &Value,
    path: &str,
    found: &mut Vec<String>,
) {
    let mut expect = |is_right: bool| {
        if !is_right {
            found.push(format!("{path}: {keyword} {rule}: {value}"));
        }
    };
    match keyword {
        "$ref" => {
            let target = rule.as_str().unwrap().strip_prefix('#').unwrap();
            check(document, document.pointer(target).unwrap(), value, path, found);
        }
        "allOf" => {
            for part in rule.as_array().unwrap() {
                check(document, part, value, path, found);
            }
        }
        "anyOf" => {
            let mut parts = rule.as_array().unwrap().iter();
            expect(parts.any(|part| violations(document, part, value).is_empty()));
        }
        "type" => expect(match rule {
            Value::Array(types) => types.iter().any(|one| has_type(value, one)),
            one => has_type(value, one),
        }),
        "enum" => expect(rule.as_array().unwrap().contains(value)),
        "format" => expect(has_format(value, rule.as_str().unwrap())),
        "minimum" => expect(
            value
                .as_f64()
                .is_none_or(|number| number >= rule.as_f64().unwrap()),
        ),
        "maximum" => expect(
            value
                .as_f64()
                .is_none_or(|number| number <= rule.as_f64().unwrap()),
        ),
        "minLength" => expect(
            value
                .as_str()
                .is_none_or(|text| text.len() as u64 >= rule.as_u64().unwrap()),
        ),
        "maxItems" => expect(
            value
                .as_array()
                .is_none_or(|all| all.len() as u64 <= rule.as_u64().unwrap()),
        ),
        "pattern" => {
            assert_eq!(rule, "^\\d+\\.\\d+$", "another pattern needs another check");
            expect(value.as_str().is_none_or(|text| {
                text.split_once('.').is_some_and(|(major, minor)| {
                    major.parse::<u32>().is_ok() && minor.parse::<u32>().is_ok()
                })
            }));
        }
        "required" => {
            let names = rule.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            for name in names.filter(|name| value.get(name).is_none()) {
                found.push(format!("{path}: {name} is missing"));
            }
        }
        "properties" => {
            for (name, schema) in rule.as_object().unwrap() {
                if let Some(value) = value.get(name) {
                    check(document, schema, value, &format!("{path}.{name}"), found);
                }
            }
        }
        "additionalProperties" => {
            let known = schema.get("properties").and_then(Value::as_object);
            for (name, value) in value.as_object().into_iter().flatten() {
                if known.is_some_and(|known| known.contains_key(name)) {
                    continue;
                }
                match rule {
                    Value::Bool(false) => found.push(format!("{path}: {name} is not allowed")),
                    Value::Bool(true) => {}
                    schema => check(document, schema, value, &format!("{path}.{name}"), found),
                }
            }
        }
        "items" => {
            for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                check(document, rule, item, &format!("{path}[{index}]"), found);
            }
        }
        other => assert!(SILENT.contains(&other), "the keyword {other} is not understood"),
    }
}

fn has_type(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type {other} is not understood"),
    }
}

fn has_format(value: &Value, format: &str) -> bool {
    match format {
        "date-time" => value
            .as_str()
            .is_none_or(|text| DateTime::parse_from_rfc3339(text).is_ok()),
        "float" | "double" | "int32" | "int64" => value.is_null() || value.is_number(),
        other => panic!("the format {other} is not understood"),
    }
}

#[test]
fn what_is_wrong_is_found() {
    let document = serde_json::json!({"components": {"Level": {"type": "string", "enum": ["LOW", "HIGH"]}}});
    let schema = serde_json::json!({
        "type": "object",
        "required": ["level", "size"],
        "additionalProperties": false,
        "properties": {
            "level": {"$ref": "#/components/Level"},
            "size": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
            "at": {"type": "string", "format": "date-time"},
        },
    });
    let check = |value| violations(&document, &schema, &value).len();
    assert_eq!(
        check(serde_json::json!({"level": "LOW", "size": null, "at": "2026-06-01T12:00:00Z"})),
        0
    );
    assert_eq!(check(serde_json::json!({"level": "LOW"})), 1);
    assert_eq!(
        check(serde_json::json!({"level": "SOME", "size": 0, "at": "noon", "more": 1})),
        4
    );
    assert_eq!(check(serde_json::json!([])), 3);
}
