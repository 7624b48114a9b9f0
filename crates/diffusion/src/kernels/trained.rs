//! Loops over what is trained: losses, and gradients as a whole.

/// Sum of the squared errors of each sample, and the gradient with respect to `p` of the samples' means, weighted, summed
/// and divided by `n_samples`.
pub fn squared_error(p: &[f32], t: &[f32], weights: &[f32], n_samples: usize) -> (Vec<f64>, Vec<f32>) {
    assert_eq!(p.len(), t.len());
    let len = p.len() / weights.len();
    let mut gradient = Vec::with_capacity(p.len());
    let mut sums = Vec::with_capacity(weights.len());
    for ((p, t), &weight) in p.chunks_exact(len).zip(t.chunks_exact(len)).zip(weights) {
        let factor = 2.0 * weight / (len * n_samples) as f32;
        let mut squares = 0.0;
        for (p, t) in p.iter().zip(t) {
            let difference = p - t;
            squares += f64::from(difference) * f64::from(difference);
            gradient.push(factor * difference);
        }
        sums.push(squares);
    }
    (sums, gradient)
}

/// Sum of the magnitudes of the errors of each sample, and the gradient as in [`squared_error`].
pub fn absolute_error(p: &[f32], t: &[f32], weights: &[f32], n_samples: usize) -> (Vec<f64>, Vec<f32>) {
    pointwise_error(p, t, weights, n_samples, |_, difference| {
        let slope = if difference == 0.0 {
            0.0
        } else {
            difference.signum()
        };
        (f64::from(difference.abs()), slope)
    })
}

/// Sum of `√(error² + c²) − c` over each sample, and the gradient as in [`squared_error`].
pub fn pseudo_huber_error(
    p: &[f32],
    t: &[f32],
    weights: &[f32],
    corners: &[f32],
    n_samples: usize,
) -> (Vec<f64>, Vec<f32>) {
    assert_eq!(weights.len(), corners.len());
    pointwise_error(p, t, weights, n_samples, |sample, difference| {
        let (c, square) = (f64::from(corners[sample]), f64::from(difference).powi(2));
        let root = (square + c * c).sqrt();
        // Without the difference of two numbers that are nearly the same.
        (square / (root + c), (f64::from(difference) / root) as f32)
    })
}

/// Sums over each sample of a function of each error, which is given with its slope, and the gradient.
fn pointwise_error(
    p: &[f32],
    t: &[f32],
    weights: &[f32],
    n_samples: usize,
    error: impl Fn(usize, f32) -> (f64, f32),
) -> (Vec<f64>, Vec<f32>) {
    assert_eq!(p.len(), t.len());
    let len = p.len() / weights.len();
    let mut gradient = Vec::with_capacity(p.len());
    let mut sums = Vec::with_capacity(weights.len());
    let samples = p.chunks_exact(len).zip(t.chunks_exact(len)).zip(weights);
    for (sample, ((p, t), &weight)) in samples.enumerate() {
        let factor = weight / (len * n_samples) as f32;
        let mut sum = 0.0;
        for (p, t) in p.iter().zip(t) {
            let (error, slope) = error(sample, p - t);
            sum += error;
            gradient.push(factor * slope);
        }
        sums.push(sum);
    }
    (sums, gradient)
}

/// `x *= factor`.
pub fn scale(x: &mut [f32], factor: f32) {
    for value in x {
        *value *= factor;
    }
}

/// `x += (to − x) share`.
pub fn approach(x: &mut [f32], to: &[f32], share: f32) {
    assert_eq!(x.len(), to.len());
    for (x, &to) in x.iter_mut().zip(to) {
        *x += (to - *x) * share;
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
