//! Requests one URL, checking each redirect.

use std::{
    error::Error as StdError,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use protocol::limits::{FETCH_SILENCE, MAX_FETCH_REDIRECTS};
use reqwest::{
    Response, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{self, HeaderMap, HeaderValue},
    redirect::Policy,
};
use tokio::time::{Instant, timeout};

use crate::{HubOptions, Ranges, pace::Pace};

/// Connection timeout.
const CONNECT: Duration = Duration::from_secs(15);

/// Downloads files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    /// Client for public hosts and the allowed ranges.
    guarded: reqwest::Client,
    /// Client for the hub, at any address.
    trusted: reqwest::Client,
    /// Like `guarded`, and waits as long as a request says.
    patient: reqwest::Client,
    allowed: Ranges,
    hub: HubOptions,
}

/// What to request.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// `bytes=5-`: a part of the file.
    pub range: Option<String>,
    /// The range is only valid if the file is unchanged (`If-Range`).
    pub if_range: Option<HeaderValue>,
}

/// Why a download failed or is incomplete. Messages contain no URL, because it may contain a secret.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL is invalid.
    #[error("the URL is not valid: use one such as https://example.org/models/sdxl.safetensors")]
    Address,
    /// Unsupported protocol.
    #[error("only http:// and https:// URLs are supported, not `{0}:`")]
    Scheme(String),
    /// It leads to a private address.
    #[error(
        "`{0}` is an address of this machine or of a private network, from which downloads are not allowed: to allow \
             them, add its range with --allow-fetch-from (MORPHEUS_ALLOW_FETCH_FROM), for example --allow-fetch-from \
             10.0.0.0/8"
    )]
    Private(String),
    /// Too many redirects.
    #[error("the server redirected more than {MAX_FETCH_REDIRECTS} times")]
    Redirects,
    /// A redirect to an invalid URL.
    #[error("the server redirected to an invalid URL")]
    BadRedirect,
    /// No response, or the connection broke.
    #[error("no response ({reason})")]
    Connection {
        /// What the system says: `Connection refused`.
        reason: String,
        /// A retry may work.
        is_transient: bool,
    },
    /// Timeout.
    #[error("no response within {} s", FETCH_SILENCE.as_secs())]
    Silent,
    /// Timeout of a request that says how long it waits.
    #[error("no complete answer within {} s", .0.as_secs())]
    Late(Duration),
    /// The response is encoded.
    #[error("the server compresses the response although this was not requested")]
    Encoded,
    /// The transfer is too slow.
    #[error("the server sends too slowly")]
    TooSlow,
}

impl FetchError {
    /// Whether a retry may work.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connection { is_transient, .. } => *is_transient,
            Self::Silent | Self::Late(_) => true,
            _ => false,
        }
    }
}

impl Client {
    /// A client for public addresses, those in `allowed`, and the hub.
    pub fn new(agent: &str, hub: HubOptions, allowed: Ranges) -> Result<Self, FetchError> {
        let base = || {
            reqwest::Client::builder()
                .user_agent(agent)
                .connect_timeout(CONNECT)
                .redirect(Policy::none())
                .referer(false)
        };
        let built = |builder: reqwest::ClientBuilder| builder.build().map_err(connection);
        // A proxy would choose the address to connect to instead of us.
        let guarded = || {
            if allowed.is_any() {
                base()
            } else {
                base().no_proxy().dns_resolver(Filter(allowed.clone()))
            }
        };
        Ok(Self {
            guarded: built(guarded().read_timeout(FETCH_SILENCE))?,
            trusted: built(base().read_timeout(FETCH_SILENCE))?,
            patient: built(guarded())?,
            allowed,
            hub,
        })
    }

    /// URL of Hugging Face.
    pub fn hub(&self) -> &HubOptions {
        &self.hub
    }

    /// Whether a URL belongs to the hub's own server.
    pub fn is_of_hub(&self, address: &str) -> bool {
        address.parse().is_ok_and(|url| self.hub.is_at(&url))
    }

    /// Requests a file and follows redirects. The response can have any status.
    pub async fn get(&self, address: &str, wanted: &Wanted) -> Result<Answer, FetchError> {
        let mut url: Url = address.parse().map_err(|_| FetchError::Address)?;
        for _ in 0..=MAX_FETCH_REDIRECTS {
            let answer = self.hop(&url, wanted).await?;
            if !is_redirect(answer.status()) {
                let encoding = answer.headers().get(header::CONTENT_ENCODING);
                if encoding.is_some_and(|encoding| encoding != "identity") {
                    return Err(FetchError::Encoded);
                }
                return Ok(Answer {
                    inner: answer,
                    pace: Pace::default(),
                });
            }
            let next = answer.headers().get(header::LOCATION);
            let next = next
                .and_then(|next| next.to_str().ok())
                .ok_or(FetchError::BadRedirect)?;
            url = url.join(next).map_err(|_| FetchError::BadRedirect)?;
        }
        Err(FetchError::Redirects)
    }

