//! `morpheus dataset check`: checks a dataset as the server does.

use std::path::PathBuf;

use anyhow::bail;
use dataset::check::{CheckOptions, CheckReport, Severity, check};

use crate::{decoding, output};

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
}

#[derive(clap::Args)]
struct CheckArgs {
    /// Folder or zip archive with pictures and captions
    #[arg(value_name = "DIR|ZIP")]
    path: PathBuf,
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
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Command::Check(args) = args.command;
    let options = CheckOptions {
        decoder: decoding::decoder()?,
        resolution: args.resolution,
        bucket_step: args.bucket_step,
        batch_size: args.batch_size,
        trigger_word: args.trigger_word,
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
            Severity::Info => "info",
        };
        match &finding.file_name {
            Some(file_name) => output::line(format_args!("{severity:8} {file_name}: {}", finding.message)),
            None => output::line(format_args!("{severity:8} {}", finding.message)),
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
