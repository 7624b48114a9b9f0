//! Draws the before/after pictures side by side, with labels, into one picture.

use image::{Rgb, RgbImage, imageops};

use super::font;

/// One prompt with its pictures.
pub(super) struct Row {
    pub(super) label: String,
    /// One picture per column.
    pub(super) pictures: Vec<RgbImage>,
}

const PAPER: Rgb<u8> = Rgb([250, 250, 248]);
const INK: Rgb<u8> = Rgb([32, 32, 36]);
const FAINT: Rgb<u8> = Rgb([120, 120, 128]);
/// Side of a shown picture: tiny-xl's 128 pixels doubled.
const CELL: u32 = 256;
const GAP: u32 = 16;
/// One font pixel is this many picture pixels.
const SCALE: u32 = 2;
const LINE: u32 = (font::HEIGHT + 3) * SCALE;
const LETTER: u32 = (font::WIDTH + 1) * SCALE;

/// A sheet with a title, one column per entry of `columns`, and one row per prompt with its text below.
pub(super) fn draw(title: &str, columns: &[&str], rows: &[Row]) -> RgbImage {
    let n_columns = columns.len() as u32;
    let width = GAP + n_columns * (CELL + GAP);
    let line_length = ((width - 2 * GAP) / LETTER) as usize;
    let labels: Vec<_> = rows.iter().map(|row| wrap(&row.label, line_length)).collect();
    let titles = wrap(title, line_length);
    let height = GAP
        + (titles.len() as u32 + 1) * LINE
        + GAP
        + labels
            .iter()
            .map(|label| CELL + LINE / 2 + label.len() as u32 * LINE + GAP)
            .sum::<u32>();
    let mut sheet = RgbImage::from_pixel(width, height, PAPER);
    let mut top = GAP;
    for line in &titles {
        write(&mut sheet, line, GAP, top, INK);
        top += LINE;
    }
    top += LINE / 2;
    for (column, name) in (0..).zip(columns) {
        write(&mut sheet, name, GAP + column * (CELL + GAP), top, FAINT);
    }
    top += LINE;
    for (row, label) in rows.iter().zip(&labels) {
        for (column, picture) in (0..).zip(&row.pictures) {
            let left = GAP + column * (CELL + GAP);
            imageops::replace(&mut sheet, &fit(picture), i64::from(left), i64::from(top));
        }
        top += CELL + LINE / 2;
        for line in label {
            write(&mut sheet, line, GAP, top, INK);
            top += LINE;
        }
        top += GAP;
    }
    sheet
}

/// Scales a picture to the cell. Small pictures are doubled pixel by pixel, so that nothing is made up.
fn fit(picture: &RgbImage) -> RgbImage {
    let filter = if CELL.is_multiple_of(picture.width()) && picture.width() == picture.height() {
        imageops::FilterType::Nearest
    } else {
        imageops::FilterType::Lanczos3
    };
    imageops::resize(picture, CELL, CELL, filter)
}

fn write(sheet: &mut RgbImage, text: &str, left: u32, top: u32, ink: Rgb<u8>) {
    for (index, character) in (0..).zip(text.chars()) {
        let left = left + index * LETTER;
        for y in 0..font::HEIGHT * SCALE {
            for x in 0..font::WIDTH * SCALE {
                if font::covers(character, x / SCALE, y / SCALE)
                    && let Some(pixel) = sheet.get_pixel_mut_checked(left + x, top + y)
                {
                    *pixel = ink;
                }
            }
        }
    }
}

/// Breaks a text at spaces into lines of at most `length` characters.
fn wrap(text: &str, length: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > length {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::{INK, Row, draw, wrap};

    #[test]
    fn each_picture_stands_in_its_column() {
        let red = Rgb([200, 0, 0]);
        let blue = Rgb([0, 0, 200]);
        let row = Row {
            label: "zora, smiling".into(),
            pictures: vec![
                RgbImage::from_pixel(128, 128, red),
                RgbImage::from_pixel(64, 64, blue),
            ],
        };
        let sheet = draw("zora", &["without", "with"], &[row]);
        let count = |wanted: Rgb<u8>| sheet.pixels().filter(|pixel| **pixel == wanted).count();
        assert_eq!(count(red), 256 * 256);
        assert_eq!(count(blue), 256 * 256);
        assert!(count(INK) > 100, "labels are drawn");
        let (half, _) = sheet.dimensions();
        assert!(
            sheet
                .enumerate_pixels()
                .all(|(x, _, pixel)| *pixel != blue || x >= half / 2)
        );
    }

    #[test]
    fn long_prompts_are_wrapped() {
        assert_eq!(
            wrap("lorelei ink comic portrait", 12),
            ["lorelei ink", "comic", "portrait"]
        );
        assert_eq!(wrap("", 12), [""]);
    }
}
