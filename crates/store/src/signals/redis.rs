//! Redis as the bus: one trimmed stream for each installation, which every server reads from where it is.

use std::{io, path::Path, time::Duration};

use async_trait::async_trait;
use redis::{
    AsyncCommands as _, AsyncConnectionConfig, Client, ErrorKind, RedisError, TlsCertificates,
    aio::MultiplexedConnection,
    streams::{StreamMaxlen, StreamRangeReply, StreamReadOptions, StreamReadReply},
};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::bus::{BusError, CREDENTIALS, Listener, Transport};

/// Messages that the stream keeps, about: a reader this far behind looks at everything again anyway.
const KEPT: usize = 1000;
/// A read waits this long for a message, on a connection of its own, since it stalls all others on it.
const BLOCK: Duration = Duration::from_secs(5);
/// No other command takes this long.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The field of a message.
const FIELD: &str = "m";

pub(crate) struct RedisTransport {
    client: Client,
    stream: String,
    /// For sending; made when it is needed.
    sender: Mutex<Option<MultiplexedConnection>>,
}

impl RedisTransport {
    /// The stream of an installation. Several may share a Redis. `ca`: a file with the authorities that may vouch
    /// for a rediss:// server, instead of the public ones.
    pub(crate) fn new(url: &str, ca: Option<&Path>, deployment: Uuid) -> Result<Self, BusError> {
        let opened = match ca {
            None => Client::open(url),
            Some(ca) => Client::build_with_tls(url, certificates(url, ca)?),
        };
        let unreadable = |err| {
            let fix = "set --queue or MORPHEUS_QUEUE to rediss://USER:PASSWORD@HOST:PORT";
            failed("read the address", err).refusal(Some(fix))
        };
        Ok(Self {
            client: opened.map_err(unreadable)?,
            stream: format!("morpheus:{deployment}:signals"),
            sender: Mutex::default(),
        })
    }

    async fn connect(&self, response_timeout: Duration) -> Result<MultiplexedConnection, BusError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(RESPONSE_TIMEOUT))
            .set_response_timeout(Some(response_timeout));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config);
        connection.await.map_err(|err| failed("connect", err))
    }
}

#[async_trait]
impl Transport for RedisTransport {
    async fn check(&self) -> Result<(), BusError> {
        let mut connection = self.connect(RESPONSE_TIMEOUT).await?;
        let newest: Result<StreamRangeReply, _> = connection.xrevrange_count(&self.stream, "+", "-", 1).await;
        newest.map(|_| ()).map_err(|err| failed("read the stream", err))
    }

    async fn publish(&self, message: &str) -> Result<(), BusError> {
        let mut sender = self.sender.lock().await;
        let mut connection = match sender.take() {
            Some(connection) => connection,
            None => self.connect(RESPONSE_TIMEOUT).await?,
        };
        let kept = StreamMaxlen::Approx(KEPT);
        let _: Option<String> = connection
            .xadd_maxlen(&self.stream, kept, "*", &[(FIELD, message)])
            .await
            .map_err(|err| failed("write to the stream", err))?;
        // One that failed is not put back.
        *sender = Some(connection);
        Ok(())
    }

    async fn listen(&self) -> Result<Box<dyn Listener>, BusError> {
        let mut connection = self.connect(BLOCK + RESPONSE_TIMEOUT).await?;
        let newest: StreamRangeReply = connection
            .xrevrange_count(&self.stream, "+", "-", 1)
            .await
            .map_err(|err| failed("read the stream", err))?;
        let after = newest.ids.into_iter().next().map(|entry| entry.id);
        Ok(Box::new(RedisListener {
            connection,
            stream: self.stream.clone(),
            after: after.unwrap_or_else(|| "0-0".to_owned()),
            pending: Vec::new(),
        }))
    }
}

struct RedisListener {
    connection: MultiplexedConnection,
    stream: String,
    /// The number of the newest entry that was read.
    after: String,
    /// What was read and is not handed out, the newest first.
    pending: Vec<String>,
}

#[async_trait]
impl Listener for RedisListener {
    async fn next(&mut self) -> Result<String, BusError> {
        loop {
            if let Some(message) = self.pending.pop() {
                return Ok(message);
            }
            let wait = usize::try_from(BLOCK.as_millis()).unwrap_or(usize::MAX);
            let options = StreamReadOptions::default().block(wait).count(KEPT);
            let read: Option<StreamReadReply> = self
                .connection
                .xread_options(&[&self.stream], &[&self.after], &options)
                .await
                .map_err(|err| failed("read the stream", err))?;
            let entries = read
                .into_iter()
                .flat_map(|read| read.keys)
                .flat_map(|key| key.ids);
            for entry in entries {
                // An entry of another kind is read as a message that makes no sense: look again.
                self.pending.push(entry.get(FIELD).unwrap_or_default());
                self.after = entry.id;
            }
            self.pending.reverse();
        }
    }
}

const CA_FIX: &str = "set --queue-ca or MORPHEUS_QUEUE_CA to a PEM file with its CA certificate";

/// The authorities of one file, instead of the public ones.
fn certificates(url: &str, ca: &Path) -> Result<TlsCertificates, BusError> {
    let refused =
        |err: io::Error| BusError::new("read the certificates of its authority", err).refusal(Some(CA_FIX));
    if !url.starts_with("rediss://") {
        let why = "only rediss:// connections use certificates";
        let fix = "set --queue or MORPHEUS_QUEUE to rediss://…, or omit --queue-ca or MORPHEUS_QUEUE_CA";
        return Err(BusError::new("use certificates", why).refusal(Some(fix)));
    }
    let shown = ca.display();
    let pem =
        std::fs::read(ca).map_err(|err| refused(io::Error::new(err.kind(), format!("`{shown}`: {err}"))))?;
    if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
        return Err(refused(io::Error::other(format!(
            "`{shown}` contains no PEM certificate"
        ))));
    }
    Ok(TlsCertificates {
        client_tls: None,
        root_cert: Some(pem),
    })
}

fn failed(doing: &'static str, err: RedisError) -> BusError {
    let is_refused = err.kind() == ErrorKind::AuthenticationFailed
        || matches!(err.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
    let fix = if is_refused {
        Some(CREDENTIALS)
    } else if protocol::problem::chain(&err).contains("certificate") {
        // The rustls error for an untrusted server.
        Some(CA_FIX)
    } else {
        None
    };
    BusError::new(doing, err).refusal(fix)
}
