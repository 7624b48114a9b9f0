//! Converts colors from a picture's ICC profile to sRGB.
//!
//! Phones write Display P3 and scanners Adobe RGB; read as sRGB their pictures look pale, and a LoRA would
//! learn that.

use std::sync::Arc;

use image::{DynamicImage, RgbImage, RgbaImage};
use moxcms::{
    CmsError, ColorProfile, DataColorSpace, Layout, RenderingIntent, Transform8BitExecutor, TransformOptions,
};

use super::facts::Profile;

/// Profiles that move no color of a coarse grid further than this, in steps of 1/255, are sRGB by another
/// name; converting would only add rounding.
const SAME_AS_SRGB: u8 = 2;

const ASSUMED: &str = "its color profile is unusable, so sRGB is assumed";

/// The picture in sRGB, 8 bits per channel, with its alpha.
pub(super) fn to_srgb(picture: DynamicImage, profile: Profile<'_>, notes: &mut Vec<String>) -> DynamicImage {
    let picture = to_8_bits(picture);
    let has_color = picture.color().has_color();
    let profile = match &profile {
        Profile::None => return picture,
        Profile::Found(bytes) => ColorProfile::new_from_slice(bytes).ok(),
        Profile::Unusable => None,
    };
    let Some(profile) = profile else {
        notes.push(ASSUMED.to_owned());
        return picture;
    };
    if profile.color_space == DataColorSpace::Cmyk {
        return picture; // noted where the inks were converted
    }
    let picture = match (profile.color_space, has_color) {
        // A decoder may have expanded gray; a gray profile means the lightness then.
        (DataColorSpace::Gray, true) => return picture,
        (DataColorSpace::Rgb, false) if picture.color().has_alpha() => picture.into_rgba8().into(),
        (DataColorSpace::Rgb, false) => picture.into_rgb8().into(),
        _ => picture,
    };
    match Conversion::new(&picture, &profile) {
        Ok(Some(conversion)) => {
            notes.push("colors converted from its profile to sRGB".to_owned());
            conversion.of(picture)
        }
        Ok(None) => picture,
        Err(_) => {
            notes.push(ASSUMED.to_owned());
            picture
        }
    }
}

fn to_8_bits(picture: DynamicImage) -> DynamicImage {
    match (picture.color().has_color(), picture.color().has_alpha()) {
        (true, true) => picture.into_rgba8().into(),
        (true, false) => picture.into_rgb8().into(),
        (false, true) => picture.into_luma_alpha8().into(),
        (false, false) => picture.into_luma8().into(),
    }
}

/// From a profile to sRGB, for pictures of one layout.
struct Conversion {
    transform: Arc<Transform8BitExecutor>,
    source: Layout,
    target: Layout,
}

impl Conversion {
    /// Prepares it; `None` when the profile is sRGB already.
    fn new(picture: &DynamicImage, profile: &ColorProfile) -> Result<Option<Self>, CmsError> {
        let srgb = ColorProfile::new_srgb();
        let options = TransformOptions {
            rendering_intent: RenderingIntent::RelativeColorimetric,
            ..TransformOptions::default()
        };
        let (source, target) = match picture {
            DynamicImage::ImageRgb8(_) => (Layout::Rgb, Layout::Rgb),
            DynamicImage::ImageRgba8(_) => (Layout::Rgba, Layout::Rgba),
            DynamicImage::ImageLuma8(_) => (Layout::Gray, Layout::Rgb),
            DynamicImage::ImageLumaA8(_) => (Layout::GrayAlpha, Layout::Rgba),
            _ => unreachable!("made by to_8_bits"),
        };
        let transform = profile.create_transform_8bit(source, &srgb, target, options)?;
        let probe = probe(source);
        let n_pixels = probe.len() / source.channels();
        let mut moved = vec![0; n_pixels * target.channels()];
        transform.transform(&probe, &mut moved)?;
        if is_same(&probe, source.channels(), &moved, target.channels()) {
            return Ok(None);
        }
        Ok(Some(Self {
            transform,
            source,
            target,
        }))
    }

    /// Converts by rows, since the transform keeps no state, and in place where the pixels stay as large.
    fn of(&self, picture: DynamicImage) -> DynamicImage {
        let (width, height) = (picture.width(), picture.height());
        let row_of = |layout: Layout| width as usize * layout.channels();
        let pixels = if self.source == self.target {
            let mut pixels = picture.into_bytes();
            let mut before = vec![0; row_of(self.source)];
            for row in pixels.chunks_exact_mut(before.len()) {
                before.copy_from_slice(row);
                self.row(&before, row);
            }
            pixels
        } else {
            let mut pixels = vec![0; row_of(self.target) * height as usize];
            let rows = picture.as_bytes().chunks_exact(row_of(self.source));
            for (source, target) in rows.zip(pixels.chunks_exact_mut(row_of(self.target))) {
                self.row(source, target);
            }
            pixels
        };
        if self.target == Layout::Rgb {
            RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8)
        } else {
            RgbaImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgba8)
        }
        .expect("each pixel has the bytes of its layout")
    }

    fn row(&self, source: &[u8], target: &mut [u8]) {
        self.transform
            .transform(source, target)
            .expect("rows of whole pixels are all that a transform asks for");
    }
}

/// A coarse grid of opaque colors.
fn probe(layout: Layout) -> Vec<u8> {
    const LEVELS: [u8; 6] = [0, 51, 102, 153, 204, 255];
    match layout {
        Layout::Gray => LEVELS.to_vec(),
        Layout::GrayAlpha => LEVELS.iter().flat_map(|&level| [level, 255]).collect(),
        _ => {
            let colors = LEVELS
                .iter()
                .flat_map(|&r| LEVELS.iter().flat_map(move |&g| LEVELS.map(|b| [r, g, b])));
            colors
                .flat_map(|[r, g, b]| [r, g, b, 255].into_iter().take(layout.channels()))
                .collect()
        }
    }
}

fn is_same(source: &[u8], n_source: usize, target: &[u8], n_target: usize) -> bool {
    source
        .chunks_exact(n_source)
        .zip(target.chunks_exact(n_target))
        .all(|(source, target)| {
            let gray = n_source < 3;
            (0..3).all(|channel| {
                target[channel].abs_diff(source[if gray { 0 } else { channel }]) <= SAME_AS_SRGB
            })
        })
}
