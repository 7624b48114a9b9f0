//! From a recipe to the inputs of sd-scripts: arguments, dataset file, captions and sample prompts.
//!
//! All of it is pure and accesses no files. What sd-scripts would reject, after it has loaded
//! the base model and encoded every picture, is rejected here.

mod arguments;
mod dataset_file;
mod refusal;

use std::path::{Path, PathBuf};

use dataset::{buckets::BucketLimits, caption::rules::CaptionRules, epoch::Epoch};
use protocol::{
    base::Prediction,
    dataset::{Manifest, ManifestItem, Split},
    foreign::sd_scripts,
    generation::Sampler,
    parameters::{Interpolation, Words as _, bucket_sides},
    recipe::{Parameters, Recipe},
    sample::{Sample, SamplePrompt},
};
use sha2::{Digest as _, Sha256};

pub use self::refusal::{Refusal, Refusals};

/// Steps between two looks for prompts: so long may a sample out of turn be waited for.
const STEPS_BETWEEN_LOOKS: u32 = 10;
/// As many steps take long enough to see that they are done.
const LEAST_STEPS_BETWEEN_LOOKS: u32 = 5;
/// Captions that stand in for sample prompts when the recipe has none.
const N_DEFAULT_PROMPTS: usize = 2;
/// Longest name of a file on Linux is 255 bytes; `-step00000200-state` and `.safetensors` follow the name.
const MAX_NAME_BYTES: usize = 200;

/// Precision of the U-Net. The VAE always uses full precision: in half precision it overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// bfloat16: NVIDIA cards since Ampere.
    #[default]
    Bf16,
    /// Half precision: older cards.
    Fp16,
    /// Single precision: processors.
    Full,
}

impl Precision {
    /// As `--mixed_precision` takes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::Fp16 => "fp16",
            Self::Full => "no",
        }
    }
}

/// How much to save GPU memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Memory {
    /// As the recipe has it, with gradient checkpointing.
    #[default]
    Planned,
    /// Smaller batches, and more of them in one step: the same pictures in every step.
    SmallerBatches,
    /// The frozen U-Net in 8 bits.
    EightBitUnet,
}

impl Memory {
    /// The next cheaper setting, if this recipe has one.
    pub fn cheaper(self, parameters: &Parameters, precision: Precision) -> Option<Self> {
        match self {
            Self::Planned if parameters.batch_size > 1 => Some(Self::SmallerBatches),
            // sd-scripts takes 8 bits only with mixed precision.
            Self::Planned | Self::SmallerBatches
                if precision != Precision::Full && !parameters.eight_bit_base =>
            {
                Some(Self::EightBitUnet)
            }
            _ => None,
        }
    }

    /// Description for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Planned => "as the recipe says",
            Self::SmallerBatches => "smaller batches, with more gradient accumulation",
            Self::EightBitUnet => "the frozen U-Net in 8 bits",
        }
    }

    /// Pictures in a batch, and batches in a step.
    fn batches(self, p: &Parameters) -> (u16, u32) {
        let (size, n) = (p.batch_size, u32::from(p.gradient_accumulation));
        if self == Self::Planned || size == 1 {
            return (size, n);
        }
        let smaller = (1..size)
            .rev()
            .find(|part| size.is_multiple_of(*part))
            .unwrap_or(1);
        (smaller, n * u32::from(size / smaller))
    }
}

/// Inputs of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The configuration.
    pub recipe: &'a Recipe,
    /// The pictures, those that are held out among them.
    pub manifest: &'a Manifest,
    /// A single-file checkpoint or a diffusers folder.
    pub base: &'a Path,
    /// A VAE in place of the base's own: a file or a folder.
    pub vae: Option<&'a Path>,
    /// What the base's U-Net predicts.
    pub prediction: Prediction,
    /// A fingerprint of the base's weights.
    pub base_hash: &'a str,
    /// Folder for everything that sd-scripts reads and writes.
    pub folder: &'a Path,
    /// Folder with both CLIP tokenizers, as sd-scripts caches them.
    pub tokenizers: &'a Path,
    /// Precision of the U-Net.
    pub precision: Precision,
    /// How much to save memory.
    pub memory: Memory,
    /// The LoRA to begin with. A checkpoint goes before it.
    pub start_from: Option<&'a Path>,
    /// The checkpoint to resume from.
    pub resume: Option<Resume<'a>>,
    /// The previews of before the first step exist already.
    pub is_start_drawn: bool,
}

