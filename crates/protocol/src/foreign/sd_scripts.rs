//! kohya-ss/sd-scripts: its options from hyperparameters, and hyperparameters from its options.
//!
//! Options and defaults as of commit 48d368f of kohya-ss/sd-scripts (`library/train_util.py`, `networks/lora.py`).

mod command_line;
mod elsewhere;
mod network;
mod optimizer;
mod read;
mod schedule;

use super::{Exported, Format, Imported, draft::Draft, left_out};
use crate::{
    parameters::{Engine, Parameters, Value},
    recipe::Recipe,
};

pub(super) use command_line::{is_plain, read as read_arguments, words};
pub(super) use read::read;

/// Options in their order, without dashes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options(Vec<(String, Setting)>);

/// What is set.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// The option alone.
    Flag,
    /// One value.
    Value(String),
    /// Several values.
    Values(Vec<String>),
}

impl Options {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.0.iter().map(|(name, setting)| (name.as_str(), setting))
    }

    fn flag(&mut self, name: &str) {
        self.0.push((name.to_owned(), Setting::Flag));
    }

    fn value(&mut self, name: &str, value: impl ToString) {
        self.0.push((name.to_owned(), Setting::Value(value.to_string())));
    }

    fn values(&mut self, name: &str, values: impl IntoIterator<Item = String>) {
        let values = values.into_iter().collect();
        self.0.push((name.to_owned(), Setting::Values(values)));
    }

    fn with(fill: impl FnOnce(&mut Self)) -> Self {
        let mut options = Self::default();
        fill(&mut options);
        options
    }
}

/// The network and its targets.
pub fn network(p: &Parameters) -> Options {
    Options::with(|options| network::list(options, p))
}

/// The hyperparameters that sd-scripts takes as they are.
pub fn hyperparameters(p: &Parameters) -> Options {
    Options::with(|options| {
        for (definition, value) in p.values() {
            if let Some(option) = definition.kohya
                && definition.off != Some(value)
            {
                match value {
                    Value::Whole(value) => options.value(option, value),
                    // Always with a point, else alpha is stored as an integer tensor, which other programs stumble over.
                    Value::Number(value) => options.value(option, format!("{value:?}")),
                    Value::Switch(true) => options.flag(option),
                    Value::Switch(false) => {}
                    Value::Text(value) => options.value(option, value),
                    Value::List(values) => options.values(option, values.iter().cloned()),
                }
            }
        }
    })
}

/// The optimizer and its arguments.
pub fn optimizer(p: &Parameters) -> Options {
    Options::with(|options| optimizer::list(options, p))
}

/// The modules of Python that the optimizer needs beside PyTorch and transformers.
pub fn modules(p: &Parameters) -> &'static [&'static str] {
    optimizer::modules(p.optimizer)
}

/// The schedule of a training that starts here.
pub fn schedule(p: &Parameters) -> Options {
    Options::with(|options| schedule::of_this_run(options, p))
}

/// The schedule of a training of which some steps are done.
pub fn schedule_of_all_steps(p: &Parameters) -> Options {
    Options::with(|options| schedule::of_all_steps(options, p))
}

/// Everything that says how a recipe is trained; paths and what concerns the machine are left to whoever runs it.
fn training(recipe: &Recipe) -> Options {
    let p = recipe.parameters();
    let mut all = Options::with(|options| {
        options.value("pretrained_model_name_or_path", recipe.base_model());
        options.value("output_name", recipe.name());
        if let Some(word) = recipe.trigger_word() {
            options.value("metadata_trigger_phrase", word);
        }
        options.value("resolution", format!("{0},{0}", p.resolution));
        options.flag("enable_bucket");
        buckets(options, p);
        options.value("train_batch_size", p.batch_size);
        options.value("gradient_accumulation_steps", p.gradient_accumulation);
        options.value("max_train_steps", p.n_steps);
        options.flag("gradient_checkpointing");
        options.value("caption_extension", ".txt");
        captions(options, p);
        for (name, n) in [
            ("save_every_n_steps", p.checkpoint_every_n_steps),
            ("save_every_n_epochs", p.checkpoint_every_n_epochs),
            ("sample_every_n_steps", p.sample_every_n_steps),
            ("sample_every_n_epochs", p.sample_every_n_epochs),
        ] {
            if n > 0 {
                options.value(name, n);
            }
        }
        if p.sample_at_start {
            options.flag("sample_at_first");
        }
    });
    for part in [network(p), hyperparameters(p), optimizer(p), schedule(p)] {
        all.0.extend(part.0);
    }
    all
}

