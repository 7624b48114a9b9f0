//! How alike two pictures are, by aligned features of the base's own U-Net (DiffSim, Song et al. 2024, arXiv:2412.14580).
//!
//! Both pictures get the same noise and no prompt. In one self-attention of the U-Net, the queries of picture A look for what
//! they want among the keys and values of B, which brings what is alike to the same places, wherever it lies in B. What they
//! find is compared with what they find in A itself.

use candle_core::Tensor;
use diffusion::{
    base::BaseModel,
    conditioning::{PictureSizes, TextConditioning, vector},
    device::{Device, HOST, floats, tensor},
    operation::Mask,
    unet::Conditioning,
};
use image::RgbImage;
use rayon::prelude::*;

use super::probe::Probe;
use crate::{data::TrainingData, seeds};

/// How noisy the pictures are that are looked at. Not calibrated; the paper has 500 to 600 for objects in SD 1.5, where less
/// of a picture of 128 pixels is left.
const TIMESTEP: u32 = 300;
/// The block of the U-Net whose self-attention is looked at: the first at the level of 1/16 of the picture's size, on the way
/// up. SDXL and tiny-xl have it under the same name.
const BLOCK: &str = "lora_unet_output_blocks_3_1_transformer_blocks_0_attn1_to_v";
/// Most rows and columns of the latents that are looked at: 512 pixels.
const MAX_SIDE: usize = 64;
/// Rows and columns of a picture's small copy.
const SMALL: usize = 16;

/// Looks at pictures with a base model's U-Net.
pub(super) struct Eye<'a, D: Device> {
    base: &'a BaseModel<D>,
    told: Conditioning,
    noise: Vec<f32>,
    /// Factors of picture and noise.
    mix: (f32, f32),
    pub(super) side: usize,
}

/// What is seen of a picture.
#[derive(Debug, Clone)]
pub(super) struct Features {
    /// Queries, keys and values, `[1, tokens, C]`.
    qkv: [Tensor; 3],
    /// What its queries find in itself, `[1, tokens, C]`.
    own: Tensor,
    n_heads: usize,
}

impl<'a, D: Device> Eye<'a, D> {
    /// # Errors
    /// If memory is short.
    pub(super) fn new(base: &'a BaseModel<D>, data: &TrainingData) -> candle_core::Result<Self> {
        let side = (base.info.native_resolution as usize / 64 * 8).clamp(8, MAX_SIDE);
        let mut random = seeds::random(format_args!("features {side}"));
        let n_channels = base.unet.config().in_channels;
        let (signal, amount) = data.noise_schedule().mix_at(TIMESTEP as f32);
        Ok(Self {
            base,
            told: told_of(data.empty(), side)?,
            noise: random.normal(n_channels * side * side),
            mix: (signal as f32, amount as f32),
            side,
        })
    }

    /// Features of latents `[1, C, side, side]`.
    ///
    /// # Errors
    /// If the base has no such block, or the device fails.
    pub(super) fn look(&self, latents: &Tensor) -> candle_core::Result<Features> {
        let (signal, amount) = self.mix;
        let values = floats(latents)?;
        let noisy = values.iter().zip(&self.noise);
        let noisy: Vec<f32> = noisy.map(|(x, noise)| signal * x + amount * noise).collect();
        let noisy = tensor(noisy, latents.dims())?;
        let device = self.base.unet.device();
        let mut probe = Probe::new(device, BLOCK);
        let ended = self
            .base
            .unet
            .forward(&mut probe, &noisy, &[TIMESTEP as f32], &self.told);
        let seen = probe.seen(ended.map(|_| ()))?;
        let [q, k, v] = &seen.qkv;
        Ok(Features {
            qkv: [device.download(q)?, device.download(k)?, device.download(v)?],
            own: device.download(&seen.own)?,
            n_heads: seen.n_heads,
        })
    }

    /// How alike every picture of `these` and every one of `those` are, in rows.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn alike(
        &self,
        these: &[&Features],
        those: &[&Features],
    ) -> candle_core::Result<Vec<Vec<f64>>> {
        let device = self.base.unet.device();
        let row = |a: &&Features| -> candle_core::Result<Vec<f64>> {
            those.iter().map(|b| likeness(device, a, b)).collect()
        };
        these.par_iter().map(row).collect()
    }
}

