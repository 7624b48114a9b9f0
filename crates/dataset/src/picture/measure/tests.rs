use image::{DynamicImage, Rgb, RgbImage, Rgba, RgbaImage, imageops};

use super::*;

/// A gray ramp with squares in it, unlike itself in every direction.
fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (u, v) = (x * 100 / width, y * 100 / height);
        let luma = match (u, v) {
            (10..30, 20..70) => 20,
            (55..90, 10..25) => 250,
            (70..80, 60..95) => 0,
            (35..50, 40..55) => 230,
            _ => 60 + u + v / 2,
        };
        Rgb([luma as u8; 3])
    })
}

fn of(picture: &RgbImage) -> Measures {
    measure(&DynamicImage::ImageRgb8(picture.clone()))
}

#[test]
fn a_picture_is_near_to_its_mirrored_rotated_scaled_and_brightened_self() {
    let picture = scene(400, 300);
    let measured = of(&picture);
    let brightened = RgbImage::from_fn(400, 300, |x, y| {
        Rgb(picture.get_pixel(x, y).0.map(|value| value / 2 + 100))
    });
    for (name, other) in [
        ("itself", picture.clone()),
        ("mirrored", imageops::flip_horizontal(&picture)),
        ("upside down", imageops::flip_vertical(&picture)),
        ("rotated by 90°", imageops::rotate90(&picture)),
        ("rotated by 180°", imageops::rotate180(&picture)),
        ("rotated by 270°", imageops::rotate270(&picture)),
        ("scaled", scene(640, 480)),
        ("brightened", brightened),
    ] {
        assert!(is_near(&measured, &of(&other)), "{name}");
        assert!(is_near(&of(&other), &measured), "{name}");
    }
}

#[test]
fn other_and_flat_pictures_are_not_near() {
    let picture = of(&scene(400, 300));
    let other = of(&RgbImage::from_fn(400, 300, |x, y| {
        Rgb([if (x / 37 + y / 53) % 2 == 0 { 30 } else { 220 }; 3])
    }));
    assert!(!is_near(&picture, &other));
    let flat = of(&RgbImage::from_pixel(64, 64, Rgb([90; 3])));
    assert!(!is_near(&flat, &flat), "all flat pictures are alike");
    assert_eq!((flat.signs, flat.strong, flat.sharpness), (0, 0, None));
    assert_eq!((flat.darkest, flat.brightest), (90, 90));
}

#[test]
fn sharpness_tells_an_edge_from_a_blurred_one_however_few_there_are() {
    let edge = RgbImage::from_fn(320, 320, |x, _| Rgb([if x < 150 { 40 } else { 200 }; 3]));
    let sharp = of(&edge).sharpness.unwrap();
    let blurred = of(&imageops::blur(&edge, 3.0)).sharpness.unwrap();
    assert!(sharp > 900, "{sharp}");
    // 0.24 / 3² of the contrast.
    assert!(blurred < 60, "{blurred}");
}

#[test]
fn bars_are_measured_and_backgrounds_are_not() {
    let scene = scene(400, 300);
    let boxed = RgbImage::from_fn(400, 300, |x, y| match y {
        30..270 => *scene.get_pixel(x, y),
        _ => Rgb([0; 3]),
    });
    assert_eq!(of(&boxed).frame, [0, 100, 0, 100]);
    let figure = RgbImage::from_fn(400, 300, |x, y| match (x, y) {
        (180..220, 100..200) => Rgb([20; 3]),
        _ => Rgb([240; 3]),
    });
    assert_eq!(of(&figure).frame, [0; 4]);
}

#[test]
fn transparent_pixels_are_white_and_every_shape_is_measured() {
    let clear = RgbaImage::from_fn(64, 64, |x, _| match x {
        0..32 => Rgba([0, 0, 0, 0]),
        _ => Rgba([0, 0, 0, 255]),
    });
    let measured = measure(&DynamicImage::ImageRgba8(clear));
    assert_eq!((measured.darkest, measured.brightest), (0, 255));
    for (width, height) in [(64, 64), (65, 1500), (2050, 64), (64, 5000)] {
        let measured = of(&scene(width, height));
        assert!(measured.brightest > measured.darkest, "{width}×{height}");
    }
}
