//! Registered base models: their source, state and properties.

mod family;
mod prediction;
pub mod weights;

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

pub use self::{
    family::Traces,
    prediction::{Measured, Misfit, Prediction, ReadingLoss, UnknownPrediction},
};
use crate::{
    EditId,
    address::{Masked, masked},
    preset::BaseClass,
};

/// URL of Hugging Face, unless `HF_ENDPOINT` overrides it.
pub const HUGGING_FACE: &str = "https://huggingface.co";

/// Where a base model comes from, as one line of text.
///
/// | text | meaning |
/// |---|---|
/// | `/models/sdxl.safetensors` | a single-file checkpoint or a diffusers folder on the server's machine |
/// | `https://host/sdxl.safetensors`, with `#sha256=HEX` if its hash is known | a single-file checkpoint on the web |
/// | `hf:OWNER/REPOSITORY[@REVISION][:FILE]` | on Hugging Face: that file, or the repository's only one, or its diffusers folder |
/// | `edit:ID` | in the object store: the file of an edit that merged LoRAs into a base model |
#[derive(Clone, PartialEq, Eq)]
pub enum BaseSource {
    /// On the server's machine.
    Path(String),
    /// On the web.
    Url {
        /// The URL, without a fragment.
        url: String,
        /// Expected SHA-256 of the file in hexadecimal, if known.
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
    /// In the object store: what an edit has made.
    Edit(EditId),
}

/// Why a text is not a valid source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSource {
    /// The text is empty.
    #[error("must be a path, an https:// URL, or hf:OWNER/REPOSITORY")]
    Empty,
    /// Not a valid Hugging Face id.
    #[error(
        "`{0}` is not a valid Hugging Face id: use hf:OWNER/REPOSITORY, optionally followed by @REVISION and :FILE"
    )]
    Hub(String),
    /// Not the id of an edit.
    #[error(
        "`{0}` is not a valid id of an edit: use edit:ID, with the id of one that merged LoRAs into a base model"
    )]
    Edit(String),
    /// The URL has no host.
    #[error("`{}` has no host: use a URL such as https://example.org/models/sdxl.safetensors", masked(.0))]
    Url(String),
    /// The hash is invalid.
    #[error("after `#`, only sha256= and 64 hexadecimal digits are allowed")]
    Fragment,
    /// Unsupported protocol.
    #[error("`{0}:` URLs are not supported: use https:// or http://, a path, or hf:OWNER/REPOSITORY")]
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
            return hub(id).ok_or_else(|| InvalidSource::Hub(no_id(id)));
        }
        if let Some(id) = text.strip_prefix("edit:") {
            return id
                .parse()
                .map(Self::Edit)
                .map_err(|_| InvalidSource::Edit(no_id(id)));
        }
        match text.split_once("://") {
            Some(("http" | "https", rest)) => url(text, rest),
            Some((scheme, _)) => Err(InvalidSource::Scheme(scheme.to_owned())),
            None => Ok(Self::Path(text.to_owned())),
        }
    }
}

/// What stands in the place of an id, for a message. A whole address may have been put there.
fn no_id(text: &str) -> String {
    if text.contains("://") {
        masked(text)
    } else {
        text.to_owned()
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

/// Whether a path stays inside the folder that it is joined to.
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
            Self::Edit(id) => write!(f, "edit:{id}"),
        }
    }
}

impl fmt::Debug for BaseSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BaseSource").field(&self.shown()).finish()
    }
}

impl BaseSource {
    /// For people: without the parts of a URL that may be secret.
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

/// Properties of a base model that are needed before training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseFacts {
    /// Size class.
    pub class: BaseClass,
    /// Side of the square pictures it was trained on, in pixels.
    pub native_resolution: u32,
    /// What its U-Net is taken to predict: what a person set, or what its files say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// What says so, for messages; none if nothing does and epsilon is assumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_by: Option<String>,
    /// The title in its header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What a person should know about it, as sentences: tensors that are not used, statements that contradict each
    /// other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// State of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BaseState {
    /// It is being inspected or hashed.
    Checking,
    /// It is an SDXL model and its hash is known.
    Ready,
    /// Something is wrong with it; see `problem`.
    Failed,
}

