//! `morpheus objects`: looks after the object store.

use anyhow::Context as _;
use orchestrator::{Collection, Options, Orchestrator, Pass};
use store::Store;

use crate::{
    output,
    settings::{Flags, Settings},
};

/// See [`crate::Command::Objects`].
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Delete what nothing refers to any more; a running server does so every hour.
    Collect(CollectArgs),
}

#[derive(clap::Args)]
struct CollectArgs {
    #[command(flatten)]
    settings: Flags,
    /// Only say what would go, and why
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Command::Collect(args) = args.command;
    let settings = Settings::resolve(args.settings)?;
    let pass = if args.dry_run { Pass::Look } else { Pass::Delete };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let collection = runtime.block_on(collect(settings, pass))?;
    if args.json {
        return output::json(&collection);
    }
    show(&collection, pass);
    Ok(())
}

async fn collect(settings: Settings, pass: Pass) -> anyhow::Result<Collection> {
    let store = Store::builder(&settings.data)
        .database(settings.database)
        .objects(settings.objects)
        .s3(settings.s3)
        .open()
        .await?;
    let orchestrator = Orchestrator::new(store, Options::new(Vec::new(), Vec::new()));
    Ok(orchestrator.collect_objects(pass).await?)
}

fn show(collection: &Collection, pass: Pass) {
    for object in &collection.objects {
        let size = object.size_bytes.map_or_else(|| "?".to_owned(), kib);
        let reason = object.reason.as_text();
        output::line(format_args!("{size:>12}  {}  {reason}", object.name));
    }
    let (done, n) = match pass {
        Pass::Look => ("would go", collection.objects.len()),
        Pass::Delete => ("are gone", collection.objects.len()),
    };
    output::line(format_args!(
        "{n} objects, {}, {done}",
        kib(collection.total_bytes)
    ));
}

fn kib(n_bytes: u64) -> String {
    format!("{:.1} KiB", n_bytes as f64 / 1024.0)
}
