//! `morpheus generate`: text to image on this machine, without a server.

mod again;
mod engines;
mod options;
mod prompts;

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, bail};
use candle_core::{DType, Tensor};
use diffusion::{
    device::HOST,
    lora::{self, Lora, Weighted},
    need::Need,
    pipeline::{PictureRequest, PictureSize},
    schedulers::Sampler,
    tokenizer::TokenLength,
};
use prompt::Reading;
use protocol::made::{InitialNoise, MadeBase, MadeLora};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use trainer::made::{self, LoraHashes};

pub(super) use self::options::LoraFile;
use self::{
    again::Again,
    engines::{Drawer, PictureEngine},
    options::{Seed, Size},
    prompts::TaggedLora,
};
use crate::{bases::BaseFlags, diffusers::DiffusersFlags, logging, output, progress};

/// Denoising steps if nothing else is said.
const DEFAULT_STEPS: u32 = 25;
/// Classifier-free guidance if nothing else is said.
const DEFAULT_GUIDANCE: f64 = 5.0;

/// See [`crate::Command::Generate`].
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Base model: `tiny-xl`, a single-file SDXL checkpoint, or a diffusers folder [default: tiny-xl]
    #[arg(long, value_name = "NAME|PATH")]
    base: Option<String>,
    #[command(flatten)]
    base_flags: BaseFlags,
    /// What computes the picture. Prompts, noise, samplers and LoRAs are the same for both
    #[arg(long, value_enum, default_value_t = PictureEngine::Native)]
    engine: PictureEngine,
    #[command(flatten)]
    diffusers: DiffusersFlags,
    /// What the picture should show. `(x)`, `[x]` and `(x:1.3)` set emphasis, `BREAK` begins a new chunk of 75 tokens,
    /// and `<lora:NAME:WEIGHT>` applies `NAME.safetensors` of --lora-dir or --lora
    #[arg(long, required_unless_present = "again")]
    prompt: Option<String>,
    /// What the picture should not show
    #[arg(long, value_name = "PROMPT")]
    negative: Option<String>,
    /// Read brackets, BREAK and LoRA tags as letters
    #[arg(long)]
    literal: bool,
    /// Folder with LoRA files for tags in the prompt. May be repeated
    #[arg(long = "lora-dir", value_name = "DIR")]
    lora_dirs: Vec<PathBuf>,
    /// LoRA file and its weight, 1 if omitted. May be repeated
    #[arg(long = "lora", value_name = "FILE:WEIGHT", allow_hyphen_values = true)]
    loras: Vec<LoraFile>,
    /// Apply what of a LoRA fits the base model and leave the rest out, instead of refusing it
    #[arg(long)]
    partial: bool,
    /// Seed of the initial noise, up to 18446744073709551615; -1 is a random one [default: random]
    #[arg(long, allow_hyphen_values = true)]
    seed: Option<Seed>,
    /// Denoising steps [default: 25]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=150))]
    steps: Option<u32>,
    /// Classifier-free guidance: how closely the prompt is followed; 1 turns it off [default: 5]
    #[arg(long, value_name = "SCALE", value_parser = options::guidance)]
    cfg: Option<f64>,
    /// Width and height in pixels, multiples of 8 [default: those of the base model]
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    size: Option<Size>,
    /// How noise is turned into a picture [default: euler]
    #[arg(long, value_name = "euler|euler_a|ddim|dpmpp_2m")]
    sampler: Option<Sampler>,
    /// Draw a picture again with the settings that it carries; other options replace its settings. Its LoRAs are looked
    /// for beside it and in the working folder, or named with --lora; their hashes are checked, and the base model's
    #[arg(long, value_name = "FILE.png")]
    again: Option<PathBuf>,
    /// Safetensors file with the initial noise: tensor `noise`, unit normal, [B, 4, height/8, width/8]
    #[arg(long, value_name = "FILE")]
    init_noise: Option<PathBuf>,
    /// Picture to write; with noise for several pictures, they are numbered
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
    /// Draw with the native engine even if the free memory is not enough
    #[arg(long)]
    ignore_memory: bool,
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
    /// What was reckoned before, with the native engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimate: Option<Estimate>,
    /// LoRAs that the prompt named.
    tagged_loras: &'a [TaggedLora],
    /// Chunks of 75 tokens of the longer prompt.
    n_chunks: usize,
    warnings: &'a [String],
    /// With `--again`.
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<&'a Again>,
}

/// What a picture was reckoned to take.
#[derive(Serialize)]
struct Estimate {
    memory_bytes: u64,
    step_ms: u64,
    duration_ms: u64,
}

