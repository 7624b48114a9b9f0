//! One safetensors file.

use std::{
    collections::HashMap,
    ops::Range,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::{FileError, Stored, bytes::Bytes, sniff};
use crate::operation::Number;

/// Length of the number in front of the header.
const PREFIX: usize = 8;

/// Bytes that are hashed before the memory that they were read into is given back.
const HASHED_AT_ONCE: usize = 64 << 20;

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

impl TensorInfo {
    /// Bytes that it takes in the file.
    pub fn n_bytes(&self) -> usize {
        self.end - self.start
    }
}

impl std::fmt::Debug for TensorFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TensorFile")
            .field("path", &self.path)
            .field("n_tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

impl AsRef<[u8]> for TensorFile {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
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
        if let Some(number) = number_of(info.dtype) {
            let mut values = vec![0.0; bytes.len() / number.n_bytes()];
            number.widen(bytes, &mut values);
            return Ok(values);
        }
        match info.dtype {
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

    /// Where the numbers of a tensor lie in this file's [bytes](AsRef), and their kind, if weights can be multiplied with
    /// from there.
    pub(super) fn place(&self, name: &str) -> Option<(Number, Range<usize>)> {
        let (info, _) = self.find(name).ok()?;
        let range = self.data_start + info.start..self.data_start + info.end;
        Some((number_of(info.dtype)?, range))
    }

    /// Gives back the memory that the operating system lends for a tensor's bytes. They are read from the file again when
    /// they are next needed.
    pub(super) fn release(&self, name: &str) {
        if let Some(info) = self.tensors.get(name) {
            self.bytes
                .release(self.data_start + info.start..self.data_start + info.end);
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
        dtype == Dtype::F64 || number_of(dtype).is_some()
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
        let mut hasher = Sha256::new();
        for (i, part) in self.bytes.chunks(HASHED_AT_ONCE).enumerate() {
            hasher.update(part);
            let start = i * HASHED_AT_ONCE;
            self.bytes.release(start..start + part.len());
        }
        hex(&hasher.finalize())
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

/// The kind of numbers that weights can be multiplied with as they are stored.
fn number_of(dtype: Dtype) -> Option<Number> {
    match dtype {
        Dtype::F32 => Some(Number::F32),
        Dtype::F16 => Some(Number::F16),
        Dtype::BF16 => Some(Number::Bf16),
        Dtype::F8_E4M3 => Some(Number::E4m3),
        Dtype::F8_E5M2 => Some(Number::E5m2),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
