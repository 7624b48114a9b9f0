//! A list of tensors: canonical names and shapes.

use std::collections::BTreeMap;

/// The tensors that one part of a base model is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shapes(BTreeMap<String, Vec<usize>>);

impl Shapes {
    /// A matrix `[out, in]` under `name.weight`.
    pub(crate) fn matrix(&mut self, name: &str, (n_in, n_out): (usize, usize)) {
        self.0.insert(format!("{name}.weight"), vec![n_out, n_in]);
    }

    /// A linear layer with its bias.
    pub(crate) fn linear(&mut self, name: &str, in_out: (usize, usize)) {
        self.matrix(name, in_out);
        self.0.insert(format!("{name}.bias"), vec![in_out.1]);
    }

    /// A convolution `[out, in, kernel, kernel]` with its bias.
    pub(crate) fn conv(&mut self, name: &str, (n_in, n_out): (usize, usize), kernel: usize) {
        self.0
            .insert(format!("{name}.weight"), vec![n_out, n_in, kernel, kernel]);
        self.0.insert(format!("{name}.bias"), vec![n_out]);
    }

    /// Scale and shift of each channel.
    pub(crate) fn norm(&mut self, name: &str, channels: usize) {
        for part in ["weight", "bias"] {
            self.0.insert(format!("{name}.{part}"), vec![channels]);
        }
    }

    /// Names and shapes, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.0
            .iter()
            .map(|(name, shape)| (name.as_str(), shape.as_slice()))
    }

    /// Whether the list has this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// How many tensors there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
