//! Where layers get their weights from.

use candle_core::Tensor;

use crate::device::{Device, Frozen};

/// Named tensors of one part of a model (the U-Net, a text encoder, the VAE), under the part's own names.
///
/// A weight file implements it, whatever its layout: names are those of the original single-file checkpoint with the
/// part's prefix taken off, as `input_blocks.4.1.proj_in.weight`.
pub trait WeightSource {
    /// Where the weights lie, for messages: a path.
    fn origin(&self) -> String;

    /// Reads one tensor in `f32`, in its stored shape.
    fn get(&self, name: &str) -> Result<Tensor, WeightError>;

    /// A tensor where its file holds it, in its stored shape. None if it is kept in no file, or not as it is meant there.
    fn frozen(&self, _name: &str) -> Result<Option<Frozen>, WeightError> {
        Ok(None)
    }

    /// Whether there is a tensor of that name.
    fn contains(&self, name: &str) -> bool;
}

/// Weights and the device that they go to.
pub struct Loader<'a, D> {
    pub(super) source: &'a dyn WeightSource,
    /// What will compute with them.
    pub(crate) device: &'a D,
    /// What kohya puts before the names of the layers; none if no LoRA can address them.
    pub(super) lora_prefix: Option<&'static str>,
}

impl<'a, D: Device> Loader<'a, D> {
    /// Brings the weights of `source` to `device`.
    pub fn new(device: &'a D, source: &'a dyn WeightSource) -> Self {
        Self {
            source,
            device,
            lora_prefix: None,
        }
    }

    /// Makes all layers targets for LoRAs, under kohya's prefix.
    pub fn keyed(self, lora_prefix: &'static str) -> Self {
        Self {
            lora_prefix: Some(lora_prefix),
            ..self
        }
    }
}

impl<D: Device> WeightSource for Loader<'_, D> {
    fn origin(&self) -> String {
        self.source.origin()
    }

    fn get(&self, name: &str) -> Result<Tensor, WeightError> {
        self.source.get(name)
    }

    fn frozen(&self, name: &str) -> Result<Option<Frozen>, WeightError> {
        self.source.frozen(name)
    }

    fn contains(&self, name: &str) -> bool {
        self.source.contains(name)
    }
}

/// Why a layer could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum WeightError {
    /// The file lacks a tensor that the model needs.
    #[error("`{origin}` has no tensor `{name}`")]
    Missing {
        /// File.
        origin: String,
        /// Tensor.
        name: String,
    },
    /// The tensor has another shape than the model's configuration says.
    #[error("tensor `{name}` in `{origin}` has shape {found:?} where the model needs {expected:?}")]
    Shape {
        /// File.
        origin: String,
        /// Tensor.
        name: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape that follows from the configuration.
        expected: Vec<usize>,
    },
    /// The tensor holds numbers that nothing can be computed with.
    #[error("the base model is broken: tensor `{name}` of `{origin}` holds NaN or infinite numbers")]
    NotFinite {
        /// File.
        origin: String,
        /// Tensor.
        name: String,
    },
    /// The sizes in the configuration contradict each other, or are none that this program can run.
    #[error("the configuration of `{origin}` makes no model: {problem}")]
    Config {
        /// File or folder.
        origin: String,
        /// What does not fit.
        problem: String,
    },
    /// The tensor's bytes could not be turned into numbers.
    #[error("failed to read tensor `{name}` from `{origin}`")]
    Read {
        /// File.
        origin: String,
        /// Tensor.
        name: String,
        /// What went wrong.
        #[source]
        err: candle_core::Error,
    },
}

/// Reads a tensor and insists on its shape.
pub fn get_shaped(source: &dyn WeightSource, name: &str, expected: &[usize]) -> Result<Tensor, WeightError> {
    let tensor = source.get(name)?;
    if tensor.dims() != expected {
        return Err(WeightError::Shape {
            origin: source.origin(),
            name: name.to_owned(),
            found: tensor.dims().to_vec(),
            expected: expected.to_vec(),
        });
    }
    Ok(tensor)
}
