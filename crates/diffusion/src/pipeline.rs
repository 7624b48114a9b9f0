//! Text to picture, from the prompt to pixels, as diffusers' `StableDiffusionXLPipeline` does it.

mod text;

use std::{error::Error, ops::ControlFlow};

use candle_core::Tensor;
use image::RgbImage;
use prompt::{OwnWord, Prompt, Reading};

use crate::{
    base::{BaseInfo, BaseModel, Facts},
    conditioning::{self, PictureSizes, TextConditioning},
    device::{Device, tensor},
    graph::AdapterSet,
    networks::{Native, NetworkError, Networks},
    random::Random,
    schedulers::{Sampler, SchedulerConfig, StepCount, predicted_picture},
    tokenizer::TokenLength,
    unet::Conditioning,
};

/// What picture is wanted.
#[derive(Debug, Clone)]
pub struct PictureRequest {
    /// What it shall show.
    pub prompt: String,
    /// What it shall not show. Absent and empty are different things, see
    /// [`absent_negative_is_zero`](crate::base::BaseInfo::absent_negative_is_zero).
    pub negative: Option<String>,
    /// How brackets, `BREAK` and tags in both are read. LoRA tags are resolved before: one that is still there is an
    /// error.
    pub reading: Reading,
    /// Tokens that captions were trained with: a plain prompt that fits is encoded as they were. Any other is encoded
    /// in chunks, as other programs do it. For 75 tokens both are the same.
    pub length: TokenLength,
    /// How closely the prompt is followed (Ho and Salimans 2022); 1 or less switches guidance off.
    pub guidance: f64,
    /// Denoising steps.
    pub n_steps: StepCount,
    /// Width and height in pixels.
    pub size: PictureSize,
    /// How noise is turned into a picture.
    pub sampler: Sampler,
    /// Seed of the noise, the same as `torch.Generator("cpu").manual_seed(seed)`.
    pub seed: u64,
    /// Unit-normal noise `[B, 4, H/8, W/8]` to start from, instead of the seed's: B pictures at once.
    pub initial_noise: Option<Tensor>,
}

/// A size that latents can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureSize {
    width: u32,
    height: u32,
}

/// A size that latents cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("size {width}x{height}, expected two multiples of 8 from 64 to 2048")]
pub struct InvalidPictureSize {
    width: u32,
    height: u32,
}

impl PictureSize {
    /// Checks a size.
    ///
    /// # Errors
    /// If a side is no multiple of 8, or too short or long.
    pub fn new(width: u32, height: u32) -> Result<Self, InvalidPictureSize> {
        let fits = |side: u32| side.is_multiple_of(8) && (64..=2048).contains(&side);
        if fits(width) && fits(height) {
            Ok(Self { width, height })
        } else {
            Err(InvalidPictureSize { width, height })
        }
    }

    /// The square that a base model was trained for.
    pub fn native<D: Device>(base: &BaseModel<D>) -> Self {
        Self::native_of(&base.info)
    }

    /// The same of a base model that is not loaded.
    pub fn native_of(base: &BaseInfo) -> Self {
        let side = base.native_resolution.clamp(64, 2048) / 8 * 8;
        Self {
            width: side,
            height: side,
        }
    }

    /// Pixels from left to right.
    pub fn width(self) -> u32 {
        self.width
    }

    /// Pixels from top to bottom.
    pub fn height(self) -> u32 {
        self.height
    }

    fn latent(self) -> (usize, usize) {
        (self.height as usize / 8, self.width as usize / 8)
    }
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The callback asked to stop.
    #[error("cancelled after {n_done} of {n_steps} steps")]
    Cancelled {
        /// Steps done.
        n_done: usize,
        /// Steps wanted.
        n_steps: usize,
    },
    /// A LoRA tag in a prompt; LoRAs are given beside it.
    #[error("`{tag}` in the prompt names a LoRA, and none can be added here: remove it")]
    LoraTag {
        /// The tag as it was written.
        tag: String,
    },
    /// The given noise is for another size.
    #[error("initial noise has shape {found:?}, expected [B, {channels}, {height}, {width}] for this size", channels = expected.0, height = expected.1, width = expected.2)]
    InitialNoise {
        /// Shape of the given noise.
        found: Vec<usize>,
        /// Channels, height and width that fit.
        expected: (usize, usize, usize),
    },
    /// Numbers overflowed.
    #[error("the latents are not finite after step {n_done}: a LoRA or the base model is broken")]
    NotFinite {
        /// Steps done.
        n_done: usize,
    },
    /// A computation failed.
    #[error("failed to {what}")]
    Compute {
        /// What was being computed.
        what: &'static str,
        /// Why it failed.
        #[source]
        err: Box<dyn Error + Send + Sync>,
    },
}

