//! Squares against Pillow's, which `tools/golden/taggers.py` makes of the same formula.

use image::{Rgb, RgbImage};

use super::{MAX_SQUARE, fitted, squared};

#[test]
fn a_square_is_pillows() {
    let picture = RgbImage::from_fn(61, 40, |x, y| {
        Rgb([0, 1, 2].map(|c| ((7 * x + 13 * y + 50 * c + x * y) % 256) as u8))
    });
    let golden = include_bytes!("golden.rgb");
    let square = squared(&picture, 24);
    let differences = square
        .as_raw()
        .iter()
        .zip(golden)
        .map(|(found, expected)| found.abs_diff(*expected));
    assert_eq!(square.as_raw().len(), golden.len());
    // Weights have 16 bits here and 22 in Pillow, so that a value between two numbers may be rounded to the other one.
    assert!(differences.clone().max() <= Some(1), "{:?}", differences.max());
}

#[test]
fn a_strip_lies_in_the_middle() {
    let square = squared(&RgbImage::new(4, 100), 100);
    let black: Vec<u32> = (0..100).filter(|x| square.get_pixel(*x, 50)[0] < 128).collect();
    assert_eq!(black, [48, 49, 50, 51]);
    assert_eq!(squared(&RgbImage::new(MAX_SQUARE + 9, 1), 8).dimensions(), (8, 8));
}

#[test]
fn pictures_shrink_only() {
    let picture = RgbImage::new(300, 200);
    assert_eq!(fitted(&picture, 150).dimensions(), (150, 100));
    assert_eq!(fitted(&picture, 400).dimensions(), (300, 200));
    assert_eq!(fitted(&RgbImage::new(1000, 1), 10).dimensions(), (10, 1));
}
