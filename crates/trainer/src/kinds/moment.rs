//! What a module's result depends on beside its input: the timesteps, and what is left out by chance.

use diffusion::{
    device::{Device, DeviceError, TrainingDevice, tensor},
    random::Random,
};

use super::{Kind, Module};
use crate::seeds;

/// Timesteps that noise is spread over: what T-LoRA counts in.
const N_TIMESTEPS: f64 = 1000.0;

/// The circumstances of one pass over some samples of a batch.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    /// The timestep of each sample. Without any, nothing depends on them.
    pub timesteps: Vec<f32>,
    /// What chance is drawn from. Without it, nothing is left out.
    pub draws: Option<Draws>,
}

/// Where in a training a pass is, so that what is left out is the same whenever it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    /// The recipe's seed.
    pub seed: u32,
    /// The step, from 0.
    pub step: u32,
    /// Place in the step of the batch's first sample.
    pub batch: usize,
    /// Place in the step of the first of these samples.
    pub first: usize,
}

/// Chances of leaving something out of a module, at each step (sd-scripts, `networks/lora.py`).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Dropout {
    /// Each number between the two matrices.
    pub network: f64,
    /// Each rank, for each sample.
    pub rank: f64,
    /// The whole module.
    pub module: f64,
}

/// Factors of what is between the two matrices of a LoRA.
#[derive(Debug)]
pub(super) enum Mask<D: Device> {
    /// Of each rank of each row, `[rows, rank]`.
    Ranks(D::Tensor),
    /// Of each number.
    Numbers(D::Tensor),
}

impl Draws {
    fn random(self, what: &str, place: usize, key: &str) -> Random {
        let Self { seed, step, .. } = self;
        seeds::random(format_args!("{what} {seed} {step} {place} {key}"))
    }

    /// For a part of the samples that begins this far behind.
    pub(crate) fn behind(self, start: usize) -> Self {
        Self {
            first: self.first + start,
            ..self
        }
    }
}

impl Moment {
    /// Whether a module is left out of the whole batch.
    pub(super) fn skips(&self, module: &Module) -> bool {
        let chance = module.dropout.module;
        self.draws.is_some_and(|draws| {
            let mut random = draws.random("module dropout", draws.batch, &module.target.key);
            chance > 0.0 && f64::from(random.uniform()) < chance
        })
    }

    /// What is left of `t`, the numbers between the two matrices of a module.
    pub(super) fn masks<D: TrainingDevice>(
        &self,
        module: &Module,
        device: &D,
        t: &D::Tensor,
    ) -> Result<Vec<Mask<D>>, DeviceError> {
        let dims = device.dims(t);
        let uploaded = |values: Vec<f32>, shape: &[usize]| {
            let host = tensor(values, shape);
            let host = host.map_err(|err| DeviceError::new(device, "a mask", &[dims], err))?;
            device.upload(&host)
        };
        let mut masks = Vec::new();
        if let Some(values) = self.numbers(module, dims) {
            masks.push(Mask::Numbers(uploaded(values, dims)?));
        }
        if let Some(values) = self.ranks(module, dims[0]) {
            masks.push(Mask::Ranks(uploaded(values, &[dims[0], module.rank])?));
        }
        Ok(masks)
    }

    /// Factors of each number: PyTorch's dropout.
    fn numbers(&self, module: &Module, dims: &[usize]) -> Option<Vec<f32>> {
        let chance = module.dropout.network;
        let draws = self.draws.filter(|_| chance > 0.0)?;
        let n_samples = self.timesteps.len().max(1);
        let sample_len = dims.iter().product::<usize>() / n_samples;
        let kept = (1.0 / (1.0 - chance)) as f32;
        let of_sample = |sample: usize| {
            let mut random = draws.random("network dropout", draws.first + sample, &module.target.key);
            let factor = move |_| {
                if f64::from(random.uniform()) < chance {
                    0.0
                } else {
                    kept
                }
            };
            (0..sample_len).map(factor)
        };
        Some((0..n_samples).flat_map(of_sample).collect())
    }

    /// Factors of the ranks of each of `n_rows` rows: those of a sample's chunks of text are neighbors.
    fn ranks(&self, module: &Module, n_rows: usize) -> Option<Vec<f32>> {
        let chance = module.dropout.rank;
        let draws = self.draws.filter(|_| chance > 0.0);
        let shrinks = matches!(module.kind, Kind::TLora { .. }) && !self.timesteps.is_empty();
        if draws.is_none() && !shrinks {
            return None;
        }
        let n_samples = self.timesteps.len().max(1);
        let n_rows_of_sample = n_rows / n_samples;
        let kept = draws.map_or(1.0, |_| (1.0 / (1.0 - chance)) as f32);
        let mut factors = Vec::with_capacity(n_rows * module.rank);
        for sample in 0..n_samples {
            let n_ranks = self
                .timesteps
                .get(sample)
                .map_or(module.rank, |t| ranks_at(module, *t));
            let draw = |draws: Draws| draws.random("rank dropout", draws.first + sample, &module.target.key);
            let mut random = draws.map(draw);
            for _ in 0..n_rows_of_sample {
                for rank in 0..module.rank {
                    let is_dropped = random
                        .as_mut()
                        .is_some_and(|random| f64::from(random.uniform()) < chance);
                    let is_left_out = rank >= n_ranks || is_dropped;
                    factors.push(if is_left_out { 0.0 } else { kept });
                }
            }
        }
        Some(factors)
    }
}

