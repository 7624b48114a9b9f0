//! Asks endpoints about pictures of datasets.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use dataset::picture::{self, PictureError};
use fetch::{
    Client, FetchError, HubOptions, Ranges,
    chat::{ChatError, Endpoint, Patience, Question},
};
use protocol::problem::chain;
use store::caption_endpoints::SecretEndpoint;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Longest side at which a picture is sent, in pixels: what vision models look at, and little to send.
const MAX_SIDE: u32 = 1024;

/// Asks endpoints, at public addresses and those that the settings allow.
#[derive(Debug)]
pub(crate) struct Captioner {
    allowed: Ranges,
    client: OnceLock<Client>,
    /// One picture is read and decoded at a time: a large one takes 200 MB.
    decoding: Arc<Mutex<()>>,
}

impl Captioner {
    pub(crate) fn new(allowed: Ranges) -> Self {
        Self {
            allowed,
            client: OnceLock::new(),
            decoding: Arc::default(),
        }
    }

    /// Waits until no other picture is in memory.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.decoding).lock_owned().await
    }

    /// A stored picture as endpoints get it: small, without its mask and transparency. Decoding cannot be cancelled, so it has
    /// the turn until it ends.
    pub(crate) async fn small_png(stored: Bytes, turn: OwnedMutexGuard<()>) -> Result<Vec<u8>, String> {
        let small = move || -> Result<Vec<u8>, PictureError> {
            let pixels = picture::read_normalized(&stored)?;
            let png = picture::encode_png(&picture::fitted(&pixels, MAX_SIDE));
            drop(turn);
            Ok(png)
        };
        match tokio::task::spawn_blocking(small).await {
            Ok(made) => made.map_err(|err: PictureError| chain(&err)),
            Err(_) => Err("the picture could not be decoded".to_owned()),
        }
    }

    /// Says what is wrong with a URL, as far as that can be told without asking anybody.
    pub(crate) fn check(&self, url: &str) -> Result<(), String> {
        let checked = self.client().and_then(|client| client.check(url));
        checked.map_err(|err| explain(&err))
    }

    /// Asks about a picture that [`small_png`](Self::small_png) made; says what the model answers, or why it does not. No message holds the
    /// URL or the key.
    pub(crate) async fn describe(
        &self,
        endpoint: &SecretEndpoint,
        (prompt, png): (&str, &[u8]),
        patience: Patience,
    ) -> Result<String, String> {
        let client = self.client().map_err(|err| explain(&err))?;
        let asked = Endpoint {
            base_url: endpoint.url.clone(),
            key: endpoint.key.clone(),
            model: endpoint.model.clone(),
        };
        let question = Question {
            prompt,
            picture: png,
            media_type: "image/png",
        };
        let answer = asked.describe(client, question, patience).await;
        answer.map_err(|err| match err {
            ChatError::Fetch(err) => explain(&err),
            other => without_key(chain(&other), endpoint.key.as_deref()),
        })
    }

    fn client(&self) -> Result<&Client, FetchError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let agent = concat!("morpheus/", env!("CARGO_PKG_VERSION"));
        let client = Client::new(agent, HubOptions::default(), self.allowed.clone())?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// What is wrong, in terms of an endpoint. No message holds the URL.
fn explain(err: &FetchError) -> String {
    match err {
        FetchError::Private(host) => format!(
            "`{host}` is an address of this machine or of a private network, to which no pictures are sent: to allow it, \
             start the server with its range as --allow-fetch-from (MORPHEUS_ALLOW_FETCH_FROM), such as 127.0.0.0/8"
        ),
        FetchError::Address => "the URL is not valid: use one such as http://localhost:11434/v1".to_owned(),
        other => chain(other),
    }
}

/// Some services repeat a key that they refuse.
fn without_key(text: String, key: Option<&str>) -> String {
    match key {
        Some(key) => text.replace(key, "…"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::{Captioner, Ranges, without_key};

    #[test]
    fn private_addresses_need_permission() -> Result<(), String> {
        let url = "http://127.0.0.1:11434/v1";
        let refused = Captioner::new(Ranges::default()).check(url);
        let reason = refused.err().unwrap_or_default();
        assert!(reason.contains("--allow-fetch-from"), "{reason}");
        let local = ["127.0.0.0/8"].iter().filter_map(|range| range.parse().ok());
        let allowed = Captioner::new(local.collect());
        allowed.check(url)?;
        assert!(allowed.check("ftp://127.0.0.1/v1").is_err());
        Ok(())
    }

    #[test]
    fn a_key_that_a_service_repeats_is_left_out() {
        let said = "invalid key sk-1234".to_owned();
        assert_eq!(without_key(said.clone(), Some("sk-1234")), "invalid key …");
        assert_eq!(without_key(said.clone(), None), said);
    }
}
