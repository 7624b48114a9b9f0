//! What a pass through the U-Net takes, from its sizes: floating-point operations, and numbers in memory.

use super::{
    UnetConfig,
    config::{Block, Step, TransformerPlan},
};

/// Activations as wide as its input that a block holds at once while it computes: for a transformer's, eight times the
/// width before the gate, four times behind it, and the input.
const AT_WORK: usize = 14;

/// Activations as wide as its input that the backward pass of a transformer's block needs: inputs of three norms (3) and
/// their results (3), queries of both attentions (2), keys and values of the first (2) and the results of both (2), the
/// gate's input (8) and its result (4).
const KEPT: usize = 24;

/// One sample's pass through the U-Net. Numbers are `f32`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations of the forward pass.
    pub flops: u64,
    /// Most numbers that the forward pass holds at once.
    pub working: u64,
    /// Numbers that the backward pass needs of the forward pass.
    pub kept: u64,
    /// The same with gradient checkpointing, and what the largest part takes while it is computed again.
    pub kept_recomputing: u64,
}

/// Sizes of what goes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Height and width of the latents.
    pub latents: (usize, usize),
    /// Tokens of the text.
    pub n_tokens: usize,
}

/// Sums over the blocks.
#[derive(Default)]
struct Sum {
    flops: usize,
    /// Results of the way down that wait for the way up.
    waiting: usize,
    working: usize,
    kept: usize,
    kept_recomputing: usize,
    /// What the largest part keeps.
    largest_part: usize,
}

impl UnetConfig {
    /// What a pass takes. In training, kernels of 3×3 get modules of their own where `of_kernels` says so.
    pub fn cost(&self, sample: Sample, of_kernels: bool) -> Cost {
        let plan = self.plan();
        let (mut height, mut width) = sample.latents;
        let c = self.model_channels();
        let mut sum = Sum::default();
        sum.flops += convolution(height * width, (self.in_channels + self.out_channels, c));
        let mut waiting = vec![(height * width * c, (height, width))];
        sum.waiting += height * width * c;
        for step in &plan.down {
            let channels = match step {
                Step::Block(block) => {
                    sum.block(
                        block,
                        height * width,
                        (sample.n_tokens, self.context_dim),
                        of_kernels,
                    );
                    block.out_channels
                }
                Step::Resample { channels, .. } => {
                    (height, width) = (height.div_ceil(2), width.div_ceil(2));
                    sum.flops += convolution(height * width, (*channels, *channels));
                    *channels
                }
            };
            waiting.push((height * width * channels, (height, width)));
            sum.waiting += height * width * channels;
        }
        let middle = &plan.middle;
        let text = (sample.n_tokens, self.context_dim);
        sum.block(middle, height * width, text, of_kernels);
        let last = Block {
            name: String::new(),
            in_channels: middle.out_channels,
            out_channels: middle.out_channels,
            transformer: None,
        };
        sum.block(&last, height * width, text, of_kernels);
        for step in &plan.up {
            match step {
                Step::Block(block) => {
                    let (n_values, _) = waiting.pop().unwrap_or_default();
                    sum.block(block, height * width, text, of_kernels);
                    sum.waiting -= n_values;
                }
                Step::Resample { channels, .. } => {
                    (height, width) = waiting.last().map_or((height, width), |(_, size)| *size);
                    sum.flops += convolution(height * width, (*channels, *channels));
                }
            }
        }
        Cost {
            flops: sum.flops as u64,
            working: sum.working as u64,
            kept: sum.kept as u64,
            kept_recomputing: (sum.kept_recomputing + sum.largest_part) as u64,
        }
    }

    /// Operations of the middle's first residual block, and of the first block of its transformer if it has one.
    pub(super) fn middle_flops(&self, n_pixels: usize, n_tokens: usize) -> u64 {
        let plan = self.plan();
        let of_block = plan.middle.transformer.as_ref();
        let of_block = of_block.map(|plan| transformer_block(plan, n_pixels, (n_tokens, self.context_dim)));
        let sizes = (plan.middle.in_channels, plan.middle.out_channels);
        (residual(n_pixels, sizes) + of_block.unwrap_or(0)) as u64
    }
}

