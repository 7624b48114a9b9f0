//! The header of a safetensors file: what a file holds, told without reading a tensor.
//!
//! The layout is [the format's](https://huggingface.co/docs/safetensors/index#format): eight bytes with the length of
//! the header, the header in JSON, then the tensors. A header is untrusted: everything in it is checked against the
//! size of the file.

use std::{collections::BTreeMap, fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};

use crate::limits::{MAX_SAFETENSORS_HEADER_BYTES, MAX_SAFETENSORS_TENSORS};

/// Bytes before the header, which say how long it is.
pub const PREFIX_BYTES: u64 = 8;

/// Maximum number of dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;

/// How the numbers of a tensor are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the format's own names: letter and width in bits")]
pub enum Dtype {
    BOOL,
    U8,
    I8,
    #[serde(rename = "F8_E4M3")]
    F8E4M3,
    #[serde(rename = "F8_E5M2")]
    F8E5M2,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    I64,
    U64,
    F64,
}

impl Dtype {
    /// Bytes of one number.
    pub fn n_bytes(self) -> u64 {
        match self {
            Self::BOOL | Self::U8 | Self::I8 | Self::F8E4M3 | Self::F8E5M2 => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::BF16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

/// One tensor, as the header describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// How its numbers are stored.
    pub dtype: Dtype,
    /// Its dimensions.
    pub shape: Vec<u64>,
    /// Its bytes within the file.
    pub range: Range<u64>,
}

/// The contents of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Texts about the file: `ss_network_dim` and the like.
    pub metadata: BTreeMap<String, String>,
    /// Its tensors by name. Together they fill the file to its end, without a gap.
    pub tensors: BTreeMap<String, Tensor>,
}

/// Why a file is not a valid safetensors file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The file is too short for a header length.
    #[error("the file ends after {0} bytes, before its header")]
    TooShort(u64),
    /// The header length exceeds the file or the limit.
    #[error("its header length of {header_bytes} bytes exceeds the file ({file_bytes} bytes) or the limit ({most} bytes)", most = MAX_SAFETENSORS_HEADER_BYTES)]
    Length {
        /// The length stated in the file.
        header_bytes: u64,
        /// Size of the file.
        file_bytes: u64,
    },
    /// The header does not follow the format.
    #[error("its header is not a valid safetensors header: {0}")]
    Malformed(String),
    /// The description of a tensor is inconsistent.
    #[error("its tensor `{name}` {problem}")]
    Tensor {
        /// Name of the tensor.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The tensors do not fill the file.
    #[error("its tensors end at byte {end}, but the file ends at byte {file_bytes}")]
    Size {
        /// Where the last tensor ends.
        end: u64,
        /// Size of the file.
        file_bytes: u64,
    },
}

/// The bytes of the header within a file, of which the first eight are given.
pub fn header_range(prefix: &[u8], file_bytes: u64) -> Result<Range<u64>, HeaderError> {
    let Some(prefix) = prefix.first_chunk::<8>() else {
        return Err(HeaderError::TooShort(file_bytes.min(prefix.len() as u64)));
    };
    let header_bytes = u64::from_le_bytes(*prefix);
    let fits = header_bytes <= file_bytes.saturating_sub(PREFIX_BYTES);
    if !fits || !(2..=MAX_SAFETENSORS_HEADER_BYTES).contains(&header_bytes) {
        return Err(HeaderError::Length {
            header_bytes,
            file_bytes,
        });
    }
    Ok(PREFIX_BYTES..PREFIX_BYTES + header_bytes)
}

impl Header {
    /// Reads a header; `file_bytes` is the size of the whole file.
    pub fn parse(header: &[u8], file_bytes: u64) -> Result<Self, HeaderError> {
        let raw: Raw =
            serde_json::from_slice(header).map_err(|err| HeaderError::Malformed(err.to_string()))?;
        let first = PREFIX_BYTES + header.len() as u64;
        let mut tensors = BTreeMap::new();
        for (name, raw) in raw.tensors {
            match located(&raw, first) {
                Ok(tensor) => tensors.insert(name, tensor),
                Err(problem) => return Err(HeaderError::Tensor { name, problem }),
            };
        }
        let mut by_place: Vec<(&String, &Range<u64>)> = tensors
            .iter()
            .map(|(name, tensor)| (name, &tensor.range))
            .collect();
        by_place.sort_by_key(|(_, range)| (range.start, range.end));
        let mut end = first;
        for (name, range) in by_place {
            if range.start != end {
                return Err(HeaderError::Tensor {
                    name: name.clone(),
                    problem: "does not begin where the previous one ends",
                });
            }
            end = range.end;
        }
        if end != file_bytes {
            return Err(HeaderError::Size { end, file_bytes });
        }
        Ok(Self {
            metadata: raw.metadata,
            tensors,
        })
    }
}

/// The first bytes of a file, up to its tensors, with these texts among its metadata: what stands in place of those of the
/// file whose header is given. The tensors stay as they are.
pub fn with_metadata(header: &[u8], texts: &BTreeMap<String, String>) -> Result<Vec<u8>, HeaderError> {
    /// Tensors begin at a multiple of it, as the format's own writer has it.
    const ALIGNMENT: usize = 8;
    let malformed = |err: serde_json::Error| HeaderError::Malformed(err.to_string());
    let mut fields: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(malformed)?;
    let metadata = fields
        .entry("__metadata__".to_owned())
        .or_insert_with(|| serde_json::json!({}));
    let Some(metadata) = metadata.as_object_mut() else {
        return Err(HeaderError::Malformed("its metadata is not an object".to_owned()));
    };
    for (key, text) in texts {
        metadata.insert(key.clone(), serde_json::Value::String(text.clone()));
    }
    let mut new = serde_json::to_vec(&fields).map_err(malformed)?;
    new.resize(new.len().next_multiple_of(ALIGNMENT), b' ');
    let mut bytes = (new.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut new);
    Ok(bytes)
}

/// Position of a tensor in a file whose tensors begin at `first`.
fn located(raw: &RawTensor, first: u64) -> Result<Tensor, &'static str> {
    if raw.shape.len() > MAX_DIMENSIONS {
        return Err("has too many dimensions");
    }
    let [start, end] = raw.data_offsets;
    let numbers = raw
        .shape
        .iter()
        .try_fold(1_u64, |numbers, side| numbers.checked_mul(*side));
    let n_bytes = numbers.and_then(|numbers| numbers.checked_mul(raw.dtype.n_bytes()));
    if end.checked_sub(start) != n_bytes || n_bytes.is_none() {
        return Err("has a byte range that does not match its shape and type");
    }
    match (first.checked_add(start), first.checked_add(end)) {
        (Some(start), Some(end)) => Ok(Tensor {
            dtype: raw.dtype,
            shape: raw.shape.clone(),
            range: start..end,
        }),
        _ => Err("has an invalid byte range"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTensor {
    dtype: Dtype,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

struct Raw {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, RawTensor>,
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut raw = Raw {
            metadata: BTreeMap::new(),
            tensors: BTreeMap::new(),
        };
        let mut has_metadata = false;
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                if has_metadata {
                    return Err(A::Error::custom("it has metadata twice"));
                }
                has_metadata = true;
                raw.metadata = map.next_value()?;
                continue;
            }
            if raw.tensors.len() == MAX_SAFETENSORS_TENSORS {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Err(A::Error::custom(format!(
                    "it has more than {MAX_SAFETENSORS_TENSORS} tensors"
                )));
            }
            // Two readers may take different ones of the same name.
            if raw.tensors.contains_key(&name) {
                return Err(A::Error::custom(format!("it has the tensor `{name}` twice")));
            }
            let tensor = map.next_value()?;
            raw.tensors.insert(name, tensor);
        }
        Ok(raw)
    }
}

#[cfg(test)]
mod tests;
