//! Writes safetensors files: the same bytes for the same content, and a whole file or none.
//!
//! The layout is that of the safetensors library (header padded to 8 bytes, tensors by name), so that the
//! hashes that sd-scripts computes over serialized files come out the same. Tensors are streamed: those of
//! a full SDXL checkpoint fill a gigabyte.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use candle_core::{DType, Tensor};
use half::f16;
use serde_json::{Map, Value, json};

use diffusion::{device::floats, weights::Stored};
use safetensors::Dtype;

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

/// Tensors on their way into a file.
pub struct TensorFile<'a> {
    entries: Vec<Entry<'a>>,
}

struct Entry<'a> {
    name: &'a str,
    dtype: String,
    shape: &'a [usize],
    n_bytes: usize,
    content: Content<'a>,
}

/// What a tensor's bytes are.
pub enum Content<'a> {
    /// The values of a host tensor: `f32` as stored with a precision, `u32` or `u8`.
    Values(&'a Tensor, Precision),
    /// Bytes as they are.
    Bytes(&'a [u8]),
    /// Computed each time they are needed: as many as the shape takes, or an error.
    Computed(Box<dyn Fn() -> io::Result<Vec<u8>> + 'a>),
}

impl<'a> TensorFile<'a> {
    /// Prepares a file of `f32`, `u32` or `u8` tensors, in the order of their names.
    pub fn new(tensors: impl IntoIterator<Item = &'a (String, Tensor)>, precision: Precision) -> Self {
        let entry = |(name, tensor): &'a (String, Tensor)| {
            let (dtype, n_bytes) = match tensor.dtype() {
                DType::U32 => ("U32", 4),
                DType::U8 => ("U8", 1),
                _ => (precision.name(), precision.n_bytes()),
            };
            Entry {
                name,
                dtype: dtype.to_owned(),
                shape: tensor.dims(),
                n_bytes: tensor.elem_count() * n_bytes,
                content: Content::Values(tensor, precision),
            }
        };
        let mut entries: Vec<_> = tensors.into_iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.name);
        Self { entries }
    }

    /// Prepares a file of tensors of any kind, in the order of the safetensors library: wide numbers first, then by
    /// name.
    pub fn of_kinds(tensors: impl IntoIterator<Item = (&'a str, Dtype, &'a [usize], Content<'a>)>) -> Self {
        let mut tensors: Vec<_> = tensors.into_iter().collect();
        tensors.sort_by_key(|&(name, dtype, ..)| (Reverse(dtype), name));
        let entry = |(name, dtype, shape, content): (&'a str, Dtype, &'a [usize], Content<'a>)| Entry {
            name,
            dtype: dtype.to_string(),
            shape,
            n_bytes: shape.iter().product::<usize>() * dtype.bitsize() / 8,
            content,
        };
        Self {
            entries: tensors.into_iter().map(entry).collect(),
        }
    }

    /// Prepares a file of tensors as they are.
    pub fn stored(tensors: &'a BTreeMap<String, Stored>) -> Self {
        Self::of_kinds(tensors.iter().map(|(name, stored)| {
            let content = Content::Bytes(&stored.bytes);
            (name.as_str(), stored.dtype, stored.shape.as_slice(), content)
        }))
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
        for entry in &self.entries {
            match &entry.content {
                Content::Values(tensor, precision) => write_values(tensor, *precision, out)?,
                Content::Bytes(bytes) => out.write_all(bytes)?,
                Content::Computed(bytes) => out.write_all(&bytes()?)?,
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
        for entry in &self.entries {
            let end = offset + entry.n_bytes;
            let described = json!({
                "dtype": entry.dtype,
                "shape": entry.shape,
                "data_offsets": [offset, end],
            });
            header.insert(entry.name.to_owned(), described);
            offset = end;
        }
        let mut header = Value::Object(header).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        header
    }
}

fn write_values(tensor: &Tensor, precision: Precision, out: &mut dyn Write) -> io::Result<()> {
    const CHUNK: usize = 16 * 1024;
    if tensor.dtype() == DType::U32 {
        let values = tensor.flatten_all().and_then(|tensor| tensor.to_vec1::<u32>());
        for value in values.map_err(io::Error::other)? {
            out.write_all(&value.to_le_bytes())?;
        }
        return Ok(());
    }
    if tensor.dtype() == DType::U8 {
        let bytes = tensor.flatten_all().and_then(|tensor| tensor.to_vec1::<u8>());
        return out.write_all(&bytes.map_err(io::Error::other)?);
    }
    let mut bytes = Vec::with_capacity(CHUNK * 4);
    let tensor = tensor.contiguous().map_err(io::Error::other)?;
    for values in floats(&tensor).map_err(io::Error::other)?.chunks(CHUNK) {
        bytes.clear();
        for &value in values {
            match precision {
                Precision::F16 => bytes.extend(f16::from_f32(value).to_le_bytes()),
                Precision::F32 => bytes.extend(value.to_le_bytes()),
            }
        }
        out.write_all(&bytes)?;
    }
    Ok(())
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