impl Sum {
    fn block(&mut self, block: &Block, n_pixels: usize, text: (usize, usize), of_kernels: bool) {
        let (n_in, n_out) = (block.in_channels, block.out_channels);
        self.flops += residual(n_pixels, (n_in, n_out));
        // The inputs of both norms; with modules for kernels, those of both convolutions as well.
        let norms = n_pixels * (n_in + n_out);
        let kept = if of_kernels { 2 * norms } else { norms };
        self.part(n_pixels * n_in, kept);
        self.working = self.working.max(self.waiting + n_pixels * (2 * n_in + 2 * n_out));
        let Some(plan) = &block.transformer else {
            return;
        };
        let values = n_pixels * plan.channels;
        // Norm and both projections around the blocks.
        self.flops += 2 * 2 * n_pixels * plan.channels * plan.channels;
        self.kept += 3 * values;
        self.kept_recomputing += 3 * values;
        for _ in 0..plan.depth {
            self.flops += transformer_block(plan, n_pixels, text);
            self.part(values, KEPT * values + 2 * text.0 * plan.channels);
        }
        self.working = self.working.max(self.waiting + AT_WORK * values);
    }

    /// A part with an input of so many numbers.
    fn part(&mut self, input: usize, kept: usize) {
        self.kept += kept;
        self.kept_recomputing += input;
        self.largest_part = self.largest_part.max(kept);
    }
}

/// A 3×3 convolution.
fn convolution(n_pixels: usize, (n_in, n_out): (usize, usize)) -> usize {
    2 * 9 * n_pixels * n_in * n_out
}

fn residual(n_pixels: usize, (n_in, n_out): (usize, usize)) -> usize {
    let skip = if n_in == n_out {
        0
    } else {
        2 * n_pixels * n_in * n_out
    };
    convolution(n_pixels, (n_in, n_out)) + convolution(n_pixels, (n_out, n_out)) + skip
}

fn transformer_block(plan: &TransformerPlan, n_pixels: usize, (n_tokens, width): (usize, usize)) -> usize {
    let c = plan.channels;
    // Four projections of self-attention, two of attention to the text, and the feed-forward part's 8 and 4.
    let projections = 2 * n_pixels * c * c * (4 + 2 + 8 + 4);
    let text = 2 * 2 * n_tokens * width * c;
    let attention = 2 * 2 * n_pixels * (n_pixels + n_tokens) * c;
    projections + text + attention
}

#[cfg(test)]
mod tests {
    use super::{Sample, UnetConfig};

    const TRILLION: f64 = 1e12;

    fn sdxl(side: usize) -> super::Cost {
        let sample = Sample {
            latents: (side / 8, side / 8),
            n_tokens: 77,
        };
        UnetConfig::sdxl().cost(sample, false)
    }

    #[test]
    fn a_pass_of_sdxl_takes_some_trillion_operations() {
        let flops = sdxl(1024).flops as f64 / TRILLION;
        assert!((6.0..7.5).contains(&flops), "{flops}");
        let quarter = sdxl(512).flops as f64 / TRILLION;
        assert!((flops / 5.0..flops / 4.0).contains(&quarter), "{quarter}");
    }

    #[test]
    fn checkpointing_keeps_a_tenth() {
        let cost = sdxl(1024);
        assert!(cost.kept_recomputing < cost.kept / 5, "{cost:?}");
        let gb = |n: u64| 4.0 * n as f64 / 1e9;
        assert!((9.5..13.0).contains(&gb(cost.kept)), "{}", gb(cost.kept));
        assert!(gb(cost.working) < 1.0, "{}", gb(cost.working));
    }

    #[test]
    fn modules_for_kernels_keep_more() {
        let sample = Sample {
            latents: (64, 64),
            n_tokens: 77,
        };
        let config = UnetConfig::sdxl();
        assert!(config.cost(sample, true).kept > config.cost(sample, false).kept);
        assert_eq!(config.cost(sample, true).flops, config.cost(sample, false).flops);
    }
}
