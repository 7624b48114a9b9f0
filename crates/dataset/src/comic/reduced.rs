//! A page shrunk to the size at which its layout is looked for.

use image::RgbImage;

/// Longest side, in pixels. A gutter of half a percent has five of them.
const SIDE: u32 = 1000;

/// A small RGB picture.
#[derive(Debug, Clone)]
pub(super) struct Reduced {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Row by row.
    pub(super) pixels: Vec<[u8; 3]>,
}

impl Reduced {
    /// Averages the pixels that fall on each small one, and how many pixels of the page one of them is wide and high. A
    /// page that is small already stays as it is.
    pub(super) fn of(page: &RgbImage) -> (Self, (f64, f64)) {
        let (width, height) = page.dimensions();
        let longest = width.max(height).max(SIDE);
        let side = |of: u32| ((u64::from(of) * u64::from(SIDE) / u64::from(longest)).max(1)) as usize;
        let (columns, rows) = match longest == SIDE {
            true => (width as usize, height as usize),
            false => (side(width), side(height)),
        };
        let column_of: Vec<usize> = (0..width as usize)
            .map(|x| x * columns / width as usize)
            .collect();
        let mut pixels = Vec::with_capacity(columns * rows);
        let mut sums = vec![[0_u32; 4]; columns];
        let mut lines = page
            .as_raw()
            .chunks_exact(3 * width as usize)
            .enumerate()
            .peekable();
        while let Some((y, line)) = lines.next() {
            for (pixel, &column) in line.chunks_exact(3).zip(&column_of) {
                let sum = &mut sums[column];
                sum[0] += u32::from(pixel[0]);
                sum[1] += u32::from(pixel[1]);
                sum[2] += u32::from(pixel[2]);
                sum[3] += 1;
            }
            let row = |y: usize| y * rows / height as usize;
            if lines.peek().is_none_or(|(next, _)| row(*next) != row(y)) {
                pixels.extend(sums.iter().map(|&[red, green, blue, n]| {
                    [red, green, blue].map(|sum| ((sum + n / 2) / n.max(1)) as u8)
                }));
                sums.fill([0; 4]);
            }
        }
        let scale = (f64::from(width) / columns as f64, f64::from(height) / rows as f64);
        let reduced = Self {
            width: columns,
            height: rows,
            pixels,
        };
        (reduced, scale)
    }

    pub(super) fn at(&self, x: usize, y: usize) -> [u8; 3] {
        self.pixels[y * self.width + x]
    }

    /// Rec. 601 luma of each pixel.
    pub(super) fn luma(&self) -> Vec<u8> {
        self.pixels.iter().map(|&pixel| luma(pixel)).collect()
    }
}

/// Rec. 601 luma.
pub(super) fn luma([red, green, blue]: [u8; 3]) -> u8 {
    ((299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue) + 500) / 1000) as u8
}

/// Largest difference of a channel.
pub(super) fn distance(one: [u8; 3], other: [u8; 3]) -> u8 {
    let of = |channel: usize| one[channel].abs_diff(other[channel]);
    of(0).max(of(1)).max(of(2))
}
