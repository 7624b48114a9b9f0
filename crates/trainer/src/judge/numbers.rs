//! What a LoRA says without a picture: losses with it and without it, and what its file holds.

use std::{collections::HashMap, ops::ControlFlow};

use diffusion::{device::TrainingDevice, graph::AdapterSet, lora::singular_values};
use protocol::model::ModuleNorm;

use super::{JudgeError, Task, asked, bootstrap::quantile, figures::Measures, measuring};
use crate::{
    data::Sample,
    network::LoraNetwork,
    targets,
    validation::{TIMESTEPS, mean, validation_losses_while},
};

/// Pictures of each sort whose losses are measured.
const MAX_SAMPLES: usize = 8;
const LOSS: &str = "loss at fixed timesteps";
const FILE: &str = "the file's matrices";

/// Losses by timestep, on held-out and on trained pictures.
#[derive(Debug, Clone)]
pub(super) struct Losses {
    /// Absent if no picture is held out.
    held_out: Option<Vec<f64>>,
    trained: Vec<f64>,
}

impl Losses {
    /// # Errors
    /// If the LoRA does not fit, or without the consent of `go_on`.
    pub(super) fn of<D: TrainingDevice>(
        task: &Task<'_, D>,
        adapters: &AdapterSet<D>,
        go_on: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Self, JudgeError> {
        let mut some = |samples: &[Sample]| {
            let samples = &samples[..samples.len().min(MAX_SAMPLES)];
            validation_losses_while(task.base, adapters, task.data, samples, go_on)
                .map_err(measuring("losses"))?
                .ok_or(JudgeError::Stopped)
        };
        let held_out = &task.data.held_out;
        Ok(Self {
            held_out: (!held_out.is_empty()).then(|| some(held_out)).transpose()?,
            trained: some(task.data.subjects())?,
        })
    }

    /// Change of the loss as a share of the base's, on held-out pictures, and by how much more it fell on trained ones. The
    /// losses by timestep (Zhang et al. 2025, arXiv:2507.02687: where the noise is strong, overfitting begins) go into the
    /// list.
    pub(super) fn changed(&self, base: &Self, list: &mut Measures) -> (Option<f64>, Option<f64>) {
        let share = |after: &[f64], before: &[f64]| mean(after) / mean(before).max(f64::MIN_POSITIVE);
        let trained = share(&self.trained, &base.trained);
        list.number("trained_loss_change", Some(trained - 1.0), Some(0.0), LOSS);
        let (Some(after), Some(before)) = (&self.held_out, &base.held_out) else {
            return (None, None);
        };
        let change = share(after, before) - 1.0;
        let overfit = change + 1.0 - trained;
        list.number("held_out_loss_change", Some(change), Some(0.0), LOSS);
        list.number("overfit", Some(overfit), Some(0.0), LOSS);
        for (timestep, (after, before)) in TIMESTEPS.iter().zip(after.iter().zip(before)) {
            list.number(
                &format!("held_out_loss_at_{timestep}"),
                Some(*after),
                Some(*before),
                LOSS,
            );
        }
        (
            Some(change).filter(|x| x.is_finite()),
            Some(overfit).filter(|x| x.is_finite()),
        )
    }
}

/// How large the changes of the file are beside the weights, and how many directions they have.
///
/// # Errors
/// If the base cannot be read again, or without the consent of `go_on`.
pub(super) fn of_file<D: TrainingDevice>(
    task: &Task<'_, D>,
    (network, norms): (&LoraNetwork<D>, &[ModuleNorm]),
    weights: &mut HashMap<String, f64>,
    list: &mut Measures,
    go_on: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<(), JudgeError> {
    let mut shares = Vec::with_capacity(norms.len());
    for ModuleNorm { module, norm } in norms {
        let weight = match weights.get(module) {
            Some(weight) => *weight,
            None => {
                asked(go_on)?;
                let weight = norm_of_base(task, module).map_err(measuring("the base"))?;
                *weights.entry(module.clone()).or_insert(weight)
            }
        };
        shares.push(norm / weight.max(f64::MIN_POSITIVE));
    }
    let broken = measuring("the file");
    let values = network.device().values(network.values());
    let values = values.map_err(|err| broken(err.into()))?;
    let (mut ranks, mut firsts) = (Vec::new(), Vec::new());
    for module in (0..network.n_modules()).map(|index| network.module(index)) {
        asked(go_on)?;
        let change = module.change(&values).map_err(&broken)?;
        let found = change.plain().map(singular_values).transpose();
        let Some(values) = found.map_err(&broken)?.flatten() else {
            continue;
        };
        let squares: f64 = values.iter().map(|value| value * value).sum();
        if let Some(first) = values
            .first()
            .map(|first| first * first)
            .filter(|first| *first > 0.0)
        {
            ranks.push(squares / first);
            firsts.push(first / squares);
        }
    }
    for (name, mut values, share) in [
        ("change_norm", shares.clone(), 0.5),
        ("largest_change_norm", shares, 1.0),
        ("stable_rank", ranks, 0.5),
        ("first_direction", firsts, 0.5),
    ] {
        values.sort_by(f64::total_cmp);
        list.number(name, quantile(&values, share), None, FILE);
    }
    Ok(())
}

/// Norm of a weight of the base, by kohya's name of its module.
fn norm_of_base<D: TrainingDevice>(task: &Task<'_, D>, module: &str) -> candle_core::Result<f64> {
    let numbers: Vec<f32> = targets::weight(task.base, module)?.flatten_all()?.to_vec1()?;
    let squares: f64 = numbers.iter().map(|x| f64::from(*x).powi(2)).sum();
    Ok(squares.sqrt())
}
