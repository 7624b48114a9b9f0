//! Replays dumped training steps of sd-scripts through our text encoders, U-Net, loss, gradients and optimizer.
//!
//! A dump is a folder: `init.safetensors`, the LoRA before the first step, and `step_000.safetensors`, … with the
//! U-Net's inputs, its output, the loss, every gradient before clipping, and the weights after the optimizer's step; where
//! text encoders are trained, their tokens and hidden states too.
//!
//! Each part is measured on the reference's own inputs: the text encoders, the U-Net, the loss and the gradients on the
//! dumped weights, the optimizer on the dumped gradients and their norm. A run that carries its own weights along says
//! nothing about parity, because AdamW divides a gradient by its own size: where gradients are near its epsilon, the last
//! bit of one decides the direction of a whole step. PyTorch against itself, with another order of additions, ends 2e-2
//! apart after one step of such a dump. [`Replay::free_running`] shows that run.
//!
//! A text encoder whose learning rate is 0 is frozen here. sd-scripts goes on adding up its gradients, never clears them,
//! and lets them share in the norm that it clips by; the dumped norm has that share.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use candle_core::{DType, Tensor};
use diffusion::{
    base::{BaseError, BaseModel},
    conditioning::TextTokens,
    cpu::Cpu,
    device::{DeviceError, HOST},
    graph::AdapterSet,
    layers::Loader,
    schedulers::{NoiseSchedule, PredictionType, SchedulerConfig},
    text_encoder::TextEncoder,
    tokenizer::CHUNK,
    unet::Conditioning,
    weights::{Checkpoint, Component, Part as TensorPart, names},
};
use protocol::recipe::Parameters;
use serde::Serialize;