/// How alike two pictures are: the mean cosine, both ways, between what each place finds in its own picture and what it finds
/// in the other one. 1 for the same picture.
///
/// # Errors
/// If the device fails.
pub(super) fn likeness<D: Device>(device: &D, a: &Features, b: &Features) -> candle_core::Result<f64> {
    let one_way = |a: &Features, b: &Features| -> candle_core::Result<f64> {
        let [q, k, v] = [&a.qkv[0], &b.qkv[1], &b.qkv[2]].map(|x| device.upload(x));
        let found = device.attention([&q?, &k?, &v?], a.n_heads, Mask::None)?.0;
        let found = device.download(&found)?;
        Ok(mean_cosine(&floats(&a.own)?, &floats(&found)?, a.own.dim(2)?))
    };
    Ok((one_way(a, b)? + one_way(b, a)?) / 2.0)
}

/// Mean cosine between rows of the same index.
fn mean_cosine(a: &[f32], b: &[f32], width: usize) -> f64 {
    let rows = a.chunks_exact(width).zip(b.chunks_exact(width));
    let n_rows = rows.len().max(1) as f64;
    let cosine = |(a, b): (&[f32], &[f32])| {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f64::MIN_POSITIVE)
    };
    rows.map(cosine).sum::<f64>() / n_rows
}

/// What the U-Net is told of a square picture of so many rows of latents.
///
/// # Errors
/// If memory is short.
pub(super) fn told_of(text: &TextConditioning, side: usize) -> candle_core::Result<Conditioning> {
    let pixels = 8 * side as u32;
    Ok(Conditioning {
        context: text.context.clone(),
        vector: vector(&text.pooled, &[PictureSizes::whole(pixels, pixels)])?,
    })
}

/// Scaled latents `[1, C, h, w]` of a picture, whose sides are multiples of 8.
///
/// # Errors
/// If the VAE fails.
pub(super) fn encoded<D: Device>(base: &BaseModel<D>, picture: &RgbImage) -> candle_core::Result<Tensor> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut planes = vec![0.0; 3 * width * height];
    for (index, pixel) in picture.pixels().enumerate() {
        for (channel, value) in pixel.0.into_iter().enumerate() {
            planes[channel * width * height + index] = f32::from(value) / 127.5 - 1.0;
        }
    }
    base.vae.encode(&tensor(planes, [1, 3, height, width])?)?.mean()
}

/// Latents `[1, C, h, w]` at another size, `[1, C, side, side]`: each number is the mean of the area that it covers.
///
/// # Errors
/// If they have another number of dimensions.
pub(super) fn resized(latents: &Tensor, side: usize) -> candle_core::Result<Tensor> {
    let (_, channels, height, width) = latents.dims4()?;
    if (height, width) == (side, side) {
        return Ok(latents.clone());
    }
    let values = floats(latents)?;
    let mut small = Vec::with_capacity(channels * side * side);
    let (rows, columns) = (shares(height, side), shares(width, side));
    for plane in values.chunks_exact(height * width) {
        for row in &rows {
            for column in &columns {
                let mut sum = 0.0;
                for (y, share) in row {
                    for (x, other) in column {
                        sum += share * other * plane[y * width + x];
                    }
                }
                small.push(sum);
            }
        }
    }
    Tensor::from_vec(small, (1, channels, side, side), &HOST)
}

/// Latents at 16 × 16, row by row, channel after channel.
///
/// # Errors
/// If they have another number of dimensions.
pub(super) fn small(latents: &Tensor) -> candle_core::Result<Vec<f32>> {
    resized(latents, SMALL)?.flatten_all()?.to_vec1()
}

/// Which of `from` numbers make up each of `to`, and with which share.
fn shares(from: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
    let scale = from as f32 / to as f32;
    let of = |index: usize| {
        let (start, end) = (index as f32 * scale, (index as f32 + 1.0) * scale);
        let last = (end.ceil() as usize).min(from);
        let share = |at: usize| {
            let covered = end.min(at as f32 + 1.0) - start.max(at as f32);
            (at, covered.max(0.0) / scale)
        };
        (start as usize..last).map(share).collect()
    };
    (0..to).map(of).collect()
}

#[cfg(test)]
mod tests;
