//! A file on its way into the library: on the server's disk, hashed, and looked at before anything is made of it.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use bytes::Bytes;
use protocol::{
    limits::{MAX_LORA_BYTES, MAX_SAFETENSORS_HEADER_BYTES},
    safetensors::{self, Header},
};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::Scan;

/// Bytes that are read at once.
pub(super) const PIECE_BYTES: usize = 1 << 20;

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
        let mut written = Writer::new(NamedTempFile::new_in(folder)?);
        let mut n_bytes = 0;
        while let Some(piece) = next() {
            n_bytes += piece.len() as u64;
            if n_bytes <= MAX_LORA_BYTES {
                written.write_all(&piece)?;
            }
        }
        let file = written.done()?;
        Ok((n_bytes <= MAX_LORA_BYTES).then_some(file))
    }

    /// How a file with a header exceeds the limit for it, whatever else is wrong with the file. Blocks.
    pub(crate) fn beyond_limits(&self) -> io::Result<Option<String>> {
        let prefix = read(&mut self.file.reopen()?, safetensors::PREFIX_BYTES)?;
        let header_bytes = prefix
            .first_chunk()
            .map_or(0, |prefix| u64::from_le_bytes(*prefix));
        let is_there = header_bytes <= self.size_bytes.saturating_sub(safetensors::PREFIX_BYTES);
        Ok((is_there && header_bytes > MAX_SAFETENSORS_HEADER_BYTES).then(|| {
            format!(
                "has a header of {} MiB, which must have at most {} MiB; that of a LoRA for SDXL has less than one",
                header_bytes >> 20,
                MAX_SAFETENSORS_HEADER_BYTES >> 20
            )
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

/// Writes a file, and hashes it.
pub(super) struct Writer {
    file: NamedTempFile,
    size_bytes: u64,
    hasher: Sha256,
}

impl Writer {
    pub(super) fn new(file: NamedTempFile) -> Self {
        Self {
            file,
            size_bytes: 0,
            hasher: Sha256::new(),
        }
    }

    pub(super) fn done(mut self) -> io::Result<Incoming> {
        self.file.flush()?;
        Ok(Incoming {
            file: self.file,
            size_bytes: self.size_bytes,
            sha256: hex::encode(self.hasher.finalize()),
        })
    }
}

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n_written]);
        self.size_bytes += n_written as u64;
        Ok(n_written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn broken(err: &safetensors::HeaderError) -> String {
    format!("is not a whole safetensors file: {err}; download or copy it again")
}

/// At most so many bytes.
pub(super) fn read(file: &mut File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
