//! What the U-Net of a base model predicts, told by what it does.
//!
//! A picture is encoded, mixed with fixed noise and shown to the U-Net with the empty prompt, as a model of each kind was
//! trained: on the usual noise schedule, on the one that ends in pure noise, and along the straight line of rectified flow.
//! The loss of its answers is computed under each reading, and the smallest names it, if it is clearly the smallest. A model
//! that is half trained from one prediction to another gets no name.
//!
//! Its answer is also taken apart into so much of the noise and so much of the picture (least squares). Where nearly all is
//! noise, a model of epsilon or of rectified flow says the noise itself, and one of velocity next to nothing of it; that
//! has to agree with the loss. Both velocities are alike in between, so that their losses are nearer to each other.
//!
//! How the noise of a model of velocity ends shows at the last timestep alone. On the usual schedule a trace of the
//! picture is left there, √ᾱ = 0.068 of it, and a model that was trained so answers with what the trace tells, above all
//! how bright the picture is (Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed"). One that
//! was trained on pure noise there has no use for a trace. So both are shown noise with and without it, there and
//! earlier, where every model of velocity has use for one.

use candle_core::Tensor;
use protocol::base::{Measured, Prediction, ReadingLoss};

use super::BaseModel;
use crate::{
    conditioning::{PictureSizes, vector},
    device::{Device, floats, tensor},
    graph::AdapterSet,
    random::Random,
    schedulers::{NoiseSchedule, PredictionType, SchedulerConfig},
    tokenizer::TokenLength,
    unet::Conditioning,
};

/// Timesteps from where a little is noise to where nearly all is.
const TIMESTEPS: [usize; 5] = [150, 250, 500, 850, 950];

/// How many of [`TIMESTEPS`] are of the last kind.
const N_HIGH: usize = 2;

/// A timestep where a model of velocity sees something of the picture.
const EARLIER: usize = 800;

/// One of the demo's pictures (tools/golden/portrait.py): red, green and blue, row by row. A picture of a kind that models
/// have seen tells more than one that was drawn by a program: what a model does not know, it fills with what it has seen.
const PORTRAIT: &[u8; 3 * PORTRAIT_SIDE * PORTRAIT_SIDE] = include_bytes!("portrait.rgb");

/// Side of [`PORTRAIT`] in pixels.
const PORTRAIT_SIDE: usize = 128;

/// Side in pixels at which it is shown: large enough for every model to see something, small enough for a CPU.
const MAX_SIDE: usize = 256;

/// A reading is named if its loss is at most this share of every other's.
const LOSS_SHARE: f64 = 0.85;

/// And if the share of noise in its answers, where nearly all is noise, is at most this far from what it should be: the
/// kinds are at 1 and at 0.15.
const NEAR: f64 = 0.35;

/// A model of velocity that makes at least this of the trace of a picture earlier,
const USES_TRACE: f64 = 0.3;

/// and at the last timestep at most this share of that, was trained on pure noise there.
const IGNORES_TRACE: f64 = 0.15;

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Behavior {
    /// The measurement under each reading, in the order of [`Prediction::ALL`].
    pub readings: Vec<Reading>,
    /// How much of the picture the answer gains from its trace: earlier, and at the last timestep.
    pub trace: (f64, f64),
    /// The reading that it is for certain, if it is one; `V` where how its noise ends is not certain.
    pub is: Option<Prediction>,
}

/// The measurement under one reading: with the noise that models of this kind were trained with.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What the U-Net would predict.
    pub prediction: Prediction,
    /// Mean squared error over the mean square of what it should say, at all timesteps.
    pub loss: f64,
    /// How much of the noise is in its answer, where nearly all is noise.
    pub noise: f64,
    /// How much would be.
    pub expected_noise: f64,
}

impl<D: Device> BaseModel<D> {
    /// Measures what the U-Net does, in a form to keep.
    ///
    /// # Errors
    /// If a computation fails, or its answers are not finite.
    pub fn measure(&self) -> candle_core::Result<Measured> {
        let behavior = self.observe()?;
        let losses = behavior.readings.iter().map(|reading| ReadingLoss {
            prediction: reading.prediction,
            loss: reading.loss,
        });
        let losses: Vec<ReadingLoss> = losses.collect();
        if losses.iter().any(|reading| !reading.loss.is_finite()) {
            candle_core::bail!("the answers of the U-Net are not finite");
        }
        Ok(Measured {
            method: Measured::METHOD,
            losses,
            is: behavior.is,
        })
    }

