//! One safetensors file.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::{FileError, bytes::Bytes};

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
    /// If it cannot be opened, is a pickle, or is not whole.
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
        if is_pickle(&path, &bytes) {
            return Err(FileError::Pickle { path });
        }
        let (header_length, header) = match SafeTensors::read_metadata(&bytes) {
            Ok(found) => found,
            Err(err) => return Err(FileError::Header { path, err }),
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

/// `torch.save` writes a zip archive, and before 2020 a bare pickle of protocol 2.
fn is_pickle(path: &Path, bytes: &[u8]) -> bool {
    let by_content = bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(&[0x80, 0x02]);
    let by_name = path
        .extension()
        .is_some_and(|extension| ["ckpt", "pt", "pth", "bin"].iter().any(|e| extension == *e));
    // A safetensors header begins with a brace, whatever the file is called.
    (by_content || by_name) && bytes.get(PREFIX) != Some(&b'{')
}
