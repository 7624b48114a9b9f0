//! PostgreSQL as the bus: LISTEN on a connection of its own, NOTIFY after the commit.
//!
//! Notifying inside of a transaction would be delivered with its commit, but makes all commits of the whole
//! server wait for each other; a message that is lost in between is harmless.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use uuid::Uuid;

use super::bus::{BusError, CREDENTIALS, Listener, Transport};

pub(crate) struct PostgresTransport {
    /// One connection listens, one sends.
    pool: PgPool,
    channel: String,
}

impl PostgresTransport {
    /// The channel of an installation. Must be a direct connection or a session pooler: a pooler that changes
    /// the session with each transaction hears nothing.
    pub(crate) fn new(options: PgConnectOptions, deployment: Uuid) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy_with(options);
        Self {
            pool,
            channel: format!("morpheus_{}", deployment.simple()),
        }
    }
}

#[async_trait]
impl Transport for PostgresTransport {
    async fn check(&self) -> Result<(), BusError> {
        let connection = self.pool.acquire().await;
        connection.map(|_| ()).map_err(|err| failed("connect", err))
    }

    async fn publish(&self, message: &str) -> Result<(), BusError> {
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(&self.channel)
            .bind(message)
            .execute(&self.pool)
            .await
            .map(|_| ())
            .map_err(|err| failed("notify", err))
    }

    async fn listen(&self) -> Result<Box<dyn Listener>, BusError> {
        let mut listener = PgListener::connect_with(&self.pool)
            .await
            .map_err(|err| failed("connect", err))?;
        // It must not connect again by itself, unnoticed.
        listener.eager_reconnect(false);
        listener
            .listen(&self.channel)
            .await
            .map_err(|err| failed("listen", err))?;
        Ok(Box::new(PostgresListener(listener)))
    }
}

struct PostgresListener(PgListener);

#[async_trait]
impl Listener for PostgresListener {
    async fn next(&mut self) -> Result<String, BusError> {
        match self.0.try_recv().await {
            Ok(Some(notification)) => Ok(notification.payload().to_owned()),
            Ok(None) => Err(BusError::new("listen", "the connection broke")),
            Err(err) => Err(failed("listen", err)),
        }
    }
}

fn failed(doing: &'static str, err: sqlx::Error) -> BusError {
    let code = err.as_database_error().and_then(|err| err.code());
    // Class 28: who we are is not accepted. 3D000: there is no such database.
    let fix = match code.as_deref() {
        Some(code) if code.starts_with("28") => Some(CREDENTIALS),
        Some("3D000") => Some("create its database, or correct the name"),
        None if err.to_string().contains("certificate") => {
            Some("add `sslrootcert=FILE` with its CA certificate to the URL of --queue or MORPHEUS_QUEUE")
        }
        _ => None,
    };
    BusError::new(doing, err).refusal(fix)
}
