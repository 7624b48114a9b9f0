//! How many bytes a model's weights take.

use super::BaseModel;
use crate::{cpu::SMALL_WEIGHT, device::Device, weights::Shapes};

/// Bytes of a model's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightBytes {
    /// The U-Net's, as its file holds them.
    pub unet: u64,
    /// Those of everything else.
    pub others: u64,
    /// Copies of the U-Net's small weights, laid out for one way through it.
    pub laid_out: u64,
}

impl<D: Device> BaseModel<D> {
    /// Bytes of the weights. All numbers of a model count as if they were stored alike.
    pub fn weight_bytes(&self) -> WeightBytes {
        let infos = self
            .files
            .iter()
            .flat_map(|file| file.names().filter_map(|name| file.info(name)));
        let (mut bytes, mut numbers) = (0, 0);
        for info in infos {
            bytes += info.n_bytes() as u64;
            numbers += info.shape.iter().product::<usize>() as u64;
        }
        let lengths = |shapes: &Shapes| -> Vec<usize> {
            let lengths = shapes.iter().map(|(_, shape)| shape.iter().product());
            lengths.collect()
        };
        let stored = |n: usize| (n as f64 * bytes as f64 / numbers.max(1) as f64) as u64;
        let unet = lengths(&self.unet.config().tensors());
        let small = unet.iter().filter(|len| **len <= SMALL_WEIGHT);
        let others = [
            self.text_encoders.first.config().tensors(),
            self.text_encoders.second.config().tensors(),
            self.vae.config().tensors(),
        ];
        WeightBytes {
            unet: stored(unet.iter().sum()),
            others: stored(others.iter().flat_map(lengths).sum()),
            laid_out: (size_of::<f32>() * small.sum::<usize>()) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BaseModel;

    #[test]
    fn all_weights_are_counted_once() {
        let base = BaseModel::built_in("tiny-xl").unwrap();
        let weights = base.weight_bytes();
        let file_bytes: u64 = base
            .files
            .iter()
            .flat_map(|file| file.names().filter_map(|name| file.info(name)))
            .map(|info| info.n_bytes() as u64)
            .sum();
        let counted = weights.unet + weights.others;
        assert!(
            counted.abs_diff(file_bytes) < file_bytes / 50,
            "{weights:?} of {file_bytes}"
        );
        assert!(weights.unet > weights.others / 10, "{weights:?}");
        // All of its weights are small.
        assert!(weights.laid_out >= weights.unet, "{weights:?}");
    }
}
