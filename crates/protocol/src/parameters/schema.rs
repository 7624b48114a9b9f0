//! Tables of hyperparameters in the OpenAPI document.
//!
//! What JSON Schema has no word for stands under `x-form`: the order and the group of the form, the unit, why the default
//! is what it is, when somebody would change it, what the texts of a list may be, and the engines of a field, or of a word, that not all of them honor.

use serde_json::{Value as Json, json};
use utoipa::{
    Number,
    openapi::{
        RefOr,
        extensions::Extensions,
        schema::{
            AdditionalProperties, ArrayBuilder, ArrayItems, KnownFormat, ObjectBuilder, Schema, SchemaFormat,
            SchemaType, Type,
        },
    },
};

use super::{Definition, Engine, Range, Value};

/// The complete set, with its defaults.
pub(super) fn complete<'a>(
    about: &[&str],
    values: impl Iterator<Item = (&'static Definition, Value<'a>)>,
) -> RefOr<Schema> {
    let fields = values.enumerate().map(|(order, (definition, default))| {
        let field = field(definition, order, &Form::Complete(default.to_json()));
        (definition.name, field)
    });
    object(about, fields)
}

/// The set in which every field may be left out.
pub(super) fn overrides(about: &[&str], all: &'static [Definition]) -> RefOr<Schema> {
    let fields = all.iter().enumerate();
    object(
        about,
        fields.map(|(order, definition)| (definition.name, field(definition, order, &Form::Override))),
    )
}

/// Which of the two sets a field belongs to.
enum Form {
    Complete(Json),
    Override,
}

fn object(about: &[&str], fields: impl Iterator<Item = (&'static str, Schema)>) -> RefOr<Schema> {
    let lines: Vec<&str> = about.iter().map(|line| line.trim()).collect();
    let mut object = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Object))
        .description(Some(lines.join("\n")))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
    for (name, field) in fields {
        object = object.property(name, field);
    }
    RefOr::T(Schema::Object(object.build()))
}

fn field(definition: &Definition, order: usize, form: &Form) -> Schema {
    let one = match definition.range {
        Range::Whole { .. } => Type::Integer,
        Range::Number { .. } => Type::Number,
        Range::Switch => Type::Boolean,
        Range::Words(_) | Range::Text { .. } => Type::String,
        Range::List { max_items, max_chars } => return list(definition, order, form, max_items, max_chars),
    };
    let mut object = ObjectBuilder::new()
        .schema_type(types(one, form))
        .description(Some(definition.help()))
        .default(Some(default(form)))
        .extensions(Some(for_forms(definition, order)))
        .build();
    match definition.range {
        Range::Whole {
            min,
            max,
            multiple_of,
        } => {
            let format = match form {
                Form::Complete(_) => KnownFormat::Int32,
                Form::Override => KnownFormat::Int64,
            };
            object.format = Some(SchemaFormat::KnownFormat(format));
            object.minimum = Some(whole(min));
            object.maximum = Some(whole(max));
            object.multiple_of = (multiple_of > 1).then(|| whole(multiple_of));
        }
        Range::Number {
            min,
            max,
            is_above_min,
        } => {
            object.format = Some(SchemaFormat::KnownFormat(KnownFormat::Double));
            let min = Some(Number::Float(min));
            if is_above_min {
                object.exclusive_minimum = min;
            } else {
                object.minimum = min;
            }
            object.maximum = Some(Number::Float(max));
        }
        Range::Words(words) => {
            let mut words: Vec<Json> = words.iter().map(|&word| word.into()).collect();
            words.extend(matches!(form, Form::Override).then_some(Json::Null));
            object.enum_values = Some(words);
        }
        Range::Text { max_chars } => object.max_length = Some(max_chars),
        Range::Switch | Range::List { .. } => {}
    }
    Schema::Object(object)
}

fn list(definition: &Definition, order: usize, form: &Form, max_items: usize, max_chars: usize) -> Schema {
    let text = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .max_length(Some(max_chars))
        .build();
    let array = ArrayBuilder::new()
        .schema_type(types(Type::Array, form))
        .items(ArrayItems::RefOrSchema(Box::new(RefOr::T(Schema::Object(text)))))
        .description(Some(definition.help()))
        .default(Some(default(form)))
        .max_items(Some(max_items))
        .extensions(Some(for_forms(definition, order)))
        .build();
    Schema::Array(array)
}

fn types(one: Type, form: &Form) -> SchemaType {
    match form {
        Form::Complete(_) => SchemaType::Type(one),
        Form::Override => SchemaType::Array(vec![one, Type::Null]),
    }
}

fn default(form: &Form) -> Json {
    match form {
        Form::Complete(default) => default.clone(),
        Form::Override => Json::Null,
    }
}

fn whole(value: i64) -> Number {
    Number::Int(isize::try_from(value).unwrap_or(isize::MAX))
}

fn for_forms(definition: &Definition, order: usize) -> Extensions {
    let mut form = json!({ "group": definition.group.word(), "order": order });
    if !definition.unit.is_empty() {
        form["unit"] = definition.unit.into();
    }
    for (key, sentence) in [("why", definition.why), ("when", definition.when)] {
        if !sentence.is_empty() {
            form[key] = sentence.into();
        }
    }
    if let Some(items) = definition.items {
        form["items"] = items();
    }
    if definition.engines != Engine::ALL {
        form["engines"] = words(definition.engines);
    }
    for (word, engines) in definition.only {
        form["only"][*word] = words(engines);
    }
    [("x-form", form)].into_iter().collect()
}

fn words(engines: &[Engine]) -> Json {
    engines.iter().map(|engine| engine.word()).collect()
}