fn buckets(options: &mut Options, p: &Parameters) {
    let (min, max) = p.bucket_sides();
    options.value("bucket_reso_steps", p.bucket_step);
    options.value("min_bucket_reso", min);
    options.value("max_bucket_reso", max);
    if p.bucket_no_upscale {
        options.flag("bucket_no_upscale");
    }
}

/// What the form of kohya_ss has no field for, as its field for further arguments takes it: without quotes, so that values
/// with spaces have no place there.
pub(super) fn beyond_the_form(p: &Parameters, is_field: impl Fn(&str) -> bool) -> String {
    let mut all = Options::with(|options| {
        buckets(options, p);
        captions(options, p);
        if p.sample_at_start {
            options.flag("sample_at_first");
        }
    });
    all.0.retain(|(name, setting)| {
        let is_usual = name == "caption_separator" && p.tag_separator == ",";
        let is_plain = !matches!(setting, Setting::Value(value) if !is_plain(value));
        !is_field(name) && !is_usual && is_plain
    });
    all.0.into_iter().map(line).collect::<Vec<_>>().join(" ")
}

fn captions(options: &mut Options, p: &Parameters) {
    options.value("caption_separator", &p.tag_separator);
    options.value("keep_tokens", p.keep_tokens);
    for (name, is_on) in [
        ("shuffle_caption", p.shuffle_tags),
        ("enable_wildcard", p.wildcards),
    ] {
        if is_on {
            options.flag(name);
        }
    }
    for (name, text) in [
        ("keep_tokens_separator", &p.keep_tokens_separator),
        ("secondary_separator", &p.secondary_separator),
        ("caption_prefix", &p.caption_prefix),
        ("caption_suffix", &p.caption_suffix),
    ] {
        if !text.is_empty() {
            options.value(name, text);
        }
    }
    for (name, rate) in [
        ("caption_dropout_rate", p.caption_dropout),
        ("caption_tag_dropout_rate", p.tag_dropout),
    ] {
        if rate > 0.0 {
            options.value(name, format!("{rate:?}"));
        }
    }
    if p.caption_dropout_every_n_epochs > 0 {
        options.value("caption_dropout_every_n_epochs", p.caption_dropout_every_n_epochs);
    }
    if p.token_warmup_steps > 0 {
        options.value("token_warmup_min", p.token_warmup_min);
        options.value("token_warmup_step", p.token_warmup_steps);
    }
}

/// As the file that `--config_file` takes.
pub(super) fn toml(recipe: &Recipe) -> Exported {
    let lines = training(recipe).0.into_iter().map(|(name, setting)| {
        let value = match setting {
            Setting::Flag => toml::Value::Boolean(true),
            Setting::Value(value) => typed(&name, &value),
            Setting::Values(values) => {
                toml::Value::Array(values.into_iter().map(toml::Value::String).collect())
            }
        };
        format!("{name} = {value}\n")
    });
    Exported {
        format: Format::SdScripts,
        file_name: format!("{}.toml", recipe.name()),
        text: lines.collect(),
        left_out: beyond(recipe),
    }
}

/// As arguments of `sdxl_train_network.py`, one option on a line.
pub(super) fn arguments(recipe: &Recipe) -> Exported {
    let lines = training(recipe).0.into_iter().map(line);
    Exported {
        format: Format::SdScriptsArguments,
        file_name: format!("{}.sh", recipe.name()),
        text: lines.collect::<Vec<_>>().join(" \\\n  ") + "\n",
        left_out: beyond(recipe),
    }
}

