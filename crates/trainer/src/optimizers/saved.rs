//! An optimizer's state on its way into a checkpoint, and out of one.
//!
//! Everything lies there under the name of its parameter, so that a checkpoint says what is in it. A number in double
//! precision is its two halves of bits.

use candle_core::Tensor;
use diffusion::device::{HOST, TrainingDevice, tensor};

use crate::{
    network::LoraNetwork,
    state::{Lookup, StateError, read},
};

/// Rows of numbers in a buffer that is not parallel to the parameters.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Its name in a checkpoint, behind the buffer's.
    pub(super) name: String,
    /// Where it begins.
    pub(super) start: usize,
    /// How many numbers it has.
    pub(super) len: usize,
}

/// Named tensors of a state.
pub(super) struct Export<'a, D: TrainingDevice> {
    network: &'a LoraNetwork<D>,
    tensors: Vec<(String, Tensor)>,
}

impl<'a, D: TrainingDevice> Export<'a, D> {
    pub(super) fn of(network: &'a LoraNetwork<D>) -> Self {
        Self {
            network,
            tensors: Vec::new(),
        }
    }

    /// A count.
    pub(super) fn count(mut self, name: &str, count: u32) -> candle_core::Result<Self> {
        self.tensors.push((name.to_owned(), Tensor::new(count, &HOST)?));
        Ok(self)
    }

    /// Numbers that belong to no parameter.
    pub(super) fn numbers(mut self, name: &str, numbers: &[f64]) -> candle_core::Result<Self> {
        let halves = numbers.iter().flat_map(|number| {
            let bits = number.to_bits();
            [(bits >> 32) as u32, bits as u32]
        });
        let halves = Tensor::from_vec(halves.collect::<Vec<u32>>(), (numbers.len(), 2), &HOST)?;
        self.tensors.push((name.to_owned(), halves));
        Ok(self)
    }

    /// A buffer that is parallel to the parameters.
    pub(super) fn parallel(mut self, prefix: &str, buffer: &D::Buffer) -> candle_core::Result<Self> {
        let named = self.network.named(buffer)?.into_iter();
        self.tensors
            .extend(named.map(|(name, tensor)| (format!("{prefix}.{name}"), tensor)));
        Ok(self)
    }

    /// A buffer of rows.
    pub(super) fn rows(
        mut self,
        prefix: &str,
        rows: &[Row],
        buffer: &D::Buffer,
    ) -> candle_core::Result<Self> {
        let values = self.network.device().values(buffer)?;
        for Row { name, start, len } in rows {
            let row = tensor(values[*start..start + len].to_vec(), [*len])?;
            self.tensors.push((format!("{prefix}.{name}"), row));
        }
        Ok(self)
    }

    /// Bytes in rows.
    pub(super) fn codes(mut self, prefix: &str, rows: &[Row], codes: &D::Codes) -> candle_core::Result<Self> {
        let codes = self.network.device().code_values(codes)?;
        for Row { name, start, len } in rows {
            let row = Tensor::from_vec(codes[*start..start + len].to_vec(), *len, &HOST)?;
            self.tensors.push((format!("{prefix}.{name}"), row));
        }
        Ok(self)
    }

    pub(super) fn into_tensors(self) -> Vec<(String, Tensor)> {
        self.tensors
    }
}

/// A state to go on from.
pub(super) struct Import<'a, D: TrainingDevice> {
    network: &'a LoraNetwork<D>,
    lookup: Lookup<'a>,
}

impl<'a, D: TrainingDevice> Import<'a, D> {
    pub(super) fn of(network: &'a LoraNetwork<D>, lookup: Lookup<'a>) -> Self {
        Self { network, lookup }
    }

    fn find(&self, name: &str) -> Result<Tensor, StateError> {
        (self.lookup)(name).ok_or_else(|| StateError::Missing {
            name: name.to_owned(),
        })
    }

    /// A count.
    pub(super) fn count(&self, name: &str) -> Result<u32, StateError> {
        self.find(name)?.to_scalar().map_err(|err| StateError::Read {
            name: name.to_owned(),
            err,
        })
    }

    /// So many numbers that belong to no parameter.
    pub(super) fn numbers<const N: usize>(&self, name: &str) -> Result<[f64; N], StateError> {
        let halves = self.find(name)?;
        expect_shape(&halves, name, &[N, 2])?;
        let halves = halves.to_vec2::<u32>().map_err(|err| StateError::Read {
            name: name.to_owned(),
            err,
        })?;
        let number = |at: usize| f64::from_bits(u64::from(halves[at][0]) << 32 | u64::from(halves[at][1]));
        Ok(std::array::from_fn(number))
    }

    /// A buffer that is parallel to the parameters.
    pub(super) fn parallel(&self, prefix: &str) -> Result<D::Buffer, StateError> {
        let values = self
            .network
            .collect(&|name| (self.lookup)(&format!("{prefix}.{name}")))
            .map_err(|err| match err {
                StateError::Missing { name } => StateError::Missing {
                    name: format!("{prefix}.{name}"),
                },
                err => err,
            })?;
        self.buffer(values)
    }

    /// A buffer of rows, which lie one after another.
    pub(super) fn rows(&self, prefix: &str, rows: &[Row]) -> Result<D::Buffer, StateError> {
        let mut values = Vec::new();
        for Row { name, len, .. } in rows {
            let name = format!("{prefix}.{name}");
            values.extend(read(&self.find(&name)?, &name, &[*len])?);
        }
        self.buffer(values)
    }

    /// Bytes in rows, which lie one after another.
    pub(super) fn codes(&self, prefix: &str, rows: &[Row]) -> Result<D::Codes, StateError> {
        let mut codes = Vec::new();
        for Row { name, len, .. } in rows {
            let name = format!("{prefix}.{name}");
            let row = self.find(&name)?;
            expect_shape(&row, &name, &[*len])?;
            codes.extend(
                row.to_vec1::<u8>()
                    .map_err(|err| StateError::Read { name, err })?,
            );
        }
        self.network.device().codes(codes).map_err(StateError::Device)
    }

    fn buffer(&self, values: Vec<f32>) -> Result<D::Buffer, StateError> {
        self.network.device().buffer(values).map_err(StateError::Device)
    }
}

fn expect_shape(tensor: &Tensor, name: &str, expected: &[usize]) -> Result<(), StateError> {
    if tensor.dims() == expected {
        return Ok(());
    }
    Err(StateError::Shape {
        name: name.to_owned(),
        found: tensor.dims().to_vec(),
        expected: expected.to_vec(),
    })
}
