//! Comic pages: finds their panels in reading order, and the balloons in them.
//!
//! A page is shrunk to about a thousand pixels and turned upright, and the color of its gutters is looked for: every
//! color that much of its border or of its flat areas has is tried. Then it is cut along straight gutters, again and
//! again, as recursive X-Y cuts do it (Nagy and Seth, "Hierarchical representation of optically scanned documents", ICPR
//! 1984); our cuts may be slanted, and may pass under balloons that lie over a gutter. What cannot be cut is searched for
//! pieces that gutters surround without running through, and for insets. `docs/comic-pages.md` has the details and what
//! is measured.
//!
//! Pure functions of pixels: nothing is read or written here. [`crate::decoder::Decoder::page`] runs them where pictures
//! are decoded.

use image::RgbImage;
use protocol::page::{PageFrame, ReadingOrder};
use serde::{Deserialize, Serialize};

mod balloons;
mod cut;
mod gutter;
mod insets;
mod order;
mod paint;
mod pieces;
mod reduced;
mod sheet;
mod skew;

pub use self::{
    balloons::{Balloon, find_balloons},
    paint::paint_over,
    sheet::contact_sheet,
};
use self::{
    cut::{Leaf, Region},
    gutter::Gutter,
    reduced::Reduced,
    skew::Turn,
};

/// A panel that was found on a page.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Panel {
    /// Where it is: the smallest upright rectangle around it.
    pub frame: PageFrame,
    /// How certainly this is a panel, from 0 to 1: how much of its outline is seen.
    pub confidence: f32,
}

/// What is found on a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Its panels in reading order. A picture without gutters is one panel.
    pub panels: Vec<Panel>,
    /// Color of its gutters: red, green, blue.
    pub gutter: [u8; 3],
    /// How far the page was turned clockwise when it was scanned, in degrees.
    pub skew_degrees: f32,
}

/// Panels that cover less of a page than this are no panels, but numbers, titles and dirt.
const LEAST_AREA: f64 = 0.008;

/// Shortest side of a panel, as a share of the shorter side of the page.
const LEAST_SIDE: f64 = 0.06;

/// Finds the panels of a page.
pub fn find_panels(page: &RgbImage, order: ReadingOrder) -> Layout {
    let (reduced, scale) = Reduced::of(page);
    let turn = skew::measure(&reduced);
    let upright = turn.apply(&reduced);
    let tried = gutter::candidates(&upright).into_iter().map(|color| {
        let gutter = Gutter::new(&upright, color);
        let cut = cut::cut(&gutter, Region::whole(upright.width, upright.height));
        (score(&cut, &gutter), cut, gutter, color)
    });
    let best = tried.reduce(|best, next| if next.0 > best.0 { next } else { best });
    let (leaves, gutter) = match best {
        Some((_, cut, gutter, color)) => (leaves(&upright, &gutter, &cut), color),
        None => (Vec::new(), [255; 3]),
    };
    let panels = leaves
        .iter()
        .map(|leaf| panel(leaf, &turn, scale, page))
        .collect();
    let mut panels = without_doubles(panels);
    order::sort(&mut panels, order);
    Layout {
        panels,
        gutter,
        skew_degrees: turn.degrees(),
    }
}

/// Whether a picture is a whole page: it has at least two panels with outlines, which together fill most of it.
pub fn is_page(layout: &Layout, (width, height): (u32, u32)) -> bool {
    /// Below it, flat areas of a single drawing may pass for gutters.
    const LEAST_CONFIDENCE: f32 = 0.8;
    const LEAST_FILLED: f64 = 0.55;
    let sure = layout
        .panels
        .iter()
        .filter(|panel| panel.confidence >= LEAST_CONFIDENCE);
    let (n_sure, area) = sure.fold((0, 0.0), |(n, area), panel| {
        (n + 1, area + panel.frame.area() as f64)
    });
    n_sure >= 2
        && n_sure * 2 > layout.panels.len()
        && area >= LEAST_FILLED * f64::from(width) * f64::from(height)
}

/// The panels in the reduced page, as quadrilaterals.
fn leaves(page: &Reduced, gutter: &Gutter, cut: &[Leaf]) -> Vec<Leaf> {
    let luma = page.luma();
    let (width, height) = (page.width as f64, page.height as f64);
    let is_large = |leaf: &Leaf| {
        let (w, h) = leaf.extent();
        w * h >= LEAST_AREA * width * height && w.min(h) >= LEAST_SIDE * width.min(height)
    };
    let mut found = Vec::new();
    for leaf in cut.iter().filter(|leaf| is_large(leaf)) {
        for part in pieces::parts(gutter, leaf) {
            found.extend(insets::find(&luma, gutter, &part));
            found.push(part);
        }
    }
    found.retain(is_large);
    found
}

/// How well the gutters of a color explain a page: the share that lies in panels, by how much of their sides is seen, with
/// a little for each of them and for a margin.
fn score(leaves: &[Leaf], gutter: &Gutter) -> f64 {
    let page = (gutter.width * gutter.height) as f64;
    let covered: f64 = leaves.iter().map(|leaf| leaf.area().min(page) * leaf.seen).sum();
    let n = leaves
        .iter()
        .filter(|leaf| leaf.area() > LEAST_AREA * page)
        .count();
    covered / page + 0.1 * (n.max(1) as f64).ln() + 0.3 * gutter.margin()
}

/// A leaf as the page has it: turned back, in its pixels.
fn panel(leaf: &Leaf, turn: &Turn, scale: (f64, f64), page: &RgbImage) -> Panel {
    let corners = leaf.corners().map(|corner| turn.back(corner));
    let (width, height) = (f64::from(page.width()), f64::from(page.height()));
    let x = corners.map(|(x, _)| (x * scale.0).clamp(0.0, width));
    let y = corners.map(|(_, y)| (y * scale.1).clamp(0.0, height));
    let least = |of: [f64; 4]| of.into_iter().fold(f64::MAX, f64::min).round() as u32;
    let most = |of: [f64; 4]| of.into_iter().fold(0.0, f64::max).round() as u32;
    let (left, top) = (least(x), least(y));
    Panel {
        frame: PageFrame {
            left,
            top,
            width: most(x).saturating_sub(left).max(1),
            height: most(y).saturating_sub(top).max(1),
        },
        confidence: leaf.confidence as f32,
    }
}

/// The same panel may be found as an inset and as a piece: the surer one stays.
fn without_doubles(mut panels: Vec<Panel>) -> Vec<Panel> {
    const SAME: f64 = 0.7;
    panels.sort_by(|one, other| other.confidence.total_cmp(&one.confidence));
    let mut kept: Vec<Panel> = Vec::with_capacity(panels.len());
    for panel in panels {
        if kept.iter().all(|other| other.frame.overlap(&panel.frame) < SAME) {
            kept.push(panel);
        }
    }
    kept
}

#[cfg(test)]
pub(crate) mod tests;
