//! `morpheus dataset check`: checks a dataset as the server does.

use std::path::PathBuf;

use anyhow::bail;
use dataset::{
    check::{CheckOptions, CheckReport, check},
    findings::Purpose,
};
use protocol::{finding::Severity, preset::Preset};

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
    let Command::Check(args) = args.command;
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
