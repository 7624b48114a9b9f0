//! The bytes of a weight file, wherever they lie. The one place of this module with unsafe code.

use std::{
    fs::File,
    io,
    ops::{Deref, Range},
    path::Path,
};

/// Read-only bytes.
pub(super) enum Bytes {
    Mapped(memmap2::Mmap),
    BuiltIn(&'static [u8]),
}

impl Bytes {
    /// Maps a file into memory.
    pub(super) fn map(path: &Path) -> io::Result<Self> {
        let other = || io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
        // Before it is opened: a pipe would be waited for.
        if !std::fs::metadata(path)?.is_file() {
            return Err(other());
        }
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(other());
        }
        #[expect(
            unsafe_code,
            reason = "a mapping is the only way to read parts of a 7 GB file without copying it first"
        )]
        // SAFETY: the mapping is private and read-only. Should another process change the file meanwhile, the
        // bytes change under us: they are only ever read as numbers of fixed size after the header has been
        // checked, so any content is valid. A file cut short meanwhile ends the process with SIGBUS.
        let map = unsafe { memmap2::Mmap::map(&file)? };
        Ok(Self::Mapped(map))
    }

    /// Gives back the memory of some bytes of a mapped file. They stay readable: the operating system reads them again.
    pub(super) fn release(&self, range: Range<usize>) {
        #[cfg(target_os = "linux")]
        if let Self::Mapped(map) = self {
            // Only whole pages that nothing else shares; a page is 64 KiB at most.
            const PAGE: usize = 1 << 16;
            let (start, end) = (range.start.next_multiple_of(PAGE), range.end / PAGE * PAGE);
            if start < end && end <= map.len() {
                #[expect(unsafe_code, reason = "memmap2 has no safe way to forget pages")]
                // SAFETY: forgetting changes private pages that were written to. Those of a read-only mapping of a file
                // never were, so that what is read there afterwards is the file, as before.
                let forgotten = unsafe {
                    map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, end - start)
                };
                if let Err(err) = forgotten {
                    tracing::debug!(error = %err, "failed to give back the memory of a mapped file");
                }
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = range;
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::BuiltIn(bytes) => bytes,
        }
    }
}
