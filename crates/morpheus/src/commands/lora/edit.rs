//! The commands of `morpheus lora` that write files: `merge`, `resize`, `extract`, `convert` and `weigh`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use diffusion::{
    lora::edit::{
        Context, Edited, Source, Storage, Summary,
        apply::Applied,
        blocks::BlockWeights,
        convert::{self, Names},
        extract,
        keep::{Energy, Keep},
        merge::{self, Method, Projection, Weighted},
        open_base, resize, weigh,
    },
    weights::{Checkpoint, Rounding},
};
use serde::Serialize;
use trainer::{merged_base::write_merged, metadata::write_stored_lora, tensor_file::write_atomically};

use crate::{commands::generate::LoraFile, output};

/// Where the result goes.
#[derive(clap::Args)]
pub(super) struct OutArgs {
    /// The new file
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Dtype {
    F16,
    Bf16,
    F32,
}

#[derive(clap::Args)]
struct DtypeArgs {
    /// How numbers are stored [default: f16, or f32 if a number is too large for it]
    #[arg(long, value_enum, value_name = "TYPE")]
    dtype: Option<Dtype>,
}

impl DtypeArgs {
    fn storage(&self) -> Storage {
        match self.dtype {
            None => Storage::Fitting,
            Some(Dtype::F16) => Storage::Fixed(Rounding::F16),
            Some(Dtype::Bf16) => Storage::Fixed(Rounding::Bf16),
            Some(Dtype::F32) => Storage::Fixed(Rounding::F32),
        }
    }
}

/// How much is kept.
#[derive(clap::Args)]
struct KeepArgs {
    /// Largest rank
    #[arg(long, value_name = "N", value_parser = rank)]
    rank: Option<usize>,
    /// Largest rank of convolutions [default: the rank]
    #[arg(long, value_name = "N", value_parser = rank, requires = "rank")]
    conv_rank: Option<usize>,
    /// Keep this share of each module's Frobenius norm, such as 0.95 (sv_fro of sd-scripts)
    #[arg(long, value_name = "SHARE", value_parser = share, group = "energy")]
    frobenius: Option<f64>,
    /// Keep this share of the sum of each module's singular values (sv_cumulative)
    #[arg(long, value_name = "SHARE", value_parser = share, group = "energy")]
    cumulative: Option<f64>,
    /// Keep singular values larger than a module's largest over this (sv_ratio)
    #[arg(long, value_name = "RATIO", value_parser = ratio, group = "energy")]
    ratio: Option<f64>,
}

impl KeepArgs {
    fn keep(&self) -> Option<Keep> {
        let energy = self
            .frobenius
            .map(Energy::Frobenius)
            .or(self.cumulative.map(Energy::Sum))
            .or(self.ratio.map(Energy::Ratio));
        if energy.is_none() && self.rank.is_none() {
            return None;
        }
        let rank = self.rank.unwrap_or(usize::MAX);
        Some(Keep {
            energy,
            rank,
            conv_rank: self.conv_rank.unwrap_or(rank),
        })
    }
}

#[derive(clap::Args)]
pub(super) struct MergeArgs {
    /// LoRA files, each with a weight from -4 to 4 behind a colon; without one it is 1
    #[arg(value_name = "FILE[:WEIGHT]", required = true)]
    loras: Vec<LoraFile>,
    /// How: side by side (exact, and as wide as all together), the best approximation at a smaller rank, or NP-LoRA's
    /// projection of every other file away from the first, which is a style [default: concatenate, or svd if a rank or
    /// share is given]
    #[arg(long, value_enum)]
    method: Option<MethodName>,
    #[command(flatten)]
    keep: KeepArgs,
    /// Strength of NP-LoRA's projection: 0 is a plain sum, `inf` removes all along the style's directions [default: 0.5]
    #[arg(long, value_name = "MU", value_parser = strength)]
    strength: Option<f64>,
    /// Share of the style's Frobenius norm whose directions NP-LoRA protects [default: 1]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    protect: Option<f64>,
    /// Base model that a DoRA's change is computed beside: `tiny-xl`, a single-file SDXL checkpoint, or a diffusers folder
    #[arg(long, value_name = "NAME|PATH", conflicts_with = "into")]
    base: Option<String>,
    /// Merge into this base model instead: `tiny-xl`, a single-file SDXL checkpoint, or a diffusers folder
    #[arg(long, value_name = "NAME|PATH", conflicts_with_all = ["method", "rank", "conv_rank", "energy", "strength", "protect", "dtype"])]
    into: Option<String>,
    #[command(flatten)]
    dtype: DtypeArgs,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum MethodName {
    Concatenate,
    Svd,
    NpLora,
}

#[derive(clap::Args)]
pub(super) struct ResizeArgs {
    /// A LoRA file; of a LoHa, LoKr, DoRA or full difference it makes a plain LoRA
    file: PathBuf,
    #[command(flatten)]
    keep: KeepArgs,
    /// Base model that a DoRA's change is computed beside: `tiny-xl`, a single-file SDXL checkpoint, or a diffusers folder
    #[arg(long, value_name = "NAME|PATH")]
    base: Option<String>,
    #[command(flatten)]
    dtype: DtypeArgs,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(clap::Args)]
pub(super) struct ExtractArgs {
    /// The base model: `tiny-xl`, a single-file SDXL checkpoint, or a diffusers folder
    #[arg(long, value_name = "NAME|PATH")]
    base: String,
    /// The model whose difference to the base is taken
    #[arg(long, value_name = "NAME|PATH")]
    tuned: String,
    /// Rank of the LoRA
    #[arg(long, value_name = "N", value_parser = rank)]
    rank: usize,
    /// Take the convolutional blocks too, at this rank
    #[arg(long, value_name = "N", value_parser = rank)]
    conv_rank: Option<usize>,
    /// Clamp both matrices at this quantile of their numbers; sd-scripts uses 0.99
    #[arg(long, value_name = "QUANTILE", value_parser = share)]
    clamp: Option<f64>,
    /// Leave out layers that differ by no more than this anywhere
    #[arg(long, value_name = "DIFFERENCE", default_value_t = 0.0, value_parser = difference)]
    min_difference: f32,
    #[command(flatten)]
    dtype: DtypeArgs,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(clap::Args)]
pub(super) struct ConvertArgs {
    /// A LoRA file
    file: PathBuf,
    /// Whose names; PEFT's are for one part of the model, and its file is called `adapter_model.safetensors`, with an
    /// `adapter_config.json` beside it
    #[arg(long, value_enum)]
    to: NamesArg,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum NamesArg {
    Kohya,
    Diffusers,
    Peft,
}

#[derive(clap::Args)]
pub(super) struct WeighArgs {
    /// A LoRA file
    file: PathBuf,
    /// 12, 17, 20 or 26 numbers; or names, such as `BASE=0,IN04=0.5,MID=1,ELSE=0`; or B-LoRA's `content` or `style`
    #[arg(long, value_name = "WEIGHTS", allow_hyphen_values = true)]
    blocks: BlockWeights,
    #[command(flatten)]
    out: OutArgs,
}

/// What a command says that wrote a file.
#[derive(Serialize)]
struct Written<'a> {
    file: &'a Path,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    summary: Option<&'a Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_changed_tensors: Option<usize>,
    notes: &'a [String],
}

impl OutArgs {
    /// Before anything is computed, and again before it is written.
    fn check(&self) -> anyhow::Result<()> {
        let out = self.out.display();
        if self.out.is_dir() {
            bail!("`{out}` is a folder, and folders are never replaced; --out must name something new");
        }
        if self.out.exists() && !self.force {
            bail!("`{out}` is there already; choose another name, or replace it with --force");
        }
        Ok(())
    }

