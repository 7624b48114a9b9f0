//! Times text to picture for `make bench`: the median of several runs, as one line of JSON.

use std::{
    io::{Write, stdout},
    ops::ControlFlow,
    time::Instant,
};

use anyhow::{Context, bail};
use diffusion::{
    base::BaseModel,
    graph::AdapterSet,
    pipeline::{self, PictureRequest, PictureSize},
    schedulers::Sampler,
    tokenizer::TokenLength,
};
use prompt::Reading;

/// The allocator of the `morpheus` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let base = BaseModel::open(&arguments.base)?;
    let request = PictureRequest {
        prompt: arguments.prompt,
        negative: None,
        reading: Reading::default(),
        length: TokenLength::default(),
        guidance: arguments.cfg,
        n_steps: arguments.steps.try_into()?,
        size: match arguments.size {
            Some(side) => PictureSize::new(side, side)?,
            None => PictureSize::native(&base),
        },
        sampler: Sampler::Euler,
        seed: 0,
        initial_noise: None,
    };
    let run = || -> anyhow::Result<f64> {
        let started = Instant::now();
        let none = AdapterSet::new();
        let pictures = pipeline::generate(&base, &none, &request, &mut |_, _| ControlFlow::Continue(()))?;
        anyhow::ensure!(pictures.len() == 1, "no picture");
        Ok(started.elapsed().as_secs_f64() * 1000.0)
    };
    if arguments.warms_up {
        run()?; // the first one fills caches
    }
    let mut times = (0..arguments.n).map(|_| run()).collect::<Result<Vec<_>, _>>()?;
    times.sort_by(f64::total_cmp);
    let result = serde_json::json!({
        "median_ms": times[times.len() / 2],
        "times_ms": times,
        "steps": arguments.steps,
        "peak_mib": peak_mib(),
    });
    writeln!(stdout(), "{result}")?;
    Ok(())
}

/// The most memory that the process has had, in MiB; none where the system does not say.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

struct Arguments {
    base: String,
    prompt: String,
    steps: u32,
    cfg: f64,
    n: usize,
    /// Side in pixels; the base model's if it is not given.
    size: Option<u32>,
    /// Whether a picture that is not timed comes first.
    warms_up: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut arguments = Self {
            base: "tiny-xl".to_owned(),
            prompt: "lorelei ink comic portrait of a person".to_owned(),
            steps: 25,
            cfg: 5.0,
            n: 3,
            size: None,
            warms_up: true,
        };
        while let Some(flag) = words.next() {
            let value = words.next().with_context(|| format!("{flag} needs a value"))?;
            match flag.as_str() {
                "--base" => arguments.base = value,
                "--prompt" => arguments.prompt = value,
                "--steps" => arguments.steps = value.parse().context("--steps")?,
                "--cfg" => arguments.cfg = value.parse().context("--cfg")?,
                "--n" => arguments.n = value.parse().context("--n")?,
                "--size" => arguments.size = Some(value.parse().context("--size")?),
                "--warm-up" => arguments.warms_up = value.parse().context("--warm-up")?,
                _ => bail!(
                    "unknown option {flag}, expected --base, --prompt, --steps, --cfg, --n, --size or --warm-up"
                ),
            }
        }
        if arguments.n == 0 {
            bail!("--n must be at least 1");
        }
        Ok(arguments)
    }
}