    /// Measures what the U-Net does.
    ///
    /// # Errors
    /// If a computation fails.
    pub fn observe(&self) -> candle_core::Result<Behavior> {
        let side = (self.info.native_resolution as usize).min(MAX_SIDE) / 64 * 64;
        let latents = self.vae.encode(&picture(side.max(64))?)?.mean()?;
        let shape = latents.dims().to_vec();
        let picture = floats(&latents)?.to_vec();
        let noise = Random::from_seed(0).normal(picture.len());
        let text = self
            .text_encoders
            .encode(&[""], TokenLength::T75, &AdapterSet::new())?;
        let native = self.info.native_resolution;
        let conditioning = Conditioning {
            context: text.context,
            vector: vector(&text.pooled, &[PictureSizes::whole(native, native)])?,
        };
        let ask = |noisy: Vec<f32>, timestep: usize| -> candle_core::Result<Vec<f32>> {
            let noisy: Tensor = tensor(noisy, &shape)?;
            let answer = self
                .unet
                .predict(&AdapterSet::new(), &noisy, &[timestep as f32], &conditioning)?;
            answer.flatten_all()?.to_vec1()
        };
        watch(&self.scheduler, (&picture, &noise), &ask)
    }
}

/// What a model answers to noisy latents at a timestep.
type Ask<'a> = &'a dyn Fn(Vec<f32>, usize) -> candle_core::Result<Vec<f32>>;

/// Measures a model by what it answers about a picture and noise.
fn watch(
    scheduler: &SchedulerConfig,
    (picture, noise): (&[f32], &[f32]),
    ask: Ask<'_>,
) -> candle_core::Result<Behavior> {
    let ask = |mix: (f64, f64), timestep: usize| {
        let (signal, amount) = (mix.0 as f32, mix.1 as f32);
        let noisy = picture.iter().zip(noise).map(|(x, e)| signal * x + amount * e);
        ask(noisy.collect(), timestep)
    };
    let answers = |prediction: Prediction| -> candle_core::Result<Vec<Answer>> {
        let schedule = schedule(scheduler, prediction);
        let answers = TIMESTEPS.iter().map(|timestep| {
            let mix = schedule.mix(*timestep);
            Ok((mix, ask(mix, *timestep)?))
        });
        answers.collect()
    };
    let (usual, zero, straight) = (
        answers(Prediction::V)?,
        answers(Prediction::VZeroSnr)?,
        answers(Prediction::Flow)?,
    );
    let readings = Prediction::ALL.map(|prediction| {
        let answers = match prediction {
            Prediction::Epsilon | Prediction::V => &usual,
            Prediction::VZeroSnr => &zero,
            Prediction::Flow => &straight,
        };
        Reading::new(prediction, answers, picture, noise)
    });
    let schedule = schedule(scheduler, Prediction::V);
    let gain = |timestep: usize| -> candle_core::Result<f64> {
        let (trace, _) = schedule.mix(timestep);
        let (with, without) = (ask((trace, 1.0), timestep)?, ask((0.0, 1.0), timestep)?);
        let gained: Vec<f32> = with
            .iter()
            .zip(&without)
            .map(|(with, without)| without - with)
            .collect();
        Ok(shares(&gained, noise, picture).1)
    };
    let trace = (gain(EARLIER)?, gain(schedule.n_timesteps() - 1)?);
    Ok(Behavior::new(readings.to_vec(), trace))
}

/// How models that predict this were trained with noise.
fn schedule(scheduler: &SchedulerConfig, prediction: Prediction) -> NoiseSchedule {
    NoiseSchedule::new(&SchedulerConfig {
        prediction_type: match prediction {
            Prediction::Epsilon => PredictionType::Epsilon,
            Prediction::V | Prediction::VZeroSnr => PredictionType::VPrediction,
            Prediction::Flow => PredictionType::Flow,
        },
        rescale_betas_zero_snr: prediction == Prediction::VZeroSnr,
        ..scheduler.clone()
    })
}

/// Shares of picture and noise that were shown, and the answer.
type Answer = ((f64, f64), Vec<f32>);

