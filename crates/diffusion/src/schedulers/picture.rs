//! What a U-Net's answer says the finished picture is, whatever sampler asks: Ho et al. 2020, equation 15.

use super::{NoiseSchedule, PredictionType, SchedulerConfig};

/// The latents of the picture that the U-Net's `output` at a timestep amounts to, of `noisy` latents as it was given
/// them.
pub fn predicted_picture(config: &SchedulerConfig, timestep: f64, noisy: &[f32], output: &[f32]) -> Vec<f32> {
    let schedule = NoiseSchedule::new(config);
    // Of few steps, the first timestep may pass the end of the schedule.
    let timestep = timestep.clamp(0.0, schedule.n_timesteps() as f64 - 1.0);
    let (signal, noise) = schedule.mix_at(timestep as f32);
    let (signal, noise) = (signal as f32, noise as f32);
    let both = noisy.iter().zip(output);
    both.map(|(noisy, output)| match config.prediction_type {
        PredictionType::Epsilon => (noisy - noise * output) / signal,
        PredictionType::VPrediction => signal * noisy - noise * output,
        PredictionType::Flow => noisy - noise * output,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer of a U-Net that knows picture and noise.
    fn check(prediction_type: PredictionType, answer: fn(f32, f32, f32, f32) -> f32) {
        let config = SchedulerConfig {
            prediction_type,
            ..SchedulerConfig::default()
        };
        let (picture, noise) = ([0.5_f32, -1.0, 2.0], [1.0_f32, -0.25, 0.75]);
        for timestep in [1.0, 400.0, 999.0] {
            let (signal, amount) = NoiseSchedule::new(&config).mix_at(timestep);
            let (signal, amount) = (signal as f32, amount as f32);
            let both = || picture.iter().zip(&noise);
            let noisy: Vec<f32> = both().map(|(x, n)| signal * x + amount * n).collect();
            let output: Vec<f32> = both().map(|(x, n)| answer(*x, *n, signal, amount)).collect();
            let found = predicted_picture(&config, f64::from(timestep), &noisy, &output);
            for (found, wanted) in found.iter().zip(&picture) {
                assert!((found - wanted).abs() < 1e-3, "{found} {wanted} at {timestep}");
            }
        }
    }

    #[test]
    fn noise_and_velocity_give_the_picture() {
        check(PredictionType::Epsilon, |_, noise, _, _| noise);
        check(PredictionType::VPrediction, |picture, noise, signal, amount| {
            signal * noise - amount * picture
        });
        check(PredictionType::Flow, |picture, noise, _, _| noise - picture);
    }
}
