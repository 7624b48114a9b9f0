//! The layers of a base model that a LoRA can change, and their weights as they are stored.

use std::collections::HashMap;

use candle_core::{DType, Tensor};

use super::BaseModel;
use crate::{
    device::Device,
    layers::{WeightError, WeightSource as _, lora_key},
    weights::Component,
};

/// What kohya puts before the names of each part that a LoRA can change.
pub(super) const LORA_PREFIXES: [&str; 3] = [crate::unet::LORA_PREFIX, "lora_te1", "lora_te2"];

/// A linear layer, a convolution or a norm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseLayer {
    /// Which of the parts.
    part: usize,
    /// Its canonical name in that part: `input_blocks.4.1.proj_in`.
    path: String,
    /// Shape of its weight: `[out, in]`, `[out, in, kernel, kernel]`, `[channels]`.
    pub shape: Vec<usize>,
    /// Whether it has a bias.
    pub has_bias: bool,
}

impl BaseLayer {
    /// Which part of the model it is in (U-Net, first, second text encoder), and its canonical name there.
    pub(super) fn place(&self) -> (usize, &str) {
        (self.part, &self.path)
    }

    /// Outputs, or channels of a norm.
    pub fn n_out(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// Inputs; 1 for a norm.
    pub fn n_in(&self) -> usize {
        self.shape.get(1).copied().unwrap_or(1)
    }

    /// Rows and columns of its weight with all dimensions but the first taken together.
    pub fn size(&self) -> (usize, usize) {
        (self.n_out(), self.shape.iter().skip(1).product())
    }

    /// Whether it is a linear layer.
    pub fn is_linear(&self) -> bool {
        self.shape.len() == 2
    }
}

/// All layers of a base model that a LoRA can change, without the model.
#[derive(Debug)]
pub struct Layers {
    /// What messages call the base model.
    base: String,
    /// U-Net and text encoders as they are stored.
    parts: [Component; 3],
    by_key: HashMap<String, BaseLayer>,
    /// Layers of the first text encoder's transformer.
    n_first: usize,
}

impl Layers {
    pub(super) fn new(base: String, parts: [Component; 3], n_first: usize) -> Self {
        Self {
            base,
            by_key: list(&parts),
            parts,
            n_first,
        }
    }

    /// Gives back the memory that holds the bytes of some parts (U-Net, first, second text encoder), where a file is mapped.
    pub(super) fn release(&self, parts: std::ops::Range<usize>) {
        self.parts[parts].iter().for_each(Component::release);
    }

    /// What messages call the base model.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Layers of the first text encoder's transformer.
    pub(crate) fn n_first(&self) -> usize {
        self.n_first
    }

    /// The layers by kohya's names.
    pub fn by_key(&self) -> &HashMap<String, BaseLayer> {
        &self.by_key
    }

    /// A layer's `weight` or `bias` in `f32`, read from the base's files.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn stored(&self, layer: &BaseLayer, name: &str) -> Result<Tensor, WeightError> {
        let (part, name) = (&self.parts[layer.part], format!("{}.{name}", layer.path));
        let read = part.get(&name)?.to_dtype(DType::F32);
        read.map_err(|err| WeightError::Read {
            origin: part.origin(),
            name,
            err,
        })
    }
}

impl AsRef<Layers> for Layers {
    fn as_ref(&self) -> &Layers {
        self
    }
}

impl<D: Device> AsRef<Layers> for BaseModel<D> {
    fn as_ref(&self) -> &Layers {
        &self.layers
    }
}

/// By kohya's names.
fn list(parts: &[Component; 3]) -> HashMap<String, BaseLayer> {
    let mut layers = HashMap::new();
    for (part, (component, prefix)) in parts.iter().zip(LORA_PREFIXES).enumerate() {
        for name in component.names() {
            let Some(path) = name
                .strip_suffix(".weight")
                .filter(|path| !path.contains("embeddings."))
            else {
                continue;
            };
            let layer = BaseLayer {
                part,
                path: path.to_owned(),
                shape: component.shape(name).unwrap_or_default(),
                has_bias: component.contains(&format!("{path}.bias")),
            };
            layers.insert(lora_key(prefix, path), layer);
        }
    }
    layers
}

impl<D: Device> BaseModel<D> {
    /// Every layer that a LoRA can change, by kohya's name.
    pub fn layers(&self) -> &HashMap<String, BaseLayer> {
        self.layers.by_key()
    }

    /// A layer's `weight` or `bias` in `f32`, read again from the base's files.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn stored(&self, layer: &BaseLayer, name: &str) -> Result<Tensor, WeightError> {
        self.layers.stored(layer, name)
    }
}
