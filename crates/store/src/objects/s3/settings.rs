//! How to reach an S3 server and who asks.

use std::fmt;

use protocol::address::{Masked, masked};
use reqwest::Url;

use super::{BucketError, sigv4::Credentials};

/// How to reach an S3 server and who asks. The secrets in it are never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct S3Settings {
    /// Address of the server: `https://REF.storage.supabase.co/storage/v1/s3`. Left out: Amazon's in the region.
    pub endpoint: Option<String>,
    /// How agents and browsers reach it, when that is another address.
    pub public_endpoint: Option<String>,
    /// Its region. Left out: `us-east-1`.
    pub region: Option<String>,
    /// Who asks.
    pub access_key_id: Option<String>,
    /// What requests are signed with.
    pub secret_access_key: Option<String>,
    /// Belongs to keys that are valid for a while only.
    pub session_token: Option<String>,
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Settings")
            .field("endpoint", &self.endpoint.as_deref().map(Masked))
            .field("public_endpoint", &self.public_endpoint.as_deref().map(Masked))
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// Nothing is missing, and the addresses are addresses.
pub(super) struct Complete {
    pub(super) endpoint: Url,
    pub(super) public_endpoint: Url,
    pub(super) credentials: Credentials,
}

impl S3Settings {
    pub(super) fn complete(&self) -> Result<Complete, BucketError> {
        let given = |value: &Option<String>, missing: BucketError| {
            let value = value.clone().filter(|value| !value.is_empty());
            value.ok_or(missing)
        };
        let region = self.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
        let credentials = Credentials {
            access_key_id: given(&self.access_key_id, BucketError::NoAccessKeyId)?,
            secret_access_key: given(&self.secret_access_key, BucketError::NoSecretAccessKey)?,
            session_token: self.session_token.clone().filter(|token| !token.is_empty()),
            region: region.clone(),
        };
        let endpoint = match &self.endpoint {
            Some(endpoint) => parse(endpoint, "s3-endpoint")?,
            None => parse(&format!("https://s3.{region}.amazonaws.com"), "s3-region")?,
        };
        let public_endpoint = match &self.public_endpoint {
            Some(public) => parse(public, "s3-public-endpoint")?,
            None => endpoint.clone(),
        };
        Ok(Complete {
            endpoint,
            public_endpoint,
            credentials,
        })
    }
}

fn parse(address: &str, setting: &'static str) -> Result<Url, BucketError> {
    let invalid = || BucketError::Endpoint {
        setting,
        // It is refused for a password in it, among others.
        address: masked(address),
    };
    let url = Url::parse(address).map_err(|_| invalid())?;
    let is_right = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    is_right.then_some(url).ok_or_else(invalid)
}