/// The checkpoint that a run resumes from.
#[derive(Debug, Clone, Copy)]
pub struct Resume<'a> {
    /// Folder with the state.
    pub state: &'a Path,
    /// Steps that are done; fewer than the recipe has.
    pub step: u32,
}

/// All inputs of sd-scripts.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Arguments of `sdxl_train_network.py`.
    pub args: Vec<String>,
    /// Content of the file that `--dataset_config` names.
    pub dataset_toml: String,
    /// Where that file belongs.
    pub dataset_file: PathBuf,
    /// Content of the file that `--sample_prompts` names, and where it belongs.
    pub prompts: Option<(PathBuf, String)>,
    /// The pictures that are trained on, each with its caption.
    pub pictures: Vec<Picture>,
    /// The least alpha of a transparent or masked picture, from 0 to 255: sd-scripts takes the alpha as it is for the mask.
    pub least_alpha: u8,
    /// Where they belong. sd-scripts writes its caches there; the name is made of the content.
    pub picture_folder: PathBuf,
    /// Where sd-scripts writes LoRAs, states and samples.
    pub output: PathBuf,
    /// Where it writes its tensorboard file.
    pub logs: PathBuf,
    /// The prompts of the samples, in their order.
    pub sample_prompts: Vec<Sample>,
    /// Steps that were done before; sd-scripts counts, and names its files, from there.
    pub n_before: u32,
    /// The modules of Python that its optimizer needs beside those that sd-scripts always needs.
    pub modules: &'static [&'static str],
    /// Steps of the training from one checkpoint to the next; 0 if it has only the last.
    pub(super) checkpoint_every: u32,
    /// Whether samples are rendered before the first step.
    pub(super) samples_first: bool,
    /// Steps of the training from one sample to the next; 0 if it has none by itself.
    pub(super) sample_every: u32,
    /// Steps of this run after which sd-scripts looks for prompts.
    pub(super) looks_every: u32,
}

/// One picture that sd-scripts trains on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// SHA-256 of the file.
    pub sha256: String,
    /// Name of its file, without extension; the caption has the same.
    pub stem: String,
    /// How many times an epoch shows it, which goes by the folder that it lies in.
    pub repeats: u32,
    /// Whether it is a regularization picture; they lie in folders of their own, too.
    pub is_regularization: bool,
    /// The caption on one line, or with wildcards on several; sd-scripts refuses an empty file, so an empty caption gets
    /// none.
    pub caption: Option<String>,
}

impl Picture {
    /// Its folder within the picture folder; empty for the picture folder itself.
    pub(super) fn folder(&self) -> String {
        match (self.is_regularization, self.repeats) {
            (false, 1) => String::new(),
            (false, repeats) => format!("{repeats}_pictures"),
            (true, repeats) => format!("{repeats}_regularization"),
        }
    }
}

