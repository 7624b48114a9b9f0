//! The LoRA under training: low-rank matrices beside frozen linear layers (Hu et al. 2021), and their gradients.
//!
//! All parameters lie in one buffer, so that the optimizer and the gradient norm are single loops over it.

mod gradients;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, num::NonZeroU16, ops::Range};

use candle_core::{Device, Tensor};
use diffusion::{
    graph::{Adapter, AdapterError},
    ops,
    random::Random,
    unet::LoraTarget,
};

pub use gradients::{Accumulator, Gradients};

/// LoRA matrices for a list of layers.
#[derive(Debug, Clone)]
pub struct LoraNetwork {
    modules: Vec<Module>,
    by_key: HashMap<String, usize>,
    values: Vec<f32>,
}

#[derive(Debug, Clone)]
struct Module {
    target: LoraTarget,
    rank: usize,
    alpha: f64,
    /// Where `down` begins in the buffer; `up` follows it.
    start: usize,
}

impl Module {
    fn down(&self) -> Range<usize> {
        self.start..self.start + self.rank * self.target.n_in
    }

    fn up(&self) -> Range<usize> {
        let start = self.down().end;
        start..start + self.target.n_out * self.rank
    }
}

/// One module's matrices: adds `scale * (x downᵀ) upᵀ`.
#[derive(Debug, Clone, Copy)]
pub struct Lora<'a> {
    /// `[rank, in]`.
    pub down: &'a [f32],
    /// `[out, rank]`.
    pub up: &'a [f32],
    /// alpha / rank.
    pub scale: f32,
}

/// Why stored matrices cannot be the parameters of a network.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A parameter is not there.
    #[error("the saved state has no tensor `{name}`")]
    Missing {
        /// Tensor.
        name: String,
    },
    /// A parameter has the wrong shape.
    #[error("tensor `{name}` of the saved state has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Tensor.
        name: String,
        /// Shape in the state.
        found: Vec<usize>,
        /// Shape that the network needs.
        expected: Vec<usize>,
    },
    /// A tensor holds something other than `f32` numbers.
    #[error("failed to read tensor `{name}` of the saved state")]
    Read {
        /// Tensor.
        name: String,
        /// What went wrong.
        #[source]
        err: candle_core::Error,
    },
}

/// A named tensor of a saved state, looked up by name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<Tensor>;

impl LoraNetwork {
    /// A fresh network: `down` uniform in ±1/√in, which is `kaiming_uniform(a = √5)` (sd-scripts, networks/lora.py),
    /// `up` zero, so that the base model's result is unchanged.
    pub fn new(targets: Vec<LoraTarget>, rank: NonZeroU16, alpha: f64, random: &mut Random) -> Self {
        let rank = usize::from(rank.get());
        let mut network = Self::zeros(targets.into_iter().map(|target| (target, rank, alpha)));
        for module in &network.modules {
            let bound = 1.0 / (module.target.n_in as f32).sqrt();
            for value in &mut network.values[module.down()] {
                *value = (2.0 * random.uniform() - 1.0) * bound;
            }
        }
        network
    }

    /// A network whose matrices are read by their kohya names; rank and alpha are taken from them. Targets that the
    /// lookup does not know are left out.
    pub fn from_tensors(targets: Vec<LoraTarget>, lookup: Lookup) -> Result<Self, StateError> {
        let mut modules = Vec::new();
        for target in targets {
            let down_name = format!("{}.lora_down.weight", target.key);
            let Some(down) = lookup(&down_name) else { continue };
            let rank = down.dims().first().copied().unwrap_or(0);
            if rank == 0 {
                return Err(StateError::Shape {
                    name: down_name,
                    found: down.dims().to_vec(),
                    expected: vec![1, target.n_in],
                });
            }
            let alpha_name = format!("{}.alpha", target.key);
            let alpha = match lookup(&alpha_name) {
                Some(alpha) => read(&alpha, &alpha_name, &[])?.into_iter().next(),
                None => None,
            };
            modules.push((target, rank, alpha.map_or(rank as f64, f64::from)));
        }
        let mut network = Self::zeros(modules);
        network.import(lookup)?;
        Ok(network)
    }

    fn zeros(targets: impl IntoIterator<Item = (LoraTarget, usize, f64)>) -> Self {
        let mut modules = Vec::new();
        let mut start = 0;
        for (target, rank, alpha) in targets {
            let module = Module {
                target,
                rank,
                alpha,
                start,
            };
            start = module.up().end;
            modules.push(module);
        }
        let by_key = modules.iter().enumerate();
        Self {
            by_key: by_key.map(|(i, module)| (module.target.key.clone(), i)).collect(),
            modules,
            values: vec![0.0; start],
        }
    }