/// How far a picture is: `(steps done, steps in all)`. Breaking off cancels it.
pub type OnStep<'a> = &'a mut dyn FnMut(usize, usize) -> ControlFlow<()>;

/// A step that is done, for those who want to see the picture come into being.
#[derive(Debug)]
pub struct Step<'a> {
    /// Steps done.
    pub n_done: usize,
    /// Steps in all.
    pub n_steps: usize,
    scheduler: &'a SchedulerConfig,
    timestep: f64,
    shape: &'a [usize],
    noisy: &'a [f32],
    output: &'a [f32],
}

impl Step<'_> {
    /// The latents `[B, 4, H/8, W/8]` that the picture would have if it were finished by the U-Net's last answer.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn picture(&self) -> candle_core::Result<Tensor> {
        let latents = predicted_picture(self.scheduler, self.timestep, self.noisy, self.output);
        tensor(latents, self.shape)
    }
}

/// Looks at a step; breaking off cancels the picture.
pub type OnSeen<'a> = &'a mut dyn FnMut(&Step<'_>) -> ControlFlow<()>;

/// Makes the picture, or as many as there is initial noise for. The same request gives the same pixels.
///
/// `adapters` are the LoRAs of U-Net and text encoders, see [`lora`](crate::lora).
///
/// # Errors
/// If it is cancelled, or the numbers break down.
pub fn generate<D: Device>(
    base: &BaseModel<D>,
    adapters: &AdapterSet<D>,
    request: &PictureRequest,
    on_step: OnStep,
) -> Result<Vec<RgbImage>, PipelineError> {
    draw(&mut Native { base, adapters }, request, on_step)
}

/// [`generate`] on the processor. Nothing about it is generic, so that what computes is compiled with this crate, once
/// and optimized, and not with each crate that calls it.
///
/// # Errors
/// As [`generate`].
pub fn generate_on_cpu(
    base: &BaseModel,
    adapters: &AdapterSet,
    request: &PictureRequest,
    on_step: OnStep,
) -> Result<Vec<RgbImage>, PipelineError> {
    generate(base, adapters, request, on_step)
}

/// [`generate_on_cpu`] for somebody who looks at each step.
///
/// # Errors
/// As [`generate`].
pub fn show_on_cpu(
    base: &BaseModel,
    adapters: &AdapterSet,
    request: &PictureRequest,
    on_seen: OnSeen,
) -> Result<Vec<RgbImage>, PipelineError> {
    show(&mut Native { base, adapters }, request, on_seen)
}

/// The latents `[B, 4, H/8, W/8]` of the picture, scaled as the U-Net sees them.
///
/// # Errors
/// If it is cancelled, or the numbers break down.
pub fn denoise<D: Device>(
    base: &BaseModel<D>,
    adapters: &AdapterSet<D>,
    request: &PictureRequest,
    on_step: OnStep,
) -> Result<Tensor, PipelineError> {
    sample(&mut Native { base, adapters }, request, on_step)
}

/// Like [`generate`], with networks that any engine computes.
///
/// # Errors
/// If it is cancelled, the engine fails, or the numbers break down.
pub fn draw(
    networks: &mut dyn Networks,
    request: &PictureRequest,
    on_step: OnStep,
) -> Result<Vec<RgbImage>, PipelineError> {
    show(networks, request, &mut |step: &Step<'_>| {
        on_step(step.n_done, step.n_steps)
    })
}

/// Like [`draw`], for somebody who looks at each step.
///
/// # Errors
/// If it is cancelled, the engine fails, or the numbers break down.
pub fn show(
    networks: &mut dyn Networks,
    request: &PictureRequest,
    on_seen: OnSeen,
) -> Result<Vec<RgbImage>, PipelineError> {
    let latents = sample_seen(networks, request, on_seen)?;
    let n_steps = request.n_steps.get();
    let pictures = networks
        .decode(&latents)
        .map_err(failing("decode the latents", n_steps, n_steps))?;
    to_rgb(&pictures).map_err(computing("convert the picture"))
}

