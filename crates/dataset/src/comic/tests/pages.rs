//! Comic pages with known panels, drawn by code from a seed.
//!
//! Nothing in a panel is drawn to make it easy: its ground may have the gutter's color, figures touch its frame, and
//! windows, bands and horizons are straight lines that are no gutters.

use image::{Rgb, RgbImage};
use protocol::page::{PageFrame, ReadingOrder};

use self::{
    scan::{noisy, scanned},
    shapes::{Point, Random, Shape, divided, slant},
};

mod scan;
mod shapes;

/// A page and what is on it.
pub(crate) struct Drawn {
    pub(crate) page: RgbImage,
    /// Its panels, in the order in which they are read.
    pub(crate) frames: Vec<PageFrame>,
    /// Where balloons with words are.
    pub(crate) balloons: Vec<PageFrame>,
}

/// What a page is drawn to be difficult by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Grid,
    Rows,
    Columns,
    Black,
    Colored,
    Borderless,
    Slanted,
    Bleeds,
    Insets,
    FramedInsets,
    Overlaps,
    Pinwheel,
    Scanned,
    OverGutters,
}

pub(crate) const KINDS: [Kind; 14] = [
    Kind::Grid,
    Kind::Rows,
    Kind::Columns,
    Kind::Black,
    Kind::Colored,
    Kind::Borderless,
    Kind::Slanted,
    Kind::Bleeds,
    Kind::Insets,
    Kind::FramedInsets,
    Kind::Overlaps,
    Kind::Pinwheel,
    Kind::Scanned,
    Kind::OverGutters,
];

/// Draws on a page.
struct Pen<'a> {
    page: &'a mut RgbImage,
    random: &'a mut Random,
}

