//! What a training takes of this machine before it begins, and whether it takes gradient checkpointing to fit.

use std::time::Duration;

use candle_core::Result;
use diffusion::{
    base::BaseModel,
    device::Device,
    need::{Drawn, Need, PROGRAM_BYTES},
    pipeline::PictureSize,
    tokenizer::TokenLength,
    unet::Sample,
};
use protocol::recipe::Recipe;

use crate::{
    kinds::{Kind, Planned},
    targets,
};

#[cfg(test)]
mod tests;

const F32: u64 = size_of::<f32>() as u64;

/// Rows of numbers as long as the parameters: the parameters, the sum of their gradients, those of two parts of a batch,
/// two moments, and an average.
const ROWS: u64 = 7;

/// Activations as wide as a token that the backward pass of a text encoder's layer needs: inputs and results of two norms
/// (4), queries, keys, values and what attention makes of them (4), and both sides of the activation, four times as
/// wide each (8).
const KEPT_OF_TEXT: usize = 16;

/// A step backward computes the gradients of inputs and, in attention, as much again: about twice a step forward.
const BACKWARD: f64 = 2.1;

/// The guidance, and the steps, of a sample and of the verdict's pictures matter little for memory.
const SAMPLE_STEPS: usize = 25;

/// What decides how much memory a training takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Side in pixels of the square with the area of each picture.
    pub resolution: u32,
    /// Pictures of a batch.
    pub batch_size: u16,
    /// Whether parts of the U-Net are computed again on the way back.
    pub recomputes: bool,
}

/// A training on a loaded base model.
#[derive(Debug)]
pub struct Planning<'a, D: Device> {
    base: &'a BaseModel<D>,
    recipe: &'a Recipe,
    /// Numbers that are trained.
    n_parameters: usize,
    /// Numbers of the largest weight that is made anew at each step, by kinds that change the layer's own.
    n_largest: usize,
    /// Pictures of the dataset.
    n_pictures: usize,
}

impl Way {
    /// What a recipe says.
    pub fn of(recipe: &Recipe) -> Self {
        let p = recipe.parameters();
        Self {
            resolution: p.resolution,
            batch_size: p.batch_size,
            recomputes: p.gradient_checkpointing,
        }
    }
}

impl<'a, D: Device> Planning<'a, D> {
    /// A training with that many pictures.
    pub fn new(base: &'a BaseModel<D>, recipe: &'a Recipe, n_pictures: usize) -> Self {
        let planned = targets::planned(base, recipe);
        let largest = planned.iter().filter(|module| is_dense(module.kind));
        let largest = largest
            .map(|module| module.target.patch() * module.target.n_out)
            .max();
        Self {
            base,
            recipe,
            n_parameters: planned.iter().map(n_parameters).sum(),
            n_largest: largest.unwrap_or(0),
            n_pictures,
        }
    }

    /// The way of the recipe, with gradient checkpointing if it takes that to fit into so many bytes and fits with it.
    pub fn fitting(&self, free: u64) -> Way {
        let way = Way::of(self.recipe);
        let cheaper = Way {
            recomputes: true,
            ..way
        };
        if self.bytes(way) > free && self.bytes(cheaper) <= free {
            cheaper
        } else {
            way
        }
    }

    /// The nearest way to the recipe's that fits into so many bytes, if there is one: first a smaller batch, and then
    /// smaller pictures; always with gradient checkpointing.
    pub fn smaller(&self, free: u64) -> Option<Way> {
        let Way {
            resolution,
            batch_size,
            ..
        } = Way::of(self.recipe);
        let way = |batch_size, resolution| Way {
            resolution,
            batch_size,
            recomputes: true,
        };
        let batches = (1..batch_size)
            .rev()
            .map(|batch_size| way(batch_size, resolution));
        let resolutions = (1..).map_while(|i| resolution.checked_sub(64 * i).filter(|side| *side >= 256));
        let mut ways = batches.chain(resolutions.map(|resolution| way(1, resolution)));
        ways.find(|way| self.bytes(*way) <= free)
    }

