//! The database as a whole: its schema, export and import.

pub(crate) mod lines;

use std::io::{BufRead, Write};

use protocol::problem::chain;
use sea_orm::{ConnectionTrait, DbErr, sea_query::SimpleExpr};
use serde::{Deserialize, Serialize};

use self::lines::Lines;
use crate::{
    OpenError, StoreBuilder, StoreError,
    db::{
        Database, Place, Transaction,
        copy::{self, Row, Shape},
        migrations,
    },
    error::Doing,
};

/// Schema and contents of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseStatus {
    /// Its URL, without any password.
    pub url: String,
    /// Its kind: `SQLite`, `PostgreSQL 15.18`.
    pub server: String,
    /// The newest applied migration; `None` if it is empty.
    pub schema: Option<String>,
    /// Migrations that this version would apply.
    pub pending: Vec<String>,
    /// Unknown migrations of a newer Morpheus.
    pub unknown: Vec<String>,
    /// Row count of each existing table.
    pub tables: Vec<TableStatus>,
}

/// Row count of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableStatus {
    /// The table.
    pub name: String,
    /// Its rows.
    pub n_rows: u64,
}

/// Why an export or an import failed; nothing was changed.
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
    /// There is nothing to export.
    #[error("`{url}` is not a database of Morpheus: check --data and --database")]
    Nothing {
        /// The URL of the database.
        url: String,
    },
    /// The database is not empty.
    #[error("the database `{url}` is not empty: `{table}` has {n_rows} rows; import into a new one")]
    NotEmpty {
        /// Its URL.
        url: String,
        /// The first table that has rows.
        table: String,
        /// How many.
        n_rows: u64,
    },
    /// The file is from a newer version.
    #[error(
        "it was written by a newer Morpheus: its schema is `{found}`, and this version knows up to `{known}`; use \
             that version or a newer one"
    )]
    OtherSchema {
        /// The newest step in the file.
        found: String,
        /// The newest step that this program has.
        known: String,
    },
    /// The file is not an export, or damaged.
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
        StoreError::database("copy rows", source).into()
    }
}

impl StoreBuilder {
    /// Schema and contents of the database; changes nothing and does not wait for a starting server.
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
        let failed = |source| OpenError::Prepare(StoreError::database("look at the schema", source));
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
        for table in copy::shapes(&tx).await.map_err(failed)? {
            status.tables.push(TableStatus {
                name: table.name.to_owned(),
                n_rows: copy::count(&tx, table.name).await.map_err(failed)?,
            });
        }
        Ok(status)
    }

    /// Migrates the schema, and updates the access rules on PostgreSQL.
    pub async fn migrate_database(&self) -> Result<(), OpenError> {
        let place = self.place()?;
        let database = self.open_database(&place).await?;
        migrations::secure(&database, &place).await
    }

    /// Makes an empty database as an older version would have, for tests of what came later.
    #[doc(hidden)]
    pub async fn migrate_database_to(&self, n_steps: usize) -> Result<(), OpenError> {
        let place = self.place()?;
        let database = self.connect(&place).await?;
        let failed = |source| OpenError::Migrate {
            url: place.shown(),
            source,
        };
        let tx = database.begin_alone().await.map_err(failed)?;
        migrations::start_at(&tx, &place, n_steps).await?;
        tx.commit().await.map_err(failed)
    }

    /// Writes everything in the database as it is at one moment, secrets included; returns the rows of each table.
    /// The schema may be an older one.
    pub async fn export_database(
        &self,
        out: &mut (impl Write + Send),
    ) -> Result<Vec<TableStatus>, TransferError> {
        let source = self.source().await?;
        source.snapshot().await?.export(out, |_, _| Ok(())).await
    }

    /// Reads an export into an empty database, all or nothing; returns the rows of each table. One of an older
    /// schema is brought up to date.
    pub async fn import_database(&self, input: impl BufRead) -> Result<Vec<TableStatus>, TransferError> {
        let import = self.import(input).await?;
        let tables = import.tables.clone();
        import.commit().await?;
        Ok(tables)
    }

    /// A database that is there, to read all of it. Its schema may be an older one.
    pub(crate) async fn source(&self) -> Result<Source, TransferError> {
        let place = self.place()?;
        if matches!(&place, Place::Sqlite(path) if !path.exists()) {
            return Err(TransferError::Nothing { url: place.shown() });
        }
        Ok(Source {
            database: Database::connect(&place).await?,
            place,
        })
    }

    /// Reads an export into an empty database; nothing of it stays unless it is committed.
    pub(crate) async fn import(&self, input: impl BufRead) -> Result<Import, TransferError> {
        let mut lines = Lines::open(input)?;
        let place = self.place()?;
        let database = self.connect(&place).await?;
        let tx = database.begin_alone().await?;
        refuse_rows(&tx, &place).await?;
        migrations::start_at(&tx, &place, lines.schema().len()).await?;
        insert(&tx, &mut lines).await?;
        migrations::catch_up(&tx, &place).await?;
        Ok(Import {
            tx,
            tables: lines.into_tables(),
            _database: database,
        })
    }

    /// Makes sure that nothing is in the database, which need not exist.
    pub(crate) async fn refuse_a_full_database(&self) -> Result<(), TransferError> {
        let place = self.place()?;
        if matches!(&place, Place::Sqlite(path) if !path.exists()) {
            return Ok(());
        }
        let database = Database::connect(&place).await?;
        let tx = database.snapshot().await?;
        refuse_rows(&tx, &place).await
    }
}

