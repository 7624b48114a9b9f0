//! The table against everything that is derived from it, and a made-up table with every kind of field.

#![expect(
    unreachable_pub,
    reason = "a table makes public items, and this one is made up"
)]

mod presets;
mod together;

use expect_test::expect;
use serde_json::{Value as Json, json};
use utoipa::PartialSchema as _;

use super::{define::words, *};
use crate::{
    preset::{BaseClass, Family, Preset},
    problem::InvalidFields,
    recipe::{Question, Recipe, RecipeRequest},
};

fn resolve(overrides: Json, engine: Engine) -> Result<Recipe, String> {
    let request = RecipeRequest {
        engine,
        base_model: "sdxl".into(),
        name: "zora".into(),
        trigger_word: Some("zora".into()),
        overrides: serde_json::from_value(overrides).map_err(|err| err.to_string())?,
        ..RecipeRequest::default()
    };
    Recipe::resolve(request, BaseClass::Sdxl).map_err(|err| err.to_string())
}

/// What has to be beside a value so that the field may have its whole range.
fn beside(name: &str) -> Json {
    match name {
        // Alone, no number is too high for it.
        "n_warmup_steps" => json!({ "n_steps": 1_000_000 }),
        "n_prior_pictures" => json!({ "prior_prompt": "girl" }),
        "n_views" => json!({ "batch_size": 64, "gradient_accumulation": 256 }),
        "lr_schedule" => json!({ "optimizer": "adamw" }),
        "adaptive_noise_scale" => json!({ "noise_offset": 0.1 }),
        "max_timestep" => json!({ "min_timestep": 0 }),
        "min_bucket_side" => json!({ "bucket_step": 32, "resolution": 2048 }),
        "max_bucket_side" => json!({ "bucket_step": 32 }),
        "min_timestep" => json!({ "max_timestep": 1000 }),
        _ => json!({}),
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
            "maxLength",
            "maxItems",
            "description",
            "x-form",
        ] {
            assert_eq!(schema[key], of_override[key], "{name}: {key}");
        }
        let refusal = |value: &Json, engine: Engine| {
            let mut chosen = beside(name);
            chosen[name] = value.clone();
            let refusal = resolve(chosen, engine).err()?;
            let field = format!("parameters.{name}: ");
            let errors: Vec<&str> = refusal.split("; ").collect();
            errors
                .iter()
                .find_map(|error| error.strip_prefix(&field))
                // What is wrong beside other fields is another test's.
                .filter(|error| !error.contains("n_steps (") && !error.contains("has one for both"))
                .map(str::to_owned)
        };
        let mut check = |value: Json, is_right: bool| {
            n_edges += 1;
            for &engine in definition.engines {
                let refusal = refusal(&value, engine);
                let is_of_engine =
                    (refusal.as_ref()).is_some_and(|refusal| refusal.starts_with("must not be"));
                let is_of_only = definition
                    .only
                    .iter()
                    .any(|(word, of)| value == *word && !of.contains(&engine));
                assert_eq!(is_of_engine, is_of_only, "{name} = {value}: {refusal:?}");
                assert!(
                    is_of_engine || refusal.is_none() == is_right,
                    "{name} = {value}: {refusal:?}"
                );
            }
        };
        if let Some(words) = schema["enum"].as_array() {
            words.iter().for_each(|word| check(word.clone(), true));
            assert!(resolve(json!({ name: "no such word" }), Engine::Native).is_err());
            continue;
        }
        if schema["type"] == "boolean" {
            check(json!(true), true);
            continue;
        }
        if let Some(max) = schema["maxLength"].as_u64() {
            check(json!("a".repeat(max as usize)), true);
            check(json!("a".repeat(max as usize + 1)), false);
            continue;
        }
        if let Some(max) = schema["maxItems"].as_u64() {
            check(json!(vec!["IN04"; max as usize + 1]), false);
            let max = schema["items"]["maxLength"].as_u64().unwrap();
            check(json!(["a".repeat(max as usize + 1)]), false);
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
    }
    assert!(n_edges > 2 * Parameters::ALL.len());
}

/// A number as a schema has it: whole where the field is.
fn number(schema: &Json, value: f64) -> Json {
    if schema["type"].to_string().contains("integer") {
        json!(value as i64)
    } else {
        json!(value)
    }
}

