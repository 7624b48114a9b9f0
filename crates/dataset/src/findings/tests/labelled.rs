//! Drawings with known damage at known strength: what the checks of pixels find of it, and what they find wrongly.
//!
//! `cargo nextest run -p dataset labelled` requires the precision and the recall that docs/dataset-checks.md names.

use image::{DynamicImage, Rgb, RgbImage, imageops};

use super::*;
use crate::{
    comic::tests::pages::{Kind, draw},
    picture::measure,
};

/// Drawings of each kind.
const N: u64 = 30;
/// Least precision and recall of each check, in percent.
const LEAST: usize = 95;

/// A linear congruential generator (Knuth's MMIX), for drawings that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(n)) as u32
    }

    fn color(&mut self, least: u32) -> Rgb<u8> {
        Rgb([(); 3].map(|()| (least + self.below(240 - least)) as u8))
    }
}

/// Flat ellipses with black outlines on a flat background, as in a comic.
fn drawing(seed: u64) -> RgbImage {
    const SIDES: (u32, u32) = (640, 512);
    let mut random = Random(seed.wrapping_mul(977) + 1);
    for _ in 0..8 {
        random.below(2);
    }
    let mut picture = RgbImage::from_pixel(SIDES.0, SIDES.1, random.color(130));
    for _ in 0..12 {
        let center = (f64::from(random.below(SIDES.0)), f64::from(random.below(SIDES.1)));
        let radii = (
            f64::from(30 + random.below(120)),
            f64::from(30 + random.below(120)),
        );
        let color = random.color(60);
        let inside = 1.0 - 3.0 / radii.0.min(radii.1);
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            let (dx, dy) = (
                (f64::from(x) - center.0) / radii.0,
                (f64::from(y) - center.1) / radii.1,
            );
            let distance = dx.hypot(dy);
            if distance < inside {
                *pixel = color;
            } else if distance < 1.0 {
                *pixel = Rgb([0; 3]);
            }
        }
    }
    picture
}

fn each(picture: &RgbImage, change: impl Fn(f64) -> f64) -> RgbImage {
    let mut changed = picture.clone();
    for pixel in changed.pixels_mut() {
        pixel.0 = pixel.0.map(|value| change(f64::from(value)) as u8);
    }
    changed
}

/// Fills what lies within so many pixels of the left and right, and of the top and bottom.
fn framed(picture: &RgbImage, (across, down): (u32, u32), color: u8) -> RgbImage {
    let (width, height) = picture.dimensions();
    RgbImage::from_fn(width, height, |x, y| {
        let is_inside = (across..width - across).contains(&x) && (down..height - down).contains(&y);
        if is_inside {
            *picture.get_pixel(x, y)
        } else {
            Rgb([color; 3])
        }
    })
}

fn noisy(picture: &RgbImage, seed: u64) -> RgbImage {
    let mut random = Random(seed);
    let mut changed = picture.clone();
    for pixel in changed.pixels_mut() {
        let by = random.below(13) as i16 - 6;
        pixel.0 = pixel.0.map(|value| (i16::from(value) + by).clamp(0, 255) as u8);
    }
    changed
}

/// Whether each picture has a finding of this code.
fn flags(pictures: &[RgbImage], code: FindingCode) -> Vec<bool> {
    let names: Vec<String> = (0..pictures.len()).map(|n| format!("{n:064}")).collect();
    let subjects: Vec<Subject<'_>> = names
        .iter()
        .zip(pictures)
        .map(|(name, picture)| Subject {
            measures: Some(measure(&DynamicImage::ImageRgb8(picture.clone()))),
            ..subject(name, name, "zora")
        })
        .collect();
    let findings = find(&subjects, &purpose());
    let found = findings.iter().filter(|finding| finding.code == code);
    let found: Vec<&str> = found
        .flat_map(|finding| finding.pictures.iter().map(|picture| picture.file_name.as_str()))
        .collect();
    names.iter().map(|name| found.contains(&name.as_str())).collect()
}

/// Judges whole drawings and damaged ones.
#[track_caller]
fn measure_check(code: FindingCode, damage: impl Fn(u64, &RgbImage) -> RgbImage) {
    let whole: Vec<RgbImage> = (0..N).map(drawing).collect();
    let damaged: Vec<RgbImage> = (0..N).map(|n| damage(n, &drawing(1000 + n))).collect();
    let count = |flags: Vec<bool>| flags.into_iter().filter(|flag| *flag).count();
    demand(code, count(flags(&damaged, code)), count(flags(&whole, code)));
}

#[track_caller]
fn demand(code: FindingCode, n_right: usize, n_wrong: usize) {
    let recall = 100 * n_right / N as usize;
    let precision = 100 * n_right / (n_right + n_wrong).max(1);
    assert!(
        recall >= LEAST && precision >= LEAST,
        "{code:?}: precision {precision} %, recall {recall} %"
    );
}

#[test]
fn labelled_blur_is_found() {
    measure_check(FindingCode::Blurred, |_, picture| imageops::blur(picture, 4.0));
}

#[test]
fn labelled_exposure_is_found() {
    measure_check(FindingCode::TooDark, |_, picture| {
        each(picture, |value| value * 0.15)
    });
    measure_check(FindingCode::TooBright, |_, picture| {
        each(picture, |value| 255.0 - (255.0 - value) * 0.15)
    });
}

#[test]
fn labelled_frames_are_found() {
    measure_check(FindingCode::Framed, |n, picture| match n % 3 {
        0 => framed(picture, (0, 40), 0),
        1 => framed(picture, (48, 0), 0),
        _ => framed(picture, (32, 32), 12),
    });
}

#[test]
fn labelled_comic_pages_are_found() {
    measure_check(FindingCode::WholePage, |n, _| draw(n, Kind::Grid).page);
}

#[test]
fn labelled_near_duplicates_are_found() {
    let originals: Vec<RgbImage> = (0..N).map(drawing).collect();
    let n_wrong = flags(&originals, FindingCode::NearDuplicate);
    let n_wrong = n_wrong.into_iter().filter(|flag| *flag).count();
    let copies = (0..N).zip(&originals).map(|(n, picture)| match n % 5 {
        0 => imageops::flip_horizontal(picture),
        1 => imageops::rotate90(picture),
        2 => imageops::resize(picture, 400, 320, imageops::FilterType::Triangle),
        3 => each(picture, |value| value * 0.8 + 30.0),
        _ => noisy(picture, n),
    });
    let mut all = originals.clone();
    all.extend(copies);
    // One name is enough: splits are made by hash, and a copy may be held out while its original is not.
    let near = flags(&all, FindingCode::NearDuplicate);
    let across = flags(&all, FindingCode::HeldOutDuplicate);
    let n_right = near.iter().zip(&across).skip(originals.len());
    let n_right = n_right.filter(|(near, across)| **near || **across).count();
    demand(FindingCode::NearDuplicate, n_right, n_wrong);
}
