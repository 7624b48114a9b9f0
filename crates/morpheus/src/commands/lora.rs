//! `morpheus lora`: inspects and verifies LoRA files from any program, and makes new ones of them.

mod edit;

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::bail;
use diffusion::{
    base::{BaseModel, Layers},
    lora::{Lora, LoraError},
};
use protocol::lora::LoraSummary;
use serde::Serialize;

use crate::{bases, output};

/// See [`crate::Command::Lora`].
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show modules, ranks and metadata.
    Inspect(FileArgs),
    /// Check that a file is complete, finite and non-zero, and that it fits a base model.
    Verify(VerifyArgs),
    /// Merge files by weight into one, or into a base model.
    Merge(Box<edit::MergeArgs>),
    /// Cut to a smaller rank, or to what holds a share of the change.
    Resize(edit::ResizeArgs),
    /// Take the difference of two base models as a LoRA.
    Extract(edit::ExtractArgs),
    /// Rename tensors to kohya's, diffusers' or PEFT's names.
    Convert(edit::ConvertArgs),
    /// Make blocks of the model stronger or weaker.
    Weigh(edit::WeighArgs),
}

#[derive(clap::Args)]
struct FileArgs {
    /// LoRA files (safetensors) of any program
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print one JSON object for each file
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct VerifyArgs {
    #[command(flatten)]
    files: FileArgs,
    /// Base model that it must fit: `tiny-xl`, a single-file SDXL checkpoint, or a diffusers folder
    /// [default: the one named in its metadata, if that is built in]
    #[arg(long, value_name = "NAME|PATH")]
    base: Option<String>,
    /// Pass a file of which only a part can be applied
    #[arg(long)]
    partial: bool,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Inspect(args) => inspect(&args),
        Command::Verify(args) => verify(&args),
        Command::Merge(args) => edit::merge(&args),
        Command::Resize(args) => edit::resize(&args),
        Command::Extract(args) => edit::extract(&args),
        Command::Convert(args) => edit::convert(&args),
        Command::Weigh(args) => edit::weigh(&args),
    }
}

#[derive(Serialize)]
struct Inspection {
    file: PathBuf,
    n_modules: usize,
    rank_min: usize,
    rank_max: usize,
    /// Modules by the part of the model that they belong to.
    parts: BTreeMap<String, usize>,
    /// Kinds, format, what is not used and why.
    summary: LoraSummary,
    metadata: BTreeMap<String, String>,
}

fn inspect(args: &FileArgs) -> anyhow::Result<()> {
    for path in &args.files {
        let lora = Lora::open(path)?;
        let (rank_min, rank_max) = lora.ranks();
        let mut parts = BTreeMap::new();
        for module in lora.modules().keys() {
            *parts.entry(part(module).to_owned()).or_default() += 1;
        }
        let inspection = Inspection {
            file: path.clone(),
            n_modules: lora.modules().len(),
            rank_min,
            rank_max,
            parts,
            summary: lora.summary(),
            metadata: lora.metadata().clone().into_iter().collect(),
        };
        if args.json {
            output::json(&inspection)?;
        } else {
            show(&inspection);
        }
    }
    Ok(())
}

fn show(inspection: &Inspection) {
    let Inspection {
        file,
        n_modules,
        rank_min,
        rank_max,
        parts,
        summary,
        metadata,
    } = inspection;
    output::line(file.display());
    if *rank_max == 0 {
        output::line(format_args!("  {n_modules} modules"));
    } else if rank_min == rank_max {
        output::line(format_args!("  {n_modules} modules of rank {rank_min}"));
    } else {
        output::line(format_args!(
            "  {n_modules} modules of rank {rank_min} to {rank_max}"
        ));
    }
    for (part, n_modules) in parts {
        output::line(format_args!("    {part}: {n_modules}"));
    }
    for kind in &summary.kinds {
        output::line(format_args!("    {}: {}", kind.kind, kind.n_modules));
    }
    output::line(format_args!("  with {}", summary.format));
    for words in summary.left_out().into_iter().chain(summary.notes()) {
        output::line(format_args!("  {words}"));
    }
    for (key, value) in metadata {
        output::line(format_args!("  {key} = {}", shortened(value)));
    }
}

