//! LoHa (Hyeon-Woo et al. 2022, "FedPara"; LyCORIS): adds `alpha / rank · (a₁ b₁) ⊙ (a₂ b₂)` to the weight.

use candle_core::Tensor;
use diffusion::{
    device::{DeviceError, Matrix, TrainingDevice},
    layers::LoraTarget,
    lora::{
        Change, LoraModule,
        change::{Factor, Hadamard},
    },
    operation::Place,
    random::Random,
};

use super::{Module, Numbers, Parameter, Sizes, lora};
use crate::state::{Lookup, StateError};

/// Names of the four matrices in files, behind the module's.
const NAMES: [&str; 4] = ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"];

/// `a₁ [out, rank]`, `b₁ [rank, columns]`, `a₂` and `b₂` alike.
fn places(module: &Module) -> [Place; 4] {
    let mut start = module.start;
    let (rank, n_out, columns) = (module.rank, module.target.n_out, module.target.patch());
    [(n_out, rank), (rank, columns), (n_out, rank), (rank, columns)].map(|(rows, columns)| {
        let place = Place { start, rows, columns };
        start = place.range().end;
        place
    })
}

pub(super) fn find(target: &LoraTarget, lookup: Lookup<'_>) -> Result<Option<Sizes>, StateError> {
    let name = format!("{}.{}", target.key, NAMES[1]);
    let Some(b) = lookup(&name) else {
        return Ok(None);
    };
    let rank = b.dims().first().copied().unwrap_or(0);
    if rank == 0 {
        return Err(StateError::Shape {
            name,
            found: b.dims().to_vec(),
            expected: vec![1, target.patch()],
        });
    }
    Ok(Some(Sizes {
        rank,
        alpha: lora::stored_alpha(target, lookup)?.unwrap_or(rank as f64),
    }))
}

pub(super) fn parameters(module: &Module) -> Vec<Parameter> {
    let target = &module.target;
    let named = places(module).into_iter().zip(NAMES).enumerate();
    named
        .map(|(index, (place, name))| {
            let parameter = Parameter::matrix(format!("{}.{name}", target.key), place);
            match index % 2 {
                0 => parameter,
                _ => parameter.kernels(target, target.n_in),
            }
        })
        .collect()
}

/// Normal numbers with the deviations of LyCORIS, and zeros for `a₂`.
pub(super) fn initialize(module: &Module, values: &mut [f32], random: &mut Random) {
    for (place, deviation) in places(module).into_iter().zip([0.1, 1.0, 0.0, 1.0]) {
        let range = place.range();
        let drawn = random.normal(range.len());
        for (value, drawn) in values[range].iter_mut().zip(drawn) {
            *value = deviation * drawn;
        }
    }
}

/// Both products, with what they are made of.
fn products<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
) -> Result<[D::Tensor; 2], DeviceError> {
    let device = numbers.device;
    let [a1, b1, a2, b2] = places(module).map(|place| Matrix {
        buffer: numbers.values,
        place,
    });
    let product = |a, b| device.project_grad(&device.matrix(a)?, b, 1.0);
    Ok([product(a1, b1)?, product(a2, b2)?])
}

/// What is added to the weight.
pub(super) fn change_of<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
) -> Result<D::Tensor, DeviceError> {
    let [first, second] = products(module, numbers)?;
    numbers.device.hadamard(&first, &second, lora::scale(module))
}

pub(super) fn backward<D: TrainingDevice>(
    module: &Module,
    numbers: Numbers<'_, D>,
    dw: &D::Tensor,
    gradients: &mut D::Buffer,
) -> Result<(), DeviceError> {
    let (device, scale) = (numbers.device, lora::scale(module));
    let [first, second] = products(module, numbers)?;
    let [a1, b1, a2, b2] = places(module).map(|place| Matrix {
        buffer: numbers.values,
        place,
    });
    for ([a, b], other) in [([a1, b1], &second), ([a2, b2], &first)] {
        let dproduct = device.hadamard(dw, other, scale)?;
        device.add_matrix(gradients, a.place, &device.project(&dproduct, b)?, 1.0)?;
        device.add_matrix_grad(gradients, b.place, &device.matrix(a)?, &dproduct, 1.0)?;
    }
    Ok(())
}

pub(super) fn change(module: &Module, values: &[f32]) -> candle_core::Result<LoraModule> {
    let tensors: Vec<Tensor> = parameters(module)
        .iter()
        .map(|parameter| parameter.tensor(values))
        .collect::<candle_core::Result<_>>()?;
    let factor = |a: usize| Factor::new(tensors[a].clone(), tensors[a + 1].clone(), None);
    let hadamard = || Hadamard::new([factor(0)?, factor(2)?], Some(module.alpha));
    Ok(LoraModule {
        change: Some(Change::Hadamard(hadamard().map_err(candle_core::Error::msg)?)),
        magnitude: None,
        bias: None,
    })
}

/// |scale| · ‖(a₁ b₁) ⊙ (a₂ b₂)‖, row by row.
pub(super) fn change_norm(module: &Module, values: &[f32]) -> f64 {
    let [a1, b1, a2, b2] = places(module).map(|place| &values[place.range()]);
    let (rank, columns) = (module.rank, module.target.patch());
    let mut sum = 0.0;
    let mut products = [vec![0.0_f64; columns], vec![0.0_f64; columns]];
    for row in 0..module.target.n_out {
        for (product, (a, b)) in products.iter_mut().zip([(a1, b1), (a2, b2)]) {
            product.fill(0.0);
            let factors = a[row * rank..][..rank].iter().zip(b.chunks_exact(columns));
            for (a, b) in factors {
                let a = f64::from(*a);
                product
                    .iter_mut()
                    .zip(b)
                    .for_each(|(sum, b)| *sum += a * f64::from(*b));
            }
        }
        let [first, second] = &products;
        sum += first
            .iter()
            .zip(second)
            .map(|(a, b)| (a * b).powi(2))
            .sum::<f64>();
    }
    f64::from(lora::scale(module)).abs() * sum.sqrt()
}
