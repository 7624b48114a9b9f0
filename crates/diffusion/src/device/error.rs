//! What goes wrong on a device.

use super::Device;

/// An operation that a device could not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{device} cannot compute {operation} of {shapes}: {problem}")]
pub struct DeviceError {
    device: String,
    operation: &'static str,
    shapes: String,
    problem: String,
}

impl DeviceError {
    /// `problem` says what does not fit, or what the device's driver said.
    pub fn new(
        device: &impl Device,
        operation: &'static str,
        shapes: &[&[usize]],
        problem: impl std::fmt::Display,
    ) -> Self {
        let shapes: Vec<String> = shapes.iter().map(|shape| format!("{shape:?}")).collect();
        Self {
            device: device.name().to_owned(),
            operation,
            shapes: shapes.join(", "),
            problem: problem.to_string(),
        }
    }
}

impl From<DeviceError> for candle_core::Error {
    fn from(err: DeviceError) -> Self {
        Self::wrap(err)
    }
}
