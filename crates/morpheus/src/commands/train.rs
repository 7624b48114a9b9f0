//! `morpheus train`: trains without a server, optionally with each engine and a page that compares them.

mod both;
mod dry_run;
mod journal;
mod parity;
mod pictures;
mod recipe_file;
mod report;

use std::{
    fs,
    path::{Path, PathBuf},
};

use agent::{
    Measurements,
    engine::{self, Base, Ended, Job, JudgeShare, TrainEvent, Trained},
    kohya::Kohya,
    memory::Room,
};
use anyhow::{Context as _, anyhow, bail, ensure};
use diffusion::base::BaseOptions;
use protocol::{
    agent::Directive,
    preset::Family,
    recipe::{Engine, Recipe},
};

use self::{journal::Journal, pictures::Pictures, recipe_file::RecipeFile, report::Reporter};
use crate::{
    bases::{self, BaseFlags},
    diffusers::DiffusersFlags,
    judging::JudgeFlags,
    kohya::{self, KohyaFlags},
    logging, paths, signals,
};

/// A recipe that says what most people say; the preset has the rest.
const EXAMPLE: &str = r#"base_model = "sdxl_base.safetensors"   # or tiny-xl, which is built in
name = "zora"
dataset = "pictures"                   # folder or zip: 001.png with its caption in 001.txt
trigger_word = "zora"
preset = "character"                   # or style, concept
sample_prompts = ["zora, smiling", "zora in the rain, from behind"]

[parameters]                           # only what differs from the preset
rank = 16
learning_rate = 1e-4
n_views = 1600                         # pictures seen; or n_steps
"#;

fn example() -> String {
    let indented = |line: &str| format!("  {line}").trim_end().to_owned();
    let lines: Vec<String> = EXAMPLE.lines().map(indented).collect();
    format!(
        "Example of a RECIPE.toml:\n\n{}\n\nThe settings of another trainer become a recipe with `morpheus recipe import FILE`.",
        lines.join("\n")
    )
}

/// See [`crate::Command::Train`].
#[derive(clap::Args)]
#[command(after_help = example())]
pub(crate) struct Args {
    /// TOML file: base_model, name, dataset, and optionally trigger_word, preset, held_out, n_epochs, sample_prompts,
    /// sample_prompts_file, [parameters]
    #[arg(value_name = "RECIPE.toml")]
    recipe: PathBuf,
    /// Folder for the LoRA, its verdict, samples and checkpoints; required, except with --dry-run
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    output: Option<PathBuf>,
    /// Engine, native or kohya; overrides the recipe. both: one after the other, into OUTPUT/native
    /// and OUTPUT/kohya, and OUTPUT/parity.html compares the losses and the files
    #[arg(long, value_name = "ENGINE", value_parser = choice)]
    engine: Option<Choice>,
    /// Print the command line for sd-scripts without starting it
    #[arg(long)]
    dry_run: bool,
    /// Resume from the newest checkpoint in the output folder
    #[arg(long)]
    resume: bool,
    /// Begin with this LoRA, of the same kind and rank, in place of one that changes nothing
    #[arg(long, value_name = "FILE")]
    start_from: Option<PathBuf>,
    /// Begin a training of the native engine that does not fit into the free memory, too
    #[arg(long)]
    ignore_memory: bool,
    /// Print JSON lines: every step, and the results at the end
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    base: BaseFlags,
    #[command(flatten)]
    kohya: KohyaFlags,
    #[command(flatten)]
    diffusers: DiffusersFlags,
    #[command(flatten)]
    judging: JudgeFlags,
}

/// Value of `--engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    One(Engine),
    Both,
}

/// A training without its engine.
struct Setup {
    recipe: Recipe,
    base: Base,
    base_options: BaseOptions,
    pictures: Pictures,
    output: PathBuf,
    kohya: KohyaFlags,
    diffusers: DiffusersFlags,
    resume: bool,
    start_from: Option<PathBuf>,
    room: Room,
    judging: JudgeShare,
    json: bool,
}

