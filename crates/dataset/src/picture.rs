//! Decodes a picture of any kind and normalizes it: plain sRGB pixels, upright, opaque, in a PNG.

use std::io::Cursor;

use image::{
    ColorType, DynamicImage, ExtendedColorType, GenericImageView as _, ImageDecoder, ImageEncoder as _,
    ImageError, ImageFormat, ImageReader, Limits, RgbImage,
    codecs::{
        gif::GifDecoder,
        png::{CompressionType, FilterType, PngDecoder, PngEncoder},
        webp::WebPDecoder,
    },
    metadata::Orientation,
};
use sha2::{Digest as _, Sha256};
use tiff::{decoder::Decoder as TiffDecoder, tags::Tag};

use crate::sniff::{self, Kind, format_name};

mod color;
mod jpeg;

/// Longest side that is decoded, in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// Most pixels that are decoded.
pub const MAX_PIXELS: u64 = 100_000_000;
/// Shortest side that is worth training on, in pixels.
pub const MIN_SIDE: u32 = 64;
/// Most memory that one decoder may take, in bytes: [`MAX_PIXELS`] of four channels, with room to work.
const MAX_ALLOC: u64 = 768 << 20;

/// A picture as all engines see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalizedPicture {
    /// Its pixels: an 8-bit RGB PNG without metadata. Equal pixels give equal bytes.
    pub png: Vec<u8>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// SHA-256 of `png`, in hexadecimal.
    pub sha256: String,
    /// What was changed or is worth knowing: `rotated as its EXIF tag says`.
    pub notes: Vec<String>,
}

/// Why a picture is refused. Each message says what is wrong and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// No bytes at all.
    #[error("is empty")]
    Empty,
    /// Not a picture.
    #[error("is not a picture but {what}: pictures are PNG, JPEG, WebP, BMP, GIF or TIFF files")]
    NotAPicture {
        /// What it seems to be.
        what: &'static str,
    },
    /// A kind of picture that we do not decode.
    #[error("is {what}: {advice}")]
    Unsupported {
        /// What it is.
        what: &'static str,
        /// What would be right.
        advice: &'static str,
    },
    /// It breaks off, or is corrupt.
    #[error("is a damaged {format} file: {problem}; export it again")]
    Damaged {
        /// Its format.
        format: &'static str,
        /// What the decoder met.
        problem: String,
    },
    /// More pixels than we decode.
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
    /// Fewer pixels than are worth training on.
    #[error("is {width}×{height}, which is too small: each side needs at least {MIN_SIDE} pixels")]
    TooSmall {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// More than one frame.
    #[error("is an animated {0}: upload the frame that you want as a picture of its own")]
    Animated(&'static str),
    /// More than one page.
    #[error("is a TIFF file of several pages: upload the page that you want as a picture of its own")]
    ManyPages,
    /// No pixel can be seen.
    #[error("is fully transparent: there is nothing to learn from it")]
    FullyTransparent,
}

/// Decodes a picture completely and normalizes it.
///
/// In this order: format from its first bytes, size limits before any pixel is decoded, the whole file,
/// colors to sRGB by its ICC profile, transparency onto white, EXIF orientation. All metadata is left
/// behind, places where photographs were taken included.
pub fn normalize(bytes: &[u8]) -> Result<NormalizedPicture, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    let format = match sniff::sniff(&bytes[..bytes.len().min(sniff::HEAD_BYTES)]) {
        Kind::Picture(format) => format,
        Kind::Unsupported { what, advice } => return Err(PictureError::Unsupported { what, advice }),
        Kind::Zip => {
            return Err(PictureError::NotAPicture {
                what: "a zip archive",
            });
        }
        Kind::Unknown if str::from_utf8(bytes).is_ok() => {
            return Err(PictureError::NotAPicture { what: "text" });
        }
        Kind::Unknown => {
            return Err(PictureError::NotAPicture {
                what: "data of an unknown kind",
            });
        }
    };
    refuse_animation(bytes, format)?;
    if format == ImageFormat::Tiff && tiff_has_two_pages(bytes) {
        return Err(PictureError::ManyPages);
    }
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
    let png = encode_png(&picture.into_rgb8());
    let sha256 = hex::encode(Sha256::digest(&png));
    Ok(NormalizedPicture {
        png,
        width,
        height,
        sha256,
        notes,
    })
}

/// Reads a picture that [`normalize`] made.
pub fn read_normalized(png: &[u8]) -> Result<RgbImage, PictureError> {
    let mut notes = Vec::new();
    let (picture, _) = decode(png, ImageFormat::Png, &mut notes)?;
    Ok(picture.into_rgb8())
}

/// Writes pixels as a PNG without metadata; equal pixels give equal bytes.
pub fn encode_png(pixels: &RgbImage) -> Vec<u8> {
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Adaptive)
        .write_image(
            pixels.as_raw(),
            pixels.width(),
            pixels.height(),
            ExtendedColorType::Rgb8,
        )
        .expect("the buffer has the size that its dimensions say, and memory takes all of it");
    png
}

