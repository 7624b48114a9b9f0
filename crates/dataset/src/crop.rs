//! Brings a picture to its bucket: exactly the pixels that an engine trains on.

use fast_image_resize::{
    FilterType, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::U8x3,
};
use image::{GrayImage, Luma, Rgb, RgbImage};
use protocol::parameters::Interpolation;

use crate::buckets::{Placement, Size};

/// A picture at the size of its bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Crop {
    /// `[3, height, width]`, from -1 (black) to 1 (white).
    pub pixels: Vec<f32>,
    /// Width and height: the bucket's.
    pub size: Size,
    /// Where these pixels come from, for SDXL's micro-conditioning.
    pub time_ids: TimeIds,
}

/// SDXL's micro-conditioning: what the unet is told about a picture's size and crop.
///
/// The crop is the real one, in pixels of the resized picture, as in Podell et al. 2023 (arXiv 2307.01952,
/// section 2.2). sd-scripts computes an idealized one from the aspect ratios alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeIds {
    /// Size before resizing.
    pub original: Size,
    /// Pixels cut off at the top.
    pub crop_top: u32,
    /// Pixels cut off at the left.
    pub crop_left: u32,
    /// Size after cropping.
    pub target: Size,
}

impl TimeIds {
    /// Of the center of a placement.
    pub fn of(placement: &Placement) -> Self {
        Cut::center(*placement).time_ids()
    }

    /// `[original height, original width, crop top, crop left, target height, target width]`, the order in
    /// which SDXL takes them.
    pub fn to_array(self) -> [f32; 6] {
        [
            self.original.height as f32,
            self.original.width as f32,
            self.crop_top as f32,
            self.crop_left as f32,
            self.target.height as f32,
            self.target.width as f32,
        ]
    }
}

/// Where a picture is cut out at the size of its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The size that the picture is brought to first, and its bucket.
    pub placement: Placement,
    /// Pixels cut off at the left.
    pub left: u32,
    /// Pixels cut off at the top.
    pub top: u32,
}

impl Cut {
    /// The center.
    pub fn center(placement: Placement) -> Self {
        let (left, top) = placement.crop_left_top();
        Self { placement, left, top }
    }

    /// A part of a picture that is enlarged by `zoom`, at least 1, before it is cut. The shares are those of the room
    /// there is, from the left and from the top: 0 is the left or upper edge, 1 the right or lower one.
    pub fn at(placement: Placement, zoom: f64, (from_left, from_top): (f64, f64)) -> Self {
        let Placement { resized, bucket, .. } = placement;
        let zoomed = |side: u32| (f64::from(side) * zoom.max(1.0)).round() as u32;
        let resized = Size::new(zoomed(resized.width), zoomed(resized.height));
        let cut_off = |side: u32, kept: u32, share: f64| {
            (f64::from(side - kept) * share.clamp(0.0, 1.0)).round() as u32
        };
        Self {
            placement: Placement { resized, ..placement },
            left: cut_off(resized.width, bucket.width, from_left),
            top: cut_off(resized.height, bucket.height, from_top),
        }
    }

    /// What SDXL is told about it.
    pub fn time_ids(&self) -> TimeIds {
        TimeIds {
            original: self.placement.original,
            crop_top: self.top,
            crop_left: self.left,
            target: self.placement.bucket,
        }
    }
}

/// Resizes a picture to cover its bucket, and cuts the center out.
///
/// # Panics
///
/// If the placement was made for a picture of another size.
pub fn crop(picture: &RgbImage, placement: &Placement, interpolation: Interpolation) -> Crop {
    cut(picture, &Cut::center(*placement), interpolation)
}

/// Resizes a picture, and cuts a part of the size of its bucket out.
///
/// # Panics
///
/// If the placement was made for a picture of another size.
pub fn cut(picture: &RgbImage, cut: &Cut, interpolation: Interpolation) -> Crop {
    let placement = &cut.placement;
    let original = Size::new(picture.width(), picture.height());
    assert_eq!(
        original, placement.original,
        "the placement is for another picture"
    );
    let resized = resize(picture, placement.resized, interpolation);
    let Size { width, height } = placement.bucket;
    let time_ids = cut.time_ids();
    let (left, top) = (cut.left, cut.top);
    let n_pixels = width as usize * height as usize;
    let mut pixels = vec![0.0; 3 * n_pixels];
    for y in 0..height {
        for x in 0..width {
            let source = resized.get_pixel(left + x, top + y);
            for channel in 0..3 {
                let at = channel * n_pixels + y as usize * width as usize + x as usize;
                pixels[at] = f32::from(source[channel]) / 127.5 - 1.0;
            }
        }
    }
    Crop {
        pixels,
        size: placement.bucket,
        time_ids,
    }
}

