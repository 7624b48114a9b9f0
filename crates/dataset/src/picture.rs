//! Decodes a picture of any kind and normalizes it: plain sRGB pixels, upright, in a PNG.
//!
//! A picture that is transparent somewhere keeps its alpha. Engines see it laid on white, and the alpha as a mask that says
//! where a training looks ([`read_masked`]), unless it has a mask picture for that ([`with_mask`]).
//!
//! This folder owns every picture decoder of the workspace; `cargo xtask tidy` finds one that is named elsewhere.
//! A file goes through [`facts`] first, which knows its sizes before any decoder makes room for them.

use std::io::{self, Write};

use bytes::Bytes;
use image::{
    ColorType, DynamicImage, ExtendedColorType, GenericImageView as _, GrayImage, ImageEncoder as _,
    ImageError, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage,
    codecs::png::{CompressionType, FilterType, PngEncoder},
    metadata::Orientation,
};
use protocol::{finding::Measures, limits::MAX_DECODING_BYTES};
use sha2::{Digest as _, Sha256};

use crate::sniff::{self, Kind, format_name};

mod color;
mod decode;
mod facts;
mod mask;
mod measure;
mod own_words;
mod pieces;
mod square;
mod texts;
mod thumbnail;

pub use protocol::limits::{MAX_PICTURE_PIXELS as MAX_PIXELS, MAX_PICTURE_SIDE as MAX_SIDE};

#[cfg(test)]
pub(crate) use self::measure::is_near;
pub(crate) use self::{
    mask::joined,
    measure::{Hash, LEAST_COMMON, MOST_DIFFERENT, is_same_view, measure, views},
    own_words::{OwnWords, own_words},
    thumbnail::thumbnail,
};
pub use self::{
    mask::{HEADER_BYTES, is_masked, mask_in, with_mask, without_mask},
    square::{fitted, squared},
    texts::{PictureText, TextError, add_texts, read_texts},
    thumbnail::{THUMBNAIL_SIDE, thumbnail_type},
};

/// Minimum side for training, in pixels.
pub const MIN_SIDE: u32 = 64;

/// A picture as all engines see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalizedPicture {
    /// Its pixels: an 8-bit PNG without metadata, RGB or, if some are transparent, RGBA. Equal pixels give equal bytes.
    pub png: Bytes,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// SHA-256 of `png`, in hexadecimal.
    pub sha256: String,
    /// Notes on changes: `rotated as its EXIF tag says`.
    pub notes: Vec<String>,
    /// What its pixels were measured to be; absent for one that was not decoded just now.
    pub measures: Option<Measures>,
    /// A small picture of it, JPEG or WebP; absent for one that was not decoded just now.
    pub thumbnail: Option<Bytes>,
}

/// Why a picture is rejected. Each message says what is wrong and what is valid.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// No bytes at all.
    #[error("is empty")]
    Empty,
    /// Not a picture.
    #[error("is not a picture but {what}: pictures are PNG, JPEG, WebP, BMP, GIF or TIFF files")]
    NotAPicture {
        /// The detected type.
        what: &'static str,
    },
    /// An unsupported picture format.
    #[error("is {what}: {advice}")]
    Unsupported {
        /// What it is.
        what: &'static str,
        /// What to use instead.
        advice: &'static str,
    },
    /// It is truncated or corrupt.
    #[error("is a damaged {format} file: {problem}; export it again")]
    Damaged {
        /// Its format.
        format: &'static str,
        /// The decoder's error.
        problem: String,
    },
    /// Too many pixels.
    #[error(
        "is {width}×{height}, which is too large: sides have at most {MAX_SIDE} pixels, and a picture at most 100 \
         million"
    )]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// Too few pixels for training.
    #[error("is {width}×{height}, which is too small: each side needs at least {MIN_SIDE} pixels")]
    TooSmall {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// More than one frame.
    #[error("is an animated {0}: upload the frame you want as a single picture")]
    Animated(&'static str),
    /// More than one page.
    #[error("is a TIFF file with several pages: upload the page you want as a single picture")]
    ManyPages,
    /// It is fully transparent.
    #[error("is fully transparent: there is nothing to learn from it")]
    FullyTransparent,
    /// Decoding it exceeds the limits for one picture.
    #[error(
        "needs too much memory or time to decode: export it again as PNG with 8 bits per channel, or smaller"
    )]
    TooCostly,
    /// Decoding it was not done in the time for one picture, which is no fault of it on a machine that is busy.
    #[error("took too long to decode: try again when the machine is less busy, or make the picture smaller")]
    TooSlow,
    /// Its decoder panicked.
    #[error("is damaged in an unknown way: export it again as PNG")]
    Puzzling,
}