/// State of the copy in the object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BaseCopy {
    /// No copy was requested.
    None,
    /// It is being copied or waits to be copied.
    Copying,
    /// The copy is complete.
    Stored,
    /// It could not be copied; see `problem`.
    Failed,
}

/// A registered base model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RegisteredBase {
    /// The name to use in jobs and generations.
    pub name: String,
    /// Its source, without secrets.
    pub source: String,
    /// It is defined in the server's settings and can only be removed there.
    pub from_settings: bool,
    /// State of the registration.
    pub state: BaseState,
    /// What is wrong and how to fix it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Size class; absent until its header was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<BaseClass>,
    /// Side of the square pictures it was trained on, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_resolution: Option<u32>,
    /// What its U-Net is taken to predict: what is set by hand, or what its files say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// What says so: a file, a key of a header, or the setting; absent if nothing does and epsilon is assumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_by: Option<String>,
    /// What its owner says about it, whatever its files say.
    pub settings: BaseSettings,
    /// What its U-Net was measured to do; absent until it was measured on some machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// What is unusual about it: tensors that are not used, statements that contradict each other or what was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Size of all its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Bytes hashed or copied so far by the current operation.
    pub done_bytes: u64,
    /// Number of its files: 1, or those of a diffusers folder.
    pub n_files: u32,
    /// SHA-256 of its file; absent for folders and until it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Whether other machines can download it, from its source or from the object store.
    pub is_fetchable: bool,
    /// State of the copy in the object store.
    pub copy: BaseCopy,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// Registers a base model.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterBase {
    /// The name to use in jobs and generations: 1 to 80 letters, digits, dots, dashes and underscores.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// An absolute path on the server's machine, in a folder that its settings allow (`--base-folder`), an `https://`
    /// address (with `#sha256=HEX` after it if the hash is known), `hf:OWNER/REPOSITORY[@REVISION][:FILE]`, or `edit:ID` for
    /// what an edit has merged LoRAs into, which is then kept for as long as the base model.
    #[schema(max_length = 2000)]
    pub source: String,
    /// What its U-Net predicts, whatever its files say; absent to take what they say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// A VAE in place of its own: a safetensors file, named as `source` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub vae: Option<String>,
}

impl fmt::Debug for RegisterBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterBase")
            .field("name", &self.name)
            .field("source", &Masked(&self.source))
            .field("prediction", &self.prediction)
            .field("vae", &self.vae.as_deref().map(Masked))
            .finish()
    }
}

/// What the owner of a base model says about it, whatever its files say.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BaseSettings {
    /// What its U-Net predicts; absent to take what its files say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// A VAE in place of its own: a safetensors file, named as the source of a base model is. In answers it is without
    /// secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub vae: Option<String>,
}

impl fmt::Debug for BaseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BaseSettings")
            .field("prediction", &self.prediction)
            .field("vae", &self.vae.as_deref().map(Masked))
            .finish()
    }
}

/// Parses the source of a VAE, which is a single file.
///
/// # Errors
/// If it is not a source, or not one of a file; the text says what would be right.
pub fn vae_source(text: &str) -> Result<BaseSource, String> {
    let source: BaseSource = text.parse().map_err(|err: InvalidSource| err.to_string())?;
    match &source {
        BaseSource::Hub { file: None, .. } => {
            Err("name the file of the VAE: hf:OWNER/REPOSITORY[@REVISION]:FILE".to_owned())
        }
        BaseSource::Edit(_) => Err("must be a VAE of its own: an edit makes whole base models".to_owned()),
        _ => Ok(source),
    }
}

/// Checks the name of a base model; returns what is wrong with it.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let is_good = (1..=80).contains(&name.len())
        && name != "tiny-xl"
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if is_good {
        Ok(())
    } else {
        Err("use 1 to 80 letters, digits, dots, dashes or underscores; `tiny-xl` is taken, it is built in")
    }
}

#[cfg(test)]
mod tests {
    use super::{BaseSource, InvalidSource, vae_source};

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
            "edit:0195d1a0-0000-7000-8000-000000000001",
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
            "edit:https://user:secret@example.org/a?secret",
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
        assert_eq!(parse("edit:mine"), InvalidSource::Edit("mine".into()));
        let edit = "edit:0195d1a0-0000-7000-8000-000000000001";
        assert!(vae_source(edit).unwrap_err().contains("a VAE of its own"));
    }
}
