//! Times a whole training step (forward, loss, backward, clip, AdamW) and a forward pass alone on random latents.

use std::{num::NonZeroU16, time::Instant};

use anyhow::Result;
use clap::Parser;
use diffusion::{base::BaseModel, graph::AdapterSet, random::Random, unet::Conditioning};
use serde_json::json;
use trainer::{
    losses::Loss,
    network::LoraNetwork,
    optimizers::{AdamW, AdamWConfig, Optimizer as _},
    step::{Batch, StepGradients, forward_backward},
};

/// The allocator of the `morpheus` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about)]
struct Args {
    /// Base model: a built-in name, a single file, or a diffusers folder.
    #[arg(long, default_value = "tiny-xl")]
    base: String,
    /// Rank of the LoRA; alpha is the same.
    #[arg(long, default_value = "8")]
    rank: NonZeroU16,
    /// Pictures in a batch.
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// Side of the square latents.
    #[arg(long, default_value_t = 16)]
    side: usize,
    /// Steps that are timed; two more come before them.
    #[arg(long, default_value_t = 20)]
    n: usize,
}

const WARM_UP: usize = 2;

#[expect(clippy::print_stdout, reason = "the result goes to stdout")]
fn main() -> Result<()> {
    let args = Args::parse();
    let unet = BaseModel::open(&args.base)?.unet;
    let mut random = Random::from_seed(1);
    let alpha = f64::from(args.rank.get());
    let mut network = LoraNetwork::new(unet.config().lora_targets(), args.rank, alpha, &mut random);
    let mut optimizer = AdamW::new(&network, AdamWConfig::default())?;
    let batch = random_batch(&unet, &args, &mut random)?;
    let timesteps: Vec<f32> = batch.timesteps.iter().map(|&t| t as f32).collect();

    let mut step_ms = Vec::new();
    let mut forward_ms = Vec::new();
    for i in 0..WARM_UP + args.n {
        let start = Instant::now();
        let StepGradients { gradients, .. } = {
            let mut pass = forward_backward(&unet, &network, &batch)?;
            pass.gradients.clip(pass.gradients.norm()?, 1.0)?;
            pass
        };
        optimizer.step(&mut network, &gradients, 1e-4)?;
        let step = start.elapsed();
        let start = Instant::now();
        unet.predict(&AdapterSet::new(), &batch.noisy, &timesteps, &batch.conditioning)?;
        let forward = start.elapsed();
        if i >= WARM_UP {
            step_ms.push(step.as_secs_f64() * 1e3);
            forward_ms.push(forward.as_secs_f64() * 1e3);
        }
    }
    println!(
        "{}",
        json!({
            "batch": args.batch,
            "rank": args.rank,
            "median_ms": median(step_ms),
            "forward_ms": median(forward_ms),
        })
    );
    Ok(())
}

fn random_batch(unet: &diffusion::unet::Unet, args: &Args, random: &mut Random) -> Result<Batch> {
    let config = unet.config();
    let latents = (args.batch, config.in_channels, args.side, args.side);
    Ok(Batch {
        noisy: random.normal_tensor(latents)?,
        timesteps: (0..args.batch).map(|_| random.integer(0..1000)).collect(),
        conditioning: Conditioning {
            context: random.normal_tensor((args.batch, 77, config.context_dim))?,
            vector: random.normal_tensor((args.batch, config.vector_dim))?,
        },
        target: random.normal_tensor(latents)?,
        loss: Loss::SquaredError,
        weights: vec![1.0; args.batch],
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
