//! What the U-Net of a base model predicts, told by what it does.
//!
//! A picture that is drawn here is encoded, mixed with fixed noise and shown to the U-Net with the empty prompt, as a
//! model of each kind was trained: on the usual noise schedule, and along the straight line of rectified flow. Its
//! answer is taken apart into so much of the noise and so much of the picture (least squares):
//!
//! | | noise, where nearly all is noise | picture, where little is noise |
//! |---|---|---|
//! | epsilon | 1 | 0 |
//! | v-prediction | √ᾱ, nearly 0 | −√(1 − ᾱ) |
//! | rectified flow | 1 | −1 |
//!
//! The losses alone would not tell them apart as well: a model of velocity knows little at high noise, where its loss
//! is large under its own reading too, and both velocities are alike in between. Whether the noise schedule ends in pure
//! noise (zero terminal SNR) cannot be told so: the answers of both kinds differ by less than between two models of
//! one kind.

use candle_core::Tensor;
use protocol::base::Prediction;

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

/// Timesteps where a little is noise, and where nearly all is.
const TIMESTEPS: [usize; 4] = [150, 250, 850, 950];

/// How many of [`TIMESTEPS`] are of the first kind.
const N_LOW: usize = 2;

/// Side in pixels of the picture: large enough for every model to see something, small enough for a CPU.
const MAX_SIDE: usize = 256;

/// A reading is named if what was measured is at most this far from it. Bases that were trained onwards from tiny-xl on
/// noise are 0.5 to 0.6 from epsilon, since little noise is hard to see for so small a model, and 1.3 from the others.
const NEAR: f64 = 0.7;

/// And if the next one is farther by this.
const MARGIN: f64 = 0.3;

/// And if its loss is at most this share of every other reading's: a model that is half trained from one prediction to
/// another gets no name.
const LOSS_SHARE: f64 = 0.75;

/// Kinds of prediction that behavior can tell.
const KINDS: [PredictionType; 3] = [
    PredictionType::Epsilon,
    PredictionType::VPrediction,
    PredictionType::Flow,
];

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Behavior {
    /// The measurement under each reading.
    pub readings: Vec<Reading>,
    /// The reading that it is for certain, if it is one.
    pub is: Option<PredictionType>,
}

/// The measurement under one reading: with the noise that models of this kind were trained with.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What the U-Net would predict.
    pub prediction: PredictionType,
    /// Mean squared error over the mean square of what it should say, at all timesteps.
    pub loss: f64,
    /// How much of the noise is in its answer, where nearly all is noise.
    pub noise: f64,
    /// How much of the picture is in its answer, where little is noise.
    pub picture: f64,
    /// Distance of both from what they would be.
    pub distance: f64,
}

impl<D: Device> BaseModel<D> {
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
        let ask = |mix: (f64, f64), timestep: usize| -> candle_core::Result<Vec<f32>> {
            let (signal, amount) = (mix.0 as f32, mix.1 as f32);
            let noisy = picture.iter().zip(&noise).map(|(x, e)| signal * x + amount * e);
            let noisy: Tensor = tensor(noisy.collect(), &shape)?;
            let answer = self
                .unet
                .predict(&AdapterSet::new(), &noisy, &[timestep as f32], &conditioning)?;
            answer.flatten_all()?.to_vec1()
        };
        let schedules = [PredictionType::Epsilon, PredictionType::Flow].map(|prediction_type| {
            NoiseSchedule::new(&SchedulerConfig {
                prediction_type,
                rescale_betas_zero_snr: false,
                ..self.scheduler.clone()
            })
        });
        let mut answers = Vec::new();
        for schedule in &schedules {
            for timestep in TIMESTEPS {
                let mix = schedule.mix(timestep);
                answers.push((mix, ask(mix, timestep)?));
            }
        }
        let (usual, straight) = answers.split_at(TIMESTEPS.len());
        let readings = KINDS.map(|prediction| {
            let answers = if prediction == PredictionType::Flow {
                straight
            } else {
                usual
            };
            Reading::new(prediction, answers, &picture, &noise)
        });
        Ok(Behavior::new(readings.to_vec()))
    }

    /// Compares what the U-Net does with what its files say. A difference is noted in
    /// [`BaseInfo::predicts`](super::BaseInfo::predicts), and a person decides: what they set, or what the files say, is
    /// what counts.
    ///
    /// # Errors
    /// If a computation fails.
    pub fn confirm_prediction(&mut self) -> candle_core::Result<Behavior> {
        let behavior = self.observe()?;
        let predicts = &mut self.info.predicts;
        let Some(is) = behavior.is.filter(|is| *is != self.scheduler.prediction_type) else {
            return Ok(behavior);
        };
        let found = match is {
            PredictionType::Epsilon => Prediction::Epsilon,
            PredictionType::VPrediction => Prediction::V,
            PredictionType::Flow => Prediction::Flow,
        };
        let said = predicts.prediction.describe();
        let statement = match &predicts.said_by {
            Some(by) => format!("{by} says {said}"),
            None => "nothing says what the U-Net predicts".to_owned(),
        };
        predicts
            .conflicts
            .push(format!("{statement}, but it behaves like {}", found.describe()));
        Ok(behavior)
    }
}

