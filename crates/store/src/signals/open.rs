//! Which bus the settings ask for.

use std::{error::Error, time::Duration};

use tokio::time::timeout;
use uuid::Uuid;

use super::{
    Bus, Signals,
    bus::{BusError, Transport},
    postgres::PostgresTransport,
    redis::RedisTransport,
};
use crate::{OpenError, db::without_password};

/// A service that does not answer in this time is waited for in the background.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// The signals of an installation. Without a queue of their own, PostgreSQL carries them when it is the
/// database, and they stay within the process when it is SQLite, which has one server only.
pub(crate) async fn open(
    queue: Option<&str>,
    database: Option<&str>,
    deployment: Uuid,
) -> Result<(Signals, Option<Bus>), OpenError> {
    let Some(url) = queue.or(database) else {
        return Ok((Signals::default(), None));
    };
    let refused = |source| OpenError::Queue {
        url: without_password(url),
        source,
    };
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some("redis" | "rediss") => {
            let transport = RedisTransport::new(url, deployment).map_err(refused)?;
            start(transport).await.map_err(refused)
        }
        Some("postgres" | "postgresql") => {
            let transport = PostgresTransport::new(url, deployment).map_err(refused)?;
            start(transport).await.map_err(refused)
        }
        // Whether the database's own address is right is said elsewhere.
        Some("sqlite") => Ok((Signals::default(), None)),
        _ if queue.is_none() => Ok((Signals::default(), None)),
        _ => Err(OpenError::UnknownScheme {
            setting: "queue",
            url: without_password(url),
            supported: "redis://HOST, rediss://HOST or postgres://HOST/DATABASE, or leave it out: the database does",
        }),
    }
}

/// A service that refuses us is an error; one that is away comes back.
async fn start(transport: impl Transport) -> Result<(Signals, Option<Bus>), BusError> {
    match timeout(CHECK_TIMEOUT, transport.check()).await {
        Ok(Ok(())) => {}
        Ok(Err(err)) if err.is_refusal => return Err(err),
        Ok(Err(err)) => tracing::warn!(error = &err as &dyn Error, "the queue does not answer yet"),
        Err(_) => tracing::warn!("the queue does not answer yet"),
    }
    let (signals, bus) = Signals::over(transport);
    Ok((signals, Some(bus)))
}
