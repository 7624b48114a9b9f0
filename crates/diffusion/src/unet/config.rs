//! Sizes of an SDXL U-Net, and the plan of its blocks that follows from them.

use crate::{
    layers::{ConvGeometry, LoraTarget, lora_key},
    weights::MAX_SIDE,
};

/// No model has more blocks of one kind in a row: SDXL has 10 at most.
const MAX_BLOCKS: usize = 100;

/// One resolution of the U-Net.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Channels.
    pub channels: usize,
    /// Transformer blocks behind each residual block; 0 for none.
    pub transformer_depth: usize,
    /// Attention heads.
    pub n_heads: usize,
}

/// Sizes of an SDXL U-Net.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnetConfig {
    /// Channels of the noisy latents.
    pub in_channels: usize,
    /// Channels of the prediction.
    pub out_channels: usize,
    /// Resolutions, the largest first; each halves height and width.
    pub levels: Vec<Level>,
    /// Transformer blocks in the middle block, at the last level's channels and heads.
    pub middle_depth: usize,
    /// Residual blocks of a level on the way down; one more on the way up.
    pub n_res_blocks: usize,
    /// Width of a text token.
    pub context_dim: usize,
    /// Width of the vector of pooled text, sizes and crop.
    pub vector_dim: usize,
    /// Groups of every group norm.
    pub n_norm_groups: usize,
}

impl UnetConfig {
    /// Stable Diffusion XL base 1.0 (stabilityai/stable-diffusion-xl-base-1.0, unet/config.json).
    pub fn sdxl() -> Self {
        let level = |channels, transformer_depth| Level {
            channels,
            transformer_depth,
            n_heads: channels / Self::HEAD_DIM,
        };
        Self {
            in_channels: 4,
            out_channels: 4,
            levels: vec![level(320, 0), level(640, 2), level(1280, 10)],
            middle_depth: 10,
            n_res_blocks: 2,
            context_dim: 2048,
            vector_dim: 2816,
            n_norm_groups: Self::NORM_GROUPS,
        }
    }

    /// Channels of one head where no configuration says otherwise: SDXL's.
    pub const HEAD_DIM: usize = 64;

    /// Groups of a group norm where no configuration says otherwise: SDXL's.
    pub const NORM_GROUPS: usize = 32;

    /// Width of the timestep embedding inside residual blocks.
    pub fn time_dim(&self) -> usize {
        4 * self.model_channels()
    }

    /// Channels of the first level.
    pub fn model_channels(&self) -> usize {
        self.levels[0].channels
    }

    /// Says what contradicts itself.
    pub fn check(&self) -> Result<(), String> {
        if self.levels.is_empty() || self.n_res_blocks == 0 {
            return Err("it has no blocks".into());
        }
        let sizes = [
            self.in_channels,
            self.out_channels,
            self.context_dim,
            self.vector_dim,
        ];
        if sizes.contains(&0) || self.n_norm_groups == 0 {
            return Err("a size is zero".into());
        }
        let channels = self.levels.iter().map(|level| level.channels);
        let depths = self.levels.iter().map(|level| level.transformer_depth);
        if sizes.into_iter().chain(channels).any(|size| size > MAX_SIDE)
            || depths
                .chain([self.middle_depth, self.n_res_blocks, self.levels.len()])
                .any(|n| n > MAX_BLOCKS)
        {
            return Err("a size is larger than that of any model".into());
        }
        for (i, level) in self.levels.iter().enumerate() {
            if level.channels == 0 || !level.channels.is_multiple_of(self.n_norm_groups) {
                return Err(format!(
                    "{} channels of level {i} cannot be divided into {} groups",
                    level.channels, self.n_norm_groups
                ));
            }
            let last = i + 1 == self.levels.len();
            let attends = level.transformer_depth > 0 || (last && self.middle_depth > 0);
            if attends && (level.n_heads == 0 || !level.channels.is_multiple_of(level.n_heads)) {
                return Err(format!(
                    "{} channels of level {i} cannot be divided into {} heads",
                    level.channels, level.n_heads
                ));
            }
        }
        if !self.model_channels().is_multiple_of(2) {
            return Err("the first level has an odd number of channels".into());
        }
        Ok(())
    }

    /// The blocks in the order in which they run, with the names of the original single-file layout.
    pub(super) fn plan(&self) -> Plan {
        let last = &self.levels[self.levels.len() - 1];
        let mut channels = self.model_channels();
        let mut skips = vec![channels];
        let mut down = Vec::new();
        for (i, level) in self.levels.iter().enumerate() {
            for _ in 0..self.n_res_blocks {
                let name = format!("input_blocks.{}", skips.len());
                down.push(Step::Block(Block::new(
                    name,
                    channels,
                    level,
                    level.transformer_depth,
                )));
                channels = level.channels;
                skips.push(channels);
            }
            if i + 1 < self.levels.len() {
                let name = format!("input_blocks.{}.0.op", skips.len());
                down.push(Step::Resample { name, channels });
                skips.push(channels);
            }
        }
        let middle = Block::new("middle_block".into(), channels, last, self.middle_depth);
        let mut up = Vec::new();
        let mut n_up = 0;
        for (i, level) in self.levels.iter().enumerate().rev() {
            for r in 0..=self.n_res_blocks {
                let name = format!("output_blocks.{n_up}");
                let skip = skips.pop().expect("one skip for each block on the way up");
                let block = Block::new(name.clone(), channels + skip, level, level.transformer_depth);
                channels = level.channels;
                let n_parts = 1 + usize::from(block.transformer.is_some());
                up.push(Step::Block(block));
                if r == self.n_res_blocks && i > 0 {
                    let name = format!("{name}.{n_parts}.conv");
                    up.push(Step::Resample { name, channels });
                }
                n_up += 1;
            }
        }
        Plan { down, middle, up }
    }

