//! Replays dumped training steps of sd-scripts through our U-Net, loss, gradients and optimizer.
//!
//! A dump is a folder: `init.safetensors`, the LoRA before the first step, and `step_000.safetensors`, … with the
//! U-Net's inputs, its output, the loss, every gradient before clipping, and the weights after the optimizer's step.
//!
//! Each part is measured on the reference's own inputs: the U-Net, the loss and the gradients on the dumped weights,
//! the optimizer on the dumped gradients and their norm (in which trained text encoders share). A run that carries its
//! own weights along says nothing about parity, because AdamW divides a gradient by its own size: where gradients are
//! near its epsilon, the last bit of one decides the direction of a whole step. PyTorch against itself, with another
//! order of additions, ends 2e-2 apart after one step of such a dump. [`Replay::free_running`] shows that run.

use std::{collections::HashMap, path::PathBuf};

use candle_core::{DType, Tensor};
use diffusion::{
    base::{BaseError, BaseModel},
    device::{DeviceError, HOST},
    graph::AdapterSet,
    schedulers::{NoiseSchedule, PredictionType},
    unet::Conditioning,
};
use serde::Serialize;

use crate::{
    losses::Loss,
    network::{Gradients, LoraNetwork, StateError},
    optimizers::{AdamW, AdamWConfig, Optimizer as _},
    step::{Batch, StepGradients, forward_backward},
    weightings::Weighting,
};

/// Norm that sd-scripts clips gradients to by default.
const MAX_NORM: f64 = 1.0;

/// What to replay, and the options that the dumped training had.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Base model: single file or folder.
    pub base: PathBuf,
    /// Folder of the dump.
    pub golden: PathBuf,
    /// Learning rate of every step.
    pub learning_rate: f64,
    /// γ of min-SNR; 0 for none.
    pub min_snr_gamma: f64,
    /// Carry our own weights and gradients from step to step instead of the reference's.
    pub free_running: bool,
}

/// Largest errors of one step, each relative to the largest magnitude of its reference tensor.
///
/// A reference tensor of zeros alone (the gradients of `lora_down` in a first step) has no magnitude of its own; it
/// is measured by the largest magnitude among all tensors of its kind in the step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StepErrors {
    /// Number of the step, from 0.
    pub step: usize,
    /// Output of the U-Net.
    pub unet_output: f64,
    /// Loss.
    pub loss: f64,
    /// Gradients before clipping, the worst of all tensors.
    pub gradients: f64,
    /// LoRA weights after the optimizer's step, the worst of all tensors.
    pub weights: f64,
}

/// What was replayed.
#[derive(Debug)]
pub struct Report {
    /// One entry for each dumped step.
    pub steps: Vec<StepErrors>,
    /// LoRA modules of the U-Net, which were compared.
    pub n_modules: usize,
    /// LoRA modules in the dump that belong to the text encoders, which were not.
    pub n_text_modules: usize,
}

/// Why a dump cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The base model is unusable.
    #[error("failed to load the base model")]
    Base(#[from] BaseError),
    /// A file of the dump cannot be read.
    #[error("failed to read `{path}`")]
    Open {
        /// File.
        path: PathBuf,
        /// What went wrong.
        #[source]
        err: candle_core::Error,
    },
    /// A file of the dump lacks a tensor, or the tensor has the wrong shape.
    #[error("`{path}` does not fit the base model")]
    State {
        /// File.
        path: PathBuf,
        /// Which tensor.
        #[source]
        err: StateError,
    },
    /// There is nothing to replay.
    #[error("`{path}` has no `{wanted}`")]
    Empty {
        /// File or folder.
        path: PathBuf,
        /// What is missing.
        wanted: &'static str,
    },
    /// A computation failed.
    #[error("failed to replay `{path}`")]
    Compute {
        /// File of the step.
        path: PathBuf,
        /// What went wrong.
        #[source]
        err: candle_core::Error,
    },
}