use crate::{
    kinds::Module,
    losses::Loss,
    network::{Gradients, LoraNetwork, StateError},
    optimizers::{AdamW, AdamWConfig, Optimizer as _, Part, Rates},
    step::{Batch, StepGradients, Told, forward_backward},
    weightings::Weightings,
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
    /// Learning rate of both text encoders. At 0 they are frozen.
    pub text_encoder_learning_rate: f64,
    /// Rank and alpha of the convolutions that the dump must have; none asks for nothing.
    pub convolutions: Option<(usize, f64)>,
    /// Whether the U-Net was trained to predict velocity, if the base does not say so itself.
    pub v_parameterization: bool,
    /// Whether the last timestep was made pure noise, if the base does not say so itself.
    pub zero_terminal_snr: bool,
    /// γ of min-SNR; 0 for none.
    pub min_snr_gamma: f64,
    /// Debiased estimation.
    pub debiased: bool,
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
    /// Hidden states of both text encoders and the pooled text; none if the dump has no tokens.
    pub hidden_states: Option<f64>,
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
    /// LoRA modules of the U-Net that were compared.
    pub n_unet_modules: usize,
    /// LoRA modules of the text encoders that were compared.
    pub n_text_modules: usize,
    /// LoRA modules in the dump that were not, because they are frozen.
    pub n_frozen_modules: usize,
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
        let mut base = BaseModel::load(&self.base)?;
        read_projection_as_sd_scripts(&mut base, &self.base)?;
        base.scheduler = SchedulerConfig {
            prediction_type: match self.v_parameterization {
                true => PredictionType::VPrediction,
                false => base.scheduler.prediction_type,
            },
            rescale_betas_zero_snr: self.zero_terminal_snr || base.scheduler.rescale_betas_zero_snr,
            ..base.scheduler
        };
        let init = Dump::open(self.golden.join("init.safetensors"))?;
        let mut network = self.network(&base, &init)?;
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
        let n_dumped = init
            .tensors
            .keys()
            .filter(|name| name.ends_with(".alpha"))
            .count();
        let modules = (0..network.n_modules()).map(|index| network.module(index));
        let n_text_modules = modules.filter(|module| is_text(module)).count();
        Ok(Report {
            steps,
            n_unet_modules: network.n_modules() - n_text_modules,
            n_text_modules,
            n_frozen_modules: n_dumped.saturating_sub(network.n_modules()),
        })
    }

    /// The LoRA before the first step. Text encoders that are not trained are left out.
    fn network(&self, base: &BaseModel, init: &Dump) -> Result<LoraNetwork, ReplayError> {
        let config = base.unet.config();
        let mut targets = config.lora_targets();
        targets.extend(config.convolution_targets());
        if self.text_encoder_learning_rate > 0.0 {
            targets.extend(base.text_encoders.first.lora_targets());
            targets.extend(base.text_encoders.second.lora_targets());
        }
        let network = LoraNetwork::from_tensors(targets, &|name| init.tensors.get(name).cloned())
            .map_err(|err| init.wrong(err))?;
        let modules = || (0..network.n_modules()).map(|index| network.module(index));
        if !modules().any(|module| !is_text(module)) {
            return Err(ReplayError::Empty {
                path: init.path.clone(),
                wanted: "LoRA module of this base model's U-Net",
            });
        }
        if let Some((rank, alpha)) = self.convolutions {
            let mut kernels = modules().filter(|module| module.target.kernel() > 1).peekable();
            if kernels.peek().is_none() || kernels.any(|module| (module.rank, module.alpha) != (rank, alpha))
            {
                return Err(ReplayError::Empty {
                    path: init.path.clone(),
                    wanted: "convolutions of that rank and alpha in all places",
                });
            }
        }
        Ok(network)
    }

    fn step(
        &self,
        step: usize,
        base: &BaseModel,
        dump: &Dump,
        network: &mut LoraNetwork,
        optimizer: &mut AdamW,
    ) -> Result<StepErrors, ReplayError> {
        let compute = |err| ReplayError::Compute {
            path: dump.path.clone(),
            err,
        };
        let on_device = |err: DeviceError| compute(err.into());
        let adapters = network.applied(base, 1.0).map_err(compute)?;
        let hidden_states = match dump.tensors.contains_key("tokens1") {
            true => Some(dump.hidden_states(base, &adapters)?),
            false => None,
        };
        let modules = || (0..network.n_modules()).map(|index| network.module(index));
        let trains_text = modules().any(is_text);
        let batch = self.batch(base, dump, trains_text)?;
        let output = predict(base, &adapters, &batch, dump)?;
        let pass = forward_backward(base, network, &batch).map_err(compute)?;
        let StepGradients {
            loss, mut gradients, ..
        } = pass;

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
        let parts = Part::of(network, |module| self.rate(base, module));
        let rates = Rates {
            rate: self.learning_rate,
            parts: &parts,
        };
        optimizer.step(network, &gradients, rates).map_err(on_device)?;
        let weight_error = dump.compare("w.", network, network.values())?;
        if !self.free_running {
            let reference = dump.collect("w.", network)?;
            network.values_mut().copy_from_slice(&reference);
        }
        Ok(StepErrors {
            step,
            hidden_states,
            unet_output: output_error,
            loss: loss_error,
            gradients: gradient_error,
            weights: weight_error,
        })
    }

    /// A module's learning rate as a share of the U-Net's. PyTorch leaves parameters without a gradient alone.
    fn rate(&self, base: &BaseModel, module: &Module) -> f64 {
        if !is_text(module) {
            1.0
        } else if base.text_encoders.first.is_used(&module.target.key) {
            self.text_encoder_learning_rate / self.learning_rate
        } else {
            0.0
        }
    }

    fn batch(&self, base: &BaseModel, dump: &Dump, trains_text: bool) -> Result<Batch, ReplayError> {
        let timesteps = dump.values("unet.t")?;
        let schedule = NoiseSchedule::for_training(&base.scheduler);
        let prediction = base.scheduler.prediction_type;
        let target = match prediction {
            PredictionType::Epsilon => dump.get("noise")?,
            // sd-scripts trains no SDXL on rectified flow.
            PredictionType::VPrediction | PredictionType::Flow => dump.velocity(&schedule, &timesteps)?,
        };
        let told = if trains_text {
            Told::Tokens {
                texts: dump.texts()?,
                sizes: dump.sizes(base)?,
            }
        } else {
            Told::Encoded(dump.conditioning()?)
        };
        let options = Parameters {
            min_snr_gamma: self.min_snr_gamma,
            debiased: self.debiased,
            ..Parameters::default()
        };
        Ok(Batch {
            noisy: dump.get("unet.x")?,
            told,
            target,
            loss: Loss::SquaredError,
            weights: Weightings::of(&options).weights(&schedule, prediction, &timesteps),
            corners: vec![1.0; timesteps.len()],
            mask: Vec::new(),
            draws: None,
            timesteps,
        })
    }
}

fn is_text(module: &Module) -> bool {
    module.target.key.starts_with("lora_te")
}

/// sd-scripts reads the projection of the second text encoder of a single file without transposing it
/// (`convert_sdxl_text_encoder_2_checkpoint`), unlike open_clip, which wrote it, and diffusers, which we follow. What it
/// dumped is compared with what it read.
fn read_projection_as_sd_scripts(base: &mut BaseModel, path: &Path) -> Result<(), BaseError> {
    const PREFIX: &str = "conditioner.embedders.1.model.";
    let checkpoint = Checkpoint::open(path)?;
    let ([file], None) = (checkpoint.files.as_slice(), &checkpoint.folder) else {
        return Ok(());
    };
    let mut theirs = Component::new(path.to_owned());
    for key in file.names() {
        let Some(name) = key.strip_prefix(PREFIX) else {
            continue;
        };
        for (name, part) in names::text_from_open_clip(name) {
            let part = match part {
                TensorPart::Transposed => TensorPart::Whole,
                other => other,
            };
            theirs.list(name, file, key, part);
        }
    }
    let encoder = &mut base.text_encoders.second;
    let loader = Loader::new(&Cpu, &theirs).keyed("lora_te2");
    *encoder = TextEncoder::load(&loader, encoder.config().clone())?;
    Ok(())
}