    /// Sends JSON to a server of a user and waits `limit` for its answer, which can have any status. Redirects are not
    /// followed, since the key would go along. The hub's token is not sent, and the hub's own address has to be allowed as any
    /// other.
    pub async fn ask(
        &self,
        address: &str,
        (key, body): (Option<&str>, &serde_json::Value),
        limit: Duration,
    ) -> Result<Answer, FetchError> {
        let url: Url = address.parse().map_err(|_| FetchError::Address)?;
        let host = host(&url)?;
        self.permit(host)?;
        let mut asking = self
            .patient
            .post(url.clone())
            .header(header::ACCEPT_ENCODING, "identity")
            .timeout(limit)
            .json(body);
        if let Some(key) = key {
            asking = asking.bearer_auth(key);
        }
        let inner = asking.send().await.map_err(|err| match err.is_timeout() {
            true => FetchError::Late(limit),
            false => failed(err, host),
        })?;
        Ok(Answer {
            inner,
            pace: Pace::default(),
        })
    }

    /// Sends a request to one server, if it is allowed.
    async fn hop(&self, url: &Url, wanted: &Wanted) -> Result<Response, FetchError> {
        let host = host(url)?;
        let client = if self.hub.is_at(url) {
            &self.trusted
        } else {
            self.permit(host)?
        };
        // With compression, a range would refer to different bytes.
        let mut asking = client
            .get(url.clone())
            .header(header::ACCEPT_ENCODING, "identity");
        if let Some(range) = &wanted.range {
            asking = asking.header(header::RANGE, range);
        }
        if let Some(etag) = &wanted.if_range {
            asking = asking.header(header::IF_RANGE, etag);
        }
        if let Some(token) = self.hub.token_for(url) {
            asking = asking.bearer_auth(token);
        }
        let answer = timeout(CONNECT + FETCH_SILENCE, asking.send()).await;
        let answer = answer.map_err(|_| FetchError::Silent)?;
        answer.map_err(|err| failed(err, host))
    }

    /// The client that asks a host beside the hub, unless the host is a forbidden address.
    pub(crate) fn permit(&self, host: &str) -> Result<&reqwest::Client, FetchError> {
        // However an IP address is spelled, it is in its usual form here. It is not resolved, so it is checked now.
        let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
        if ip.is_ok_and(|ip| !self.allowed.permit(ip)) {
            return Err(FetchError::Private(host.to_owned()));
        }
        Ok(&self.guarded)
    }
}

/// The host of a URL with a protocol that is supported.
pub(crate) fn host(url: &Url) -> Result<&str, FetchError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(FetchError::Scheme(url.scheme().to_owned()));
    }
    url.host_str().ok_or(FetchError::Address)
}

/// Why a host could not be asked.
pub(crate) fn failed(err: reqwest::Error, host: &str) -> FetchError {
    match refused(&err) {
        true => FetchError::Private(host.to_owned()),
        false => connection(err),
    }
}

/// Uses the innermost cause: the outer ones contain the URL.
fn connection(err: reqwest::Error) -> FetchError {
    let is_transient = !err.is_builder();
    let mut cause = err.source();
    let mut reason = "the connection failed".to_owned();
    while let Some(err) = cause {
        reason = err.to_string();
        cause = err.source();
    }
    FetchError::Connection { reason, is_transient }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// A response whose body can be read.
#[derive(Debug)]
pub struct Answer {
    inner: Response,
    pace: Pace,
}

impl Answer {
    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// Its headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// Its declared body length.
    pub fn content_length(&self) -> Option<u64> {
        self.inner.content_length()
    }

    /// The next piece of the body; `None` at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        let asked = Instant::now();
        let chunk = self.inner.chunk().await.map_err(connection)?;
        let n_bytes = chunk.as_ref().map_or(0, Bytes::len);
        if chunk.is_some() && !self.pace.note(n_bytes, asked.elapsed()) {
            return Err(FetchError::TooSlow);
        }
        Ok(chunk)
    }
}

/// Resolves names to the allowed ones of their addresses.
struct Filter(Ranges);

/// A name that resolves only to forbidden addresses.
#[derive(Debug)]
struct AllPrivate;

impl fmt::Display for AllPrivate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host name resolves to private addresses only")
    }
}

impl StdError for AllPrivate {}

impl Resolve for Filter {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0.clone();
        Box::pin(async move {
            let addresses = if is_localhost(name.as_str()) {
                let own = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
                permitted(own.into_iter().map(|ip| SocketAddr::new(ip, 0)), &allowed)
            } else {
                permitted(tokio::net::lookup_host((name.as_str(), 0)).await?, &allowed)
            };
            if addresses.is_empty() {
                return Err(AllPrivate.into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

/// Names of this machine, which not every resolver knows in every spelling (RFC 6761, section 6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

fn permitted(found: impl Iterator<Item = SocketAddr>, allowed: &Ranges) -> Vec<SocketAddr> {
    found.filter(|address| allowed.permit(address.ip())).collect()
}

/// Whether a request failed because its name resolves to forbidden addresses.
fn refused(err: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = err.source();
    while let Some(err) = cause {
        if err.is::<AllPrivate>() {
            return true;
        }
        cause = err.source();
    }
    false
}

#[cfg(test)]
mod tests;