#[test]
fn every_hyperparameter_says_why_and_when() {
    for definition in Parameters::ALL {
        for text in [definition.help().as_str(), definition.why, definition.when] {
            assert!(
                text.ends_with('.') && text.len() > 10,
                "{}: `{text}`",
                definition.name
            );
        }
        for (word, version) in definition.newer {
            assert!(*version > definition.since, "{}: {word}", definition.name);
        }
        let only = definition.only.iter().map(|(word, _)| word);
        for word in only.chain(definition.newer.iter().map(|(word, _)| word)) {
            let Range::Words(words) = definition.range else {
                panic!("{}", definition.name)
            };
            assert!(words.contains(word), "{}: {word}", definition.name);
        }
    }
}

#[test]
fn an_engine_that_lacks_something_is_named_with_the_one_that_has_it() {
    let check = |chosen: Json, engine, expected: &str| {
        assert_eq!(resolve(chosen, engine).map(|_| ()).unwrap_err(), expected);
    };
    check(
        json!({ "kind": "loha" }),
        Engine::Kohya,
        "parameters.kind: must not be `loha` for the kohya engine, which does not have it; the native engine has it",
    );
}

#[test]
fn views_and_steps_follow_from_each_other() {
    let length = |chosen: Json| -> Result<(u32, u32), String> {
        let recipe = resolve(chosen, Engine::Native)?;
        let p = recipe.parameters();
        Ok((p.n_steps, p.n_views))
    };
    let check = |chosen, expected: Result<(u32, u32), &str>| {
        assert_eq!(length(chosen), expected.map_err(str::to_owned));
    };
    check(json!({}), Ok((1600, 1600)));
    check(json!({ "batch_size": 4 }), Ok((400, 1600)));
    check(
        json!({ "batch_size": 3, "gradient_accumulation": 2 }),
        Ok((267, 1600)),
    );
    check(json!({ "n_views": 1001, "batch_size": 4 }), Ok((251, 1001)));
    check(json!({ "n_steps": 500, "batch_size": 4 }), Ok((500, 2000)));
    check(
        json!({ "n_steps": 251, "n_views": 1001, "batch_size": 4 }),
        Ok((251, 1001)),
    );
    check(json!({ "n_views": 0 }), Ok((1600, 0)));
    check(
        json!({ "n_steps": 500, "n_views": 1001 }),
        Err(
            "parameters.n_views: takes 1001 steps of 1 pictures, and n_steps is 500: leave one of the two out",
        ),
    );
    for base in Family::ALL {
        for preset in Preset::ALL {
            let p = Parameters::of(preset, base);
            assert_eq!(
                p.n_views.div_ceil(p.pictures_per_step()),
                p.n_steps,
                "{base:?} {preset:?}"
            );
        }
    }
}

#[test]
fn what_was_not_chosen_follows_the_optimizer_and_the_rank() {
    let p = |chosen: Json| resolve(chosen, Engine::Kohya).unwrap().parameters().clone();
    let prodigy = p(json!({ "optimizer": "prodigy_schedule_free" }));
    assert_eq!(
        (prodigy.learning_rate, prodigy.lr_schedule),
        (1.0, LrSchedule::Constant)
    );
    assert_eq!(
        p(json!({ "optimizer": "prodigy", "learning_rate": 0.5 })).learning_rate,
        0.5
    );
    assert_eq!(p(json!({ "optimizer": "lion" })).beta2, 0.99);
    let of = |family: Family, chosen: Json| {
        let request = RecipeRequest {
            base_model: "base".into(),
            name: "zora".into(),
            engine: Engine::Kohya,
            overrides: serde_json::from_value(chosen).unwrap(),
            ..RecipeRequest::default()
        };
        let recipe = Recipe::resolve(request, family).unwrap();
        let p = recipe.parameters();
        (p.learning_rate, p.text_encoder_1_learning_rate)
    };
    assert_eq!(
        of(Family::Illustrious, json!({ "optimizer": "prodigy" })),
        (1.0, 1.0)
    );
    assert_eq!(of(Family::Pony, json!({ "optimizer": "adamw" })), (1e-4, 1e-5));
    assert_eq!(of(Family::Pony, json!({ "learning_rate": 0.5 })), (0.5, 0.5));
    let (_, halved) = of(Family::Illustrious, json!({ "learning_rate": 1.5e-4 }));
    assert!((halved - 1.5e-5).abs() < 1e-12, "{halved}");
    assert_eq!(p(json!({})).conv_alpha, 1.0);
    // The preset's scale is a half.
    assert_eq!(p(json!({ "conv_rank": 8 })).conv_alpha, 4.0);
}

