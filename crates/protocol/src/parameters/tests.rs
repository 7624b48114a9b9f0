//! The table against everything that is derived from it, and a made-up table with every kind of field.

#![expect(
    unreachable_pub,
    reason = "a table makes public items, and this one is made up"
)]

use expect_test::expect;
use serde_json::{Value as Json, json};
use utoipa::PartialSchema as _;

use super::*;
use crate::{
    preset::{BaseClass, Preset},
    problem::InvalidFields,
    recipe::{Recipe, RecipeRequest},
};

fn resolve(overrides: Json) -> Result<Recipe, String> {
    let request = RecipeRequest {
        base_model: "sdxl".into(),
        name: "zora".into(),
        overrides: serde_json::from_value(overrides).map_err(|err| err.to_string())?,
        ..RecipeRequest::default()
    };
    Recipe::resolve(request, BaseClass::Sdxl).map_err(|err| err.to_string())
}

/// A number as a schema has it: whole where the field is.
fn number(schema: &Json, value: f64) -> Json {
    if schema["type"].to_string().contains("integer") {
        json!(value as i64)
    } else {
        json!(value)
    }
}

/// The ranges of the document and the checks are of one definition; this goes through the document, as a form does,
/// and asks the checks.
#[test]
fn the_ranges_of_the_document_are_the_ones_that_are_checked() {
    let complete = serde_json::to_value(Parameters::schema()).unwrap();
    let overrides = serde_json::to_value(ParameterOverrides::schema()).unwrap();
    let mut n_edges = 0;
    for definition in Parameters::ALL {
        let name = definition.name;
        let (schema, of_override) = (&complete["properties"][name], &overrides["properties"][name]);
        for key in [
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "multipleOf",
            "description",
            "x-form",
        ] {
            assert_eq!(schema[key], of_override[key], "{name}: {key}");
        }
        let check = |value: Json, is_right: bool| {
            let mut chosen = json!({ name: value });
            if name == "n_warmup_steps" {
                // Alone, no number is too high for it.
                chosen["n_steps"] = json!(1_000_000);
            }
            let found = resolve(chosen);
            let field = format!("parameters.{name}: ");
            let is_refused = found
                .as_ref()
                .is_err_and(|err| err.contains(&field) && !err.contains("n_steps ("));
            assert_eq!(is_refused, !is_right, "{name} = {value}: {found:?}");
        };
        if let Some(words) = schema["enum"].as_array() {
            words.iter().for_each(|word| check(word.clone(), true));
            assert!(resolve(json!({ name: "no such word" })).is_err());
            n_edges += words.len();
            continue;
        }
        let number = |value| number(schema, value);
        let step = schema["multipleOf"].as_f64();
        // The nearest number outside.
        let near = step.unwrap_or(if schema["type"] == "integer" { 1.0 } else { 1e-9 });
        let max = schema["maximum"].as_f64().expect(name);
        check(number(max), true);
        check(number(max + near), false);
        if let Some(min) = schema["minimum"].as_f64() {
            check(number(min), true);
            check(number(min - near), false);
        } else {
            let min = schema["exclusiveMinimum"].as_f64().expect(name);
            check(number(min), false);
            check(number(min + near), true);
        }
        if step.is_some() {
            check(number(max - 1.0), false);
        }
        n_edges += 4;
    }
    assert!(n_edges >= 4 * (Parameters::ALL.len() - 1));
}

#[test]
fn every_preset_is_valid_for_every_engine() {
    for base in [BaseClass::Sdxl, BaseClass::Tiny] {
        for preset in Preset::ALL {
            for &engine in Engine::ALL {
                let request = RecipeRequest {
                    engine,
                    preset,
                    base_model: "base".into(),
                    name: "zora".into(),
                    ..RecipeRequest::default()
                };
                let recipe = Recipe::resolve(request, base).unwrap();
                assert_eq!(*recipe.parameters(), Parameters::of(preset, base));
            }
        }
    }
}

