//! Models that answer as well as is possible, computed rather than trained: what of theirs tells one kind from another.

use super::*;

/// Numbers of a channel, and channels.
const N: usize = 256;
const N_CHANNELS: usize = 4;

/// The best that a model can answer about latents whose channels are a level and details, all independent and normal: a
/// Wiener filter for each of both.
struct Ideal {
    prediction: Prediction,
    schedule: NoiseSchedule,
    /// Variance of the level of a channel.
    level: f64,
    /// Variance of the details.
    detail: f64,
}

impl Ideal {
    fn new(prediction: Prediction, level: f64, detail: f64) -> Self {
        Self {
            prediction,
            schedule: schedule(&SchedulerConfig::default(), prediction),
            level,
            detail,
        }
    }

    /// What a part of this variance is multiplied by in the answer.
    fn gain(&self, timestep: usize, variance: f64) -> f64 {
        let (signal, amount) = self.schedule.mix(timestep);
        let total = signal * signal * variance + amount * amount;
        let (of_noise, of_picture) = (amount / total, signal * variance / total);
        match self.prediction {
            Prediction::Epsilon => of_noise,
            Prediction::V | Prediction::VZeroSnr => signal * of_noise - amount * of_picture,
            Prediction::Flow => of_noise - of_picture,
        }
    }

    fn answer(&self, noisy: &[f32], timestep: usize) -> Vec<f32> {
        let level = self.gain(timestep, N as f64 * self.level);
        let detail = self.gain(timestep, self.detail);
        let channels = noisy.chunks_exact(N).map(|channel| {
            let mean = channel.iter().map(|x| f64::from(*x)).sum::<f64>() / N as f64;
            let answers = channel
                .iter()
                .map(move |x| (level * mean + detail * (f64::from(*x) - mean)) as f32);
            answers.collect::<Vec<f32>>()
        });
        channels.flatten().collect()
    }

    /// What it is measured to do with a picture as it knows them.
    fn observed(&self) -> Behavior {
        let levels = [1.2, -0.8, 0.5, 1.0].map(|level: f64| level * self.level.sqrt());
        let picture = levels.into_iter().flat_map(|level| {
            (0..N).map(move |at| level + (2.0 * self.detail).sqrt() * (1.7 * at as f64 + level).sin())
        });
        let picture: Vec<f32> = picture.map(|x| x as f32).collect();
        let noise = Random::from_seed(0).normal(N * N_CHANNELS);
        let ask = |noisy: Vec<f32>, timestep: usize| -> candle_core::Result<Vec<f32>> {
            Ok(self.answer(&noisy, timestep))
        };
        watch(&SchedulerConfig::default(), (&picture, &noise), &ask).unwrap()
    }
}

/// Variances of level and details: of pictures that are mostly their brightness, and less so.
const PICTURES: [(f64, f64); 4] = [(3.0, 0.1), (2.0, 0.1), (1.0, 0.1), (1.0, 0.3)];

#[test]
fn an_ideal_model_of_each_kind_is_named() {
    for prediction in Prediction::ALL {
        for (level, detail) in PICTURES {
            let behavior = Ideal::new(prediction, level, detail).observed();
            assert_eq!(behavior.is, Some(prediction), "{level} {detail}: {behavior:#?}");
        }
    }
}

/// The mathematics: on the usual schedule the last timestep still tells the level of the picture, and a model that was
/// trained there uses it; one that was trained on pure noise has no use for it.
#[test]
fn how_the_noise_ends_shows_in_the_use_of_a_trace() {
    let share = |prediction, (level, detail)| {
        let (earlier, last) = Ideal::new(prediction, level, detail).observed().trace;
        last / earlier
    };
    for picture in PICTURES {
        let (usual, zero) = (
            share(Prediction::V, picture),
            share(Prediction::VZeroSnr, picture),
        );
        assert!(usual > 0.5 && zero < 0.02, "{picture:?}: {usual} {zero}");
    }
}

/// Of a model that makes little of any picture, nothing is said that is wrong.
#[test]
fn a_model_that_knows_little_gets_no_wrong_name() {
    for prediction in Prediction::ALL {
        let behavior = Ideal::new(prediction, 0.3, 0.5).observed();
        assert!(
            behavior.is.is_none_or(|is| is.agrees(prediction)),
            "{behavior:#?}"
        );
    }
}
