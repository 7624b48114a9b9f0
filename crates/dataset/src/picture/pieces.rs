//! A file with parts left out, readable as if it were whole, without a copy.

use std::{
    io::{self, BufRead, Read, Seek, SeekFrom},
    ops::Range,
};

/// Ranges of a file, one behind the other.
#[derive(Debug, Clone)]
pub(super) struct Pieces<'a> {
    file: &'a [u8],
    /// Each with the position where it begins.
    ranges: Vec<(u64, Range<usize>)>,
    n_bytes: u64,
    at: u64,
}

impl<'a> Pieces<'a> {
    /// Files with more pieces are made to be tedious.
    const MAX_PIECES: usize = 10_000;

    /// None of it.
    pub(super) fn of(file: &'a [u8]) -> Self {
        Self {
            file,
            ranges: Vec::new(),
            n_bytes: 0,
            at: 0,
        }
    }

    /// All of it.
    pub(super) fn whole(file: &'a [u8]) -> Self {
        Self {
            ranges: vec![(0, 0..file.len())],
            n_bytes: file.len() as u64,
            ..Self::of(file)
        }
    }

    /// Adds a range, which is within the file, at the end; one that continues the last one makes it longer.
    pub(super) fn push(&mut self, range: Range<usize>) -> Result<(), &'static str> {
        let n_bytes = range.len() as u64;
        let is_full = self.ranges.len() == Self::MAX_PIECES;
        match self.ranges.last_mut() {
            _ if range.is_empty() => {}
            Some((_, last)) if last.end == range.start => last.end = range.end,
            _ if is_full => return Err("it has too many parts"),
            _ => self.ranges.push((self.n_bytes, range)),
        }
        self.n_bytes += n_bytes;
        Ok(())
    }

    pub(super) fn len(&self) -> u64 {
        self.n_bytes
    }

    /// What is left of the piece that the position is in.
    fn rest(&self) -> &'a [u8] {
        let index = self.ranges.partition_point(|(start, _)| *start <= self.at);
        let Some((start, range)) = index.checked_sub(1).and_then(|index| self.ranges.get(index)) else {
            return &[];
        };
        let skipped = usize::try_from(self.at - start).unwrap_or(usize::MAX);
        self.file[range.clone()].get(skipped..).unwrap_or_default()
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.rest().read(buffer)?;
        self.at += n_bytes as u64;
        Ok(n_bytes)
    }
}

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.rest())
    }

    fn consume(&mut self, n_bytes: usize) {
        self.at += n_bytes as u64;
    }
}

impl Seek for Pieces<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.n_bytes.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