impl Plan {
    /// Plans a training.
    ///
    /// # Errors
    /// If sd-scripts would reject it; all errors are returned at once.
    pub fn new(request: &Request<'_>) -> Result<Self, Refusals> {
        let pictures = pictures(request);
        refusal::check(request, &pictures)?;
        let folder = request.folder;
        let key = content_key(request, &pictures);
        let sample_prompts = sample_prompts(request, &pictures);
        let n_before = request.resume.map_or(0, |resume| resume.step);
        let p = request.recipe.parameters();
        let per_epoch = Epoch::of(&request.manifest.items, p).n_steps;
        let sample_every = p.sample_every(per_epoch);
        // Files of the run that it goes on from have the same names, and stay.
        let own = |name: &str| match n_before {
            0 => folder.join(name),
            step => folder.join(format!("{name}-after-{step:06}")),
        };
        let mut plan = Self {
            args: Vec::new(),
            dataset_toml: String::new(),
            dataset_file: folder.join("dataset.toml"),
            prompts: None,
            least_alpha: least_alpha(p),
            picture_folder: folder.join(format!("pictures-{key}")),
            pictures,
            output: own("output"),
            logs: own("logs"),
            sample_prompts,
            n_before,
            modules: sd_scripts::modules(p),
            checkpoint_every: p.checkpoint_every(per_epoch),
            samples_first: p.sample_at_start && n_before == 0 && !request.is_start_drawn,
            sample_every,
            looks_every: looks_every(sample_every, n_before),
        };
        if !plan.sample_prompts.is_empty() {
            plan.prompts = Some((folder.join("prompts.json"), prompt_file(&plan.sample_prompts)));
        }
        plan.dataset_toml = dataset_file::write(request, &plan);
        plan.args = arguments::list(request, &plan);
        Ok(plan)
    }

    /// Whether prompts shall lie there when sd-scripts looks for them next, after `n_done` steps of the training.
    pub(super) fn wants_samples(&self, n_done: u32) -> bool {
        if self.samples_first && n_done == 0 {
            return true;
        }
        // It still looks after a step that is done.
        let next = n_done
            .saturating_sub(self.n_before)
            .max(1)
            .next_multiple_of(self.looks_every);
        self.looks_every == self.sample_every || (self.n_before + next).is_multiple_of(self.sample_every)
    }

    /// The step after which sd-scripts looks for prompts next, when `n_done` steps of the training are done.
    pub(super) fn next_look(&self, n_done: u32) -> u32 {
        self.n_before + (n_done.saturating_sub(self.n_before) + 1).next_multiple_of(self.looks_every)
    }
}

/// After how many steps sd-scripts looks for prompts. It counts them from where a run began, and renders whatever it
/// finds. So it looks more often than samples are due, and finds prompts when they are due or asked for; unless that
/// were too often to keep up with.
fn looks_every(sample_every: u32, n_before: u32) -> u32 {
    if sample_every == 0 {
        return STEPS_BETWEEN_LOOKS;
    }
    // Where samples are due must be among the steps where it looks.
    let (mut in_step, mut rest) = (sample_every, n_before);
    while rest > 0 {
        (in_step, rest) = (rest, in_step % rest);
    }
    let mut divisors = (STEPS_BETWEEN_LOOKS..=in_step).filter(|n| in_step.is_multiple_of(*n));
    match divisors.next() {
        Some(n_steps) => n_steps,
        None if in_step >= LEAST_STEPS_BETWEEN_LOOKS => in_step,
        None => sample_every,
    }
}

/// The sides that buckets may have: those of the native engine. sd-scripts' own limit of 1024 leaves no wide ones.
fn limits(request: &Request<'_>) -> BucketLimits {
    BucketLimits::of(request.recipe.parameters())
}

fn pictures(request: &Request<'_>) -> Vec<Picture> {
    let subjects = CaptionRules::of(request.recipe);
    let others = subjects.without_trigger_word();
    let trained = |item: &&ManifestItem| item.split == Split::Train;
    let items = request.manifest.items.iter().filter(trained).enumerate();
    items
        .map(|(index, item)| {
            let rules = if item.is_regularization() {
                &others
            } else {
                &subjects
            };
            let caption = rules.written(&item.caption);
            let lines = caption.lines().map(str::trim);
            let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
            // sd-scripts reads the first line only; to the tokenizers a line break is a space. With wildcards it chooses
            // one of the lines.
            let between = if request.recipe.parameters().wildcards {
                "\n"
            } else {
                " "
            };
            Picture {
                sha256: item.sha256.clone(),
                stem: format!("{index:05}"),
                repeats: item.showing.repeats,
                is_regularization: item.is_regularization(),
                caption: (!lines.is_empty()).then(|| lines.join(between)),
            }
        })
        .collect()
}

