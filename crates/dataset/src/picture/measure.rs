//! Measures a picture's pixels: sharpness, exposure, bars around it, whether it is a comic page, and a hash that similar
//! pictures share.
//!
//! All but the page is measured on luma, shrunk by a whole number so that the longer side has 1024 to 2047 pixels where it had
//! more.

use std::{
    f32::consts::PI,
    panic::{AssertUnwindSafe, catch_unwind},
};

use image::{ColorType, DynamicImage, GenericImageView as _, RgbImage};
use protocol::{finding::Measures, page::ReadingOrder};

use super::opaque;
use crate::comic;

/// A picture whose longer side has twice as many pixels is shrunk.
const SIDE: u32 = 1024;
/// Side of the tiles in which edges are looked for, in pixels.
const TILE: usize = 32;
/// A tile with less contrast, in steps of luma, has no edge that noise could not make.
const EDGE: u8 = 48;
/// Cells on each side of the picture that is hashed.
const CELLS: usize = 32;
/// Coefficients on each side of the hash.
const WAVES: usize = 8;
/// A cosine of half a step of luma, whose coefficient is its amplitude times a quarter of the cells; a smaller one is
/// noise.
const LEAST_WAVE: f32 = 0.5 * (CELLS * CELLS) as f32 / 4.0;

/// Measures an upright picture of 8-bit RGB or RGBA pixels.
pub(crate) fn measure(picture: &DynamicImage) -> Measures {
    let gray = Gray::of(picture);
    let (darkest, brightest) = gray.extremes();
    let (signs, strong) = gray.hash();
    Measures {
        sharpness: gray.sharpness(),
        darkest,
        brightest,
        frame: gray.frame(),
        signs,
        strong,
        page: Some(is_page(picture)),
    }
}

/// Whether a picture is a whole comic page; `false` if the search for panels fails.
fn is_page(picture: &DynamicImage) -> bool {
    let search = |page: &RgbImage| {
        let layout = comic::find_panels(page, ReadingOrder::default());
        comic::is_page(&layout, page.dimensions())
    };
    // What a picture shows is as strange as its file may be.
    let found = catch_unwind(AssertUnwindSafe(|| match picture.as_rgb8() {
        Some(page) => search(page),
        // Laying it on white takes a copy, for which a large picture has no room.
        None if picture.width().max(picture.height()) > 2 * SIDE => {
            search(&opaque(picture.thumbnail(2 * SIDE, 2 * SIDE)))
        }
        None => search(&opaque(picture.clone())),
    }));
    found.unwrap_or(false)
}

/// Luma, row by row.
struct Gray {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Gray {
    /// Averages squares of pixels, laid on white.
    fn of(picture: &DynamicImage) -> Self {
        if !matches!(picture.color(), ColorType::Rgb8 | ColorType::Rgba8) {
            return Self::of(&DynamicImage::ImageRgba8(picture.to_rgba8()));
        }
        let (width, height) = picture.dimensions();
        let step = (width.max(height) / SIDE).max(1) as usize;
        let (width, height) = (width as usize, height as usize);
        let n_channels = usize::from(picture.color().channel_count());
        let (columns, rows) = (width.div_ceil(step), height.div_ceil(step));
        let mut pixels = Vec::with_capacity(columns * rows);
        let lines: Vec<&[u8]> = picture.as_bytes().chunks_exact(width * n_channels).collect();
        for band in lines.chunks(step) {
            let mut sums = vec![0_u32; columns];
            for line in band {
                for (sum, square) in sums.iter_mut().zip(line.chunks(step * n_channels)) {
                    *sum += square.chunks_exact(n_channels).map(luma).sum::<u32>();
                }
            }
            let averages = sums.iter().enumerate().map(|(column, sum)| {
                let n_columns = step.min(width - column * step);
                let n_pixels = (n_columns * band.len()) as u32;
                ((sum + n_pixels / 2) / n_pixels) as u8
            });
            pixels.extend(averages);
        }
        Self {
            width: columns,
            height: rows,
            pixels,
        }
    }

    fn at(&self, x: usize, y: usize) -> u8 {
        self.pixels[y * self.width + x]
    }

    /// The luma that 0.5 % of the pixels are below, and the one that 0.5 % are above.
    fn extremes(&self) -> (u8, u8) {
        let mut counts = [0_usize; 256];
        for &pixel in &self.pixels {
            counts[usize::from(pixel)] += 1;
        }
        let few = self.pixels.len() / 200;
        let beyond = |order: &[usize]| {
            let mut n = 0;
            let found = order.iter().find(|&&luma| {
                n += counts[luma];
                n > few
            });
            found.copied().unwrap_or(0) as u8
        };
        let rising: Vec<usize> = (0..256).collect();
        let falling: Vec<usize> = (0..256).rev().collect();
        (beyond(&rising), beyond(&falling))
    }

