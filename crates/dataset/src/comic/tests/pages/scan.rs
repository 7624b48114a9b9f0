//! What a scanner does to a page.

use image::{Rgb, RgbImage};

use super::shapes::{Point, Random, Shape};

/// Turns a page clockwise about its center, and its shapes with it.
pub(super) fn scanned(
    page: &RgbImage,
    shapes: &[Shape],
    degrees: f64,
    around: [u8; 3],
) -> (RgbImage, Vec<Shape>) {
    if degrees == 0.0 {
        return (page.clone(), shapes.to_vec());
    }
    let (width, height) = page.dimensions();
    let center = (f64::from(width) / 2.0, f64::from(height) / 2.0);
    let (sin, cos) = degrees.to_radians().sin_cos();
    let turned = RgbImage::from_fn(width, height, |x, y| {
        let (dx, dy) = (f64::from(x) + 0.5 - center.0, f64::from(y) + 0.5 - center.1);
        let (x, y) = (center.0 + dx * cos + dy * sin, center.1 - dx * sin + dy * cos);
        if x < 0.0 || y < 0.0 || x >= f64::from(width) || y >= f64::from(height) {
            return Rgb(around);
        }
        *page.get_pixel(x as u32, y as u32)
    });
    let turn = |(x, y): Point| {
        let (dx, dy) = (x - center.0, y - center.1);
        (center.0 + dx * cos - dy * sin, center.1 + dx * sin + dy * cos)
    };
    (
        turned,
        shapes.iter().map(|shape| Shape(shape.0.map(turn))).collect(),
    )
}

/// Adds noise, nearly normal, of a standard deviation in steps.
pub(super) fn noisy(mut page: RgbImage, random: &mut Random, deviation: f64) -> RgbImage {
    if deviation == 0.0 {
        return page;
    }
    for channel in page.iter_mut() {
        let bits = random.next();
        let sum: f64 = (0..4)
            .map(|at| (bits >> (16 * at) & 0xffff) as f64 / 65536.0 - 0.5)
            .sum();
        // Four uniform numbers have a variance of a third.
        *channel = (f64::from(*channel) + sum * deviation * 3_f64.sqrt()).clamp(0.0, 255.0) as u8;
    }
    page
}
