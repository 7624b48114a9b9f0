//! What the provider accepts in a body, field by field. Anything else is refused, as it refuses it.

use serde_json::{Map, Value};

use super::problem::{Answer, Problem};

/// What a value must look like.
enum Kind {
    Text {
        shortest: usize,
    },
    TextOrNull,
    Integer {
        least: i64,
        most: i64,
    },
    Bool,
    OneOf(&'static [&'static str]),
    /// Two numbers with a dot between them.
    Versions,
    Version,
    Texts,
    TextMap {
        most: usize,
    },
    Object(&'static Shape),
    Objects {
        shape: &'static Shape,
        most: usize,
    },
}

/// What an object may hold.
pub(super) struct Shape {
    required: &'static [&'static str],
    /// A field that is required only where another one is missing.
    required_without: Option<(&'static str, &'static str)>,
    least_fields: usize,
    fields: &'static [(&'static str, Kind)],
}

const TEXT: Kind = Kind::Text { shortest: 0 };
const NAME: Kind = Kind::Text { shortest: 1 };
const ANY: i64 = i64::MAX;
const CLOUD: Kind = Kind::OneOf(&["SECURE", "COMMUNITY"]);
const ENVIRONMENT: Kind = Kind::TextMap { most: 50 };
const DISK: Kind = Kind::Integer { least: 1, most: ANY };
const VOLUME_SIZE: Kind = Kind::Integer {
    least: 10,
    most: 4096,
};

const fn shape(required: &'static [&'static str], fields: &'static [(&'static str, Kind)]) -> Shape {
    Shape {
        required,
        required_without: None,
        least_fields: 0,
        fields,
    }
}

static PERSISTENT: Shape = shape(
    &["size", "path"],
    &[("size", Kind::Integer { least: 10, most: ANY }), ("path", TEXT)],
);

static NETWORK: Shape = shape(&["volumeId", "path"], &[("volumeId", TEXT), ("path", TEXT)]);

static MOUNTS: Shape = shape(
    &[],
    &[
        ("persistent", Kind::Object(&PERSISTENT)),
        (
            "network",
            Kind::Objects {
                shape: &NETWORK,
                most: 1,
            },
        ),
    ],
);

static GPU: Shape = shape(
    &["id"],
    &[
        ("id", TEXT),
        ("count", Kind::Integer { least: 1, most: ANY }),
        ("allowedCudaVersions", Kind::Versions),
        ("minCudaVersion", Kind::Version),
    ],
);

static CPU: Shape = shape(
    &["id", "vcpuCount"],
    &[("id", TEXT), ("vcpuCount", Kind::Integer { least: 1, most: ANY })],
);

/// `POST /v2/pods`
pub(super) static CREATE_POD: Shape = Shape {
    required: &["name"],
    required_without: Some(("image", "templateId")),
    least_fields: 0,
    fields: &[
        ("name", NAME),
        ("image", TEXT),
        ("args", TEXT),
        ("disk", DISK),
        ("env", ENVIRONMENT),
        ("ports", Kind::Texts),
        ("registry", Kind::TextOrNull),
        ("cloud", CLOUD),
        ("gpu", Kind::Object(&GPU)),
        ("cpu", Kind::Object(&CPU)),
        ("dataCenterIds", Kind::Texts),
        ("mounts", Kind::Object(&MOUNTS)),
        ("globalNetworking", Kind::Bool),
        ("startJupyter", Kind::Bool),
        ("startSsh", Kind::Bool),
        ("templateId", NAME),
    ],
};

/// `PATCH /v2/pods/{id}`
pub(super) static UPDATE_POD: Shape = shape(
    &[],
    &[
        ("name", NAME),
        ("image", TEXT),
        ("args", TEXT),
        ("disk", DISK),
        ("env", ENVIRONMENT),
        ("ports", Kind::Texts),
        ("registry", Kind::TextOrNull),
        ("mounts", Kind::Object(&MOUNTS)),
        ("globalNetworking", Kind::Bool),
        ("locked", Kind::Bool),
        ("templateId", TEXT),
    ],
);

/// `POST /v2/pods/{id}/action`
pub(super) static POD_ACTION: Shape = shape(
    &["action"],
    &[("action", Kind::OneOf(&["start", "stop", "restart", "terminate"]))],
);

/// `POST /v2/network-volumes`
pub(super) static CREATE_VOLUME: Shape = shape(
    &["name", "size", "dataCenter"],
    &[
        ("name", NAME),
        ("size", VOLUME_SIZE),
        ("dataCenter", NAME),
        ("type", Kind::OneOf(&["STANDARD", "HIGH_PERFORMANCE"])),
    ],
);

