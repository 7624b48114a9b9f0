//! Writes safetensors files: the same bytes for the same content, and a whole file or none.
//!
//! The layout is that of the safetensors library (header padded to 8 bytes, tensors by name), so that the
//! hashes that sd-scripts computes over serialized files come out the same. Tensors are streamed: those of
//! a full SDXL checkpoint fill a gigabyte.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use candle_core::{DType, Tensor};
use half::f16;
use serde_json::{Map, Value, json};

use diffusion::device::floats;

/// How `f32` numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Half precision, up to 65504.
    F16,
    /// Single precision.
    F32,
}

impl Precision {
    fn name(self) -> &'static str {
        match self {
            Self::F16 => "F16",
            Self::F32 => "F32",
        }
    }

    fn n_bytes(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

/// The file could not be written. What stood there before is still there.
#[derive(Debug, thiserror::Error)]
#[error("failed to write `{path}`")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why: for a full disk `no space left on device`.
    #[source]
    pub err: io::Error,
}

/// Tensors on their way into a file: `f32`, or `u32`.
pub struct TensorFile<'a> {
    tensors: Vec<(&'a str, &'a Tensor)>,
    precision: Precision,
}

impl<'a> TensorFile<'a> {
    /// Prepares a file of these tensors.
    pub fn new(tensors: impl IntoIterator<Item = &'a (String, Tensor)>, precision: Precision) -> Self {
        let mut tensors: Vec<_> = tensors
            .into_iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
            .collect();
        tensors.sort_by_key(|&(name, _)| name);
        Self { tensors, precision }
    }

    /// Writes header and tensors.
    pub fn write(&self, metadata: &BTreeMap<String, String>, out: &mut dyn Write) -> io::Result<()> {
        let header = self.header(metadata);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        self.write_data(out)
    }

    /// Writes the tensors alone, one after the other.
    pub fn write_data(&self, out: &mut dyn Write) -> io::Result<()> {
        const CHUNK: usize = 16 * 1024;
        let mut bytes = Vec::with_capacity(CHUNK * 4);
        for (_, tensor) in &self.tensors {
            if tensor.dtype() == DType::U32 {
                let values = tensor.flatten_all().and_then(|tensor| tensor.to_vec1::<u32>());
                for value in values.map_err(io::Error::other)? {
                    out.write_all(&value.to_le_bytes())?;
                }
                continue;
            }
            let tensor = tensor.contiguous().map_err(io::Error::other)?;
            for values in floats(&tensor).map_err(io::Error::other)?.chunks(CHUNK) {
                bytes.clear();
                for &value in values {
                    match self.precision {
                        Precision::F16 => bytes.extend(f16::from_f32(value).to_le_bytes()),
                        Precision::F32 => bytes.extend(value.to_le_bytes()),
                    }
                }
                out.write_all(&bytes)?;
            }
        }
        Ok(())
    }

    fn header(&self, metadata: &BTreeMap<String, String>) -> Vec<u8> {
        let mut header = Map::new();
        if !metadata.is_empty() {
            header.insert("__metadata__".to_owned(), json!(metadata));
        }
        let mut offset = 0;
        for &(name, tensor) in &self.tensors {
            let (dtype, n_bytes) = match tensor.dtype() {
                DType::U32 => ("U32", 4),
                _ => (self.precision.name(), self.precision.n_bytes()),
            };
            let end = offset + tensor.elem_count() * n_bytes;
            let entry = json!({
                "dtype": dtype,
                "shape": tensor.dims(),
                "data_offsets": [offset, end],
            });
            header.insert(name.to_owned(), entry);
            offset = end;
        }
        let mut header = Value::Object(header).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        header
    }
}

/// Writes a file through a temporary one beside it, so that a crash or a full disk leaves the old file, or
/// none, but never a part of the new one.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), WriteError> {
    let write_all = || {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        // Dropped on an error, and the temporary file with it.
        let mut temporary = temporary_in(folder)?;
        let mut out = BufWriter::with_capacity(1 << 20, temporary.as_file_mut());
        write(&mut out)?;
        out.flush()?;
        drop(out);
        temporary.as_file().sync_all()?;
        temporary.persist(path).map_err(|err| err.error)?;
        // Without this the file's name may be lost in a crash, although its content is not.
        File::open(folder)?.sync_all()
    };
    write_all().map_err(|err| WriteError {
        path: path.to_owned(),
        err,
    })
}

/// A temporary file that may be renamed to its place later: unlike others it may be read by whom the umask
/// allows, as any file that a program writes.
pub fn temporary_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

#[cfg(test)]
mod tests;
