//! Numbers and shapes that pages are drawn from.

/// SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }
}

pub(super) type Point = (f64, f64);

/// A convex panel: left top, right top, right bottom, left bottom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape(pub(super) [Point; 4]);

impl Shape {
    pub(super) fn rectangle(left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Self([(left, top), (right, top), (right, bottom), (left, bottom)])
    }

    pub(super) fn bounds(&self) -> [f64; 4] {
        let x = self.0.map(|point| point.0);
        let y = self.0.map(|point| point.1);
        let least = |of: [f64; 4]| of.into_iter().fold(f64::MAX, f64::min);
        let most = |of: [f64; 4]| of.into_iter().fold(f64::MIN, f64::max);
        [least(x), least(y), most(x), most(y)]
    }

    /// How far inside a point is, in pixels; negative outside.
    pub(super) fn depth(&self, (x, y): Point) -> f64 {
        (0..4)
            .map(|at| {
                let ((ax, ay), (bx, by)) = (self.0[at], self.0[(at + 1) % 4]);
                let (dx, dy) = (bx - ax, by - ay);
                (dx * (y - ay) - dy * (x - ax)) / dx.hypot(dy)
            })
            .fold(f64::MAX, f64::min)
    }
}

/// Lengths with gaps between them that fill a length.
pub(super) fn divided(random: &mut Random, length: f64, gap: f64, n: usize, uneven: f64) -> Vec<(f64, f64)> {
    let shares: Vec<f64> = (0..n).map(|_| random.between(1.0, 1.0 + uneven)).collect();
    let sum: f64 = shares.iter().sum();
    let room = length - gap * (n - 1) as f64;
    let mut from = 0.0;
    let mut parts = Vec::new();
    for share in shares {
        let part = room * share / sum;
        parts.push((from, from + part));
        from += part + gap;
    }
    parts
}

/// Slants the gutters between panels, not the outer sides.
pub(super) fn slant(random: &mut Random, shapes: &mut [Shape], (left, width): Point, (top, height): Point) {
    let mut slopes: Vec<(i64, f64)> = Vec::new();
    let mut leans: Vec<((i64, i64), f64)> = Vec::new();
    // Level gutters are the same for a whole row, upright ones for the panels beside them.
    let is_outer = |at: f64, from: f64, length: f64| at < from + 1.0 || at > from + length - 1.0;
    let rows: Vec<[f64; 4]> = shapes.iter().map(Shape::bounds).collect();
    let middle = left + width / 2.0;
    for (index, shape) in shapes.iter_mut().enumerate() {
        let [_, row_top, _, row_bottom] = rows[index];
        let row = row_top.round() as i64;
        for at in 0..4 {
            let (x, y) = shape.0[at];
            let mut moved = (x, y);
            if !is_outer(x, left, width) {
                // The gutter that this side belongs to, by its place in the row.
                let n = rows
                    .iter()
                    .filter(|other| other[1].round() as i64 == row && other[2] < x - 0.5)
                    .count() as i64;
                let n = if at == 0 || at == 3 { n } else { n + 1 };
                let lean = match leans.iter().find(|(key, _)| *key == (row, n)) {
                    Some((_, lean)) => *lean,
                    None => {
                        let lean = random.between(-0.2, 0.2);
                        leans.push(((row, n), lean));
                        lean
                    }
                };
                moved.0 += lean * (y - f64::midpoint(row_top, row_bottom));
            }
            if !is_outer(y, top, height) {
                let key = if at < 2 {
                    row
                } else {
                    rows.iter()
                        .map(|r| r[1])
                        .filter(|&t| t > row_bottom)
                        .fold(f64::MAX, f64::min)
                        .round() as i64
                };
                let slope = match slopes.iter().find(|(other, _)| *other == key) {
                    Some((_, slope)) => *slope,
                    None => {
                        let slope = random.between(-0.08, 0.08);
                        slopes.push((key, slope));
                        slope
                    }
                };
                moved.1 += slope * (moved.0 - middle);
            }
            shape.0[at] = moved;
        }
    }
}