impl Replay {
    /// Replays every step of the dump.
    pub fn run(&self) -> Result<Report, ReplayError> {
        let base = BaseModel::load(&self.base)?;
        let init = Dump::open(self.golden.join("init.safetensors"))?;
        let targets = base.unet.config().lora_targets();
        let mut network = LoraNetwork::from_tensors(targets, &|name| init.tensors.get(name).cloned())
            .map_err(|err| init.wrong(err))?;
        if network.n_modules() == 0 {
            return Err(ReplayError::Empty {
                path: init.path,
                wanted: "LoRA module of this base model's U-Net",
            });
        }
        let mut optimizer =
            AdamW::new(&network, AdamWConfig::default()).map_err(|err| ReplayError::Compute {
                path: self.golden.clone(),
                err: err.into(),
            })?;
        let mut steps = Vec::new();
        loop {
            let path = self.golden.join(format!("step_{:03}.safetensors", steps.len()));
            if !path.exists() {
                break;
            }
            let dump = Dump::open(path)?;
            steps.push(self.step(steps.len(), &base, &dump, &mut network, &mut optimizer)?);
        }
        if steps.is_empty() {
            return Err(ReplayError::Empty {
                path: self.golden.clone(),
                wanted: "step_000.safetensors",
            });
        }
        let is_text = |name: &&String| name.starts_with("lora_te") && name.ends_with("lora_up.weight");
        Ok(Report {
            steps,
            n_modules: network.n_modules(),
            n_text_modules: init.tensors.keys().filter(is_text).count(),
        })
    }

    fn step(
        &self,
        step: usize,
        base: &BaseModel,
        dump: &Dump,
        network: &mut LoraNetwork,
        optimizer: &mut AdamW,
    ) -> Result<StepErrors, ReplayError> {
        let batch = self.batch(base, dump)?;
        let compute = |err| ReplayError::Compute {
            path: dump.path.clone(),
            err,
        };
        let on_device = |err: DeviceError| compute(err.into());
        let output = predict(base, network, &batch).map_err(compute)?;
        let pass = forward_backward(&base.unet, network, &batch).map_err(compute)?;
        let StepGradients { loss, mut gradients } = pass;

        let reference = dump.values("loss")?;
        let loss_error = relative_errors([(&[loss as f32][..], &reference[..])]);
        let output_error = relative_errors([(&output[..], &dump.values("unet.out")?[..])]);
        let gradient_error = dump.compare("grad.", network, gradients.values())?;

        let norm = match dump.tensors.get("grad_norm") {
            Some(_) => f64::from(dump.values("grad_norm")?[0]),
            None => gradients.norm().map_err(on_device)?,
        };
        if !self.free_running {
            let reference = dump.collect("grad.", network)?;
            gradients = Gradients::from_values(network, reference).map_err(on_device)?;
        }
        gradients.clip(norm, MAX_NORM).map_err(on_device)?;
        optimizer
            .step(network, &gradients, self.learning_rate)
            .map_err(on_device)?;
        let weight_error = dump.compare("w.", network, network.values())?;
        if !self.free_running {
            let reference = dump.collect("w.", network)?;
            network.values_mut().copy_from_slice(&reference);
        }
        Ok(StepErrors {
            step,
            unet_output: output_error,
            loss: loss_error,
            gradients: gradient_error,
            weights: weight_error,
        })
    }

    fn batch(&self, base: &BaseModel, dump: &Dump) -> Result<Batch, ReplayError> {
        let timesteps: Vec<u32> = dump.values("unet.t")?.into_iter().map(|t| t as u32).collect();
        let schedule = NoiseSchedule::new(&base.scheduler);
        let prediction = base.scheduler.prediction_type;
        let target = match prediction {
            PredictionType::Epsilon => dump.get("noise")?,
            // sd-scripts trains no SDXL on rectified flow.
            PredictionType::VPrediction | PredictionType::Flow => dump.velocity(&schedule, &timesteps)?,
        };
        Ok(Batch {
            noisy: dump.get("unet.x")?,
            conditioning: Conditioning {
                context: dump.get("unet.context")?,
                vector: dump.get("unet.y")?,
            },
            target,
            loss: Loss::SquaredError,
            weights: Weighting::min_snr(self.min_snr_gamma).weights(&schedule, prediction, &timesteps),
            timesteps,
        })
    }
}

/// The U-Net's output with the LoRA as it stands, `[B, 4, h, w]`.
fn predict(base: &BaseModel, network: &LoraNetwork, batch: &Batch) -> candle_core::Result<Vec<f32>> {
    let mut adapters = AdapterSet::new();
    adapters.add(network.adapters().map_err(candle_core::Error::wrap)?, 1.0);
    let timesteps: Vec<f32> = batch.timesteps.iter().map(|&t| t as f32).collect();
    let output = base
        .unet
        .predict(&adapters, &batch.noisy, &timesteps, &batch.conditioning)?;
    output.flatten_all()?.to_vec1()
}

