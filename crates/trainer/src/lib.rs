//! Autograd tape, LoRA, loss, optimizers, the training loop, checkpoints and evaluation.
//!
//! The pieces, and how a training step is made of them:
//!
//! ```ignore
//! let mut network = LoraNetwork::new(unet.config().lora_targets(), rank, alpha, &mut random);
//! let mut optimizer = AdamW::new(&network, AdamWConfig::default());
//! let StepGradients { loss, mut gradients } = forward_backward(&unet, &network, &batch)?;
//! gradients.clip(gradients.norm(), max_norm);
//! optimizer.step(&mut network, &gradients, learning_rate.at(step));
//! ```
//!
//! [`network::Accumulator`] averages several batches into one step. [`network::LoraNetwork::to_tensors`] and
//! [`optimizer::AdamW::export`] give a checkpoint its named tensors; `import` takes them back.

pub mod checkpoint;
pub mod data;
pub mod evaluate;
pub mod loss;
pub mod metadata;
pub mod network;
pub mod optimizer;
pub mod parity;
pub mod replay;
pub mod schedule;
pub mod step;
pub mod tape;
pub mod tensor_file;
pub mod train;
pub mod validation;

#[cfg(test)]
mod fixture;
mod seeds;