#[test]
fn presets_are_the_ones_that_were_measured() {
    let mut table = String::new();
    for base in [BaseClass::Tiny, BaseClass::Sdxl] {
        for preset in Preset::ALL {
            let (p, default) = (Parameters::of(preset, base), Parameters::default());
            let values = p.values().zip(default.values());
            let differing: Vec<String> = values
                .filter(|((_, value), (_, default))| value != default)
                .map(|((definition, value), _)| format!("{} {value}", definition.name))
                .collect();
            table += &format!("{base:?} {preset:?}: {}\n", differing.join(", "));
        }
    }
    expect![[r#"
        Tiny Character: n_steps 465, learning_rate 0.001, batch_size 8, resolution 128, bucket_step 32, checkpoint_every_n_steps 100, sample_every_n_steps 100
        Tiny Style: n_steps 400, learning_rate 0.002, batch_size 8, resolution 128, bucket_step 32, checkpoint_every_n_steps 100, sample_every_n_steps 100
        Tiny Concept: n_steps 465, learning_rate 0.001, batch_size 8, resolution 128, bucket_step 32, checkpoint_every_n_steps 100, sample_every_n_steps 100
        Sdxl Character: rank 32, n_warmup_steps 80
        Sdxl Style: n_steps 3000, rank 32, n_warmup_steps 150, caption_dropout 0.05
        Sdxl Concept: n_steps 1500, rank 32, n_warmup_steps 75
    "#]]
    .assert_eq(&table);
}

#[test]
fn values_are_what_json_says() {
    let p = Parameters::of(Preset::Style, BaseClass::Sdxl);
    let json = serde_json::to_value(&p).unwrap();
    for (definition, value) in p.values() {
        assert_eq!(value.to_json(), json[definition.name], "{}", definition.name);
    }
    assert_eq!(json.as_object().unwrap().len(), Parameters::ALL.len());
    for engine in Engine::ALL {
        assert_eq!(json!(engine), engine.word());
    }
}

words! {
    /// A made-up choice.
    pub enum Network {
        /// Two matrices.
        #[default]
        Plain = "plain",
        /// Four.
        Doubled = "doubled",
    }
}

hyperparameters! {
    /// Made-up hyperparameters: every kind of field that a table can hold.
    pub struct Made;

    /// Their overrides.
    pub struct MadeOverrides;

    /// Which network, of those that exist,
    /// in two lines.
    network: Network {
        default: Network::Plain,
        range: Range::words::<Network>(),
        about: { group: Group::Basic },
    }

    /// Rank of convolutions; 0 is off.
    conv_rank: u16 {
        default: 0,
        range: Range::whole(0, 256),
        presets: { (Sdxl, Style) => 4 },
        rule: |p| (p.conv_rank > 0 && p.network == Network::Doubled)
            .then(|| format!("must be 0 for a doubled network, not {}", p.conv_rank)),
        beside: [network],
    }

    /// Alpha of convolutions.
    conv_alpha: f64 {
        default: 1.0,
        range: Range::above(0.0, 512.0),
        follows: |_, now| f64::from(now.conv_rank).max(1.0),
    }

    /// Shuffles tags.
    shuffle: bool {
        default: false,
        range: Range::Switch,
        about: { engines: &[Engine::Kohya], kohya: Some("shuffle_caption") },
    }

    /// Between tags.
    separator: String {
        default: ",",
        range: Range::Text { max_chars: 2 },
    }

    /// Blocks that are trained; none for all.
    blocks: Vec<String> {
        default: &[],
        range: Range::List { max_items: 2, max_chars: 8 },
    }
}

fn resolve_made(overrides: Json, engine: Engine) -> Result<Made, InvalidFields> {
    let overrides: MadeOverrides = serde_json::from_value(overrides).unwrap();
    let mut wrong = Wrong::default();
    let made = Made::resolve(overrides, Made::of(Preset::Style, BaseClass::Sdxl), &mut wrong);
    made.check(engine, &mut wrong);
    let errors: Vec<_> = wrong.into_errors().collect();
    if errors.is_empty() {
        Ok(made)
    } else {
        Err(InvalidFields(errors))
    }
}

#[test]
fn a_table_holds_every_kind_of_field() {
    let chosen = json!({
        "network": "plain", "conv_rank": 8, "shuffle": true, "separator": "|", "blocks": ["in", "out"],
    });
    let made = resolve_made(chosen, Engine::Kohya).unwrap();
    let expected = Made {
        network: Network::Plain,
        conv_rank: 8,
        conv_alpha: 8.0,
        shuffle: true,
        separator: "|".into(),
        blocks: vec!["in".into(), "out".into()],
    };
    assert_eq!(made, expected);
    assert_eq!(resolve_made(json!({}), Engine::Native).unwrap().conv_rank, 4);

    let wrong = json!({
        "network": "doubled", "shuffle": true, "separator": "and", "blocks": ["a", "b", "c"], "conv_alpha": 0,
    });
    let err = resolve_made(wrong, Engine::Native).unwrap_err().to_string();
    expect![[r#"parameters.conv_rank: must be 0 for a doubled network, not 4; parameters.conv_alpha: must be above 0 and at most 512, not 0; parameters.shuffle: must be false for the native engine, which does not have it, not true; the kohya engine has it; parameters.separator: must have at most 2 characters, not `and`; parameters.blocks: must be at most 2 texts of at most 8 characters, not ["a", "b", "c"]"#]]
    .assert_eq(&err);
}

#[test]
fn the_document_describes_every_kind_of_field() {
    let made = serde_json::to_value(Made::schema()).unwrap();
    let overrides = serde_json::to_value(MadeOverrides::schema()).unwrap();
    let lines: Vec<String> = [&made, &overrides]
        .into_iter()
        .flat_map(|schema| schema["properties"].as_object().unwrap())
        .map(|(name, schema)| format!("{name} {schema}"))
        .collect();
    expect![[r#"
        blocks {"default":[],"description":"Blocks that are trained; none for all.","items":{"maxLength":8,"type":"string"},"maxItems":2,"type":"array","x-form":{"group":"advanced","order":5}}
        conv_alpha {"default":1.0,"description":"Alpha of convolutions.","exclusiveMinimum":0,"format":"double","maximum":512,"type":"number","x-form":{"group":"advanced","order":2}}
        conv_rank {"default":0,"description":"Rank of convolutions; 0 is off.","format":"int32","maximum":256,"minimum":0,"type":"integer","x-form":{"group":"advanced","order":1}}
        network {"default":"plain","description":"Which network, of those that exist, in two lines.","enum":["plain","doubled"],"type":"string","x-form":{"group":"basic","order":0}}
        separator {"default":",","description":"Between tags.","maxLength":2,"type":"string","x-form":{"group":"advanced","order":4}}
        shuffle {"default":false,"description":"Shuffles tags.","type":"boolean","x-form":{"engines":["kohya"],"group":"advanced","order":3}}
        blocks {"default":null,"description":"Blocks that are trained; none for all.","items":{"maxLength":8,"type":"string"},"maxItems":2,"type":["array","null"],"x-form":{"group":"advanced","order":5}}
        conv_alpha {"default":null,"description":"Alpha of convolutions.","exclusiveMinimum":0,"format":"double","maximum":512,"type":["number","null"],"x-form":{"group":"advanced","order":2}}
        conv_rank {"default":null,"description":"Rank of convolutions; 0 is off.","format":"int64","maximum":256,"minimum":0,"type":["integer","null"],"x-form":{"group":"advanced","order":1}}
        network {"default":null,"description":"Which network, of those that exist, in two lines.","enum":["plain","doubled",null],"type":["string","null"],"x-form":{"group":"basic","order":0}}
        separator {"default":null,"description":"Between tags.","maxLength":2,"type":["string","null"],"x-form":{"group":"advanced","order":4}}
        shuffle {"default":null,"description":"Shuffles tags.","type":["boolean","null"],"x-form":{"engines":["kohya"],"group":"advanced","order":3}}"#]]
    .assert_eq(&lines.join("\n"));
}
