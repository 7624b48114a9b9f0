//! A bucket of an S3 server: its settings, its pre-signed URLs, and the few requests that `object_store`
//! does not make. Each of these is a pre-signed URL that is used at once.

mod error;
mod settings;
mod sigv4;

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use object_store::{
    aws::{AmazonS3, AmazonS3Builder},
    prefix::PrefixStore,
};
use protocol::address::masked;
use reqwest::{Client, Method as HttpMethod, Response, Url, header};
use serde::Deserialize;
use sigv4::{Credentials, Presigned};
use uuid::Uuid;

pub use error::BucketError;
pub use settings::S3Settings;

use super::{BlobKey, UploadAddress, UrlOptions, signing::expiry};

/// The most bytes that S3 takes in one `PUT`.
pub(super) const MAX_PUT_BYTES: u64 = 5 << 30;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Our own requests are made at once; the rest is for clocks that differ.
const OWN_REQUEST_SECONDS: i64 = 300;
/// A server that says "slow down" is asked this often.
const N_TRIES: u32 = 4;

/// A bucket, or a folder in it.
#[derive(Clone)]
pub(super) struct Bucket {
    name: String,
    /// Ends with a slash unless it is empty.
    prefix: String,
    endpoint: Url,
    public_endpoint: Url,
    credentials: Credentials,
    http: Client,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("name", &self.name)
            .field("prefix", &self.prefix)
            .field("endpoint", &self.endpoint.as_str())
            .finish_non_exhaustive()
    }
}

/// A multipart upload that nobody finished.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UnfinishedUpload {
    pub(super) key: String,
    pub(super) upload_id: String,
    pub(super) initiated: DateTime<Utc>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UploadList {
    #[serde(default)]
    upload: Vec<UnfinishedUpload>,
    #[serde(default)]
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
}