/// A decoded and normalized picture, before encoding.
#[derive(Debug, Clone, PartialEq)]
pub struct Upright {
    /// Its pixels, 8-bit RGB or RGBA.
    pub pixels: DynamicImage,
    /// See [`NormalizedPicture::notes`].
    pub notes: Vec<String>,
}

/// Decodes a picture completely and normalizes it.
///
/// In this order: format from its first bytes, size limits before any pixel is decoded, the whole file,
/// colors to sRGB by its ICC profile, white where nothing is to be seen, EXIF orientation. All metadata is left
/// behind, places where photographs were taken included.
///
/// Use [`crate::decoder`] for untrusted input, which does this in another process.
pub fn normalize(bytes: &[u8]) -> Result<NormalizedPicture, PictureError> {
    let Upright { pixels, notes } = upright(bytes)?;
    let mut png = Vec::new();
    write_png(&pixels, &mut png).expect("memory takes all of it");
    let picture = NormalizedPicture::new(png, pixels.dimensions(), notes);
    Ok(picture.with_views(Some(measure(&pixels)), Some(thumbnail(&pixels))))
}

impl NormalizedPicture {
    pub(crate) fn new(png: Vec<u8>, (width, height): (u32, u32), notes: Vec<String>) -> Self {
        let sha256 = hex::encode(Sha256::digest(&png));
        Self {
            png: png.into(),
            width,
            height,
            sha256,
            notes,
            measures: None,
            thumbnail: None,
        }
    }

    pub(crate) fn with_views(self, measures: Option<Measures>, thumbnail: Option<Bytes>) -> Self {
        Self {
            measures,
            thumbnail,
            ..self
        }
    }
}

/// The pixels that [`normalize`] writes.
pub fn upright(bytes: &[u8]) -> Result<Upright, PictureError> {
    let format = format_of(bytes)?;
    let mut notes = Vec::new();
    let (mut picture, orientation) = decode(bytes, format, &mut notes)?;
    picture.apply_orientation(orientation);
    if orientation != Orientation::NoTransforms {
        notes.push("rotated as its EXIF tag says".to_owned());
    }
    let (width, height) = picture.dimensions();
    if width < MIN_SIDE || height < MIN_SIDE {
        return Err(PictureError::TooSmall { width, height });
    }
    Ok(Upright {
        pixels: picture,
        notes,
    })
}

/// Number of pixels according to the headers, without decoding; 0 for a file that is rejected by its headers.
pub fn declared_pixels(bytes: &[u8]) -> u64 {
    let Ok(format) = format_of(bytes) else { return 0 };
    let Ok(facts) = facts::read(bytes, format) else {
        return 0;
    };
    let size = facts.size.or_else(|| decode::size(facts.pieces, format).ok());
    size.map_or(0, |(width, height)| u64::from(width) * u64::from(height))
}

/// Reads a picture that [`normalize`] made, laid on white.
pub fn read_normalized(png: &[u8]) -> Result<RgbImage, PictureError> {
    Ok(read_masked(png)?.0)
}

/// Reads a picture that [`normalize`] made, laid on white, and its mask: the mask picture that it was given
/// ([`with_mask`]), or else its alpha if some of it is transparent.
pub fn read_masked(png: &[u8]) -> Result<(RgbImage, Option<GrayImage>), PictureError> {
    let Parts { picture, alpha, mask } = read_parts(png)?;
    Ok((picture, mask.or(alpha)))
}

