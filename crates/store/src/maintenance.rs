//! The database as a whole: its schema, and everything in it as one file.

use std::io::{BufRead, Write};

use chrono::{DateTime, Utc};
use protocol::problem::chain;
use sea_orm::{AccessMode, ConnectionTrait, DatabaseTransaction, DbErr, IsolationLevel, TransactionTrait};
use serde::{Deserialize, Serialize};

use crate::{
    OpenError, StoreBuilder, StoreError,
    db::{
        Database, Place,
        copy::{self, Row},
        migrations,
        tables::{TABLES, Table},
    },
    error::Doing,
    now,
};

/// What a file of [`StoreBuilder::export_database`] says in its first line.
const FORMAT: &str = "morpheus-export-1";

/// Where a database stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseStatus {
    /// Its URL, without any password.
    pub url: String,
    /// What it is: `SQLite`, `PostgreSQL 15.18`.
    pub server: String,
    /// The newest step of the schema that it has gone; `None` when it is empty.
    pub schema: Option<String>,
    /// Steps that this version of Morpheus would still go.
    pub pending: Vec<String>,
    /// Steps that a newer Morpheus went and this one does not know.
    pub unknown: Vec<String>,
    /// Rows of each table that there is.
    pub tables: Vec<TableStatus>,
}

/// How many rows a table has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableStatus {
    /// The table.
    pub name: String,
    /// Its rows.
    pub n_rows: u64,
}

/// Why an export or an import ended without having changed anything.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The database could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file could not be read or written.
    #[error("failed to read or write the export")]
    File(#[from] std::io::Error),
    /// The schema is not the one of this version.
    #[error(
        "the database `{url}` does not have the schema of this Morpheus: run `morpheus db migrate` on it first"
    )]
    Pending {
        /// Its URL.
        url: String,
    },
    /// There is something in it already.
    #[error("the database `{url}` is not empty: `{table}` has {n_rows} rows; import into a new one")]
    NotEmpty {
        /// Its URL.
        url: String,
        /// The first table that has rows.
        table: String,
        /// How many.
        n_rows: u64,
    },
    /// The file is from another version.
    #[error(
        "the export has the schema `{found}` and this Morpheus has `{known}`: export again with the Morpheus that you \
         import with"
    )]
    OtherSchema {
        /// The newest step in the file.
        found: String,
        /// The newest step that this program has.
        known: String,
    },
    /// The file is none of ours, or damaged.
    #[error("line {n} of the export: {problem}")]
    Line {
        /// Counted from 1.
        n: u64,
        /// What is wrong with it.
        problem: String,
    },
}

impl From<DbErr> for TransferError {
    fn from(source: DbErr) -> Self {
        StoreError::Database {
            doing: "copy rows",
            source,
        }
        .into()
    }
}

/// A line of an export: the first says what it is, the last how much there was, those between hold a row each.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Header>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Vec<TableStatus>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: String,
    schema: Vec<String>,
    exported_at: DateTime<Utc>,
}

impl StoreBuilder {
    /// Where the database stands; changes nothing and waits for nobody.
    pub async fn database_status(&self) -> Result<DatabaseStatus, OpenError> {
        let place = self.place()?;
        let known = migrations::known();
        let mut status = DatabaseStatus {
            url: place.shown(),
            server: place.look().await?,
            schema: None,
            pending: Vec::new(),
            unknown: Vec::new(),
            tables: Vec::new(),
        };
        if matches!(&place, Place::Sqlite(path) if !path.exists()) {
            status.pending = known;
            return Ok(status);
        }
        let database = Database::connect(&place).await?;
        let failed = |source| {
            OpenError::Prepare(StoreError::Database {
                doing: "look at the schema",
                source,
            })
        };
        let tx = database.snapshot().await.map_err(failed)?;
        let applied = migrations::applied(&tx).await.map_err(failed)?;
        let is_new = |step: &String| !applied.contains(step);
        status.pending = known.iter().filter(|step| is_new(step)).cloned().collect();
        status.unknown = applied
            .iter()
            .filter(|step| !known.contains(step))
            .cloned()
            .collect();
        status.schema = applied.last().cloned();
        if status.pending.is_empty() {
            for table in TABLES {
                status.tables.push(TableStatus {
                    name: table.name.to_owned(),
                    n_rows: copy::count(&tx, table).await.map_err(failed)?,
                });
            }
        }
        Ok(status)
    }

    /// Brings the schema up to date, and says again who may see what on PostgreSQL.
    pub async fn migrate_database(&self) -> Result<(), OpenError> {
        let place = self.place()?;
        let database = self.open_database(&place).await?;
        migrations::secure(&database, &place).await
    }

