//! How a picture looks in four numbers, which an overcooked LoRA drives apart: color, contrast, clipping and sharpness.

use image::RgbImage;

/// How a picture looks, in shares of the full range.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Looks {
    /// Mean distance between the largest and the smallest channel of a pixel.
    pub(super) saturation: f64,
    /// Standard deviation of the brightness.
    pub(super) contrast: f64,
    /// Pixels with a channel that is black or white.
    pub(super) clipping: f64,
    /// Mean absolute Laplacian of the brightness.
    pub(super) sharpness: f64,
}

/// Steps of 1/255 from black or white that still count as that: what rounding and JPEG do.
const CLIPPED: u8 = 2;
/// What is added before two looks are compared as a ratio, so that nothing is divided by what is not there.
const LEAST: f64 = 0.02;

impl Looks {
    /// Of a picture.
    pub(super) fn of(picture: &RgbImage) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let n_pixels = (width * height).max(1) as f64;
        let (mut saturation, mut clipped) = (0.0, 0.0);
        let mut brightness = Vec::with_capacity(width * height);
        for pixel in picture.pixels() {
            let [r, g, b] = pixel.0;
            let (low, high) = (r.min(g).min(b), r.max(g).max(b));
            saturation += f64::from(high - low) / 255.0;
            if low <= CLIPPED || high >= 255 - CLIPPED {
                clipped += 1.0;
            }
            // Rec. 709.
            brightness.push((0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b)) / 255.0);
        }
        let mean = brightness.iter().sum::<f64>() / n_pixels;
        let variance = brightness.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n_pixels;
        let mut edges = 0.0;
        for y in 1..height.saturating_sub(1) {
            for x in 1..width.saturating_sub(1) {
                let at = y * width + x;
                let around =
                    brightness[at - 1] + brightness[at + 1] + brightness[at - width] + brightness[at + width];
                edges += (around - 4.0 * brightness[at]).abs();
            }
        }
        Self {
            saturation: saturation / n_pixels,
            contrast: variance.sqrt(),
            clipping: clipped / n_pixels,
            sharpness: edges / n_pixels,
        }
    }

    /// Mean of several.
    pub(super) fn mean(looks: &[Self]) -> Self {
        let n = looks.len().max(1) as f64;
        let mean = |of: fn(&Self) -> f64| looks.iter().map(of).sum::<f64>() / n;
        Self {
            saturation: mean(|looks| looks.saturation),
            contrast: mean(|looks| looks.contrast),
            clipping: mean(|looks| looks.clipping),
            sharpness: mean(|looks| looks.sharpness),
        }
    }

    fn all(self) -> [f64; 4] {
        [self.saturation, self.contrast, self.clipping, self.sharpness]
    }

    /// How far it lies outside of what dataset and base look like: 0 between them, 1 at twice or half of the nearer one. The
    /// number that lies farthest counts. A picture may be between them, since a LoRA leads from the base to the dataset.
    pub(super) fn damage(self, dataset: Self, base: Self) -> f64 {
        let sides = dataset.all().into_iter().zip(base.all());
        let outside = self.all().into_iter().zip(sides).map(|(found, (a, b))| {
            let (low, high) = (a.min(b) + LEAST, a.max(b) + LEAST);
            let found = found + LEAST;
            (found / high).max(low / found).log2().max(0.0)
        });
        outside.fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests;