/// A database that is read as a whole.
pub(crate) struct Source {
    pub(crate) database: Database,
    place: Place,
}

impl Source {
    /// Everything in it as it is now.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, TransferError> {
        let tx = self.database.snapshot().await?;
        let schema = migrations::applied(&tx).await?;
        if schema.is_empty() {
            return Err(TransferError::Nothing {
                url: self.place.shown(),
            });
        }
        migrations::refuse_newer(&schema, &self.place)?;
        Ok(Snapshot {
            tables: copy::shapes(&tx).await?,
            schema,
            tx,
        })
    }
}

/// A transaction that reads, and sees everything as it was when it began.
pub(crate) struct Snapshot {
    tx: Transaction,
    schema: Vec<String>,
    tables: Vec<Shape>,
}

impl Snapshot {
    /// Writes everything, and calls `each` with every row.
    pub(crate) async fn export(
        &self,
        out: &mut (impl Write + Send),
        mut each: impl FnMut(&str, &Row) -> Result<(), String>,
    ) -> Result<Vec<TableStatus>, TransferError> {
        lines::write_header(out, self.schema.clone())?;
        let mut tables = Vec::with_capacity(self.tables.len());
        for table in &self.tables {
            let n_rows = copy::read(&self.tx, table, |row| {
                each(table.name, &row).map_err(|problem| unreadable(table, problem))?;
                lines::write_row(out, table.name, row)
            })
            .await?;
            tables.push(TableStatus {
                name: table.name.to_owned(),
                n_rows,
            });
        }
        lines::write_end(out, &tables)?;
        out.flush()?;
        Ok(tables)
    }

    /// Calls `each` with every row of some tables.
    pub(crate) async fn read(
        &self,
        names: &[&str],
        mut each: impl FnMut(&str, &Row) -> Result<(), String>,
    ) -> Result<(), TransferError> {
        for table in self.tables.iter().filter(|table| names.contains(&table.name)) {
            copy::read(&self.tx, table, |row| {
                each(table.name, &row).map_err(|problem| unreadable(table, problem))
            })
            .await?;
        }
        Ok(())
    }

    /// The steps that the schema has gone.
    pub(crate) fn schema(&self) -> &[String] {
        &self.schema
    }
}

fn unreadable(table: &Shape, problem: String) -> TransferError {
    TransferError::Store(StoreError::corrupt(table.name, problem))
}

/// An import that is complete and can be committed.
pub(crate) struct Import {
    tx: Transaction,
    /// Rows of each table.
    pub(crate) tables: Vec<TableStatus>,
    _database: Database,
}

impl Import {
    /// The transaction, in which the rows can be changed before they are committed.
    pub(crate) fn connection(&self) -> &Transaction {
        &self.tx
    }

    pub(crate) async fn commit(self) -> Result<(), TransferError> {
        Ok(self.tx.commit().await?)
    }
}

async fn refuse_rows(tx: &Transaction, place: &Place) -> Result<(), TransferError> {
    for table in copy::shapes(tx).await? {
        let n_rows = copy::count(tx, table.name).await?;
        if n_rows > 0 {
            return Err(TransferError::NotEmpty {
                url: place.shown(),
                table: table.name.to_owned(),
                n_rows,
            });
        }
    }
    Ok(())
}

/// Inserts all rows into tables of the schema that they come from.
async fn insert(tx: &Transaction, lines: &mut Lines<impl BufRead>) -> Result<(), TransferError> {
    let backend = tx.get_database_backend();
    let shapes = copy::shapes(tx).await?;
    let mut batch: Vec<Vec<SimpleExpr>> = Vec::new();
    let mut of: Option<&Shape> = None;
    while let Some((table, row)) = lines.next_row()? {
        let is_full = |of: &Shape| of.name != table.name || batch.len() == copy::rows_per_insert(of);
        if let Some(of) = of.filter(|of| is_full(of)) {
            flush(tx, of, &mut batch).await?;
        }
        let Some(shape) = shapes.iter().find(|shape| shape.name == table.name) else {
            return Err(lines.wrong(format!("its schema has no table `{}`", table.name)));
        };
        let values = copy::values(backend, &shape.columns, row);
        batch.push(values.map_err(|err| lines.wrong(chain(&err)))?);
        of = Some(shape);
    }
    match of {
        Some(of) => flush(tx, of, &mut batch).await,
        None => Ok(()),
    }
}

async fn flush(
    tx: &Transaction,
    table: &Shape,
    batch: &mut Vec<Vec<SimpleExpr>>,
) -> Result<(), TransferError> {
    let rows = std::mem::take(batch);
    Ok(copy::write(tx, table, rows).await.doing("import rows")?)
}