/// The recipe of a file by itself.
pub(crate) fn recipe_of(path: &Path) -> anyhow::Result<Recipe> {
    RecipeFile::alone(path)
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    logging::start("warn");
    let mut file = RecipeFile::read(&args.recipe)?;
    // The recipe of both engines is one; only what computes it differs.
    let is_both = args.engine == Some(Choice::Both);
    match args.engine {
        Some(Choice::One(engine)) => file.engine = engine,
        Some(Choice::Both) => file.engine = Engine::Native,
        None => {}
    }
    let base_options = args.base.options();
    let (base, family) = locate(&file.base_model, &base_options)?;
    let pictures = Pictures::read(&file.dataset, file.held_out.as_deref())?;
    let recipe_name = args.recipe.display().to_string();
    let recipe = file
        .resolve(family, pictures.captions(), &pictures.manifest.items)
        .with_context(|| format!("the recipe `{recipe_name}` is invalid"))?;
    let output = match args.output {
        Some(output) => output,
        None => Path::new("").join(recipe.name()),
    };
    let setup = Setup {
        recipe,
        base,
        base_options,
        pictures,
        output,
        kohya: args.kohya,
        diffusers: args.diffusers,
        resume: args.resume,
        start_from: args.start_from,
        room: Room::unless(args.ignore_memory),
        judging: args.judging.share(),
        json: args.json,
    };
    match (is_both, args.dry_run) {
        (false, true) => {
            ensure!(
                setup.recipe.engine() == Engine::Kohya,
                "--dry-run shows what sd-scripts would be started with: add --engine kohya"
            );
            dry_run::print(&setup, &setup.output)
        }
        (true, true) => dry_run::print(&setup, &setup.output.join("kohya")),
        (false, false) => one(setup),
        (true, false) => both::run(&setup),
    }
}

/// Trains with the recipe's engine.
fn one(setup: Setup) -> anyhow::Result<()> {
    let Setup { recipe, output, .. } = &setup;
    check_free(&lora_path(recipe, output))?;
    if recipe.engine() == Engine::Kohya {
        check_kohya(&setup.kohya)?;
    }
    let resume_from = setup
        .resume
        .then(|| newest_checkpoint(output, recipe.engine()))
        .transpose()?;
    let reporter = Reporter::new(setup.json);
    reporter.dataset(&setup.pictures);
    reporter.findings(recipe, &setup.pictures);
    reporter.recipe(recipe, &setup.pictures);
    let trained = setup.train(recipe.engine(), output, resume_from, &reporter, None)?;
    reporter.finished(&verdict_path(output), &trained)?;
    check_passed(output, &trained)
}

