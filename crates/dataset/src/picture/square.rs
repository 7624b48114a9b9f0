//! A picture as a tagger sees it: all of it, on a white square.

use fast_image_resize::{
    FilterType, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::U8x3,
};
use image::{Rgb, RgbImage, imageops};

/// Longest side of the square that a picture is laid on before it shrinks, in pixels: 200 MB.
const MAX_SQUARE: u32 = 8192;

/// Lays a picture in the middle of a white square and resizes that to `side` pixels, bicubic as Pillow does it.
///
/// SmilingWolf's taggers were trained on such pictures (`wdv3_timm.py`, `pil_pad_square`; timm's `Resize` of 448 pixels).
pub fn squared(picture: &RgbImage, side: u32) -> RgbImage {
    let longest = picture.width().max(picture.height());
    let smaller;
    let picture = if longest > MAX_SQUARE {
        smaller = fitted(picture, MAX_SQUARE);
        &smaller
    } else {
        picture
    };
    let square = picture.width().max(picture.height());
    let mut padded = RgbImage::from_pixel(square, square, Rgb([255; 3]));
    let (left, top) = ((square - picture.width()) / 2, (square - picture.height()) / 2);
    imageops::replace(&mut padded, picture, i64::from(left), i64::from(top));
    resized(&padded, (side, side))
}

/// A picture whose longer side has at most so many pixels.
pub fn fitted(picture: &RgbImage, max_side: u32) -> RgbImage {
    let longest = picture.width().max(picture.height());
    if longest <= max_side {
        return picture.clone();
    }
    let scaled = |side: u32| {
        let scaled = u64::from(side) * u64::from(max_side) / u64::from(longest);
        (scaled as u32).max(1)
    };
    resized(picture, (scaled(picture.width()), scaled(picture.height())))
}

/// Resizes with Pillow's bicubic filter (a = -0.5), which averages over more pixels the more a picture shrinks.
///
/// As Pillow does it, rows are resized first and columns then (`ImagingResample` in `src/libImaging/Resample.c`). The order
/// matters: what overshoots black or white is cut off in between. `Resizer` alone takes columns first, since that is faster.
fn resized(picture: &RgbImage, (width, height): (u32, u32)) -> RgbImage {
    let rows = convolved(picture, (width, picture.height()));
    convolved(&rows, (width, height))
}

/// Resizes in both directions, columns first.
fn convolved(picture: &RgbImage, (width, height): (u32, u32)) -> RgbImage {
    if picture.dimensions() == (width, height) {
        return picture.clone();
    }
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    let source = TypedImageRef::<U8x3>::from_buffer(picture.width(), picture.height(), picture.as_raw())
        .expect("an RGB picture has three bytes per pixel");
    let mut target = RgbImage::new(width, height);
    let mut target_view = TypedImage::<U8x3>::from_buffer(width, height, target.as_mut())
        .expect("an RGB picture has three bytes per pixel");
    Resizer::new()
        .resize_typed(&source, &mut target_view, &options)
        .expect("a picture's sides are not zero");
    target
}

#[cfg(test)]
mod tests;
