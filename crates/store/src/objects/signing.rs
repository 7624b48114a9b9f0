//! Signed URLs of the local object store: what S3 calls pre-signed URLs.
//!
//! The signature covers everything that the address grants: method, key, expiry, size, and the headers that
//! the answer will carry. `/blob/{key}?exp=…&sig=…[&size=…][&type=…][&name=…]`

#[cfg(test)]
mod tests;

use std::fmt;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use super::BlobKey;

/// The secret that addresses are signed with.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// What a signed URL may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read the blob.
    Get,
    /// Write the blob.
    Put,
}

/// What a signed URL grants.
#[derive(Debug, Clone)]
pub struct UrlOptions {
    /// It is valid for at least this long, and less than twice as long.
    pub valid_for: TimeDelta,
    /// `Content-Type` of the answer.
    pub content_type: Option<String>,
    /// Name under which a browser saves the file.
    pub download_name: Option<String>,
    size_bytes: Option<u64>,
}

impl UrlOptions {
    /// To show a picture: valid for an hour.
    pub fn picture() -> Self {
        Self {
            content_type: Some("image/png".into()),
            ..Self::fetch(TimeDelta::hours(1))
        }
    }

    /// For a program that fetches bytes.
    pub fn fetch(valid_for: TimeDelta) -> Self {
        Self {
            valid_for,
            content_type: None,
            download_name: None,
            size_bytes: None,
        }
    }

    /// To save a file: valid for an hour.
    pub fn download(name: impl Into<String>) -> Self {
        Self {
            download_name: Some(name.into()),
            ..Self::fetch(TimeDelta::hours(1))
        }
    }

    /// Uploads of large files over slow lines take long; the lease, not the address, bounds an agent.
    pub(super) fn put(size_bytes: u64) -> Self {
        Self {
            size_bytes: Some(size_bytes),
            ..Self::fetch(TimeDelta::hours(6))
        }
    }
}

/// The query of a signed URL, as a request carries it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SignedQuery {
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// The signature.
    pub sig: String,
    /// Number of bytes that a `PUT` must bring.
    pub size: Option<u64>,
    /// `Content-Type` of the answer.
    #[serde(rename = "type")]
    pub content_type: Option<String>,
    /// Name under which a browser saves the file.
    pub name: Option<String>,
}

/// A signed URL that is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSignature {
    /// It was made for something else, or by somebody else.
    #[error("the signature does not match the URL")]
    Mismatch,
    /// It is too old.
    #[error("the URL has expired: request a new one")]
    Expired,
}

impl SigningKey {
    /// A new random secret.
    pub fn random() -> Self {
        Self(rand::random())
    }

    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        hex::decode(text).ok()?.try_into().ok().map(Self)
    }

    pub(crate) fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    pub(super) fn sign(&self, method: Method, key: &BlobKey, options: &UrlOptions) -> String {
        self.sign_at(method, key, options, crate::time::now())
    }

    pub(super) fn sign_at(
        &self,
        method: Method,
        key: &BlobKey,
        options: &UrlOptions,
        now: DateTime<Utc>,
    ) -> String {
        let mut query = SignedQuery {
            exp: expiry(now, options.valid_for),
            sig: String::new(),
            size: options.size_bytes,
            content_type: options.content_type.clone(),
            name: options.download_name.clone(),
        };
        query.sig = BASE64_URL_SAFE_NO_PAD.encode(self.mac(method, key, &query).finalize().into_bytes());
        let mut url = format!("/blob/{key}?exp={}&sig={}", query.exp, query.sig);
        if let Some(size) = query.size {
            url.push_str(&format!("&size={size}"));
        }
        for (name, value) in [("type", &query.content_type), ("name", &query.name)] {
            if let Some(value) = value {
                url.push_str(&format!("&{name}={}", percent_encode(value)));
            }
        }
        url
    }

    pub(super) fn verify(
        &self,
        method: Method,
        key: &BlobKey,
        query: &SignedQuery,
        now: DateTime<Utc>,
    ) -> Result<(), InvalidSignature> {
        let signature = BASE64_URL_SAFE_NO_PAD
            .decode(&query.sig)
            .map_err(|_| InvalidSignature::Mismatch)?;
        // Compares in constant time.
        self.mac(method, key, query)
            .verify_slice(&signature)
            .map_err(|_| InvalidSignature::Mismatch)?;
        if query.exp < now.timestamp() {
            return Err(InvalidSignature::Expired);
        }
        Ok(())
    }

    /// Every field with its length before it, so that no two different requests have the same text.
    fn mac(&self, method: Method, key: &BlobKey, query: &SignedQuery) -> Hmac<Sha256> {
        let method = match method {
            Method::Get => "GET",
            Method::Put => "PUT",
        };
        let fields = [
            Some(method.to_owned()),
            Some(key.to_string()),
            Some(query.exp.to_string()),
            query.size.map(|size| size.to_string()),
            query.content_type.clone(),
            query.name.clone(),
        ];
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        for field in &fields {
            match field {
                Some(text) => {
                    mac.update(format!("{}:", text.len()).as_bytes());
                    mac.update(text.as_bytes());
                }
                None => mac.update(b"-"),
            }
        }
        mac
    }
}

/// Rounded up, so that an address asked for twice is the same one and browsers can cache what it shows.
pub(super) fn expiry(now: DateTime<Utc>, valid_for: TimeDelta) -> i64 {
    let step = valid_for.num_seconds().max(1);
    (now.timestamp() + step).div_euclid(step) * step + step
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub(super) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// `Content-Disposition` with a name in any script (RFC 6266).
pub fn attachment(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() && !"\"\\%".contains(c) || c == ' ' {
                c
            } else {
                '_'
            }
        })
        .collect();
    let encoded = percent_encode(name);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}
