//! LoKr (Edalati et al. 2022, "KronA"; LyCORIS): adds `scale · w₁ ⊗ w₂` to the weight. `w₁` is whole; `w₂` is a product of
//! two matrices where that is smaller, and whole where it is not.

use candle_core::Tensor;
use diffusion::{
    device::{DeviceError, HOST, Matrix, TrainingDevice},
    layers::LoraTarget,
    lora::{
        Change, LoraModule,
        change::{Factor, Kronecker, Side},
    },
    operation::Place,
    random::Random,
};

use super::{Module, Numbers, Parameter, Sizes, lora};
use crate::state::{Lookup, StateError};

/// How a module divides its layer's weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Division {
    /// Rows and columns of `w₁`.
    pub(super) first: (usize, usize),
    /// Whether `w₂` is a product.
    pub(super) is_product: bool,
}

impl Division {
    /// LyCORIS' division for a factor (`factorization` in `functional/general.py`); 0 divides as evenly as possible. A
    /// rank of half of the larger side or more leaves `w₂` whole.
    pub(super) fn new(target: &LoraTarget, rank: usize, factor: usize) -> Self {
        let (rows, second_rows) = factorization(target.n_out, factor);
        let (columns, second_columns) = factorization(target.n_in, factor);
        Self {
            first: (rows, columns),
            is_product: 2 * rank < second_rows.max(second_columns),
        }
    }
}

/// Two factors of a dimension, the smaller one first: the given one if it divides it, or else the largest one up to it
/// that makes the sum smaller.
fn factorization(dimension: usize, factor: usize) -> (usize, usize) {
    if factor > 0 && dimension.is_multiple_of(factor) {
        let other = dimension / factor;
        return (factor.min(other), factor.max(other));
    }
    let most = if factor == 0 { dimension } else { factor };
    let (mut m, mut n) = (1, dimension);
    let length = m + n;
    while m < n {
        let Some(next) = (m + 1..=dimension).find(|next| dimension.is_multiple_of(*next)) else {
            break;
        };
        let other = dimension / next;
        if next + other > length || next > most {
            break;
        }
        (m, n) = (next, other);
    }
    (m.min(n), m.max(n))
}

fn division(module: &Module) -> Division {
    module.division.expect("a LoKr is made with its division")
}

/// Rows, channels and columns of `w₂`.
fn second(module: &Module) -> (usize, usize, usize) {
    let ((rows, columns), target) = (division(module).first, &module.target);
    let channels = target.n_in / columns;
    (
        target.n_out / rows,
        channels,
        channels * target.kernel() * target.kernel(),
    )
}

/// `w₁`, and `w₂` as one or two matrices.
fn places(module: &Module) -> Vec<Place> {
    let Division { first, is_product } = division(module);
    let (rows, _, columns) = second(module);
    let sizes = match is_product {
        true => vec![first, (rows, module.rank), (module.rank, columns)],
        false => vec![first, (rows, columns)],
    };
    let mut start = module.start;
    let place = |(rows, columns)| {
        let place = Place { start, rows, columns };
        start = place.range().end;
        place
    };
    sizes.into_iter().map(place).collect()
}

/// Whole matrices leave alpha without meaning.
pub(super) fn scale(module: &Module) -> f32 {
    match division(module).is_product {
        true => lora::scale(module),
        false => 1.0,
    }
}

/// Rank, alpha and division of a module in a file. Of a whole `w₂` the rank is alpha, as LyCORIS stores it.
pub(super) fn find(target: &LoraTarget, lookup: Lookup<'_>) -> Result<Option<(Sizes, Division)>, StateError> {
    let get = |part: &str| lookup(&format!("{}.{part}", target.key));
    let Some(w1) = get("lokr_w1") else {
        return Ok(None);
    };
    let fits = |n: usize, whole: usize| n > 0 && whole.is_multiple_of(n);
    let &[rows, columns] = w1.dims() else {
        return Err(wrong(target, &w1));
    };
    if !fits(rows, target.n_out) || !fits(columns, target.n_in) {
        return Err(wrong(target, &w1));
    }
    let alpha = lora::stored_alpha(target, lookup)?;
    let product = get("lokr_w2_b");
    let rank = match &product {
        Some(b) => b.dims().first().copied().unwrap_or(0).max(1),
        None => alpha.map_or(1, |alpha| (alpha as usize).max(1)),
    };
    let sizes = Sizes {
        rank,
        alpha: alpha.unwrap_or(rank as f64),
    };
    let division = Division {
        first: (rows, columns),
        is_product: product.is_some(),
    };
    Ok(Some((sizes, division)))
}

fn wrong(target: &LoraTarget, w1: &Tensor) -> StateError {
    StateError::Shape {
        name: format!("{}.lokr_w1", target.key),
        found: w1.dims().to_vec(),
        expected: vec![1, 1],
    }
}

pub(super) fn parameters(module: &Module) -> Vec<Parameter> {
    let target = &module.target;
    let name = |part: &str| format!("{}.{part}", target.key);
    let (rows, channels, _) = second(module);
    match places(module)[..] {
        [first, a, b] => vec![
            Parameter::matrix(name("lokr_w1"), first),
            Parameter::matrix(name("lokr_w2_a"), a),
            Parameter::matrix(name("lokr_w2_b"), b).kernels(target, channels),
        ],
        [first, whole] => {
            let shape = match target.geometry {
                None => vec![rows, channels],
                Some(geometry) => vec![rows, channels, geometry.kernel, geometry.kernel],
            };
            vec![
                Parameter::matrix(name("lokr_w1"), first),
                Parameter::shaped(name("lokr_w2"), whole, shape).kernels(target, channels),
            ]
        }
        _ => unreachable!("two or three matrices"),
    }
}