#[test]
fn arguments_of_an_optimizer_are_checked_by_their_names() {
    let check = |optimizer: &str, arguments: &[&str], expected: Option<&str>| {
        let chosen = json!({ "optimizer": optimizer, "optimizer_arguments": arguments });
        let refusal = resolve(chosen, Engine::Kohya).map(|_| ()).err();
        let expected = expected.map(|expected| format!("parameters.optimizer_arguments: {expected}"));
        assert_eq!(refusal, expected);
    };
    check("prodigy", &["d_coef=2", "safeguard_warmup = True"], None);
    check(
        "adamw",
        &["d_coef=2"],
        Some("`d_coef` is not an argument of the optimizer `adamw`: it has none"),
    );
    check(
        "d_adaptation",
        &["d_coef=2"],
        Some(
            "`d_coef` is not an argument of the optimizer `d_adaptation`: it has d0, growth_rate, use_bias_correction, \
             decouple",
        ),
    );
    check(
        "prodigy",
        &["d_coef=0"],
        Some("`d_coef` must be above 0 and at most 100, not 0"),
    );
    check(
        "prodigy",
        &["d_coef=many"],
        Some("`d_coef` must be above 0 and at most 100, not `many`"),
    );
    check(
        "prodigy",
        &["safeguard_warmup=1"],
        Some("`safeguard_warmup` must be true or false, not `1`"),
    );
    check(
        "prodigy",
        &["d_coef"],
        Some("`d_coef` must be a name and a value: `d_coef=2`"),
    );

    check("prodigy", &["slice_p=11"], None);
    let sliced = json!({ "optimizer": "prodigy", "optimizer_arguments": ["slice_p=11"] });
    resolve(sliced, Engine::Native).unwrap();

    let chosen =
        json!({ "optimizer": "prodigy", "optimizer_arguments": ["d_coef=2", "safeguard_warmup=True"] });
    let recipe = resolve(chosen, Engine::Kohya).unwrap();
    let p = recipe.parameters();
    assert_eq!(
        (p.optimizer_number("d_coef"), p.optimizer_number("d0")),
        (2.0, 1e-6)
    );
    assert!(p.optimizer_switch("safeguard_warmup") && !p.optimizer_switch("use_bias_correction"));
    assert_eq!(p.optimizer_number("growth_rate"), f64::INFINITY);
    for &optimizer in Optimizer::WORDS {
        let chosen = json!({ "optimizer": optimizer });
        let recipe = resolve(chosen, Engine::Kohya).unwrap();
        for (argument, value) in recipe.parameters().optimizer_values() {
            argument
                .range
                .check(value)
                .unwrap_or_else(|err| panic!("{optimizer} {}: {err}", argument.name));
        }
    }
}

