//! Steps of the optimizers in `f64`.

use diffusion::operation::{
    AdafactorUpdate, AdamMove, AdamWUpdate, AdaptUpdate, CameUpdate, Estimate, LionUpdate, Place,
    ProdigyScheduleFreeUpdate, Running, ScheduleFreeMove, ScheduleFreeUpdate, Span,
    blockwise::{BLOCK, Codebook, SIGNED, UNSIGNED},
};

fn number(x: f32) -> f64 {
    f64::from(x)
}

fn take(running: Running, mean: &mut f64, x: f64) {
    *mean = number(running.keep) * *mean + number(running.take) * x;
}

/// Index of each parameter of a span, and of its state.
fn pairs(span: Span) -> impl Iterator<Item = (usize, usize)> {
    span.values().zip(span.states())
}

pub(super) fn adamw(
    update: &AdamWUpdate,
    span: Span,
    values: &mut [f64],
    gradients: &[f64],
    [first, second]: [&mut Vec<f64>; 2],
) {
    for (i, at) in pairs(span) {
        adam_of_one(
            update,
            &mut values[i],
            gradients[i],
            &mut first[at],
            &mut second[at],
        );
    }
}

fn adam_of_one(update: &AdamWUpdate, value: &mut f64, g: f64, m: &mut f64, v: &mut f64) {
    *m += (g - *m) * number(update.first);
    *v = *v * number(update.beta2) + g * g * number(update.second);
    let denominator = v.sqrt() * number(update.inv_root2) + number(update.eps);
    *value = *value * number(update.decay) - number(update.step) * *m / denominator;
}

/// Codes and scales of the first and the second moment.
pub(super) type BlockState<'a> = (&'a mut Vec<u8>, &'a mut Vec<f64>);