    /// The linear layers that kohya's default LoRA covers, in its order: every one inside the transformers.
    pub fn lora_targets(&self) -> Vec<LoraTarget> {
        let plan = self.plan();
        let mut blocks: Vec<&Block> = plan.down.iter().filter_map(Step::block).collect();
        blocks.push(&plan.middle);
        blocks.extend(plan.up.iter().filter_map(Step::block));
        let mut targets = Vec::new();
        for transformer in blocks.iter().filter_map(|block| block.transformer.as_ref()) {
            let c = transformer.channels;
            let mut push = |path: String, n_in, n_out| {
                targets.push(LoraTarget::linear(
                    lora_key(super::LORA_PREFIX, &path),
                    n_in,
                    n_out,
                ));
            };
            let name = &transformer.name;
            push(format!("{name}.proj_in"), c, c);
            for i in 0..transformer.depth {
                let name = format!("{name}.transformer_blocks.{i}");
                for (part, context) in [("attn1", c), ("attn2", self.context_dim)] {
                    push(format!("{name}.{part}.to_q"), c, c);
                    push(format!("{name}.{part}.to_k"), context, c);
                    push(format!("{name}.{part}.to_v"), context, c);
                    push(format!("{name}.{part}.to_out.0"), c, c);
                    if part == "attn1" {
                        push(format!("{name}.ff.net.0.proj"), c, 8 * c);
                        push(format!("{name}.ff.net.2"), 4 * c, c);
                    }
                }
            }
            push(format!("{name}.proj_out"), c, c);
        }
        targets
    }

    /// What kohya's LoRA covers besides where it has a `conv_dim`: every convolution of the residual blocks, the linear
    /// layer of each that takes the timestep in, and the convolutions that halve and double the picture.
    pub fn convolution_targets(&self) -> Vec<LoraTarget> {
        let plan = self.plan();
        let mut targets = Vec::new();
        let key = |path: String| lora_key(super::LORA_PREFIX, &path);
        let res_block = |targets: &mut Vec<LoraTarget>, name: &str, n_in: usize, n_out: usize| {
            let path = |part: &str| key(format!("{name}.{part}"));
            let same = ConvGeometry::SAME;
            targets.push(LoraTarget::convolution(path("in_layers.2"), n_in, n_out, same));
            targets.push(LoraTarget::linear(path("emb_layers.1"), self.time_dim(), n_out));
            targets.push(LoraTarget::convolution(path("out_layers.3"), n_out, n_out, same));
            if n_in != n_out {
                let skip = path("skip_connection");
                targets.push(LoraTarget::convolution(
                    skip,
                    n_in,
                    n_out,
                    ConvGeometry::POINTWISE,
                ));
            }
        };
        let side = |targets: &mut Vec<LoraTarget>, steps: &[Step], geometry: ConvGeometry| {
            for step in steps {
                match step {
                    Step::Block(block) => {
                        let name = format!("{}.0", block.name);
                        res_block(targets, &name, block.in_channels, block.out_channels);
                    }
                    Step::Resample { name, channels } => {
                        let key = key(name.clone());
                        targets.push(LoraTarget::convolution(key, *channels, *channels, geometry));
                    }
                }
            }
        };
        side(&mut targets, &plan.down, ConvGeometry::HALVE);
        let middle = plan.middle.out_channels;
        res_block(&mut targets, "middle_block.0", plan.middle.in_channels, middle);
        res_block(&mut targets, "middle_block.2", middle, middle);
        side(&mut targets, &plan.up, ConvGeometry::SAME);
        targets
    }
}

pub(super) struct Plan {
    pub(super) down: Vec<Step>,
    pub(super) middle: Block,
    pub(super) up: Vec<Step>,
}

pub(super) enum Step {
    /// A residual block with the transformer behind it.
    Block(Block),
    /// The convolution that halves the picture on the way down or doubles it on the way up.
    Resample { name: String, channels: usize },
}

impl Step {
    fn block(&self) -> Option<&Block> {
        match self {
            Self::Block(block) => Some(block),
            Self::Resample { .. } => None,
        }
    }
}

pub(super) struct Block {
    pub(super) name: String,
    pub(super) in_channels: usize,
    pub(super) out_channels: usize,
    pub(super) transformer: Option<TransformerPlan>,
}

impl Block {
    fn new(name: String, in_channels: usize, level: &Level, depth: usize) -> Self {
        let transformer = (depth > 0).then(|| TransformerPlan {
            name: format!("{name}.1"),
            channels: level.channels,
            depth,
            n_heads: level.n_heads,
        });
        Self {
            name,
            in_channels,
            out_channels: level.channels,
            transformer,
        }
    }
}

pub(super) struct TransformerPlan {
    pub(super) name: String,
    pub(super) channels: usize,
    pub(super) depth: usize,
    pub(super) n_heads: usize,
}
