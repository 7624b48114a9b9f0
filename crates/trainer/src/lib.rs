//! Autograd tape, LoRA, loss, optimizers, the training loop, checkpoints and evaluation.
//!
//! The pieces, and how a training step is made of them:
//!
//! ```ignore
//! let mut network = LoraNetwork::start(device, targets::planned(&base, &recipe), &mut random)?;
//! let mut optimizer = OptimizerConfig::of(parameters).start(&network)?;
//! let StepGradients { loss, mut gradients, .. } = forward_backward(&base, &network, &batch)?;
//! gradients.clip(gradients.norm()?, max_norm)?;
//! optimizer.step(&mut network, &gradients, Rates { rate: learning_rate.at(step), parts: &parts })?;
//! ```
//!
//! [`network::Accumulator`] averages several batches into one step. [`network::LoraNetwork::to_tensors`] and
//! [`optimizers::Optimizer::export`] give a checkpoint its named tensors. Everything is generic over the device that
//! computes; no file here names a kernel.

pub mod checkpoint;
pub mod data;
pub mod drawn;
pub mod evaluate;
pub mod judge;
pub mod kinds;
pub mod losses;
pub mod made;
pub mod merged_base;
pub mod metadata;
pub mod need;
pub mod network;
pub mod optimizers;
pub mod origin;
pub mod parity;
pub mod replay;
pub mod schedule;
pub mod state;
pub mod step;
pub mod tape;
pub mod targets;
pub mod tensor_file;
pub mod train;
pub mod validation;
pub mod weightings;

mod ema;
#[cfg(test)]
mod fixture;
mod noise;
mod seeds;
