//! Base models that were registered: where they come from, and what is known of them.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::{
    address::{Masked, masked},
    preset::BaseClass,
};

/// Where Hugging Face is, unless `HF_ENDPOINT` says otherwise.
pub const HUGGING_FACE: &str = "https://huggingface.co";

/// Where a base model comes from, as one line of text.
///
/// | text | meaning |
/// |---|---|
/// | `/models/sdxl.safetensors` | a single-file checkpoint or a diffusers folder on the server's machine |
/// | `https://host/sdxl.safetensors`, with `#sha256=HEX` if its hash is known | a single-file checkpoint on the web |
/// | `hf:OWNER/REPOSITORY[@REVISION][:FILE]` | on Hugging Face: that file, or the repository's only one, or its diffusers folder |
#[derive(Clone, PartialEq, Eq)]
pub enum BaseSource {
    /// On the server's machine.
    Path(String),
    /// On the web.
    Url {
        /// The address, without a fragment.
        url: String,
        /// What the file must hash to, in hexadecimal, if that is known beforehand.
        sha256: Option<String>,
    },
    /// On Hugging Face.
    Hub {
        /// `owner/repository`.
        repository: String,
        /// A branch, tag or commit; `main` when absent.
        revision: Option<String>,
        /// A single-file checkpoint in it.
        file: Option<String>,
    },
}

/// What is not a source, and what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSource {
    /// There is nothing.
    #[error("must be a path, an https:// address, or hf:OWNER/REPOSITORY")]
    Empty,
    /// Hugging Face has no such id.
    #[error(
        "`{0}` is no id of Hugging Face: write hf:OWNER/REPOSITORY, with @REVISION and :FILE after it if they matter"
    )]
    Hub(String),
    /// The address has no host.
    #[error("`{}` has no host: write it like https://example.org/models/sdxl.safetensors", masked(.0))]
    Url(String),
    /// A hash is not one.
    #[error("after the address, only #sha256= and 64 hexadecimal digits may stand behind a `#`")]
    Fragment,
    /// Another protocol.
    #[error("`{0}:` addresses are not fetched: use https:// or http://, a path, or hf:OWNER/REPOSITORY")]
    Scheme(String),
}

impl FromStr for BaseSource {
    type Err = InvalidSource;

    fn from_str(text: &str) -> Result<Self, InvalidSource> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidSource::Empty);
        }
        if let Some(id) = text.strip_prefix("hf:") {
            return hub(id).ok_or_else(|| {
                // A whole address may have been put there.
                let is_address = id.contains("://");
                InvalidSource::Hub(if is_address { masked(id) } else { id.to_owned() })
            });
        }
        match text.split_once("://") {
            Some(("http" | "https", rest)) => url(text, rest),
            Some((scheme, _)) => Err(InvalidSource::Scheme(scheme.to_owned())),
            None => Ok(Self::Path(text.to_owned())),
        }
    }
}

fn url(text: &str, rest: &str) -> Result<BaseSource, InvalidSource> {
    if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
        return Err(InvalidSource::Url(text.to_owned()));
    }
    let Some((url, fragment)) = text.split_once('#') else {
        return Ok(BaseSource::Url {
            url: text.to_owned(),
            sha256: None,
        });
    };
    let hash = fragment
        .strip_prefix("sha256=")
        .filter(|hash| is_sha256(hash))
        .ok_or(InvalidSource::Fragment)?;
    Ok(BaseSource::Url {
        url: url.to_owned(),
        sha256: Some(hash.to_ascii_lowercase()),
    })
}

/// `OWNER/REPOSITORY[@REVISION][:FILE]`.
fn hub(id: &str) -> Option<BaseSource> {
    let (id, file) = match id.split_once(':') {
        Some((id, file)) => (id, Some(file)),
        None => (id, None),
    };
    let (repository, revision) = match id.split_once('@') {
        Some((repository, revision)) => (repository, Some(revision)),
        None => (id, None),
    };
    let (owner, name) = repository.split_once('/')?;
    let is_good = is_hub_name(owner)
        && is_hub_name(name)
        && revision.is_none_or(|revision| revision.split('/').all(is_hub_name))
        && file.is_none_or(is_relative);
    is_good.then(|| BaseSource::Hub {
        repository: repository.to_owned(),
        revision: revision.map(str::to_owned),
        file: file.map(str::to_owned),
    })
}

fn is_hub_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Whether a path stays below the folder that it is joined to.
pub fn is_relative(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !path.contains(['\\', '\0', '?', '#', '%'])
        && !path.contains(char::is_control)
}

