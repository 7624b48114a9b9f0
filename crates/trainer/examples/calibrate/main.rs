//! Calibrates the judge of results (`trainer::judge`): trains LoRAs on `tiny-xl` whose result is known by how they are made,
//! judges them, draws the lines between them by one half, and says how many of the other half are judged right.
//!
//! Three phases: train, judge, fit. What a phase has made lies in `target/calibrate` and is not made again; `--again` judges
//! again. With `--write` the result goes into `docs/judging.md`. `make calibrate` runs it.

mod cases;
mod fit;
mod report;

use std::{
    collections::HashMap,
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use diffusion::base::BaseModel;
use trainer::{
    data::TrainingData,
    judge::{BasePictures, Budget, Task, judge_result_on_cpu, stamp::Figures},
    train::{Ended, JudgeShare, TrainJob, train_on_cpu},
};

use crate::cases::{Case, Set};

/// The allocator of the `morpheus` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about)]
struct Args {
    /// Where LoRAs and figures are kept.
    #[arg(long, default_value = "target/calibrate")]
    folder: PathBuf,
    /// Takes the first so many trainings of each sort; 4 are all.
    #[arg(long, default_value_t = cases::N_OF_EACH)]
    of_each: usize,
    /// Only trains, or with what is trained only judges and fits.
    #[arg(long, value_enum)]
    only: Option<Phase>,
    /// Judges again what is judged already.
    #[arg(long)]
    again: bool,
    /// Saves the pictures of each judgement.
    #[arg(long)]
    pictures: bool,
    /// Writes the result into docs/judging.md.
    #[arg(long)]
    write: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Phase {
    Train,
    Judge,
    Fit,
}

impl Args {
    fn does(&self, phase: Phase) -> bool {
        self.only.is_none_or(|only| only == phase)
    }
}

#[expect(clippy::print_stdout, reason = "the result goes to stdout")]
fn main() -> Result<()> {
    let args = Args::parse();
    fs::create_dir_all(&args.folder)?;
    let cases = cases::all(args.of_each);
    if args.does(Phase::Train) {
        train_all(&cases, &args.folder)?;
    }
    if args.does(Phase::Judge) {
        judge_all(&cases, &args)?;
    }
    if !args.does(Phase::Fit) {
        return Ok(());
    }
    let judged = read_all(&cases, &args.folder)?;
    let text = report::of(&judged);
    println!("{text}");
    if args.write {
        report::write(&text)?;
    }
    Ok(())
}

fn lora_of(folder: &Path, case: &Case) -> PathBuf {
    folder.join(format!("{}.safetensors", case.name))
}

fn figures_of(folder: &Path, case: &Case) -> PathBuf {
    folder.join(format!("{}.json", case.name))
}

fn train_all(cases: &[Case], folder: &Path) -> Result<()> {
    let base = BaseModel::open("tiny-xl")?;
    for (index, case) in cases.iter().enumerate() {
        let lora = lora_of(folder, case);
        if lora.exists() {
            continue;
        }
        let started = Instant::now();
        let work = tempfile::tempdir()?;
        let Set { manifest, files } = case.set.load()?;
        let ended = train_on_cpu(
            &TrainJob {
                recipe: &case.recipe()?,
                base: &base,
                manifest: &manifest,
                pictures: &|item| cases::file(&files, item),
                folder: work.path(),
                start_from: None,
                resume_from: None,
                is_start_drawn: true,
                recomputes: false,
                judging: JudgeShare::NONE,
            },
            &mut |_| {},
            &mut || None,
        );
        let ended = ended.with_context(|| format!("training `{}`", case.name))?;
        let Ended::Completed(trained) = ended else {
            bail!("the training `{}` ended early", case.name);
        };
        // Another file system may hold the folder.
        fs::copy(&trained.lora, &lora)?;
        let seconds = started.elapsed().as_secs_f64();
        eprintln!(
            "trained {}/{}: {} ({seconds:.1} s)",
            index + 1,
            cases.len(),
            case.name
        );
    }
    Ok(())
}

fn judge_all(cases: &[Case], args: &Args) -> Result<()> {
    let base = BaseModel::open("tiny-xl")?;
    let mut kept: HashMap<String, BasePictures> = HashMap::new();
    for (index, case) in cases.iter().enumerate() {
        let (lora, figures) = (lora_of(&args.folder, case), figures_of(&args.folder, case));
        if !lora.exists() || figures.exists() && !args.again {
            continue;
        }
        let recipe = case.recipe()?;
        let Set { manifest, files } = case.set.load()?;
        let pictures = |item: &_| cases::file(&files, item);
        let go_on = &mut |_| ControlFlow::Continue(());
        let data = TrainingData::prepare(&base, &recipe, &manifest, &pictures, go_on)?;
        let task = Task {
            base: &base,
            recipe: &recipe,
            data: &data,
            lora: &lora,
            budget: Budget { seconds: 0.0 },
        };
        let kept = kept.entry(case.set.name()).or_default();
        let judged = judge_result_on_cpu(&task, None, kept, &mut || ControlFlow::Continue(()))?;
        fs::write(
            &figures,
            serde_json::to_vec_pretty(&(&judged.figures, &judged.judgement))?,
        )?;
        if args.pictures {
            let folder = args.folder.join(&case.name);
            fs::create_dir_all(&folder)?;
            for (name, picture) in &judged.pictures {
                fs::write(
                    folder.join(format!("{name}.png")),
                    dataset::picture::encode_png(picture),
                )?;
            }
        }
        eprintln!(
            "judged {}/{}: {} is {:?} ({:.1} s)",
            index + 1,
            cases.len(),
            case.name,
            judged.judgement.stamp,
            judged.judgement.seconds
        );
    }
    Ok(())
}

fn read_all(cases: &[Case], folder: &Path) -> Result<Vec<fit::Judged>> {
    let mut judged = Vec::new();
    for case in cases {
        let path = figures_of(folder, case);
        if !path.exists() {
            continue;
        }
        let (figures, _): (Figures, serde_json::Value) = serde_json::from_slice(&fs::read(&path)?)?;
        judged.push(fit::Judged {
            name: case.name.clone(),
            sort: case.sort,
            expected: case.expected,
            is_held_apart: case.is_held_apart,
            figures,
        });
    }
    Ok(judged)
}