    /// Most bytes at once: in a step, or while samples are drawn between two steps.
    pub fn bytes(&self, way: Way) -> u64 {
        let p = self.recipe.parameters();
        let n_tokens = self.n_tokens();
        let weights = self.base.weight_bytes();
        let cost = self.cost(way);
        let kept = if way.recomputes {
            cost.kept_recomputing
        } else {
            cost.kept
        };
        let batch = u64::from(way.batch_size);
        let activations = batch * F32 * (kept + cost.working);

        let rates = [p.text_encoder_1_learning_rate, p.text_encoder_2_learning_rate];
        let trains_texts = rates.iter().any(|rate| *rate > 0.0);
        let encoders = &self.base.text_encoders;
        let of_texts: usize = [&encoders.first, &encoders.second]
            .into_iter()
            .zip(rates)
            .filter(|(_, rate)| *rate > 0.0)
            .map(|(encoder, _)| encoder.config())
            .map(|config| KEPT_OF_TEXT * config.n_layers * config.width * n_tokens)
            .sum();
        let texts = if trains_texts {
            weights.others + batch * F32 * of_texts as u64
        } else {
            0
        };

        let config = self.base.unet.config();
        let (height, width) = latents(way.resolution);
        let of_picture = n_tokens * config.context_dim + 2 * config.in_channels * height * width;
        let cached = F32 * (self.n_pictures * of_picture) as u64;
        let network = F32 * (ROWS * self.n_parameters as u64 + 4 * self.n_largest as u64);

        let step = PROGRAM_BYTES + weights.unet + 2 * weights.laid_out + activations + texts;
        let size = picture_size(way.resolution);
        let between = self.base.picture_bytes(&Drawn {
            size,
            n_pictures: 1,
            n_steps: SAMPLE_STEPS,
            is_guided: true,
            lora_bytes: 0,
        });
        step.max(between) + cached + network
    }

    /// What the training takes on a machine that does so many operations a second.
    pub fn need(&self, way: Way, speed: f64) -> Need {
        let p = self.recipe.parameters();
        let passes = if way.recomputes {
            2.0 + BACKWARD
        } else {
            1.0 + BACKWARD
        };
        let pictures = f64::from(way.batch_size) * f64::from(p.gradient_accumulation);
        let step = passes * pictures * self.cost(way).flops as f64 / speed;
        Need {
            bytes: self.bytes(way),
            step: Duration::from_secs_f64(step),
            whole: Duration::from_secs_f64(f64::from(p.n_steps) * step),
        }
    }

    /// Floating-point operations a second, measured at the training's size.
    ///
    /// # Errors
    /// If a computation fails.
    pub fn measure_speed(&self) -> Result<f64> {
        self.base.unet.measure_speed(self.sample(Way::of(self.recipe)))
    }

    fn cost(&self, way: Way) -> diffusion::unet::Cost {
        let of_kernels = self.recipe.parameters().conv_rank > 0;
        self.base.unet.config().cost(self.sample(way), of_kernels)
    }

    fn sample(&self, way: Way) -> Sample {
        Sample {
            latents: latents(way.resolution),
            n_tokens: self.n_tokens(),
        }
    }

    /// Tokens of a caption, with the two around each chunk.
    fn n_tokens(&self) -> usize {
        let length = u32::from(self.recipe.parameters().max_tokens);
        let length = TokenLength::try_from(length).expect("recipes are valid");
        length.n_tokens() / 75 * 77
    }
}

fn latents(resolution: u32) -> (usize, usize) {
    let side = (resolution / 8).max(1) as usize;
    (side, side)
}

fn picture_size(resolution: u32) -> PictureSize {
    let side = (resolution / 8 * 8).clamp(64, 2048);
    PictureSize::new(side, side).expect("a multiple of 8 within the limits")
}

fn is_dense(kind: Kind) -> bool {
    match kind {
        Kind::Dora | Kind::Loha | Kind::Lokr { .. } => true,
        Kind::Lora | Kind::TLora { .. } => false,
    }
}

/// Numbers of a module, as a plain LoRA has them; a LoHa has twice as many. A LoKr has fewer.
fn n_parameters(module: &Planned) -> usize {
    let pair = module.sizes.rank * (module.target.patch() + module.target.n_out);
    match module.kind {
        Kind::Loha => 2 * pair,
        Kind::Dora => pair + module.target.n_out,
        Kind::Lora | Kind::TLora { .. } | Kind::Lokr { .. } => pair,
    }
}
