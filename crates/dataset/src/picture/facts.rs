//! What a file says about its picture, read without any decoder and without room for more than the file itself.
//!
//! A decoder makes room for whatever a header promises: sizes of frames, tables, profiles, texts. So each format
//! is walked here first. Sizes are checked, metadata is taken out as slices of the file, and what is left for the
//! decoder ([`Facts::pieces`]) is what the pixels need and nothing else: no decoder of ours ever sees a color
//! profile, a text, or the second frame of an animation.

use std::{borrow::Cow, io::Read as _};

use flate2::read::ZlibDecoder;
use image::{ImageFormat, metadata::Orientation};
use protocol::limits;

use super::{MAX_PIXELS, MAX_SIDE, PictureError, pieces::Pieces};
use crate::sniff::format_name;

mod gif;
pub(super) mod jpeg;
pub(super) mod png;
pub(super) mod tiff;
pub(super) mod webp;

/// What a walk has found.
pub(super) struct Facts<'a> {
    /// Width and height in pixels; for BMP, whose header is all there is, the decoder says.
    pub(super) size: Option<(u32, u32)>,
    /// The parts of the file that the pixels are decoded from.
    pub(super) pieces: Pieces<'a>,
    /// Its color profile.
    pub(super) profile: Profile<'a>,
    /// How it is to be turned.
    pub(super) orientation: Orientation,
    /// Colors are stored as numbers of a palette.
    pub(super) is_palette: bool,
    /// Colors are stored as amounts of ink.
    pub(super) is_cmyk: bool,
    /// Bytes that the decoder needs beside the pixels that it gives out, at most.
    pub(super) working_bytes: u64,
}

/// A color profile as it stands in the file.
pub(super) enum Profile<'a> {
    /// The file has no profile.
    None,
    /// Its bytes.
    Found(Cow<'a, [u8]>),
    /// It is broken, or larger than any profile that is one.
    Unusable,
}

impl<'a> Facts<'a> {
    fn new(size: (u32, u32), pieces: Pieces<'a>) -> Self {
        Self {
            size: Some(size),
            pieces,
            profile: Profile::None,
            orientation: Orientation::NoTransforms,
            is_palette: false,
            is_cmyk: false,
            working_bytes: 0,
        }
    }
}

impl<'a> Profile<'a> {
    /// A profile that stands in the file as it is.
    fn plain(bytes: &'a [u8]) -> Self {
        if bytes.len() > limits::MAX_COLOR_PROFILE_BYTES {
            return Self::Unusable;
        }
        Self::Found(Cow::Borrowed(bytes))
    }

    /// A profile that is packed with zlib; one that unpacks to more than a profile has is not unpacked further.
    fn packed(bytes: &[u8]) -> Self {
        let mut profile = Vec::new();
        let limit = limits::MAX_COLOR_PROFILE_BYTES as u64;
        match ZlibDecoder::new(bytes).take(limit + 1).read_to_end(&mut profile) {
            Ok(n_bytes) if n_bytes as u64 <= limit => Self::Found(Cow::Owned(profile)),
            _ => Self::Unusable,
        }
    }
}

/// Walks a file of this format. Animations, several pages and sizes that are not decoded are refused here.
pub(super) fn read(bytes: &[u8], format: ImageFormat) -> Result<Facts<'_>, PictureError> {
    let facts = match format {
        ImageFormat::Png => png::read(bytes),
        ImageFormat::Jpeg => jpeg::read(bytes),
        ImageFormat::Gif => gif::read(bytes),
        ImageFormat::WebP => webp::read(bytes),
        ImageFormat::Tiff => tiff::read(bytes),
        _ => Ok(Facts {
            size: None,
            // Its decoder reads single rows.
            ..Facts::new((0, 0), Pieces::whole(bytes))
        }),
    };
    let facts = facts.map_err(|objection| objection.of(format))?;
    if let Some((width, height)) = facts.size {
        check_size(width, height)?;
    }
    Ok(facts)
}

/// Refuses a picture with more pixels than we decode.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), PictureError> {
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(PictureError::TooLarge { width, height });
    }
    Ok(())
}

/// Why a walk went no further.
#[derive(Debug, PartialEq, Eq)]
enum Objection {
    Damaged(String),
    Animated,
    ManyPages,
    /// A part of the picture is larger than we decode: width and height of it.
    TooLarge(u32, u32),
}

impl Objection {
    fn of(self, format: ImageFormat) -> PictureError {
        match self {
            Self::Damaged(problem) => PictureError::Damaged {
                format: format_name(format),
                problem,
            },
            Self::Animated => PictureError::Animated(format_name(format)),
            Self::ManyPages => PictureError::ManyPages,
            Self::TooLarge(width, height) => PictureError::TooLarge { width, height },
        }
    }
}

impl From<&str> for Objection {
    fn from(problem: &str) -> Self {
        Self::Damaged(problem.to_owned())
    }
}

const TRUNCATED: &str = "it ends in the middle of the picture";

/// A frame or canvas that a file declares, if it may be decoded.
fn checked(width: u32, height: u32) -> Result<(u32, u32), Objection> {
    if width == 0 || height == 0 {
        return Err("it has no pixels".into());
    }
    check_size(width, height).map_err(|_| Objection::TooLarge(width, height))?;
    Ok((width, height))
}

/// How a picture is to be turned, from its EXIF data.
fn orientation(exif: &[u8]) -> Orientation {
    Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms)
}

/// Reads numbers from a slice, front to back.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn take(&mut self, n_bytes: usize) -> Result<&'a [u8], Objection> {
        let end = self.at.checked_add(n_bytes).ok_or(TRUNCATED)?;
        let taken = self.bytes.get(self.at..end).ok_or(TRUNCATED)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Objection> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u8(&mut self) -> Result<u8, Objection> {
        Ok(self.array::<1>()?[0])
    }

    fn u16_le(&mut self) -> Result<u16, Objection> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    fn u32_le(&mut self) -> Result<u32, Objection> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u16_be(&mut self) -> Result<u16, Objection> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32_be(&mut self) -> Result<u32, Objection> {
        Ok(u32::from_be_bytes(self.array()?))
    }
}
