//! Times a training step for `make bench`: the median of several, as one line of JSON.
//!
//! A step makes a noisy batch from cached latents and text, goes forward and backward, clips, and moves the LoRA
//! with AdamW, as `train` does.

use std::{
    io::{Write, stdout},
    num::NonZeroU16,
    time::Instant,
};

use candle_core::Tensor;
use clap::Parser;
use diffusion::{
    base::BaseModel,
    conditioning::{self, PictureSizes},
    random::Random,
    schedulers::NoiseSchedule,
    unet::Conditioning,
};
use trainer::{
    network::LoraNetwork,
    optimizer::{AdamW, AdamWConfig},
    step::{Batch, forward_backward},
};

/// See the module.
#[derive(Parser)]
struct Args {
    /// Name or path of a base model
    #[arg(long, default_value = "tiny-xl")]
    base: String,
    /// Rank and alpha of the LoRA
    #[arg(long, default_value = "8")]
    rank: NonZeroU16,
    /// Pictures in a step
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// Steps that are timed
    #[arg(long, default_value_t = 20)]
    n: usize,
    /// The output is JSON in any case
    #[arg(long)]
    json: bool,
}

/// Steps before the timed ones: they fill caches.
const N_WARMUP: usize = 3;
const N_TOKENS: usize = 77;
const LEARNING_RATE: f64 = 1e-4;
const MAX_NORM: f64 = 1.0;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    anyhow::ensure!(args.n > 0 && args.batch > 0, "--n and --batch must be at least 1");
    let base = BaseModel::open(&args.base)?;
    let mut random = Random::from_seed(0);
    let mut network = LoraNetwork::new(
        base.unet.config().lora_targets(),
        args.rank,
        f64::from(args.rank.get()),
        &mut random,
    );
    let mut optimizer = AdamW::new(&network, AdamWConfig::default());
    let cached = Cached::new(&base, args.batch, &mut random)?;
    let noise_schedule = NoiseSchedule::new(&base.scheduler);

    let mut times = Vec::with_capacity(args.n);
    for step in 0..N_WARMUP + args.n {
        let started = Instant::now();
        let batch = cached.noisy(&noise_schedule, &mut random)?;
        let mut gradients = forward_backward(&base.unet, &network, &batch)?.gradients;
        gradients.clip(gradients.norm(), MAX_NORM);
        optimizer.step(&mut network, &gradients, LEARNING_RATE);
        if step >= N_WARMUP {
            times.push(started.elapsed().as_secs_f64() * 1000.0);
        }
    }
    times.sort_by(f64::total_cmp);
    let result = serde_json::json!({
        "median_ms": times[times.len() / 2],
        "times_ms": times,
        "n_modules": network.n_modules(),
    });
    writeln!(stdout(), "{result}")?;
    Ok(())
}

/// What a training encodes once; here random, since the values do not change the time.
struct Cached {
    /// `[B, 4, h, w]`.
    latents: Tensor,
    /// `[B, 77, context]`.
    context: Tensor,
    /// `[B, pooled]`.
    pooled: Tensor,
    sizes: Vec<PictureSizes>,
}

impl Cached {
    fn new(base: &BaseModel, n: usize, random: &mut Random) -> anyhow::Result<Self> {
        let side = base.info.native_resolution;
        let latent_side = side as usize / 8; // the VAE halves a picture three times
        Ok(Self {
            latents: random.normal_tensor((n, 4, latent_side, latent_side))?,
            context: random.normal_tensor((n, N_TOKENS, base.text_encoders.context_width()))?,
            pooled: random.normal_tensor((n, base.text_encoders.pooled_width()))?,
            sizes: vec![PictureSizes::whole(side, side); n],
        })
    }

    /// A batch at random timesteps.
    fn noisy(&self, schedule: &NoiseSchedule, random: &mut Random) -> anyhow::Result<Batch> {
        let n = self.sizes.len();
        let noise = random.normal_tensor(self.latents.shape().clone())?;
        let timesteps: Vec<u32> = (0..n)
            .map(|_| random.integer(0..schedule.n_timesteps() as u32))
            .collect();
        let mut noisy = Vec::with_capacity(n);
        for (i, &timestep) in timesteps.iter().enumerate() {
            let (signal, rest) = schedule.mix(timestep as usize);
            let latents = self.latents.narrow(0, i, 1)?.affine(signal, 0.0)?;
            noisy.push((latents + noise.narrow(0, i, 1)?.affine(rest, 0.0)?)?);
        }
        Ok(Batch {
            noisy: Tensor::cat(&noisy, 0)?,
            timesteps,
            conditioning: Conditioning {
                context: self.context.clone(),
                vector: conditioning::vector(&self.pooled, &self.sizes)?,
            },
            target: noise,
            weights: vec![1.0; n],
        })
    }
}
