//! The small picture by which lists show a picture.

use bytes::Bytes;
use fast_image_resize::{
    FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::{U8x3, U8x4},
};
use image::{
    ColorType, DynamicImage, ExtendedColorType, GenericImageView as _, ImageFormat,
    codecs::{jpeg::JpegEncoder, webp::WebPEncoder},
};

use crate::sniff::{self, Kind};

/// Longest side of a thumbnail, in pixels. A card is about 200 CSS pixels wide, and most screens have one or two pixels
/// for each.
pub const THUMBNAIL_SIDE: u32 = 384;

/// Quality of the JPEG, from 1 to 100.
const QUALITY: u8 = 85;

/// Makes the thumbnail of an upright picture of 8-bit RGB or RGBA pixels: its longest side has at most [`THUMBNAIL_SIDE`]
/// pixels, and it is never larger than the picture. An opaque one is a JPEG; one with an alpha is a WebP, which keeps it.
pub(crate) fn thumbnail(picture: &DynamicImage) -> Bytes {
    match picture.color() {
        ColorType::Rgb8 => opaque(picture),
        ColorType::Rgba8 => transparent(picture),
        _ => transparent(&DynamicImage::ImageRgba8(picture.to_rgba8())),
    }
}

/// Media type of a thumbnail, by its first bytes; `None` for anything else.
pub fn thumbnail_type(bytes: &[u8]) -> Option<&'static str> {
    match sniff::sniff(&bytes[..bytes.len().min(sniff::HEAD_BYTES)]) {
        Kind::Picture(ImageFormat::Jpeg) => Some("image/jpeg"),
        Kind::Picture(ImageFormat::WebP) => Some("image/webp"),
        _ => None,
    }
}

fn opaque(picture: &DynamicImage) -> Bytes {
    let (width, height, pixels) = resized::<U8x3, 3>(picture);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode(&pixels, width, height, ExtendedColorType::Rgb8)
        .expect("memory takes all of it");
    jpeg.into()
}

fn transparent(picture: &DynamicImage) -> Bytes {
    let (width, height, pixels) = resized::<U8x4, 4>(picture);
    let mut webp = Vec::new();
    WebPEncoder::new_lossless(&mut webp)
        .encode(&pixels, width, height, ExtendedColorType::Rgba8)
        .expect("memory takes all of it");
    webp.into()
}

/// Width, height and bytes of the small picture.
fn resized<P: PixelTrait, const CHANNELS: usize>(picture: &DynamicImage) -> (u32, u32, Vec<u8>) {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    // Averaged over whole squares first: what is left is small, whatever memory the resizer takes for it.
    let step = (longest / (2 * THUMBNAIL_SIDE)).max(1);
    let (columns, rows, squares) = averaged::<CHANNELS>(picture, step as usize);
    if longest <= THUMBNAIL_SIDE {
        return (width, height, squares);
    }
    let side = |of: u32| {
        let exact = f64::from(of) * f64::from(THUMBNAIL_SIDE) / f64::from(longest);
        (exact.round() as u32).max(1)
    };
    let (width, height) = (side(width), side(height));
    let source =
        TypedImageRef::<P>::from_buffer(columns, rows, &squares).expect("each pixel has all channels");
    let mut target = vec![0; width as usize * height as usize * CHANNELS];
    let mut view =
        TypedImage::<P>::from_buffer(width, height, &mut target).expect("each pixel has all channels");
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new()
        .resize_typed(&source, &mut view, &options)
        .expect("a picture's sides are not zero");
    (width, height, target)
}

/// Averages squares of `step` × `step` pixels; the last ones of a row and of a column may be narrower. Colors count by
/// their alpha.
fn averaged<const CHANNELS: usize>(picture: &DynamicImage, step: usize) -> (u32, u32, Vec<u8>) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (columns, rows) = (width.div_ceil(step), height.div_ceil(step));
    let mut averages = Vec::with_capacity(columns * rows * CHANNELS);
    let lines: Vec<&[u8]> = picture.as_bytes().chunks_exact(width * CHANNELS).collect();
    for band in lines.chunks(step) {
        // Sums of color times alpha, and of the alpha.
        let mut sums = vec![[0_u32; 4]; columns];
        for line in band {
            for (sum, square) in sums.iter_mut().zip(line.chunks(step * CHANNELS)) {
                for pixel in square.chunks_exact(CHANNELS) {
                    let alpha = u32::from(*pixel.get(3).unwrap_or(&255));
                    for (sum, color) in sum.iter_mut().zip(&pixel[..3]) {
                        *sum += u32::from(*color) * alpha;
                    }
                    sum[3] += alpha;
                }
            }
        }
        for (column, [red, green, blue, alpha]) in sums.into_iter().enumerate() {
            let n_pixels = (step.min(width - column * step) * band.len()) as u32;
            // Where nothing is to be seen a picture is white.
            let color = |sum: u32| (sum + alpha / 2).checked_div(alpha).unwrap_or(255) as u8;
            let opacity = (alpha + n_pixels / 2) / n_pixels;
            let average = [color(red), color(green), color(blue), opacity as u8];
            averages.extend_from_slice(&average[..CHANNELS]);
        }
    }
    (columns as u32, rows as u32, averages)
}

#[cfg(test)]
mod tests;