/// Like [`denoise`], with networks that any engine computes.
///
/// # Errors
/// If it is cancelled, the engine fails, or the numbers break down.
pub fn sample(
    networks: &mut dyn Networks,
    request: &PictureRequest,
    on_step: OnStep,
) -> Result<Tensor, PipelineError> {
    sample_seen(networks, request, &mut |step: &Step<'_>| {
        on_step(step.n_done, step.n_steps)
    })
}

fn sample_seen(
    networks: &mut dyn Networks,
    request: &PictureRequest,
    on_seen: OnSeen,
) -> Result<Tensor, PipelineError> {
    let facts = networks.facts();
    let mut random = Random::from_seed(request.seed);
    let noise = initial_noise(facts.n_channels, request, &mut random)?;
    let shape = noise.dims().to_vec();
    let prompts = Prompts::read(&facts, request, networks.words())?;
    let mut scheduler = request.sampler.plan(&facts.scheduler, request.n_steps);
    let timesteps = scheduler.timesteps().to_vec();
    let n_steps = timesteps.len();
    let told = conditioning(networks, &facts, request, &prompts, shape[0]).map_err(failing(
        "encode the prompt",
        0,
        n_steps,
    ))?;
    networks.encoded();

    let scale = scheduler.initial_noise_scale() as f32;
    let mut latents: Vec<f32> = noise
        .flatten_all()
        .and_then(|noise| noise.to_vec1())
        .map_err(computing("read the initial noise"))?;
    latents.iter_mut().for_each(|x| *x *= scale);

    for (step, timestep) in timesteps.iter().enumerate() {
        let scale = scheduler.input_scale(step) as f32;
        let noisy: Vec<f32> = latents.iter().map(|x| x * scale).collect();
        let output = tensor(noisy.clone(), shape.as_slice())
            .map_err(NetworkError::from)
            .and_then(|input| predict(networks, &told, &input, *timestep))
            .map_err(failing("predict the noise", step, n_steps))?;
        scheduler.step(step, &output, &mut latents, &mut random);

        let n_done = step + 1;
        if !latents.iter().all(|x| x.is_finite()) {
            return Err(PipelineError::NotFinite { n_done });
        }
        let seen = Step {
            n_done,
            n_steps,
            scheduler: &facts.scheduler,
            timestep: *timestep,
            shape: &shape,
            noisy: &noisy,
            output: &output,
        };
        if on_seen(&seen).is_break() && n_done < n_steps {
            return Err(PipelineError::Cancelled { n_done, n_steps });
        }
    }
    tensor(latents, shape).map_err(computing("collect the latents"))
}

fn initial_noise(
    channels: usize,
    request: &PictureRequest,
    random: &mut Random,
) -> Result<Tensor, PipelineError> {
    let (height, width) = request.size.latent();
    let Some(noise) = &request.initial_noise else {
        return random
            .normal_tensor((1, channels, height, width))
            .map_err(computing("draw the initial noise"));
    };
    match noise.dims() {
        [n, c, h, w] if *n > 0 && (*c, *h, *w) == (channels, height, width) => Ok(noise.clone()),
        found => Err(PipelineError::InitialNoise {
            found: found.to_vec(),
            expected: (channels, height, width),
        }),
    }
}

/// What the U-Net is told at every step.
struct Told {
    prompt: Conditioning,
    /// The negative prompt and the guidance, unless guidance is off.
    negative: Option<(Conditioning, f32)>,
}

/// Prompt and negative prompt, read.
struct Prompts {
    prompt: Prompt,
    /// Absent if guidance is off, or where zeros stand in for it.
    negative: Option<Prompt>,
}

impl Prompts {
    fn read(facts: &Facts, request: &PictureRequest, words: &[OwnWord]) -> Result<Self, PipelineError> {
        let read = |text: &str| {
            let prompt = Prompt::read_with(text, request.reading, words);
            match prompt.first_tag() {
                Some(tag) => Err(PipelineError::LoraTag { tag: tag.to_owned() }),
                None => Ok(prompt),
            }
        };
        let negative = match &request.negative {
            _ if request.guidance <= 1.0 => None,
            Some(negative) => Some(read(negative)?),
            None if facts.absent_negative_is_zero => None,
            None => Some(read("")?),
        };
        Ok(Self {
            prompt: read(&request.prompt)?,
            negative,
        })
    }

