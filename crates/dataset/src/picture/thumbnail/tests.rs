use image::{Rgb, RgbImage, Rgba, RgbaImage};

use super::*;

fn read(bytes: &[u8]) -> DynamicImage {
    // It is a picture like any other, and read as one.
    crate::picture::upright(bytes)
        .expect("it is a whole picture")
        .pixels
}

fn halves(width: u32, height: u32) -> DynamicImage {
    let picture = RgbImage::from_fn(width, height, |x, _| match 2 * x < width {
        true => Rgb([200, 40, 30]),
        false => Rgb([20, 60, 180]),
    });
    DynamicImage::ImageRgb8(picture)
}

#[track_caller]
fn near(found: [u8; 4], expected: [u8; 4], tolerance: u8) {
    let differs = found
        .iter()
        .zip(&expected)
        .any(|(a, b)| a.abs_diff(*b) > tolerance);
    assert!(!differs, "{found:?} should be {expected:?}");
}

#[test]
fn the_longest_side_is_limited_and_small_pictures_stay_as_they_are() {
    let cases = [
        ((1200, 800), (384, 256)),
        ((800, 1201), (256, 384)),
        ((3000, 3000), (384, 384)),
        ((384, 100), (384, 100)),
        ((385, 385), (384, 384)),
        ((120, 96), (120, 96)),
        ((9000, 64), (384, 3)),
    ];
    for ((width, height), expected) in cases {
        let bytes = thumbnail(&halves(width, height));
        assert_eq!(thumbnail_type(&bytes), Some("image/jpeg"));
        let found = image_size(&bytes);
        assert_eq!(found, expected, "of {width}×{height}");
    }
}

/// Width and height, as the frame of a JPEG has them (ITU T.81, B.2.2: they follow marker, length and bits).
fn image_size(jpeg: &[u8]) -> (u32, u32) {
    let frame = jpeg
        .windows(2)
        .position(|marker| marker == [0xff, 0xc0])
        .expect("it is a baseline JPEG");
    let side = |at: usize| u32::from(u16::from_be_bytes([jpeg[frame + at], jpeg[frame + at + 1]]));
    (side(7), side(5))
}

#[test]
fn colors_are_those_of_the_picture() {
    let small = read(&thumbnail(&halves(2000, 1000))).into_rgba8();
    assert_eq!(small.dimensions(), (384, 192));
    near(small.get_pixel(96, 96).0, [200, 40, 30, 255], 4);
    near(small.get_pixel(288, 96).0, [20, 60, 180, 255], 4);
}

#[test]
fn the_alpha_is_kept_and_what_is_not_seen_colors_nothing() {
    let picture = RgbaImage::from_fn(1600, 1600, |x, _| match x < 800 {
        true => Rgba([10, 20, 30, 255]),
        false => Rgba([255, 255, 255, 0]),
    });
    let bytes = thumbnail(&DynamicImage::ImageRgba8(picture));
    assert_eq!(thumbnail_type(&bytes), Some("image/webp"));
    let small = read(&bytes).into_rgba8();
    assert_eq!(small.dimensions(), (384, 384));
    near(small.get_pixel(50, 200).0, [10, 20, 30, 255], 2);
    assert_eq!(small.get_pixel(300, 200).0[3], 0);
    // The border is half transparent, and no lighter for the white that nobody sees.
    let border = small.pixels().filter(|pixel| (32..=223).contains(&pixel[3]));
    for pixel in border {
        near(pixel.0, [10, 20, 30, pixel[3]], 12);
    }
}

#[test]
fn nothing_else_is_taken_for_a_thumbnail() {
    for bytes in [&b""[..], b"<svg/>", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"] {
        assert_eq!(thumbnail_type(bytes), None);
    }
}
