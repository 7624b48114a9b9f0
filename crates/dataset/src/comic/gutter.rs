//! The color of gutters, and where a page has it.

use super::reduced::{Reduced, distance};

/// Colors that are tried, at most.
const MOST_COLORS: usize = 5;
/// Colors that are nearer to each other than this are one.
const SAME_COLOR: u8 = 36;
/// Steps from one pixel to the next that paper and noise have within one color.
const FLAT: u8 = 14;

/// Where a page has the color of its gutters.
#[derive(Debug, Clone)]
pub(super) struct Gutter {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Row by row.
    rows: Vec<bool>,
    /// Column by column.
    columns: Vec<bool>,
}

/// The colors that gutters may have: those of the border, and those of large flat areas.
pub(super) fn candidates(page: &Reduced) -> Vec<[u8; 3]> {
    // One for each color of four bits a channel.
    let mut border = vec![Sum::default(); 1 << 12];
    let mut flat = border.clone();
    let ring = page.width.min(page.height) * 4 / 100;
    let least = ring / 4;
    for y in 0..page.height - 1 {
        for x in 0..page.width - 1 {
            let color = page.at(x, y);
            if distance(color, page.at(x + 1, y)).max(distance(color, page.at(x, y + 1))) > FLAT {
                continue;
            }
            let [red, green, blue] = color.map(|channel| usize::from(channel / 16));
            let key = red << 8 | green << 4 | blue;
            flat[key].add(color);
            let from_edge = x.min(y).min(page.width - 1 - x).min(page.height - 1 - y);
            if (least..ring).contains(&from_edge) {
                border[key].add(color);
            }
        }
    }
    let ranked = |mut sums: Vec<Sum>| {
        sums.retain(|sum| sum.n > 0);
        sums.sort_by_key(|sum| (std::cmp::Reverse(sum.n), sum.channels));
        sums
    };
    let n_pixels = page.pixels.len() as u64;
    let of_border = ranked(border).into_iter().take(2);
    let of_areas = ranked(flat)
        .into_iter()
        .filter(|sum| sum.n * 60 >= n_pixels)
        .take(4);
    let mut colors: Vec<[u8; 3]> = Vec::new();
    let found = of_border.chain(of_areas).map(|sum| sum.mean());
    for color in found.chain([[255; 3], [0; 3]]) {
        if colors.len() < MOST_COLORS && colors.iter().all(|&other| distance(color, other) > SAME_COLOR) {
            colors.push(color);
        }
    }
    colors
}

/// Pixels of about one color.
#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    n: u64,
    channels: [u64; 3],
}

impl Sum {
    fn add(&mut self, color: [u8; 3]) {
        self.n += 1;
        for (sum, channel) in self.channels.iter_mut().zip(color) {
            *sum += u64::from(channel);
        }
    }

    fn mean(&self) -> [u8; 3] {
        self.channels.map(|sum| (sum / self.n.max(1)) as u8)
    }
}

impl Gutter {
    /// Where a page has a color, as far as noise lets it.
    pub(super) fn new(page: &Reduced, color: [u8; 3]) -> Self {
        let tolerance = tolerance(page, color);
        let rows: Vec<bool> = page
            .pixels
            .iter()
            .map(|&pixel| distance(pixel, color) <= tolerance)
            .collect();
        let (width, height) = (page.width, page.height);
        let columns = (0..width)
            .flat_map(|x| (0..height).map(move |y| (x, y)))
            .map(|(x, y)| rows[y * width + x])
            .collect();
        Self {
            width,
            height,
            rows,
            columns,
        }
    }

    pub(super) fn at(&self, x: usize, y: usize) -> bool {
        self.rows[y * self.width + x]
    }

    /// The share of the page's border, a little inside, that has the color.
    pub(super) fn margin(&self) -> f64 {
        let inside = self.width.min(self.height) / 50;
        let (right, bottom) = (self.width - 1 - inside, self.height - 1 - inside);
        let level = (0..self.width)
            .map(|x| self.at(x, inside))
            .chain((0..self.width).map(|x| self.at(x, bottom)));
        let upright = (0..self.height)
            .map(|y| self.at(inside, y))
            .chain((0..self.height).map(|y| self.at(right, y)));
        let n = level.chain(upright).filter(|&is_gutter| is_gutter).count();
        n as f64 / (2 * (self.width + self.height)) as f64
    }

    /// The same page with rows and columns exchanged.
    pub(super) fn transposed(&self) -> Self {
        Self {
            width: self.height,
            height: self.width,
            rows: self.columns.clone(),
            columns: self.rows.clone(),
        }
    }
}

/// Four standard deviations of the noise around a color, within limits.
fn tolerance(page: &Reduced, color: [u8; 3]) -> u8 {
    const LEAST: u8 = 20;
    const MOST: u8 = 52;
    /// What is further away has another color.
    const NEAR: u8 = 60;
    let mut counts = [0_usize; NEAR as usize + 1];
    for &pixel in &page.pixels {
        let away = distance(pixel, color);
        if away <= NEAR {
            counts[usize::from(away)] += 1;
        }
    }
    let n: usize = counts.iter().sum();
    let mut seen = 0;
    let median = counts.iter().position(|count| {
        seen += count;
        seen * 2 >= n
    });
    // The largest of three channels lies around 1.1 standard deviations.
    let median = median.unwrap_or(0) as u8;
    median.saturating_mul(4).clamp(LEAST, MOST)
}