/// Uniform as `kaiming_uniform(a = √5)` but for the last matrix, which is zero, as in LyCORIS.
pub(super) fn initialize(module: &Module, values: &mut [f32], random: &mut Random) {
    let places = places(module);
    let (last, others) = places.split_last().expect("two or three matrices");
    for place in others {
        let bound = 1.0 / (place.columns as f32).sqrt();
        for value in &mut values[place.range()] {
            *value = (2.0 * random.uniform() - 1.0) * bound;
        }
    }
    values[last.range()].fill(0.0);
}

/// `w₁` and `w₂`.
fn sides<D: TrainingDevice>(module: &Module, numbers: Numbers<'_, D>) -> Result<[D::Tensor; 2], DeviceError> {
    let device = numbers.device;
    let matrices: Vec<_> = places(module)
        .into_iter()
        .map(|place| Matrix {
            buffer: numbers.values,
            place,
        })
        .collect();
    let second = match matrices[1..] {
        [a, b] => device.project_grad(&device.matrix(a)?, b, 1.0)?,
        _ => device.matrix(matrices[1])?,
    };
    Ok([device.matrix(matrices[0])?, second])
}

fn n_pixels(module: &Module) -> usize {
    module.target.kernel() * module.target.kernel()
}

/// What is added to the weight.
pub(super) fn change_of<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
) -> Result<D::Tensor, DeviceError> {
    let [first, second] = sides(module, numbers)?;
    numbers
        .device
        .kronecker(&first, &second, n_pixels(module), scale(module))
}

pub(super) fn backward<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
    dw: &D::Tensor,
    gradients: &mut D::Buffer,
) -> Result<(), DeviceError> {
    let device = numbers.device;
    let [first, second] = sides(module, numbers)?;
    let sides = [&first, &second];
    let [dfirst, dsecond] = device.kronecker_grad(dw, sides, n_pixels(module), scale(module))?;
    let places = places(module);
    device.add_matrix(gradients, places[0], &dfirst, 1.0)?;
    match places[1..] {
        [a, b] => {
            let [a, b] = [a, b].map(|place| Matrix {
                buffer: numbers.values,
                place,
            });
            device.add_matrix(gradients, a.place, &device.project(&dsecond, b)?, 1.0)?;
            device.add_matrix_grad(gradients, b.place, &device.matrix(a)?, &dsecond, 1.0)
        }
        _ => device.add_matrix(gradients, places[1], &dsecond, 1.0),
    }
}

pub(super) fn change(module: &Module, values: &[f32]) -> candle_core::Result<LoraModule> {
    let tensors: Vec<Tensor> = parameters(module)
        .iter()
        .map(|parameter| parameter.tensor(values))
        .collect::<candle_core::Result<_>>()?;
    let second = match &tensors[1..] {
        [a, b] => {
            let factor = Factor::new(a.clone(), b.clone(), None);
            Side::Product(factor.map_err(candle_core::Error::msg)?)
        }
        _ => Side::Whole(tensors[1].clone()),
    };
    let first = Side::Whole(tensors[0].clone());
    Ok(LoraModule {
        change: Some(Change::Kronecker(Kronecker::new(
            first,
            second,
            Some(module.alpha),
        ))),
        magnitude: None,
        bias: None,
    })
}

/// |scale| · ‖w₁‖ · ‖w₂‖: the norm of a Kronecker product is that of both.
pub(super) fn change_norm(module: &Module, values: &[f32]) -> f64 {
    let squares = |numbers: &[f32]| -> f64 { numbers.iter().map(|x| f64::from(*x).powi(2)).sum() };
    let places = places(module);
    let first = squares(&values[places[0].range()]);
    let second = match places[1..] {
        // ‖ab‖² = tr(aᵀa · bbᵀ), as of a LoRA.
        [a, b] => lora::product_norm([b, a].map(|place| &values[place.range()]), module.rank).powi(2),
        _ => squares(&values[places[1].range()]),
    };
    f64::from(scale(module)).abs() * (first * second).sqrt()
}

/// Of a whole `w₂` alpha is stored as the rank, so that every loader scales by 1.
pub(super) fn constants(module: &Module) -> candle_core::Result<Vec<(String, Tensor)>> {
    let alpha = match division(module).is_product {
        true => module.alpha,
        false => module.rank as f64,
    };
    Ok(vec![(
        lora::alpha_name(&module.target),
        Tensor::new(alpha as f32, &HOST)?,
    )])
}

#[cfg(test)]
mod tests {
    use super::factorization;

    /// `factorization` of LyCORIS 4.1.3; 0 is its -1.
    #[test]
    fn dimensions_are_divided_as_lycoris_does() {
        for (dimension, expected) in [
            (127, [(1, 127), (1, 127), (1, 127), (1, 127), (1, 127)]),
            (128, [(8, 16), (2, 64), (4, 32), (8, 16), (8, 16)]),
            (250, [(10, 25), (2, 125), (2, 125), (5, 50), (10, 25)]),
            (360, [(18, 20), (2, 180), (4, 90), (8, 45), (15, 24)]),
            (512, [(16, 32), (2, 256), (4, 128), (8, 64), (16, 32)]),
            (1024, [(32, 32), (2, 512), (4, 256), (8, 128), (16, 64)]),
        ] {
            for (factor, expected) in [0, 2, 4, 8, 16].into_iter().zip(expected) {
                assert_eq!(
                    factorization(dimension, factor),
                    expected,
                    "{dimension} by {factor}"
                );
            }
        }
    }
}
