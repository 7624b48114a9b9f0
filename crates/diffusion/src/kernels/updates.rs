//! Loops over what is trained: the updates of the optimizers. The arguments are parallel: one number for each parameter.

use super::simd::{Kernel, dispatch};
use crate::operation::{
    AdafactorUpdate, AdamMove, AdamWUpdate, AdaptUpdate, CameUpdate, Estimate, LionUpdate,
    ProdigyScheduleFreeUpdate, Running, ScheduleFreeMove, ScheduleFreeUpdate,
    blockwise::{BLOCK, Codebook, SIGNED, UNSIGNED},
};

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

impl Running {
    #[inline(always)]
    fn with(self, mean: f32, x: f32) -> f32 {
        mean * self.keep + x * self.take
    }
}

/// One step of AdamW with both moments in eight bits, blocks of [`BLOCK`]. The last block may be short; its codes are
/// whole.
pub fn adamw_8bit(
    update: &AdamWUpdate,
    values: &mut [f32],
    gradients: &[f32],
    [first, second]: [(&mut [u8], &mut [f32]); 2],
) {
    let weights = values.chunks_mut(BLOCK).zip(gradients.chunks(BLOCK));
    let first = first.0.chunks_exact_mut(BLOCK).zip(first.1);
    let second = second.0.chunks_exact_mut(BLOCK).zip(second.1);
    for (((w, g), (m_codes, m_scale)), (v_codes, v_scale)) in weights.zip(first).zip(second) {
        let (mut m, mut v) = ([0.0; BLOCK], [0.0; BLOCK]);
        read_block(&SIGNED, m_codes, *m_scale, &mut m);
        read_block(&UNSIGNED, v_codes, *v_scale, &mut v);
        let n = w.len();
        adamw(update, w, g, &mut m[..n], &mut v[..n]);
        *m_scale = write_block(&SIGNED, &m[..n], m_codes);
        *v_scale = write_block(&UNSIGNED, &v[..n], v_codes);
    }
}

fn read_block(codebook: &Codebook, codes: &[u8], scale: f32, numbers: &mut [f32; BLOCK]) {
    for (number, code) in numbers.iter_mut().zip(codes) {
        *number = codebook[usize::from(*code)] * scale;
    }
}

/// Writes the codes of numbers; returns their scale.
fn write_block(codebook: &Codebook, numbers: &[f32], codes: &mut [u8]) -> f32 {
    let scale = numbers.iter().fold(0.0f32, |max, number| max.max(number.abs()));
    for (code, number) in codes.iter_mut().zip(numbers) {
        // All zeros have a code of their own, whatever the scale.
        let share = if scale > 0.0 { number / scale } else { 0.0 };
        *code = nearest(codebook, share);
    }
    scale
}

/// The code of the nearest number; the lower one in the middle of two.
fn nearest(codebook: &Codebook, x: f32) -> u8 {
    let above = codebook
        .partition_point(|&number| number < x)
        .min(codebook.len() - 1);
    let below = above.saturating_sub(1);
    if (x - codebook[below]).abs() <= (x - codebook[above]).abs() {
        below as u8
    } else {
        above as u8
    }
}

/// One step of Lion (Chen et al. 2023).
pub fn lion(update: &LionUpdate, values: &mut [f32], gradients: &[f32], momentum: &mut [f32]) {
    let f = update;
    for ((w, &g), m) in values.iter_mut().zip(gradients).zip(momentum) {
        let direction = f.ahead.with(*m, g);
        let sign = if direction == 0.0 { 0.0 } else { direction.signum() };
        *w = *w * f.decay - f.rate * sign;
        *m = f.first.with(*m, g);
    }
}