impl Reading {
    fn new(prediction: Prediction, answers: &[Answer], picture: &[f32], noise: &[f32]) -> Self {
        // What an answer should be, in shares of noise and picture.
        let target = |(signal, amount): (f64, f64)| match prediction {
            Prediction::Epsilon => (1.0, 0.0),
            Prediction::V | Prediction::VZeroSnr => (signal, -amount),
            Prediction::Flow => (1.0, -1.0),
        };
        let expected: Vec<(f64, f64)> = answers.iter().map(|(mix, _)| target(*mix)).collect();
        let high = answers.len() - N_HIGH;
        let mean = |noise: &mut dyn Iterator<Item = f64>| noise.sum::<f64>() / N_HIGH as f64;
        let parts = answers[high..].iter();
        let said = mean(&mut parts.map(|(_, answer)| shares(answer, noise, picture).0));
        let (mut squares, mut scale) = (0.0, 0.0);
        for ((_, answer), (of_noise, of_picture)) in answers.iter().zip(&expected) {
            for ((said, x), e) in answer.iter().zip(picture).zip(noise) {
                let target = of_noise * f64::from(*e) + of_picture * f64::from(*x);
                squares += (f64::from(*said) - target).powi(2);
                scale += target.powi(2);
            }
        }
        Self {
            prediction,
            loss: squares / scale,
            noise: said,
            expected_noise: mean(&mut expected[high..].iter().map(|part| part.0)),
        }
    }

    fn is_velocity(&self) -> bool {
        matches!(self.prediction, Prediction::V | Prediction::VZeroSnr)
    }
}

impl Behavior {
    fn new(readings: Vec<Reading>, trace: (f64, f64)) -> Self {
        // Both kinds of velocity are one here: under the other's noise, a model of one is a worse one of the same kind.
        let best = readings.iter().min_by(|a, b| a.loss.total_cmp(&b.loss));
        let next = best.and_then(|best| {
            let others = readings.iter().filter(|other| {
                other.prediction != best.prediction && !(best.is_velocity() && other.is_velocity())
            });
            others.map(|other| other.loss).min_by(f64::total_cmp)
        });
        let kind = match best.zip(next) {
            Some((best, next))
                if best.loss <= LOSS_SHARE * next && (best.noise - best.expected_noise).abs() <= NEAR =>
            {
                Some(if best.is_velocity() {
                    Prediction::V
                } else {
                    best.prediction
                })
            }
            _ => None,
        };
        let (earlier, last) = trace;
        let is_blind = earlier >= USES_TRACE && last <= IGNORES_TRACE * earlier;
        let is = match kind {
            Some(Prediction::V) if is_blind => Some(Prediction::VZeroSnr),
            kind => kind,
        };
        Self { readings, trace, is }
    }
}

/// The factors of both parts in `answer ≈ a · first + b · second`, by least squares.
fn shares(answer: &[f32], first: &[f32], second: &[f32]) -> (f64, f64) {
    let dot =
        |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    let (ff, ss, fs) = (dot(first, first), dot(second, second), dot(first, second));
    let (fa, sa) = (dot(first, answer), dot(second, answer));
    let determinant = ff * ss - fs * fs;
    (
        (fa * ss - sa * fs) / determinant,
        (sa * ff - fa * fs) / determinant,
    )
}

/// The portrait, `[1, 3, side, side]` in [−1, 1], with its pixels interpolated linearly.
fn picture(side: usize) -> candle_core::Result<Tensor> {
    // Where a pixel is in the portrait: its neighbors, and how far it is from the first to the second.
    let place = |x: usize| {
        let at = ((x as f32 + 0.5) * PORTRAIT_SIDE as f32 / side as f32 - 0.5).max(0.0);
        let first = (at as usize).min(PORTRAIT_SIDE - 1);
        (first, (first + 1).min(PORTRAIT_SIDE - 1), at - first as f32)
    };
    let mut values = vec![0.0; 3 * side * side];
    for y in 0..side {
        let (top, bottom, down) = place(y);
        for x in 0..side {
            let (left, right, along) = place(x);
            for channel in 0..3 {
                let at = |y: usize, x: usize| f32::from(PORTRAIT[(y * PORTRAIT_SIDE + x) * 3 + channel]);
                let above = at(top, left) * (1.0 - along) + at(top, right) * along;
                let below = at(bottom, left) * (1.0 - along) + at(bottom, right) * along;
                let value = above * (1.0 - down) + below * down;
                values[(channel * side + y) * side + x] = value / 127.5 - 1.0;
            }
        }
    }
    tensor(values, [1, 3, side, side])
}

#[cfg(test)]
mod tests;
