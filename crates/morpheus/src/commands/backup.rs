//! `morpheus backup`: everything in one file or folder, while the server runs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use indicatif::ProgressBar;
use serde::Serialize;
use store::{
    audit,
    backup::{Backup, Fault, Lost, Made, Options, Progress},
    maintenance::TableStatus,
};

use crate::{
    output, paths, private, progress,
    settings::{Flags, Settings},
};

/// See [`crate::Command::Backup`].
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A new file ending in `.tar`, or a folder. A folder holds any number of backups and stores each picture and
    /// trained file once, so that later backups copy only what is new
    #[arg(value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    settings: Flags,
    /// Omit files that this earlier backup contains. Both are needed to restore; with --verify, may be repeated
    #[arg(long, value_name = "BACKUP")]
    since: Vec<PathBuf>,
    /// Succeed even if files that the database refers to are lost
    #[arg(long)]
    allow_missing: bool,
    /// Verify an existing backup instead of creating one
    #[arg(long, conflicts_with = "allow_missing")]
    verify: bool,
    /// Backup in the folder to verify [default: the newest]
    #[arg(long, value_name = "NAME", requires = "verify")]
    snapshot: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Verified<'a> {
    path: &'a Path,
    id: uuid::Uuid,
    created_at: chrono::DateTime<chrono::Utc>,
    morpheus: &'a str,
    tables: &'a [TableStatus],
    n_objects: usize,
    objects_bytes: u64,
    lost: &'a [Lost],
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    if args.verify {
        return verify(&args);
    }
    ensure!(
        args.since.len() < 2,
        "since: give only the newest earlier backup; it refers to the ones it needs"
    );
    let settings = Settings::resolve(args.settings)?;
    let to = paths::absolute(&args.to);
    if to.starts_with(&settings.data) {
        output::note(format_args!(
            "`{}` is in the data folder and will be lost with it: copy it elsewhere, or choose another location",
            to.display()
        ));
    }
    let options = Options {
        since: args.since.into_iter().next(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let bar = progress::steps(args.json);
    let (builder, mut watcher) = (settings.store(), |progress| show(&bar, progress));
    let making = builder.back_up(&to, &options, &mut watcher);
    let made = runtime.block_on(Box::pin(audit::acting(private::actor(), making)))?;
    bar.finish_and_clear();
    if let Some(problem) = &made.unrecorded {
        output::note(format_args!("the audit log could not be written: {problem}"));
    }
    if args.json {
        output::json(&made)?;
    } else {
        show_made(&made);
    }
    if !made.lost.is_empty() && !args.allow_missing {
        bail!(
            "{} files that the database refers to are lost; the backup contains everything else and lists them (use \
                 --allow-missing to accept this)",
            made.lost.len()
        );
    }
    Ok(())
}

/// Opens a backup with the earlier ones that it may need.
pub(super) fn open(path: &Path, snapshot: Option<&str>, since: &[PathBuf]) -> anyhow::Result<Backup> {
    let mut backup = Backup::open(path, snapshot)?;
    for earlier in since {
        backup = backup.with_earlier(Backup::open(earlier, None)?);
    }
    Ok(backup)
}

/// Updates the progress bar.
pub(super) fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.n_objects as u64);
    bar.set_position(progress.n_done as u64);
    bar.set_message(progress.step.as_text());
}

fn verify(args: &Args) -> anyhow::Result<()> {
    let backup = open(&args.to, args.snapshot.as_deref(), &args.since)?;
    let bar = progress::steps(args.json);
    backup.check(&mut |progress| show(&bar, progress))?;
    bar.finish_and_clear();
    let manifest = &backup.manifest;
    if args.json {
        return output::json(&Verified {
            path: backup.path(),
            id: manifest.id,
            created_at: manifest.created_at,
            morpheus: &manifest.morpheus,
            tables: manifest.tables(),
            n_objects: manifest.n_objects(),
            objects_bytes: manifest.objects_bytes(),
            lost: &manifest.lost,
        });
    }
    output::line(format_args!(
        "{} is complete: the state of {}, {} rows, {}",
        backup.path().display(),
        when(manifest.created_at),
        n_rows(manifest.tables()),
        files(manifest.n_objects(), manifest.objects_bytes()),
    ));
    show_lost(&manifest.lost);
    Ok(())
}

fn show_made(made: &Made) {
    let snapshot = made.snapshot.iter().map(|name| format!(" as {name}"));
    output::line(format_args!(
        "wrote {}{}: {} rows, {}; {} newly copied; everything was verified",
        made.path.display(),
        snapshot.collect::<String>(),
        n_rows(&made.tables),
        files(made.n_objects, made.objects_bytes),
        made.n_copied,
    ));
    for earlier in &made.earlier {
        output::line(format_args!(
            "{} of the files are in {} of {}: keep that one too",
            earlier.n_objects,
            earlier.name,
            when(earlier.created_at)
        ));
    }
    output::line(
        "It contains secrets: anyone who can read it can sign in. The file permissions allow only you to read it.",
    );
    show_lost(&made.lost);
}

/// Lists what the backup does not contain.
pub(super) fn show_lost(lost: &[Lost]) {
    for Lost { key, fault, used_by } in lost {
        let used_by = match used_by.as_slice() {
            [] => "rows added while the backup was created".to_owned(),
            used_by => used_by.join(", "),
        };
        let what = Fault::as_text(*fault);
        output::line(format_args!("LOST  {key} is {what}: {used_by}"));
    }
}

pub(super) fn n_rows(tables: &[TableStatus]) -> u64 {
    tables.iter().map(|table| table.n_rows).sum()
}

pub(super) fn files(n: usize, n_bytes: u64) -> String {
    format!("{n} files ({:.1} MiB)", n_bytes as f64 / f64::from(1 << 20))
}

pub(super) fn when(at: chrono::DateTime<chrono::Utc>) -> impl std::fmt::Display {
    at.format("%Y-%m-%d %H:%M:%S UTC")
}