/// One step of Adafactor on a matrix of so many columns. `means` are those of rows, then those of columns.
pub fn adafactor(
    update: &AdafactorUpdate,
    columns: usize,
    values: &mut [f32],
    gradients: &[f32],
    momentum: Option<&mut [f32]>,
    means: &mut [f32],
) {
    let f = update;
    let mut direction = factored(f.second, f.eps, gradients, columns, means);
    for (u, g) in direction.iter_mut().zip(gradients) {
        *u *= g;
    }
    let scale = 1.0 / (root_mean_square(&direction) / f64::from(f.clip)).max(1.0);
    let rate = match f.floor {
        Some(floor) => f64::from(f.rate) * root_mean_square(values).max(f64::from(floor)),
        None => f64::from(f.rate),
    };
    let decay = (1.0 - rate * f64::from(f.weight_decay)) as f32;
    let step = (rate * scale) as f32;
    for u in &mut direction {
        *u *= step;
    }
    if let (Some(momentum), Some(first)) = (momentum, f.first) {
        for (m, u) in momentum.iter_mut().zip(&mut direction) {
            *m = first.with(*m, *u);
            *u = *m;
        }
    }
    for (w, u) in values.iter_mut().zip(&direction) {
        *w = *w * decay - u;
    }
}

/// One step of CAME on a matrix of so many columns. `means` are those of squared gradients by row and by column, then
/// those of the instability.
pub fn came(
    update: &CameUpdate,
    columns: usize,
    values: &mut [f32],
    gradients: &[f32],
    momentum: &mut [f32],
    means: &mut [f32],
) {
    let f = update;
    let (squares, instability) = means.split_at_mut(means.len() / 2);
    let mut direction = factored(f.second, f.eps1, gradients, columns, squares);
    for (u, g) in direction.iter_mut().zip(gradients) {
        *u *= g;
    }
    let scale = (1.0 / (root_mean_square(&direction) / f64::from(f.clip)).max(1.0)) as f32;
    let mut off = Vec::with_capacity(direction.len());
    for (u, m) in direction.iter().zip(momentum.iter_mut()) {
        let u = u * scale;
        *m = f.first.with(*m, u);
        off.push(u - *m);
    }
    let confidence = factored(f.third, f.eps2, &off, columns, instability);
    for ((w, m), c) in values.iter_mut().zip(momentum).zip(&confidence) {
        *w = *w * f.decay - f.rate * (*m * c);
    }
}

/// Takes `x² + eps` into its running means over rows and columns, and gives the reciprocal root of what they make of each
/// number: Rᵢ Cⱼ / mean(R) (Shazeer and Stern 2018, section 3).
fn factored(running: Running, eps: f32, x: &[f32], columns: usize, means: &mut [f32]) -> Vec<f32> {
    let n_rows = x.len() / columns;
    let (row_means, column_means) = means.split_at_mut(n_rows);
    let mut column_sums = vec![0.0f64; columns];
    for (row, mean) in x.chunks_exact(columns).zip(row_means.iter_mut()) {
        let mut sum = 0.0;
        for (x, column) in row.iter().zip(&mut column_sums) {
            let square = f64::from(x * x + eps);
            sum += square;
            *column += square;
        }
        *mean = running.with(*mean, (sum / columns as f64) as f32);
    }
    for (mean, sum) in column_means.iter_mut().zip(column_sums) {
        *mean = running.with(*mean, (sum / n_rows as f64) as f32);
    }
    let mean: f64 = row_means.iter().map(|mean| f64::from(*mean)).sum::<f64>() / n_rows as f64;
    let column_roots: Vec<f32> = column_means.iter().map(|mean| 1.0 / mean.sqrt()).collect();
    let mut roots = Vec::with_capacity(x.len());
    for row in row_means.iter() {
        let root = 1.0 / (row / mean as f32).sqrt();
        roots.extend(column_roots.iter().map(|column| root * column));
    }
    roots
}

fn root_mean_square(x: &[f32]) -> f64 {
    let squares: f64 = x.iter().map(|x| f64::from(*x).powi(2)).sum();
    (squares / x.len() as f64).sqrt()
}

