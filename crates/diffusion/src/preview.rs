//! Previews of pictures that are being drawn: latents to colors by a linear map, one pixel for each latent.

use candle_core::{Result as TensorResult, Tensor};
use image::RgbImage;

use crate::{
    base::{BaseInfo, BaseModel},
    device::tensor,
    graph::AdapterSet,
    networks::{Native, NetworkError, Networks},
    random::Random,
};

/// Longest side of a preview, in pixels.
pub const MAX_SIDE: usize = 128;

/// Channels of the first level of SDXL's U-Net: bases of this size have SDXL's latents.
const SDXL_CHANNELS: usize = 320;

/// Factors of SDXL's four latents and what is added, for red, green and blue from 0 to 255: from diffusers'
/// documentation of its callbacks (`latents_to_rgb`), after T. A. Vass, "Explaining the SDXL latent space", 2024.
const SDXL: [[f64; 5]; 3] = [
    [60.0, -60.0, 25.0, -70.0, 150.0],
    [60.0, -5.0, 15.0, -50.0, 140.0],
    [60.0, 10.0, -5.0, -35.0, 130.0],
];

/// Patches of one latent value that a VAE is asked about, to a side; and latents to a patch's side.
const N_PATCHES: usize = 6;
const PATCH: usize = 4;

/// A linear map from latents to colors.
#[derive(Debug, Clone, PartialEq)]
pub struct Colors {
    /// For red, green and blue from 0 to 255: a factor for each channel, and what is added.
    rows: [Vec<f64>; 3],
}

impl Colors {
    /// Those of a base model: known for SDXL. For any other, its VAE draws 36 patches, each of one random latent value,
    /// and the map is the one that comes nearest to their mean colors (least squares).
    ///
    /// # Errors
    /// If the VAE fails, or is asked to stop.
    pub fn of(networks: &mut dyn Networks, info: &BaseInfo) -> Result<Self, NetworkError> {
        let n_channels = networks.facts().n_channels;
        if info.model_channels == SDXL_CHANNELS && n_channels + 1 == SDXL[0].len() {
            return Ok(Self {
                rows: SDXL.map(|row| row.to_vec()),
            });
        }
        Self::fitted(networks, n_channels)
    }

    /// [`of`](Self::of) a base model in this process.
    ///
    /// # Errors
    /// If the VAE fails.
    pub fn of_base(base: &BaseModel) -> Result<Self, NetworkError> {
        let adapters = &AdapterSet::new();
        Self::of(&mut Native { base, adapters }, &base.info)
    }

    fn fitted(networks: &mut dyn Networks, n_channels: usize) -> Result<Self, NetworkError> {
        let n_patches = N_PATCHES * N_PATCHES;
        // [n_channels, patches]
        let values = Random::from_seed(0).normal(n_channels * n_patches);
        let side = N_PATCHES * PATCH;
        let mut latents = Vec::with_capacity(n_channels * side * side);
        for channel in 0..n_channels {
            for y in 0..side {
                for x in 0..side {
                    let patch = y / PATCH * N_PATCHES + x / PATCH;
                    latents.push(values[channel * n_patches + patch]);
                }
            }
        }
        let picture = networks.decode(&tensor(latents, [1, n_channels, side, side])?)?;
        let (_, _, height, width) = picture.dims4()?;
        let pixels: Vec<f32> = picture.flatten_all()?.to_vec1()?;
        let inputs: Vec<Vec<f64>> = (0..n_patches)
            .map(|patch| {
                let of_channel = |channel: usize| f64::from(values[channel * n_patches + patch]);
                (0..n_channels).map(of_channel).chain([1.0]).collect()
            })
            .collect();
        let row = |color: usize| {
            let plane = &pixels[color * height * width..][..height * width];
            let mut sums = vec![0.0; n_patches];
            for (index, value) in plane.iter().enumerate() {
                let (y, x) = (index / width, index % width);
                let patch = y * N_PATCHES / height * N_PATCHES + x * N_PATCHES / width;
                sums[patch] += (f64::from(*value) / 2.0 + 0.5) * 255.0;
            }
            let n_pixels = (height * width / n_patches) as f64;
            let targets: Vec<f64> = sums.iter().map(|sum| sum / n_pixels).collect();
            least_squares(&inputs, &targets)
        };
        Ok(Self {
            rows: [row(0), row(1), row(2)],
        })
    }

    /// The first picture of latents `[B, C, h, w]` as the U-Net sees them, at most [`MAX_SIDE`] pixels high and wide.
    ///
    /// # Errors
    /// If the latents have another shape, or other channels.
    pub fn paint(&self, latents: &Tensor) -> TensorResult<RgbImage> {
        let (_, n_channels, height, width) = latents.dims4()?;
        if n_channels + 1 != self.rows[0].len() {
            candle_core::bail!(
                "the latents have {n_channels} channels, expected {}",
                self.rows[0].len() - 1
            );
        }
        let values: Vec<f32> = latents.get(0)?.flatten_all()?.to_vec1()?;
        // Each pixel is the mean of so many latents to a side.
        let block = height.max(width).div_ceil(MAX_SIDE).max(1);
        let mean = |channel: usize, x: usize, y: usize| {
            let (rows, columns) = (
                y * block..height.min((y + 1) * block),
                x * block..width.min((x + 1) * block),
            );
            let n = (rows.len() * columns.len()) as f64;
            let at = |y: usize, x: usize| f64::from(values[(channel * height + y) * width + x]);
            rows.map(|y| columns.clone().map(|x| at(y, x)).sum::<f64>())
                .sum::<f64>()
                / n
        };
        let (out_width, out_height) = (width.div_ceil(block), height.div_ceil(block));
        Ok(RgbImage::from_fn(out_width as u32, out_height as u32, |x, y| {
            let latent: Vec<f64> = (0..n_channels)
                .map(|channel| mean(channel, x as usize, y as usize))
                .collect();
            image::Rgb([0, 1, 2].map(|color: usize| {
                let row = &self.rows[color];
                let sum: f64 = row
                    .iter()
                    .zip(&latent)
                    .map(|(factor, value)| factor * value)
                    .sum();
                (sum + row[n_channels]).round().clamp(0.0, 255.0) as u8
            }))
        }))
    }
}

/// The factors by which the inputs come nearest to the targets, by the normal equations.
fn least_squares(inputs: &[Vec<f64>], targets: &[f64]) -> Vec<f64> {
    let n = inputs.first().map_or(0, Vec::len);
    // Each row ends with its right-hand side.
    let mut rows = vec![vec![0.0; n + 1]; n];
    for (input, target) in inputs.iter().zip(targets) {
        for (row, left) in rows.iter_mut().zip(input) {
            for (cell, right) in row.iter_mut().zip(input.iter().chain([target])) {
                *cell += left * right;
            }
        }
    }
    // Gauss and Jordan. The matrix has no zeros on its diagonal to swap away: it is that of independent random numbers.
    for pivot in 0..n {
        let divided: Vec<f64> = rows[pivot].iter().map(|cell| cell / rows[pivot][pivot]).collect();
        for (index, row) in rows.iter_mut().enumerate() {
            if index == pivot {
                row.clone_from(&divided);
            } else {
                let factor = row[pivot];
                for (cell, other) in row.iter_mut().zip(&divided) {
                    *cell -= factor * other;
                }
            }
        }
    }
    rows.iter().map(|row| row[n]).collect()
}

#[cfg(test)]
mod tests;
