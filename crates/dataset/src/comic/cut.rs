//! Cuts a page along its gutters.
//!
//! A region lies between four straight lines, in the middle of the gutters around it. A cut is a line through it that runs
//! in the gutter's color from one side to the other. Balloons and overlapping panels may lie over it, but not at its ends:
//! there a line that only seems to be a gutter, such as a white wall, meets the frame of the panel that it belongs to.

use super::gutter::Gutter;

/// Lines that are tried first: a page that was turned upright may still be off by a little.
const LEVEL: [f64; 3] = [0.0, 0.004, -0.004];
/// Steepest slanted gutter.
const STEEPEST: f64 = 0.28;
/// Steps between the slopes of slanted gutters: a gutter of 7 pixels is found over 800.
const SLOPE_STEP: f64 = 0.009;
/// A level cut of this score needs no comparison with slanted ones.
const GOOD: f64 = 0.62;
/// Share of a cut that may be covered.
const MOST_BROKEN: f64 = 0.36;
/// Share of a gutter's length that content lines, on at least one side.
const LEAST_LINED: f64 = 0.45;
/// Thinnest gutter, in pixels of the reduced page.
const THINNEST: usize = 2;
/// Shortest side of what a cut leaves, as a share of the shorter side of the page.
const SHORTEST: f64 = 0.055;
/// The dirty edge of a scan, as a share of a side.
const DIRTY: f64 = 0.03;
/// What follows the edge of a panel inwards for so many pixels must be gutter at both ends of a cut: frames are thinner.
const FRAME: f64 = 6.0;

/// A straight side: `at + slope * along`, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Side {
    pub(super) at: f64,
    pub(super) slope: f64,
    /// Whether it is an edge of the page.
    is_edge: bool,
}

impl Side {
    fn new(at: f64, slope: f64) -> Self {
        Self {
            at,
            slope,
            is_edge: false,
        }
    }

    fn on(&self, along: f64) -> f64 {
        self.slope.mul_add(along, self.at)
    }
}

/// What lies between four sides; `left` and `right` are functions of y.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Region {
    pub(super) top: Side,
    pub(super) bottom: Side,
    pub(super) left: Side,
    pub(super) right: Side,
}

/// A panel of the reduced page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Leaf {
    pub(super) region: Region,
    /// How much of its four sides is seen, from 0 to 1.
    pub(super) confidence: f64,
    /// The same, where a side at the edge of the page, which needs no gutter, counts little.
    pub(super) seen: f64,
}

impl Region {
    pub(super) fn whole(width: usize, height: usize) -> Self {
        Self::rectangle((0.0, 0.0), (width as f64, height as f64)).with_edges()
    }

    pub(super) fn rectangle((left, top): (f64, f64), (right, bottom): (f64, f64)) -> Self {
        Self {
            top: Side::new(top, 0.0),
            bottom: Side::new(bottom, 0.0),
            left: Side::new(left, 0.0),
            right: Side::new(right, 0.0),
        }
    }

    fn with_edges(self) -> Self {
        let edge = |side: Side| Side {
            is_edge: true,
            ..side
        };
        Self {
            top: edge(self.top),
            bottom: edge(self.bottom),
            left: edge(self.left),
            right: edge(self.right),
        }
    }

    fn transposed(self) -> Self {
        Self {
            top: self.left,
            bottom: self.right,
            left: self.top,
            right: self.bottom,
        }
    }

    /// The same region seen from below.
    fn flipped(self, height: f64) -> Self {
        let flip = |side: Side| Side {
            at: height - side.at,
            slope: -side.slope,
            ..side
        };
        let lean = |side: Side| Side {
            at: side.on(height),
            slope: -side.slope,
            ..side
        };
        Self {
            top: flip(self.bottom),
            bottom: flip(self.top),
            left: lean(self.left),
            right: lean(self.right),
        }
    }

    fn middle(&self) -> (f64, f64) {
        let corners = self.corners();
        let sum = corners
            .iter()
            .fold((0.0, 0.0), |sum, at| (sum.0 + at.0, sum.1 + at.1));
        (sum.0 / 4.0, sum.1 / 4.0)
    }

