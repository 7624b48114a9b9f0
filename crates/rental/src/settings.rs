//! What is set for a provider: texts by the names of its settings.

use std::{collections::BTreeMap, fmt};

use protocol::recipe::Engine;
use reqwest::Url;

/// A setting of a provider. As a flag it is `--PROVIDER-NAME`, as a variable `MORPHEUS_PROVIDER_NAME`, and in the
/// settings file it stands in the provider's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name: `min-cuda`.
    pub name: &'static str,
    /// What the settings file calls it.
    pub file_key: &'static str,
    /// What stands for its value in the help.
    pub value: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Whether there may be several, separated by commas.
    pub is_list: bool,
}

/// An account's key, or a machine's own. It is never printed.
#[derive(Clone)]
pub struct Key(String);

impl Key {
    /// A key from a setting.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// For a request.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A setting that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{provider}: {reason}")]
pub struct SettingError {
    /// The provider's name.
    pub provider: &'static str,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// What is set for one provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<&'static str, String>);

impl Values {
    /// Sets a value, unless it is set already.
    pub fn set_default(&mut self, name: &'static str, value: String) {
        self.0.entry(name).or_insert(value);
    }

    /// Takes the values of others that are not set here.
    pub fn set_defaults(&mut self, others: Self) {
        for (name, value) in others.0 {
            self.set_default(name, value);
        }
    }

    /// A value; one that is empty is not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// A whole number above 0.
    ///
    /// # Errors
    /// If it is something else.
    pub fn number(&self, provider: &'static str, name: &str) -> Result<Option<u32>, SettingError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err(SettingError {
                provider,
                reason: format!("{name}: `{text}` is not a whole number above 0"),
            }),
        }
    }

    /// Where the provider is.
    ///
    /// # Errors
    /// If it is not a URL.
    pub fn url(&self, provider: &'static str, usual: &str) -> Result<Url, SettingError> {
        let text = self.get("url").unwrap_or(usual);
        text.parse().map_err(|_| SettingError {
            provider,
            reason: format!(
                "url: `{}` is not a valid URL; use one such as {usual}",
                protocol::address::masked(text)
            ),
        })
    }

    /// Engines, separated by commas.
    ///
    /// # Errors
    /// If there is no such engine.
    pub fn engines(&self, provider: &'static str) -> Result<Option<Vec<Engine>>, SettingError> {
        let Some(text) = self.get("engines") else {
            return Ok(None);
        };
        let engine = |name: &str| match name {
            "native" => Ok(Engine::Native),
            "kohya" => Ok(Engine::Kohya),
            _ => Err(SettingError {
                provider,
                reason: format!("engines: there is no engine `{name}`; use `native` or `kohya`"),
            }),
        };
        text.split(',')
            .map(str::trim)
            .map(engine)
            .collect::<Result<_, _>>()
            .map(Some)
    }
}
