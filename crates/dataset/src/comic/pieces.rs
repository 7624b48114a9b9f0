//! Panels that no straight gutter separates: those around a middle one, and those that overlap.

use super::{
    cut::{Leaf, Region},
    gutter::Gutter,
};

/// Share of each side of a piece's rectangle that must be content.
const LEAST_LINED: f64 = 0.8;
/// Least area of a piece, as a share of the page.
const LEAST_AREA: f64 = 0.012;
/// Shortest side of a piece, as a share of the shorter side of the page.
const LEAST_SIDE: f64 = 0.07;
/// Content of a piece, as a share of its rectangle: a box of text has less.
const LEAST_FULL: f64 = 0.4;

/// Connected content, as a rectangle: left, top, right, bottom, the last two exclusive.
#[derive(Debug, Clone, Copy)]
struct Piece {
    bounds: [usize; 4],
    n_pixels: usize,
    label: u32,
}

/// The panels that a leaf consists of: itself, if it is one; its pieces if gutters run around them.
pub(super) fn parts(gutter: &Gutter, leaf: &Leaf) -> Vec<Leaf> {
    let window = Window::of(gutter, leaf);
    let (labels, mut pieces) = window.pieces();
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.n_pixels));
    let page = (gutter.width * gutter.height) as f64;
    let shorter = gutter.width.min(gutter.height) as f64;
    let whole = (window.width * window.height) as f64;
    let mut found: Vec<(Piece, f64)> = Vec::new();
    let mut rest = Vec::new();
    for piece in pieces {
        let [left, top, right, bottom] = piece.bounds;
        let (width, height) = ((right - left) as f64, (bottom - top) as f64);
        if width * height < LEAST_AREA * page || width.min(height) < LEAST_SIDE * shorter {
            continue;
        }
        let lined = window.lined(&labels, &piece);
        let least = lined.iter().copied().fold(1.0, f64::min);
        let is_full = window.fullness(piece.bounds) >= LEAST_FULL;
        let is_whole = width * height > 0.9 * whole;
        if !is_whole && least >= LEAST_LINED && is_full {
            found.push((piece, lined.iter().sum::<f64>() / 4.0));
        } else {
            rest.push((piece, lined));
        }
    }
    if found.is_empty() {
        return vec![*leaf];
    }
    let mut parts: Vec<Leaf> = found
        .iter()
        .map(|(piece, confidence)| window.leaf(piece.bounds, *confidence))
        .collect();
    // What lies under the others has lost pieces of its sides.
    let mut n_under = 0;
    for (piece, lined) in rest {
        let [left, top, right, bottom] = piece.bounds;
        let area = ((right - left) * (bottom - top)) as f64;
        let n_lined = lined.iter().filter(|&&share| share >= 0.35).count();
        let is_within = found.iter().any(|(other, _)| {
            let [l, t, r, b] = other.bounds;
            left >= l && top >= t && right <= r && bottom <= b
        });
        if n_lined >= 3 && !is_within && area >= 2.0 * LEAST_AREA * page {
            parts.push(window.leaf(piece.bounds, lined.iter().sum::<f64>() / 4.0));
            n_under += 1;
        }
    }
    let covered: f64 = found
        .iter()
        .map(|(piece, _)| ((piece.bounds[2] - piece.bounds[0]) * (piece.bounds[3] - piece.bounds[1])) as f64)
        .sum();
    // Insets leave most of the panel that they lie in.
    if n_under == 0 && covered < 0.6 * whole {
        parts.push(*leaf);
    }
    parts
}

/// The rectangle around a leaf.
struct Window<'a> {
    gutter: &'a Gutter,
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl<'a> Window<'a> {
    fn of(gutter: &'a Gutter, leaf: &Leaf) -> Self {
        let [left, top, right, bottom] = leaf.bounds();
        let inside = |at: f64, most: usize| (at.max(0.0).round() as usize).min(most);
        let (left, top) = (inside(left, gutter.width - 1), inside(top, gutter.height - 1));
        Self {
            gutter,
            left,
            top,
            width: inside(right, gutter.width).saturating_sub(left).max(1),
            height: inside(bottom, gutter.height).saturating_sub(top).max(1),
        }
    }

    fn is_content(&self, x: usize, y: usize) -> bool {
        !self.gutter.at(self.left + x, self.top + y)
    }

    fn leaf(&self, [left, top, right, bottom]: [usize; 4], confidence: f64) -> Leaf {
        let at = |x: usize, y: usize| ((self.left + x) as f64, (self.top + y) as f64);
        Leaf {
            region: Region::rectangle(at(left, top), at(right, bottom)),
            confidence,
            seen: confidence,
        }
    }

    /// Content that is connected, side by side or corner by corner, with a label for each pixel; 0 is gutter.
    fn pieces(&self) -> (Vec<u32>, Vec<Piece>) {
        let (width, height) = (self.width, self.height);
        let mut labels = vec![0_u32; width * height];
        let mut pieces = Vec::new();
        let mut open = Vec::new();
        for start in 0..width * height {
            if labels[start] != 0 || !self.is_content(start % width, start / width) {
                continue;
            }
            let label = pieces.len() as u32 + 1;
            let mut piece = Piece {
                bounds: [width, height, 0, 0],
                n_pixels: 0,
                label,
            };
            labels[start] = label;
            open.push(start);
            while let Some(at) = open.pop() {
                let (x, y) = (at % width, at / width);
                piece.n_pixels += 1;
                let [left, top, right, bottom] = piece.bounds;
                piece.bounds = [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)];
                for near_y in y.saturating_sub(1)..(y + 2).min(height) {
                    for near_x in x.saturating_sub(1)..(x + 2).min(width) {
                        let near = near_y * width + near_x;
                        if labels[near] == 0 && self.is_content(near_x, near_y) {
                            labels[near] = label;
                            open.push(near);
                        }
                    }
                }
            }
            pieces.push(piece);
        }
        (labels, pieces)
    }

    /// Share of the left, top, right and bottom side of a piece's rectangle along which it has content, up to three pixels
    /// inside.
    fn lined(&self, labels: &[u32], piece: &Piece) -> [f64; 4] {
        let [left, top, right, bottom] = piece.bounds;
        let has = |x: usize, y: usize| labels[y * self.width + x] == piece.label;
        let rows = |depth: [usize; 3]| {
            let n = (left..right).filter(|&x| depth.iter().any(|&y| y < bottom && y >= top && has(x, y)));
            n.count() as f64 / (right - left) as f64
        };
        let columns = |depth: [usize; 3]| {
            let n = (top..bottom).filter(|&y| depth.iter().any(|&x| x < right && x >= left && has(x, y)));
            n.count() as f64 / (bottom - top) as f64
        };
        let from_end = |end: usize| [end - 1, end.saturating_sub(2), end.saturating_sub(3)];
        [
            columns([left, left + 1, left + 2]),
            rows([top, top + 1, top + 2]),
            columns(from_end(right)),
            rows(from_end(bottom)),
        ]
    }

    fn fullness(&self, [left, top, right, bottom]: [usize; 4]) -> f64 {
        let n = (top..bottom).map(|y| (left..right).filter(|&x| self.is_content(x, y)).count());
        n.sum::<usize>() as f64 / ((right - left) * (bottom - top)) as f64
    }
}
