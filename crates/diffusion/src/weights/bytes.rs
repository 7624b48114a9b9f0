//! The bytes of a weight file, wherever they lie. The one place of this module with unsafe code.

use std::{fs::File, io, ops::Deref, path::Path};

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
