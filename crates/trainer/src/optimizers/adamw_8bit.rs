//! AdamW with moments in eight bits, as `bitsandbytes.optim.AdamW8bit` keeps them: blocks of 256 numbers with a scale each,
//! the first moment in signed codes, the second in unsigned ones. Small matrices keep both in full.

use candle_core::Tensor;
use diffusion::{
    device::{Blocks, DeviceError, TrainingDevice},
    operation::{Span, blockwise::BLOCK},
};

use super::{
    AdamWConfig, Optimizer, Rates,
    saved::{Export, Import, Row},
};
use crate::{
    network::{Gradients, LoraNetwork, Parameter},
    state::{Lookup, StateError},
};

/// The optimizer's name in checkpoints.
pub(super) const NAME: &str = "adamw_8bit";

/// Constants of 8-bit AdamW.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW8bitConfig {
    /// Those of AdamW.
    pub adamw: AdamWConfig,
    /// Matrices of fewer numbers keep their moments in full (bitsandbytes' `min_8bit_size`, which is 4096).
    pub min_len: usize,
}

/// Names in a saved state.
const N_STEPS: &str = "n_steps";
const MOMENTS: [&str; 2] = ["first_moment", "second_moment"];
const CODES: [&str; 2] = ["first_codes", "second_codes"];
const SCALES: [&str; 2] = ["first_scales", "second_scales"];

/// AdamW and its moments.
#[derive(Debug)]
pub(super) struct AdamW8bit<D: TrainingDevice> {
    config: AdamW8bitConfig,
    n_steps: u32,
    layout: Layout,
    /// Both moments of the small matrices.
    full: [D::Buffer; 2],
    codes: [D::Codes; 2],
    scales: [D::Buffer; 2],
}

/// Where the moments lie.
#[derive(Debug, Default)]
struct Layout {
    matrices: Vec<Matrix>,
    /// The small matrices in the buffers of full precision.
    full: Vec<Row>,
    /// The large ones among the codes, each at the beginning of a block.
    codes: Vec<Row>,
    /// And among the scales.
    scales: Vec<Row>,
}

#[derive(Debug, Clone, Copy)]
struct Matrix {
    span: Span,
    is_large: bool,
}

impl Layout {
    fn of<D: TrainingDevice>(network: &LoraNetwork<D>, min_len: usize) -> Self {
        let mut layout = Self::default();
        let (mut n_full, mut n_blocks) = (0, 0);
        for Parameter { name, place, .. } in network.parameters() {
            let range = place.range();
            let (start, len) = (range.start, range.len());
            let is_large = len >= min_len;
            let state = if is_large { n_blocks * BLOCK } else { n_full };
            let span = Span { start, len, state };
            layout.matrices.push(Matrix { span, is_large });
            if is_large {
                let blocks = len.div_ceil(BLOCK);
                layout.scales.push(Row {
                    name: name.clone(),
                    start: n_blocks,
                    len: blocks,
                });
                layout.codes.push(Row {
                    name,
                    start: state,
                    len: blocks * BLOCK,
                });
                n_blocks += blocks;
            } else {
                layout.full.push(Row {
                    name,
                    start: state,
                    len,
                });
                n_full += len;
            }
        }
        layout
    }
}

fn total(rows: &[Row]) -> usize {
    rows.last().map_or(0, |last| last.start + last.len)
}

impl<D: TrainingDevice> AdamW8bit<D> {
    pub(super) fn new(network: &LoraNetwork<D>, config: AdamW8bitConfig) -> Result<Self, DeviceError> {
        let (device, layout) = (network.device(), Layout::of(network, config.min_len));
        let zeros = |rows: &[Row]| device.buffer(vec![0.0; total(rows)]);
        // With a scale of zero, every code is zero.
        let codes = || device.codes(vec![0; total(&layout.codes)]);
        Ok(Self {
            config,
            n_steps: 0,
            full: [zeros(&layout.full)?, zeros(&layout.full)?],
            codes: [codes()?, codes()?],
            scales: [zeros(&layout.scales)?, zeros(&layout.scales)?],
            layout,
        })
    }

    pub(super) fn import(
        network: &LoraNetwork<D>,
        config: AdamW8bitConfig,
        lookup: Lookup<'_>,
    ) -> Result<Self, StateError> {
        let (import, layout) = (Import::of(network, lookup), Layout::of(network, config.min_len));
        let full = |name| import.rows(name, &layout.full);
        let codes = |name| import.codes(name, &layout.codes);
        let scales = |name| import.rows(name, &layout.scales);
        Ok(Self {
            config,
            n_steps: import.count(N_STEPS)?,
            full: [full(MOMENTS[0])?, full(MOMENTS[1])?],
            codes: [codes(CODES[0])?, codes(CODES[1])?],
            scales: [scales(SCALES[0])?, scales(SCALES[1])?],
            layout,
        })
    }
}

impl<D: TrainingDevice> Optimizer<D> for AdamW8bit<D> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn step(
        &mut self,
        network: &mut LoraNetwork<D>,
        gradients: &Gradients<D>,
        rates: Rates<'_>,
    ) -> Result<(), DeviceError> {
        self.n_steps += 1;
        let device = network.device().clone();
        for &Matrix { span, is_large } in &self.layout.matrices {
            let factor = rates.factor(span.start);
            if factor == 0.0 {
                continue;
            }
            let update = self.config.adamw.update(self.n_steps, rates.rate * factor);
            let (values, gradients) = (network.values_mut(), gradients.values());
            if is_large {
                let [first_codes, second_codes] = &mut self.codes;
                let [first_scales, second_scales] = &mut self.scales;
                let first = Blocks {
                    codes: first_codes,
                    scales: first_scales,
                };
                let second = Blocks {
                    codes: second_codes,
                    scales: second_scales,
                };
                device.adamw_8bit(&update, span, values, gradients, [first, second])?;
            } else {
                device.adamw(&update, span, values, gradients, self.full.each_mut())?;
            }
        }
        Ok(())
    }

    fn export(&self, network: &LoraNetwork<D>) -> candle_core::Result<Vec<(String, Tensor)>> {
        let mut export = Export::of(network).count(N_STEPS, self.n_steps)?;
        for moment in 0..2 {
            export = export
                .rows(MOMENTS[moment], &self.layout.full, &self.full[moment])?
                .codes(CODES[moment], &self.layout.codes, &self.codes[moment])?
                .rows(SCALES[moment], &self.layout.scales, &self.scales[moment])?;
        }
        Ok(export.into_tensors())
    }
}
