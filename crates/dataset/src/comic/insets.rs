//! Panels that are drawn into another one, with a frame but no gutter around it.
//!
//! The frame of one is four straight dark lines that end where they meet. Doors and posters are that as well; so an inset has
//! a least size, and less confidence than other panels.

use super::{
    cut::{Leaf, Region},
    gutter::Gutter,
};

/// Shortest side of an inset, as a share of the shorter side of the page.
const SHORTEST: f64 = 0.14;
/// Largest inset, as a share of its panel.
const LARGEST: f64 = 0.6;
/// A frame is darker than this luma.
const DARK: u8 = 110;
/// A line that is darker than what lies beside it by so much is a line.
const CONTRAST: u8 = 30;
/// Pixels that a line may lack, at an end or within, where something lies over it.
const GAP: usize = 6;
/// Thickest frame, in pixels of the reduced page.
const THICKEST: usize = 7;
/// How certain such a panel is.
const CONFIDENCE: f64 = 0.6;

/// A dark line that is longer than the least side of an inset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    at: usize,
    from: usize,
    to: usize,
}

/// The insets of a panel, by the luma of each pixel of the page.
pub(super) fn find(luma: &[u8], gutter: &Gutter, leaf: &Leaf) -> Vec<Leaf> {
    let shortest = (SHORTEST * gutter.width.min(gutter.height) as f64) as usize;
    let [left, top, right, bottom] = leaf.bounds().map(|at| at.max(0.0).round() as usize);
    let (right, bottom) = (right.min(gutter.width), bottom.min(gutter.height));
    // The panel's own frame is no inset's.
    let inner = [
        left + THICKEST,
        top + THICKEST,
        right.saturating_sub(THICKEST),
        bottom.saturating_sub(THICKEST),
    ];
    let [left, top, right, bottom] = inner;
    if right < left + shortest || bottom < top + shortest {
        return Vec::new();
    }
    let is_dark = |x: usize, y: usize| luma[y * gutter.width + x] < DARK;
    let darker = |x: usize, y: usize, other_x: usize, other_y: usize| {
        luma[other_y * gutter.width + other_x].saturating_sub(luma[y * gutter.width + x]) >= CONTRAST
    };
    // Outer edges: what lies further out is brighter.
    let tops = lines(top..bottom, left..right, shortest, |y, x| {
        is_dark(x, y) && darker(x, y, x, y - 2)
    });
    let bottoms = lines(top..bottom, left..right, shortest, |y, x| {
        is_dark(x, y) && darker(x, y, x, (y + 2).min(gutter.height - 1))
    });
    let lefts = lines(left..right, top..bottom, shortest, |x, y| {
        is_dark(x, y) && darker(x, y, x - 2, y)
    });
    let rights = lines(left..right, top..bottom, shortest, |x, y| {
        is_dark(x, y) && darker(x, y, (x + 2).min(gutter.width - 1), y)
    });
    let near = |one: usize, other: usize| one.abs_diff(other) <= GAP;
    let mut found: Vec<[usize; 4]> = Vec::new();
    for upper in &tops {
        for lower in bottoms.iter().filter(|lower| lower.at >= upper.at + shortest) {
            if !near(upper.from, lower.from) || !near(upper.to, lower.to) {
                continue;
            }
            let fits = |side: &&Line, x: usize| {
                near(side.at, x) && near(side.from, upper.at) && near(side.to, lower.at + 1)
            };
            let first = lefts.iter().find(|side| fits(side, upper.from));
            let last = rights.iter().rfind(|side| fits(side, upper.to));
            if let (Some(first), Some(last)) = (first, last) {
                found.push([first.at, upper.at, last.at + 1, lower.at + 1]);
            }
        }
    }
    let area = |[left, top, right, bottom]: [usize; 4]| ((right - left) * (bottom - top)) as f64;
    found.retain(|&frame| area(frame) <= LARGEST * leaf.area());
    found.sort_by(|&one, &other| area(other).total_cmp(&area(one)));
    let mut kept: Vec<[usize; 4]> = Vec::new();
    for frame in found {
        let [left, top, right, bottom] = frame;
        let is_apart = |other: &[usize; 4]| {
            left >= other[2] || right <= other[0] || top >= other[3] || bottom <= other[1]
        };
        if kept.iter().all(is_apart) && is_drawn(gutter, frame) {
            kept.push(frame);
        }
    }
    kept.into_iter()
        .map(|[left, top, right, bottom]| Leaf {
            region: Region::rectangle((left as f64, top as f64), (right as f64, bottom as f64)),
            confidence: CONFIDENCE,
            seen: CONFIDENCE,
        })
        .collect()
}

/// Whether there is more in a frame than the paper of a box of text.
fn is_drawn(gutter: &Gutter, [left, top, right, bottom]: [usize; 4]) -> bool {
    const LEAST_FULL: f64 = 0.4;
    let n = (top..bottom).map(|y| (left..right).filter(|&x| !gutter.at(x, y)).count());
    n.sum::<usize>() as f64 >= LEAST_FULL * ((right - left) * (bottom - top)) as f64
}

/// Straight lines along one direction: runs of marked pixels, each of which may be one row off, with small gaps.
fn lines(
    across: std::ops::Range<usize>,
    along: std::ops::Range<usize>,
    shortest: usize,
    is_marked: impl Fn(usize, usize) -> bool,
) -> Vec<Line> {
    let mut lines = Vec::new();
    for at in across {
        let mut from = None;
        let mut last = along.start;
        let mut n_marked = 0;
        for place in along.clone() {
            if !is_marked(at, place) {
                continue;
            }
            if from.is_some() && place - last > GAP {
                lines.extend(line(at, from, last, n_marked, shortest));
                from = None;
            }
            if from.is_none() {
                from = Some(place);
                n_marked = 0;
            }
            n_marked += 1;
            last = place;
        }
        lines.extend(line(at, from, last, n_marked, shortest));
    }
    lines
}

fn line(at: usize, from: Option<usize>, last: usize, n_marked: usize, shortest: usize) -> Option<Line> {
    let from = from?;
    let length = last + 1 - from;
    (length >= shortest && n_marked * 10 >= length * 8).then_some(Line {
        at,
        from,
        to: last + 1,
    })
}
