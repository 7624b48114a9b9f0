//! What only PostgreSQL has: roles, passwords, and connections that break.

use std::time::Duration;

use protocol::OwnerId;
use sim::postgres::{Database, Server};
use store::{StorageFault, Store, StoreBuilder, datasets};
use uuid::Uuid;

use crate::{fixture::TestStore, populate::populate};

const VISIBLE: [&str; 18] = [
    "owners",
    "audit_log",
    "pool_machines",
    "training_datasets",
    "dataset_items",
    "dataset_versions",
    "training_jobs",
    "generations",
    "edits",
    "budgets",
    "rented_instances",
    "ledger_entries",
    "job_events",
    "job_metrics",
    "job_metric_tiles",
    "artifacts",
    "models",
    "model_versions",
];
const HIDDEN: [&str; 7] = [
    "settings",
    "api_tokens",
    "idempotency_keys",
    "base_models",
    "attempts",
    "damaged_objects",
    "seaql_migrations",
];

fn builder(url: String) -> StoreBuilder {
    Store::builder(std::env::temp_dir().as_path()).database(Some(url))
}

/// As whoever signed in through Supabase's REST interface.
fn as_role(database: &Database, role: &str, user: Uuid, sql: &str) -> anyhow::Result<String> {
    let claims = format!(r#"{{"sub": "{user}", "role": "{role}"}}"#);
    let sql = format!("SET request.jwt.claims = '{claims}'; SET ROLE {role}; {sql}");
    Ok(database.sql(&sql)?.trim().to_owned())
}

fn refused(outcome: anyhow::Result<String>) -> String {
    outcome.map_or_else(|err| err.to_string(), |rows| format!("not refused: {rows}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_their_own_rows_alone() -> anyhow::Result<()> {
    let server = Server::start()?;
    let (folder, database) = (tempfile::tempdir()?, server.database()?);
    // The schema comes first here; without the roles it works as well.
    let store = Store::builder(folder.path())
        .database(Some(database.url()))
        .open()
        .await?;
    let unsecured = database.sql(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \
         AND NOT relrowsecurity",
    )?;
    assert_eq!(unsecured, "", "tables without row-level security");
    // As Supabase does, but for BYPASSRLS, which our policy must not need.
    database.sql(
        "CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE service_role; \
         GRANT ALL ON ALL TABLES IN SCHEMA public TO anon, authenticated, service_role",
    )?;
    builder(database.url()).migrate_database().await?;

    let (zora, yuki, stranger) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let (first, second) = (store.default_owner(), OwnerId::new());
    database.sql(&format!(
        "UPDATE owners SET auth_user_id = '{zora}'; \
         INSERT INTO owners VALUES ('{second}', 'yuki', now(), '{yuki}')"
    ))?;
    populate(&store, first, 1).await?;
    populate(&store, second, 2).await?;

    for table in VISIBLE {
        let count = format!("SELECT count(*) FROM {table}");
        let all: u64 = database.sql(&count)?.trim().parse()?;
        assert!(all >= 2 && all.is_multiple_of(2), "{table} has {all} rows");
        for user in [zora, yuki] {
            let seen = as_role(&database, "authenticated", user, &count)?;
            assert_eq!(seen, (all / 2).to_string(), "{table}");
        }
        assert_eq!(
            as_role(&database, "authenticated", stranger, &count)?,
            "0",
            "{table}"
        );
        assert_eq!(
            as_role(&database, "service_role", stranger, &count)?,
            all.to_string()
        );
        let anon = refused(as_role(&database, "anon", zora, &count));
        assert!(anon.contains("permission denied"), "{table}: {anon}");
        let written = refused(as_role(
            &database,
            "authenticated",
            zora,
            &format!("DELETE FROM {table}"),
        ));
        assert!(written.contains("permission denied"), "{table}: {written}");
    }
    for (user, owner) in [(zora, first), (yuki, second)] {
        let owners = "SELECT id FROM owners \
             UNION SELECT owner_id FROM training_datasets UNION SELECT owner_id FROM training_jobs \
             UNION SELECT owner_id FROM generations UNION SELECT owner_id FROM artifacts \
             UNION SELECT owner_id FROM models UNION SELECT owner_id FROM model_versions \
             UNION SELECT d.owner_id FROM dataset_items i JOIN training_datasets d ON d.id = i.dataset_id \
             UNION SELECT j.owner_id FROM job_events e JOIN training_jobs j ON j.id = e.job_id";
        assert_eq!(
            as_role(&database, "authenticated", user, owners)?,
            owner.to_string()
        );
    }
    for table in HIDDEN {
        let count = format!("SELECT count(*) FROM {table}");
        for role in ["anon", "authenticated"] {
            let seen = refused(as_role(&database, role, zora, &count));
            assert!(seen.contains("permission denied"), "{table}: {seen}");
        }
        let all = database.sql(&count)?;
        assert_eq!(as_role(&database, "service_role", zora, &count)?, all.trim());
    }
    let renamed = "UPDATE models SET name = name || '!' RETURNING 1";
    assert_eq!(as_role(&database, "service_role", zora, renamed)?, "1\n1");
    // Nor does a stranger with a password make tables.
    database.sql("CREATE ROLE guest LOGIN PASSWORD 'guest'")?;
    let fresh = server.database()?;
    let guest = builder(fresh.url_of("guest", "guest")).open().await.err();
    let guest = guest.map(|err| err.to_string()).unwrap_or_default();
    assert!(
        guest.contains("GRANT CREATE") && guest.contains("MORPHEUS_DATABASE"),
        "{guest}"
    );
    // Someone who is not signed in at all.
    let nobody = database.sql("SET ROLE authenticated; SELECT count(*) FROM training_jobs")?;
    assert_eq!(nobody.trim(), "0");
    Ok(())
}

#[tokio::test]
async fn says_what_is_wrong_and_what_to_do() -> anyhow::Result<()> {
    let database = Database::shared()?;
    let here = database.url_of("postgres", "%73ecret");
    let port = sim::free_port()?;
    let good = database.url();
    let cases = [
        (here, "password of user `postgres` is wrong"),
        (database.url_of("nobody", "%73ecret"), "`nobody`"),
        (good.replace("/test_", "/absent_"), "no such database"),
        (
            format!("postgres://me:%73ecret@127.0.0.1:{port}/db"),
            "nothing listens",
        ),
        (
            "postgres://me:%73ecret@host.invalid/db".to_owned(),
            "no host `host.invalid`",
        ),
        (format!("{good}?sslmode=require"), "TLS"),
    ];
    for (url, expected) in cases {
        let Err(err) = builder(url.clone()).database_status().await else {
            anyhow::bail!("nothing is wrong with {url}");
        };
        let said = format!("{:#}", anyhow::Error::from(err));
        assert!(said.contains(expected), "{said}");
        assert!(said.contains("MORPHEUS_DATABASE"), "{said}");
        assert!(!said.contains("secret") && !said.contains("p@ss"), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn waits_for_a_server_that_starts() -> anyhow::Result<()> {
    let port = sim::free_port()?;
    let coming = tokio::task::spawn_blocking(move || Server::start_on(port));
    let password = "sim%3Ap%40ss%2Fword";
    let url = format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres");
    let folder = tempfile::tempdir()?;
    let store = Store::builder(folder.path()).database(Some(url)).open().await?;
    store.ping().await?;
    drop(store);
    coming.await??.stop();
    Ok(())
}

#[tokio::test]
async fn a_newer_schema_is_refused() -> anyhow::Result<()> {
    let test = TestStore::postgres().await?;
    let database = test.database.as_ref().expect("a database of PostgreSQL");
    database.sql("INSERT INTO seaql_migrations VALUES ('m9999_future', 0)")?;
    let refused = builder(database.url())
        .open()
        .await
        .err()
        .map(|err| err.to_string());
    let refused = refused.unwrap_or_default();
    assert!(
        refused.contains("m9999_future") && refused.contains("use the newer Morpheus"),
        "{refused}"
    );
    let status = builder(database.url()).database_status().await?;
    assert_eq!(status.unknown, ["m9999_future"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_leaves_nothing_behind() -> anyhow::Result<()> {
    let test = TestStore::postgres().await?;
    let database = test.database.as_ref().expect("a database of PostgreSQL");
    let cut = "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..3 {
        let tx = test.store.begin().await?;
        datasets::create(&tx, test.owner(), "half").await?;
        assert_eq!(database.sql(cut)?.trim(), "t");
        let outcome = tx.commit().await;
        assert_eq!(outcome.unwrap_err().fault(), Some(StorageFault::Away));
        // The very next ones find a connection that works.
        assert!(
            datasets::list(&test.store, test.owner(), None, 10)
                .await?
                .is_empty()
        );
        test.store.begin().await?.commit().await?;
    }
    let id = test.dataset().await?;
    assert_eq!(
        datasets::list(&test.store, test.owner(), None, 10).await?[0].id,
        id
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_is_found_again() -> anyhow::Result<()> {
    let port = sim::free_port()?;
    let server = Server::start_on(port)?;
    let folder = tempfile::tempdir()?;
    let url = format!("{}/postgres", server.url());
    let store = Store::builder(folder.path()).database(Some(url)).open().await?;
    server.stop();
    let begun = tokio::time::Instant::now();
    assert!(store.ping().await.is_err());
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "an answer, if not a good one"
    );
    let _server = Server::start_on(port)?;
    // Another server, with nothing in it: what counts is that it is asked.
    store.ping().await?;
    Ok(())
}