    /// Writes everything in the database as it is at one moment, secrets included; returns the rows of each table.
    pub async fn export_database(
        &self,
        out: &mut (impl Write + Send),
    ) -> Result<Vec<TableStatus>, TransferError> {
        let status = self.database_status().await?;
        if let Some(found) = status.unknown.last() {
            return Err(newer(status.url, found).into());
        }
        if !status.pending.is_empty() {
            return Err(TransferError::Pending { url: status.url });
        }
        let database = Database::connect(&self.place()?).await?;
        let tx = database.snapshot().await?;
        let header = Header {
            format: FORMAT.to_owned(),
            schema: migrations::known(),
            exported_at: now(),
        };
        let first = Line {
            header: Some(header),
            ..Line::default()
        };
        write_line(out, &first)?;
        let mut tables = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            let n_rows = copy::read(&tx, table, |row| {
                let line = Line {
                    table: Some(table.name.to_owned()),
                    row: Some(row),
                    ..Line::default()
                };
                write_line(out, &line)
            })
            .await?;
            tables.push(TableStatus {
                name: table.name.to_owned(),
                n_rows,
            });
        }
        let last = Line {
            end: Some(tables.clone()),
            ..Line::default()
        };
        write_line(out, &last)?;
        out.flush()?;
        Ok(tables)
    }

    /// Reads an export into an empty database, all or nothing; returns the rows of each table.
    pub async fn import_database(
        &self,
        input: impl BufRead + Send,
    ) -> Result<Vec<TableStatus>, TransferError> {
        let place = self.place()?;
        let database = self.open_database(&place).await?;
        let tx = database.begin_alone().await?;
        for table in TABLES {
            let n_rows = copy::count(&tx, table).await?;
            if n_rows > 0 {
                return Err(TransferError::NotEmpty {
                    url: place.shown(),
                    table: table.name.to_owned(),
                    n_rows,
                });
            }
        }
        let tables = read_lines(&tx, input).await?;
        tx.commit().await?;
        Ok(tables)
    }
}

impl Database {
    /// Starts a transaction that reads, and sees everything as it is now.
    async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        // SQLite has no other isolation, and no word for it.
        let isolation = IsolationLevel::RepeatableRead;
        match self.readers.get_database_backend() {
            sea_orm::DbBackend::Postgres => {
                self.readers
                    .begin_with_config(Some(isolation), Some(AccessMode::ReadOnly))
                    .await
            }
            _ => self.readers.begin().await,
        }
    }
}

async fn read_lines(
    tx: &DatabaseTransaction,
    input: impl BufRead + Send,
) -> Result<Vec<TableStatus>, TransferError> {
    let backend = tx.get_database_backend();
    let mut seen: Vec<TableStatus> = Vec::new();
    let mut batch = Vec::new();
    let mut n = 0;
    let mut end = None;
    for line in input.lines() {
        let line = line?;
        n += 1;
        let wrong = |problem: String| TransferError::Line { n, problem };
        if end.is_some() {
            return Err(wrong("something follows the last line".to_owned()));
        }
        let line: Line =
            serde_json::from_str(&line).map_err(|_| wrong("not a line of an export".to_owned()))?;
        match (line.header, line.table.zip(line.row), line.end) {
            (Some(header), None, None) if n == 1 => check_header(header)?,
            (None, Some((table, row)), None) if n > 1 => {
                let table = next_table(&seen, &table).map_err(wrong)?;
                if seen.last().is_none_or(|last| last.name != table.name) {
                    flush(tx, &seen, &mut batch).await?;
                    seen.push(TableStatus {
                        name: table.name.to_owned(),
                        n_rows: 0,
                    });
                }
                let values = copy::values(backend, table, row).map_err(|err| wrong(chain(&err)))?;
                batch.push(values);
                if let Some(last) = seen.last_mut() {
                    last.n_rows += 1;
                }
                if batch.len() == copy::rows_per_insert(table) {
                    flush(tx, &seen, &mut batch).await?;
                }
            }
            (None, None, Some(tables)) if n > 1 => end = Some(tables),
            _ => return Err(wrong("not where it belongs".to_owned())),
        }
    }
    let Some(tables) = end else {
        return Err(TransferError::Line {
            n: n + 1,
            problem: "the end is missing: the file was cut off".to_owned(),
        });
    };
    flush(tx, &seen, &mut batch).await?;
    let expected: Vec<&TableStatus> = tables.iter().filter(|table| table.n_rows > 0).collect();
    if !expected.iter().copied().eq(&seen) {
        return Err(TransferError::Line {
            n,
            problem: "rows are missing or were added: the file was changed".to_owned(),
        });
    }
    Ok(tables)
}

fn check_header(header: Header) -> Result<(), TransferError> {
    let Header { format, schema, .. } = header;
    if format != FORMAT {
        return Err(TransferError::Line {
            n: 1,
            problem: format!("the format is `{format}` and not `{FORMAT}`"),
        });
    }
    let known = migrations::known();
    if schema != known {
        let last = |steps: Vec<String>| steps.into_iter().next_back().unwrap_or_default();
        return Err(TransferError::OtherSchema {
            found: last(schema),
            known: last(known),
        });
    }
    Ok(())
}

/// The table of a row: the same as before or one after it, since rows refer to those of tables before theirs.
fn next_table(seen: &[TableStatus], name: &str) -> Result<&'static Table, String> {
    let at = |name: &str| TABLES.iter().position(|table| table.name == name);
    let index = at(name).ok_or_else(|| format!("there is no table `{name}`"))?;
    let last = seen.last().and_then(|last| at(&last.name));
    if last.is_some_and(|last| index < last) {
        return Err(format!("rows of `{name}` come too late"));
    }
    Ok(&TABLES[index])
}

async fn flush(
    tx: &DatabaseTransaction,
    seen: &[TableStatus],
    batch: &mut Vec<Vec<sea_orm::sea_query::SimpleExpr>>,
) -> Result<(), TransferError> {
    let last = seen
        .last()
        .and_then(|last| TABLES.iter().find(|table| table.name == last.name));
    if let Some(table) = last {
        let rows = std::mem::take(batch);
        copy::write(tx, table, rows).await.doing("import rows")?;
    }
    Ok(())
}

fn write_line(out: &mut impl Write, line: &Line) -> Result<(), TransferError> {
    serde_json::to_writer(&mut *out, line).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

fn newer(url: String, found: &str) -> OpenError {
    OpenError::NewerSchema {
        url,
        found: found.to_owned(),
        known: migrations::known().last().cloned().unwrap_or_default(),
    }
}