    /// Number of modules.
    pub fn n_modules(&self) -> usize {
        self.modules.len()
    }

    /// Number of trained numbers.
    pub fn n_parameters(&self) -> usize {
        self.values.len()
    }

    /// All parameters, module after module, `down` before `up`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All parameters, to be changed by the optimizer.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Index of a module by kohya's name.
    pub fn find(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// Matrices of a module.
    pub fn module(&self, index: usize) -> Lora<'_> {
        let module = &self.modules[index];
        Lora {
            down: &self.values[module.down()],
            up: &self.values[module.up()],
            scale: (module.alpha / module.rank as f64) as f32,
        }
    }

    /// Name, shape and place of every parameter: `….lora_down.weight` and `….lora_up.weight`.
    pub fn parameters(&self) -> impl Iterator<Item = Parameter> + '_ {
        self.modules.iter().flat_map(|module| {
            let LoraTarget { key, n_in, n_out } = &module.target;
            [
                Parameter {
                    name: format!("{key}.lora_down.weight"),
                    shape: [module.rank, *n_in],
                    range: module.down(),
                },
                Parameter {
                    name: format!("{key}.lora_up.weight"),
                    shape: [*n_out, module.rank],
                    range: module.up(),
                },
            ]
        })
    }

    /// Every tensor of the LoRA file: the parameters and each module's `.alpha`.
    pub fn to_tensors(&self) -> candle_core::Result<Vec<(String, Tensor)>> {
        let mut tensors = self.named(&self.values)?;
        for module in &self.modules {
            let alpha = Tensor::new(module.alpha as f32, &Device::Cpu)?;
            tensors.push((format!("{}.alpha", module.target.key), alpha));
        }
        Ok(tensors)
    }

    /// A buffer parallel to [`values`](Self::values) as named tensors: gradients, moments.
    pub fn named(&self, values: &[f32]) -> candle_core::Result<Vec<(String, Tensor)>> {
        self.parameters()
            .map(|parameter| {
                let values = values[parameter.range].to_vec();
                Ok((parameter.name, ops::tensor(values, parameter.shape)?))
            })
            .collect()
    }

    /// Replaces all parameters by those of a saved state.
    pub fn import(&mut self, lookup: Lookup) -> Result<(), StateError> {
        self.values = self.collect(lookup)?;
        Ok(())
    }

    /// Reads a buffer parallel to [`values`](Self::values) from named tensors.
    pub fn collect(&self, lookup: Lookup) -> Result<Vec<f32>, StateError> {
        let mut values = Vec::with_capacity(self.values.len());
        for Parameter { name, shape, .. } in self.parameters() {
            let Some(tensor) = lookup(&name) else {
                return Err(StateError::Missing { name });
            };
            values.extend(read(&tensor, &name, &shape)?);
        }
        Ok(values)
    }

    /// The network as it is now, for inference.
    pub fn adapters(&self) -> Result<Vec<(String, Adapter)>, AdapterError> {
        let convert = |err| AdapterError::Convert { err };
        let modules = self.modules.iter().enumerate().map(|(i, module)| {
            let LoraTarget { key, n_in, n_out } = &module.target;
            let lora = self.module(i);
            let down = ops::tensor(lora.down.to_vec(), [module.rank, *n_in]).map_err(convert)?;
            let up = ops::tensor(lora.up.to_vec(), [*n_out, module.rank]).map_err(convert)?;
            Ok((key.clone(), Adapter::new(&down, &up, Some(module.alpha))?))
        });
        modules.collect()
    }
}

/// One trained matrix.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Kohya's name.
    pub name: String,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Where it lies in the buffer.
    pub range: Range<usize>,
}

fn read(tensor: &Tensor, name: &str, expected: &[usize]) -> Result<Vec<f32>, StateError> {
    if tensor.dims() != expected {
        return Err(StateError::Shape {
            name: name.to_owned(),
            found: tensor.dims().to_vec(),
            expected: expected.to_vec(),
        });
    }
    let values = tensor
        .to_dtype(candle_core::DType::F32)
        .and_then(|tensor| tensor.flatten_all()?.to_vec1());
    values.map_err(|err| StateError::Read {
        name: name.to_owned(),
        err,
    })
}
