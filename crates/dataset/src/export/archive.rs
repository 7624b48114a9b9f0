//! A zip archive that is sent while it is written: each entry is complete, with its sizes in front, before it is taken.
//!
//! The list of entries comes last, so that what breaks off is no archive.

use std::{
    fmt,
    io::{self, Seek, SeekFrom, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use zip::{CompressionMethod, ZipWriter, result::ZipError, write::SimpleFileOptions};

/// An archive that is being written. Of what was [taken](Archive::take) nothing is kept but the list of entries.
pub struct Archive {
    zip: ZipWriter<Window>,
    window: Window,
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").finish_non_exhaustive()
    }
}

impl Default for Archive {
    fn default() -> Self {
        let window = Window::default();
        Self {
            zip: ZipWriter::new(window.clone()),
            window,
        }
    }
}

impl Archive {
    /// Adds a file as it is, without compression: pictures are compressed already.
    ///
    /// # Errors
    /// If another file has the name.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(u32::try_from(bytes.len()).is_err());
        let n_before = self.window.lock().end();
        self.zip.start_file(name, options).map_err(failed)?;
        self.window.lock().n_complete = n_before;
        self.zip.write_all(bytes)
    }

    /// The bytes that are complete: all but the entry that was added last.
    pub fn take(&mut self) -> Vec<u8> {
        self.window.lock().take()
    }

    /// Writes the list of entries; returns all bytes that were not taken.
    ///
    /// # Errors
    /// None that memory has; the type is that of the writer.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        let Self { zip, window } = self;
        zip.finish().map_err(failed)?;
        let mut window = window.lock();
        window.n_complete = window.end();
        Ok(window.take())
    }
}

fn failed(err: ZipError) -> io::Error {
    match err {
        ZipError::Io(err) => err,
        err => io::Error::other(err),
    }
}

/// The end of a file, whose beginning is gone.
#[derive(Debug, Clone, Default)]
struct Window(Arc<Mutex<Rest>>);

#[derive(Debug, Default)]
struct Rest {
    /// Bytes before `bytes`, which were taken.
    n_taken: u64,
    bytes: Vec<u8>,
    /// Where the next byte is written, from the beginning of the file.
    position: u64,
    /// What lies before is never written to again.
    n_complete: u64,
}

impl Window {
    fn lock(&self) -> MutexGuard<'_, Rest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rest {
    fn end(&self) -> u64 {
        self.n_taken + self.bytes.len() as u64
    }

    fn take(&mut self) -> Vec<u8> {
        let n_bytes = usize::try_from(self.n_complete.saturating_sub(self.n_taken)).unwrap_or(0);
        let rest = self.bytes.split_off(n_bytes);
        self.n_taken += n_bytes as u64;
        std::mem::replace(&mut self.bytes, rest)
    }
}

impl Write for Window {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = self.lock();
        let at = usize::try_from(rest.position - rest.n_taken).map_err(io::Error::other)?;
        let n_over = bytes.len().min(rest.bytes.len() - at);
        rest.bytes[at..at + n_over].copy_from_slice(&bytes[..n_over]);
        rest.bytes.extend_from_slice(&bytes[n_over..]);
        rest.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let mut rest = self.lock();
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(offset) => rest.position.checked_add_signed(offset),
            SeekFrom::End(offset) => rest.end().checked_add_signed(offset),
        };
        let is_inside = |position: &u64| (rest.n_taken..=rest.end()).contains(position);
        let position = position.filter(is_inside).ok_or(io::ErrorKind::InvalidInput)?;
        rest.position = position;
        Ok(position)
    }
}
