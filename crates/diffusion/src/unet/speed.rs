//! How fast this machine computes the U-Net.

use std::time::Instant;

use candle_core::Result as TensorResult;

use super::{Sample, Unet};
use crate::{
    device::Device,
    graph::{Eager, Graph as _, Part as _},
    random::Random,
};

impl<D: Device> Unet<D> {
    /// Floating-point operations a second, measured in the middle: a residual block and the first block of the
    /// transformer, at the size that they have for such a sample. They run twice, since the first time weights are read.
    ///
    /// # Errors
    /// If the device fails.
    pub fn measure_speed(&self, sample: Sample) -> TensorResult<f64> {
        let last = &self.config.levels[self.config.levels.len() - 1];
        let halved = |side: usize| (1..self.config.levels.len()).fold(side, |side, _| side.div_ceil(2));
        let (height, width, channels) = (halved(sample.latents.0), halved(sample.latents.1), last.channels);
        let mut random = Random::from_seed(0);
        let mut graph = Eager::new(&self.device);
        let x = graph.constant(&random.normal_tensor((1, height, width, channels))?)?;
        let embedding = graph.constant(&random.normal_tensor((1, self.config.time_dim()))?)?;
        let context =
            graph.constant(&random.normal_tensor((1, sample.n_tokens, self.config.context_dim))?)?;
        let (residual, transformer, _) = &self.middle;
        let mut pass = || -> TensorResult<()> {
            let y = residual.forward(&mut graph, [&x, &embedding])?;
            if let Some(block) = transformer.as_ref().and_then(|transformer| transformer.first()) {
                let tokens = graph.reshape(&y, &[1, height * width, channels])?;
                block.forward(&mut graph, [&tokens, &context])?;
            }
            Ok(())
        };
        pass()?;
        let started = Instant::now();
        pass()?;
        let seconds = started.elapsed().as_secs_f64().max(1e-9);
        Ok(self.config.middle_flops(height * width, sample.n_tokens) as f64 / seconds)
    }
}
