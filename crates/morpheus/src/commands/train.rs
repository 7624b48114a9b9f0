//! `morpheus train`: a training without a server.

mod dry_run;
mod pictures;
mod recipe_file;
mod report;

use std::{
    fs,
    path::{Path, PathBuf},
};

use agent::engine::{self, Base, Ended, Job, TrainEvent, Trained};
use anyhow::{Context as _, bail, ensure};
use protocol::{agent::Directive, preset::BaseClass, recipe::Engine};

use self::{pictures::Pictures, recipe_file::RecipeFile, report::Reporter};
use crate::{
    bases,
    kohya::{self, KohyaFlags},
    logging, paths, signals,
};

/// See [`crate::Command::Train`].
#[derive(clap::Args)]
pub(crate) struct Args {
    /// TOML file: base_model, name, dataset, and optionally trigger_word, preset, held_out, sample_prompts,
    /// [parameters]
    #[arg(value_name = "RECIPE.toml")]
    recipe: PathBuf,
    /// Folder for the LoRA, its verdict, samples and checkpoints
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    output: Option<PathBuf>,
    /// What computes it, native or kohya; counts more than the recipe
    #[arg(long, value_name = "ENGINE", value_parser = kohya::engine)]
    engine: Option<Engine>,
    /// Print what sd-scripts would be started with, and start nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on from the newest checkpoint in the output folder
    #[arg(long)]
    resume: bool,
    /// Print JSON lines: every step, and at the end what was made
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kohya: KohyaFlags,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    logging::start("warn");
    let mut file = RecipeFile::read(&args.recipe)?;
    file.engine = args.engine.unwrap_or(file.engine);
    let (base, class) = locate(&file.base_model)?;
    let pictures = Pictures::read(&file.dataset, file.held_out.as_deref())?;
    let recipe_name = args.recipe.display().to_string();
    let recipe = file
        .resolve(class, pictures.captions())
        .with_context(|| format!("the recipe `{recipe_name}` is not right"))?;
    let output = match args.output {
        Some(output) => output,
        None => Path::new("").join(&recipe.name),
    };
    if args.dry_run {
        ensure!(
            recipe.engine == Engine::Kohya,
            "--dry-run shows what sd-scripts would be started with: add --engine kohya"
        );
        let folder = paths::absolute(&output);
        return dry_run::print(
            &recipe,
            &pictures.manifest,
            &base,
            &folder,
            &args.kohya,
            args.json,
        );
    }
    let lora = output.join(format!("{}.safetensors", recipe.name));
    if lora.exists() {
        bail!(
            "`{}` exists already: choose another folder with --output",
            lora.display()
        );
    }
    if recipe.engine == Engine::Kohya {
        let kohya = args.kohya.setup();
        let kohya = kohya.context("the kohya engine needs sd-scripts: name its folder with --kohya-dir")?;
        kohya::check_dir(&kohya)?;
    }
    let resume_from = args
        .resume
        .then(|| newest_checkpoint(&output, recipe.engine))
        .transpose()?;
    fs::create_dir_all(&output)
        .with_context(|| format!("failed to make the folder `{}`", output.display()))?;

    let reporter = Reporter::new(args.json);
    reporter.dataset(&pictures);
    let job = Job {
        recipe,
        base,
        manifest: pictures.manifest.clone(),
        pictures: pictures.finder(),
        resume_from,
        folder: output.clone(),
        kohya: args.kohya.setup(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    match runtime.block_on(drive(job, &reporter))? {
        Ended::Completed(trained) => finish(&output, &trained, &reporter),
        Ended::Stopped | Ended::Cancelled => {
            bail!("stopped before the last step; go on with --resume")
        }
    }
}

async fn drive(job: Job, reporter: &Reporter) -> anyhow::Result<Ended> {
    let mut engine = engine::Engine::start(engine::native, job);
    let mut interrupted = false;
    loop {
        tokio::select! {
            event = engine.events.recv() => match event {
                Some(TrainEvent::Report(report)) => reporter.report(&report)?,
                Some(TrainEvent::Wrote { kind, path }) => reporter.wrote(&kind, &path)?,
                None => {
                    reporter.training_is_over();
                    return engine.end().await.map_err(anyhow::Error::msg);
                }
            },
            () = signals::asked_to_end(), if !interrupted => {
                interrupted = true;
                reporter.say("Stopping after this step; a checkpoint is written first.");
                engine.tell(Directive::Stop);
            }
        }
    }
}

/// Where the base is, and how large; nothing of it is loaded.
fn locate(base_model: &str) -> anyhow::Result<(Base, BaseClass)> {
    if base_model == bases::BUILT_IN {
        let built_in = bases::built_in();
        return Ok((Base::BuiltIn(base_model.to_owned()), built_in.model.class));
    }
    let path = PathBuf::from(base_model);
    let facts = bases::inspect(&path).context("base_model")?;
    Ok((Base::Path(path), facts.class))
}

fn newest_checkpoint(folder: &Path, engine: Engine) -> anyhow::Result<PathBuf> {
    let extension = match engine {
        Engine::Native => ".safetensors",
        Engine::Kohya => ".zip",
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let checkpoints = entries.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("checkpoint-") && name.ends_with(extension)
    });
    // Their names hold the step, with leading zeros.
    checkpoints.max().with_context(|| {
        format!(
            "there is no checkpoint of this engine to resume from in `{}`; leave --resume out",
            folder.display()
        )
    })
}

fn finish(output: &Path, trained: &Trained, reporter: &Reporter) -> anyhow::Result<()> {
    let verdict = output.join("verdict.json");
    fs::write(&verdict, serde_json::to_vec_pretty(&trained.verdict)?)
        .with_context(|| format!("failed to write `{}`", verdict.display()))?;
    reporter.finished(&verdict, trained)?;
    anyhow::ensure!(
        trained.verdict.passed,
        "the LoRA did not pass its validation: see `{}`",
        verdict.display()
    );
    Ok(())
}
