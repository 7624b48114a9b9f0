//! Connections to PostgreSQL, and their errors.

use std::{
    io,
    time::{Duration, Instant},
};

use sea_orm::{DatabaseConnection, SqlxPostgresConnector};
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::{sleep, timeout};

use super::{
    Database,
    guard::{Discards, guarded_postgres},
    place::PostgresPlace,
};
use crate::OpenError;

/// The oldest that is supported and tested.
const OLDEST: i32 = 15;

/// How long a server may take to come up: servers and database are often started together.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one connection may take; a firewall may swallow our packets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// How long a transaction waits for the ones before it.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// What to write right when it is about who we are.
const CREDENTIALS: &str = "correct user and password in --database or MORPHEUS_DATABASE";

/// Opens the pools, once the server is known to be there and fit for us.
pub(super) async fn open(place: &PostgresPlace) -> Result<Database, OpenError> {
    probe(place, PATIENCE).await?;
    let options = place.options.clone().disable_statement_logging();
    // A transaction that is open while its owner reads elsewhere must not wait for that reader's connection.
    let n_writers = place.n_connections.div_ceil(2);
    let discards = Discards::default();
    let writer = pool(&options, n_writers, &discards);
    let readers = pool(&options, place.n_connections - n_writers, &discards);
    Ok(Database::new(writer, readers, discards, None))
}

fn pool(options: &PgConnectOptions, n_connections: u32, discards: &Discards) -> DatabaseConnection {
    let pool = PgPoolOptions::new()
        .max_connections(n_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT);
    let pool = guarded_postgres(pool, discards).connect_lazy_with(options.clone());
    SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
}

/// Connects once; tells the server's version. Waits for a server that is just starting.
pub(super) async fn probe(place: &PostgresPlace, patience: Duration) -> Result<String, OpenError> {
    let started = Instant::now();
    let mut connection = loop {
        match connect(&place.options).await {
            Ok(connection) => break connection,
            Err(err) if is_coming_up(&err) && started.elapsed() < patience => sleep(PAUSE).await,
            Err(err) => return Err(explain(place, err)),
        }
    };
    let facts: (String, String) = sqlx::query_as(
        "SELECT current_setting('server_version_num'), current_setting('transaction_read_only')",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(|err| explain(place, err))?;
    // Nothing was begun that a connection cut off could leave half done.
    let _ = connection.close().await;
    let (number, read_only) = facts;
    judge(place, number.parse().unwrap_or_default(), read_only == "on")
}

/// The version, if the server is new enough and not a replica.
fn judge(place: &PostgresPlace, number: i32, is_read_only: bool) -> Result<String, OpenError> {
    let refused = |problem: String, fix: &str| OpenError::Postgres {
        url: place.shown(),
        problem,
        fix: fix.to_owned(),
        source: None,
    };
    let (major, minor) = (number / 10_000, number % 10_000);
    if major < OLDEST {
        let fix = "upgrade the server, or set another with --database or MORPHEUS_DATABASE";
        return Err(refused(
            format!("this is PostgreSQL {major}.{minor}, and Morpheus needs {OLDEST} or newer"),
            fix,
        ));
    }
    if is_read_only {
        let fix = "set the primary server in --database or MORPHEUS_DATABASE";
        return Err(refused("it is read-only".to_owned(), fix));
    }
    Ok(format!("{major}.{minor}"))
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    match timeout(CONNECT_TIMEOUT, PgConnection::connect_with(options)).await {
        Ok(connected) => connected,
        Err(_) => Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())),
    }
}

/// Whether the server may be there in a moment.
fn is_coming_up(err: &sqlx::Error) -> bool {
    match err {
        sqlx::Error::Io(err) => matches!(
            err.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::UnexpectedEof
        ),
        // cannot_connect_now: it is starting up, shutting down or in recovery.
        sqlx::Error::Database(err) => err.code().as_deref() == Some("57P03"),
        _ => false,
    }
}

/// Describes the error and the fix, most common mistakes first.
fn explain(place: &PostgresPlace, source: sqlx::Error) -> OpenError {
    let options = &place.options;
    let (user, host, port) = (options.get_username(), options.get_host(), options.get_port());
    let (problem, fix) = match &source {
        sqlx::Error::Io(err) => match err.kind() {
            io::ErrorKind::TimedOut => (
                format!("`{host}` does not respond on port {port}"),
                "check host and port in --database or MORPHEUS_DATABASE, and any firewall in between",
            ),
            io::ErrorKind::ConnectionRefused => (
                format!("nothing listens on port {port} of `{host}`"),
                "start PostgreSQL, or correct host and port in --database or MORPHEUS_DATABASE",
            ),
            _ if err.to_string().contains("lookup") => (
                format!("there is no host `{host}`"),
                "correct the host in --database or MORPHEUS_DATABASE",
            ),
            _ if err.to_string().contains("certificate") => (
                format!("the certificate of `{host}` is not trusted"),
                "add `sslrootcert=FILE` with its CA certificate to the URL of --database or \
                 MORPHEUS_DATABASE; `sslmode=require` encrypts without checking it",
            ),
            _ => (
                format!("the connection to `{host}` broke"),
                "check host, port and `sslmode` in --database or MORPHEUS_DATABASE",
            ),
        },
        sqlx::Error::Tls(_) => (
            format!("TLS negotiation with `{host}` failed"),
            "set `sslmode` in the URL of --database or MORPHEUS_DATABASE: `require` encrypts, `verify-full` with \
             `sslrootcert=FILE` also verifies the server, `disable` does neither",
        ),
        sqlx::Error::Database(err) => match err.code().as_deref() {
            Some("28P01") => (format!("the password of user `{user}` is wrong"), CREDENTIALS),
            Some("28000") => (format!("user `{user}` has no access"), CREDENTIALS),
            Some("3D000") => (
                "there is no such database".to_owned(),
                "create it with `createdb`, or correct its name in --database or MORPHEUS_DATABASE",
            ),
            Some("53300") => (
                "all connections of the server are in use".to_owned(),
                "lower `max_connections=12` in the URL of --database or MORPHEUS_DATABASE, or raise the server's limit",
            ),
            Some("57P03") => (
                "the server is starting or stopping".to_owned(),
                "try again when it is up",
            ),
            _ if err.message().contains("Tenant or user not found") => (
                format!("Supabase's pooler does not know user `{user}` in this region"),
                "use `postgres.` and the project's reference as the user, and the host that the project's page \
                 shows, in --database or MORPHEUS_DATABASE",
            ),
            _ => (
                "the server rejected the connection".to_owned(),
                "check --database or MORPHEUS_DATABASE",
            ),
        },
        _ => (
            "it is not a PostgreSQL server".to_owned(),
            "check host and port in --database or MORPHEUS_DATABASE",
        ),
    };
    OpenError::Postgres {
        url: place.shown(),
        problem,
        fix: fix.to_owned(),
        source: Some(source.into()),
    }
}

#[cfg(test)]
mod tests;