pub(super) fn adamw_8bit(
    update: &AdamWUpdate,
    span: Span,
    values: &mut [f64],
    gradients: &[f64],
    moments: [BlockState<'_>; 2],
) {
    let [mut first, mut second] = moments;
    let (mut m, mut v) = (read(&SIGNED, span, &first), read(&UNSIGNED, span, &second));
    for (i, at) in span.values().zip(0..) {
        adam_of_one(update, &mut values[i], gradients[i], &mut m[at], &mut v[at]);
    }
    write(&SIGNED, span.state, &m, &mut first);
    write(&UNSIGNED, span.state, &v, &mut second);
}

fn read(codebook: &Codebook, span: Span, (codes, scales): &BlockState<'_>) -> Vec<f64> {
    let of = |at: usize| number(codebook[usize::from(codes[at])]) * scales[at / BLOCK];
    span.states().map(of).collect()
}

fn write(codebook: &Codebook, start: usize, numbers: &[f64], (codes, scales): &mut BlockState<'_>) {
    for (block, numbers) in (start / BLOCK..).zip(numbers.chunks(BLOCK)) {
        scales[block] = numbers.iter().fold(0.0, |max: f64, x| max.max(x.abs()));
        for (at, x) in (block * BLOCK..).zip(numbers) {
            let share = if scales[block] > 0.0 {
                x / scales[block]
            } else {
                0.0
            };
            let distance = |code: &u8| (number(codebook[usize::from(*code)]) - share).abs();
            let closer = |a: &u8, b: &u8| distance(a).total_cmp(&distance(b));
            codes[at] = (0..=u8::MAX).min_by(closer).unwrap_or(0);
        }
    }
}

pub(super) fn lion(
    update: &LionUpdate,
    span: Span,
    values: &mut [f64],
    gradients: &[f64],
    momentum: &mut [f64],
) {
    for (i, at) in pairs(span) {
        let mut ahead = momentum[at];
        take(update.ahead, &mut ahead, gradients[i]);
        let sign = if ahead > 0.0 {
            1.0
        } else if ahead < 0.0 {
            -1.0
        } else {
            0.0
        };
        values[i] = values[i] * number(update.decay) - number(update.rate) * sign;
        take(update.first, &mut momentum[at], gradients[i]);
    }
}

/// Adafactor's reciprocal roots of the running means of `x² + eps`, which begin at `at`.
fn factored(running: Running, eps: f32, x: &[f64], place: Place, means: &mut [f64], at: usize) -> Vec<f64> {
    let (rows, columns) = (place.rows, place.columns);
    let square = |row: usize, column: usize| x[row * columns + column].powi(2) + number(eps);
    for row in 0..rows {
        let sum: f64 = (0..columns).map(|column| square(row, column)).sum();
        take(running, &mut means[at + row], sum / columns as f64);
    }
    for column in 0..columns {
        let sum: f64 = (0..rows).map(|row| square(row, column)).sum();
        take(running, &mut means[at + rows + column], sum / rows as f64);
    }
    let mean = means[at..at + rows].iter().sum::<f64>() / rows as f64;
    let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let root = |(row, column): (usize, usize)| (means[at + row] * means[at + rows + column] / mean).sqrt();
    cells.map(|cell| 1.0 / root(cell)).collect()
}

fn root_mean_square(x: &[f64]) -> f64 {
    (x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64).sqrt()
}

/// The clipped direction of Adafactor.
fn direction(
    running: Running,
    [eps, clip]: [f32; 2],
    gradients: &[f64],
    place: Place,
    means: &mut [f64],
    at: usize,
) -> Vec<f64> {
    let roots = factored(running, eps, gradients, place, means, at);
    let mut direction: Vec<f64> = roots.iter().zip(gradients).map(|(root, g)| root * g).collect();
    let excess = (root_mean_square(&direction) / number(clip)).max(1.0);
    direction.iter_mut().for_each(|u| *u /= excess);
    direction
}

pub(super) fn adafactor(
    update: &AdafactorUpdate,
    place: Place,
    values: &mut [f64],
    gradients: &[f64],
    momentum: Option<&mut Vec<f64>>,
    (means, at): (&mut Vec<f64>, usize),
) {
    let constants = [update.eps, update.clip];
    let direction = direction(
        update.second,
        constants,
        &gradients[place.range()],
        place,
        means,
        at,
    );
    let values = &mut values[place.range()];
    let size = update
        .floor
        .map_or(1.0, |floor| root_mean_square(values).max(number(floor)));
    let rate = number(update.rate) * size;
    let mut steps: Vec<f64> = direction.iter().map(|u| rate * u).collect();
    if let (Some(momentum), Some(first)) = (momentum, update.first) {
        for (m, step) in momentum[place.range()].iter_mut().zip(&mut steps) {
            take(first, m, *step);
            *step = *m;
        }
    }
    for (w, step) in values.iter_mut().zip(steps) {
        *w -= rate * number(update.weight_decay) * *w + step;
    }
}

pub(super) fn came(
    update: &CameUpdate,
    place: Place,
    values: &mut [f64],
    gradients: &[f64],
    momentum: &mut [f64],
    (means, at): (&mut Vec<f64>, usize),
) {
    let constants = [update.eps1, update.clip];
    let direction = direction(
        update.second,
        constants,
        &gradients[place.range()],
        place,
        means,
        at,
    );
    let momentum = &mut momentum[place.range()];
    for (m, u) in momentum.iter_mut().zip(&direction) {
        take(update.first, m, *u);
    }
    let off: Vec<f64> = direction
        .iter()
        .zip(momentum.iter())
        .map(|(u, m)| u - m)
        .collect();
    let second = at + place.rows + place.columns;
    let confidence = factored(update.third, update.eps2, &off, place, means, second);
    let weights = values[place.range()]
        .iter_mut()
        .zip(momentum.iter())
        .zip(confidence);
    for ((w, m), c) in weights {
        *w = *w * number(update.decay) - number(update.rate) * m * c;
    }
}

/// What Prodigy and D-Adaptation have in common: `compared` is multiplied with each gradient.
pub(super) fn adapt(
    update: &AdaptUpdate,
    span: Span,
    values: &[f64],
    gradients: &[f64],
    [first, second, sum]: [&mut Vec<f64>; 3],
    compared: impl Fn(f64, usize, f64, f64) -> f64,
) -> Estimate {
    let mut estimate = Estimate::default();
    for (i, at) in pairs(span) {
        let g = gradients[i] + number(update.coupled) * values[i];
        let counts = (i - span.start).is_multiple_of(update.stride);
        if counts {
            estimate.product += g * compared(values[i], at, second[at], sum[at]);
        }
        take(update.first, &mut first[at], g);
        take(update.second, &mut second[at], g * g);
        if counts {
            take(update.sum, &mut sum[at], g);
            estimate.magnitude += sum[at].abs();
        }
    }
    estimate
}

pub(super) fn adam_move(step: &AdamMove, span: Span, values: &mut [f64], [first, second]: [&Vec<f64>; 2]) {
    for (i, at) in pairs(span) {
        let direction = first[at] / (second[at].sqrt() + number(step.eps));
        values[i] = values[i] * number(step.decay) - number(step.step) * direction;
    }
}

fn without_schedule(step: &ScheduleFreeMove, direction: f64, y: &mut f64, z: &mut f64) {
    let n = direction + number(step.weight_decay) * *y;
    *y = (1.0 - number(step.share)) * *y + number(step.share) * *z - number(step.y_rate) * n;
    *z -= number(step.rate) * n;
}

pub(super) fn adamw_schedule_free(
    update: &ScheduleFreeUpdate,
    span: Span,
    values: &mut [f64],
    gradients: &[f64],
    [second, z]: [&mut Vec<f64>; 2],
) {
    for (i, at) in pairs(span) {
        take(update.second, &mut second[at], gradients[i].powi(2));
        let direction = gradients[i] / ((second[at] * number(update.inv2)).sqrt() + number(update.eps));
        without_schedule(&update.step, direction, &mut values[i], &mut z[at]);
    }
}

pub(super) fn prodigy_schedule_free(
    update: &ProdigyScheduleFreeUpdate,
    place: Place,
    values: &mut [f64],
    gradients: &[f64],
    origin: &[f64],
    [z, second, sum]: [&mut Vec<f64>; 3],
) -> Estimate {
    let mut estimate = Estimate::default();
    for i in place.range().step_by(update.stride) {
        estimate.product += gradients[i] * (origin[i] - z[i]);
        take(update.sum, &mut sum[i], gradients[i]);
        estimate.magnitude += sum[i].abs();
    }
    let mut directions = Vec::new();
    for i in place.range() {
        take(update.second, &mut second[i], gradients[i].powi(2));
        directions.push(number(update.d) * gradients[i] / (second[i].sqrt() + number(update.eps)));
    }
    let excess = root_mean_square(&directions).max(1.0).sqrt();
    for (i, direction) in place.range().zip(directions) {
        without_schedule(&update.step, direction / excess, &mut values[i], &mut z[i]);
    }
    estimate
}