/// `PATCH /v2/network-volumes/{id}`
pub(super) static UPDATE_VOLUME: Shape = Shape {
    least_fields: 1,
    ..shape(&[], &[("name", NAME), ("size", VOLUME_SIZE)])
};

/// A body that keeps the contract; otherwise every way in which it breaks it.
pub(super) fn check(body: &[u8], shape: &Shape) -> Answer<Value> {
    let value: Value =
        serde_json::from_slice(body).map_err(|_| Problem::bad_request("request body is not valid JSON"))?;
    let mut errors = Vec::new();
    check_object(&value, shape, "$", &mut errors);
    if errors.is_empty() {
        return Ok(value);
    }
    Err(Problem::invalid(errors))
}

fn check_object(value: &Value, shape: &Shape, path: &str, errors: &mut Vec<String>) {
    let Value::Object(object) = value else {
        errors.push(format!("{path}: got {}, want object", type_of(value)));
        return;
    };
    let conditional = shape
        .required_without
        .and_then(|(field, other)| (!object.contains_key(other)).then_some(field));
    for field in shape.required.iter().copied().chain(conditional) {
        if !object.contains_key(field) {
            errors.push(format!("{path}: missing property '{field}'"));
        }
    }
    if object.len() < shape.least_fields {
        let (got, want) = (object.len(), shape.least_fields);
        errors.push(format!("{path}: minProperties: got {got}, want {want}"));
    }
    for (name, value) in object {
        match shape.fields.iter().find(|(field, _)| field == name) {
            Some((_, kind)) => check_value(value, kind, &format!("{path}.{name}"), errors),
            None => errors.push(format!("{path}: additional properties '{name}' not allowed")),
        }
    }
}

fn check_value(value: &Value, kind: &Kind, path: &str, errors: &mut Vec<String>) {
    match (kind, value) {
        (Kind::Text { shortest }, Value::String(text)) if text.len() < *shortest => {
            errors.push(format!("{path}: minLength: got {}, want {shortest}", text.len()));
        }
        (Kind::Integer { least, most }, Value::Number(number)) if number.is_i64() || number.is_u64() => {
            let number = number.as_i64().unwrap_or(i64::MAX);
            if number < *least {
                errors.push(format!("{path}: minimum: got {number}, want {least}"));
            } else if number > *most {
                errors.push(format!("{path}: maximum: got {number}, want {most}"));
            }
        }
        (Kind::OneOf(words), Value::String(text)) => {
            if !words.contains(&text.as_str()) {
                let words = words.join("', '");
                errors.push(format!("{path}: value must be one of '{words}'"));
            }
        }
        (Kind::Version, Value::String(text)) => {
            if !is_version(text) {
                errors.push(format!("{path}: '{text}' does not match pattern '^\\d+\\.\\d+$'"));
            }
        }
        (Kind::Versions, Value::Array(items)) => check_items(items, &Kind::Version, path, errors),
        (Kind::Texts, Value::Array(items)) => check_items(items, &TEXT, path, errors),
        (Kind::TextMap { most }, Value::Object(map)) => check_map(map, *most, path, errors),
        (Kind::Object(shape), value) => check_object(value, shape, path, errors),
        (Kind::Objects { shape, most }, Value::Array(items)) => {
            if items.len() > *most {
                errors.push(format!("{path}: maxItems: got {}, want {most}", items.len()));
            }
            check_items(items, &Kind::Object(shape), path, errors);
        }
        (Kind::Text { .. } | Kind::TextOrNull, Value::String(_))
        | (Kind::TextOrNull, Value::Null)
        | (Kind::Bool, Value::Bool(_)) => {}
        (kind, value) => {
            errors.push(format!("{path}: got {}, want {}", type_of(value), kind.name()));
        }
    }
}

fn check_items(items: &[Value], kind: &Kind, path: &str, errors: &mut Vec<String>) {
    for (index, item) in items.iter().enumerate() {
        check_value(item, kind, &format!("{path}[{index}]"), errors);
    }
}

fn check_map(map: &Map<String, Value>, most: usize, path: &str, errors: &mut Vec<String>) {
    if map.len() > most {
        errors.push(format!("{path}: maxProperties: got {}, want {most}", map.len()));
    }
    for (name, value) in map {
        check_value(value, &TEXT, &format!("{path}.{name}"), errors);
    }
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } | Self::OneOf(_) | Self::Version => "string",
            Self::TextOrNull => "null or string",
            Self::Integer { .. } => "integer",
            Self::Bool => "boolean",
            Self::Versions | Self::Texts | Self::Objects { .. } => "array",
            Self::TextMap { .. } | Self::Object(_) => "object",
        }
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_version(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.')
        .is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}
