//! How often each timestep is trained.

use std::f64::consts::FRAC_PI_2;

use diffusion::{random::Random, schedulers::NoiseSchedule};
use protocol::{parameters::TimestepDistribution, recipe::Parameters};

use super::Spot;

/// Timesteps that a recipe counts with.
const N_COUNTED: f64 = 1000.0;

/// The distribution of timesteps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Timesteps {
    /// The first, and the one after the last, as shares of all.
    range: (f64, f64),
    distribution: TimestepDistribution,
    /// Middle of the logit-normal distribution.
    bias: f64,
    /// Width of the logit-normal distribution, or the scale of `mode`.
    scale: f64,
    /// How far timesteps are moved toward noise.
    shift: f64,
}

impl Timesteps {
    /// What a recipe asks for.
    pub(crate) fn of(p: &Parameters) -> Self {
        Self {
            range: (
                f64::from(p.min_timestep) / N_COUNTED,
                f64::from(p.max_timestep) / N_COUNTED,
            ),
            distribution: p.timestep_distribution,
            bias: p.timestep_bias,
            scale: p.timestep_scale,
            shift: p.timestep_shift,
        }
    }

    /// Draws a timestep of a schedule: a whole one, or with rectified flow any. `random` is the generator of the step, from
    /// which one number is drawn in any case.
    pub(crate) fn draw(&self, random: &mut Random, spot: Spot, schedule: &NoiseSchedule) -> f32 {
        let n_timesteps = schedule.n_timesteps() as u32;
        let place = |share: f64| (share * f64::from(n_timesteps)).round() as u32;
        let first = place(self.range.0).min(n_timesteps - 1);
        let end = place(self.range.1).clamp(first + 1, n_timesteps);
        let length = f64::from(end - first);
        let is_even = self.distribution == TimestepDistribution::Uniform && self.shift == 1.0;
        if schedule.is_continuous() {
            let even = f64::from(random.uniform());
            let share = if is_even { even } else { self.share(spot) };
            return (f64::from(first) + share * length) as f32;
        }
        let even = random.integer(first..end);
        if is_even {
            return even as f32;
        }
        let offset = (self.share(spot) * length) as u32;
        (first + offset).min(end - 1) as f32
    }

    /// Draws a share of the timesteps, from 0 for no noise to 1.
    fn share(&self, spot: Spot) -> f64 {
        let mut random = spot.random("timestep");
        let u = match self.distribution {
            TimestepDistribution::LogitNormal => f64::from(random.normal(1)[0]),
            _ => f64::from(random.uniform()),
        };
        self.shifted(self.level(u))
    }

    /// Turns a drawn number into a share of the timesteps (Esser et al. 2024, section 3.1).
    fn level(&self, u: f64) -> f64 {
        match self.distribution {
            TimestepDistribution::Uniform => u,
            TimestepDistribution::LogitNormal => 1.0 / (1.0 + (-(self.bias + self.scale * u)).exp()),
            TimestepDistribution::Mode => {
                let squared = (FRAC_PI_2 * u).cos().powi(2);
                (1.0 - u - self.scale * (squared - 1.0 + u)).clamp(0.0, 1.0)
            }
            TimestepDistribution::CosineMap => 1.0 - 1.0 / ((FRAC_PI_2 * u).tan() + 1.0),
        }
    }

    /// Moves a share toward noise (Esser et al. 2024, equation 23).
    fn shifted(&self, share: f64) -> f64 {
        self.shift * share / (1.0 + (self.shift - 1.0) * share)
    }
}

#[cfg(test)]
mod tests {
    use diffusion::schedulers::{PredictionType, SchedulerConfig};

    use super::*;

    fn drawn(distribution: TimestepDistribution, change: impl FnOnce(&mut Timesteps)) -> Vec<f32> {
        drawn_of(&SchedulerConfig::default(), distribution, change)
    }

