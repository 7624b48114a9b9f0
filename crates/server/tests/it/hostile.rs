//! Every operation of the OpenAPI document, asked with what nobody sensible would send: no answer is a failure of the
//! server, and what is refused for its size is refused as the document says.

use futures::{StreamExt as _, stream};
use orchestrator::providers::Purpose;
use protocol::agent::WorkKind;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Map, Value, json};

use crate::app::TestApp;

/// Requests at the same time.
const N_AT_ONCE: usize = 8;

/// The document, and things that its paths and bodies can name.
struct Api {
    app: TestApp,
    document: Value,
    agent_token: String,
    dataset: String,
    job: String,
    attempt: String,
}

/// One operation.
struct Operation<'a> {
    method: Method,
    path: &'a str,
    body: Option<&'a Value>,
    parameters: Vec<&'a Value>,
    is_of_agents: bool,
}

impl Api {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let document = app.get("/api/openapi.json").await;
        let job = app.small_job().await;
        let agent = app.launched(Purpose::Train).await;
        let assignment = agent.claim(WorkKind::Train).await;
        Self {
            document,
            agent_token: agent.token().to_owned(),
            dataset: job.dataset_id.to_string(),
            job: job.id.to_string(),
            attempt: assignment.attempt_id.to_string(),
            app,
        }
    }

    fn operations(&self) -> Vec<Operation<'_>> {
        let mut operations = Vec::new();
        for (path, item) in self.document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let Ok(method) = method.to_uppercase().parse() else {
                    continue;
                };
                let parameters = operation["parameters"].as_array();
                operations.push(Operation {
                    method,
                    path,
                    body: operation["requestBody"]["content"]
                        .get("application/json")
                        .map(|content| &content["schema"]),
                    parameters: parameters.into_iter().flatten().collect(),
                    is_of_agents: path.contains("/agent/"),
                });
            }
        }
        operations
    }

    /// The schema itself, where it is a reference or may be null.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap();
            return self.resolved(&self.document["components"]["schemas"][name]);
        }
        match schema["oneOf"].as_array() {
            Some(kinds) => self.resolved(kinds.iter().find(|kind| kind["type"] != "null").unwrap()),
            None => schema,
        }
    }

    /// A value that fits a schema, and names what exists.
    fn example(&self, name: &str, schema: &Value) -> Value {
        let schema = self.resolved(schema);
        match (name, first_type(schema)) {
            ("dataset_id", _) => json!(self.dataset),
            ("base_model", _) => json!("tiny-xl"),
            ("provider", _) => json!("local"),
            (_, "object") => {
                let required = schema["required"].as_array();
                let required = required.into_iter().flatten().filter_map(Value::as_str);
                let fields =
                    required.map(|name| (name.to_owned(), self.example(name, &schema["properties"][name])));
                Value::Object(fields.collect::<Map<_, _>>())
            }
            (_, "array") => json!([]),
            (_, "boolean") => json!(true),
            (_, "integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
            _ if schema["format"] == "uuid" => json!("01890000-0000-7000-8000-000000000000"),
            _ if schema["format"] == "date-time" => json!("2026-01-01T00:00:00Z"),
            _ => match schema["enum"].as_array() {
                Some(words) => words[0].clone(),
                None => json!("x"),
            },
        }
    }

    /// A request of an operation. Whatever it would delete does not exist.
    fn request(&self, operation: &Operation<'_>, path: &str) -> RequestBuilder {
        let token = if operation.is_of_agents {
            &self.agent_token
        } else {
            &self.app.token
        };
        self.app
            .anonymous(operation.method.clone(), path)
            .bearer_auth(token)
    }

    /// The path, with the ids of what exists.
    fn path(&self, operation: &Operation<'_>) -> String {
        let id = match operation.path {
            _ if operation.method == Method::DELETE => "01890000-0000-7000-8000-000000000000",
            path if path.contains("/datasets/") => &self.dataset,
            path if path.contains("/agent/") => &self.attempt,
            _ => &self.job,
        };
        operation
            .path
            .replace("{id}", id)
            .replace("{item_id}", "01890000-0000-7000-8000-000000000000")
            .replace("{artifact_id}", "01890000-0000-7000-8000-000000000000")
            .replace("{name}", "local")
    }
}

fn first_type(schema: &Value) -> &str {
    match &schema["type"] {
        Value::Array(types) => types
            .iter()
            .filter_map(Value::as_str)
            .find(|t| *t != "null")
            .unwrap_or(""),
        found => found.as_str().unwrap_or(""),
    }
}