/// Decodes all pixels, as opaque 8-bit sRGB.
fn decode(
    bytes: &[u8],
    format: ImageFormat,
    notes: &mut Vec<String>,
) -> Result<(DynamicImage, Orientation), PictureError> {
    let damaged = |err: ImageError| damaged(format, err);
    let mut decoder = ImageReader::with_format(Cursor::new(bytes), format)
        .into_decoder()
        .map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(PictureError::TooLarge { width, height });
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOC);
    decoder.set_limits(limits).map_err(damaged)?;
    // Metadata is a courtesy: a picture whose pixels decode is not refused for a broken tag.
    let profile = decoder.icc_profile().ok().flatten();
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let is_cmyk_tiff = matches!(
        decoder.original_color_type(),
        ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16
    );
    let palette = is_palette(bytes, format);
    let mut is_cmyk = false;
    if format == ImageFormat::Jpeg {
        let n_components = jpeg::inspect(bytes).map_err(|problem| PictureError::Damaged {
            format: format_name(format),
            problem: problem.to_owned(),
        })?;
        is_cmyk = n_components == 4;
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    note_conversion(picture.color(), is_cmyk || is_cmyk_tiff, palette, notes);
    let picture = color::to_srgb(picture, profile.as_deref(), notes);
    Ok((flatten(picture, notes)?, orientation))
}

fn note_conversion(decoded: ColorType, is_cmyk: bool, is_palette: bool, notes: &mut Vec<String>) {
    let depth = u16::from(decoded.bytes_per_pixel()) * 8 / u16::from(decoded.channel_count());
    if depth > 8 {
        notes.push(format!("converted from {depth} to 8 bits per channel"));
    }
    if is_cmyk {
        notes.push("converted from CMYK by a plain formula, so colors may differ from print".to_owned());
    } else if !decoded.has_color() {
        notes.push("gray, converted to RGB".to_owned());
    } else if is_palette {
        notes.push("converted from a palette to RGB".to_owned());
    }
}

/// Whether colors are stored as numbers of a palette.
fn is_palette(bytes: &[u8], format: ImageFormat) -> bool {
    match format {
        ImageFormat::Gif => true,
        // PNG specification, section 11.2.1: the color type is byte 9 of the first chunk's data; 3 is indexed.
        ImageFormat::Png => bytes.get(25) == Some(&3),
        _ => false,
    }
}

/// Lays a picture on white. The color of transparent pixels is often arbitrary, so alpha is never dropped.
fn flatten(picture: DynamicImage, notes: &mut Vec<String>) -> Result<DynamicImage, PictureError> {
    if !picture.color().has_alpha() {
        return Ok(picture);
    }
    let rgba = picture.into_rgba8();
    if rgba.pixels().all(|pixel| pixel[3] == 0) {
        return Err(PictureError::FullyTransparent);
    }
    if rgba.pixels().any(|pixel| pixel[3] != 255) {
        notes.push("transparent parts laid on white".to_owned());
    }
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (pixel, source) in rgb.pixels_mut().zip(rgba.pixels()) {
        let alpha = u32::from(source[3]);
        for channel in 0..3 {
            let mixed = u32::from(source[channel]) * alpha + 255 * (255 - alpha);
            pixel[channel] = ((mixed + 127) / 255) as u8;
        }
    }
    Ok(DynamicImage::ImageRgb8(rgb))
}

fn refuse_animation(bytes: &[u8], format: ImageFormat) -> Result<(), PictureError> {
    let damaged = |err: ImageError| damaged(format, err);
    let is_animated = match format {
        ImageFormat::Png => PngDecoder::new(Cursor::new(bytes))
            .and_then(|png| png.is_apng())
            .map_err(damaged)?,
        ImageFormat::WebP => WebPDecoder::new(Cursor::new(bytes))
            .map_err(damaged)?
            .has_animation(),
        ImageFormat::Gif => gif_has_two_frames(bytes).map_err(damaged)?,
        _ => false,
    };
    if is_animated {
        return Err(PictureError::Animated(format_name(format)));
    }
    Ok(())
}

fn gif_has_two_frames(bytes: &[u8]) -> Result<bool, ImageError> {
    use image::AnimationDecoder as _;
    let decoder = GifDecoder::new(Cursor::new(bytes))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Ok(false); // refused for its size in a moment
    }
    Ok(decoder.into_frames().nth(1).is_some_and(|frame| frame.is_ok()))
}

/// Whether something follows that is neither a smaller copy of the first page nor a mask for it, which cameras and
/// editors add. A file that cannot be read is refused for that in a moment.
fn tiff_has_two_pages(bytes: &[u8]) -> bool {
    // TIFF 6.0, section 8, NewSubfileType: bit 0 marks a smaller copy, bit 2 a mask.
    const COPY_OR_MASK: u32 = 0b101;
    let Ok(mut tiff) = TiffDecoder::new(Cursor::new(bytes)) else {
        return false;
    };
    while tiff.more_images() && tiff.next_image().is_ok() {
        let kind = tiff.find_tag_unsigned::<u32>(Tag::NewSubfileType);
        if kind.ok().flatten().unwrap_or(0) & COPY_OR_MASK == 0 {
            return true;
        }
    }
    false
}

fn damaged(format: ImageFormat, err: ImageError) -> PictureError {
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
    PictureError::Damaged {
        format: format_name(format),
        problem: problem.trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests;
