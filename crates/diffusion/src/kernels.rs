//! Number crunching on slices of `f32`, forward and backward; no tensors, no shapes beyond what is passed in.
//!
//! Activations are row-major with the channel last: `[batch, height, width, channels]` or `[batch, tokens, channels]`.
//! Why these are written by hand: candle's own convolution, norm and softmax are 4 to 12 times slower than PyTorch
//! on a CPU, and its backward pass computes gradients of frozen weights.

pub mod activation;
pub mod attention;
pub mod conv;
pub mod elementwise;
pub mod gemm;
pub mod norm;
pub mod packed;
pub mod simd;
pub mod streamed;
pub mod trained;
pub mod updates;

#[cfg(test)]
mod tests;

use std::cell::RefCell;

/// Work below this many floating-point operations stays on the calling thread: waking another costs about 10 µs.
pub(crate) const PARALLEL_FLOPS: usize = 4 << 20;

/// Passes over fewer values than this stay on the calling thread.
pub(crate) const PARALLEL_VALUES: usize = 1 << 18;

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lends a buffer of the calling thread, with whatever an earlier use left in it.
///
/// `work` must not enter rayon: a stolen task on this thread could ask for the same buffer.
pub(crate) fn with_scratch<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    SCRATCH.with_borrow_mut(|buffer| {
        if buffer.len() < len {
            buffer.resize(len, 0.0);
        }
        work(&mut buffer[..len])
    })
}