    fn both(&self) -> impl Iterator<Item = &Prompt> {
        [&self.prompt].into_iter().chain(&self.negative)
    }

    fn n_chunks(&self) -> usize {
        self.both().map(|prompt| prompt.chunks.len()).max().unwrap_or(1)
    }

    /// Whether captions of that length could say the same.
    fn fit(&self, length: TokenLength) -> bool {
        self.both()
            .all(|prompt| prompt.is_plain() && prompt.n_tokens() <= length.n_tokens())
    }
}

fn conditioning(
    networks: &mut dyn Networks,
    facts: &Facts,
    request: &PictureRequest,
    prompts: &Prompts,
    n_pictures: usize,
) -> Result<Told, NetworkError> {
    let padding = facts.second_padding;
    let n_chunks = prompts.n_chunks();
    let as_trained = prompts.fit(request.length);
    let mut encode = |prompt: &Prompt| {
        if as_trained {
            let tokens = prompt.chunks.iter().flat_map(|chunk| &chunk.tokens);
            let tokens: Vec<u32> = tokens.map(|token| token.id).collect();
            text::encode_as_trained(networks, padding, &tokens, request.length)
        } else {
            text::encode_prompt(networks, padding, prompt, n_chunks)
        }
    };
    let PictureSize { width, height } = request.size;
    let sizes = vec![PictureSizes::whole(height, width); n_pictures];
    let tell = |text: TextConditioning| -> candle_core::Result<Conditioning> {
        let pooled = text.pooled.repeat((n_pictures, 1))?;
        Ok(Conditioning {
            context: text.context.repeat((n_pictures, 1, 1))?,
            vector: conditioning::vector(&pooled, &sizes)?,
        })
    };
    let prompt = encode(&prompts.prompt)?;
    let negative = if request.guidance > 1.0 {
        let negative = match &prompts.negative {
            Some(negative) => encode(negative)?,
            None => text::absent(&prompt)?,
        };
        Some((tell(negative)?, request.guidance as f32))
    } else {
        None
    };
    Ok(Told {
        prompt: tell(prompt)?,
        negative,
    })
}

/// The U-Net's answer for all pictures, guidance applied.
fn predict(
    networks: &mut dyn Networks,
    told: &Told,
    input: &Tensor,
    timestep: f64,
) -> Result<Vec<f32>, NetworkError> {
    let Some((negative, guidance)) = &told.negative else {
        let answers = networks.predict(input, timestep, &[&told.prompt])?;
        return Ok(answers.into_iter().flatten().collect());
    };
    let answers = networks.predict(input, timestep, &[negative, &told.prompt])?;
    let [negative, positive] = answers.as_slice() else {
        return Err(NetworkError::Failed(
            "the engine did not answer for both prompts".into(),
        ));
    };
    let both = negative.iter().zip(positive);
    Ok(both
        .map(|(negative, positive)| negative + guidance * (positive - negative))
        .collect())
}

/// `[B, 3, H, W]` in [−1, 1] to pixels, rounded as diffusers does.
///
/// # Errors
/// If they have another shape.
pub fn to_rgb(pictures: &Tensor) -> candle_core::Result<Vec<RgbImage>> {
    let (n, _, height, width) = pictures.dims4()?;
    let pictures = pictures.permute((0, 2, 3, 1))?.contiguous()?;
    (0..n)
        .map(|i| {
            let values: Vec<f32> = pictures.get(i)?.flatten_all()?.to_vec1()?;
            let pixels = values
                .iter()
                .map(|x| ((x / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8)
                .collect();
            Ok(RgbImage::from_raw(width as u32, height as u32, pixels).expect("three bytes to a pixel"))
        })
        .collect()
}

fn computing(what: &'static str) -> impl Fn(candle_core::Error) -> PipelineError {
    move |err| PipelineError::Compute {
        what,
        err: err.into(),
    }
}

/// Of an engine that fails, or stops, while it computes step `n_done + 1`.
fn failing(what: &'static str, n_done: usize, n_steps: usize) -> impl FnOnce(NetworkError) -> PipelineError {
    move |err| match err {
        NetworkError::Cancelled => PipelineError::Cancelled { n_done, n_steps },
        NetworkError::Failed(err) => PipelineError::Compute { what, err },
    }
}
