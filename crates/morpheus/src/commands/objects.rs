//! `morpheus objects`: maintains the object store.

use anyhow::Context as _;
use chrono::TimeDelta;
use orchestrator::{Collection, Options, Orchestrator, Pass, Rules, Verification};
use protocol::audit::AuditAction;
use store::{Store, audit};

use crate::{
    output, private,
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
    /// Delete objects that nothing refers to; a running server does this every hour.
    Collect(CollectArgs),
    /// Read all referenced objects, mark lost or damaged ones, and list what depends on them.
    ///
    /// Marks of restored objects are removed. Fails if an object is lost or damaged.
    Verify(VerifyArgs),
}

#[derive(clap::Args)]
struct CollectArgs {
    #[command(flatten)]
    settings: Flags,
    /// Only show what would be deleted, and why
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct VerifyArgs {
    #[command(flatten)]
    settings: Flags,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    match args.command {
        Command::Collect(args) => runtime.block_on(collect(args)),
        Command::Verify(args) => runtime.block_on(verify(args)),
    }
}

async fn collect(args: CollectArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(args.settings)?;
    let pass = if args.dry_run { Pass::Look } else { Pass::Delete };
    let (store, orchestrator) = open(settings).await?;
    let collection = orchestrator.collect_objects(pass).await?;
    if pass == Pass::Delete {
        let subject = format!(
            "{} objects, {}",
            collection.objects.len(),
            kib(collection.total_bytes)
        );
        record(&store, AuditAction::ObjectsCollected, &subject).await?;
    }
    if args.json {
        return output::json(&collection);
    }
    show(&collection, pass);
    Ok(())
}

async fn verify(args: VerifyArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(args.settings)?;
    let (store, orchestrator) = open(settings).await?;
    let verification = orchestrator.verify_objects().await?;
    let subject = format!(
        "{} objects, {} lost or damaged",
        verification.n_objects,
        verification.damaged.len()
    );
    record(&store, AuditAction::ObjectsVerified, &subject).await?;
    if args.json {
        output::json(&verification)?;
    } else {
        show_verification(&verification);
    }
    anyhow::ensure!(
        verification.is_sound(),
        "{} of {} objects are lost or damaged, and {} could not be read",
        verification.damaged.len(),
        verification.n_objects,
        verification.unread.len()
    );
    Ok(())
}

async fn record(store: &Store, action: AuditAction, subject: &str) -> anyhow::Result<()> {
    let tx = store.begin().await?;
    audit::acting(private::actor(), audit::record(&tx, action, subject, "")).await?;
    Ok(tx.commit().await?)
}

async fn open(settings: Settings) -> anyhow::Result<(Store, Orchestrator)> {
    settings.places().close();
    let rules = Rules {
        audit: TimeDelta::days(i64::from(settings.audit_days)),
        ..Rules::default()
    };
    let store = settings.store().open().await?;
    let options = Options {
        rules,
        ..Options::new(Vec::new(), Vec::new())
    };
    let orchestrator = Orchestrator::new(store.clone(), options);
    Ok((store, orchestrator))
}

fn show_verification(verification: &Verification) {
    for object in &verification.damaged {
        output::line(format_args!("{} is {}:", object.name, object.damage.as_text()));
        for dependent in &object.dependents {
            output::line(format_args!("    {dependent}"));
        }
    }
    for object in &verification.unread {
        output::line(format_args!(
            "{} could not be read: {}",
            object.name, object.problem
        ));
    }
    for name in &verification.healed {
        output::line(format_args!("{name} is intact again"));
    }
    output::line(format_args!(
        "{} objects read, {} lost or damaged",
        verification.n_objects,
        verification.damaged.len()
    ));
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
