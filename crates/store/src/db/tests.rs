//! Connections that somebody left in a state in which nothing would be kept.

use sea_orm::{ConnectionTrait as _, Statement};
use sim::postgres;

use super::{Database, Place};

struct Bench {
    database: Database,
    _folder: tempfile::TempDir,
    _server: Option<postgres::Database>,
}

impl Bench {
    async fn sqlite() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let place = Place::parse(None, folder.path())?;
        Ok(Self {
            database: Database::open(&place).await?,
            _folder: folder,
            _server: None,
        })
    }

    async fn postgres() -> anyhow::Result<Self> {
        let (folder, server) = (tempfile::tempdir()?, postgres::Database::shared()?);
        let place = Place::parse(Some(&server.url()), folder.path())?;
        Ok(Self {
            database: Database::open(&place).await?,
            _folder: folder,
            _server: Some(server),
        })
    }

    async fn both() -> anyhow::Result<[Self; 2]> {
        Ok([Self::sqlite().await?, Self::postgres().await?])
    }

    /// Writes a row as all is written, which must then be there for those who read.
    async fn keeps(&self, key: &str) -> anyhow::Result<()> {
        let tx = self.database.begin().await?;
        let insert = format!("INSERT INTO settings VALUES ('{key}', 'kept')");
        tx.execute_unprepared(&insert).await?;
        tx.commit().await?;
        let readers = &self.database.readers;
        let select = format!("SELECT value FROM settings WHERE key = '{key}'");
        let select = Statement::from_string(readers.get_database_backend(), select);
        anyhow::ensure!(readers.query_one_raw(select).await?.is_some(), "`{key}` is lost");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_in_a_transaction_begins_no_other() -> anyhow::Result<()> {
    for bench in Bench::both().await? {
        bench.keeps("before").await?;
        // sqlx knows nothing of it.
        bench.database.writer.execute_unprepared("BEGIN").await?;
        for n in 0..12 {
            bench.keeps(&format!("after {n}")).await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_the_database_ended_leaves_a_writer_that_works() -> anyhow::Result<()> {
    for bench in Bench::both().await? {
        for n in 0..2 {
            let tx = bench.database.begin().await?;
            // As SQLite does by itself on a full disk, an error of the disk, or without memory.
            tx.inner().execute_unprepared("ROLLBACK").await?;
            if n == 0 {
                drop(tx);
            } else {
                // PostgreSQL answers this with a warning, SQLite with an error.
                drop(tx.commit().await);
            }
            bench.keeps(&format!("after {n}")).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_reads_cannot_write() -> anyhow::Result<()> {
    let bench = Bench::sqlite().await?;
    let refused = bench
        .database
        .readers
        .execute_unprepared("DELETE FROM settings")
        .await;
    let refused = refused.map(drop).unwrap_err().to_string();
    assert!(refused.contains("readonly"), "{refused}");
    Ok(())
}
