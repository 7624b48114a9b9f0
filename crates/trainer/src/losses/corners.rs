//! Where the losses of Huber have their corner at a timestep (sd-scripts' `huber_schedule`).

use diffusion::schedulers::NoiseSchedule;
use protocol::{parameters::HuberSchedule, recipe::Parameters};

/// The corner of each timestep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corners {
    /// The corner of pure noise.
    pub corner: f64,
    /// How it moves with the timesteps.
    pub schedule: HuberSchedule,
    /// A factor of all corners but those that follow the signal-to-noise ratio.
    pub scale: f64,
}

impl Corners {
    /// What a recipe asks for.
    pub fn of(p: &Parameters) -> Self {
        Self {
            corner: p.huber_c,
            schedule: p.huber_schedule,
            scale: p.huber_scale,
        }
    }

    /// The corner of each sample.
    pub fn at(&self, schedule: &NoiseSchedule, timesteps: &[f32]) -> Vec<f32> {
        let corner = |&timestep: &f32| match self.schedule {
            HuberSchedule::Constant => self.corner * self.scale,
            HuberSchedule::Exponential => {
                let share = f64::from(timestep) / schedule.n_timesteps() as f64;
                self.corner.powf(share) * self.scale
            }
            HuberSchedule::Snr => {
                let (signal, noise) = schedule.mix_at(timestep);
                (1.0 - self.corner) / (1.0 + noise / signal).powi(2) + self.corner
            }
        };
        timesteps.iter().map(|timestep| corner(timestep) as f32).collect()
    }
}
