//! Balloons and boxes of text: bright, flat areas that a dark outline closes, with small dark pieces in rows inside.
//!
//! As in Rigaud and others, "Robust frame and text extraction from comic books" (2013) and "An active contour model for
//! speech balloon detection in comics" (ICDAR 2013), what makes a balloon is its text: the many small components in a
//! bright area, which are as high as each other. Balloons without an outline on a bright ground are not found.

use image::{GrayImage, Luma, RgbImage};
use protocol::page::PageFrame;

use super::reduced::{Reduced, luma};

/// Luma of the paper in a balloon, at least.
const BRIGHT: u8 = 215;
/// Luma of ink, at most.
const INK: u8 = 130;
/// Area of a balloon, as a share of the panel.
const AREA: std::ops::RangeInclusive<f64> = 0.003..=0.55;
/// Pieces of ink that words have at least.
const LEAST_LETTERS: usize = 4;
/// Ink of the words, as a share of the balloon.
const WORDS: std::ops::RangeInclusive<f64> = 0.02..=0.5;

/// A balloon in a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balloon {
    /// The smallest upright rectangle around it.
    pub frame: PageFrame,
}

/// The balloons of a panel, and where they are, with their outlines: 255 in balloons and 0 elsewhere, of the panel's size.
pub fn find_balloons(panel: &RgbImage) -> (Vec<Balloon>, GrayImage) {
    let (reduced, scale) = Reduced::of(panel);
    let map = Map::of(&reduced);
    let mut covered = vec![false; map.luma.len()];
    let mut balloons = Vec::new();
    for area in map.bright_areas() {
        let Some(inside) = map.balloon(&area) else {
            continue;
        };
        let frame = map.cover(&inside, area.bounds, &mut covered);
        let [left, top, right, bottom] = frame;
        let (x, y) = ((left as f64 * scale.0) as u32, (top as f64 * scale.1) as u32);
        balloons.push(Balloon {
            frame: PageFrame {
                left: x,
                top: y,
                width: ((right as f64 * scale.0) as u32).min(panel.width()) - x,
                height: ((bottom as f64 * scale.1) as u32).min(panel.height()) - y,
            },
        });
    }
    let mask = GrayImage::from_fn(panel.width(), panel.height(), |x, y| {
        let column = ((f64::from(x) / scale.0) as usize).min(map.width - 1);
        let row = ((f64::from(y) / scale.1) as usize).min(map.height - 1);
        Luma([if covered[row * map.width + column] { 255 } else { 0 }])
    });
    (balloons, mask)
}

/// Luma of a reduced panel.
struct Map {
    width: usize,
    height: usize,
    luma: Vec<u8>,
}

/// Connected pixels: their places, and left, top, right, bottom, the last two exclusive.
struct Area {
    pixels: Vec<usize>,
    bounds: [usize; 4],
}

impl Map {
    fn of(picture: &Reduced) -> Self {
        Self {
            width: picture.width,
            height: picture.height,
            luma: picture.pixels.iter().map(|&pixel| luma(pixel)).collect(),
        }
    }

    /// Connected bright pixels of a possible size that do not reach two sides of the panel, as its ground does.
    fn bright_areas(&self) -> Vec<Area> {
        let mut seen = vec![false; self.luma.len()];
        let whole = self.luma.len() as f64;
        let mut areas = Vec::new();
        for start in 0..self.luma.len() {
            if seen[start] || self.luma[start] < BRIGHT {
                continue;
            }
            let area = self.connected(start, &mut seen, |at| self.luma[at] >= BRIGHT);
            let [left, top, right, bottom] = area.bounds;
            let n_sides = [left == 0, top == 0, right == self.width, bottom == self.height];
            let n_sides = n_sides.into_iter().filter(|&touches| touches).count();
            if AREA.contains(&(area.pixels.len() as f64 / whole)) && n_sides < 2 {
                areas.push(area);
            }
        }
        areas
    }