/// A name for everything that cached latents and text encodings are made of: sd-scripts looks at nothing but the
/// names of cache files, so the name of their folder has to tell.
fn content_key(request: &Request<'_>, pictures: &[Picture]) -> String {
    let p = request.recipe.parameters();
    let mut hasher = Sha256::new();
    hasher.update(format!(
        "{} {} {} {} {}\n",
        p.resolution, p.bucket_step, p.max_tokens, p.seed, request.base_hash
    ));
    let (min_side, max_side) = p.bucket_sides();
    if (min_side, max_side) != bucket_sides(p.resolution, p.bucket_step) {
        hasher.update(format!("sides {min_side} {max_side}\n"));
    }
    if p.bucket_no_upscale {
        hasher.update("not enlarged\n");
    }
    if p.resize_interpolation != Interpolation::Auto {
        hasher.update(format!("interpolation {}\n", p.resize_interpolation.word()));
    }
    if p.weighted_captions {
        hasher.update("emphasis\n");
    }
    if p.masked_loss {
        hasher.update("masks\n");
    }
    if p.random_flip {
        hasher.update("mirrored\n");
    }
    if least_alpha(p) > 0 {
        hasher.update(format!("least alpha {}\n", least_alpha(p)));
    }
    for picture in pictures {
        hasher.update(format!("{} {:?}\n", picture.sha256, picture.caption));
        let folder = picture.folder();
        if !folder.is_empty() {
            hasher.update(format!("{folder}\n"));
        }
    }
    hex::encode(&hasher.finalize()[..8])
}

/// `unmasked_weight` in steps of a picture's alpha.
fn least_alpha(p: &Parameters) -> u8 {
    if p.masked_loss {
        (255.0 * p.unmasked_weight).round() as u8
    } else {
        0
    }
}

fn sample_prompts(request: &Request<'_>, pictures: &[Picture]) -> Vec<Sample> {
    let prompts: Vec<SamplePrompt> = match request.recipe.sample_prompts() {
        [] => {
            let subjects = pictures.iter().filter(|picture| !picture.is_regularization);
            let captions = subjects.filter_map(|picture| picture.caption.as_deref());
            captions.take(N_DEFAULT_PROMPTS).map(SamplePrompt::from).collect()
        }
        prompts => prompts.to_vec(),
    };
    let numbered = prompts.iter().enumerate();
    numbered
        .map(|(index, prompt)| prompt.resolve(index, request.recipe.parameters()))
        .collect()
}

/// In JSON, because a line of sd-scripts' text form is cut at ` --` and dropped when it begins with `#`.
fn prompt_file(samples: &[Sample]) -> String {
    let prompts: Vec<_> = samples
        .iter()
        .map(|sample| {
            let mut entry = serde_json::json!({
                "prompt": sample.prompt,
                "width": sample.width,
                "height": sample.height,
                "sample_steps": sample.n_steps,
                "scale": sample.guidance,
                "seed": sample.seed,
            });
            if let Some(negative) = &sample.negative_prompt {
                entry["negative_prompt"] = negative.as_str().into();
            }
            if sample.sampler != Sampler::default() {
                entry["sample_sampler"] = sampler(sample.sampler).into();
            }
            entry
        })
        .collect();
    serde_json::Value::Array(prompts).to_string()
}

/// The names of `--sample_sampler`.
fn sampler(sampler: Sampler) -> &'static str {
    match sampler {
        Sampler::Euler => "euler",
        Sampler::EulerA => "euler_a",
        Sampler::Ddim => "ddim",
        Sampler::Dpmpp2m => "dpmsolver++",
    }
}

#[cfg(test)]
mod tests;