    /// Where a line `y = at + slope * x` enters and leaves.
    fn span(&self, line: Side) -> (f64, f64) {
        (meet(line, self.left).0, meet(line, self.right).0)
    }

    /// Left top, right top, right bottom, left bottom.
    pub(super) fn corners(&self) -> [(f64, f64); 4] {
        [
            meet(self.top, self.left),
            meet(self.top, self.right),
            meet(self.bottom, self.right),
            meet(self.bottom, self.left),
        ]
    }
}

/// Where a level line and an upright one meet.
fn meet(level: Side, upright: Side) -> (f64, f64) {
    let x = (upright.at + upright.slope * level.at) / (1.0 - upright.slope * level.slope);
    (x, level.on(x))
}

impl Leaf {
    pub(super) fn corners(&self) -> [(f64, f64); 4] {
        self.region.corners()
    }

    /// Left, top, right, bottom of the upright rectangle around it.
    pub(super) fn bounds(&self) -> [f64; 4] {
        let corners = self.corners();
        let least = |of: fn(&(f64, f64)) -> f64| corners.iter().map(of).fold(f64::MAX, f64::min);
        let most = |of: fn(&(f64, f64)) -> f64| corners.iter().map(of).fold(f64::MIN, f64::max);
        [
            least(|at| at.0),
            least(|at| at.1),
            most(|at| at.0),
            most(|at| at.1),
        ]
    }

    /// Width and height of that rectangle.
    pub(super) fn extent(&self) -> (f64, f64) {
        let [left, top, right, bottom] = self.bounds();
        (right - left, bottom - top)
    }

    /// Its area, by the shoelace formula.
    pub(super) fn area(&self) -> f64 {
        let corners = self.corners();
        let twice: f64 = (0..4)
            .map(|index| {
                let ((x, y), (next_x, next_y)) = (corners[index], corners[(index + 1) % 4]);
                x * next_y - next_x * y
            })
            .sum();
        (twice / 2.0).abs()
    }
}

/// The page from the four directions that its sides are looked at from.
struct Views {
    upright: Gutter,
    transposed: Gutter,
}

/// Cuts a region until nothing more can be cut.
pub(super) fn cut(gutter: &Gutter, region: Region) -> Vec<Leaf> {
    let views = Views {
        upright: gutter.clone(),
        transposed: gutter.transposed(),
    };
    let mut open = vec![(region, 0)];
    let mut leaves = Vec::new();
    while let Some((region, depth)) = open.pop() {
        let Some(leaf) = views.content(region) else {
            continue;
        };
        match views.best(region, leaf.region).filter(|_| depth < 12) {
            Some((line, Direction::Level)) => {
                open.push((
                    Region {
                        bottom: line,
                        ..region
                    },
                    depth + 1,
                ));
                open.push((Region { top: line, ..region }, depth + 1));
            }
            Some((line, Direction::Upright)) => {
                open.push((
                    Region {
                        right: line,
                        ..region
                    },
                    depth + 1,
                ));
                open.push((Region { left: line, ..region }, depth + 1));
            }
            None => leaves.push(leaf),
        }
    }
    leaves
}

#[derive(Debug, Clone, Copy)]
enum Direction {
    Level,
    Upright,
}

impl Views {
    /// The region without the gutter around its content; `None` for one that is empty.
    fn content(&self, region: Region) -> Option<Leaf> {
        let (width, height) = (self.upright.width as f64, self.upright.height as f64);
        let view = |gutter, is_flipped| View { gutter, is_flipped };
        let (top, on_top) = view(&self.upright, false).content_top(region)?;
        let below = region.flipped(height);
        let (bottom, on_bottom) = view(&self.upright, true).content_top(below)?;
        let turned = region.transposed();
        let (left, on_left) = view(&self.transposed, false).content_top(turned)?;
        let (right, on_right) = view(&self.transposed, true).content_top(turned.flipped(width))?;
        let back = |side: Side, from: f64| Side {
            at: from - side.at,
            slope: -side.slope,
            ..side
        };
        let content = Region {
            top,
            bottom: back(bottom, height),
            left,
            right: back(right, width),
        };
        let [a, b, c, d] = content.corners();
        let is_inside_out = a.0 >= b.0 || d.0 >= c.0 || a.1 >= d.1 || b.1 >= c.1;
        let confidence = (on_top + on_bottom + on_left + on_right) / 4.0;
        let sides = [
            (content.top.at, on_top),
            (self.upright.height as f64 - content.bottom.at, on_bottom),
            (content.left.at, on_left),
            (self.upright.width as f64 - content.right.at, on_right),
        ];
        let seen = sides.map(|(from_edge, seen)| if from_edge.abs() < 1.5 { 0.3 } else { seen });
        (!is_inside_out).then_some(Leaf {
            region: content,
            confidence,
            seen: seen.iter().sum::<f64>() / 4.0,
        })
    }

