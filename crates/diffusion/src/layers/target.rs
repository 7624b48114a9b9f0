//! What can be trained of a base model: layers by kohya's names, with their sizes.

use super::ConvGeometry;

/// A layer that a LoRA can be trained for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoraTarget {
    /// Kohya's module name, prefix included.
    pub key: String,
    /// Values in a row of the layer's input, or channels.
    pub n_in: usize,
    /// Values in a row of the layer's output, or channels.
    pub n_out: usize,
    /// Of a convolution; a linear layer has none.
    pub geometry: Option<ConvGeometry>,
}

impl LoraTarget {
    /// A linear layer.
    pub fn linear(key: impl Into<String>, n_in: usize, n_out: usize) -> Self {
        Self {
            key: key.into(),
            n_in,
            n_out,
            geometry: None,
        }
    }

    /// A convolution.
    pub fn convolution(key: impl Into<String>, n_in: usize, n_out: usize, geometry: ConvGeometry) -> Self {
        Self {
            geometry: Some(geometry),
            ..Self::linear(key, n_in, n_out)
        }
    }

    /// Height and width of the kernel; 1 for a linear layer.
    pub fn kernel(&self) -> usize {
        self.geometry.map_or(1, |geometry| geometry.kernel)
    }

    /// Numbers of the input that one of the output is made from: columns of the layer's weight as a matrix.
    pub fn patch(&self) -> usize {
        self.n_in * self.kernel() * self.kernel()
    }
}