impl Setup {
    /// Trains with an engine into a folder, up to the verdict; records everything in the journal, if given.
    fn train(
        &self,
        engine: Engine,
        folder: &Path,
        resume_from: Option<PathBuf>,
        reporter: &Reporter,
        journal: Option<&mut Journal>,
    ) -> anyhow::Result<Trained> {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to make the folder `{}`", folder.display()))?;
        let recipe = self
            .recipe
            .for_engine(engine)
            .context("the recipe is not right")?;
        let job = Job {
            recipe,
            base: self.base.clone(),
            base_options: self.base_options.clone(),
            measurements: Measurements::at(&paths::work_dir()),
            manifest: self.pictures.manifest.clone(),
            pictures: self.pictures.finder(),
            start_from: self.start_from.clone(),
            resume_from,
            is_start_drawn: false,
            folder: folder.to_owned(),
            room: self.room,
            judging: self.judging,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("failed to start the runtime")?;
        let kohya = self.kohya.setup_with(&self.diffusers);
        let Ended::Completed(trained) = runtime.block_on(drive(job, kohya, reporter, journal))? else {
            bail!("stopped before the last step; continue with --resume")
        };
        let verdict = verdict_path(folder);
        fs::write(&verdict, serde_json::to_vec_pretty(&trained.verdict)?)
            .with_context(|| format!("failed to write `{}`", verdict.display()))?;
        Ok(*trained)
    }
}

fn lora_path(recipe: &Recipe, folder: &Path) -> PathBuf {
    folder.join(format!("{}.safetensors", recipe.name()))
}

fn verdict_path(folder: &Path) -> PathBuf {
    folder.join("verdict.json")
}

/// Checks that nothing is overwritten.
fn check_free(path: &Path) -> anyhow::Result<()> {
    ensure!(
        !path.exists(),
        "`{}` already exists: choose another folder with --output",
        path.display()
    );
    Ok(())
}

fn check_kohya(flags: &KohyaFlags) -> anyhow::Result<()> {
    let kohya = flags.setup();
    let kohya = kohya.context("the kohya engine needs sd-scripts: set its folder with --kohya-dir")?;
    kohya::check_dir(&kohya)
}

fn check_passed(folder: &Path, trained: &Trained) -> anyhow::Result<()> {
    ensure!(
        trained.verdict.passed,
        "the LoRA did not pass its validation: see `{}`",
        verdict_path(folder).display()
    );
    Ok(())
}

fn choice(name: &str) -> Result<Choice, String> {
    if name == "both" {
        return Ok(Choice::Both);
    }
    kohya::engine(name)
        .map(Choice::One)
        .map_err(|_| "must be native, kohya or both".to_owned())
}

async fn drive(
    job: Job,
    kohya: Option<Kohya>,
    reporter: &Reporter,
    mut journal: Option<&mut Journal>,
) -> anyhow::Result<Ended> {
    let stopping = match job.recipe.engine() {
        Engine::Native => "Stopping after this step; a checkpoint is written first.",
        Engine::Kohya => {
            "Stopping sd-scripts, which cannot write a checkpoint on request; its newest checkpoint is \
             kept."
        }
    };
    let mut engine = engine::Engine::start(engine::native, job, kohya);
    let mut interrupted = false;
    loop {
        tokio::select! {
            event = engine.events.recv() => match event {
                Some(event) => {
                    if let Some(journal) = &mut journal {
                        journal.write(&event)?;
                    }
                    match event {
                        TrainEvent::Report(report) => reporter.report(&report)?,
                        TrainEvent::Wrote { kind, path } => reporter.wrote(&kind, &path)?,
                    }
                }
                None => {
                    reporter.training_is_over();
                    return engine.end().await.map_err(anyhow::Error::msg);
                }
            },
            () = signals::asked_to_end(), if !interrupted => {
                interrupted = true;
                reporter.say(stopping);
                engine.tell(Directive::Stop);
            }
        }
    }
}

/// Location and family of the base model, without loading it.
fn locate(base_model: &str, options: &BaseOptions) -> anyhow::Result<(Base, Family)> {
    if base_model == bases::BUILT_IN {
        let built_in = bases::built_in();
        return Ok((Base::BuiltIn(base_model.to_owned()), built_in.model.family));
    }
    let path = PathBuf::from(base_model);
    let facts = bases::inspect_with(&path, options).map_err(|problem| anyhow!("base_model: {problem}"))?;
    let family = bases::family(&path, &facts);
    Ok((Base::Path(path), family))
}

fn newest_checkpoint(folder: &Path, engine: Engine) -> anyhow::Result<PathBuf> {
    engine::newest_checkpoint(folder, engine).with_context(|| {
        format!(
            "`{}` has no checkpoint of this engine to resume from; omit --resume",
            folder.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{EXAMPLE, RecipeFile, example};

    #[test]
    fn the_recipe_in_the_help_is_valid() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipe.toml");
        std::fs::write(&path, EXAMPLE).unwrap();
        let recipe = RecipeFile::alone(&path).unwrap();
        assert_eq!((recipe.name(), recipe.parameters().rank), ("zora", 16));
        assert_eq!(recipe.parameters().n_views, 1600);
        assert!(
            example().lines().all(|line| line.trim_end() == line),
            "{}",
            example()
        );
    }
}
