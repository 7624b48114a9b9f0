//! `morpheus db`: the database's schema, export and import.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use protocol::audit::AuditAction;
use serde::Serialize;
use store::{
    StoreBuilder, audit,
    maintenance::{DatabaseStatus, TableStatus},
};

use crate::{
    output, private,
    settings::{Flags, Settings},
};

/// See [`crate::Command::Db`].
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Bring the schema up to date, as `morpheus serve` does when it starts
    Migrate(Common),
    /// Show the schema version and row counts without changing anything
    Status(Common),
    /// Export the whole database to a file. It contains secrets: the hashes of tokens and the key that signs
    /// file URLs, which a copy of the installation needs. Only you may read the file.
    /// Pictures and trained files are not included: they stay in the object store
    Export {
        #[command(flatten)]
        common: Common,
        /// The file to create; it must not exist yet
        file: PathBuf,
    },
    /// Import such a file into an empty database, all or nothing
    Import {
        #[command(flatten)]
        common: Common,
        /// The file to import
        file: PathBuf,
    },
}

#[derive(clap::Args)]
struct Common {
    #[command(flatten)]
    settings: Flags,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Copied {
    file: PathBuf,
    tables: Vec<TableStatus>,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    runtime.block_on(async {
        match args.command {
            Command::Status(Common { settings, json }) => {
                show(&builder(settings)?.database_status().await?, json)
            }
            Command::Migrate(Common { settings, json }) => {
                let builder = builder(settings)?;
                builder.migrate_database().await?;
                show(&builder.database_status().await?, json)
            }
            Command::Export { common, file } => {
                let builder = builder(common.settings)?;
                let tables = export(&builder, &file).await?;
                record(&builder, AuditAction::DatabaseExported, &file).await?;
                show_copied("exported to", Copied { file, tables }, common.json)
            }
            Command::Import { common, file } => {
                let input =
                    File::open(&file).with_context(|| format!("failed to open `{}`", file.display()))?;
                let builder = builder(common.settings)?;
                let tables = builder.import_database(BufReader::new(input)).await?;
                record(&builder, AuditAction::DatabaseImported, &file).await?;
                show_copied("imported from", Copied { file, tables }, common.json)
            }
        }
    })
}

fn builder(flags: Flags) -> anyhow::Result<StoreBuilder> {
    let settings = Settings::resolve(flags)?;
    settings.places().close();
    Ok(settings.store())
}

async fn record(builder: &StoreBuilder, action: AuditAction, file: &Path) -> anyhow::Result<()> {
    let subject = file.display().to_string();
    let recording = builder.record(action, &subject);
    Ok(Box::pin(audit::acting(private::actor(), recording)).await?)
}

/// Writes to a temporary file and renames it at the end, so that a file with the final name is complete.
async fn export(builder: &StoreBuilder, file: &Path) -> anyhow::Result<Vec<TableStatus>> {
    anyhow::ensure!(
        !file.exists(),
        "`{}` already exists: choose another file, or delete it first",
        file.display()
    );
    let doing = || format!("failed to write `{}`", file.display());
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // A temporary file can be read by its owner alone, and stays so.
    let unfinished = tempfile::NamedTempFile::new_in(folder).with_context(doing)?;
    let mut out = BufWriter::new(unfinished);
    let tables = builder.export_database(&mut out).await?;
    out.flush().with_context(doing)?;
    let unfinished = out.into_inner().with_context(doing)?;
    unfinished.as_file().sync_all().with_context(doing)?;
    unfinished.persist_noclobber(file).with_context(doing)?;
    Ok(tables)
}

fn show(status: &DatabaseStatus, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(status);
    }
    output::line(format_args!("{} at {}", status.server, status.url));
    match &status.schema {
        Some(schema) => output::line(format_args!("schema   {schema}")),
        None => output::line("schema   none yet"),
    }
    for step in &status.pending {
        output::line(format_args!("pending  {step}"));
    }
    for step in &status.unknown {
        output::line(format_args!("unknown  {step}, from a newer Morpheus"));
    }
    show_tables(&status.tables);
    Ok(())
}

fn show_copied(what: &str, copied: Copied, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(&copied);
    }
    show_tables(&copied.tables);
    let n_rows: u64 = copied.tables.iter().map(|table| table.n_rows).sum();
    output::line(format_args!("{n_rows} rows {what} {}", copied.file.display()));
    Ok(())
}

fn show_tables(tables: &[TableStatus]) {
    for table in tables {
        output::line(format_args!("{:>10}  {}", table.n_rows, table.name));
    }
}
