//! Times a whole training step (forward, loss, backward, clip, AdamW) and a forward pass alone on random latents.

use std::{num::NonZeroU16, time::Instant};

use anyhow::Result;
use clap::Parser;
use diffusion::{
    base::BaseModel,
    conditioning::{PictureSizes, embedded_sizes},
    cpu::Cpu,
    graph::AdapterSet,
    random::Random,
    tokenizer::{TokenLength, Tokenizer},
    unet::Conditioning,
};
use serde_json::json;
use trainer::{
    kinds::{Kind, Planned, Sizes},
    losses::Loss,
    network::LoraNetwork,
    optimizers::{AdamW, AdamWConfig, Optimizer as _, Rates},
    step::{Batch, Models, StepGradients, Told, forward_backward},
    targets::{measured, of_text_encoder, of_unet},
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
    /// Kind of LoRA: lora, dora, loha or lokr.
    #[arg(long, default_value = "lora", value_parser = kind)]
    kind: Kind,
    /// Rank of the U-Net's convolutions; 0 leaves them alone.
    #[arg(long, default_value_t = 0)]
    conv_rank: usize,
    /// Train both text encoders too.
    #[arg(long)]
    text: bool,
    /// Compute blocks again on the way back.
    #[arg(long)]
    recompute: bool,
    /// Steps that are timed; two more come before them.
    #[arg(long, default_value_t = 20)]
    n: usize,
}

const WARM_UP: usize = 2;

#[expect(clippy::print_stdout, reason = "the result goes to stdout")]
fn main() -> Result<()> {
    let args = Args::parse();
    let base = BaseModel::open(&args.base)?;
    let mut random = Random::from_seed(1);
    let planned = measured(&base, planned(&base, &args))?;
    let mut network = LoraNetwork::start(&Cpu, planned, &mut random)?;
    let mut optimizer = AdamW::new(&network, AdamWConfig::default())?;
    let batch = random_batch(&base, &args, &mut random)?;
    let conditioning = random_conditioning(&base, &args, &mut random)?;
    let models = Models::from(&base).recomputing(args.recompute);

    let mut step_ms = Vec::new();
    let mut forward_ms = Vec::new();
    for i in 0..WARM_UP + args.n {
        let start = Instant::now();
        let StepGradients { gradients, .. } = {
            let mut pass = forward_backward(models, &network, &batch)?;
            pass.gradients.clip(pass.gradients.norm()?, 1.0)?;
            pass
        };
        optimizer.step(&mut network, &gradients, Rates::same(1e-4))?;
        let step = start.elapsed();
        let start = Instant::now();
        base.unet
            .predict(&AdapterSet::new(), &batch.noisy, &batch.timesteps, &conditioning)?;
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
            "n_parameters": network.n_parameters(),
            "median_ms": median(step_ms),
            "forward_ms": median(forward_ms),
        })
    );
    Ok(())
}

fn kind(word: &str) -> Result<Kind, String> {
    match word {
        "lora" => Ok(Kind::Lora),
        "dora" => Ok(Kind::Dora),
        "loha" => Ok(Kind::Loha),
        "lokr" => Ok(Kind::Lokr { factor: 8 }),
        _ => Err("expected lora, dora, loha or lokr".to_owned()),
    }
}

/// What is trained. Alpha is the rank.
fn planned(base: &BaseModel, args: &Args) -> Vec<Planned> {
    let sizes = |rank: usize| Sizes {
        rank,
        alpha: rank as f64,
    };
    let of_linear = sizes(usize::from(args.rank.get()));
    let of_kernels = (args.conv_rank > 0).then(|| sizes(args.conv_rank));
    let mut planned = of_unet(base, args.kind, of_linear, of_kernels);
    if args.text {
        let encoders = &base.text_encoders;
        planned.extend(of_text_encoder(&encoders.first, args.kind, of_linear, 1.0));
        planned.extend(of_text_encoder(&encoders.second, args.kind, of_linear, 1.0));
    }
    planned
}

fn random_conditioning(base: &BaseModel, args: &Args, random: &mut Random) -> Result<Conditioning> {
    let config = base.unet.config();
    Ok(Conditioning {
        context: random.normal_tensor((args.batch, 77, config.context_dim))?,
        vector: random.normal_tensor((args.batch, config.vector_dim))?,
    })
}

fn random_batch(base: &BaseModel, args: &Args, random: &mut Random) -> Result<Batch> {
    let config = base.unet.config();
    let latents = (args.batch, config.in_channels, args.side, args.side);
    let told = if args.text {
        let text = Tokenizer.encode("a portrait of zora in the rain");
        let texts = vec![text; args.batch];
        let sizes = vec![PictureSizes::whole(1024, 1024); args.batch];
        Told::Tokens {
            texts: base.text_encoders.lay_out(&texts, TokenLength::T75),
            sizes: embedded_sizes(&sizes)?,
        }
    } else {
        Told::Encoded(random_conditioning(base, args, random)?)
    };
    Ok(Batch {
        noisy: random.normal_tensor(latents)?,
        timesteps: (0..args.batch).map(|_| random.integer(0..1000) as f32).collect(),
        told,
        target: random.normal_tensor(latents)?,
        loss: Loss::SquaredError,
        weights: vec![1.0; args.batch],
        corners: vec![1.0; args.batch],
        mask: Vec::new(),
        draws: None,
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