impl From<Need> for Estimate {
    fn from(need: Need) -> Self {
        Self {
            memory_bytes: need.bytes,
            step_ms: need.step.as_millis() as u64,
            duration_ms: need.whole.as_millis() as u64,
        }
    }
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
    let mut plan = match &args.again {
        Some(picture) => again::plan(picture, &args)?,
        None => Plan::of(&args)?,
    };
    let reading = Reading::of(plan.literal);
    let negative = plan.negative.as_deref();
    let prompts = prompts::read(&plan.prompt, negative, reading, &args.loras, &args.lora_dirs)?;
    if !args.json {
        for warning in &prompts.warnings {
            output::note(format_args!("warning: {warning}"));
        }
        for lora in &prompts.loras {
            let (path, weight) = (lora.path.display(), lora.weight);
            output::note(format_args!("`{}` is `{path}` at weight {weight}", lora.tag));
        }
    }
    for lora in &prompts.loras {
        let file = LoraFile {
            path: lora.path.clone(),
            weight: Some(lora.weight),
        };
        plan.loras.push(PlannedLora::of(&file, 1.0, args.partial)?);
    }
    let loras = plan
        .loras
        .iter()
        .map(|lora| Ok((Lora::open(&lora.path)?, &lora.made)));
    let loras = loras.collect::<anyhow::Result<Vec<_>>>()?;
    let noise = args.init_noise.as_deref().map(read_noise).transpose()?;
    let noise_sha256 = args.init_noise.as_deref().map(sha256).transpose()?;
    let mut base_options = args.base_flags.options();
    if let DrawnWith::Weights(recorded) = &plan.drawn_with {
        base_options.prediction = base_options.prediction.or(recorded.prediction);
    }
    let mut drawer = Drawer::open(args.engine, &args.diffusers, &plan.base, &base_options)?;
    let info = drawer.info();
    for warning in info.warnings() {
        tracing::warn!(base = info.name, warning, "base model");
    }
    let made_base = drawer.made();
    plan.drawn_with.check(&made_base, &mut plan.again)?;
    if let Some(again) = plan
        .again
        .as_mut()
        .filter(|_| args.engine == PictureEngine::Diffusers)
    {
        again.exact = false;
        again
            .notes
            .push("diffusers computes in another order: the picture will be similar, not equal".to_owned());
    }
    for note in plan
        .again
        .iter()
        .flat_map(|again| again.differs.iter().chain(&again.notes))
    {
        output::note(format_args!("{note}"));
    }
    let weighted = loras.iter().map(|(lora, made)| Weighted {
        lora,
        weight: made.weight as f32,
        partial: made.partial,
    });
    let weighted: Vec<Weighted> = weighted.collect();
    // What does not fit is refused before it is told what is left out.
    lora::changes(drawer.layers(), weighted.iter().copied())
        .map(drop)
        .map_err(super::lora::with_hint)?;
    for (lora, _) in &loras {
        super::lora::tell(lora, drawer.layers());
    }
    let size = match plan.size {
        Some((width, height)) => PictureSize::new(width, height)?,
        None => PictureSize::native_of(drawer.info()),
    };
    let seed = plan.seed.unwrap_or_else(random_seed);
    let request = PictureRequest {
        prompt: prompts.prompt,
        negative: plan.negative,
        reading,
        length: plan.length,
        guidance: plan.guidance,
        n_steps: plan.n_steps.try_into()?,
        size,
        sampler: plan.sampler,
        seed,
        initial_noise: noise,
    };

