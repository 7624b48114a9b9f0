//! Converts colors from a picture's ICC profile to sRGB.
//!
//! Phones write Display P3 and scanners Adobe RGB; read as sRGB their pictures look pale, and a LoRA would
//! learn that.

use image::{DynamicImage, RgbImage, RgbaImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, RenderingIntent, TransformOptions};

/// Profiles that move no color of a coarse grid further than this, in steps of 1/255, are sRGB by another
/// name; converting would only add rounding.
const SAME_AS_SRGB: u8 = 2;

/// The picture in sRGB, 8 bits per channel, with its alpha.
pub(super) fn to_srgb(
    picture: DynamicImage,
    profile: Option<&[u8]>,
    notes: &mut Vec<String>,
) -> DynamicImage {
    let picture = to_8_bits(picture);
    let Some(profile) = profile else { return picture };
    let has_color = picture.color().has_color();
    let assumed =
        |notes: &mut Vec<String>| notes.push("its color profile is unusable, so sRGB is assumed".into());
    let Ok(profile) = ColorProfile::new_from_slice(profile) else {
        assumed(notes);
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
    match convert(&picture, &profile) {
        Ok(Some(converted)) => {
            notes.push("colors converted from its profile to sRGB".to_owned());
            converted
        }
        Ok(None) => picture,
        Err(_) => {
            assumed(notes);
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

/// Converts the picture; `None` when the profile is sRGB already.
fn convert(picture: &DynamicImage, profile: &ColorProfile) -> Result<Option<DynamicImage>, moxcms::CmsError> {
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions {
        rendering_intent: RenderingIntent::RelativeColorimetric,
        ..TransformOptions::default()
    };
    let (source_layout, target_layout) = match picture {
        DynamicImage::ImageRgb8(_) => (Layout::Rgb, Layout::Rgb),
        DynamicImage::ImageRgba8(_) => (Layout::Rgba, Layout::Rgba),
        DynamicImage::ImageLuma8(_) => (Layout::Gray, Layout::Rgb),
        DynamicImage::ImageLumaA8(_) => (Layout::GrayAlpha, Layout::Rgba),
        _ => unreachable!("made by to_8_bits"),
    };
    let transform = profile.create_transform_8bit(source_layout, &srgb, target_layout, options)?;
    let probe = probe(source_layout);
    let n_pixels = probe.len() / source_layout.channels();
    let mut moved = vec![0; n_pixels * target_layout.channels()];
    transform.transform(&probe, &mut moved)?;
    if is_same(&probe, source_layout.channels(), &moved, target_layout.channels()) {
        return Ok(None);
    }
    let (width, height) = (picture.width(), picture.height());
    let mut pixels = vec![0; width as usize * height as usize * target_layout.channels()];
    // By rows: the transform keeps no state, and this bounds what it allocates.
    let (source_row, target_row) = (
        width as usize * source_layout.channels(),
        width as usize * target_layout.channels(),
    );
    for (source, target) in picture
        .as_bytes()
        .chunks_exact(source_row)
        .zip(pixels.chunks_exact_mut(target_row))
    {
        transform.transform(source, target)?;
    }
    let converted = if target_layout == Layout::Rgb {
        RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8)
    } else {
        RgbaImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgba8)
    };
    Ok(converted)
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