/// What the file of a picture holds that [`normalize`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The picture, laid on white.
    pub picture: RgbImage,
    /// Its alpha, if some of it is transparent.
    pub alpha: Option<GrayImage>,
    /// The mask picture that it was given ([`with_mask`]).
    pub mask: Option<GrayImage>,
}

/// Reads a picture that [`normalize`] made, its alpha and its mask picture.
pub fn read_parts(png: &[u8]) -> Result<Parts, PictureError> {
    let (picture, alpha) = laid(png)?;
    let mask = mask_in(png)
        .map(|mask| mask::read(mask, picture.dimensions()))
        .transpose()?;
    Ok(Parts { picture, alpha, mask })
}

/// Pixels that [`upright`] gave, laid on white.
pub(crate) fn opaque(pixels: DynamicImage) -> RgbImage {
    match pixels.color().has_alpha() {
        true => DynamicImage::ImageRgba8(on_white(pixels.into_rgba8())).into_rgb8(),
        false => pixels.into_rgb8(),
    }
}

/// A picture laid on white, and its alpha if it has one.
fn laid(png: &[u8]) -> Result<(RgbImage, Option<GrayImage>), PictureError> {
    let picture = decoded(png, ImageFormat::Png, &mut Vec::new())?.0;
    if !picture.color().has_alpha() {
        return Ok((picture.into_rgb8(), None));
    }
    let rgba = on_white(picture.into_rgba8());
    let alpha = rgba.pixels().map(|pixel| pixel[3]).collect();
    let mask =
        GrayImage::from_raw(rgba.width(), rgba.height(), alpha).expect("there is one byte for each pixel");
    Ok((DynamicImage::ImageRgba8(rgba).into_rgb8(), Some(mask)))
}

/// A picture that [`normalize`] made, for programs that drop the alpha, or take it as a mask, and look at the colors alone:
/// they are laid on white, and the alpha is what [`read_masked`] says, but at least `least`.
pub fn laid_on_white(png: &[u8], least: u8) -> Result<Vec<u8>, PictureError> {
    let (picture, mask) = read_masked(png)?;
    let (width, height) = picture.dimensions();
    let rgba = RgbaImage::from_fn(width, height, |x, y| {
        let Rgb([red, green, blue]) = *picture.get_pixel(x, y);
        let alpha = mask
            .as_ref()
            .map_or(255, |mask| mask.get_pixel(x, y)[0].max(least));
        Rgba([red, green, blue, alpha])
    });
    let mut laid = Vec::new();
    write_png(&DynamicImage::ImageRgba8(rgba), &mut laid).expect("memory takes all of it");
    Ok(laid)
}

/// Mixes each color with white by its alpha, which stays.
fn on_white(mut rgba: RgbaImage) -> RgbaImage {
    for pixel in rgba.pixels_mut() {
        let alpha = u32::from(pixel[3]);
        for channel in &mut pixel.0[..3] {
            let mixed = u32::from(*channel) * alpha + 255 * (255 - alpha);
            *channel = ((mixed + 127) / 255) as u8;
        }
    }
    rgba
}

/// Whether this is a PNG of 8-bit RGB or RGBA pixels, of this size, with nothing else in it; its pixels are not looked at.
pub(crate) fn is_plain_png(png: &[u8], (width, height): (u32, u32)) -> bool {
    // Bits, color type (2 is RGB, 6 is RGBA), compression, filter, no interlacing.
    let header = |color| {
        [
            &width.to_be_bytes()[..],
            &height.to_be_bytes(),
            &[8, color, 0, 0, 0],
        ]
        .concat()
    };
    let headers = [header(2), header(6)];
    facts::png::chunks(png).is_some_and(|chunks| {
        let (first, rest) = (chunks.first(), chunks.get(1..).unwrap_or_default());
        first.is_some_and(|(name, data)| name == b"IHDR" && headers.iter().any(|header| *data == header))
            && facts::check_size(width, height).is_ok()
            && width.min(height) >= MIN_SIDE
            && rest.split_last().is_some_and(|(last, pixels)| {
                *last == (*b"IEND", &[][..])
                    && !pixels.is_empty()
                    && pixels.iter().all(|(name, _)| name == b"IDAT")
            })
    })
}