    fn best(&self, region: Region, content: Region) -> Option<(Side, Direction)> {
        let least = SHORTEST * self.upright.width.min(self.upright.height) as f64;
        let level = Cutter {
            gutter: &self.upright,
            region,
            content,
            least,
        };
        let upright = Cutter {
            gutter: &self.transposed,
            region: region.transposed(),
            content: content.transposed(),
            least,
        };
        let better = |slopes: &[f64]| {
            let level = level
                .best(slopes)
                .map(|(score, line)| (score, line, Direction::Level));
            let upright = upright
                .best(slopes)
                .map(|(score, line)| (score, line, Direction::Upright));
            level
                .into_iter()
                .chain(upright)
                .max_by(|one, other| one.0.total_cmp(&other.0))
        };
        let mut best = better(&LEVEL);
        if best.is_none_or(|(score, ..)| score < GOOD) {
            let n_steps = (STEEPEST / SLOPE_STEP) as i32;
            let slanted: Vec<f64> = (-n_steps..=n_steps)
                .map(|step| f64::from(step) * SLOPE_STEP)
                .collect();
            let other = better(&slanted);
            best = best
                .into_iter()
                .chain(other)
                .max_by(|one, other| one.0.total_cmp(&other.0));
        }
        best.map(|(_, line, direction)| (line, direction))
    }
}

/// A page, perhaps seen from below.
struct View<'a> {
    gutter: &'a Gutter,
    is_flipped: bool,
}