/// Takes gradients into Prodigy's state (Mishchenko and Defazio 2023).
pub fn prodigy(
    update: &AdaptUpdate,
    values: &[f32],
    gradients: &[f32],
    origin: &[f32],
    state: [&mut [f32]; 3],
) -> Estimate {
    let f = update;
    let mut estimate = Estimate::default();
    let parameters = values.iter().zip(gradients).zip(origin);
    let [first, second, sum] = state;
    // How many until the next that counts.
    let mut n_until = 0;
    for (((&w, &g), &w0), ((m, v), s)) in parameters.zip(first.iter_mut().zip(second).zip(sum)) {
        let g = g + f.coupled * w;
        *m = f.first.with(*m, g);
        *v = f.second.with(*v, g * g);
        if n_until == 0 {
            n_until = f.stride;
            estimate.product += f64::from(g) * f64::from(w0 - w);
            *s = f.sum.with(*s, g);
            estimate.magnitude += f64::from(s.abs());
        }
        n_until -= 1;
    }
    estimate
}

/// Takes gradients into D-Adaptation's state (Defazio and Mishchenko 2023).
pub fn d_adaptation(
    update: &AdaptUpdate,
    values: &[f32],
    gradients: &[f32],
    state: [&mut [f32]; 3],
) -> Estimate {
    let f = update;
    let mut estimate = Estimate::default();
    let [first, second, sum] = state;
    let parameters = values.iter().zip(gradients);
    for ((&w, &g), ((m, v), s)) in parameters.zip(first.iter_mut().zip(second).zip(sum)) {
        let g = g + f.coupled * w;
        estimate.product += f64::from(g) * f64::from(*s / (v.sqrt() + f.eps));
        *m = f.first.with(*m, g);
        *v = f.second.with(*v, g * g);
        *s = f.sum.with(*s, g);
        estimate.magnitude += f64::from(s.abs());
    }
    estimate
}

/// Moves along both moments.
pub fn adam_move(step: &AdamMove, values: &mut [f32], first: &[f32], second: &[f32]) {
    for (w, (m, v)) in values.iter_mut().zip(first.iter().zip(second)) {
        *w = *w * step.decay - step.step * (m / (v.sqrt() + step.eps));
    }
}

impl ScheduleFreeMove {
    #[inline(always)]
    fn along(&self, direction: f32, y: &mut f32, z: &mut f32) {
        let n = direction + self.weight_decay * *y;
        *y += (*z - *y) * self.share;
        *y -= n * self.y_rate;
        *z -= n * self.rate;
    }
}

/// One step of schedule-free AdamW (Defazio et al. 2024).
pub fn adamw_schedule_free(
    update: &ScheduleFreeUpdate,
    values: &mut [f32],
    gradients: &[f32],
    second: &mut [f32],
    z: &mut [f32],
) {
    let f = update;
    for ((y, &g), (v, z)) in values.iter_mut().zip(gradients).zip(second.iter_mut().zip(z)) {
        *v = f.second.with(*v, g * g);
        let direction = g / ((*v * f.inv2).sqrt() + f.eps);
        f.step.along(direction, y, z);
    }
}

/// One step of schedule-free Prodigy on a matrix. The state is the origin, z, the second moment and the weighted sum.
pub fn prodigy_schedule_free(
    update: &ProdigyScheduleFreeUpdate,
    values: &mut [f32],
    gradients: &[f32],
    origin: &[f32],
    [z, second, sum]: [&mut [f32]; 3],
) -> Estimate {
    let f = update;
    let mut estimate = Estimate::default();
    for at in (0..gradients.len()).step_by(f.stride) {
        estimate.product += f64::from(gradients[at]) * f64::from(origin[at] - z[at]);
        sum[at] = f.sum.with(sum[at], gradients[at]);
        estimate.magnitude += f64::from(sum[at].abs());
    }
    let mut direction = Vec::with_capacity(gradients.len());
    for (&g, v) in gradients.iter().zip(second) {
        *v = f.second.with(*v, g * g);
        direction.push(g * f.d / (v.sqrt() + f.eps));
    }
    let scale = (1.0 / root_mean_square(&direction).max(1.0).sqrt()) as f32;
    for (direction, (y, z)) in direction.iter().zip(values.iter_mut().zip(z)) {
        f.step.along(direction * scale, y, z);
    }
    estimate
}