/// Writes pixels as a PNG without metadata; equal pixels give equal bytes.
pub fn encode_png(pixels: &RgbImage) -> Vec<u8> {
    let mut png = Vec::new();
    let written = write(
        pixels.as_raw(),
        pixels.dimensions(),
        ExtendedColorType::Rgb8,
        &mut png,
    );
    written.expect("memory takes all of it");
    png
}

/// Writes the pixels of [`Upright`] piece by piece, as [`encode_png`] does.
pub fn write_png(pixels: &DynamicImage, to: &mut impl Write) -> io::Result<()> {
    write(pixels.as_bytes(), pixels.dimensions(), pixels.color().into(), to)
}

fn write(
    bytes: &[u8],
    (width, height): (u32, u32),
    color: ExtendedColorType,
    to: &mut impl Write,
) -> io::Result<()> {
    let encoder = PngEncoder::new_with_quality(to, CompressionType::Fast, FilterType::Adaptive);
    let written = encoder.write_image(bytes, width, height, color);
    written.map_err(|err| match err {
        ImageError::IoError(err) => err,
        err => io::Error::other(err),
    })
}

fn format_of(bytes: &[u8]) -> Result<ImageFormat, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    let not_a_picture = |what| Err(PictureError::NotAPicture { what });
    match sniff::sniff(&bytes[..bytes.len().min(sniff::HEAD_BYTES)]) {
        Kind::Picture(format) => Ok(format),
        Kind::Unsupported { what, advice } => Err(PictureError::Unsupported { what, advice }),
        Kind::Zip => not_a_picture("a zip archive"),
        Kind::Unknown if sniff::is_targa(bytes) => Err(PictureError::Unsupported {
            what: "a Targa picture",
            advice: sniff::AS_PICTURE,
        }),
        Kind::Unknown if str::from_utf8(bytes).is_ok() => not_a_picture("text"),
        Kind::Unknown => not_a_picture("data of an unknown type"),
    }
}

/// Decodes all pixels, as 8-bit sRGB, with their alpha if some are transparent.
fn decode(
    bytes: &[u8],
    format: ImageFormat,
    notes: &mut Vec<String>,
) -> Result<(DynamicImage, Orientation), PictureError> {
    let (picture, orientation) = decoded(bytes, format, notes)?;
    Ok((plain(picture, notes)?, orientation))
}

/// Decodes all pixels, as 8-bit sRGB with the alpha that the file has.
fn decoded(
    bytes: &[u8],
    format: ImageFormat,
    notes: &mut Vec<String>,
) -> Result<(DynamicImage, Orientation), PictureError> {
    let facts = facts::read(bytes, format)?;
    let needs = Needs {
        file: bytes.len() as u64,
        working: facts.working_bytes,
        is_turned: is_turned(facts.orientation),
    };
    let picture = decode::pixels(facts.pieces, format, &needs)?;
    note_conversion(picture.color(), facts.is_cmyk, facts.is_palette, notes);
    let picture = color::to_srgb(picture, facts.profile, notes);
    Ok((picture, facts.orientation))
}

/// What decoding takes beside the pixels.
struct Needs {
    /// Bytes of the file.
    file: u64,
    /// Bytes that the decoder works with.
    working: u64,
    /// Width becomes height, which takes a second copy.
    is_turned: bool,
}