impl Reading {
    fn new(
        prediction: PredictionType,
        answers: &[((f64, f64), Vec<f32>)],
        picture: &[f32],
        noise: &[f32],
    ) -> Self {
        let parts: Vec<(f64, f64)> = answers
            .iter()
            .map(|(_, answer)| shares(answer, noise, picture))
            .collect();
        let (low, high) = parts.split_at(N_LOW);
        let mean = |numbers: &mut dyn Iterator<Item = f64>, n: usize| numbers.sum::<f64>() / n as f64;
        let noise_share = mean(&mut high.iter().map(|part| part.0), high.len());
        let picture_share = mean(&mut low.iter().map(|part| part.1), low.len());
        let expected = answers.iter().map(|((signal, amount), _)| match prediction {
            PredictionType::Epsilon => (1.0, 0.0),
            PredictionType::VPrediction => (*signal, -amount),
            PredictionType::Flow => (1.0, -1.0),
        });
        let expected: Vec<(f64, f64)> = expected.collect();
        let expected_noise = mean(&mut expected[N_LOW..].iter().map(|part| part.0), high.len());
        let expected_picture = mean(&mut expected[..N_LOW].iter().map(|part| part.1), low.len());
        let (mut squares, mut scale) = (0.0, 0.0);
        for ((signal, amount), answer) in answers {
            let mix = (*signal as f32, *amount as f32);
            for ((said, x), e) in answer.iter().zip(picture).zip(noise) {
                let target = prediction.target(mix, *x, *e);
                squares += f64::from(said - target).powi(2);
                scale += f64::from(target).powi(2);
            }
        }
        Self {
            prediction,
            loss: squares / scale,
            noise: noise_share,
            picture: picture_share,
            distance: (noise_share - expected_noise).hypot(picture_share - expected_picture),
        }
    }
}

impl Behavior {
    fn new(readings: Vec<Reading>) -> Self {
        let mut by_distance: Vec<&Reading> = readings.iter().collect();
        by_distance.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        let is = match by_distance.as_slice() {
            [nearest, others @ ..]
                if nearest.distance <= NEAR
                    && others.iter().all(|other| {
                        other.distance - nearest.distance >= MARGIN && nearest.loss <= LOSS_SHARE * other.loss
                    }) =>
            {
                Some(nearest.prediction)
            }
            _ => None,
        };
        Self { readings, is }
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

/// A face before a background, `[1, 3, side, side]` in [−1, 1].
fn picture(side: usize) -> candle_core::Result<Tensor> {
    /// Center, radii and color of ellipses in shares of the side, later ones over earlier ones.
    const SHAPES: [([f32; 4], [f32; 3]); 8] = [
        ([0.5, 1.0, 0.38, 0.28], [0.2, 0.3, 0.7]),
        ([0.5, 0.42, 0.31, 0.33], [0.25, 0.13, 0.08]),
        ([0.5, 0.5, 0.24, 0.29], [0.95, 0.78, 0.66]),
        ([0.41, 0.47, 0.045, 0.035], [1.0, 1.0, 1.0]),
        ([0.59, 0.47, 0.045, 0.035], [1.0, 1.0, 1.0]),
        ([0.41, 0.47, 0.02, 0.025], [0.05, 0.05, 0.1]),
        ([0.59, 0.47, 0.02, 0.025], [0.05, 0.05, 0.1]),
        ([0.5, 0.63, 0.08, 0.025], [0.75, 0.2, 0.22]),
    ];
    let mut values = vec![0.0; 3 * side * side];
    for y in 0..side {
        for x in 0..side {
            let (u, v) = ((x as f32 + 0.5) / side as f32, (y as f32 + 0.5) / side as f32);
            let mut color = [0.9 - 0.3 * v, 0.85 - 0.1 * u, 0.6 + 0.3 * v];
            for ([cx, cy, rx, ry], paint) in SHAPES {
                if ((u - cx) / rx).powi(2) + ((v - cy) / ry).powi(2) <= 1.0 {
                    color = paint;
                }
            }
            for (channel, value) in color.into_iter().enumerate() {
                values[(channel * side + y) * side + x] = 2.0 * value - 1.0;
            }
        }
    }
    tensor(values, [1, 3, side, side])
}
