//! Posts a message to a URL that a user named.
//!
//! The rules are those of downloads, and stricter: no redirect is followed, the hub is not trusted and gets no token,
//! and of the answer only the status is read, so that nobody learns what an address answers.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    Url,
    header::{self, HeaderMap, HeaderValue},
};
use tokio::time::timeout;

use crate::{
    Client, FetchError,
    client::{failed, host},
};

/// A message to post.
#[derive(Debug, Clone)]
pub struct Post {
    /// Headers beside the type of the body, in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body: JSON.
    pub body: Bytes,
    /// Time for the whole exchange.
    pub limit: Duration,
}

impl Client {
    /// Checks a URL without sending anything. A name may still resolve to a forbidden address when it is used.
    pub fn check(&self, address: &str) -> Result<(), FetchError> {
        let url: Url = address.parse().map_err(|_| FetchError::Address)?;
        self.permit(host(&url)?).map(|_| ())
    }

    /// Posts a message to exactly this URL; returns the status of the answer. Its body is not read.
    pub async fn post(&self, address: &str, message: Post) -> Result<u16, FetchError> {
        let url: Url = address.parse().map_err(|_| FetchError::Address)?;
        let host = host(&url)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &message.headers {
            let value = HeaderValue::from_str(value).map_err(|_| FetchError::Address)?;
            headers.insert(*name, value);
        }
        let asking = self
            .permit(host)?
            .post(url.clone())
            .headers(headers)
            .body(message.body);
        let answer = timeout(message.limit, asking.send()).await;
        let answer = answer.map_err(|_| FetchError::Silent)?;
        let answer = answer.map_err(|err| failed(err, host))?;
        Ok(answer.status().as_u16())
    }
}
