//! Group norm and layer norm: both normalize groups of numbers, and scale and shift each channel.

use diffusion::{
    device::{Affine, Result},
    operation::{Activation, After, GroupShape, Grouping},
};

use super::{Array, Reference, math};

/// Mean and reciprocal standard deviation of each group.
#[derive(Debug)]
pub(crate) struct Moments(Vec<(f64, f64)>);

/// The places of the numbers of each group.
type Groups = Vec<Vec<usize>>;

/// Neighboring channels of a picture.
fn groups(shape: GroupShape) -> Groups {
    let (picture, width) = (shape.positions * shape.channels, shape.channels / shape.groups);
    let group = |b: usize, g: usize| {
        let at = move |position: usize| b * picture + position * shape.channels + g * width;
        (0..shape.positions).flat_map(move |position| at(position)..at(position) + width)
    };
    (0..shape.batch * shape.groups)
        .map(|i| group(i / shape.groups, i % shape.groups).collect())
        .collect()
}

/// Rows.
fn rows(x: &Array) -> Groups {
    let width = x.width();
    (0..x.values.len() / width)
        .map(|row| (row * width..(row + 1) * width).collect())
        .collect()
}

pub(super) fn group_norm(
    device: &Reference,
    x: &Array,
    affine: Affine<'_, Array>,
    grouping: Grouping,
) -> Result<(Array, Moments)> {
    let n_channels = affine.weight.values.len();
    let shape = GroupShape::of(&x.dims, n_channels, grouping).map_err(device.wrong("a group norm", x))?;
    let (y, moments) = normalize(&groups(shape), x, &affine, f64::from(shape.eps));
    let y = match grouping.after {
        After::Nothing => y,
        After::Silu => y.map(|y| math::activation(Activation::Silu, y).0),
    };
    Ok((y, moments))
}

/// Of the whole picture, which the strips make up.
pub(super) fn group_moments(device: &Reference, strips: &[&Array], grouping: Grouping) -> Result<Moments> {
    let values: Vec<f64> = strips.iter().flat_map(|strip| strip.values.to_vec()).collect();
    let channels = strips[0].width();
    let whole = Array::new([1, values.len() / channels, channels], values);
    let ones = Array::new([channels], vec![1.0; channels]);
    let affine = Affine {
        weight: &ones,
        bias: &ones,
    };
    Ok(group_norm(device, &whole, affine, grouping)?.1)
}

pub(super) fn group_norm_by(
    device: &Reference,
    x: &Array,
    affine: Affine<'_, Array>,
    (grouping, moments): (Grouping, &Moments),
) -> Result<Array> {
    let channels = affine.weight.values.len();
    let shape = GroupShape::of(&x.dims, channels, grouping).map_err(device.wrong("a group norm", x))?;
    let width = shape.channels / shape.groups;
    let normed = x.values.iter().enumerate().map(|(i, value)| {
        let channel = i % channels;
        let (mean, inv_std) = moments.0[channel / width];
        (value - mean) * inv_std * affine.weight.values[channel] + affine.bias.values[channel]
    });
    let y = Array::new(&*x.dims, normed.collect());
    Ok(match grouping.after {
        After::Nothing => y,
        After::Silu => y.map(|y| math::activation(Activation::Silu, y).0),
    })
}

pub(super) fn layer_norm(x: &Array, affine: Affine<'_, Array>, eps: f32) -> (Array, Moments) {
    normalize(&rows(x), x, &affine, f64::from(eps))
}

fn normalize(groups: &Groups, x: &Array, affine: &Affine<'_, Array>, eps: f64) -> (Array, Moments) {
    let channels = x.width();
    let mut y = vec![0.0; x.values.len()];
    let moments = groups.iter().map(|group| {
        let n = group.len() as f64;
        let mean = group.iter().map(|&i| x.values[i]).sum::<f64>() / n;
        let variance = group.iter().map(|&i| (x.values[i] - mean).powi(2)).sum::<f64>() / n;
        let inv_std = 1.0 / (variance + eps).sqrt();
        for &i in group {
            let (weight, bias) = (
                affine.weight.values[i % channels],
                affine.bias.values[i % channels],
            );
            y[i] = (x.values[i] - mean) * inv_std * weight + bias;
        }
        (mean, inv_std)
    });
    let moments = Moments(moments.collect());
    (Array::new(&*x.dims, y), moments)
}

pub(super) fn group_norm_grad(
    device: &Reference,
    dy: &Array,
    x: &Array,
    moments: &Moments,
    affine: Affine<'_, Array>,
    grouping: Grouping,
) -> Result<Array> {
    let n_channels = affine.weight.values.len();
    let shape = GroupShape::of(&x.dims, n_channels, grouping).map_err(device.wrong("a group norm", x))?;
    let groups = groups(shape);
    let dy = match grouping.after {
        After::Nothing => dy.clone(),
        After::Silu => {
            let (normed, _) = normalize(&groups, x, &affine, f64::from(shape.eps));
            let slopes = normed.map(|y| math::activation(Activation::Silu, y).1);
            let through = dy
                .values
                .iter()
                .zip(&*slopes.values)
                .map(|(dy, slope)| dy * slope);
            Array::new(&*dy.dims, through.collect())
        }
    };
    Ok(backward(&groups, &dy, x, moments, &affine))
}

pub(super) fn layer_norm_grad(dy: &Array, x: &Array, moments: &Moments, affine: Affine<'_, Array>) -> Array {
    backward(&rows(x), dy, x, moments, &affine)
}

/// dx = (d − mean(d) − x̂ mean(d x̂)) / σ for d = dy · weight and the normalized x̂.
fn backward(groups: &Groups, dy: &Array, x: &Array, moments: &Moments, affine: &Affine<'_, Array>) -> Array {
    let channels = x.width();
    let mut dx = vec![0.0; x.values.len()];
    for (group, &(mean, inv_std)) in groups.iter().zip(&moments.0) {
        let n = group.len() as f64;
        let normed = |i: usize| (x.values[i] - mean) * inv_std;
        let d = |i: usize| dy.values[i] * affine.weight.values[i % channels];
        let mean_d = group.iter().map(|&i| d(i)).sum::<f64>() / n;
        let mean_dx = group.iter().map(|&i| d(i) * normed(i)).sum::<f64>() / n;
        for &i in group {
            dx[i] = (d(i) - mean_d - normed(i) * mean_dx) * inv_std;
        }
    }
    Array::new(&*x.dims, dx)
}
