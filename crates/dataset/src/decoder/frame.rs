//! What a worker and its owner say to each other: a byte for the kind, the length, that many bytes.

use std::io::{self, Read, Write};

use protocol::finding::Measures;
use serde::{Deserialize, Serialize};

/// Kinds of frames.
pub(super) mod kind {
    /// From a worker, once: what keeps it in, as JSON.
    pub(in super::super) const HELLO: u8 = b'H';
    /// To a worker: a picture.
    pub(in super::super) const PICTURE: u8 = b'P';
    /// To a worker, before a picture: it is a page to split, as [`super::super::PageTask`] says in JSON.
    pub(in super::super) const TASK: u8 = b'S';
    /// From a worker: the picture that was sent is whole, with what it is as JSON.
    pub(in super::super) const PART: u8 = b'N';
    /// From a worker, at the end of a page that was split: what was found, as JSON.
    pub(in super::super) const PAGE: u8 = b'G';
    /// From a worker: more of the normalized picture.
    pub(in super::super) const PNG: u8 = b'D';
    /// From a worker, once: the thumbnail, as a file.
    pub(in super::super) const THUMBNAIL: u8 = b'T';
    /// From a worker, at the end: [`super::Outline`] as JSON.
    pub(in super::super) const OUTLINE: u8 = b'O';
    /// From a worker, at the end: why the picture is refused, as text.
    pub(in super::super) const REFUSED: u8 = b'R';
}

pub(super) const HEADER_BYTES: usize = 5;

/// Most bytes of one frame from a worker.
pub(super) const MAX_ANSWER_BYTES: usize = 1 << 20;

/// What is known of a picture beside its pixels.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outline {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) notes: Vec<String>,
    #[serde(default)]
    pub(super) measures: Option<Measures>,
}

/// The header of a frame.
pub(super) fn header(kind: u8, n_bytes: usize) -> [u8; HEADER_BYTES] {
    let length = u32::try_from(n_bytes).expect("no frame has four gigabytes");
    let [a, b, c, d] = length.to_be_bytes();
    [kind, a, b, c, d]
}

/// Kind and length of a frame.
pub(super) fn parse_header([kind, length @ ..]: [u8; HEADER_BYTES]) -> (u8, usize) {
    (kind, u32::from_be_bytes(length) as usize)
}

pub(super) fn write(to: &mut impl Write, kind: u8, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&header(kind, bytes.len()))?;
    to.write_all(bytes)
}

/// The next frame's kind and length; `None` at the end of the stream.
pub(super) fn read_header(from: &mut impl Read) -> io::Result<Option<(u8, usize)>> {
    let mut header = [0; HEADER_BYTES];
    let n_bytes = from.read(&mut header[..1])?;
    if n_bytes == 0 {
        return Ok(None);
    }
    from.read_exact(&mut header[1..])?;
    Ok(Some(parse_header(header)))
}