/// Brings a picture's alpha to its bucket as [`cut()`] does with its colors, and averages it over squares of `side`
/// pixels: `[height / side, width / side]`, from 0 (transparent) to 1.
///
/// So sd-scripts makes a loss mask of it (`apply_masked_loss` in `library/custom_train_functions.py` resizes it to the
/// latents by area).
///
/// # Panics
///
/// If the placement was made for a picture of another size, or its bucket is no multiple of `side`.
pub fn cut_mask(alpha: &GrayImage, place: &Cut, side: u32, interpolation: Interpolation) -> Vec<f32> {
    let opaque = |pixel: &Luma<u8>| Rgb([pixel[0]; 3]);
    let alpha = RgbImage::from_fn(alpha.width(), alpha.height(), |x, y| {
        opaque(alpha.get_pixel(x, y))
    });
    let Crop { pixels, size, .. } = cut(&alpha, place, interpolation);
    assert!(
        size.width.is_multiple_of(side) && size.height.is_multiple_of(side),
        "a bucket of {size} has no squares of {side} pixels"
    );
    let (width, side) = (size.width as usize, side as usize);
    let (columns, rows) = (width / side, size.height as usize / side);
    let mut mask = Vec::with_capacity(columns * rows);
    for row in 0..rows {
        for column in 0..columns {
            let square = (0..side * side).map(|at| {
                let (y, x) = (row * side + at / side, column * side + at % side);
                // From -1 and 1.
                f64::from(pixels[y * width + x]).midpoint(1.0)
            });
            mask.push((square.sum::<f64>() / (side * side) as f64) as f32);
        }
    }
    mask
}

/// How a picture is resized, as sd-scripts does it (`resize_image` in `library/utils.py`): Lanczos averages over more pixels
/// the more a picture shrinks, as Pillow has it; the others look at as many as they always do, as OpenCV has it.
fn algorithm(interpolation: Interpolation, shrinks: bool) -> ResizeAlg {
    match interpolation {
        Interpolation::Auto if shrinks => algorithm(Interpolation::Area, shrinks),
        Interpolation::Auto | Interpolation::Lanczos => ResizeAlg::Convolution(FilterType::Lanczos3),
        // A box filter as wide as the scale averages over the area that a pixel covers.
        Interpolation::Area if shrinks => ResizeAlg::Convolution(FilterType::Box),
        Interpolation::Area | Interpolation::Bilinear => ResizeAlg::Interpolation(FilterType::Bilinear),
        Interpolation::Bicubic => ResizeAlg::Interpolation(FilterType::CatmullRom),
        Interpolation::Nearest => ResizeAlg::Nearest,
    }
}

/// Resizes a picture, stretching it if the aspect ratio differs.
pub fn resize(picture: &RgbImage, size: Size, interpolation: Interpolation) -> RgbImage {
    if (picture.width(), picture.height()) == (size.width, size.height) {
        return picture.clone();
    }
    let shrinks = size.width <= picture.width() && size.height <= picture.height();
    let options = ResizeOptions::new().resize_alg(algorithm(interpolation, shrinks));
    let source = TypedImageRef::<U8x3>::from_buffer(picture.width(), picture.height(), picture.as_raw())
        .expect("an RGB picture has three bytes per pixel");
    let mut target = RgbImage::new(size.width, size.height);
    let mut target_view = TypedImage::<U8x3>::from_buffer(size.width, size.height, target.as_mut())
        .expect("an RGB picture has three bytes per pixel");
    // The typed call compiles the filters of this one pixel type; the untyped one those of all fifteen.
    Resizer::new()
        .resize_typed(&source, &mut target_view, &options)
        .expect("a picture's sides are not zero");
    target
}

#[cfg(test)]
mod tests;