impl View<'_> {
    fn is_gutter(&self, x: usize, y: usize) -> bool {
        let y = if self.is_flipped {
            self.gutter.height - 1 - y
        } else {
            y
        };
        self.gutter.at(x, y)
    }

    /// The line at which the content of a region begins below its top, and how sharply it does, from 0 to 1.
    fn content_top(&self, region: Region) -> Option<(Side, f64)> {
        let own = region.top.slope;
        let mut slopes = vec![own];
        for slope in [0.0, own - 0.006, own + 0.006, -0.006, 0.006] {
            if slopes.iter().all(|other| (other - slope).abs() > 1e-9) {
                slopes.push(slope);
            }
        }
        let (from, to) = region.span(region.top);
        let mut depth = usize::MAX;
        let found = slopes.into_iter().filter_map(|slope| {
            // Another slope begins near the first one, as far as the lines part.
            let part = (slope - own).abs() * (to - from).abs() / 2.0;
            let found = self.begins(region, slope, depth.saturating_add(part as usize))?;
            depth = depth.min(found.2 + 24);
            Some((found.0, found.1))
        });
        // The first one of equals is the one along the gutter.
        found.reduce(|best, next| if next.1 > best.1 + 0.02 { next } else { best })
    }

    /// The same for lines of one slope, not further down than a depth; and how far down it is.
    fn begins(&self, region: Region, slope: f64, depth: usize) -> Option<(Side, f64, usize)> {
        let profile = self.profile(region, slope, depth);
        let (first, begin) = self.bounds(&profile, region.top.is_edge)?;
        let peak = profile[begin..]
            .iter()
            .take(3)
            .fold(0.0_f64, |most, &share| most.max(share));
        // Two lines before it: the edge itself may be soft.
        let before = match begin.checked_sub(2) {
            Some(before) if before >= first => profile[before],
            _ => 0.0,
        };
        let middle = self.middle_of_top(region);
        let at = middle.1 + begin as f64 - slope * middle.0;
        let side = Side {
            at,
            slope,
            is_edge: region.top.is_edge,
        };
        Some((side, (peak - before).clamp(0.0, 1.0), begin))
    }

    /// Where in a profile one may begin to look, and where content begins.
    fn bounds(&self, profile: &[f64], is_edge: bool) -> Option<(usize, usize)> {
        /// Content before a sharp beginning, such as a balloon, is on average at most this share of each line.
        const SPARSE: f64 = 0.1;
        let sharp = |from: usize| {
            let rest = profile.get(from..)?;
            let at = [0.5, 0.25]
                .into_iter()
                .find_map(|least| rest.iter().position(|&share| share >= least))?;
            let before = rest[..at].iter().sum::<f64>();
            (before <= SPARSE * (at.max(20)) as f64).then_some((from, from + at))
        };
        let least = if is_edge { 0.006 } else { 0.03 };
        let soft = |from: usize| {
            let rest = profile.get(from..)?;
            let at = rest
                .windows(3)
                .position(|shares| shares.iter().all(|&share| share >= least))?;
            Some((from, from + at))
        };
        if is_edge {
            // Behind the dirty edge of a scan there is a margin, and then a panel.
            let dirty = (DIRTY * self.gutter.height as f64) as usize;
            let clean = profile.iter().take(dirty + 1).position(|&share| share <= 0.1);
            let behind = clean
                .and_then(sharp)
                .filter(|(_, begin)| *begin < self.gutter.height / 7);
            return behind.or_else(|| soft(0));
        }
        sharp(0).or_else(|| soft(0))
    }

    fn middle_of_top(&self, region: Region) -> (f64, f64) {
        let [left, right, ..] = region.corners();
        ((left.0 + right.0) / 2.0, (left.1 + right.1) / 2.0)
    }

    /// The share of each line of a slope that is content, from the top of a region to behind its middle, or to a depth.
    fn profile(&self, region: Region, slope: f64, most: usize) -> Vec<f64> {
        let (x0, y0) = self.middle_of_top(region);
        let depth = (region.middle().1 - y0).max(0.0) * 1.6;
        (0..(depth as usize).min(most))
            .map(|step| {
                let line = Side::new(y0 + step as f64 - slope * x0, slope);
                let (from, to) = region.span(line);
                let (mut n, mut n_content) = (0_u32, 0_u32);
                for x in pixels(from, to, self.gutter.width) {
                    let y = line.on(x as f64 + 0.5);
                    if y < region.top.on(x as f64 + 0.5).max(0.0) || y >= self.gutter.height as f64 {
                        continue;
                    }
                    n += 1;
                    n_content += u32::from(!self.is_gutter(x, y as usize));
                }
                f64::from(n_content) / f64::from(n.max(1))
            })
            .collect()
    }
}

/// Pixels between two places.
fn pixels(from: f64, to: f64, width: usize) -> std::ops::Range<usize> {
    let from = from.max(0.0).round() as usize;
    let to = (to.max(0.0).round() as usize).min(width);
    from..to.max(from)
}

/// Looks for level cuts through a region.
struct Cutter<'a> {
    gutter: &'a Gutter,
    region: Region,
    content: Region,
    /// Least height of what a cut leaves, in pixels.
    least: f64,
}