/// Metadata may hold the counts of every tag; a line is enough here.
fn shortened(value: &str) -> String {
    const LONGEST: usize = 120;
    let mut characters = value.chars();
    let start: String = characters.by_ref().take(LONGEST).collect();
    if characters.next().is_some() {
        format!("{start}…")
    } else {
        start
    }
}

fn part(module: &str) -> &'static str {
    match module {
        _ if module.starts_with("lora_te1_") => "text encoder 1",
        _ if module.starts_with("lora_te2_") => "text encoder 2",
        _ => "unet",
    }
}

#[derive(Serialize)]
struct Verification {
    file: PathBuf,
    ok: bool,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// The base model it was checked against.
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    /// What of it is used with that base, or at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<LoraSummary>,
}

fn verify(args: &VerifyArgs) -> anyhow::Result<()> {
    let asked_base = args.base.as_deref().map(BaseModel::open).transpose()?;
    let mut n_bad = 0;
    let mut problems = Vec::new();
    for path in &args.files.files {
        let (checked, problem) = match check(path, asked_base.as_ref(), args.partial) {
            Ok(checked) => (Some(checked), None),
            Err(err) => (None, Some(format!("{err:#}"))),
        };
        let (base, summary) = checked.unzip();
        n_bad += usize::from(problem.is_some());
        problems.extend(problem.clone());
        let verification = Verification {
            file: path.clone(),
            ok: problem.is_none(),
            problem,
            base: base.flatten(),
            summary,
        };
        if args.files.json {
            output::json(&verification)?;
        } else if verification.ok {
            match &verification.base {
                Some(base) => output::line(format_args!("{}: ok, fits {base}", path.display())),
                None => output::line(format_args!("{}: ok", path.display())),
            }
            for words in verification.summary.iter().flat_map(words) {
                output::line(format_args!("  {words}"));
            }
        }
    }
    match problems.as_slice() {
        [] => Ok(()),
        [problem] => bail!("{problem}"),
        problems => bail!(
            "{n_bad} of {} files failed the check: {}",
            args.files.files.len(),
            problems.join("; ")
        ),
    }
}

/// What is said about a file beside that it can be used.
fn words(summary: &LoraSummary) -> Vec<String> {
    summary.left_out().into_iter().chain(summary.notes()).collect()
}

/// Tells a person what of a LoRA is not used with a base.
pub(super) fn tell(lora: &Lora, base: &Layers) {
    for words in words(&lora.summary_for(base)) {
        output::note(format_args!("`{}`: {words}", lora.path().display()));
    }
}

/// The error with the way out, where there is one.
pub(super) fn with_hint(err: LoraError) -> anyhow::Error {
    match err {
        LoraError::LeftOut { .. } => {
            anyhow::anyhow!("{err}; to use it all the same, add --partial")
        }
        err => err.into(),
    }
}

/// Name of the base model the file was checked against, and what of it is used.
fn check(
    path: &std::path::Path,
    asked_base: Option<&BaseModel>,
    partial: bool,
) -> anyhow::Result<(Option<String>, LoraSummary)> {
    let lora = Lora::open(path)?;
    if lora.is_zero()? {
        bail!(
            "`{}` has no effect: everything that it adds is zero, so it was never trained",
            path.display()
        );
    }
    let built_in = match asked_base {
        None if names_built_in(&lora) => Some(BaseModel::built_in(bases::BUILT_IN)?),
        _ => None,
    };
    let Some(base) = asked_base.or(built_in.as_ref()) else {
        let summary = lora.summary();
        return match summary.left_out().filter(|_| !partial) {
            Some(words) => bail!(
                "`{}`: {words}; to use it all the same, add --partial",
                path.display()
            ),
            None => Ok((None, summary)),
        };
    };
    match lora.check(base) {
        Err(LoraError::LeftOut { .. }) if partial => {}
        checked => checked.map_err(with_hint)?,
    }
    Ok((Some(base.info.name.clone()), lora.summary_for(base)))
}

fn names_built_in(lora: &Lora) -> bool {
    lora.metadata()
        .get("ss_sd_model_name")
        .is_some_and(|name| name == bases::BUILT_IN)
}
