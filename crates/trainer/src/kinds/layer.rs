//! A frozen layer that a module is trained beside.

use diffusion::{
    device::{DeviceError, TrainingDevice},
    layers::{Conv2d, Linear},
};

/// A frozen layer.
#[derive(Debug)]
pub(crate) enum Layer<D: TrainingDevice> {
    /// Over the last dimension.
    Linear(Linear<D>),
    /// Over pictures.
    Conv2d(Conv2d<D>),
}

impl<D: TrainingDevice> Layer<D> {
    /// Its result for `x`.
    pub(super) fn forward(&self, device: &D, x: &D::Tensor) -> Result<D::Tensor, DeviceError> {
        match self {
            Self::Linear(layer) => device.linear(x, layer.weight(), layer.bias()),
            Self::Conv2d(layer) => device.conv2d(x, layer.weight(), layer.bias(), layer.geometry()),
        }
    }

    /// Its own weight as a value, `[out, columns]`.
    pub(super) fn weight(&self, device: &D) -> Result<D::Tensor, DeviceError> {
        match self {
            Self::Linear(layer) => device.weight_values(layer.weight()),
            Self::Conv2d(layer) => device.weight_values(layer.weight()),
        }
    }

    /// `[out]`
    pub(super) fn bias(&self) -> Option<&D::Tensor> {
        match self {
            Self::Linear(layer) => layer.bias(),
            Self::Conv2d(layer) => Some(layer.bias()),
        }
    }

    /// The gradient of its input `x`.
    pub(super) fn grad(&self, device: &D, dy: &D::Tensor, x: &D::Tensor) -> Result<D::Tensor, DeviceError> {
        match self {
            Self::Linear(layer) => device.linear_grad(dy, layer.weight()),
            Self::Conv2d(layer) => device.conv2d_grad(dy, device.dims(x), layer.weight(), layer.geometry()),
        }
    }
}
