//! One safetensors file.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::{FileError, Stored, bytes::Bytes, sniff};

/// Length of the number in front of the header.
const PREFIX: usize = 8;

/// An open safetensors file: the header is read and checked, tensors are read on demand.
pub struct TensorFile {
    path: PathBuf,
    bytes: Bytes,
    data_start: usize,
    tensors: HashMap<String, TensorInfo>,
    metadata: HashMap<String, String>,
}

/// What the header says about a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Kind of its numbers.
    pub dtype: Dtype,
    /// Its shape; empty for a single number.
    pub shape: Vec<usize>,
    start: usize,
    end: usize,
}

impl std::fmt::Debug for TensorFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TensorFile")
            .field("path", &self.path)
            .field("n_tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

impl TensorFile {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be opened, is a pickle or anything else, or is not whole.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let bytes = Bytes::map(path).map_err(|err| match err.kind() {
            std::io::ErrorKind::NotFound => FileError::Missing { path: path.into() },
            _ => FileError::Open {
                path: path.into(),
                err,
            },
        })?;
        Self::parse(path.into(), bytes)
    }

    /// Reads a file that is part of the program. `name` stands for the path in errors.
    ///
    /// # Errors
    /// If it is not whole.
    pub fn built_in(name: &str, bytes: &'static [u8]) -> Result<Self, FileError> {
        Self::parse(name.into(), Bytes::BuiltIn(bytes))
    }

    fn parse(path: PathBuf, bytes: Bytes) -> Result<Self, FileError> {
        if let Some(err) = sniff::other(&path, &bytes) {
            return Err(err);
        }
        let (header_length, header) = match SafeTensors::read_metadata(&bytes) {
            Ok(found) => found,
            Err(err) => {
                return Err(sniff::wrong_length(&path, &bytes).unwrap_or(FileError::Header { path, err }));
            }
        };
        let tensors = header
            .tensors()
            .into_iter()
            .map(|(name, info)| {
                let (start, end) = info.data_offsets;
                let info = TensorInfo {
                    dtype: info.dtype,
                    shape: info.shape.clone(),
                    start,
                    end,
                };
                (name, info)
            })
            .collect();
        Ok(Self {
            data_start: PREFIX + header_length,
            tensors,
            metadata: header.metadata().clone().unwrap_or_default(),
            path,
            bytes,
        })
    }

    /// Where it lies, or the name of a built-in one.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The strings in its header (`__metadata__`).
    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.metadata
    }

    /// Names of its tensors, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// What the header says about a tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name)
    }

    /// The numbers of a tensor as f32, row by row.
    ///
    /// # Errors
    /// If there is no such tensor, or it holds other numbers than floats (single integers are read too:
    /// sd-scripts stores a LoRA's alpha so).
    pub fn read(&self, name: &str) -> Result<Vec<f32>, FileError> {
        let (info, bytes) = self.find(name)?;
        match info.dtype {
            Dtype::F32 => Ok(each(bytes, f32::from_le_bytes)),
            Dtype::F16 => Ok(each(bytes, |b| half::f16::from_le_bytes(b).to_f32())),
            Dtype::BF16 => Ok(each(bytes, |b| half::bf16::from_le_bytes(b).to_f32())),
            Dtype::F8_E4M3 => Ok(bytes.iter().map(|byte| e4m3(*byte)).collect()),
            // The upper half of an f16.
            Dtype::F8_E5M2 => Ok(each(bytes, |[b]| half::f16::from_le_bytes([0, b]).to_f32())),
            Dtype::F64 => Ok(each(bytes, |b| f64::from_le_bytes(b) as f32)),
            Dtype::I64 if info.shape.iter().product::<usize>() == 1 => {
                Ok(each(bytes, |b| i64::from_le_bytes(b) as f32))
            }
            found => Err(FileError::Dtype {
                path: self.path.clone(),
                name: name.to_owned(),
                found,
            }),
        }
    }

    /// The bytes of a tensor as they are stored, little-endian and row by row.
    ///
    /// # Errors
    /// If there is no such tensor.
    pub fn bytes(&self, name: &str) -> Result<&[u8], FileError> {
        Ok(self.find(name)?.1)
    }

    /// A tensor as it is stored.
    ///
    /// # Errors
    /// If there is no such tensor.
    pub fn stored(&self, name: &str) -> Result<Stored, FileError> {
        let (info, bytes) = self.find(name)?;
        Ok(Stored {
            dtype: info.dtype,
            shape: info.shape.clone(),
            bytes: bytes.to_vec(),
        })
    }

    /// Whether [`read`](Self::read) takes numbers of this kind.
    pub(crate) fn reads(dtype: Dtype) -> bool {
        matches!(
            dtype,
            Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64 | Dtype::F8_E4M3 | Dtype::F8_E5M2
        )
    }

    fn find(&self, name: &str) -> Result<(&TensorInfo, &[u8]), FileError> {
        let missing = || FileError::MissingTensor {
            path: self.path.clone(),
            name: name.to_owned(),
        };
        let info = self.tensors.get(name).ok_or_else(missing)?;
        let data = self.bytes.get(self.data_start..).unwrap_or_default();
        let bytes = data.get(info.start..info.end).ok_or_else(missing)?;
        Ok((info, bytes))
    }

    /// SHA-256 of the whole file in hexadecimal, as `ss_new_sd_model_hash` has it. Reads all of it.
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(&*self.bytes))
    }

    /// The first 8 digits of the SHA-256 of 64 KiB at 1 MiB: the short hash `ss_sd_model_hash` of old tools.
    pub fn short_hash(&self) -> String {
        let end = self.bytes.len().min(0x11_0000);
        let window = self.bytes.get(0x10_0000..end).unwrap_or_default();
        hex(&Sha256::digest(window)[..4])
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads little-endian numbers of `N` bytes each.
fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<N>();
    numbers.iter().map(|bytes| number(*bytes)).collect()
}

/// An 8-bit float of 4 bits of exponent and 3 of fraction, biased by 7, without infinities: E4M3 of Micikevicius et al.
/// 2022, *FP8 Formats for Deep Learning*, table 1.
fn e4m3(byte: u8) -> f32 {
    let (exponent, fraction) = (i32::from(byte >> 3 & 0xf), f32::from(byte & 7) / 8.0);
    let size = match (exponent, byte & 7) {
        (0xf, 7) => f32::NAN,
        (0, _) => fraction * 2f32.powi(-6),
        _ => (1.0 + fraction) * 2f32.powi(exponent - 7),
    };
    if byte & 0x80 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests;
