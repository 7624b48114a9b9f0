//! Asks for one address, hop by hop.

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

/// A host that does not take a connection for so long is not there.
const CONNECT: Duration = Duration::from_secs(15);

/// Asks for files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    /// Goes where everybody may be sent.
    guarded: reqwest::Client,
    /// Goes to the hub, wherever that is.
    trusted: reqwest::Client,
    allowed: Ranges,
    hub: HubOptions,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// `bytes=5-`: a part of the file.
    pub range: Option<String>,
    /// The part is good only if the file is still the same.
    pub if_range: Option<HeaderValue>,
}

/// Why nothing, or not all, was fetched. No message holds an address: it may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It cannot be read.
    #[error("the address is not a valid one: write it like https://example.org/models/sdxl.safetensors")]
    Address,
    /// Another protocol.
    #[error("only http:// and https:// addresses are fetched, and `{0}:` is neither")]
    Scheme(String),
    /// It leads to where only this machine gets.
    #[error(
        "`{0}` is an address of this machine or of a private network, which nothing is fetched from: if you mean it, \
         allow its range with --allow-fetch-from (MORPHEUS_ALLOW_FETCH_FROM), for example --allow-fetch-from 10.0.0.0/8"
    )]
    Private(String),
    /// It was passed on and on.
    #[error("the server passed us on more than {MAX_FETCH_REDIRECTS} times")]
    Redirects,
    /// It was passed on to something that is no address.
    #[error("the server passed us on to what is no address")]
    BadRedirect,
    /// Nobody answers, or the connection broke.
    #[error("no answer ({reason})")]
    Connection {
        /// What the system says: `Connection refused`.
        reason: String,
        /// It may work another time.
        is_transient: bool,
    },
    /// Nobody answers in time.
    #[error("no answer came within {} s", FETCH_SILENCE.as_secs())]
    Silent,
    /// The bytes are not those of the file.
    #[error("the server compresses what was asked for as it is")]
    Encoded,
    /// It would never end.
    #[error("the server sends too slowly")]
    TooSlow,
}

impl FetchError {
    /// Whether it may pass by itself.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connection { is_transient, .. } => *is_transient,
            Self::Silent => true,
            _ => false,
        }
    }
}

impl Client {
    /// One that goes to public addresses, to those of `allowed`, and to the hub.
    pub fn new(agent: &str, hub: HubOptions, allowed: Ranges) -> Result<Self, FetchError> {
        let base = || {
            reqwest::Client::builder()
                .user_agent(agent)
                .connect_timeout(CONNECT)
                .read_timeout(FETCH_SILENCE)
                .redirect(Policy::none())
                .referer(false)
        };
        let built = |builder: reqwest::ClientBuilder| builder.build().map_err(connection);
        // A proxy would choose the address that is connected to, in our place.
        let guarded = if allowed.is_any() {
            base()
        } else {
            base().no_proxy().dns_resolver(Filter(allowed.clone()))
        };
        Ok(Self {
            guarded: built(guarded)?,
            trusted: built(base())?,
            allowed,
            hub,
        })
    }

    /// Where Hugging Face is.
    pub fn hub(&self) -> &HubOptions {
        &self.hub
    }

    /// Whether an address is of the hub's own server.
    pub fn is_of_hub(&self, address: &str) -> bool {
        address.parse().is_ok_and(|url| self.hub.is_at(&url))
    }

    /// Asks for a file and follows where it is passed on to. The answer need not be a success.
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

    /// Asks one server, if it may be asked.
    async fn hop(&self, url: &Url, wanted: &Wanted) -> Result<Response, FetchError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::Scheme(url.scheme().to_owned()));
        }
        let host = url.host_str().ok_or(FetchError::Address)?;
        let client = if self.hub.is_at(url) {
            &self.trusted
        } else {
            // However an IP address is spelled, it is in its usual form here. It is not resolved, so it is checked now.
            let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
            if ip.is_ok_and(|ip| !self.allowed.permit(ip)) {
                return Err(FetchError::Private(host.to_owned()));
            }
            &self.guarded
        };
        // Compressed, a range would be one of other bytes.
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
        answer.map_err(|err| match refused(&err) {
            true => FetchError::Private(host.to_owned()),
            false => connection(err),
        })
    }
}

/// Of the causes, the innermost says it best; the outer ones tell the address.
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

/// An answer whose body can be read.
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

    /// How long it says its body is.
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

/// Resolves names to those of their addresses that may be connected to.
struct Filter(Ranges);

/// A name that stands only for addresses that may not be.
#[derive(Debug)]
struct AllPrivate;

impl fmt::Display for AllPrivate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name stands for private addresses only")
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

/// Whether a request failed because of what its name stands for.
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
