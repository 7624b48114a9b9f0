//! By how much a scanned page is turned.
//!
//! Baird, "The skew angle of printed documents" (1987): at the right angle, edges fall on few lines, so that the sum of
//! the squared numbers of edges on each line is largest.

use super::reduced::Reduced;

/// Largest angle that is looked for, in hundredths of a degree.
const MOST: i32 = 150;
/// Steps between angles, in hundredths of a degree.
const STEP: i32 = 10;
/// A step of luma from one pixel to the next that is an edge.
const EDGE: u8 = 40;
/// More edges than these say no more.
const MOST_EDGES: usize = 40_000;
/// How much better an angle must be than none.
const LEAST_GAIN: f64 = 1.08;

/// A rotation of the reduced page about its center.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// Clockwise, in radians.
    angle: f64,
    center: (f64, f64),
}

/// Measures how far a page is turned.
pub(super) fn measure(page: &Reduced) -> Turn {
    let luma = page.luma();
    let at = |x: usize, y: usize| luma[y * page.width + x];
    let mut level = Vec::new();
    let mut upright = Vec::new();
    for y in 1..page.height {
        for x in 1..page.width {
            let across = at(x, y).abs_diff(at(x - 1, y));
            let down = at(x, y).abs_diff(at(x, y - 1));
            if down >= EDGE && down / 2 > across {
                level.push((y as f64, x as f64));
            } else if across >= EDGE && across / 2 > down {
                // A page that is turned clockwise has its level lines falling and its upright lines leaning back.
                upright.push((x as f64, -(y as f64)));
            }
        }
    }
    let lists = [thinned(level), thinned(upright)];
    let score = |hundredths: i32| -> f64 {
        let slope = (f64::from(hundredths) * 0.01).to_radians().tan();
        lists.iter().map(|edges| concentration(edges, slope)).sum()
    };
    let scores: Vec<(i32, f64)> = (-MOST / STEP..=MOST / STEP)
        .map(|step| (step * STEP, score(step * STEP)))
        .collect();
    let none = score(0);
    let best = scores.iter().max_by(|one, other| one.1.total_cmp(&other.1));
    let hundredths = match best {
        Some((hundredths, most)) if *most > LEAST_GAIN * none => *hundredths,
        _ => 0,
    };
    Turn {
        angle: (f64::from(hundredths) * 0.01).to_radians(),
        center: (page.width as f64 / 2.0, page.height as f64 / 2.0),
    }
}

/// At most [`MOST_EDGES`] of them, evenly.
fn thinned(edges: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let step = edges.len().div_ceil(MOST_EDGES).max(1);
    edges.into_iter().step_by(step).collect()
}

/// Sum of squares of the numbers of edges on lines of a slope, each shared between the two nearest lines.
fn concentration(edges: &[(f64, f64)], slope: f64) -> f64 {
    const ROOM: f64 = 64.0;
    let mut lines = vec![0.0_f32; 1256];
    for (across, along) in edges {
        let line = across - along * slope + ROOM;
        let whole = line.floor();
        let share = (line - whole) as f32;
        if let Some([one, next]) = lines
            .get_mut(whole.max(0.0) as usize..)
            .and_then(|rest| rest.first_chunk_mut())
        {
            *one += 1.0 - share;
            *next += share;
        }
    }
    lines.iter().map(|n| f64::from(n * n)).sum()
}

impl Turn {
    pub(super) fn degrees(&self) -> f32 {
        self.angle.to_degrees() as f32
    }

    /// The page turned upright; what was outside has the color of the nearest pixel.
    pub(super) fn apply(&self, page: &Reduced) -> Reduced {
        if self.angle == 0.0 {
            return page.clone();
        }
        let mut pixels = Vec::with_capacity(page.pixels.len());
        for y in 0..page.height {
            for x in 0..page.width {
                let (x, y) = self.back((x as f64 + 0.5, y as f64 + 0.5));
                pixels.push(sample(page, x - 0.5, y - 0.5));
            }
        }
        Reduced { pixels, ..*page }
    }

    /// Where a point of the upright page is on the page as it is.
    pub(super) fn back(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (sin, cos) = self.angle.sin_cos();
        let (x, y) = (x - self.center.0, y - self.center.1);
        (
            self.center.0 + x * cos - y * sin,
            self.center.1 + x * sin + y * cos,
        )
    }
}

/// The color between four pixels.
fn sample(page: &Reduced, x: f64, y: f64) -> [u8; 3] {
    let x = x.clamp(0.0, (page.width - 1) as f64);
    let y = y.clamp(0.0, (page.height - 1) as f64);
    let (left, top) = (x as usize, y as usize);
    let (right, bottom) = ((left + 1).min(page.width - 1), (top + 1).min(page.height - 1));
    let (to_right, to_bottom) = (x - left as f64, y - top as f64);
    let corners = [
        (page.at(left, top), (1.0 - to_right) * (1.0 - to_bottom)),
        (page.at(right, top), to_right * (1.0 - to_bottom)),
        (page.at(left, bottom), (1.0 - to_right) * to_bottom),
        (page.at(right, bottom), to_right * to_bottom),
    ];
    [0, 1, 2].map(|channel| {
        let sum: f64 = corners
            .iter()
            .map(|(pixel, share)| f64::from(pixel[channel]) * share)
            .sum();
        sum.round() as u8
    })
}
