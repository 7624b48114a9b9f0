//! `morpheus restore`: restores a backup into an empty installation with any database and object store.

use std::path::PathBuf;

use anyhow::Context as _;
use orchestrator::{Options, Orchestrator};
use protocol::audit::AuditAction;
use serde::Serialize;
use store::{StoreBuilder, audit, backup::Restored};

use super::backup;
use crate::{
    output, private, progress,
    settings::{Flags, Settings},
};

/// See [`crate::Command::Restore`].
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File or folder written by `morpheus backup`
    #[arg(value_name = "FILE")]
    from: PathBuf,
    #[command(flatten)]
    settings: Flags,
    /// Earlier backup that was given as --since when the file was created. May be repeated
    #[arg(long, value_name = "BACKUP")]
    since: Vec<PathBuf>,
    /// Backup in the folder [default: the newest]
    #[arg(long, value_name = "NAME")]
    snapshot: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Outcome {
    #[serde(flatten)]
    restored: Restored,
    /// Attempts that were running when the backup was made.
    n_attempts_ended: usize,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let settings = Settings::resolve(args.settings)?;
    let backup = backup::open(&args.from, args.snapshot.as_deref(), &args.since)?;
    private::own_folder(&settings.data)?;
    // No server may start on this folder meanwhile.
    let _lock = server::lock(&settings.data)?;
    let builder = settings.store();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let bar = progress::steps(args.json);
    let restored =
        runtime.block_on(builder.restore(&backup, &mut |progress| backup::show(&bar, progress)))?;
    bar.finish_and_clear();
    let from = args.from.display().to_string();
    let ending = audit::acting(private::actor(), end_attempts(builder, &from));
    let n_attempts_ended = runtime.block_on(Box::pin(ending))?;
    let outcome = Outcome {
        restored,
        n_attempts_ended,
    };
    if args.json {
        return output::json(&outcome);
    }
    show(&outcome);
    Ok(())
}

/// Ends the running attempts and records the restore in the audit log.
async fn end_attempts(builder: StoreBuilder, from: &str) -> anyhow::Result<usize> {
    let doing = "everything was restored, but running attempts could not be ended; the server will end them";
    let store = builder.open().await.context(doing)?;
    let tx = store.begin().await.context(doing)?;
    audit::record(&tx, AuditAction::BackupRestored, from, "")
        .await
        .context(doing)?;
    tx.commit().await.context(doing)?;
    let orchestrator = Orchestrator::new(store, Options::new(Vec::new(), Vec::new()));
    orchestrator.end_restored_attempts().await.context(doing)
}

fn show(outcome: &Outcome) {
    let Outcome {
        restored,
        n_attempts_ended,
    } = outcome;
    let when = backup::when(restored.created_at);
    output::line(format_args!(
        "restored the state of {when}: {} rows, {}; everything was verified",
        backup::n_rows(&restored.tables),
        backup::files(restored.n_objects, restored.objects_bytes),
    ));
    if *n_attempts_ended > 0 {
        output::line(format_args!(
            "{n_attempts_ended} jobs or pictures were in progress: they resume from their newest checkpoints when a \
                 server starts"
        ));
    }
    for base in &restored.absent_bases {
        output::line(format_args!(
            "The file of base model {base} is not on this machine."
        ));
    }
    backup::show_lost(&restored.lost);
    output::line(format_args!(
        "Until {}, nothing in the object store that is newer than the backup is deleted.",
        backup::when(restored.keeps_until)
    ));
    if restored.took_over {
        output::line(
            "The objects belong to the restored installation now: the one that the backup is of, should it still \
                 run, writes and deletes none of them any more.",
        );
    }
    output::line(
        "Later changes are not included. Tokens revoked and browsers signed out since then are valid again: review \
             both on the Settings page.",
    );
    let n_rented = restored
        .tables
        .iter()
        .find(|table| table.name == "rented_instances")
        .map_or(0, |table| table.n_rows);
    if n_rented == 0 {
        return;
    }
    for machine in &restored.machines {
        output::line(format_args!("Machine {machine} was rented at that time."));
    }
    output::line(format_args!(
        "Machines rented later cost money that is in no ledger and counts toward no budget. A server with the \
             provider's key terminates them within minutes; without a server, `morpheus reap --deployment {}` \
             terminates those past their deadline. Compare the provider's bill, and lower the budgets by the \
             difference.",
        restored.deployment
    ));
}
