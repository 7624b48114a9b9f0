//! `morpheus dataset`: checks a dataset as the server does, cuts the panels out of comic pages, and proposes captions.

mod describe;
mod proposals;
mod tag;
mod tagger_files;

use std::path::PathBuf;

use anyhow::bail;
use dataset::{
    check::{CheckOptions, CheckReport, check},
    decoder::PageTask,
    findings::Purpose,
    split_pages::{SplitReport, split_pages},
};
use protocol::{
    finding::Severity,
    page::{Balloons, PageFrame, ReadingOrder},
    preset::Preset,
};

use crate::{decoding, output};

/// What servers are told about who asks.
const AGENT: &str = concat!("morpheus/", env!("CARGO_PKG_VERSION"));

/// See [`crate::Command::Dataset`].
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Report the problems in pictures and captions that an upload or a training would report.
    Check(CheckArgs),
    /// Propose captions of tags with a tagger on this machine, and write them beside the pictures.
    Tag(tag::Args),
    /// Propose captions with a model behind an OpenAI-compatible endpoint, such as Ollama or vLLM.
    Describe(describe::Args),
    /// Cut the panels out of comic pages, with their captions
    SplitPages(SplitPagesArgs),
}

#[derive(clap::Args)]
struct SplitPagesArgs {
    /// Folder or zip archive with pages and captions
    #[arg(value_name = "DIR|ZIP")]
    path: PathBuf,
    /// New or empty folder: `panels` in it is a dataset, `contact-sheets` shows what was found
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Read the panels of a row from right to left, as in manga
    #[arg(long)]
    right_to_left: bool,
    /// What becomes of balloons: keep, mask (left out of the loss) or paint (painted over)
    #[arg(long, value_name = "WHAT", default_value = "keep", value_parser = balloons)]
    balloons: Balloons,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct CheckArgs {
    /// Folder or zip archive with pictures and captions
    #[arg(value_name = "DIR|ZIP")]
    path: PathBuf,
    /// What the LoRA is for: character, style or concept
    #[arg(long, value_name = "PRESET", default_value = "character", value_parser = preset)]
    preset: Preset,
    /// The word that activates the LoRA
    #[arg(long, value_name = "WORD")]
    trigger_word: Option<String>,
    /// Resolution of the training, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(64..=2048))]
    resolution: u32,
    /// Bucket sides are multiples of this, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 64, value_parser = clap::value_parser!(u32).range(32..=256))]
    bucket_step: u32,
    /// Batch size: pictures per forward pass
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    batch_size: u16,
    /// Tokens of a caption that are read: 75, 150 or 225
    #[arg(long, value_name = "N", default_value_t = 75, value_parser = max_tokens)]
    max_tokens: u16,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Check(args) => run_check(args),
        Command::Tag(args) => tag::run(args),
        Command::Describe(args) => describe::run(args),
        Command::SplitPages(args) => run_split_pages(args),
    }
}

fn run_split_pages(args: SplitPagesArgs) -> anyhow::Result<()> {
    let task = PageTask {
        order: match args.right_to_left {
            true => ReadingOrder::RightToLeft,
            false => ReadingOrder::LeftToRight,
        },
        frames: None,
        balloons: args.balloons,
    };
    let report = split_pages(&args.path, &args.output, &task, &decoding::decoder()?)?;
    if args.json {
        output::json(&report)?;
    } else {
        show_split(&report);
    }
    if report.pictures.is_empty() {
        bail!("`{}` has no pictures", args.path.display());
    }
    Ok(())
}

fn show_split(report: &SplitReport) {
    for file in &report.refused {
        output::line(format_args!("refused  {} {}", file.file_name, file.reason));
    }
    for picture in &report.pictures {
        match picture.is_page {
            true => output::line(format_args!(
                "page     {}: {} panels",
                picture.file_name,
                picture.panels.len()
            )),
            false => output::line(format_args!(
                "copied   {}: is not a whole page",
                picture.file_name
            )),
        }
        for panel in picture.panels.iter().filter(|_| picture.is_page) {
            let PageFrame {
                left,
                top,
                width,
                height,
            } = panel.frame;
            let sure = 100.0 * panel.confidence;
            output::line(format_args!(
                "         {}: {width}×{height} at {left}, {top}; {sure:.0} % certain",
                panel.path.display()
            ));
        }
    }
    output::line(format_args!(
        "{} pages, {} panels",
        report.n_pages, report.n_panels
    ));
}

fn balloons(name: &str) -> Result<Balloons, String> {
    serde_json::from_value(name.into()).map_err(|_| "must be keep, mask or paint".to_owned())
}

fn run_check(args: CheckArgs) -> anyhow::Result<()> {
    let options = CheckOptions {
        decoder: decoding::decoder()?,
        purpose: Purpose {
            preset: args.preset,
            resolution: args.resolution,
            bucket_step: args.bucket_step,
            batch_size: args.batch_size,
            max_tokens: args.max_tokens,
            trigger_word: args.trigger_word.unwrap_or_default().trim().to_owned(),
            rules: None,
        },
    };
    let report = check(&args.path, &options)?;
    if args.json {
        output::json(&report)?;
    } else {
        show(&report);
    }
    if !report.passed {
        bail!(
            "`{}` cannot be used for training: see the errors above",
            args.path.display()
        );
    }
    Ok(())
}

fn show(report: &CheckReport) {
    for finding in &report.findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        output::line(format_args!(
            "{severity:8} {} {}",
            finding.message, finding.repair
        ));
        for picture in &finding.pictures {
            output::line(format_args!("         {}: {}", picture.file_name, picture.detail));
        }
    }
    for bucket in &report.buckets {
        let n = bucket.file_names.len();
        output::line(format_args!(
            "bucket   {}×{}: {n} pictures",
            bucket.width, bucket.height
        ));
    }
    output::line(format_args!(
        "{} pictures, {} with a caption, {} held out",
        report.n_pictures, report.n_captioned, report.n_held_out
    ));
}

fn preset(name: &str) -> Result<Preset, String> {
    serde_json::from_value(name.into()).map_err(|_| "must be character, style or concept".to_owned())
}

fn max_tokens(text: &str) -> Result<u16, String> {
    match text {
        "75" => Ok(75),
        "150" => Ok(150),
        "225" => Ok(225),
        _ => Err("must be 75, 150 or 225".to_owned()),
    }
}
