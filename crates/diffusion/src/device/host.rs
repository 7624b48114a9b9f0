//! Host tensors: numbers in main memory, on their way from a file or into one.

use std::ops::{Deref, Range};

use candle_core::{CpuStorage, Device, Result, Storage, StorageRef, Tensor, bail};

/// Where host tensors lie, for functions of candle that ask. No other file names one of candle's devices.
pub static HOST: Device = Device::Cpu;

/// The values of a tensor, borrowed.
pub struct Floats<'a> {
    storage: StorageRef<'a>,
    range: Range<usize>,
}

impl Deref for Floats<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(values)) => &values[self.range.clone()],
            _ => unreachable!("checked by floats()"),
        }
    }
}

/// Borrows the values of a contiguous host tensor of `f32`.
pub fn floats(tensor: &Tensor) -> Result<Floats<'_>> {
    let (storage, layout) = tensor.storage_and_layout();
    if !matches!(&*storage, Storage::Cpu(CpuStorage::F32(_))) {
        bail!("tensor {tensor:?} is not f32 in main memory");
    }
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("tensor {tensor:?} is not contiguous");
    };
    Ok(Floats {
        storage,
        range: start..end,
    })
}

/// Makes a host tensor of a buffer, without a copy.
pub fn tensor(values: Vec<f32>, shape: impl AsRef<[usize]>) -> Result<Tensor> {
    Tensor::from_vec(values, shape.as_ref(), &HOST)
}