/// The U-Net's output with the LoRA as it stands and the dumped text, `[B, 4, h, w]`.
fn predict(
    base: &BaseModel,
    adapters: &AdapterSet,
    batch: &Batch,
    dump: &Dump,
) -> Result<Vec<f32>, ReplayError> {
    let predict = |conditioning: &Conditioning| {
        base.unet
            .predict(adapters, &batch.noisy, &batch.timesteps, conditioning)?
            .flatten_all()?
            .to_vec1()
    };
    predict(&dump.conditioning()?).map_err(|err| dump.failed(err))
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
        values.map_err(|err| self.failed(err))
    }

    fn failed(&self, err: candle_core::Error) -> ReplayError {
        ReplayError::Compute {
            path: self.path.clone(),
            err,
        }
    }

    /// √ᾱ noise − √(1 − ᾱ) latents.
    fn velocity(&self, schedule: &NoiseSchedule, timesteps: &[f32]) -> Result<Tensor, ReplayError> {
        let (noise, latents) = (self.get("noise")?, self.get("latents")?);
        let mix = || {
            let samples = timesteps.iter().enumerate().map(|(i, &timestep)| {
                let (signal, sigma) = schedule.mix_at(timestep);
                (noise.get(i)? * signal)? - (latents.get(i)? * sigma)?
            });
            Tensor::stack(&samples.collect::<candle_core::Result<Vec<_>>>()?, 0)
        };
        mix().map_err(|err| self.failed(err))
    }

    /// What the U-Net was told.
    fn conditioning(&self) -> Result<Conditioning, ReplayError> {
        Ok(Conditioning {
            context: self.get("unet.context")?,
            vector: self.get("unet.y")?,
        })
    }

    /// The part of the U-Net's vector behind the pooled text.
    fn sizes(&self, base: &BaseModel) -> Result<Tensor, ReplayError> {
        let (vector, pooled) = (self.get("unet.y")?, base.text_encoders.pooled_width());
        let n_sizes = vector
            .dims()
            .last()
            .map_or(0, |width| width.saturating_sub(pooled));
        let sizes = vector
            .narrow(1, pooled, n_sizes)
            .and_then(|sizes| sizes.contiguous());
        sizes.map_err(|err| self.failed(err))
    }

    /// The captions in tokens, `[B, chunks, 77]` for each encoder.
    fn texts(&self) -> Result<TextTokens, ReplayError> {
        Ok(TextTokens {
            first: self.chunks("tokens1")?,
            second: self.chunks("tokens2")?,
            n_chunks: self
                .tensors
                .get("tokens1")
                .map_or(1, |tokens| match tokens.dims() {
                    [_, n_chunks, _] => *n_chunks,
                    _ => 1,
                }),
            weights: Vec::new(),
        })
    }

    fn chunks(&self, name: &str) -> Result<Vec<[u32; CHUNK]>, ReplayError> {
        let tokens: Vec<u32> = self.values(name)?.into_iter().map(|token| token as u32).collect();
        let chunks = tokens.chunks_exact(CHUNK).map(|chunk| {
            let mut tokens = [0; CHUNK];
            tokens.copy_from_slice(chunk);
            tokens
        });
        Ok(chunks.collect())
    }

    /// Error of what our text encoders say about the tokens.
    fn hidden_states(&self, base: &BaseModel, adapters: &AdapterSet) -> Result<f64, ReplayError> {
        let encoded = base.text_encoders.encode_laid_out(&self.texts()?, adapters);
        let encoded = encoded.map_err(|err| self.failed(err))?;
        let first_width = base.text_encoders.first.config().width;
        let second_width = base.text_encoders.context_width() - first_width;
        let found = [
            ("hs1", encoded.context.narrow(2, 0, first_width)),
            ("hs2", encoded.context.narrow(2, first_width, second_width)),
            ("pool2", Ok(encoded.pooled)),
        ];
        let mut worst = 0.0;
        for (name, found) in found {
            let found = found.and_then(|found| found.flatten_all()?.to_vec1::<f32>());
            let found = found.map_err(|err| self.failed(err))?;
            worst = max([worst, relative_errors([(&found[..], &self.values(name)?[..])])]);
        }
        Ok(worst)
    }

    /// The tensors `{prefix}{parameter}`, in the order of the network's parameters. What has weights and no gradient got
    /// none.
    fn collect(&self, prefix: &str, network: &LoraNetwork) -> Result<Vec<f32>, ReplayError> {
        let lookup = |name: &str| {
            let named = |prefix: &str| self.tensors.get(&format!("{prefix}{name}"));
            named(prefix).cloned().or_else(|| named("w.")?.zeros_like().ok())
        };
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
