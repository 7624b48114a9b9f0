//! Whether a picture shows its prompt, asked of the base's own U-Net (Li et al. 2023, arXiv:2303.16203, "Your Diffusion Model
//! is Secretly a Zero-Shot Classifier"): the noise in a picture is easier to find for who is told what the picture shows.

use candle_core::Tensor;
use diffusion::{
    base::BaseModel,
    conditioning::TextConditioning,
    device::{Device, floats, tensor},
    graph::AdapterSet,
};

use super::features::told_of;
use crate::{data::TrainingData, seeds};

/// How noisy the pictures are: where prompts say most about a picture.
const TIMESTEPS: [u32; 2] = [500, 700];

/// By how much the base predicts the noise in latents `[1, C, side, side]` better if told the picture's own prompt than if
/// told a rival, as a share of both errors: 0 if it makes no difference, 1 if the own prompt explains everything.
///
/// # Errors
/// If the device fails.
pub(super) fn margin<D: Device>(
    base: &BaseModel<D>,
    data: &TrainingData,
    latents: &Tensor,
    [own, rival]: [&TextConditioning; 2],
) -> candle_core::Result<f64> {
    let side = latents.dim(3)?;
    let told = [told_of(own, side)?, told_of(rival, side)?];
    let values = floats(latents)?;
    let mut sum = 0.0;
    for timestep in TIMESTEPS {
        let mut random = seeds::random(format_args!("follows {timestep} {side}"));
        let noise = random.normal(values.len());
        let (signal, amount) = data.noise_schedule().mix_at(timestep as f32);
        let mix = (signal as f32, amount as f32);
        let mixed = |(x, noise): (&f32, &f32)| mix.0 * x + mix.1 * noise;
        let noisy = tensor(values.iter().zip(&noise).map(mixed).collect(), latents.dims())?;
        let target: Vec<f32> = values
            .iter()
            .zip(&noise)
            .map(|(x, noise)| data.prediction().target(mix, *x, *noise))
            .collect();
        let error = |told| -> candle_core::Result<f64> {
            let found = base
                .unet
                .predict(&AdapterSet::new(), &noisy, &[timestep as f32], told)?;
            let found = floats(&found)?;
            let squares = found.iter().zip(&target).map(|(a, b)| f64::from(a - b).powi(2));
            Ok(squares.sum())
        };
        let (own, rival) = (error(&told[0])?, error(&told[1])?);
        sum += (rival - own) / (rival + own).max(f64::MIN_POSITIVE);
    }
    Ok(sum / TIMESTEPS.len() as f64)
}
