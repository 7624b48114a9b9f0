//! `morpheus recipe`: settings of other trainers as recipes, and recipes for them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use protocol::{
    base::Traces,
    foreign::{self, Exported, Format, Imported, LeftOut},
    parameters::{ParameterOverrides, Parameters},
    preset::{Family, Preset},
    recipe::{Engine, Recipe, RecipeRequest},
};

use crate::output;

/// See [`crate::Command::Recipe`].
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Read the settings of another trainer, and print a recipe for `morpheus train`. What has no counterpart is listed
    Import(ImportArgs),
    /// Write a recipe for another trainer. What that one has no counterpart for is listed
    Export(ExportArgs),
}

#[derive(clap::Args)]
struct ImportArgs {
    /// TOML or command line of sd-scripts, JSON of kohya_ss or OneTrainer, YAML of ai-toolkit
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write the recipe into this file instead of printing it
    #[arg(long, value_name = "RECIPE.toml")]
    output: Option<PathBuf>,
    /// Print one JSON object: the parameters, what was left out, and notes
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct ExportArgs {
    /// Recipe of `morpheus train`
    #[arg(value_name = "RECIPE.toml")]
    recipe: PathBuf,
    /// What it is written for: sd-scripts, sd-scripts-arguments, kohya-ss, onetrainer or ai-toolkit
    #[arg(long = "as", value_name = "FORMAT", value_parser = format)]
    format: Format,
    /// Write into this file instead of printing
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print one JSON object: the text, and what was left out
    #[arg(long)]
    json: bool,
}

fn format(word: &str) -> Result<Format, String> {
    let words = Format::ALL.map(Format::word);
    let found = Format::ALL.into_iter().find(|format| format.word() == word);
    found.ok_or_else(|| format!("must be one of {}", words.join(", ")))
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Import(args) => import(&args),
        Command::Export(args) => export(&args),
    }
}

fn import(args: &ImportArgs) -> anyhow::Result<()> {
    let shown = args.file.display();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("failed to read `{shown}`"))?;
    let imported = foreign::import(&text).map_err(|err| anyhow!("`{shown}` {err}"))?;
    if args.json {
        return output::json(&imported);
    }
    let recipe = written(&imported).with_context(|| format!("the settings in `{shown}` are not valid"))?;
    tell(&imported.left_out);
    for note in &imported.notes {
        output::note(format_args!("note: {note}"));
    }
    print_or_write(&recipe, args.output.as_deref())
}

fn export(args: &ExportArgs) -> anyhow::Result<()> {
    let recipe = super::train::recipe_of(&args.recipe)?;
    let exported: Exported = foreign::export(&recipe, args.format);
    if args.json {
        return output::json(&exported);
    }
    tell(&exported.left_out);
    print_or_write(&exported.text, args.output.as_deref())
}

fn tell(left_out: &[LeftOut]) {
    for left in left_out {
        output::note(format_args!("left out: {left}"));
    }
}

fn print_or_write(text: &str, path: Option<&Path>) -> anyhow::Result<()> {
    match path {
        Some(path) => {
            std::fs::write(path, text).with_context(|| format!("failed to write `{}`", path.display()))
        }
        None => {
            output::line(text.trim_end());
            Ok(())
        }
    }
}

/// A recipe of `morpheus train` that means the same: what differs from the preset of a character for the family of its
/// base model.
fn written(imported: &Imported) -> anyhow::Result<String> {
    let base = imported.base_model.as_deref().unwrap_or("base");
    let traces = Traces {
        names: vec![base],
        ..Traces::default()
    };
    let (family, _) = traces.family();
    let request = |engine| RecipeRequest {
        engine,
        base_model: base.to_owned(),
        name: imported.name.clone().unwrap_or_else(|| "lora".to_owned()),
        trigger_word: imported.trigger_word.clone(),
        preset: Preset::Character,
        overrides: imported.parameters.clone(),
        sample_prompts: imported.sample_prompts.clone(),
        start_from: None,
    };
    // An optimizer, say, that one engine alone has.
    let (engine, recipe) = match Recipe::resolve(request(Engine::Native), family) {
        Ok(recipe) => (Engine::Native, recipe),
        Err(err) => match Recipe::resolve(request(Engine::Kohya), family) {
            Ok(recipe) => (Engine::Kohya, recipe),
            Err(_) => return Err(err.into()),
        },
    };
    let standard = Parameters::of(Preset::Character, family);
    let mut parameters = ParameterOverrides::between(recipe.parameters(), &standard);
    if imported.n_epochs.is_some() {
        (parameters.n_steps, parameters.n_views) = (None, None);
    }
    let mut table = toml::Table::new();
    table.insert("base_model".to_owned(), format!("{base}.safetensors").into());
    table.insert("name".to_owned(), recipe.name().into());
    if let Some(word) = recipe.trigger_word() {
        table.insert("trigger_word".to_owned(), word.into());
    }
    table.insert("preset".to_owned(), "character".into());
    table.insert("family".to_owned(), family_word(family)?);
    table.insert("engine".to_owned(), engine.word().into());
    table.insert("dataset".to_owned(), "pictures".into());
    if let Some(n_epochs) = imported.n_epochs {
        table.insert("n_epochs".to_owned(), i64::from(n_epochs).into());
    }
    if !imported.sample_prompts.is_empty() {
        let prompts =
            toml::Value::try_from(&imported.sample_prompts).context("failed to write the prompts")?;
        table.insert("sample_prompts".to_owned(), prompts);
    }
    table.insert(
        "parameters".to_owned(),
        toml::Value::try_from(&parameters).context("failed to write the parameters")?,
    );
    let text = toml::to_string(&table).context("failed to write the recipe")?;
    Ok(format!(
        "# Set base_model to the path of the base model, and dataset to the folder of the pictures.\n{text}"
    ))
}

fn family_word(family: Family) -> anyhow::Result<toml::Value> {
    toml::Value::try_from(family).context("failed to write the family")
}