impl Needs {
    /// Refuses a picture before there is room for it, if it takes more at any step than one picture may have.
    fn check(&self, (width, height): (u32, u32), color: ColorType) -> Result<(), PictureError> {
        let n_pixels = u64::from(width) * u64::from(height);
        let of = |n_bytes: u8| n_pixels * u64::from(n_bytes);
        let decoded = of(color.bytes_per_pixel());
        let is_deep = color.bytes_per_pixel() > color.channel_count();
        // Gray becomes RGB in the end, with its transparency if it has any.
        let flat = of(match (color.has_color(), color.has_alpha()) {
            (_, true) => 4,
            (_, false) => 3,
        });
        let is_copied = is_deep || !color.has_color();
        let converting = if is_copied { decoded + flat } else { decoded };
        let turning = match (self.is_turned, color.has_alpha()) {
            (false, _) => 0,
            (true, false) => of(6),
            (true, true) => of(8),
        };
        let most = (decoded + self.working).max(converting).max(turning);
        if self.file + most > MAX_DECODING_BYTES {
            return Err(PictureError::TooCostly);
        }
        Ok(())
    }
}

fn is_turned(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

fn note_conversion(decoded: ColorType, is_cmyk: bool, is_palette: bool, notes: &mut Vec<String>) {
    let depth = u16::from(decoded.bytes_per_pixel()) * 8 / u16::from(decoded.channel_count());
    if depth > 8 {
        notes.push(format!("converted from {depth} to 8 bits per channel"));
    }
    if is_cmyk {
        notes.push("converted from CMYK with a simple formula, so colors may differ from print".to_owned());
    } else if !decoded.has_color() {
        notes.push("gray, converted to RGB".to_owned());
    } else if is_palette {
        notes.push("converted from a palette to RGB".to_owned());
    }
}

/// A picture as RGB, or as RGBA if some of it is transparent. The color of pixels that cannot be seen is arbitrary: they
/// become white.
fn plain(picture: DynamicImage, notes: &mut Vec<String>) -> Result<DynamicImage, PictureError> {
    if !picture.color().has_alpha() {
        return Ok(picture.into_rgb8().into());
    }
    let rgba = picture.into_rgba8();
    if rgba.pixels().all(|pixel| pixel[3] == 0) {
        return Err(PictureError::FullyTransparent);
    }
    let is_transparent = rgba.pixels().any(|pixel| pixel[3] != 255);
    // In place: a second copy of a large picture is what memory runs out for.
    let (width, height) = rgba.dimensions();
    if is_transparent {
        notes.push("transparent areas filled with white".to_owned());
        let mut rgba = rgba;
        for pixel in rgba.pixels_mut().filter(|pixel| pixel[3] == 0) {
            *pixel = Rgba([255, 255, 255, 0]);
        }
        return Ok(DynamicImage::ImageRgba8(rgba));
    }
    let mut bytes = rgba.into_raw();
    let n_pixels = bytes.len() / 4;
    for index in 0..n_pixels {
        bytes.copy_within(4 * index..4 * index + 3, 3 * index);
    }
    bytes.truncate(3 * n_pixels);
    let rgb = RgbImage::from_raw(width, height, bytes).expect("three bytes are left of each pixel");
    Ok(DynamicImage::ImageRgb8(rgb))
}

fn damaged(format: ImageFormat, err: ImageError) -> PictureError {
    match err {
        ImageError::Limits(_) => return PictureError::TooCostly,
        ImageError::Unsupported(_) if format == ImageFormat::Tiff => {
            return PictureError::Unsupported {
                what: "a kind of TIFF file that is not read, as those with a palette, with CIELab colors and with floating \
                       point numbers are",
                advice: sniff::AS_PICTURE,
            };
        }
        _ => {}
    }
    // The decoder's message names the format once more, which reads badly after ours.
    let problem = match &err {
        ImageError::Decoding(err) => {
            std::error::Error::source(err).map_or(err.to_string(), ToString::to_string)
        }
        ImageError::IoError(err) if err.kind() == std::io::ErrorKind::UnexpectedEof => {
            "it ends in the middle of the picture".to_owned()
        }
        err => err.to_string(),
    };
    // It goes on with numbers, and names of the decoder's own.
    let problem = match problem.starts_with("CRC error") {
        true => "a checksum in it is wrong, so that some of its bytes were changed".to_owned(),
        false => problem,
    };
    PictureError::Damaged {
        format: format_name(format),
        problem: problem.trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests;