fn is_sha256(hash: &str) -> bool {
    hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl fmt::Display for BaseSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Url { url, sha256: None } => f.write_str(url),
            Self::Url {
                url,
                sha256: Some(hash),
            } => write!(f, "{url}#sha256={hash}"),
            Self::Hub {
                repository,
                revision,
                file,
            } => {
                write!(f, "hf:{repository}")?;
                if let Some(revision) = revision {
                    write!(f, "@{revision}")?;
                }
                if let Some(file) = file {
                    write!(f, ":{file}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for BaseSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BaseSource").field(&self.shown()).finish()
    }
}

impl BaseSource {
    /// For people: without what may be secret in an address.
    pub fn shown(&self) -> String {
        match self {
            Self::Url { url, .. } => masked(url),
            other => other.to_string(),
        }
    }
}

impl Serialize for BaseSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BaseSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What training needs to know of a base model beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseFacts {
    /// How large it is, as far as presets care.
    pub class: BaseClass,
    /// Side of the square pictures that it was trained on, in pixels.
    pub native_resolution: u32,
}

/// How far a registration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BaseState {
    /// It is being looked at, or hashed.
    Checking,
    /// It is an SDXL model, and its hash is known.
    Ready,
    /// Something is wrong with it; see `problem`.
    Failed,
}

/// Whether machines elsewhere can fetch it from the object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BaseCopy {
    /// It was not asked for.
    None,
    /// It is being copied, or waits for it.
    Copying,
    /// It is there.
    Stored,
    /// It could not be copied; see `problem`.
    Failed,
}

/// A base model that was registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RegisteredBase {
    /// The name to use in jobs and generations.
    pub name: String,
    /// Where it comes from, without secrets.
    pub source: String,
    /// It stands in the server's settings, and can only be removed there.
    pub from_settings: bool,
    /// How far it is.
    pub state: BaseState,
    /// What is wrong, and what would be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// How large it is, as far as presets care; absent until its header was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<BaseClass>,
    /// Side of the square pictures that it was trained on, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_resolution: Option<u32>,
    /// Size of all its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Of these, how many were hashed or copied by the work that is going on.
    pub done_bytes: u64,
    /// Number of its files: 1, or those of a diffusers folder.
    pub n_files: u32,
    /// SHA-256 of its file; absent for folders, and until it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Jobs on other machines can use it: they fetch it from its source, or from the object store.
    pub is_fetchable: bool,
    /// Whether it was copied into the object store.
    pub copy: BaseCopy,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// Registers a base model.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterBase {
    /// The name to use in jobs and generations: from 1 to 80 letters, digits, dots, dashes and underscores.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// An absolute path on the server's machine, in a folder that its settings allow (`--base-folder`), an `https://`
    /// address (with `#sha256=HEX` after it if the hash is known), or `hf:OWNER/REPOSITORY[@REVISION][:FILE]`.
    #[schema(max_length = 2000)]
    pub source: String,
}

impl fmt::Debug for RegisterBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterBase")
            .field("name", &self.name)
            .field("source", &Masked(&self.source))
            .finish()
    }
}

/// What is wrong with the name of a base model, if anything.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let is_good = (1..=80).contains(&name.len())
        && name != "tiny-xl"
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if is_good {
        Ok(())
    } else {
        Err(
            "use from 1 to 80 letters, digits, dots, dashes or underscores, and not `tiny-xl`, which is built in",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{BaseSource, InvalidSource};

    #[test]
    fn sources_are_told_apart_and_written_as_they_were_read() {
        let hash = "ab".repeat(32);
        for text in [
            "/models/sdxl.safetensors",
            "models/sdxl.safetensors",
            "https://example.org/a.safetensors?token=x",
            &format!("https://example.org/a.safetensors#sha256={hash}"),
            "hf:stabilityai/stable-diffusion-xl-base-1.0",
            "hf:owner/name@refs/pr/1:folder/file.safetensors",
        ] {
            let source: BaseSource = text.parse().unwrap();
            assert_eq!(source.to_string(), text);
        }
        assert_eq!(
            "hf:a/b@c:d/e".parse(),
            Ok(BaseSource::Hub {
                repository: "a/b".into(),
                revision: Some("c".into()),
                file: Some("d/e".into()),
            })
        );
    }

    #[test]
    fn what_is_secret_in_an_address_is_not_shown() {
        let secret: BaseSource = "https://user:password@example.org/a?token=x".parse().unwrap();
        assert_eq!(secret.shown(), "https://…@example.org/a?…");
        assert_eq!(
            format!("{secret:?}"),
            r#"BaseSource("https://…@example.org/a?…")"#
        );
        for text in [
            "https://?token=secret",
            "https://user:secret@example.org/a#secret",
            "hf:https://user:secret@huggingface.co/a/b?secret",
            "secret://user:secret@example.org",
        ] {
            let said = text.parse::<BaseSource>().unwrap_err().to_string();
            let said = said.strip_prefix("`secret:`").unwrap_or(&said);
            assert!(!said.contains("secret"), "{text}: {said}");
        }
    }

    #[test]
    fn what_is_no_source_is_refused_with_what_would_be() {
        let parse = |text: &str| text.parse::<BaseSource>().unwrap_err();
        assert_eq!(parse("  "), InvalidSource::Empty);
        for id in ["a", "a/b/c", "../b", "a/b@", "a/b:../c", "a/b:/c", "a/b:"] {
            assert_eq!(parse(&format!("hf:{id}")), InvalidSource::Hub(id.into()));
        }
        assert_eq!(parse("https:///x"), InvalidSource::Url("https:///x".into()));
        assert_eq!(parse("https://a/b#c"), InvalidSource::Fragment);
        assert_eq!(parse("ftp://a/b"), InvalidSource::Scheme("ftp".into()));
    }
}