impl Pen<'_> {
    fn fill(&mut self, bounds: [f64; 4], color: impl Fn(Point, [u8; 3]) -> Option<[u8; 3]>) {
        let (width, height) = self.page.dimensions();
        let clamp = |at: f64, most: u32| at.clamp(0.0, f64::from(most)) as u32;
        let [left, top, right, bottom] = bounds;
        for y in clamp(top.floor(), height)..clamp(bottom.ceil() + 1.0, height) {
            for x in clamp(left.floor(), width)..clamp(right.ceil() + 1.0, width) {
                let pixel = self.page.get_pixel_mut(x, y);
                if let Some(color) = color((f64::from(x) + 0.5, f64::from(y) + 0.5), pixel.0) {
                    *pixel = Rgb(color);
                }
            }
        }
    }

    fn color(&mut self) -> [u8; 3] {
        match self.random.below(5) {
            0 => [255, 255, 255],
            1 => [self.random.below(90) as u8; 3],
            2 => [(90 + self.random.below(150)) as u8; 3],
            _ => [0; 3].map(|_: u8| self.random.below(256) as u8),
        }
    }

    /// The drawing of a panel, up to its outline. Without a frame its ground differs from the gutter.
    fn panel(&mut self, shape: &Shape, frame: Option<(f64, [u8; 3])>, gutter: [u8; 3]) {
        let bounds = shape.bounds();
        let [left, top, right, bottom] = bounds;
        let (width, height) = (right - left, bottom - top);
        let mut ground = self.color();
        let is_near = |one: [u8; 3], other: [u8; 3]| (0..3).all(|c| one[c].abs_diff(other[c]) < 70);
        if frame.is_none() {
            while is_near(ground, gutter) {
                ground = self.color();
            }
        }
        let fade = self.random.between(-60.0, 60.0);
        let has_fade = self.random.chance(0.4) && frame.is_some();
        self.fill(bounds, |at, _| {
            let shift = if has_fade {
                fade * (at.1 - top) / height
            } else {
                0.0
            };
            let faded = ground.map(|channel| (f64::from(channel) + shift).clamp(0.0, 255.0) as u8);
            (shape.depth(at) >= 0.0).then_some(faded)
        });
        for _ in 0..3 + self.random.below(6) {
            let mut color = self.color();
            // What stands at the outline of a panel without a frame is its outline.
            while frame.is_none() && is_near(color, gutter) {
                color = self.color();
            }
            let x = self.random.between(left, right);
            let y = self.random.between(top, bottom);
            let a = self.random.between(0.06, 0.35) * width;
            let b = self.random.between(0.06, 0.35) * height;
            let line = self.random.between(1.0, 4.0);
            let is_round = self.random.chance(0.55);
            self.fill([x - a, y - b, x + a, y + b], |at, _| {
                let inside = if is_round {
                    (1.0 - ((at.0 - x) / a).hypot((at.1 - y) / b)) * a.min(b)
                } else {
                    (a - (at.0 - x).abs()).min(b - (at.1 - y).abs())
                };
                let is_drawn = inside >= 0.0 && shape.depth(at) >= 0.0;
                is_drawn.then_some(if inside < line { [20, 18, 24] } else { color })
            });
        }
        // A horizon or a wall, from one side to the other.
        if self.random.chance(0.3) {
            let color = match frame {
                Some(_) if self.random.chance(0.5) => gutter,
                Some(_) => self.color(),
                None => ground,
            };
            let y = top + height * self.random.between(0.3, 0.7);
            let thickness = height * self.random.between(0.02, 0.1);
            self.fill([left, y, right, y + thickness], |at, _| {
                (shape.depth(at) >= 0.0 && (y..y + thickness).contains(&at.1)).then_some(color)
            });
        }
        if let Some((thickness, ink)) = frame {
            self.fill(bounds, |at, _| {
                let depth = shape.depth(at);
                (depth >= 0.0 && depth < thickness).then_some(ink)
            });
        }
    }

    /// A white balloon with lines of words.
    fn balloon(&mut self, (x, y): Point, (a, b): Point) -> PageFrame {
        let line = self.random.between(2.0, 4.0);
        self.fill([x - a, y - b, x + a, y + b], |at, _| {
            let inside = (1.0 - ((at.0 - x) / a).hypot((at.1 - y) / b)) * a.min(b);
            (inside >= 0.0).then_some(if inside < line { [10; 3] } else { [255; 3] })
        });
        let letter = (b * 0.14).max(5.0);
        let rows = ((b * 1.1) / (letter * 1.7)) as i32;
        for row in 0..rows {
            let row_y = y + (f64::from(row) - f64::from(rows - 1) / 2.0) * letter * 1.7;
            let reach = a * 0.75 * (1.0 - ((row_y - y) / b).powi(2)).max(0.0).sqrt();
            let mut at = x - reach;
            while at + letter * 0.7 < x + reach {
                if !self.random.chance(0.15) {
                    let is_bar = self.random.chance(0.5);
                    let (from_x, from_y) = (at, row_y - letter / 2.0);
                    let stroke = letter * 0.22;
                    self.fill(
                        [from_x, from_y, from_x + letter * 0.7, from_y + letter],
                        |p, _| {
                            let (dx, dy) = (p.0 - from_x, p.1 - from_y);
                            let is_in = (0.0..letter * 0.65).contains(&dx) && (0.0..letter).contains(&dy);
                            let is_ink = dx < stroke
                                || (is_bar && (dy - letter / 2.0).abs() < stroke / 2.0 + 0.5)
                                || dy < stroke;
                            (is_in && is_ink).then_some([15; 3])
                        },
                    );
                }
                at += letter * 0.9;
            }
        }
        PageFrame {
            left: (x - a).max(0.0) as u32,
            top: (y - b).max(0.0) as u32,
            width: (2.0 * a) as u32,
            height: (2.0 * b) as u32,
        }
    }
}

