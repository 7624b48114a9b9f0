//! How a rented machine ends itself.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use reqwest::{Certificate, Client, redirect};

use crate::children::Children;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that one try may take.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How a machine ends itself at its provider, in every way that is known.
#[async_trait]
pub trait OwnEnd: fmt::Debug + Send + Sync {
    /// What the provider calls this machine; `None` when its environment does not say.
    fn machine(&self) -> Option<&str>;

    /// Names of the ways, in the order in which they are tried.
    fn ways(&self) -> &'static [&'static str];

    /// Tries one of the ways, once, within half a minute. That the provider has accepted it proves nothing.
    async fn try_to_end(&self, way: &str, children: &mut Option<Children>) -> Result<(), Refused>;
}

/// A way to end a machine did nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Trying again may help.
    #[error("{0}")]
    Now(String),
    /// There is no such way here.
    #[error("{0}")]
    Always(&'static str),
}

/// A client for a machine that ends itself. It brings its own list of authorities, since an image without one could not
/// end its machine, and is made anew for each try: whatever was wrong with the last one's connections is forgotten.
///
/// # Errors
/// If this machine cannot do TLS.
pub fn http_client() -> reqwest::Result<Client> {
    let authorities = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter_map(|certificate| Certificate::from_der(certificate).ok());
    Client::builder()
        .user_agent(concat!("morpheus-agent/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .redirect(redirect::Policy::none())
        .tls_certs_merge(authorities)
        .build()
}