    fn write(&self, edited: Edited) -> anyhow::Result<()> {
        self.check()?;
        write_stored_lora(&self.out, &edited.tensors, edited.metadata)?;
        self.say(&Written {
            file: &self.out,
            summary: Some(&edited.summary),
            n_changed_tensors: None,
            notes: &edited.notes,
        })
    }

    fn say(&self, written: &Written<'_>) -> anyhow::Result<()> {
        if self.json {
            return output::json(written);
        }
        let file = written.file.display();
        if let Some(summary) = written.summary {
            let Summary {
                n_modules,
                rank_min,
                rank_max,
                ..
            } = summary;
            let ranks = if rank_min == rank_max {
                format!("rank {rank_min}")
            } else {
                format!("rank {rank_min} to {rank_max}")
            };
            output::line(format_args!("{file}: {n_modules} modules of {ranks}"));
            if let Some(kept) = summary.kept {
                output::line(format_args!(
                    "  {:.1} % of the Frobenius norm is kept, {:.1} % of the module that lost most",
                    100.0 * kept.whole,
                    100.0 * kept.least
                ));
            }
        }
        if let Some(n_changed) = written.n_changed_tensors {
            output::line(format_args!("{file}: {n_changed} tensors changed"));
        }
        for note in written.notes {
            output::line(format_args!("  {note}"));
        }
        Ok(())
    }
}

pub(super) fn merge(args: &MergeArgs) -> anyhow::Result<()> {
    args.out.check()?;
    let sources = args
        .loras
        .iter()
        .map(|lora| Source::open(&lora.path))
        .collect::<Result<Vec<_>, _>>()?;
    let weighted: Vec<Weighted<'_>> = sources
        .iter()
        .zip(&args.loras)
        .map(|(source, lora)| Weighted {
            source,
            weight: lora.weight.unwrap_or(1.0),
        })
        .collect();
    if let Some(base) = &args.into {
        return merge_into(base, &weighted, &args.out);
    }
    let base = args.base.as_deref().map(open_base).transpose()?;
    let edited = merge::merge(
        &weighted,
        args.method()?,
        args.dtype.storage(),
        &beside(base.as_ref()),
    )?;
    args.out.write(edited)
}

impl MergeArgs {
    fn method(&self) -> anyhow::Result<Method> {
        let keep = self.keep.keep();
        let method = self.method.unwrap_or(match keep {
            Some(_) => MethodName::Svd,
            None => MethodName::Concatenate,
        });
        if method != MethodName::NpLora && (self.strength.is_some() || self.protect.is_some()) {
            bail!("--strength and --protect belong to --method np-lora");
        }
        match (method, keep) {
            (MethodName::Concatenate, None) => Ok(Method::Concatenate),
            (MethodName::Svd, Some(keep)) => Ok(Method::Svd(keep)),
            (MethodName::Svd, None) => {
                bail!("--method svd needs --rank, --frobenius, --cumulative or --ratio")
            }
            (MethodName::NpLora, None) if self.loras.len() >= 2 => {
                let paper = Projection::default();
                Ok(Method::Project(Projection {
                    strength: self.strength.unwrap_or(paper.strength),
                    share: self.protect.unwrap_or(paper.share),
                }))
            }
            (MethodName::NpLora, None) => {
                bail!(
                    "--method np-lora needs at least two files: the style first, then what it must not disturb"
                )
            }
            (_, Some(_)) => {
                bail!("a rank or share belongs to --method svd; use `morpheus lora resize` afterwards")
            }
        }
    }
}

fn merge_into(base: &str, files: &[Weighted<'_>], out: &OutArgs) -> anyhow::Result<()> {
    let base = open_base(base)?;
    let applied = Applied::new(&base, files)?;
    out.check()?;
    let left_out = write_merged(&base, &applied, &out.out)?;
    let left_out = left_out
        .iter()
        .map(|path| format!("`{}` is not copied: it holds the base's weights", path.display()));
    let notes: Vec<String> = applied.notes.iter().cloned().chain(left_out).collect();
    out.say(&Written {
        file: &out.out,
        summary: None,
        n_changed_tensors: Some(applied.n_changed),
        notes: &notes,
    })
}

pub(super) fn resize(args: &ResizeArgs) -> anyhow::Result<()> {
    args.out.check()?;
    let keep = args.keep.keep();
    let keep = keep.context("say how much is kept: --rank, --frobenius, --cumulative or --ratio")?;
    let source = Source::open(&args.file)?;
    let base = args.base.as_deref().map(open_base).transpose()?;
    let resized = resize::resize(&source, &keep, args.dtype.storage(), &beside(base.as_ref()))?;
    args.out.write(resized)
}

/// What an edit has beside the files.
fn beside(base: Option<&Checkpoint>) -> Context<'_> {
    match base {
        None => Context::default(),
        Some(base) => Context::default().with_base(base),
    }
}

pub(super) fn extract(args: &ExtractArgs) -> anyhow::Result<()> {
    args.out.check()?;
    let (base, tuned) = (open_base(&args.base)?, open_base(&args.tuned)?);
    let options = extract::Options {
        rank: args.rank,
        conv_rank: args.conv_rank,
        clamp: args.clamp,
        min_difference: args.min_difference,
    };
    args.out
        .write(extract::extract(&base, &tuned, &options, args.dtype.storage())?)
}

pub(super) fn convert(args: &ConvertArgs) -> anyhow::Result<()> {
    args.out.check()?;
    let source = Source::open(&args.file)?;
    let to = match args.to {
        NamesArg::Kohya => Names::Kohya,
        NamesArg::Diffusers => Names::Diffusers,
        NamesArg::Peft => Names::Peft,
    };
    let converted = convert::convert(&source, to)?;
    if let Some(config) = converted.config {
        const NAME: &str = "adapter_model.safetensors";
        if args.out.out.file_name().is_none_or(|name| name != NAME) {
            bail!(
                "PEFT looks for `{NAME}` in a folder: --out must end so, not in `{}`",
                args.out.out.display()
            );
        }
        let path = args.out.out.with_file_name("adapter_config.json");
        if path.exists() && !args.out.force {
            bail!(
                "`{}` is there already; choose another folder, or replace it with --force",
                path.display()
            );
        }
        let text = serde_json::to_string_pretty(&config)?;
        write_atomically(&path, |out| out.write_all(text.as_bytes()))?;
    }
    args.out.write(converted.file)
}

pub(super) fn weigh(args: &WeighArgs) -> anyhow::Result<()> {
    args.out.check()?;
    let source = Source::open(&args.file)?;
    args.out.write(weigh::weigh(&source, &args.blocks)?)
}

fn rank(text: &str) -> Result<usize, String> {
    let rank = text.parse().ok().filter(|rank| (1..=4096).contains(rank));
    rank.ok_or_else(|| "must be a whole number from 1 to 4096".into())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| "must be a number above 0 and up to 1, such as 0.95".into())
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text
        .parse()
        .ok()
        .filter(|ratio: &f64| *ratio > 1.0 && ratio.is_finite());
    ratio.ok_or_else(|| "must be a number above 1, such as 20".into())
}

fn strength(text: &str) -> Result<f64, String> {
    let strength = text.parse().ok().filter(|strength: &f64| *strength >= 0.0);
    strength.ok_or_else(|| "must be a number of at least 0, or `inf`".into())
}

fn difference(text: &str) -> Result<f32, String> {
    let difference = text
        .parse()
        .ok()
        .filter(|difference: &f32| *difference >= 0.0 && difference.is_finite());
    difference.ok_or_else(|| "must be a number of at least 0".into())
}
