//! `morpheus lora`: inspects and verifies LoRA files from any program.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::bail;
use diffusion::{base::BaseModel, lora::Lora};
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
}

#[derive(clap::Args)]
struct FileArgs {
    /// LoRA files (safetensors) with kohya's, diffusers' or PEFT's keys
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
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Inspect(args) => inspect(&args),
        Command::Verify(args) => verify(&args),
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
        metadata,
    } = inspection;
    output::line(file.display());
    if rank_min == rank_max {
        output::line(format_args!("  {n_modules} modules of rank {rank_min}"));
    } else {
        output::line(format_args!(
            "  {n_modules} modules of rank {rank_min} to {rank_max}"
        ));
    }
    for (part, n_modules) in parts {
        output::line(format_args!("    {part}: {n_modules}"));
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
}

fn verify(args: &VerifyArgs) -> anyhow::Result<()> {
    let asked_base = args.base.as_deref().map(BaseModel::open).transpose()?;
    let mut n_bad = 0;
    let mut problems = Vec::new();
    for path in &args.files.files {
        let (base, problem) = match check(path, asked_base.as_ref()) {
            Ok(base) => (base, None),
            Err(err) => (None, Some(format!("{err:#}"))),
        };
        n_bad += usize::from(problem.is_some());
        problems.extend(problem.clone());
        let verification = Verification {
            file: path.clone(),
            ok: problem.is_none(),
            problem,
            base,
        };
        if args.files.json {
            output::json(&verification)?;
        } else if verification.ok {
            match &verification.base {
                Some(base) => output::line(format_args!("{}: ok, fits {base}", path.display())),
                None => output::line(format_args!("{}: ok", path.display())),
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

/// Name of the base model the file was checked against.
fn check(path: &std::path::Path, asked_base: Option<&BaseModel>) -> anyhow::Result<Option<String>> {
    let lora = Lora::open(path)?;
    if lora.is_zero()? {
        bail!(
            "`{}` has no effect: all its up matrices are zero, so it was never trained",
            path.display()
        );
    }
    let built_in = match asked_base {
        None if names_built_in(&lora) => Some(BaseModel::built_in(bases::BUILT_IN)?),
        _ => None,
    };
    let Some(base) = asked_base.or(built_in.as_ref()) else {
        return Ok(None);
    };
    lora.check(base)?;
    Ok(Some(base.info.name.clone()))
}

fn names_built_in(lora: &Lora) -> bool {
    lora.metadata()
        .get("ss_sd_model_name")
        .is_some_and(|name| name == bases::BUILT_IN)
}
