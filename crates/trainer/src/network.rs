//! The LoRA under training: what is trained beside frozen layers, and its gradients.
//!
//! All parameters lie in one buffer of the device, so that the optimizer and the gradient norm are single loops over it.

mod gradients;
mod norms;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, num::NonZeroU16};

use candle_core::Tensor;
use diffusion::{
    base::BaseModel,
    cpu::Cpu,
    device::{Device, DeviceError, TrainingDevice},
    graph::{Adapter, AdapterSet},
    layers::LoraTarget,
    lora::with_change,
    random::Random,
};

pub use gradients::{Accumulator, Gradients};

use crate::kinds::{Kind, Module, Numbers, Planned, Sizes};
pub use crate::{
    kinds::Parameter,
    state::{Lookup, StateError},
};

/// LoRA matrices for a list of layers.
#[derive(Debug, Clone)]
pub struct LoraNetwork<D: Device = Cpu> {
    device: D,
    modules: Vec<Module>,
    by_key: HashMap<String, usize>,
    values: D::Buffer,
}

impl LoraNetwork {
    /// A fresh network on the CPU, of [`Kind::Lora`]. The base model's result is unchanged.
    pub fn new(targets: Vec<LoraTarget>, rank: NonZeroU16, alpha: f64, random: &mut Random) -> Self {
        let sizes = Sizes {
            rank: usize::from(rank.get()),
            alpha,
        };
        let planned = targets.into_iter();
        let planned = planned.map(|target| Planned::new(Kind::Lora, target, sizes));
        Self::start(&Cpu, planned, random).expect("main memory takes any numbers")
    }

    /// A network on the CPU whose matrices are read by their kohya names; see [`load`](Self::load).
    pub fn from_tensors(targets: Vec<LoraTarget>, lookup: Lookup<'_>) -> Result<Self, StateError> {
        Self::load(&Cpu, targets, lookup)
    }
}

impl<D: TrainingDevice> LoraNetwork<D> {
    /// A fresh network. The base model's result is unchanged.
    ///
    /// # Errors
    /// If the device cannot hold it.
    pub fn start(
        device: &D,
        planned: impl IntoIterator<Item = Planned>,
        random: &mut Random,
    ) -> Result<Self, DeviceError> {
        let modules = lay_out(planned);
        let mut values = vec![0.0; modules.last().map_or(0, Module::end)];
        for module in &modules {
            module.initialize(&mut values, random);
        }
        Ok(Self::of(device, modules, device.buffer(values)?))
    }

    /// A network whose matrices are read by their kohya names; kind, rank and alpha are taken from them. Targets that
    /// the lookup does not know are left out.
    ///
    /// # Errors
    /// If a matrix is missing or has the wrong shape.
    pub fn load(device: &D, targets: Vec<LoraTarget>, lookup: Lookup<'_>) -> Result<Self, StateError> {
        let mut found = Vec::new();
        for target in targets {
            found.extend(Kind::find(target, lookup)?);
        }
        let modules = lay_out(found);
        let values = collect(&modules, lookup)?;
        let values = device.buffer(values).map_err(StateError::Device)?;
        Ok(Self::of(device, modules, values))
    }

    fn of(device: &D, modules: Vec<Module>, values: D::Buffer) -> Self {
        let by_key = modules.iter().enumerate();
        Self {
            device: device.clone(),
            by_key: by_key.map(|(i, module)| (module.target.key.clone(), i)).collect(),
            modules,
            values,
        }
    }

    /// Where the parameters lie.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Number of modules.
    pub fn n_modules(&self) -> usize {
        self.modules.len()
    }

    /// Number of trained numbers.
    pub fn n_parameters(&self) -> usize {
        self.modules.last().map_or(0, Module::end)
    }

    /// All parameters, module after module.
    pub fn values(&self) -> &D::Buffer {
        &self.values
    }

    /// All parameters, to be changed by the optimizer.
    pub fn values_mut(&mut self) -> &mut D::Buffer {
        &mut self.values
    }