/// Values that fit nowhere, or hardly.
fn odd_values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(4_294_967_295_u64),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(-1e308),
        json!(0.5),
        json!(""),
        json!(" "),
        json!("a\u{0}b"),
        json!("\u{202e}\u{fffe}\n"),
        json!("💥́".repeat(3000)),
        json!("'; DROP TABLE users; --"),
        json!("../../etc/passwd"),
        json!("+262142-12-31T23:59:59Z"),
        json!("00000000-0000-0000-0000-000000000000"),
        json!([]),
        json!([[], {}, null, "a\u{0}"]),
        json!({}),
        json!({"a\u{0}": {"b": [1e308]}}),
    ]
}

/// The same in an address.
const ODD_WORDS: [&str; 12] = [
    "",
    "-1",
    "0",
    "18446744073709551616",
    "1e308",
    "%00",
    "%FF%FE",
    "%E2%80%AE",
    "%F0%9F%92%A5",
    "..%2f..%2fetc",
    "00000000-0000-0000-0000-000000000000",
    "%27%3B--",
];

/// Sends all of them, and gives the answers: status, type and text.
async fn send(requests: Vec<(String, RequestBuilder)>) -> Vec<(String, StatusCode, String, Value)> {
    stream::iter(requests)
        .map(|(what, request)| async move {
            let response = request
                .send()
                .await
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            let status = response.status();
            let content_type = response.headers().get("content-type");
            let content_type = content_type.map_or(String::new(), |value| value.to_str().unwrap().to_owned());
            let bytes = response
                .bytes()
                .await
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
            (what, status, content_type, body)
        })
        .buffer_unordered(N_AT_ONCE)
        .collect()
        .await
}

#[tokio::test]
async fn no_request_is_a_failure_of_the_server() {
    let api = Api::start().await;
    let odd = odd_values();
    let mut requests = Vec::new();
    let mut n = 0;
    for operation in api.operations() {
        let path = api.path(&operation);
        let title = format!("{} {}", operation.method, operation.path);
        for parameter in &operation.parameters {
            let name = parameter["name"].as_str().unwrap();
            for word in ODD_WORDS.iter().skip(n % 2).step_by(2) {
                let path = match parameter["in"].as_str().unwrap() {
                    "path" => {
                        let path = operation.path.replace(&format!("{{{name}}}"), word);
                        path.replace("{id}", &api.job).replace(['{', '}'], "x")
                    }
                    _ => format!("{path}?{name}={word}&{name}x={word}"),
                };
                requests.push((format!("{title}: {path}"), api.request(&operation, &path)));
            }
            n += 1;
        }
        let Some(schema) = operation.body else {
            requests.push((title, api.request(&operation, &path)));
            continue;
        };
        let good = api.example("", schema);
        for text in [
            "",
            "null",
            "[]",
            "{",
            "\"\u{0}\"",
            "{\"a\": 1e999}",
            "{\"a\": \"\\ud800\"}",
        ] {
            let request = api.request(&operation, &path);
            let request = request.header("content-type", "application/json").body(text);
            requests.push((format!("{title}: {text:?}"), request));
        }
        for content_type in [
            "text/plain",
            "application/json; charset=\"\u{ff}",
            "multipart/form-data",
        ] {
            let request = api.request(&operation, &path).body(good.to_string());
            requests.push((
                format!("{title}: as {content_type}"),
                request.header("content-type", content_type),
            ));
        }
        let fields = api.resolved(schema)["properties"].as_object();
        let names: Vec<&String> = fields.into_iter().flat_map(Map::keys).collect();
        for name in names {
            // Each field gets some of the values, and all of them come up in each operation with several.
            for value in odd.iter().skip(n % 3).step_by(3) {
                let mut body = good.clone();
                body[name] = value.clone();
                requests.push((
                    format!("{title}: {name} = {value:.80}"),
                    api.request(&operation, &path).json(&body),
                ));
            }
            n += 1;
        }
    }
    let n_requests = requests.len();
    assert!(n_requests > 500, "{n_requests}");
    let allowed = [
        StatusCode::NOT_IMPLEMENTED,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::INSUFFICIENT_STORAGE,
    ];
    for (what, status, content_type, body) in send(requests).await {
        assert!(
            !status.is_server_error() || allowed.contains(&status),
            "{what}: {status} {body}"
        );
        if (status.is_client_error() || status.is_server_error()) && what.contains(" /v1/") {
            assert_eq!(content_type, "application/json", "{what}: {status}");
            assert!(body["error"]["message"].is_string(), "{what}: {body}");
        } else if status.is_client_error() || status.is_server_error() {
            assert_eq!(content_type, "application/problem+json", "{what}: {status}");
            assert_eq!(body["status"], status.as_u16(), "{what}");
        }
    }
}

