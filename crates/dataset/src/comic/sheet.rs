//! A page with its frames drawn and numbered.

use image::{Rgb, RgbImage};
use protocol::{page::PageFrame, parameters::Interpolation};

use crate::{buckets::Size, crop::resize};

/// Longest side of a sheet, in pixels.
const SIDE: u32 = 1200;
/// Thickness of a frame, in pixels.
const LINE: u32 = 4;
/// Side of a digit's pixels, in pixels.
const DOT: u32 = 6;
/// Colors of frames, which repeat.
const COLORS: [[u8; 3]; 6] = [
    [214, 39, 40],
    [31, 119, 180],
    [44, 160, 44],
    [148, 103, 189],
    [255, 127, 14],
    [23, 190, 207],
];
/// Digits of three by five dots, row by row from the highest bit.
const DIGITS: [u16; 10] = [
    0b111_101_101_101_111,
    0b010_110_010_010_111,
    0b111_001_111_100_111,
    0b111_001_111_001_111,
    0b101_101_111_001_001,
    0b111_100_111_001_111,
    0b111_100_111_101_111,
    0b111_001_010_010_010,
    0b111_101_111_101_111,
    0b111_101_111_001_111,
];

/// Draws frames and their numbers, from 1, on a copy of a page that is at most 1200 pixels wide and high.
pub fn contact_sheet(page: &RgbImage, frames: &[PageFrame]) -> RgbImage {
    let (width, height) = page.dimensions();
    let longest = f64::from(width.max(height));
    let scale = (f64::from(SIDE) / longest).min(1.0);
    let scaled = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let mut sheet = resize(
        page,
        Size::new(scaled(width), scaled(height)),
        Interpolation::Area,
    );
    for (index, frame) in frames.iter().enumerate() {
        let color = COLORS[index % COLORS.len()];
        let at = |length: u32| (f64::from(length) * scale).round() as u32;
        let (left, top) = (at(frame.left), at(frame.top));
        let (right, bottom) = (at(frame.left + frame.width), at(frame.top + frame.height));
        fill(&mut sheet, (left, top), (right, top + LINE), color);
        fill(
            &mut sheet,
            (left, bottom.saturating_sub(LINE)),
            (right, bottom),
            color,
        );
        fill(&mut sheet, (left, top), (left + LINE, bottom), color);
        fill(
            &mut sheet,
            (right.saturating_sub(LINE), top),
            (right, bottom),
            color,
        );
        number(&mut sheet, (left + LINE, top + LINE), index + 1, color);
    }
    sheet
}

/// Writes a number in white on a box.
fn number(sheet: &mut RgbImage, (left, top): (u32, u32), number: usize, color: [u8; 3]) {
    let digits = number.to_string();
    let width = (4 * digits.len() as u32 + 1) * DOT;
    fill(sheet, (left, top), (left + width, top + 7 * DOT), color);
    for (place, digit) in digits.bytes().enumerate() {
        let dots = DIGITS[usize::from(digit - b'0')];
        for dot in (0..15).filter(|dot| dots >> (14 - dot) & 1 == 1) {
            let x = left + (4 * place as u32 + 1 + dot % 3) * DOT;
            let y = top + (1 + dot / 3) * DOT;
            fill(sheet, (x, y), (x + DOT, y + DOT), [255; 3]);
        }
    }
}

fn fill(sheet: &mut RgbImage, (left, top): (u32, u32), (right, bottom): (u32, u32), color: [u8; 3]) {
    for y in top..bottom.min(sheet.height()) {
        for x in left..right.min(sheet.width()) {
            sheet.put_pixel(x, y, Rgb(color));
        }
    }
}
