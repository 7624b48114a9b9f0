//! Autograd tape, LoRA, loss, optimizers, the training loop, checkpoints and evaluation.