/// Bounds of a schema that a value can be beyond, and a value that is.
fn beyond(schema: &Value) -> Vec<(&'static str, Value)> {
    let mut values = Vec::new();
    let number = |name: &str| schema[name].as_f64();
    if let Some(most) = number("maximum") {
        values.push(("maximum", json!(most as i64 + 1)));
    }
    if let Some(least) = number("minimum") {
        values.push(("minimum", json!(least as i64 - 1)));
    }
    if let Some(least) = number("exclusiveMinimum") {
        values.push(("exclusiveMinimum", json!(least as i64)));
    }
    if let Some(most) = schema["maxLength"].as_u64() {
        values.push(("maxLength", json!("x".repeat(most as usize + 1))));
    }
    if schema["minLength"].as_u64() == Some(1) {
        values.push(("minLength", json!("")));
    }
    values
}

#[tokio::test]
async fn sizes_are_refused_as_the_document_says() {
    let api = Api::start().await;
    let mut requests = Vec::new();
    // What is refused for being so large or small has a bound in the document, and the other way round.
    let mut wanted = Vec::new();
    for operation in api.operations() {
        let Some(schema) = operation.body else { continue };
        let (path, good) = (api.path(&operation), api.example("", schema));
        let title = format!("{} {}", operation.method, operation.path);
        for (field, schema) in fields(&api, schema) {
            let mut ask = |bound: &'static str, value: Value, must_be_refused: bool| {
                let mut body = good.clone();
                set(&mut body, &field, value);
                let what = format!("{title}: {field} beyond {bound}");
                wanted.push((
                    what.clone(),
                    field.clone(),
                    bound,
                    has_bound(schema, bound),
                    must_be_refused,
                ));
                requests.push((what, api.request(&operation, &path).json(&body)));
            };
            for (bound, value) in beyond(schema) {
                ask(bound, value, true);
            }
            match first_type(schema) {
                "integer" | "number" => {
                    let most = schema["maximum"].as_i64().unwrap_or_default();
                    ask(
                        "maximum",
                        json!(i64::from(i32::MAX).max(most.saturating_add(1))),
                        false,
                    );
                    ask("minimum", json!(-1_000_000), false);
                }
                "string" if schema["format"].is_null() && schema["enum"].is_null() => {
                    ask("maxLength", json!("x".repeat(200_000)), false);
                }
                "array" => {
                    let item = api.example("", &schema["items"]);
                    ask(
                        "maxItems",
                        Value::Array(vec![item; 20_000]),
                        schema.get("maxItems").is_some(),
                    );
                }
                _ => {}
            }
        }
    }
    let mut answers = send(requests).await;
    answers.sort_by(|a, b| a.0.cmp(&b.0));
    wanted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut wrong = Vec::new();
    for (what, field, bound, is_documented, must_be_refused) in wanted {
        let same = answers.iter().filter(|answer| answer.0 == what);
        for (_, status, _, body) in same {
            if must_be_refused && status.is_success() {
                wrong.push(format!("{what}: is taken"));
            }
            let errors = body["errors"].as_array();
            let named = errors
                .into_iter()
                .flatten()
                .find(|error| error["field"] == field.as_str());
            if let Some(message) = named.and_then(|error| error["message"].as_str())
                && is_of_size(message)
                && !is_documented
            {
                wrong.push(format!("{what}: `{message}`, and the document has no {bound}"));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether the document says how large or small a value may be.
fn has_bound(schema: &Value, bound: &str) -> bool {
    let is_exclusive = bound == "minimum" && schema.get("exclusiveMinimum").is_some();
    is_exclusive || schema.get(bound).is_some()
}

/// Whether a field is refused for its size, rather than for its type or for what it names.
fn is_of_size(message: &str) -> bool {
    [
        "must be from",
        "must have from",
        "must have 1 to",
        "at most",
        "must be above",
        "must be more than 0",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// Fields of a body by their paths, those of objects in it as well.
fn fields<'a>(api: &'a Api, schema: &'a Value) -> Vec<(String, &'a Value)> {
    let mut found = Vec::new();
    let Some(properties) = api.resolved(schema)["properties"].as_object() else {
        return found;
    };
    for (name, schema) in properties {
        let schema = api.resolved(schema);
        for (below, schema) in fields(api, schema) {
            found.push((format!("{name}.{below}"), schema));
        }
        found.push((name.clone(), schema));
    }
    found
}

/// Puts a value at a path.
fn set(body: &mut Value, path: &str, value: Value) {
    let mut place = body;
    for name in path.split('.') {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[name];
    }
    *place = value;
}