impl Cutter<'_> {
    /// The best cut by lines of these slopes, with its score.
    fn best(&self, slopes: &[f64]) -> Option<(f64, Side)> {
        let mut best: Option<(f64, Side)> = None;
        for &slope in slopes {
            for (score, line) in self.of_slope(slope) {
                if best.is_none_or(|(most, _)| score > most) {
                    best = Some((score, line));
                }
            }
        }
        best
    }

    fn of_slope(&self, slope: f64) -> Vec<(f64, Side)> {
        let (x0, _) = self.content.middle();
        let top = self.content.top.on(x0);
        let bottom = self.content.bottom.on(x0);
        let (first, last) = ((top + self.least).ceil(), (bottom - self.least).floor());
        let mut cuts = Vec::new();
        let mut strip: Vec<(Side, f64)> = Vec::new();
        let mut y = first;
        while y <= last + 1.0 {
            let line = Side::new(y - slope * x0, slope);
            match self.broken(line).filter(|_| y <= last) {
                // A strip ends where the share that is covered changes much, as at the edge of a balloon's outline.
                Some(broken) => strip.push((line, broken)),
                None => {
                    cuts.extend(self.strip(&strip));
                    strip.clear();
                }
            }
            y += 1.0;
        }
        cuts
    }

    /// Judges adjacent lines that all are possible cuts.
    fn strip(&self, lines: &[(Side, f64)]) -> Option<(f64, Side)> {
        let least = lines.iter().map(|(_, broken)| *broken).fold(f64::MAX, f64::min);
        // Those at the strip's borders run along content.
        let is_clear = |(_, broken): &(Side, f64)| *broken <= least + 0.1;
        let from = lines.iter().position(is_clear)?;
        let to = lines.iter().rposition(is_clear)?;
        let lines = &lines[from..=to];
        if lines.len() < THINNEST {
            return None;
        }
        let broken = lines.iter().map(|(_, broken)| broken).sum::<f64>() / lines.len() as f64;
        let (upper, lower) = (lines[0].0, lines[lines.len() - 1].0);
        let lined = |line: Side, away: f64| {
            let shares =
                (1..=4).map(|n| self.content_share(Side::new(line.at + away * f64::from(n), line.slope)));
            shares.fold(0.0, f64::max)
        };
        let (above, below) = (lined(upper, -1.0), lined(lower, 1.0));
        let thickness = lines.len() as f64 / self.gutter.width.min(self.gutter.height) as f64;
        let (less, more) = (above.min(below), above.max(below));
        let is_lined = if broken > 0.04 {
            less >= 0.6
        } else {
            more >= LEAST_LINED || (thickness >= 0.012 && less >= 0.08)
        };
        if !is_lined {
            return None;
        }
        let middle = lines[lines.len() / 2].0;
        let middle = Side::new((upper.at + lower.at) / 2.0, middle.slope);
        let score = (1.0 - broken).powi(2) * (0.2 + 0.4 * less + 0.3 * more) + (thickness * 4.0).min(0.1)
            - 0.2 * middle.slope.abs();
        Some((score, middle))
    }

    /// The share of a line between the sides of the content that is covered; `None` if it is no cut.
    fn broken(&self, line: Side) -> Option<f64> {
        let (start, end) = self.region.span(line);
        let (from, to) = self.content.span(line);
        // It stays between top and bottom.
        let is_within = [from, to].into_iter().all(|x| {
            let y = line.on(x);
            y >= self.region.top.on(x) + self.least / 2.0 && y <= self.region.bottom.on(x) - self.least / 2.0
        });
        if !is_within || to - from < self.least {
            return None;
        }
        // Further out, a balloon may lie over the crossing of two gutters.
        self.is_clear(line, start.max(from - FRAME), from + FRAME)?;
        self.is_clear(line, to - FRAME, end.min(to + FRAME))?;
        let (n, n_content) = self.count(line, from, to);
        let broken = f64::from(n_content) / f64::from(n.max(1));
        (broken <= MOST_BROKEN).then_some(broken)
    }

    /// Whether a piece of a line is gutter, but for noise.
    fn is_clear(&self, line: Side, from: f64, to: f64) -> Option<()> {
        let (n, n_content) = self.count(line, from, to);
        (n_content * 12 <= n).then_some(())
    }

    fn content_share(&self, line: Side) -> f64 {
        let (from, to) = self.content.span(line);
        let (n, n_content) = self.count(line, from, to);
        f64::from(n_content) / f64::from(n.max(1))
    }

    /// Pixels of a line, and how many of them are content.
    fn count(&self, line: Side, from: f64, to: f64) -> (u32, u32) {
        let (mut n, mut n_content) = (0, 0);
        for x in pixels(from, to, self.gutter.width) {
            let y = line.on(x as f64 + 0.5);
            if y >= 0.0 && y < self.gutter.height as f64 {
                n += 1;
                n_content += u32::from(!self.gutter.at(x, y as usize));
            }
        }
        (n, n_content)
    }
}