impl Bucket {
    /// The bucket that `s3://BUCKET[/PREFIX]` names. Nothing is asked of the server yet.
    pub(super) fn open(url: &str, settings: &S3Settings) -> Result<Self, BucketError> {
        let place = url
            .strip_prefix("s3://")
            .ok_or_else(|| BucketError::Url { url: masked(url) })?;
        let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.trim_matches('/');
        let is_plain = |text: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || "-._/".contains(c))
        };
        if name.is_empty() || !is_plain(name) || !is_plain(prefix) || prefix.contains("//") {
            return Err(BucketError::Url { url: masked(url) });
        }
        let complete = settings.complete()?;
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .build()
            .map_err(|source| BucketError::Client { source })?;
        Ok(Self {
            name: name.to_owned(),
            prefix: if prefix.is_empty() {
                String::new()
            } else {
                format!("{prefix}/")
            },
            endpoint: complete.endpoint,
            public_endpoint: complete.public_endpoint,
            credentials: complete.credentials,
            http,
        })
    }

    /// The bucket as `object_store` knows it, keys relative to the prefix.
    pub(super) fn backend(&self) -> Result<PrefixStore<AmazonS3>, object_store::Error> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.name)
            .with_endpoint(self.endpoint.as_str().trim_end_matches('/'))
            .with_region(&self.credentials.region)
            .with_access_key_id(&self.credentials.access_key_id)
            .with_secret_access_key(&self.credentials.secret_access_key)
            .with_allow_http(self.endpoint.scheme() == "http")
            // Supabase Storage answers with an error to tags.
            .with_disable_tagging(true);
        if let Some(token) = &self.credentials.session_token {
            builder = builder.with_token(token);
        }
        Ok(PrefixStore::new(builder.build()?, self.prefix.as_str()))
    }

    /// `s3://BUCKET[/PREFIX]`, without a slash at the end.
    pub(super) fn url(&self) -> String {
        format!("s3://{}/{}", self.name, self.prefix)
            .trim_end_matches('/')
            .to_owned()
    }

    /// Where browsers and agents reach it: `https://host[:port]`.
    pub(super) fn public_origin(&self) -> String {
        self.public_endpoint.origin().ascii_serialization()
    }

    /// An address to `GET` a blob from.
    pub(super) fn get_url(&self, key: &BlobKey, options: &UrlOptions, now: DateTime<Utc>) -> String {
        let mut query = Vec::new();
        if let Some(content_type) = &options.content_type {
            query.push(("response-content-type", content_type.clone()));
        }
        if let Some(name) = &options.download_name {
            query.push(("response-content-disposition", super::attachment(name)));
        }
        // As addresses of local files, it stays the same for a while, so that browsers can cache what it shows.
        let seconds = options.valid_for.num_seconds().max(1);
        let ends_at = expiry(now, options.valid_for);
        let at = DateTime::from_timestamp(ends_at - 2 * seconds, 0).unwrap_or(now);
        let host = host_of(&self.public_endpoint);
        let request = Presigned {
            method: "GET",
            host: &host,
            path: &self.path(&self.public_endpoint, key.as_str()),
            query,
            valid_seconds: 2 * seconds,
            ..Presigned::default()
        };
        self.address(&self.public_endpoint, &self.credentials.presign(&request, at))
    }

    /// An address to `PUT` a blob's bytes to, as `key`. Size and hash are signed: a store that knows them
    /// refuses others.
    pub(super) fn put_url(&self, key: &str, sha256: &str, size_bytes: u64) -> UploadAddress {
        let headers = vec![
            ("content-length".to_owned(), size_bytes.to_string()),
            ("x-amz-checksum-sha256".to_owned(), base64_of_hex(sha256)),
        ];
        let host = host_of(&self.public_endpoint);
        let request = Presigned {
            method: "PUT",
            host: &host,
            path: &self.path(&self.public_endpoint, key),
            headers: &headers,
            valid_seconds: UrlOptions::put(size_bytes).valid_for.num_seconds(),
            ..Presigned::default()
        };
        let signed = self.credentials.presign(&request, crate::time::now());
        UploadAddress {
            url: self.address(&self.public_endpoint, &signed),
            headers: headers.into_iter().collect(),
        }
    }

    /// An address to get or replace an object by, whatever its bytes.
    pub(super) fn slot_url(&self, method: &str, key: &str, valid_seconds: i64) -> String {
        let host = host_of(&self.public_endpoint);
        let request = Presigned {
            method,
            host: &host,
            path: &self.path(&self.public_endpoint, key),
            valid_seconds,
            ..Presigned::default()
        };
        let signed = self.credentials.presign(&request, crate::time::now());
        self.address(&self.public_endpoint, &signed)
    }

    /// Asks for the first key, which shows that address, region, keys and bucket are right.
    pub(super) async fn check(&self) -> Result<(), BucketError> {
        let query = vec![
            ("list-type", "2".to_owned()),
            ("max-keys", "1".to_owned()),
            ("prefix", self.prefix.clone()),
        ];
        let answer = self.send(HttpMethod::GET, None, query, Vec::new()).await?;
        let status = answer.status().as_u16();
        let xml = answer.text().await.map_err(|err| self.unreachable(err))?;
        if xml.contains("<ListBucketResult") {
            return Ok(());
        }
        Err(BucketError::NoS3 {
            endpoint: self.endpoint.to_string(),
            status,
        })
    }

    /// Writes, reads, signs and deletes a small object, as the doctor does.
    pub(super) async fn probe(&self) -> Result<(), BucketError> {
        let key = format!("probe/{}", Uuid::now_v7());
        let bytes = b"morpheus doctor".to_vec();
        self.send(HttpMethod::PUT, Some(&key), Vec::new(), bytes.clone())
            .await?;
        let outcome = self.probe_read(&key, &bytes).await;
        self.send(HttpMethod::DELETE, Some(&key), Vec::new(), Vec::new())
            .await?;
        outcome
    }

    async fn probe_read(&self, key: &str, bytes: &[u8]) -> Result<(), BucketError> {
        let read = self
            .send(HttpMethod::GET, Some(key), Vec::new(), Vec::new())
            .await?;
        let read = read.bytes().await.map_err(|err| self.unreachable(err))?;
        if read != bytes {
            return Err(BucketError::OtherBytes {
                endpoint: self.endpoint.to_string(),
            });
        }
        if self.public_endpoint == self.endpoint {
            return Ok(());
        }
        let host = host_of(&self.public_endpoint);
        let request = Presigned {
            method: "GET",
            host: &host,
            path: &self.path(&self.public_endpoint, key),
            valid_seconds: OWN_REQUEST_SECONDS,
            ..Presigned::default()
        };
        let address = self.address(
            &self.public_endpoint,
            &self.credentials.presign(&request, crate::time::now()),
        );
        let public = self.public_endpoint.to_string();
        let answer = self.http.get(address).send().await;
        let answer = answer.map_err(|err| BucketError::PublicUnreachable {
            endpoint: public.clone(),
            source: err.without_url(),
        })?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(BucketError::PublicRefused {
            endpoint: public,
            status: answer.status().as_u16(),
        })
    }

    /// The SHA-256 that the store itself has computed of an object, in hexadecimal, if it does so.
    pub(super) async fn checksum(&self, key: &str) -> Result<Option<String>, BucketError> {
        let signed = [("x-amz-checksum-mode".to_owned(), "ENABLED".to_owned())];
        let answer = self
            .send_with(HttpMethod::HEAD, Some(key), Vec::new(), Vec::new(), &signed)
            .await?;
        let found = answer.headers().get("x-amz-checksum-sha256");
        Ok(found.and_then(|found| hex_of_base64(found.to_str().ok()?)))
    }

    /// All multipart uploads below the prefix that are not finished.
    pub(super) async fn unfinished(&self) -> Result<Vec<UnfinishedUpload>, BucketError> {
        let mut uploads = Vec::new();
        let mut markers = Vec::new();
        loop {
            let mut query = vec![("uploads", String::new()), ("prefix", self.prefix.clone())];
            query.append(&mut markers);
            let answer = self.send(HttpMethod::GET, None, query, Vec::new()).await?;
            let xml = answer.text().await.map_err(|err| self.unreachable(err))?;
            let page: UploadList =
                quick_xml::de::from_str(&xml).map_err(|source| BucketError::Unreadable {
                    endpoint: self.endpoint.to_string(),
                    source: Box::new(source),
                })?;
            uploads.extend(page.upload);
            match (
                page.is_truncated,
                page.next_key_marker,
                page.next_upload_id_marker,
            ) {
                (true, Some(key), id) => {
                    markers.push(("key-marker", key));
                    markers.extend(id.map(|id| ("upload-id-marker", id)));
                }
                _ => return Ok(uploads),
            }
        }
    }

    /// Throws away what came of a multipart upload.
    pub(super) async fn abort(&self, upload: &UnfinishedUpload) -> Result<(), BucketError> {
        let key = upload.key.strip_prefix(&self.prefix).unwrap_or(&upload.key);
        let query = vec![("uploadId", upload.upload_id.clone())];
        let aborted = self.send(HttpMethod::DELETE, Some(key), query, Vec::new()).await;
        match aborted {
            // Somebody was quicker.
            Err(BucketError::Refused { code, .. }) if code == "NoSuchUpload" => Ok(()),
            other => other.map(drop),
        }
    }

    async fn send(
        &self,
        method: HttpMethod,
        key: Option<&str>,
        query: Vec<(&str, String)>,
        body: Vec<u8>,
    ) -> Result<Response, BucketError> {
        self.send_with(method, key, query, body, &[]).await
    }

    async fn send_with(
        &self,
        method: HttpMethod,
        key: Option<&str>,
        query: Vec<(&str, String)>,
        body: Vec<u8>,
        headers: &[(String, String)],
    ) -> Result<Response, BucketError> {
        let host = host_of(&self.endpoint);
        let path = match key {
            Some(key) => self.path(&self.endpoint, key),
            None => format!("{}/{}", self.endpoint.path().trim_end_matches('/'), self.name),
        };
        let request = Presigned {
            method: method.as_str(),
            host: &host,
            path: &path,
            query,
            headers,
            valid_seconds: OWN_REQUEST_SECONDS,
        };
        let mut n_left = N_TRIES;
        loop {
            let signed = self.credentials.presign(&request, crate::time::now());
            let mut sending = self
                .http
                .request(method.clone(), self.address(&self.endpoint, &signed))
                .header(header::CONTENT_LENGTH, body.len())
                .body(body.clone());
            for (name, value) in headers {
                sending = sending.header(name, value);
            }
            let answer = sending.send().await.map_err(|err| self.unreachable(err))?;
            n_left -= 1;
            if answer.status().is_success() {
                return Ok(answer);
            }
            if !answer.status().is_server_error() || n_left == 0 {
                return Err(BucketError::of_answer(&self.name, self.endpoint.as_str(), answer).await);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The path of a key relative to the prefix.
    fn path(&self, endpoint: &Url, key: &str) -> String {
        let root = endpoint.path().trim_end_matches('/');
        format!("{root}/{}/{}{key}", self.name, self.prefix)
    }

    fn address(&self, endpoint: &Url, signed: &str) -> String {
        format!("{}{signed}", endpoint.origin().ascii_serialization())
    }

    fn unreachable(&self, err: reqwest::Error) -> BucketError {
        BucketError::Unreachable {
            endpoint: self.endpoint.to_string(),
            // The address holds a signature.
            source: err.without_url(),
        }
    }
}

/// The `Host` header that a client sends.
fn host_of(endpoint: &Url) -> String {
    let host = endpoint.host_str().unwrap_or_default();
    match endpoint.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn base64_of_hex(sha256: &str) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(hex::decode(sha256).unwrap_or_default())
}

fn hex_of_base64(checksum: &str) -> Option<String> {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    BASE64_STANDARD.decode(checksum).ok().map(hex::encode)
}
