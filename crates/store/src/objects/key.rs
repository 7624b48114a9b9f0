//! Keys of blobs: the hash of the bytes, so that a key can never point outside the store.

use std::{fmt, str::FromStr};

use object_store::path::Path;

/// `sha256/ab/cdef…`: the address of a blob, made of the hash of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(String);

/// A text that is not a valid key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a SHA-256 in lower-case hexadecimal, or the key of a stored file")]
pub struct InvalidKey(String);

const PREFIX: &str = "sha256/";

impl BlobKey {
    /// The key of bytes with this SHA-256, in lower-case hexadecimal.
    pub fn from_sha256(sha256: &str) -> Result<Self, InvalidKey> {
        let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if sha256.len() != 64 || !sha256.bytes().all(is_digit) {
            return Err(InvalidKey(sha256.to_owned()));
        }
        // The two-digit folder keeps folders of a local store small.
        Ok(Self(format!("{PREFIX}{}/{}", &sha256[..2], &sha256[2..])))
    }

    /// The SHA-256 of the blob's bytes, in hexadecimal.
    pub fn sha256(&self) -> String {
        self.0[PREFIX.len()..].replace('/', "")
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that an object lies under, if it is a blob's.
    pub(super) fn of_path(path: &Path) -> Option<Self> {
        path.as_ref().parse().ok()
    }

    pub(super) fn path(&self) -> Path {
        Path::from(self.0.as_str())
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BlobKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let invalid = || InvalidKey(text.to_owned());
        let hash = text.strip_prefix(PREFIX).ok_or_else(invalid)?;
        let (folder, rest) = hash.split_once('/').ok_or_else(invalid)?;
        if folder.len() != 2 {
            return Err(invalid());
        }
        Self::from_sha256(&format!("{folder}{rest}")).map_err(|_| invalid())
    }
}
