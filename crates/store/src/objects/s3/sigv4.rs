//! Pre-signed URLs by AWS Signature Version 4: pure, so that an address asked for twice is the same one.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::objects::signing::percent_encode as encode;

/// Who signs.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: String,
    pub(super) session_token: Option<String>,
    pub(super) region: String,
}

/// What is signed. Header names are in lower case; `host` is added.
#[derive(Debug, Default)]
pub(super) struct Presigned<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    /// Path from the root, not encoded yet.
    pub(super) path: &'a str,
    pub(super) query: Vec<(&'a str, String)>,
    pub(super) headers: &'a [(String, String)],
    pub(super) valid_seconds: i64,
}

impl Credentials {
    /// Path and query that grant the request from `at` on.
    pub(super) fn presign(&self, request: &Presigned<'_>, at: DateTime<Utc>) -> String {
        let (date, time) = (at.format("%Y%m%d"), at.format("%Y%m%dT%H%M%SZ"));
        let scope = format!("{date}/{}/s3/aws4_request", self.region);
        let mut headers = vec![("host", request.host)];
        headers.extend(
            request
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.trim())),
        );
        headers.sort_unstable();
        let signed: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let signed = signed.join(";");
        let mut query = request.query.clone();
        query.extend([
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{}/{scope}", self.access_key_id)),
            ("X-Amz-Date", time.to_string()),
            ("X-Amz-Expires", request.valid_seconds.to_string()),
            ("X-Amz-SignedHeaders", signed.clone()),
        ]);
        if let Some(token) = &self.session_token {
            query.push(("X-Amz-Security-Token", token.clone()));
        }
        let mut query: Vec<(String, String)> = query
            .iter()
            .map(|(name, value)| (encode(name), encode(value)))
            .collect();
        query.sort_unstable();
        let pairs: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let query = pairs.join("&");
        let path = encode(request.path).replace("%2F", "/");
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let canonical = format!(
            "{}\n{path}\n{query}\n{headers}\n{signed}\nUNSIGNED-PAYLOAD",
            request.method
        );
        let hash = hex::encode(Sha256::digest(canonical));
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
        let mut key = mac(
            format!("AWS4{}", self.secret_access_key).as_bytes(),
            &date.to_string(),
        );
        for part in [self.region.as_str(), "s3", "aws4_request"] {
            key = mac(&key, part);
        }
        let signature = hex::encode(mac(&key, &text));
        format!("{path}?{query}&X-Amz-Signature={signature}")
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
