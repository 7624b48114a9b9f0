//! A file on its way into the library: on the server's disk, hashed, and looked at before anything is made of it.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use bytes::Bytes;
use protocol::{
    limits::MAX_LORA_BYTES,
    safetensors::{self, Header},
};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::Scan;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 1 << 20;

/// An uploaded file, whole, before it is stored. It goes when this is dropped.
#[derive(Debug)]
pub struct Incoming {
    pub(crate) file: NamedTempFile,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: String,
}

impl Incoming {
    /// Writes a file into `folder`, piece by piece, until there are no more; none if it is larger than
    /// [`MAX_LORA_BYTES`]. Blocks.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn write(folder: &Path, mut next: impl FnMut() -> Option<Bytes>) -> io::Result<Option<Self>> {
        let mut file = NamedTempFile::new_in(folder)?;
        let (mut size_bytes, mut hasher) = (0, Sha256::new());
        while let Some(piece) = next() {
            size_bytes += piece.len() as u64;
            if size_bytes <= MAX_LORA_BYTES {
                hasher.update(&piece);
                file.write_all(&piece)?;
            }
        }
        file.flush()?;
        Ok((size_bytes <= MAX_LORA_BYTES).then(|| Self {
            file,
            size_bytes,
            sha256: hex::encode(hasher.finalize()),
        }))
    }

    /// The header of a safetensors file, or what is wrong with it. Blocks.
    pub(crate) fn header(&self) -> io::Result<Result<Header, String>> {
        let mut file = self.file.reopen()?;
        let prefix = read(&mut file, safetensors::PREFIX_BYTES)?;
        let range = match safetensors::header_range(&prefix, self.size_bytes) {
            Ok(range) => range,
            Err(err) => return Ok(Err(broken(&err))),
        };
        let header = read(&mut file, range.end - range.start)?;
        Ok(Header::parse(&header, self.size_bytes).map_err(|err| broken(&err)))
    }

    /// The first tensor with a number that is infinite or none. Blocks.
    pub(crate) fn not_finite(&self, header: &Header) -> io::Result<Option<String>> {
        let Some(first) = header.tensors.values().map(|tensor| tensor.range.start).min() else {
            return Ok(None);
        };
        let mut file = self.file.reopen()?;
        file.seek(SeekFrom::Start(first))?;
        let mut scan = Scan::new(header.clone());
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(scan.end().not_finite),
                n => scan.take(&piece[..n]),
            }
        }
    }
}

fn broken(err: &safetensors::HeaderError) -> String {
    format!("is not a whole safetensors file: {err}; download or copy it again")
}

/// At most so many bytes.
fn read(file: &mut File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
