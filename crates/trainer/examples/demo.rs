//! Trains the demo's character on `tiny-xl` without a server, and prints what it measured.
//!
//! `cargo run -p trainer --example demo -- --output DIR [--steps N] [--checkpoint FILE]`

use std::{collections::BTreeMap, fs::File, path::PathBuf};

use anyhow::{Context as _, bail};
use clap::Parser;
use dataset::{ingest::Batch, picture::NormalizedPicture, split};
use diffusion::base::BaseModel;
use protocol::{
    DatasetVersionId, ItemId,
    agent::Report,
    dataset::{Manifest, ManifestItem, Split},
    preset::BaseClass,
    recipe::{ParameterOverrides, Recipe, RecipeRequest},
};
use trainer::train::{Ended, TrainEvent, TrainJob, train};

/// See the module.
#[derive(Parser)]
struct Args {
    /// Folder for checkpoints, samples and the LoRA
    #[arg(long)]
    output: PathBuf,
    /// Optimizer steps
    #[arg(long)]
    steps: Option<i64>,
    /// Dataset in assets/demo-datasets; the pictures in NAME-held-out are held out
    #[arg(long, default_value = "zora")]
    dataset: String,
    /// Checkpoint to go on from
    #[arg(long)]
    checkpoint: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    std::fs::create_dir_all(&args.output)?;
    let mut files = BTreeMap::new();
    let mut items = read(&args.dataset, Split::Train, &mut files)?;
    items.extend(read(
        &format!("{}-held-out", args.dataset),
        Split::HeldOut,
        &mut files,
    )?);
    let manifest: Manifest = split::freeze(DatasetVersionId::new(), items)?;
    let request = RecipeRequest {
        base_model: "tiny-xl".into(),
        name: args.dataset.clone(),
        trigger_word: Some(args.dataset.replace("-", " ")),
        overrides: ParameterOverrides {
            n_steps: args.steps,
            ..ParameterOverrides::default()
        },
        ..RecipeRequest::default()
    };
    let recipe = Recipe::resolve(request, BaseClass::Tiny)?;
    let base = BaseModel::open("tiny-xl")?;
    let job = TrainJob {
        recipe: &recipe,
        base: &base,
        manifest: &manifest,
        pictures: &|item| Ok(files[&item.sha256].clone()),
        folder: &args.output,
        resume_from: args.checkpoint.as_deref(),
    };
    let began = std::time::Instant::now();
    let ended = train(&job, |event| show(&event, began.elapsed().as_secs_f64()), || None)?;
    let Ended::Completed(trained) = ended else {
        bail!("ended early")
    };
    println!("{}", serde_json::to_string_pretty(&trained.verdict.checks)?);
    println!("{:?} in {:.1} s", trained.lora, began.elapsed().as_secs_f64());
    Ok(())
}

fn show(event: &TrainEvent, seconds: f64) {
    match event {
        TrainEvent::Report(Report::Step(m)) if m.step % 20 != 0 => {}
        TrainEvent::Report(Report::Step(m)) => println!(
            "{seconds:6.1} s  step {}/{}  loss {:.4}  average {:.4}  lr {:.2e}  gradient {:.3}  {:.0} ms  eta {:.0} s",
            m.step,
            m.n_steps,
            m.loss,
            m.average_loss,
            m.learning_rate,
            m.gradient_norm,
            m.step_ms,
            m.eta_seconds
        ),
        TrainEvent::Report(Report::Validated { verdict }) => {
            println!("{seconds:6.1} s  passed: {}", verdict.passed)
        }
        TrainEvent::Report(report) => println!("{seconds:6.1} s  {report:?}"),
        TrainEvent::Wrote { path, .. } => println!("{seconds:6.1} s  wrote {}", path.display()),
    }
}

/// Takes a folder of the demo datasets through the ingest.
fn read(
    name: &str,
    split: Split,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> anyhow::Result<Vec<ManifestItem>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../assets/demo-datasets")
        .join(name);
    let mut batch = Batch::default();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("no folder `{}`", folder.display()))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .context("no name")?
            .to_string_lossy()
            .into_owned();
        batch.add(&name, File::open(&path)?, |picture: &NormalizedPicture| {
            files.insert(picture.sha256.clone(), picture.png.clone());
            Ok::<(), std::convert::Infallible>(())
        })?;
    }
    let report = batch.finish();
    if let Some(refused) = report.refused.first() {
        bail!("`{}` {}", refused.file_name, refused.reason);
    }
    let item = |item: dataset::ingest::IngestedItem| ManifestItem {
        id: ItemId::new(),
        sha256: item.sha256,
        width: item.width,
        height: item.height,
        caption: item.caption,
        split,
    };
    Ok(report.items.into_iter().map(item).collect())
}
