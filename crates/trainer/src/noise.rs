//! What is mixed into pictures: the noise, and the timestep that says how much of it.
//!
//! Everything drawn is a function of the recipe's seed, the step and the picture's place in it. What was added later draws
//! from generators of its own, so that the numbers of a training without it stay what they were.

mod multires;
mod timesteps;

#[cfg(test)]
mod tests;

use diffusion::random::Random;
use protocol::recipe::Parameters;

pub(crate) use self::timesteps::Timesteps;
use crate::seeds;

/// Which picture of which step something is drawn for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    /// The recipe's seed.
    pub(crate) seed: u32,
    /// The step, from 0.
    pub(crate) step: u32,
    /// The picture's place in the step, from 0.
    pub(crate) place: usize,
}

impl Spot {
    /// A generator for one purpose.
    pub(crate) fn random(self, purpose: &str) -> Random {
        let Self { seed, step, place } = self;
        seeds::random(format_args!("{purpose} {seed} {step} {place}"))
    }
}

/// How noise is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Noising {
    /// Strength of a constant on top of each channel (Guttenberg 2023, "Diffusion with offset noise").
    offset: f64,
    /// The strength is drawn, between 0 and `offset`.
    is_offset_random: bool,
    /// Share of each channel's mean in the strength of its offset.
    adaptive: f64,
    /// Coarser levels of noise, and the factor from one to the next.
    n_levels: u16,
    discount: f64,
    /// Strength of noise that the picture gets beside the noise that is to be found (Ning et al. 2023).
    perturbation: f64,
    /// The strength is drawn, between 0 and `perturbation`.
    is_perturbation_random: bool,
}

/// Noise of one picture, `[C, h, w]`.
#[derive(Debug, Clone)]
pub(crate) struct Noise {
    /// What is to be found.
    pub(crate) values: Vec<f32>,
    /// What the picture gets beside it; empty for nothing.
    pub(crate) perturbation: Vec<f32>,
}

impl Noise {
    /// Plain noise.
    pub(crate) fn plain(values: Vec<f32>) -> Self {
        Self {
            values,
            perturbation: Vec::new(),
        }
    }

    /// What is mixed into the picture at one of its numbers.
    pub(crate) fn mixed_in(&self, at: usize) -> f32 {
        match self.perturbation.get(at) {
            Some(perturbation) => self.values[at] + perturbation,
            None => self.values[at],
        }
    }
}

impl Noising {
    /// What a recipe asks for.
    pub(crate) fn of(p: &Parameters) -> Self {
        Self {
            offset: p.noise_offset,
            is_offset_random: p.noise_offset_random,
            adaptive: p.adaptive_noise_scale,
            n_levels: p.multires_noise_iterations,
            discount: p.multires_noise_discount,
            perturbation: p.input_perturbation,
            is_perturbation_random: p.input_perturbation_random,
        }
    }

    /// Noise for the latents of a picture, `[C, h, w]`. `random` is the generator of the step, which has drawn the timestep
    /// before.
    pub(crate) fn draw(
        &self,
        random: &mut Random,
        spot: Spot,
        latents: &[f32],
        [channels, height, width]: [usize; 3],
    ) -> Noise {
        let mut values = random.normal(latents.len());
        let area = height * width;
        if self.offset > 0.0 {
            let strength = self.offset * strength(self.is_offset_random, spot, "noise offset");
            let channels = values
                .chunks_exact_mut(area)
                .zip(latents.chunks_exact(area))
                .zip(random.normal(channels));
            for ((values, latents), offset) in channels {
                let offset = self.strength_in(strength, latents) as f32 * offset;
                values.iter_mut().for_each(|value| *value += offset);
            }
        }
        if self.n_levels > 0 {
            let mut random = spot.random("multires noise");
            let shape = [channels, height, width];
            multires::add(&mut values, shape, &mut random, self.n_levels, self.discount);
        }
        let mut perturbation = Vec::new();
        if self.perturbation > 0.0 {
            let strength = self.perturbation
                * strength(
                    self.is_perturbation_random,
                    spot,
                    "strength of input perturbation",
                );
            perturbation = spot.random("input perturbation").normal(latents.len());
            perturbation
                .iter_mut()
                .for_each(|value| *value *= strength as f32);
        }
        Noise { values, perturbation }
    }

    /// The strength of the offset in a channel.
    fn strength_in(&self, strength: f64, latents: &[f32]) -> f64 {
        if self.adaptive == 0.0 {
            return strength;
        }
        let sum: f64 = latents.iter().map(|latent| f64::from(*latent)).sum();
        let mean = sum / latents.len() as f64;
        (strength + self.adaptive * mean.abs()).max(0.0)
    }

    /// Brings the noise of a whole batch back to a standard deviation of 1, after levels were added.
    pub(crate) fn normalize<'a>(&self, batch: impl IntoIterator<Item = &'a mut Noise>) {
        if self.n_levels > 0 {
            multires::normalize(
                batch
                    .into_iter()
                    .map(|noise| noise.values.as_mut_slice())
                    .collect(),
            );
        }
    }
}

/// 1, or a number between 0 and 1.
fn strength(is_random: bool, spot: Spot, purpose: &str) -> f64 {
    if is_random {
        f64::from(spot.random(purpose).uniform())
    } else {
        1.0
    }
}