/// An option as a shell takes it.
fn line((name, setting): (String, Setting)) -> String {
    match setting {
        Setting::Flag => format!("--{name}"),
        // argparse takes a word with a dash for the next option.
        Setting::Value(value) if value.starts_with('-') => {
            format!("--{name}={}", command_line::quoted(&value))
        }
        Setting::Value(value) => format!("--{name} {}", command_line::quoted(&value)),
        Setting::Values(values) => {
            let values: Vec<String> = values.iter().map(|value| command_line::quoted(value)).collect();
            format!("--{name} {}", values.join(" "))
        }
    }
}

/// Values of a TOML file skip argparse's types, so they have to be right. Names are texts, whatever they look like.
fn typed(name: &str, value: &str) -> toml::Value {
    let is_name = matches!(
        name,
        "output_name" | "pretrained_model_name_or_path" | "metadata_trigger_phrase"
    );
    if is_name || name == "resolution" || name.starts_with("caption_pre") || name.starts_with("caption_suf") {
        return toml::Value::String(value.to_owned());
    }
    if let Ok(whole) = value.parse() {
        return toml::Value::Integer(whole);
    }
    match value.parse::<f64>() {
        Ok(number) if name == "text_encoder_lr" => toml::Value::Array(vec![toml::Value::Float(number)]),
        Ok(number) if number.is_finite() => toml::Value::Float(number),
        _ => toml::Value::String(value.to_owned()),
    }
}

/// What sd-scripts has no option for.
fn beyond(recipe: &Recipe) -> Vec<super::LeftOut> {
    let p = recipe.parameters();
    left_out(recipe, |definition, value| {
        // It has one rate for both.
        if definition.name == "text_encoder_2_learning_rate" {
            return p.text_encoder_1_learning_rate == p.text_encoder_2_learning_rate;
        }
        // It is in the pictures.
        if definition.name == "unmasked_weight" {
            return false;
        }
        let is_word = definition
            .only
            .iter()
            .any(|(word, engines)| Value::Text(word) == value && !engines.contains(&Engine::Kohya));
        definition.engines.contains(&Engine::Kohya) && !is_word
    })
}

/// A configuration file, or the file of a dataset.
pub(super) fn import_toml(table: &toml::Table) -> Imported {
    let mut draft = Draft::new(Format::SdScripts);
    for (key, value) in table {
        let value = serde_json::to_value(value).unwrap_or_default();
        match (key.as_str(), value) {
            ("datasets", serde_json::Value::Array(datasets)) => {
                for (index, dataset) in datasets.into_iter().enumerate() {
                    flatten(&mut draft, index, dataset);
                }
            }
            // The names of sections mean nothing.
            (_, serde_json::Value::Object(section)) => {
                section.into_iter().for_each(|(key, value)| draft.put(key, value))
            }
            (key, value) => draft.put(key.to_owned(), value),
        }
    }
    read(&mut draft);
    draft.finish()
}

/// A dataset and its first subset, whose settings are a training's here. Others are left out.
fn flatten(draft: &mut Draft, index: usize, dataset: serde_json::Value) {
    let serde_json::Value::Object(fields) = dataset else {
        return;
    };
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("subsets", serde_json::Value::Array(subsets)) => {
                for (subset, value) in subsets.into_iter().enumerate() {
                    match value {
                        serde_json::Value::Object(fields) if index == 0 && subset == 0 => {
                            fields.into_iter().for_each(|(key, value)| draft.put(key, value));
                        }
                        value => draft.leave(
                            &format!("datasets[{index}].subsets[{subset}]"),
                            &value,
                            "is another folder: upload its pictures to the dataset",
                        ),
                    }
                }
            }
            (key, value) if index == 0 => draft.put(key.to_owned(), value),
            (key, value) => draft.leave(
                &format!("datasets[{index}].{key}"),
                &value,
                "is of another dataset",
            ),
        }
    }
}

/// A command line.
pub(super) fn import_arguments(text: &str) -> Imported {
    let mut draft = Draft::new(Format::SdScriptsArguments);
    command_line::read(text, &mut draft);
    read(&mut draft);
    draft.finish()
}
