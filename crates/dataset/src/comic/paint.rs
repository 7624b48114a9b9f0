//! Paints over parts of a picture with what surrounds them.
//!
//! Colors that vary as little as they can between those around a hole: the solution of Laplace's equation, by multigrid.
//! Holes are filled from their borders inwards first, on the smallest picture; each finer picture then relaxes what the
//! coarser one gave it (Briggs, Henson and McCormick, "A Multigrid Tutorial", 2000). It is smooth, and has no texture, which
//! suits flat colors. Linear in the pixels.

use image::{GrayImage, Rgb, RgbImage};
use protocol::page::PageFrame;

/// Relaxations on each level; more change nothing that is seen.
const ROUNDS: usize = 24;

/// A picture with holes.
struct Level {
    width: usize,
    height: usize,
    colors: Vec<[f32; 3]>,
    is_hole: Vec<bool>,
}

/// Paints over what lies in a frame where a mask of the picture's size is not 0, with what surrounds it. A frame that the
/// mask covers completely, with all that surrounds it, stays as it is.
///
/// # Panics
///
/// If the sizes differ.
pub fn paint_over(picture: &mut RgbImage, mask: &GrayImage, frame: PageFrame) {
    /// Pixels around the frame that are looked at.
    const AROUND: u32 = 2;
    assert_eq!(
        picture.dimensions(),
        mask.dimensions(),
        "the mask is for another picture"
    );
    let wider = PageFrame {
        left: frame.left.saturating_sub(AROUND),
        top: frame.top.saturating_sub(AROUND),
        width: frame.width.saturating_add(2 * AROUND),
        height: frame.height.saturating_add(2 * AROUND),
    };
    let Some(PageFrame {
        left,
        top,
        width,
        height,
    }) = wider.on_page(picture.dimensions())
    else {
        return;
    };
    let places = || (0..height).flat_map(|y| (0..width).map(move |x| (left + x, top + y)));
    let level = Level {
        width: width as usize,
        height: height as usize,
        colors: places()
            .map(|(x, y)| picture.get_pixel(x, y).0.map(f32::from))
            .collect(),
        is_hole: places().map(|(x, y)| mask.get_pixel(x, y)[0] != 0).collect(),
    };
    if !level.is_hole.contains(&false) {
        return;
    }
    for (((x, y), color), is_hole) in places().zip(level.filled()).zip(&level.is_hole) {
        if *is_hole {
            let color = color.map(|channel| channel.round().clamp(0.0, 255.0) as u8);
            picture.put_pixel(x, y, Rgb(color));
        }
    }
}

impl Level {
    /// The colors with the holes filled.
    fn filled(&self) -> Vec<[f32; 3]> {
        let mut colors = self.colors.clone();
        if !self.is_hole.contains(&true) {
            return colors;
        }
        let coarse = self.halved();
        let guess = coarse.filled();
        for (at, color) in colors.iter_mut().enumerate() {
            if self.is_hole[at] {
                let (x, y) = (at % self.width / 2, at / self.width / 2);
                *color = guess[y * coarse.width + x];
            }
        }
        let holes: Vec<usize> = (0..colors.len()).filter(|&at| self.is_hole[at]).collect();
        for _ in 0..ROUNDS {
            for &at in &holes {
                colors[at] = self.average(&colors, at);
            }
        }
        colors
    }

    /// Half as wide and high: the average of what is known; a hole where nothing is.
    fn halved(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut colors = vec![[0.0_f32; 3]; width * height];
        let mut known = vec![0.0_f32; width * height];
        for at in (0..self.colors.len()).filter(|&at| !self.is_hole[at]) {
            let coarse = at / self.width / 2 * width + at % self.width / 2;
            known[coarse] += 1.0;
            for (sum, channel) in colors[coarse].iter_mut().zip(self.colors[at]) {
                *sum += channel;
            }
        }
        for (color, n) in colors.iter_mut().zip(&known) {
            *color = color.map(|sum| sum / n.max(1.0));
        }
        Self {
            width,
            height,
            colors,
            is_hole: known.iter().map(|&n| n == 0.0).collect(),
        }
    }

    /// The average of the pixels beside one.
    fn average(&self, colors: &[[f32; 3]], at: usize) -> [f32; 3] {
        let (x, y) = (at % self.width, at / self.width);
        let near = [
            (x > 0).then(|| at - 1),
            (x + 1 < self.width).then(|| at + 1),
            (y > 0).then(|| at.wrapping_sub(self.width)),
            (y + 1 < self.height).then(|| at + self.width),
        ];
        let mut sum = [0.0; 3];
        let mut n = 0.0;
        for near in near.into_iter().flatten() {
            n += 1.0;
            for (sum, channel) in sum.iter_mut().zip(colors[near]) {
                *sum += channel;
            }
        }
        sum.map(|sum| sum / f32::max(n, 1.0))
    }
}
