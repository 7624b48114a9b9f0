//! Chooses the bus for wake-ups by the URL of the queue.

use std::{error::Error, path::Path, time::Duration};

use protocol::address::masked;
use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    OpenError,
    db::Place,
    signals::{Bus, BusError, PostgresTransport, RedisTransport, Signals, Transport},
};

/// A service that does not answer in this time is waited for in the background.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// The settings of the queue.
#[derive(Debug, Clone, Copy, Default)]
pub struct Queue<'a> {
    /// Its URL.
    pub url: Option<&'a str>,
    /// A file with the certificates of the authorities that may vouch for it, instead of the public ones.
    pub ca: Option<&'a Path>,
}

/// The signals of an installation. Without a queue of their own, PostgreSQL carries them when it is the
/// database, and they stay within the process when it is SQLite, which has one server only.
pub(crate) async fn open(
    queue: Queue<'_>,
    database: &Place,
    deployment: Uuid,
) -> Result<(Signals, Option<Bus>), OpenError> {
    let refused = |source| OpenError::Queue {
        url: queue.url.map_or_else(|| database.shown(), masked),
        source,
    };
    match queue
        .url
        .map(|url| (url, url.split_once("://").map(|(scheme, _)| scheme)))
    {
        None => match database {
            Place::Sqlite(_) => Ok((Signals::default(), None)),
            Place::Postgres(place) => start(PostgresTransport::new(place.options.clone(), deployment))
                .await
                .map_err(refused),
        },
        Some((_, Some("sqlite"))) => Ok((Signals::default(), None)),
        Some((url, Some("redis" | "rediss"))) => {
            let transport = RedisTransport::new(url, queue.ca, deployment).map_err(refused)?;
            start(transport).await.map_err(refused)
        }
        Some((url, Some("postgres" | "postgresql"))) => {
            let options: PgConnectOptions = url
                .parse()
                .map_err(|err: sqlx::Error| refused(BusError::new("read the address", err)))?;
            start(PostgresTransport::new(options, deployment))
                .await
                .map_err(refused)
        }
        Some((url, _)) => Err(unknown(url)),
    }
}

/// Looks whether a queue can be used, without changing anything; says what it is.
pub async fn check(url: &str, ca: Option<&Path>) -> Result<&'static str, OpenError> {
    let refused = |source| OpenError::Queue {
        url: masked(url),
        source,
    };
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    let (name, transport): (_, Box<dyn Transport>) = match scheme {
        Some("redis" | "rediss") => {
            let transport = RedisTransport::new(url, ca, Uuid::nil()).map_err(refused)?;
            ("Redis", Box::new(transport))
        }
        Some("postgres" | "postgresql") => {
            let options = url
                .parse()
                .map_err(|err: sqlx::Error| refused(BusError::new("read the address", err)))?;
            (
                "PostgreSQL",
                Box::new(PostgresTransport::new(options, Uuid::nil())),
            )
        }
        Some("sqlite") => return Ok("in the server itself"),
        _ => return Err(unknown(url)),
    };
    match timeout(CHECK_TIMEOUT, transport.check()).await {
        Ok(checked) => checked.map(|()| name).map_err(refused),
        Err(late) => Err(refused(BusError::new("answer in time", late))),
    }
}

fn unknown(url: &str) -> OpenError {
    OpenError::UnknownScheme {
        setting: "queue",
        url: masked(url),
        supported: "redis://HOST, rediss://HOST or postgres://HOST/DATABASE, or omit it to use the database",
    }
}

/// A service that refuses us is an error; one that is away comes back.
async fn start(transport: impl Transport) -> Result<(Signals, Option<Bus>), BusError> {
    match timeout(CHECK_TIMEOUT, transport.check()).await {
        Ok(Ok(())) => {}
        Ok(Err(err)) if err.is_refusal() => return Err(err),
        Ok(Err(err)) => tracing::warn!(error = &err as &dyn Error, "the queue does not respond yet"),
        Err(_) => tracing::warn!("the queue does not respond yet"),
    }
    let (signals, bus) = Signals::over(transport);
    Ok((signals, Some(bus)))
}