impl<D: TrainingDevice> Mask<D> {
    /// What is left of `t`, and the same of its gradient.
    pub(super) fn apply(&self, device: &D, t: &D::Tensor) -> Result<D::Tensor, DeviceError> {
        match self {
            Self::Ranks(factors) => device.scale_channels(t, factors),
            Self::Numbers(factors) => device.hadamard(t, factors, 1.0),
        }
    }
}

/// Ranks that a T-LoRA has at a timestep: `⌊((T − t) / T)^power · (rank − min)⌋ + min` (Soboleva et al. 2025,
/// arXiv 2507.05964); all of them for every other kind.
fn ranks_at(module: &Module, timestep: f32) -> usize {
    let Kind::TLora { min_rank, power } = module.kind else {
        return module.rank;
    };
    let min = min_rank.min(module.rank);
    let left = ((N_TIMESTEPS - f64::from(timestep)) / N_TIMESTEPS).clamp(0.0, 1.0);
    let more = (left.powf(power) * (module.rank - min) as f64).floor() as usize;
    min + more
}

/// Share of the timesteps at which each rank of a T-LoRA takes part.
pub(super) fn shares(module: &Module) -> Vec<f32> {
    let n = N_TIMESTEPS as usize;
    let mut counts = vec![0_usize; module.rank];
    for timestep in 0..n {
        let n_ranks = ranks_at(module, timestep as f32);
        counts[..n_ranks].iter_mut().for_each(|count| *count += 1);
    }
    counts.into_iter().map(|count| count as f32 / n as f32).collect()
}

#[cfg(test)]
mod tests {
    use diffusion::{cpu::Cpu, device::floats, layers::LoraTarget};

    use super::*;
    use crate::kinds::{Planned, Sizes};

    fn module(kind: Kind, dropout: Dropout) -> Module {
        let sizes = Sizes { rank: 8, alpha: 8.0 };
        let planned = Planned::new(kind, LoraTarget::linear("m", 4, 4), sizes);
        Planned { dropout, ..planned }.place(0)
    }

    #[test]
    fn the_rank_shrinks_towards_noise() {
        let kind = Kind::TLora {
            min_rank: 2,
            power: 1.0,
        };
        let module = module(kind, Dropout::default());
        let ranks = [0.0, 1.0, 500.0, 833.0, 834.0, 999.0].map(|t| ranks_at(&module, t));
        assert_eq!(ranks, [8, 7, 5, 3, 2, 2]);
        let shares = shares(&module);
        assert_eq!(shares[..2], [1.0, 1.0]);
        assert!(shares.is_sorted_by(|a, b| a >= b));
        // Rank 8 is there at timestep 0 alone.
        assert_eq!(shares[7], 0.001);
    }

    #[test]
    fn masks_follow_timesteps_samples_and_places() {
        let kind = Kind::TLora {
            min_rank: 2,
            power: 1.0,
        };
        let moment = Moment {
            timesteps: vec![0.0, 999.0],
            draws: None,
        };
        let module = module(kind, Dropout::default());
        // Two chunks of text for each sample.
        let factors = moment.ranks(&module, 4).unwrap();
        assert_eq!(factors[..16], [1.0; 16]);
        let last = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(factors[16..], [last, last].concat());
    }

    #[test]
    fn chance_leaves_out_as_much_as_asked_and_the_same_again() {
        let dropout = Dropout {
            network: 0.25,
            rank: 0.5,
            module: 0.5,
        };
        let module = module(Kind::Lora, dropout);
        let at = |step, first| Moment {
            timesteps: vec![500.0; 2],
            draws: Some(Draws {
                seed: 3,
                step,
                batch: 0,
                first,
            }),
        };
        let numbers = at(0, 0).numbers(&module, &[2, 500, 8]).unwrap();
        let n_left_out = numbers.iter().filter(|factor| **factor == 0.0).count();
        // Five standard deviations of a binomial with 8,000 draws.
        assert!((1806..=2194).contains(&n_left_out), "{n_left_out}");
        assert!(numbers.iter().all(|factor| [0.0, 4.0 / 3.0].contains(factor)));
        // A part of the batch draws what the whole one drew.
        let second = Moment {
            timesteps: vec![500.0],
            ..at(0, 1)
        };
        assert_eq!(second.numbers(&module, &[1, 500, 8]).unwrap(), numbers[4000..]);
        assert_ne!(at(1, 0).numbers(&module, &[2, 500, 8]).unwrap(), numbers);

        let ranks = at(0, 0).ranks(&module, 2).unwrap();
        assert_eq!(ranks, at(0, 0).ranks(&module, 2).unwrap());
        assert!(ranks.iter().all(|factor| [0.0, 2.0].contains(factor)));
        assert_ne!(ranks[..8], ranks[8..]);

        let n_skipped = (0..400).filter(|step| at(*step, 0).skips(&module)).count();
        // Four standard deviations of a binomial with 400 draws.
        assert!((160..=240).contains(&n_skipped), "{n_skipped}");
        assert!(!Moment::default().skips(&module));

        // On the device: each number times its factors, of both kinds.
        let t = tensor(vec![1.0; 16], [2, 8]).unwrap();
        let masks = at(0, 0).masks(&module, &Cpu, &t).unwrap();
        let [Mask::Numbers(of_numbers), Mask::Ranks(of_ranks)] = &masks[..] else {
            panic!("a mask of each kind");
        };
        let both = masks[1].apply(&Cpu, &masks[0].apply(&Cpu, &t).unwrap()).unwrap();
        let expected: Vec<f32> = floats(of_numbers)
            .unwrap()
            .iter()
            .zip(floats(of_ranks).unwrap().iter())
            .map(|(number, rank)| number * rank)
            .collect();
        assert_eq!(*floats(&both).unwrap(), expected);
    }
}