/// The page of a seed.
pub(crate) fn draw(seed: u64, kind: Kind) -> Drawn {
    let mut random = Random(seed.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ kind as u64);
    let random = &mut random;
    let height = random.between(900.0, 1500.0).round();
    let width = (height * random.between(0.62, 0.8)).round();
    let margin = width * random.between(0.03, 0.07);
    let gap = width * random.between(0.008, 0.025);
    let gutter = match kind {
        Kind::Black => [random.below(14) as u8; 3],
        Kind::Colored => {
            let base = [0; 3].map(|_: u8| 40 + random.below(190) as u8);
            [base[0], base[1], 255 - base[0] / 2]
        }
        Kind::Borderless if random.chance(0.3) => [8; 3],
        _ => [255 - random.below(12) as u8; 3],
    };
    let is_dark = gutter.iter().all(|&channel| channel < 60);
    let ink = if is_dark { [235; 3] } else { [12, 10, 16] };
    let frame = match kind {
        Kind::Borderless => None,
        Kind::Black if random.chance(0.5) => Some((width * random.between(0.002, 0.005), [8; 3])),
        _ => Some((width * random.between(0.0025, 0.006), ink)),
    };
    // On black, panels end where their drawing does.
    let frame = if kind == Kind::Black {
        frame.filter(|(_, ink)| ink[0] > 100)
    } else {
        frame
    };
    let mut page = RgbImage::from_pixel(width as u32, height as u32, Rgb(gutter));
    let mut shapes: Vec<Shape> = Vec::new();
    let mut over: Vec<Shape> = Vec::new();
    let (inner_width, inner_height) = (width - 2.0 * margin, height - 2.0 * margin);
    match kind {
        Kind::Columns => {
            for (left, right) in divided(random, inner_width, gap, 2, 0.6) {
                let n = 2 + random.below(2);
                for (top, bottom) in divided(random, inner_height, gap, n, 1.2) {
                    shapes.push(Shape::rectangle(left, top, right, bottom));
                }
            }
        }
        Kind::Pinwheel => {
            // Four around a middle one: no gutter runs through.
            let x = [
                inner_width * random.between(0.28, 0.4),
                inner_width * random.between(0.62, 0.72),
            ];
            let y = [
                inner_height * random.between(0.28, 0.4),
                inner_height * random.between(0.62, 0.72),
            ];
            let g = gap / 2.0;
            shapes = vec![
                Shape::rectangle(0.0, 0.0, x[1] - g, y[0] - g),
                Shape::rectangle(x[1] + g, 0.0, inner_width, y[1] - g),
                Shape::rectangle(0.0, y[0] + g, x[0] - g, inner_height),
                Shape::rectangle(x[0] + g, y[0] + g, x[1] - g, y[1] - g),
                Shape::rectangle(x[0] + g, y[1] + g, inner_width, inner_height),
            ];
        }
        _ => {
            let n_rows = 2 + random.below(3);
            let n_columns = 1 + random.below(3);
            let uneven = if kind == Kind::Grid { 0.0 } else { 1.2 };
            for (top, bottom) in divided(random, inner_height, gap, n_rows, uneven) {
                let n = match kind {
                    Kind::Grid => n_columns.max(2),
                    Kind::Slanted => 2 + random.below(2),
                    _ => 1 + random.below(3),
                };
                for (left, right) in divided(random, inner_width, gap, n, uneven) {
                    shapes.push(Shape::rectangle(left, top, right, bottom));
                }
            }
        }
    }
    for shape in &mut shapes {
        for point in &mut shape.0 {
            *point = (point.0 + margin, point.1 + margin);
        }
    }
    if kind == Kind::Slanted {
        slant(random, &mut shapes, (margin, inner_width), (margin, inner_height));
    }
    if kind == Kind::Bleeds {
        for shape in &mut shapes {
            for point in &mut shape.0 {
                let snap = |at: f64, length: f64| match at {
                    at if at < margin + 1.0 => -8.0,
                    at if at > length - margin - 1.0 => length + 8.0,
                    at => at,
                };
                *point = (snap(point.0, width), snap(point.1, height));
            }
        }
    }
    if matches!(kind, Kind::Insets | Kind::FramedInsets) {
        let largest = shapes.iter().copied().max_by(|one, other| {
            let area = |shape: &Shape| {
                let [left, top, right, bottom] = shape.bounds();
                (right - left) * (bottom - top)
            };
            area(one).total_cmp(&area(other))
        });
        let [left, top, right, bottom] = largest.map_or([0.0; 4], |shape| shape.bounds());
        let (w, h) = (
            (right - left) * random.between(0.3, 0.48),
            (bottom - top) * random.between(0.3, 0.48),
        );
        let (w, h) = (w.max(width * 0.17), h.max(width * 0.17));
        let inside = margin.min(gap + 8.0) + 8.0;
        let x = if random.chance(0.5) {
            left + inside
        } else {
            right - inside - w
        };
        let y = if random.chance(0.5) {
            top + inside
        } else {
            bottom - inside - h
        };
        over.push(Shape::rectangle(x, y, x + w, y + h));
    }
    if kind == Kind::Overlaps {
        // Two panels lie over each other by their corners, in a row of their own.
        let [.., bottom] = shapes.first().map_or([0.0; 4], |shape| shape.bounds());
        shapes.retain(|shape| shape.bounds()[1] > bottom);
        let top = margin;
        let (h, w) = (bottom - top, inner_width);
        shapes.insert(
            0,
            Shape::rectangle(margin, top, margin + w * 0.62, top + h * 0.74),
        );
        over.push(Shape::rectangle(
            margin + w * 0.5,
            top + h * 0.42,
            margin + w,
            bottom,
        ));
    }
    let halo = gap * random.between(0.5, 0.9);
    let mut pen = Pen {
        page: &mut page,
        random,
    };
    for shape in &shapes {
        pen.panel(shape, frame, gutter);
    }
    for shape in &over {
        if kind != Kind::FramedInsets {
            pen.fill(widened(shape.bounds(), halo), |at, _| {
                (shape.depth(at) >= -halo).then_some(gutter)
            });
        }
        pen.panel(shape, frame, gutter);
    }
    let mut balloons = Vec::new();
    for shape in shapes.iter().chain(&over) {
        let [left, top, right, bottom] = shape.bounds();
        let (w, h) = (right - left, bottom - top);
        if pen.random.chance(0.5) && w > width * 0.2 && h > width * 0.15 {
            let (a, b) = (
                w * pen.random.between(0.16, 0.26),
                h * pen.random.between(0.12, 0.2),
            );
            let is_covered = over.iter().any(|over| {
                let [l, t, r, b] = over.bounds();
                left < r && right > l && top < b && bottom > t
            });
            let at = match kind {
                Kind::OverGutters => (
                    left + w * pen.random.between(0.35, 0.65),
                    bottom - b * pen.random.between(0.2, 0.6),
                ),
                _ if is_covered => continue,
                _ => (
                    left + w * pen.random.between(0.35, 0.65),
                    top + h * pen.random.between(0.3, 0.6),
                ),
            };
            balloons.push(pen.balloon(at, (a, b)));
        }
    }
    // The number of the page.
    if pen.random.chance(0.5) && kind != Kind::Bleeds {
        let (x, y) = (width / 2.0, height - margin * 0.5);
        let size = margin * 0.2;
        pen.fill([x - size, y - size, x + size, y + size], |_, _| Some(ink));
    }
    let all: Vec<Shape> = shapes.iter().chain(&over).copied().collect();
    let turn = match kind {
        Kind::Scanned => random.between(-1.0, 1.0),
        _ => 0.0,
    };
    let around = if random.chance(0.5) { gutter } else { [120; 3] };
    let (page, all) = scanned(&page, &all, turn, around);
    let noise = match kind {
        Kind::Scanned => 10.0,
        _ if random.chance(0.4) => random.between(2.0, 8.0),
        _ => 0.0,
    };
    let page = noisy(page, random, noise);
    let frames = all.iter().map(|shape| {
        let [left, top, right, bottom] = shape.bounds();
        let (left, top) = (left.max(0.0).round(), top.max(0.0).round());
        PageFrame {
            left: left as u32,
            top: top as u32,
            width: (right.min(width) - left).round() as u32,
            height: (bottom.min(height) - top).round() as u32,
        }
    });
    Drawn {
        frames: frames.collect(),
        page,
        balloons,
    }
}

/// A rectangle with some pixels around it.
fn widened([left, top, right, bottom]: [f64; 4], by: f64) -> [f64; 4] {
    [left - by, top - by, right + by, bottom + by]
}

/// How the panels that were found agree with those that were drawn, at an overlap of nine tenths: matched, drawn, found.
pub(crate) fn matched(drawn: &[PageFrame], found: &[PageFrame]) -> (usize, usize, usize) {
    let mut free: Vec<&PageFrame> = found.iter().collect();
    let mut n = 0;
    for frame in drawn {
        if let Some(at) = free.iter().position(|other| frame.overlap(other) >= 0.9) {
            free.swap_remove(at);
            n += 1;
        }
    }
    (n, drawn.len(), found.len())
}

/// A page of rows and columns in the order in which it is read.
pub(crate) fn in_order(frames: &[PageFrame], order: ReadingOrder) -> Vec<PageFrame> {
    let mut frames = frames.to_vec();
    frames.sort_by_key(|frame| {
        let x = i64::from(frame.left);
        (
            frame.top / 8,
            if order == ReadingOrder::RightToLeft { -x } else { x },
        )
    });
    frames
}
