//! Loops over what is trained: the loss, gradients as a whole, and the optimizers' updates.

use super::simd::{Kernel, dispatch};
use crate::operation::AdamWUpdate;

/// Sum over samples of weight times mean squared error, divided by `n_samples`, and its gradient with respect to `p`.
pub fn squared_error(p: &[f32], t: &[f32], weights: &[f32], n_samples: usize) -> (f64, Vec<f32>) {
    assert_eq!(p.len(), t.len());
    let len = p.len() / weights.len();
    let mut gradient = Vec::with_capacity(p.len());
    let mut value = 0.0;
    for ((p, t), &weight) in p.chunks_exact(len).zip(t.chunks_exact(len)).zip(weights) {
        let factor = 2.0 * weight / (len * n_samples) as f32;
        let mut squares = 0.0;
        for (p, t) in p.iter().zip(t) {
            let difference = p - t;
            squares += f64::from(difference) * f64::from(difference);
            gradient.push(factor * difference);
        }
        value += f64::from(weight) * squares / (len * n_samples) as f64;
    }
    (value, gradient)
}

/// `x *= factor`.
pub fn scale(x: &mut [f32], factor: f32) {
    for value in x {
        *value *= factor;
    }
}

/// Euclidean norm. NaN or infinite as soon as one number is.
pub fn norm(x: &[f32]) -> f64 {
    // Lanes so that it vectorizes; double precision so that a million terms lose nothing.
    let mut lanes = [0.0f64; 8];
    for chunk in x.chunks(8) {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(value) * f64::from(value);
        }
    }
    lanes.iter().sum::<f64>().sqrt()
}

/// One step of AdamW, with the arithmetic of `torch.optim.AdamW`.
pub fn adamw(
    update: &AdamWUpdate,
    values: &mut [f32],
    gradients: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    dispatch(AdamW {
        update: *update,
        values,
        gradients,
        first,
        second,
    });
}

struct AdamW<'a> {
    update: AdamWUpdate,
    values: &'a mut [f32],
    gradients: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl Kernel for AdamW<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let f = self.update;
        let moments = self.first.iter_mut().zip(self.second);
        let weights = self.values.iter_mut().zip(self.gradients);
        for ((w, &g), (m, v)) in weights.zip(moments) {
            *m = (g - *m).mul_add(f.first, *m);
            *v = (g * g).mul_add(f.second, *v * f.beta2);
            let denominator = v.sqrt().mul_add(f.inv_root2, f.eps);
            *w = w.mul_add(f.decay, -f.step * (*m / denominator));
        }
    }
}
