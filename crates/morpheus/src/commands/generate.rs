//! `morpheus generate`: text to image on this machine, without a server.

mod options;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, bail};
use candle_core::{DType, Tensor};
use diffusion::{
    base::BaseModel,
    device::HOST,
    lora::{self, Lora},
    pipeline::{self, PictureRequest, PictureSize},
    schedulers::Sampler,
};
use serde::Serialize;

use self::options::{LoraFile, Size};
use crate::{logging, output, progress};

/// See [`crate::Command::Generate`].
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Base model: `tiny-xl`, a single-file SDXL checkpoint, or a diffusers folder
    #[arg(long, value_name = "NAME|PATH", default_value = crate::bases::BUILT_IN)]
    base: String,
    /// What the picture should show
    #[arg(long)]
    prompt: String,
    /// What the picture should not show
    #[arg(long, value_name = "PROMPT")]
    negative: Option<String>,
    /// LoRA file and its weight, 1 if omitted. May be repeated
    #[arg(long = "lora", value_name = "FILE:WEIGHT", allow_hyphen_values = true)]
    loras: Vec<LoraFile>,
    /// Seed of the initial noise [default: random]
    #[arg(long)]
    seed: Option<u64>,
    /// Denoising steps
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=150))]
    steps: u32,
    /// Classifier-free guidance: how closely the prompt is followed; 1 turns it off
    #[arg(long, value_name = "SCALE", default_value_t = 5.0, value_parser = options::guidance)]
    cfg: f64,
    /// Width and height in pixels, multiples of 8 [default: those of the base model]
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    size: Option<Size>,
    /// How noise is turned into a picture
    #[arg(long, value_name = "euler|euler_a|ddim|dpmpp_2m", default_value = "euler")]
    sampler: Sampler,
    /// Safetensors file with the initial noise: tensor `noise`, unit normal, [B, 4, height/8, width/8]
    #[arg(long, value_name = "FILE")]
    init_noise: Option<PathBuf>,
    /// Picture to write; with noise for several pictures, they are numbered
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The result, for programs.
#[derive(Serialize)]
struct Summary<'a> {
    pictures: &'a [PathBuf],
    seed: u64,
    width: u32,
    height: u32,
    duration_ms: u64,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    logging::start("warn");
    if let Some(folder) = args.out.parent().filter(|folder| !folder.as_os_str().is_empty())
        && !folder.is_dir()
    {
        bail!("--out: there is no folder `{}`", folder.display());
    }
    if image::ImageFormat::from_path(&args.out).ok() != Some(image::ImageFormat::Png) {
        bail!("--out: `{}` must end in .png", args.out.display());
    }
    let loras = args
        .loras
        .iter()
        .map(|lora| Ok((Lora::open(&lora.path)?, lora.weight as f32)));
    let loras = loras.collect::<anyhow::Result<Vec<_>>>()?;
    let initial_noise = args.init_noise.as_deref().map(read_noise).transpose()?;
    let base = BaseModel::open(&args.base)?;
    let adapters = lora::adapters(&base, loras.iter().map(|(lora, weight)| (lora, *weight)))?;
    let size = match args.size {
        Some(size) => PictureSize::new(size.width, size.height)?,
        None => PictureSize::native(&base),
    };
    let seed = args.seed.unwrap_or_else(random_seed);
    let request = PictureRequest {
        prompt: args.prompt,
        negative: args.negative,
        guidance: args.cfg,
        n_steps: args.steps.try_into()?,
        size,
        sampler: args.sampler,
        seed,
        initial_noise,
    };

    let started = Instant::now();
    let bar = progress::steps(args.json);
    let pictures = pipeline::generate(&base, &adapters, &request, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    let paths = file_names(&args.out, pictures.len());
    for (picture, path) in pictures.iter().zip(&paths) {
        picture
            .save(path)
            .with_context(|| format!("failed to write `{}`", path.display()))?;
    }
    let summary = Summary {
        pictures: &paths,
        seed,
        width: size.width(),
        height: size.height(),
        duration_ms: started.elapsed().as_millis() as u64,
    };
    if args.json {
        return output::json(&summary);
    }
    for path in &paths {
        output::line(format_args!("{} (seed {seed})", path.display()));
    }
    Ok(())
}

/// Reads the initial noise; the pipeline checks its shape.
fn read_noise(path: &Path) -> anyhow::Result<Tensor> {
    let shown = path.display();
    let mut tensors = candle_core::safetensors::load(path, &HOST)
        .with_context(|| format!("failed to read the starting noise from `{shown}`"))?;
    let noise = tensors.remove("noise").with_context(|| {
        format!("`{shown}` has no tensor `noise`; store the initial noise under that name, [B, 4, height/8, width/8]")
    })?;
    noise
        .to_dtype(DType::F32)
        .with_context(|| format!("the tensor `noise` of `{shown}` cannot be used"))
}

fn random_seed() -> u64 {
    // Few enough digits to be typed again.
    uuid::Uuid::now_v7().as_u128() as u64 % 1_000_000_000
}

/// `a.png` for one picture; `a-1.png`, `a-2.png`, … for several.
fn file_names(out: &Path, n_pictures: usize) -> Vec<PathBuf> {
    if n_pictures == 1 {
        return vec![out.to_owned()];
    }
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    (1..=n_pictures)
        .map(|number| out.with_file_name(format!("{stem}-{number}.png")))
        .collect()
}