    let need = drawer.check_memory(&request, &plan.loras, args.ignore_memory)?;
    if let Some(need) = need.filter(|_| !args.json) {
        output::note(format_args!("this takes {need}"));
    }
    let started = Instant::now();
    let bar = progress::steps(args.json);
    let pictures = drawer.draw(&weighted, &request, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    let made_loras: Vec<MadeLora> = plan.loras.iter().map(|lora| lora.made.clone()).collect();
    let mut record = made::record(made_base, &request, made_loras);
    record.program = drawer.program();
    let pictures: Vec<_> = (0..)
        .zip(pictures)
        .filter(|(index, _)| plan.only.is_none_or(|only| only == *index))
        .collect();
    if pictures.is_empty() {
        bail!("--init-noise: the file has fewer pictures than the one that the picture was drawn from");
    }
    let paths = file_names(&args.out, pictures.len());
    for ((index, picture), path) in pictures.iter().zip(&paths) {
        record.initial_noise = noise_sha256.clone().map(|sha256| InitialNoise {
            sha256,
            index: *index,
        });
        fs::write(path, made::png(picture, &record))
            .with_context(|| format!("failed to write `{}`", path.display()))?;
    }
    let summary = Summary {
        pictures: &paths,
        seed,
        width: size.width(),
        height: size.height(),
        duration_ms: started.elapsed().as_millis() as u64,
        estimate: need.map(Estimate::from),
        tagged_loras: &prompts.loras,
        n_chunks: prompts.n_chunks,
        warnings: &prompts.warnings,
        again: plan.again.as_ref(),
    };
    if args.json {
        return output::json(&summary);
    }
    for path in &paths {
        output::line(format_args!("{} (seed {seed})", path.display()));
    }
    Ok(())
}

/// Everything that a picture is drawn from.
struct Plan {
    base: String,
    prompt: String,
    negative: Option<String>,
    literal: bool,
    length: TokenLength,
    loras: Vec<PlannedLora>,
    /// A random one if absent.
    seed: Option<u64>,
    n_steps: u32,
    guidance: f64,
    /// Width and height in pixels; those of the base model if absent.
    size: Option<(u32, u32)>,
    sampler: Sampler,
    /// The one picture that is wanted of several.
    only: Option<u32>,
    /// How it compares with the picture that is drawn again.
    again: Option<Again>,
    drawn_with: DrawnWith,
}

/// A LoRA file, and what the picture will say about it.
struct PlannedLora {
    path: PathBuf,
    made: MadeLora,
}

impl Plan {
    /// What the options say.
    fn of(args: &Args) -> anyhow::Result<Self> {
        let loras = args
            .loras
            .iter()
            .map(|lora| PlannedLora::of(lora, 1.0, args.partial));
        Ok(Self {
            base: args
                .base
                .clone()
                .unwrap_or_else(|| crate::bases::BUILT_IN.to_owned()),
            prompt: args.prompt.clone().unwrap_or_default(),
            negative: args.negative.clone(),
            literal: args.literal,
            length: TokenLength::T75,
            loras: loras.collect::<anyhow::Result<_>>()?,
            seed: args.seed.and_then(|Seed(seed)| seed),
            n_steps: args.steps.unwrap_or(DEFAULT_STEPS),
            guidance: args.cfg.unwrap_or(DEFAULT_GUIDANCE),
            size: args.size.map(|size| (size.width, size.height)),
            sampler: args.sampler.unwrap_or_default(),
            only: None,
            again: None,
            drawn_with: DrawnWith::Anything,
        })
    }
}

/// The base model of the picture that is drawn again.
enum DrawnWith {
    /// Nothing is drawn again, or the picture does not say.
    Anything,
    /// These weights, to the bit.
    Weights(MadeBase),
    /// A file, by its name and the first ten digits of its SHA-256.
    Named { name: String, hash: String },
}

impl DrawnWith {
    /// Refuses another base model than that of the picture that is drawn again. Of a picture from elsewhere it is noted.
    fn check(&self, base: &MadeBase, again: &mut Option<Again>) -> anyhow::Result<()> {
        match self {
            Self::Anything => {}
            Self::Weights(recorded) if recorded.fingerprint != base.fingerprint => bail!(
                "the picture was drawn with base model `{}` ({}), and `{}` is another one ({}): name the right one with \
                 --base, and its VAE with --vae if it had one of its own",
                recorded.name,
                recorded.short_hash(),
                base.name,
                base.short_hash(),
            ),
            Self::Weights(recorded) => match (recorded.prediction, base.prediction) {
                (Some(was), Some(is)) if was != is => bail!(
                    "--prediction: the picture was drawn with a base model that predicts {}, not {}",
                    was.word(),
                    is.word()
                ),
                _ => {}
            },
            Self::Named { hash, .. } if base.short_hash().eq_ignore_ascii_case(hash) => {}
            Self::Named { name, hash } => {
                let note = format!(
                    "the picture was drawn with base model `{name}` ({hash}), and `{}` is another one ({})",
                    base.name,
                    base.short_hash()
                );
                if let Some(again) = again {
                    again.notes.push(note);
                }
            }
        }
        Ok(())
    }
}

impl PlannedLora {
    /// Reads the hashes of a file. `weight` is the one that it has unless one was given.
    fn of(file: &LoraFile, weight: f64, partial: bool) -> anyhow::Result<Self> {
        let hashes = LoraHashes::of(&file.path)
            .with_context(|| format!("failed to read the LoRA `{}`", file.path.display()))?;
        let stem = file.path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self {
            path: file.path.clone(),
            made: MadeLora {
                name: made::plain_name(&stem),
                weight: file.weight.unwrap_or(weight),
                partial,
                sha256: Some(hashes.sha256),
                data_sha256: Some(hashes.data_sha256),
                model_version_id: None,
                trained_steps: None,
            },
        })
    }
}

/// SHA-256 of a file, in hexadecimal.
fn sha256(path: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))?;
    Ok(hex::encode(Sha256::digest(bytes)))
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
