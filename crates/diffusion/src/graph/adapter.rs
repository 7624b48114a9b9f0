//! Trained LoRAs, ready to be applied to a base model by weight, without touching the base.

use std::collections::HashMap;

use candle_core::{DType, Tensor};

/// The LoRA of one linear layer: adds `weight * scale * (x downᵀ) upᵀ` to its output.
#[derive(Debug, Clone)]
pub struct Adapter {
    pub(super) down: Tensor,
    pub(super) up: Tensor,
    pub(super) scale: f32,
}

/// Why two matrices are no LoRA.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// The inner dimensions differ, or there are not two dimensions each.
    #[error(
        "lora_down {down:?} and lora_up {up:?} do not fit together: [rank, in] and [out, rank] are needed"
    )]
    Shapes {
        /// Shape of `lora_down`.
        down: Vec<usize>,
        /// Shape of `lora_up`.
        up: Vec<usize>,
    },
    /// The LoRA was trained for a layer of another size.
    #[error(
        "lora module `{key}` is for a layer of {n_in} inputs and {n_out} outputs, the base model's has {base_in} and {base_out}"
    )]
    Base {
        /// Kohya's module name.
        key: String,
        /// Inputs of the LoRA.
        n_in: usize,
        /// Outputs of the LoRA.
        n_out: usize,
        /// Inputs of the layer.
        base_in: usize,
        /// Outputs of the layer.
        base_out: usize,
    },
    /// The numbers could not be converted to `f32`.
    #[error("failed to convert a LoRA matrix")]
    Convert {
        /// What went wrong.
        #[source]
        err: candle_core::Error,
    },
}

impl Adapter {
    /// From `down [rank, in]`, `up [out, rank]` and alpha (`None`: alpha = rank).
    pub fn new(down: &Tensor, up: &Tensor, alpha: Option<f64>) -> Result<Self, AdapterError> {
        let rank = match (down.dims(), up.dims()) {
            ([rank, _], [_, up_rank]) if rank == up_rank && *rank > 0 => *rank,
            (down, up) => {
                return Err(AdapterError::Shapes {
                    down: down.to_vec(),
                    up: up.to_vec(),
                });
            }
        };
        let convert = |tensor: &Tensor| {
            let converted = tensor.to_dtype(DType::F32).and_then(|tensor| tensor.contiguous());
            converted.map_err(|err| AdapterError::Convert { err })
        };
        Ok(Self {
            down: convert(down)?,
            up: convert(up)?,
            scale: (alpha.unwrap_or(rank as f64) / rank as f64) as f32,
        })
    }

    /// Width of the bottleneck.
    pub fn rank(&self) -> usize {
        self.down.dims()[0]
    }

    /// Values in a row of the layer's input.
    pub fn n_in(&self) -> usize {
        self.down.dims()[1]
    }

    /// Values in a row of the layer's output.
    pub fn n_out(&self) -> usize {
        self.up.dims()[0]
    }
}

/// LoRAs with their weights, by module.
#[derive(Debug, Clone, Default)]
pub struct AdapterSet {
    modules: HashMap<String, Vec<(Adapter, f32)>>,
}

impl AdapterSet {
    /// No LoRA: the base model as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one LoRA, given as pairs of kohya's module name and matrices. At weight 0 it leaves no trace, so that the
    /// result is bit for bit that of the base.
    pub fn add(&mut self, modules: impl IntoIterator<Item = (String, Adapter)>, weight: f32) {
        if weight == 0.0 {
            return;
        }
        for (key, adapter) in modules {
            self.modules.entry(key).or_default().push((adapter, weight));
        }
    }

    /// Whether nothing would be changed.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// The names of the modules that are changed.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.modules.keys().map(String::as_str)
    }

    /// The LoRAs of one module, in the order in which they were added.
    pub(super) fn of(&self, key: &str) -> &[(Adapter, f32)] {
        self.modules.get(key).map_or(&[], Vec::as_slice)
    }

    /// Checks that the LoRAs of a module fit a layer of the base model.
    pub fn check(&self, key: &str, base_in: usize, base_out: usize) -> Result<(), AdapterError> {
        for (adapter, _) in self.of(key) {
            if (adapter.n_in(), adapter.n_out()) != (base_in, base_out) {
                return Err(AdapterError::Base {
                    key: key.to_owned(),
                    n_in: adapter.n_in(),
                    n_out: adapter.n_out(),
                    base_in,
                    base_out,
                });
            }
        }
        Ok(())
    }
}