    /// The parameters with their device.
    pub(crate) fn numbers(&self) -> Numbers<'_, D> {
        Numbers {
            device: &self.device,
            values: &self.values,
        }
    }

    /// Index of a module by kohya's name.
    pub fn find(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// A module.
    pub fn module(&self, index: usize) -> &Module {
        &self.modules[index]
    }

    /// Name and place of every parameter.
    pub fn parameters(&self) -> impl Iterator<Item = Parameter> + '_ {
        self.modules.iter().flat_map(Module::parameters)
    }

    /// Every tensor of the LoRA file: the parameters, and what each module's kind adds to them.
    pub fn to_tensors(&self) -> candle_core::Result<Vec<(String, Tensor)>> {
        let mut tensors = self.named(&self.values)?;
        for module in &self.modules {
            tensors.extend(module.constants()?);
        }
        Ok(tensors)
    }

    /// Every tensor of the file that people use. Those of a checkpoint ([`to_tensors`](Self::to_tensors)) are others for a
    /// T-LoRA, whose rank depends on the timestep: in the file it is settled, so that every program draws the same.
    pub fn file_tensors(&self) -> candle_core::Result<Vec<(String, Tensor)>> {
        let values = self.device.values(&self.values)?;
        let mut tensors = Vec::new();
        for module in &self.modules {
            tensors.extend(module.file_tensors(&values)?);
        }
        Ok(tensors)
    }

    /// A buffer parallel to [`values`](Self::values) as named host tensors: gradients, moments.
    pub fn named(&self, buffer: &D::Buffer) -> candle_core::Result<Vec<(String, Tensor)>> {
        let values = self.device.values(buffer)?;
        self.parameters()
            .map(|parameter| {
                let tensor = parameter.tensor(&values)?;
                Ok((parameter.name, tensor))
            })
            .collect()
    }

    /// Replaces all parameters by those of a saved state.
    pub fn import(&mut self, lookup: Lookup<'_>) -> Result<(), StateError> {
        let values = self.collect(lookup)?;
        self.values = self.device.buffer(values).map_err(StateError::Device)?;
        Ok(())
    }

    /// Reads numbers parallel to [`values`](Self::values) from named tensors.
    pub fn collect(&self, lookup: Lookup<'_>) -> Result<Vec<f32>, StateError> {
        collect(&self.modules, lookup)
    }

    /// The network as it is now, to draw and measure with: a LoRA of a linear layer beside it, everything else in
    /// place of the base's weights.
    ///
    /// # Errors
    /// If the base's weights cannot be read again, or the device fails.
    pub fn applied(&self, base: &BaseModel<D>, weight: f32) -> candle_core::Result<AdapterSet<D>> {
        let mut set = AdapterSet::new();
        if weight == 0.0 {
            return Ok(set);
        }
        let values = self.device.values(&self.values)?;
        let mut beside = Vec::new();
        for module in &self.modules {
            let change = module.change(&values)?;
            let key = module.target.key.clone();
            match change.plain().filter(|_| module.target.geometry.is_none()) {
                Some(matrices) => {
                    let alpha = matrices.effective_alpha();
                    let adapter = Adapter::on(&self.device, &matrices.down, &matrices.up, alpha);
                    beside.push((key, adapter.map_err(candle_core::Error::wrap)?));
                }
                None => {
                    let replaced = with_change(base, &key, &change, weight)?;
                    set.replace(key, replaced);
                }
            }
        }
        set.add(beside, weight);
        Ok(set)
    }
}

/// Modules one after another in the buffer.
fn lay_out(planned: impl IntoIterator<Item = Planned>) -> Vec<Module> {
    let mut start = 0;
    let place = |planned: Planned| {
        let module = planned.place(start);
        start = module.end();
        module
    };
    planned.into_iter().map(place).collect()
}

fn collect(modules: &[Module], lookup: Lookup<'_>) -> Result<Vec<f32>, StateError> {
    let mut values = Vec::with_capacity(modules.last().map_or(0, Module::end));
    for parameter in modules.iter().flat_map(Module::parameters) {
        let Some(tensor) = lookup(&parameter.name) else {
            return Err(StateError::Missing { name: parameter.name });
        };
        values.extend(parameter.read(&tensor)?);
    }
    Ok(values)
}