    /// How steep the edges of the sharpest tenth of the tiles are, in thousandths of a step between two pixels.
    ///
    /// The Laplacian is set against the contrast of its tile, so that it does not matter how many edges there are and how
    /// strong: flat drawings are as sharp as photographs. Of a step that a Gaussian of σ pixels has blurred it is 0.24/σ²
    /// of the contrast.
    fn sharpness(&self) -> Option<u16> {
        let mut tiles = Vec::new();
        let mut laplacians: Vec<u16> = Vec::with_capacity(TILE * TILE);
        for top in (1..self.height.saturating_sub(TILE)).step_by(TILE) {
            for left in (1..self.width.saturating_sub(TILE)).step_by(TILE) {
                laplacians.clear();
                let (mut low, mut high) = (u8::MAX, 0);
                for y in top..top + TILE {
                    for x in left..left + TILE {
                        let here = self.at(x, y);
                        (low, high) = (low.min(here), high.max(here));
                        let around = [
                            self.at(x - 1, y),
                            self.at(x + 1, y),
                            self.at(x, y - 1),
                            self.at(x, y + 1),
                        ];
                        let around: u16 = around.into_iter().map(u16::from).sum();
                        laplacians.push((4 * u16::from(here)).abs_diff(around));
                    }
                }
                let contrast = high - low;
                if contrast >= EDGE {
                    // An edge through a tile has two pixels of 32 in each row.
                    let (_, steep, _) = laplacians.select_nth_unstable(TILE * TILE * 98 / 100);
                    tiles.push(f64::from(*steep) / f64::from(contrast));
                }
            }
        }
        let tenth = tiles.len().checked_sub(1)? * 9 / 10;
        let (_, steep, _) = tiles.select_nth_unstable_by(tenth, f64::total_cmp);
        // As if the longer side had 1024 pixels: an edge gets steeper with the square of the scale.
        let scale = (self.width.max(self.height) as f64 / f64::from(SIDE)).max(1.0);
        Some((1000.0 * *steep * scale * scale).min(1000.0) as u16)
    }

    /// Bars of one luma at the left, top, right and bottom, in thousandths of the side.
    fn frame(&self) -> [u16; 4] {
        let (width, height) = (self.width, self.height);
        let column = |x: usize| (0..height).map(move |y| self.at(x, y)).collect::<Vec<u8>>();
        let row = |y: usize| self.pixels[y * width..(y + 1) * width].to_vec();
        [
            bar(width, column),
            bar(height, row),
            bar(width, |x| column(width - 1 - x)),
            bar(height, |y| row(height - 1 - y)),
        ]
    }

    /// Signs of the lowest cosine coefficients, and which of them are more than noise.
    fn hash(&self) -> (u64, u64) {
        let cells = self.cells();
        let mut waves = [[0_f32; CELLS]; WAVES];
        for (frequency, wave) in waves.iter_mut().enumerate() {
            for (x, value) in wave.iter_mut().enumerate() {
                *value = (PI * (2 * x + 1) as f32 * frequency as f32 / (2 * CELLS) as f32).cos();
            }
        }
        let along = |values: &[f32], wave: &[f32; CELLS]| -> f32 {
            values.iter().zip(wave).map(|(value, wave)| value * wave).sum()
        };
        let (mut signs, mut strong) = (0_u64, 0_u64);
        for (u, across) in waves.iter().enumerate() {
            let column: Vec<f32> = cells.chunks_exact(CELLS).map(|row| along(row, across)).collect();
            for (v, down) in waves.iter().enumerate() {
                let coefficient = along(&column, down);
                let bit = 1_u64 << (v * WAVES + u);
                if (u, v) == (0, 0) || coefficient.abs() < LEAST_WAVE {
                    continue;
                }
                strong |= bit;
                if coefficient > 0.0 {
                    signs |= bit;
                }
            }
        }
        (signs, strong)
    }