    fn drawn_of(
        config: &SchedulerConfig,
        distribution: TimestepDistribution,
        change: impl FnOnce(&mut Timesteps),
    ) -> Vec<f32> {
        let schedule = NoiseSchedule::new(config);
        let mut timesteps = Timesteps::of(&Parameters {
            timestep_distribution: distribution,
            ..Parameters::default()
        });
        change(&mut timesteps);
        let draw = |step| {
            let spot = Spot {
                seed: 1,
                step,
                place: 0,
            };
            timesteps.draw(&mut spot.random("step"), spot, &schedule)
        };
        (0..4000).map(draw).collect()
    }

    /// Shares of the timesteps in each fifth, in percent.
    fn fifths(drawn: &[f32]) -> [i32; 5] {
        let mut counts = [0; 5];
        for timestep in drawn {
            counts[*timestep as usize / 200] += 1;
        }
        counts.map(|count| (f64::from(count) / drawn.len() as f64 * 100.0).round() as i32)
    }

    #[track_caller]
    fn near(found: [i32; 5], expected: [i32; 5]) {
        // Four standard deviations of a share of a half among 4000.
        let is_near = found
            .iter()
            .zip(expected)
            .all(|(found, expected)| (found - expected).abs() <= 3);
        assert!(is_near, "{found:?}, not {expected:?}");
    }

    #[test]
    fn distributions_are_those_of_their_densities() {
        near(fifths(&drawn(TimestepDistribution::Uniform, |_| ())), [20; 5]);
        // Φ at logit(0.2) = −1.386 and logit(0.4) = −0.405.
        let normal = TimestepDistribution::LogitNormal;
        near(fifths(&drawn(normal, |_| ())), [8, 26, 31, 26, 8]);
        // The same around logit 1.
        near(fifths(&drawn(normal, |t| t.bias = 1.0)), [1, 7, 20, 37, 35]);
        // Of two million draws of `compute_density_for_timestep_sampling` in diffusers 0.42, `mode_scale` 1.
        near(
            fifths(&drawn(TimestepDistribution::Mode, |_| ())),
            [12, 19, 38, 19, 12],
        );
        // tan(πu/2) = t / (1 − t): u is 0.156 at t = 0.2 and 0.374 at 0.4.
        near(
            fifths(&drawn(TimestepDistribution::CosineMap, |_| ())),
            [16, 22, 25, 22, 16],
        );
        // t = s u / (1 + (s − 1) u), s = 3: u is 0.077 at 0.2, 0.182 at 0.4, 0.333 at 0.6, 0.571 at 0.8.
        near(
            fifths(&drawn(TimestepDistribution::Uniform, |t| t.shift = 3.0)),
            [8, 10, 15, 24, 43],
        );
    }

    #[test]
    fn timesteps_stay_in_their_range() {
        let range = |t: &mut Timesteps| t.range = (0.25, 0.26);
        for distribution in [TimestepDistribution::Uniform, TimestepDistribution::LogitNormal] {
            let drawn = drawn(distribution, range);
            assert!(drawn.iter().all(|timestep| (250.0..260.0).contains(timestep)));
            assert!(drawn.iter().all(|timestep| timestep.fract() == 0.0));
        }
        let even = drawn(TimestepDistribution::Uniform, range);
        assert!((250..260_u16).all(|timestep| even.contains(&f32::from(timestep))));
    }

    #[test]
    fn rectified_flow_has_timesteps_between_whole_ones() {
        let flow = SchedulerConfig {
            prediction_type: PredictionType::Flow,
            ..SchedulerConfig::default()
        };
        for distribution in [TimestepDistribution::Uniform, TimestepDistribution::LogitNormal] {
            let drawn = drawn_of(&flow, distribution, |_| ());
            assert!(drawn.iter().all(|timestep| (0.0..=1000.0).contains(timestep)));
            assert!(drawn.iter().filter(|timestep| timestep.fract() != 0.0).count() > 3900);
        }
    }
}
