//! Multi-resolution noise (Whitaker 2023, "Multi-Resolution Noise for Diffusion Model Training"), as sd-scripts has it: noise
//! of coarser and coarser levels on top, the first of them as fine as the picture.

use diffusion::random::Random;

/// Adds levels to the noise of a picture, `[C, h, w]`. Each level's size is drawn; the last is one pixel wide or high.
pub(super) fn add(
    noise: &mut [f32],
    [channels, height, width]: [usize; 3],
    random: &mut Random,
    n_levels: u16,
    discount: f64,
) {
    for level in 0..i32::from(n_levels) {
        let ratio = 2.0 + 2.0 * f64::from(random.uniform());
        let shrunk = |side: usize| ((side as f64 / ratio.powi(level)) as usize).max(1);
        let size = (shrunk(height), shrunk(width));
        let factor = discount.powi(level) as f32;
        let coarse = random.normal(channels * size.0 * size.1);
        let pairs = noise
            .chunks_exact_mut(height * width)
            .zip(coarse.chunks_exact(size.0 * size.1));
        for (channel, coarse) in pairs {
            add_enlarged(channel, (height, width), coarse, size, factor);
        }
        if size.0 == 1 || size.1 == 1 {
            break;
        }
    }
}

/// Adds a picture that is enlarged bilinearly, as `torch.nn.Upsample(mode="bilinear")` does it: pixels are areas, and the
/// outermost reach to the edge.
fn add_enlarged(
    channel: &mut [f32],
    (height, width): (usize, usize),
    coarse: &[f32],
    (rows, columns): (usize, usize),
    factor: f32,
) {
    for y in 0..height {
        let (above, below, down) = neighbors(y, height, rows);
        for x in 0..width {
            let (left, right, across) = neighbors(x, width, columns);
            let at = |row: usize, column: usize| coarse[row * columns + column];
            let upper = (1.0 - across) * at(above, left) + across * at(above, right);
            let lower = (1.0 - across) * at(below, left) + across * at(below, right);
            channel[y * width + x] += factor * ((1.0 - down) * upper + down * lower);
        }
    }
}

/// The two pixels of a smaller side that one of a larger side lies between, and how far it is from the first.
fn neighbors(at: usize, side: usize, smaller: usize) -> (usize, usize, f32) {
    let place = ((at as f32 + 0.5) * (smaller as f32 / side as f32) - 0.5).max(0.0);
    let first = (place as usize).min(smaller - 1);
    (first, (first + 1).min(smaller - 1), place - first as f32)
}

/// Divides by the standard deviation of all numbers (`torch.std`, which divides by one less).
pub(super) fn normalize(parts: Vec<&mut [f32]>) {
    let n: usize = parts.iter().map(|part| part.len()).sum();
    let numbers = || parts.iter().flat_map(|part| part.iter()).map(|x| f64::from(*x));
    let mean = numbers().sum::<f64>() / n as f64;
    let squares: f64 = numbers().map(|x| (x - mean).powi(2)).sum();
    let deviation = (squares / (n - 1) as f64).sqrt() as f32;
    for part in parts {
        part.iter_mut().for_each(|x| *x /= deviation);
    }
}