/// One file of a dump.
struct Dump {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
}

impl Dump {
    fn open(path: PathBuf) -> Result<Self, ReplayError> {
        match candle_core::safetensors::load(&path, &HOST) {
            Ok(tensors) => Ok(Self { path, tensors }),
            Err(err) => Err(ReplayError::Open { path, err }),
        }
    }

    fn wrong(&self, err: StateError) -> ReplayError {
        ReplayError::State {
            path: self.path.clone(),
            err,
        }
    }

    /// A tensor in `f32`.
    fn get(&self, name: &str) -> Result<Tensor, ReplayError> {
        let Some(tensor) = self.tensors.get(name) else {
            let name = name.to_owned();
            return Err(self.wrong(StateError::Missing { name }));
        };
        let converted = tensor.to_dtype(DType::F32).and_then(|tensor| tensor.contiguous());
        converted.map_err(|err| {
            self.wrong(StateError::Read {
                name: name.to_owned(),
                err,
            })
        })
    }

    fn values(&self, name: &str) -> Result<Vec<f32>, ReplayError> {
        let values = self.get(name)?.flatten_all().and_then(|tensor| tensor.to_vec1());
        values.map_err(|err| ReplayError::Compute {
            path: self.path.clone(),
            err,
        })
    }

    /// √ᾱ noise − √(1 − ᾱ) latents.
    fn velocity(&self, schedule: &NoiseSchedule, timesteps: &[u32]) -> Result<Tensor, ReplayError> {
        let (noise, latents) = (self.get("noise")?, self.get("latents")?);
        let mix = || {
            let samples = timesteps.iter().enumerate().map(|(i, &timestep)| {
                let (signal, sigma) = schedule.mix(timestep as usize);
                (noise.get(i)? * signal)? - (latents.get(i)? * sigma)?
            });
            Tensor::stack(&samples.collect::<candle_core::Result<Vec<_>>>()?, 0)
        };
        mix().map_err(|err| ReplayError::Compute {
            path: self.path.clone(),
            err,
        })
    }

    /// The tensors `{prefix}{parameter}`, in the order of the network's parameters.
    fn collect(&self, prefix: &str, network: &LoraNetwork) -> Result<Vec<f32>, ReplayError> {
        let lookup = |name: &str| self.tensors.get(&format!("{prefix}{name}")).cloned();
        network.collect(&lookup).map_err(|err| self.wrong(err))
    }

    /// Largest error of `values` against the tensors `{prefix}{parameter}`.
    fn compare(&self, prefix: &str, network: &LoraNetwork, values: &[f32]) -> Result<f64, ReplayError> {
        let references = self.collect(prefix, network)?;
        Ok(relative_errors(network.parameters().map(|parameter| {
            let range = parameter.place.range();
            (&values[range.clone()], &references[range])
        })))
    }
}

/// The worst of several tensors' errors, as [`StepErrors`] defines them.
fn relative_errors<'a>(pairs: impl IntoIterator<Item = (&'a [f32], &'a [f32])>) -> f64 {
    let mut worst = 0.0f64;
    let mut largest = 0.0f64;
    let mut beside_zeros = 0.0f64;
    for (values, reference) in pairs {
        if values.len() != reference.len() {
            return f64::INFINITY;
        }
        let magnitude = max(reference.iter().map(|r| f64::from(r.abs())));
        let error = max(values
            .iter()
            .zip(reference)
            .map(|(v, r)| f64::from((v - r).abs())));
        if magnitude > 0.0 {
            worst = max([worst, error / magnitude]);
        } else {
            beside_zeros = max([beside_zeros, error]);
        }
        largest = max([largest, magnitude]);
    }
    match beside_zeros {
        0.0 => worst,
        error if largest > 0.0 => max([worst, error / largest]),
        _ => f64::INFINITY,
    }
}

/// Largest value; NaN wins, so that it cannot hide.
fn max(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(
        0.0,
        |max, value| {
            if value.is_nan() || value > max { value } else { max }
        },
    )
}