#[test]
fn blocks_are_known_by_all_their_names() {
    let named = |name: &str| {
        Block::named(name)
            .iter()
            .map(Block::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (name, blocks) in [
        ("IN04", "IN04"),
        ("input_blocks.8", "IN08"),
        ("MID", "MID"),
        ("mid_block", "MID"),
        ("OUT00", "OUT00"),
        ("b_lora_content", "OUT00"),
        ("b_lora_style", "OUT01"),
        // As the conversion of checkpoints by diffusers has it.
        ("down_blocks.0.resnets.1", "IN02"),
        ("down_blocks.0.downsamplers.0", "IN03"),
        ("down_blocks.1.attentions.0", "IN04"),
        ("down_blocks.2", "IN07 IN08"),
        ("down_blocks.1", "IN04 IN05 IN06"),
        ("up_blocks.0.attentions.1", "OUT01"),
        ("up_blocks.0.upsamplers.0", "OUT02"),
        ("up_blocks.1", "OUT03 OUT04 OUT05"),
        ("up_blocks.2.resnets.2", "OUT08"),
        ("", ""),
        ("IN09", ""),
        ("IN", ""),
        ("IN+4", ""),
        ("up_blocks.3", ""),
        ("up_blocks.0.attentions", ""),
        ("up_blocks.0.attentions.3", ""),
        ("down_blocks.2.downsamplers.0", ""),
        ("up_blocks.2.upsamplers.0", ""),
    ] {
        assert_eq!(named(name), blocks, "{name}");
    }
    assert_eq!(Block::all().count(), 19);
    for block in Block::all() {
        assert_eq!(Block::named(&block.to_string()), [block]);
        assert_eq!(Block::named(block.prefix().trim_end_matches('.')), [block]);
    }
}

#[test]
fn what_is_said_of_blocks_is_checked_and_counts() {
    let chosen = json!({
        "trained_blocks": ["up_blocks.0", "MID"], "block_ranks": ["OUT00=64", "OUT01=0"],
        "block_learning_rates": ["MID=0.5"],
    });
    let recipe = resolve(chosen, Engine::Kohya).unwrap();
    let p = recipe.parameters();
    let trained: Vec<String> = Block::all()
        .filter(|block| p.trains_block(*block))
        .map(|block| block.to_string())
        .collect();
    assert_eq!(trained, ["MID", "OUT00", "OUT02"]);
    assert_eq!(
        (p.block_rank(Block::Out(0)), p.block_rank(Block::Middle)),
        (64, 32)
    );
    assert_eq!(p.block_learning_rate(Block::Middle), 0.5);

    let wrong = json!({
        "trained_blocks": ["IN99"], "block_ranks": ["OUT00"], "block_learning_rates": ["MID=11"],
    });
    expect![[r#"parameters.trained_blocks: `IN99` is not a block of the U-Net: use IN00 to IN08, MID, OUT00 to OUT08, diffusers' names such as up_blocks.0.attentions.0, b_lora_content or b_lora_style; parameters.block_ranks: `OUT00` must be a block and a number: `OUT00=4`; parameters.block_learning_rates: `MID` must be from 0 to 10, not 11"#]]
        .assert_eq(&resolve(wrong, Engine::Kohya).unwrap_err());
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
        blocks {"default":[],"description":"Blocks that are trained; none for all.","items":{"maxLength":8,"type":"string"},"maxItems":2,"type":"array","x-form":{"group":"network","order":5}}
        conv_alpha {"default":1.0,"description":"Alpha of convolutions.","exclusiveMinimum":0,"format":"double","maximum":512,"type":"number","x-form":{"group":"network","order":2}}
        conv_rank {"default":0,"description":"Rank of convolutions; 0 is off.","format":"int32","maximum":256,"minimum":0,"type":"integer","x-form":{"group":"network","order":1}}
        network {"default":"plain","description":"Which network, of those that exist, in two lines.","enum":["plain","doubled"],"type":"string","x-form":{"group":"basic","order":0}}
        separator {"default":",","description":"Between tags.","maxLength":2,"type":"string","x-form":{"group":"network","order":4}}
        shuffle {"default":false,"description":"Shuffles tags.","type":"boolean","x-form":{"engines":["kohya"],"group":"network","order":3}}
        blocks {"default":null,"description":"Blocks that are trained; none for all.","items":{"maxLength":8,"type":"string"},"maxItems":2,"type":["array","null"],"x-form":{"group":"network","order":5}}
        conv_alpha {"default":null,"description":"Alpha of convolutions.","exclusiveMinimum":0,"format":"double","maximum":512,"type":["number","null"],"x-form":{"group":"network","order":2}}
        conv_rank {"default":null,"description":"Rank of convolutions; 0 is off.","format":"int64","maximum":256,"minimum":0,"type":["integer","null"],"x-form":{"group":"network","order":1}}
        network {"default":null,"description":"Which network, of those that exist, in two lines.","enum":["plain","doubled",null],"type":["string","null"],"x-form":{"group":"basic","order":0}}
        separator {"default":null,"description":"Between tags.","maxLength":2,"type":["string","null"],"x-form":{"group":"network","order":4}}
        shuffle {"default":null,"description":"Shuffles tags.","type":["boolean","null"],"x-form":{"engines":["kohya"],"group":"network","order":3}}"#]]
    .assert_eq(&lines.join("\n"));
}
