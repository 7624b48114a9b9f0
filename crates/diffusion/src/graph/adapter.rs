//! Trained LoRAs, ready to be applied to a base model by weight, without touching the base.

use std::{collections::HashMap, sync::Arc};

use candle_core::{DType, Tensor};

use crate::{
    cpu::Cpu,
    device::{self, Device, Matrix},
    embeddings::Embeddings,
    operation::Place,
};

/// The LoRA of one linear layer: adds `weight * scale * (x downᵀ) upᵀ` to its output.
#[derive(Debug, Clone)]
pub struct Adapter<D: Device = Cpu> {
    /// Both matrices.
    buffer: Arc<D::Buffer>,
    /// `[rank, in]`.
    down: Place,
    /// `[out, rank]`.
    up: Place,
    scale: f32,
}

/// `y + scale * (x downᵀ) upᵀ` in the memory of `y`, which nothing else may share; and `x downᵀ`, for a backward pass.
///
/// # Errors
/// If the shapes do not fit.
pub fn low_rank<D: Device>(
    device: &D,
    x: &D::Tensor,
    y: D::Tensor,
    [down, up]: [Matrix<'_, D::Buffer>; 2],
    scale: f32,
) -> device::Result<(D::Tensor, D::Tensor)> {
    let t = device.project(x, down)?;
    Ok((device.add_projected(y, &t, up, scale)?, t))
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
    /// On the CPU, from `down [rank, in]`, `up [out, rank]` and alpha (`None`: alpha = rank).
    pub fn new(down: &Tensor, up: &Tensor, alpha: Option<f64>) -> Result<Self, AdapterError> {
        Self::on(&Cpu, down, up, alpha)
    }
}

impl<D: Device> Adapter<D> {
    /// From `down [rank, in]`, `up [out, rank]` and alpha (`None`: alpha = rank).
    pub fn on(device: &D, down: &Tensor, up: &Tensor, alpha: Option<f64>) -> Result<Self, AdapterError> {
        let rank = rank_of(down, up)?;
        let (n_in, n_out) = (down.dims()[1], up.dims()[0]);
        let convert = |err| AdapterError::Convert { err };
        let values = |tensor: &Tensor| -> candle_core::Result<Vec<f32>> {
            tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
        };
        let mut both = values(down).map_err(convert)?;
        both.extend(values(up).map_err(convert)?);
        let down = Place {
            start: 0,
            rows: rank,
            columns: n_in,
        };
        Ok(Self {
            buffer: Arc::new(device.buffer(both).map_err(|err| convert(err.into()))?),
            up: Place {
                start: down.range().end,
                rows: n_out,
                columns: rank,
            },
            down,
            scale: (alpha.unwrap_or(rank as f64) / rank as f64) as f32,
        })
    }

    /// Adds what the LoRA says to `y`, whose memory nothing else may share.
    pub(super) fn apply(
        &self,
        device: &D,
        x: &D::Tensor,
        y: D::Tensor,
        weight: f32,
    ) -> device::Result<D::Tensor> {
        let matrices = [self.down, self.up].map(|place| Matrix {
            buffer: &*self.buffer,
            place,
        });
        Ok(low_rank(device, x, y, matrices, weight * self.scale)?.0)
    }

    /// Width of the bottleneck.
    pub fn rank(&self) -> usize {
        self.down.rows
    }

    /// Values in a row of the layer's input.
    pub fn n_in(&self) -> usize {
        self.down.columns
    }

    /// Values in a row of the layer's output.
    pub fn n_out(&self) -> usize {
        self.up.rows
    }
}

/// Rank of a LoRA of `down [rank, in]` and `up [out, rank]`.
pub(crate) fn rank_of(down: &Tensor, up: &Tensor) -> Result<usize, AdapterError> {
    match (down.dims(), up.dims()) {
        ([rank, _], [_, up_rank]) if rank == up_rank && *rank > 0 => Ok(*rank),
        (down, up) => Err(AdapterError::Shapes {
            down: down.to_vec(),
            up: up.to_vec(),
        }),
    }
}

/// What stands in place of a layer's own weights: the base's with everything added that cannot be applied beside them.
#[derive(Debug, Clone)]
pub struct Replaced<D: Device = Cpu> {
    /// Of a linear layer `[out, in]` or a convolution `[out, kernel, kernel, in]`.
    pub weight: Option<D::Weight>,
    /// A norm's factors, `[channels]`.
    pub gain: Option<D::Tensor>,
    /// `[out]`; only where the layer has one.
    pub bias: Option<D::Tensor>,
}

impl<D: Device> Default for Replaced<D> {
    fn default() -> Self {
        Self {
            weight: None,
            gain: None,
            bias: None,
        }
    }
}

/// LoRAs with their weights, by module.
#[derive(Debug, Clone)]
pub struct AdapterSet<D: Device = Cpu> {
    modules: HashMap<String, Vec<(Adapter<D>, f32)>>,
    replaced: HashMap<String, Replaced<D>>,
    embeddings: Embeddings,
}

impl<D: Device> Default for AdapterSet<D> {
    fn default() -> Self {
        Self {
            modules: HashMap::new(),
            replaced: HashMap::new(),
            embeddings: Embeddings::default(),
        }
    }
}

impl<D: Device> AdapterSet<D> {
    /// No LoRA: the base model as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one LoRA, given as pairs of kohya's module name and matrices. At weight 0 it leaves no trace, so that the
    /// result is bit for bit that of the base.
    pub fn add(&mut self, modules: impl IntoIterator<Item = (String, Adapter<D>)>, weight: f32) {
        if weight == 0.0 {
            return;
        }
        for (key, adapter) in modules {
            self.modules.entry(key).or_default().push((adapter, weight));
        }
    }

    /// Puts weights in place of a layer's own. The layer's LoRAs are applied beside them as before.
    pub fn replace(&mut self, key: String, replaced: Replaced<D>) {
        self.replaced.insert(key, replaced);
    }

    /// Sets the words that the LoRAs bring along.
    pub fn set_embeddings(&mut self, embeddings: Embeddings) {
        self.embeddings = embeddings;
    }

    /// The words that the LoRAs bring along.
    pub fn embeddings(&self) -> &Embeddings {
        &self.embeddings
    }

    /// What stands in place of a layer's own weights.
    pub(super) fn replaced(&self, key: &str) -> Option<&Replaced<D>> {
        self.replaced.get(key)
    }

    /// Whether nothing would be changed.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty() && self.replaced.is_empty() && self.embeddings.is_empty()
    }

    /// Whether a module is changed.
    pub fn changes(&self, key: &str) -> bool {
        self.modules.contains_key(key) || self.replaced.contains_key(key)
    }

    /// The names of the modules that are changed.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let beside = self
            .modules
            .keys()
            .filter(|key| !self.replaced.contains_key(*key));
        beside.chain(self.replaced.keys()).map(String::as_str)
    }

    /// The LoRAs of one module, in the order in which they were added.
    pub(super) fn of(&self, key: &str) -> &[(Adapter<D>, f32)] {
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