    /// The picture as `CELLS` × `CELLS` averages, stretched to a square.
    fn cells(&self) -> Vec<f32> {
        let range = |cell: usize, side: usize| {
            let from = cell * side / CELLS;
            from..((cell + 1) * side / CELLS).max(from + 1)
        };
        let mut cells = Vec::with_capacity(CELLS * CELLS);
        for row in 0..CELLS {
            for column in 0..CELLS {
                let (mut sum, mut n) = (0_u32, 0_u32);
                for y in range(row, self.height) {
                    for x in range(column, self.width) {
                        sum += u32::from(self.at(x, y));
                        n += 1;
                    }
                }
                cells.push(sum as f32 / n as f32);
            }
        }
        cells
    }
}

/// Rec. 601 luma of an RGB or RGBA pixel, on white.
fn luma(pixel: &[u8]) -> u32 {
    let channel = |at: usize| u32::from(pixel[at]);
    let luma = (299 * channel(0) + 587 * channel(1) + 114 * channel(2) + 500) / 1000;
    match pixel.get(3) {
        Some(&alpha) => (luma * u32::from(alpha) + 255 * (255 - u32::from(alpha)) + 127) / 255,
        None => luma,
    }
}

/// Thousandths of a side that a bar of one luma takes; 0 if it does not end in an edge along most of its length, as the
/// background of a figure does not.
fn bar(side: usize, line: impl Fn(usize) -> Vec<u8>) -> u16 {
    /// JPEG's noise in a bar, in steps of luma.
    const NOISE: u8 = 10;
    /// The edge of a bar, in steps of luma.
    const STEP: u8 = 24;
    let first = line(0);
    let of_bar = mean(&first);
    let is_bar = |line: &[u8]| {
        let (low, high) = line
            .iter()
            .fold((u8::MAX, 0), |(low, high), &luma| (luma.min(low), luma.max(high)));
        high - low <= NOISE && mean(line).abs_diff(of_bar) <= NOISE
    };
    let most = side / 2;
    let Some(n) = (0..most).find(|&n| !is_bar(&line(n))) else {
        return 0;
    };
    if n == 0 {
        return 0;
    }
    // Scaling has softened the edge itself.
    let behind = line((n + 2).min(side - 1));
    let n_other = behind.iter().filter(|luma| luma.abs_diff(of_bar) > STEP).count();
    if n_other * 100 < behind.len() * 55 {
        return 0;
    }
    (1000 * n / side) as u16
}

fn mean(line: &[u8]) -> u8 {
    let sum: usize = line.iter().map(|&luma| usize::from(luma)).sum();
    (sum / line.len().max(1)) as u8
}

/// Signs of a picture's coefficients, and which of them are large enough to have one.
pub(crate) type Hash = (u64, u64);

/// Coefficients that two pictures both need to have, of 63: flat pictures are all alike.
pub(crate) const LEAST_COMMON: u32 = 20;

/// Coefficients whose signs may differ between two pictures that show the same, at most.
pub(crate) const MOST_DIFFERENT: u32 = u64::BITS / N_FOR_EACH_DIFFERENCE;

/// One of so many signs may differ.
const N_FOR_EACH_DIFFERENCE: u32 = 12;

/// The hashes of a picture, and of what it becomes when it is mirrored and rotated by quarters.
pub(crate) fn views(picture: &Measures) -> [Hash; 8] {
    let upright = (picture.signs, picture.strong);
    let turned = (transposed(picture.signs), transposed(picture.strong));
    let mut views = [upright; 8];
    let mirrorings = [0, ODD_COLUMNS, ODD_ROWS, ODD_COLUMNS ^ ODD_ROWS];
    for (at, view) in views.iter_mut().enumerate() {
        let (signs, strong) = if at < 4 { upright } else { turned };
        *view = (signs ^ mirrorings[at % 4], strong);
    }
    views
}

/// Whether two pictures show the same as they are, perhaps scaled or brightened.
pub(crate) fn is_same_view((signs, strong): Hash, other: Hash) -> bool {
    let common = strong & other.1;
    let n_common = common.count_ones();
    if n_common < LEAST_COMMON || (strong ^ other.1).count_ones() > LEAST_COMMON {
        return false;
    }
    let n_different = ((signs ^ other.0) & common).count_ones();
    n_different * N_FOR_EACH_DIFFERENCE <= n_common
}

/// Whether two pictures show the same, perhaps scaled, brightened, mirrored or rotated by a quarter.
#[cfg(test)]
pub(crate) fn is_near(one: &Measures, other: &Measures) -> bool {
    let other = (other.signs, other.strong);
    views(one).into_iter().any(|view| is_same_view(view, other))
}

/// Coefficients that change their sign when a picture is mirrored left to right: cosines of an odd frequency.
const ODD_COLUMNS: u64 = 0xaaaa_aaaa_aaaa_aaaa;
/// The same top to bottom.
const ODD_ROWS: u64 = 0xff00_ff00_ff00_ff00;

/// The hash of the picture with rows and columns exchanged.
fn transposed(hash: u64) -> u64 {
    let mut turned = 0;
    for row in 0..WAVES {
        for column in 0..WAVES {
            let bit = hash >> (row * WAVES + column) & 1;
            turned |= bit << (column * WAVES + row);
        }
    }
    turned
}

#[cfg(test)]
mod tests;
