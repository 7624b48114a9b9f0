//! Hugging Face or a mirror of it. It is configured by the operator, so it may be at any address, and only it gets
//! the token.

use std::fmt;

use protocol::{address::Masked, base::HUGGING_FACE};
use reqwest::Url;

/// URL of Hugging Face, and the token.
#[derive(Clone)]
pub struct HubOptions {
    /// Base URL, without a trailing slash.
    pub endpoint: String,
    /// Token for gated and private repositories.
    pub token: Option<String>,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            endpoint: HUGGING_FACE.into(),
            token: None,
        }
    }
}

impl fmt::Debug for HubOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubOptions")
            .field("endpoint", &Masked(&self.endpoint))
            .field("has_token", &self.token.is_some())
            .finish()
    }
}

impl HubOptions {
    /// Reads the standard Hugging Face variables through `lookup`, such as [`std::env::var`].
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| lookup(name).filter(|value| !value.is_empty());
        let default = Self::default();
        Self {
            endpoint: set("HF_ENDPOINT").map_or(default.endpoint, |url| url.trim_end_matches('/').to_owned()),
            token: set("HF_TOKEN"),
        }
    }

    /// Whether a URL belongs to the hub's own server.
    pub(crate) fn is_at(&self, url: &Url) -> bool {
        self.url().is_some_and(|hub| hub.origin() == url.origin())
    }

    /// The token, if the URL belongs to the hub.
    pub(crate) fn token_for(&self, url: &Url) -> Option<&str> {
        let hub = self.url()?;
        let folder = hub.path().trim_end_matches('/');
        let below = url.path().strip_prefix(folder)?;
        let is_ours = hub.origin() == url.origin() && below.starts_with('/');
        self.token.as_deref().filter(|_| is_ours)
    }

    fn url(&self) -> Option<Url> {
        self.endpoint.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::HubOptions;

    #[test]
    fn the_token_is_for_the_hub_alone() {
        let hub = HubOptions::read(|name| match name {
            "HF_TOKEN" => Some("secret".into()),
            "HF_ENDPOINT" => Some("https://user:password@hub.example/mirror/".into()),
            _ => None,
        });
        let token = |url: &str| hub.token_for(&url.parse().unwrap());
        assert_eq!(token("https://hub.example/mirror/a/b"), Some("secret"));
        for other in [
            "http://hub.example/mirror/a/b",
            "https://hub.example:444/mirror/a/b",
            "https://hub.example/mirrors/a",
            "https://hub.example/other",
            "https://hub.example/mirror/../other",
            "https://hub.example.evil.example/mirror/a",
            "https://hub.example@evil.example/mirror/a",
            "https://evil.example/https://hub.example/mirror/a",
        ] {
            assert_eq!(token(other), None, "{other}");
        }
        let printed = format!("{hub:?}");
        assert!(
            !printed.contains("secret") && !printed.contains("password"),
            "{printed}"
        );
        assert_eq!(HubOptions::read(|_| Some(String::new())).token, None);
    }
}
