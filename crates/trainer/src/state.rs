//! A saved state, as named host tensors: a LoRA file, a checkpoint.

use candle_core::{DType, Tensor};
use diffusion::device::DeviceError;

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
    /// The state is another optimizer's.
    #[error(
        "the saved state is of the optimizer `{found}`, this training uses `{expected}`: choose `{found}`"
    )]
    Optimizer {
        /// Whose state it is.
        found: String,
        /// What the training uses.
        expected: &'static str,
    },
    /// The device could not take the state in.
    #[error(transparent)]
    Device(DeviceError),
}

/// A named tensor of a saved state, looked up by name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<Tensor>;

/// The values of a tensor of a saved state, which has to have this shape.
pub(crate) fn read(tensor: &Tensor, name: &str, expected: &[usize]) -> Result<Vec<f32>, StateError> {
    if tensor.dims() != expected {
        return Err(StateError::Shape {
            name: name.to_owned(),
            found: tensor.dims().to_vec(),
            expected: expected.to_vec(),
        });
    }
    let values = tensor
        .to_dtype(DType::F32)
        .and_then(|tensor| tensor.flatten_all()?.to_vec1());
    values.map_err(|err| StateError::Read {
        name: name.to_owned(),
        err,
    })
}