    fn connected(&self, start: usize, seen: &mut [bool], is_part: impl Fn(usize) -> bool) -> Area {
        let mut area = Area {
            pixels: Vec::new(),
            bounds: [self.width, self.height, 0, 0],
        };
        let mut open = vec![start];
        seen[start] = true;
        while let Some(at) = open.pop() {
            area.pixels.push(at);
            let (x, y) = (at % self.width, at / self.width);
            let [left, top, right, bottom] = area.bounds;
            area.bounds = [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)];
            let near = [
                (x > 0).then(|| at - 1),
                (x + 1 < self.width).then(|| at + 1),
                (y > 0).then(|| at.wrapping_sub(self.width)),
                (y + 1 < self.height).then(|| at + self.width),
            ];
            for near in near.into_iter().flatten() {
                if !seen[near] && is_part(near) {
                    seen[near] = true;
                    open.push(near);
                }
            }
        }
        area
    }

    /// The pixels of a bright area and of the holes in it, within its rectangle, if the holes are words.
    fn balloon(&self, area: &Area) -> Option<Vec<bool>> {
        let [left, top, right, bottom] = area.bounds;
        let (width, height) = (right - left, bottom - top);
        let mut is_area = vec![false; width * height];
        for at in &area.pixels {
            is_area[(at / self.width - top) * width + at % self.width - left] = true;
        }
        // What is not reached from the rectangle's border is inside.
        let mut is_outside = vec![false; width * height];
        let local = Self {
            width,
            height,
            luma: Vec::new(),
        };
        let mut inside = vec![true; width * height];
        for start in 0..width * height {
            let (x, y) = (start % width, start / width);
            let is_border = x == 0 || y == 0 || x + 1 == width || y + 1 == height;
            if is_border && !is_area[start] && !is_outside[start] {
                for at in local.connected(start, &mut is_outside, |at| !is_area[at]).pixels {
                    inside[at] = false;
                }
            }
        }
        let n_inside = inside.iter().filter(|&&is_in| is_in).count();
        let mut seen = vec![false; width * height];
        let mut letters: Vec<[usize; 4]> = Vec::new();
        let mut n_ink = 0;
        for start in 0..width * height {
            let luma = |at: usize| self.luma[(top + at / width) * self.width + left + at % width];
            if seen[start] || !inside[start] || is_area[start] || luma(start) > INK {
                continue;
            }
            let hole = local.connected(start, &mut seen, |at| inside[at] && !is_area[at]);
            n_ink += hole.pixels.len();
            letters.push(hole.bounds);
        }
        let share = n_ink as f64 / n_inside.max(1) as f64;
        let fills = n_inside as f64 / (width * height) as f64;
        (WORDS.contains(&share) && fills > 0.5 && are_words(&letters, height)).then_some(inside)
    }

    /// Marks a balloon with its outline, and returns the rectangle around both.
    fn cover(&self, inside: &[bool], [left, top, right, _]: [usize; 4], covered: &mut [bool]) -> [usize; 4] {
        // Outlines have about half a percent of the panel.
        let outline = (self.width.max(self.height) / 150).max(2);
        let width = right - left;
        let mut bounds = [self.width, self.height, 0, 0];
        for (at, _) in inside.iter().enumerate().filter(|(_, is_in)| **is_in) {
            let (x, y) = (left + at % width, top + at / width);
            let rows = y.saturating_sub(outline)..(y + outline + 1).min(self.height);
            let columns = x.saturating_sub(outline)..(x + outline + 1).min(self.width);
            let is_border = [
                at.checked_sub(1),
                Some(at + 1),
                at.checked_sub(width),
                Some(at + width),
            ]
            .into_iter()
            .any(|near| near.and_then(|near| inside.get(near)).is_none_or(|is_in| !is_in));
            if !is_border && at % width != 0 && at % width + 1 != width {
                covered[y * self.width + x] = true;
                continue;
            }
            for y in rows {
                covered[y * self.width + columns.start..y * self.width + columns.end].fill(true);
                bounds[1] = bounds[1].min(y);
                bounds[3] = bounds[3].max(y + 1);
            }
            bounds[0] = bounds[0].min(columns.start);
            bounds[2] = bounds[2].max(columns.end);
        }
        bounds
    }
}

/// Whether pieces of ink are letters or words: several, small beside the balloon, and most about as high as each other.
fn are_words(pieces: &[[usize; 4]], balloon_height: usize) -> bool {
    let mut heights: Vec<usize> = pieces
        .iter()
        .map(|[_, top, _, bottom]| bottom - top)
        .filter(|&h| h >= 2)
        .collect();
    if heights.len() < LEAST_LETTERS {
        return false;
    }
    heights.sort_unstable();
    let middle = heights[heights.len() / 2];
    let n_alike = heights
        .iter()
        .filter(|&&height| height * 2 >= middle && height <= middle * 2)
        .count();
    n_alike * 10 >= heights.len() * 6 && middle * 3 <= balloon_height
}
