//! `generate --again`: the settings that a picture carries, and how this drawing will differ from it.

use std::{
    fmt::Display,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use dataset::picture::read_texts;
use diffusion::{base::BaseModel, schedulers::Sampler, tokenizer::TokenLength};
use protocol::{
    limits::MAX_UPLOADED_FILE_BYTES,
    made::{
        self, Made, MadeLora,
        a1111::{self, NamedLora, Settings},
        comfyui,
    },
    text::shown,
};
use serde::Serialize;
use trainer::made::{self as trained, PROGRAM};

use super::{
    Args, DEFAULT_GUIDANCE, DEFAULT_STEPS, DrawnWith, Plan, PlannedLora, Seed, options::LoraFile, sha256,
};

/// Characters of a prompt that are repeated in a note.
const SHOWN_CHARS: usize = 60;

/// How a drawing compares with the picture that it repeats.
#[derive(Debug, Default, Serialize)]
pub(super) struct Again {
    /// Everything is as recorded, so the pixels are equal to the bit.
    pub(super) exact: bool,
    /// Settings that were replaced, with both values.
    pub(super) differs: Vec<String>,
    /// What could not be taken, and what else may change the picture.
    pub(super) notes: Vec<String>,
}

impl Again {
    /// Notes that a setting was replaced, and gives the value that holds.
    fn replaced<T: PartialEq + Display>(&mut self, what: &str, recorded: T, given: Option<T>) -> T {
        match given {
            Some(given) if given != recorded => {
                self.differs.push(format!(
                    "{what}: {} instead of {}",
                    shown(&given.to_string(), SHOWN_CHARS),
                    shown(&recorded.to_string(), SHOWN_CHARS),
                ));
                given
            }
            _ => recorded,
        }
    }
}

/// Plans to draw a picture again.
pub(super) fn plan(picture: &Path, args: &Args) -> anyhow::Result<Plan> {
    match read(picture)? {
        Found::Ours(made) => ours(picture, *made, args),
        Found::Foreign(settings) => foreign(picture, *settings, args),
    }
}

/// The settings of a picture.
enum Found {
    Ours(Box<Made>),
    Foreign(Box<Settings>),
}

fn read(picture: &Path) -> anyhow::Result<Found> {
    let named = picture.display();
    let file = File::open(picture).with_context(|| format!("--again: failed to open `{named}`"))?;
    let mut bytes = Vec::new();
    file.take(MAX_UPLOADED_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("--again: failed to read `{named}`"))?;
    if bytes.len() as u64 > MAX_UPLOADED_FILE_BYTES {
        bail!(
            "--again: `{named}` has more than {} MiB",
            MAX_UPLOADED_FILE_BYTES >> 20
        );
    }
    let texts = match read_texts(&bytes) {
        Ok(texts) => texts,
        Err(problem) => bail!("--again: `{named}` {problem}"),
    };
    let find = |keyword: &str| texts.iter().find(|text| text.keyword == keyword);
    if let Some(record) = find(made::KEYWORD) {
        let made = Made::parse(&record.text);
        let made = made.with_context(|| format!("--again: `{named}` cannot be drawn again"))?;
        return Ok(Found::Ours(Box::new(made)));
    }
    if let Some(parameters) = find(a1111::KEYWORD) {
        return Ok(Found::Foreign(Box::new(a1111::read(&parameters.text))));
    }
    if find(comfyui::PROMPT)
        .or_else(|| find(comfyui::WORKFLOW))
        .is_some()
    {
        bail!(
            "--again: `{named}` carries nodes of ComfyUI, which are not read; settings of Morpheus and A1111 are"
        );
    }
    bail!(
        "--again: `{named}` carries no settings: they were removed, or the program that drew it wrote none"
    );
}

/// A picture of Morpheus: equal to the bit unless an option replaces something, or sd-scripts drew it.
fn ours(picture: &Path, made: Made, args: &Args) -> anyhow::Result<Plan> {
    let mut again = Again::default();
    let of_another_engine = trained::is_of_another_engine(&made);
    if made.is_of_sd_scripts() {
        again.notes.push(
            "sd-scripts drew the picture, from noise that a GPU draws: it will be similar, not equal"
                .to_owned(),
        );
    } else if of_another_engine {
        again.notes.push(format!(
            "the picture was drawn by {}: it will be similar, not equal",
            made.program
        ));
    } else if made.program != PROGRAM {
        again.notes.push(format!(
            "the picture was drawn by {}, and this is {PROGRAM}: single bits may differ",
            made.program
        ));
    }
    let base = match &args.base {
        Some(base) => base.clone(),
        None if BaseModel::BUILT_IN.contains(&made.base.name.as_str()) => made.base.name.clone(),
        None => bail!(
            "--again: the picture was drawn with base model `{}` ({}): name its file or folder with --base",
            made.base.name,
            made.base.short_hash()
        ),
    };
    let wanted: Vec<Wanted> = made.loras.iter().map(Wanted::of).collect();
    let loras = match given(&wanted, args, &mut again)? {
        Given::Instead(loras) => loras,
        Given::Places(places) => {
            let mut loras = Vec::new();
            for (recorded, place) in made.loras.iter().zip(places) {
                let found = match place {
                    Some(found) => found,
                    None => located(picture, recorded)?,
                };
                // The record keeps the name and the version that it had.
                let weight = again.replaced(
                    &format!("weight of {}", recorded.name),
                    recorded.weight,
                    found.weight,
                );
                let made = MadeLora {
                    weight,
                    partial: recorded.partial || args.partial,
                    ..recorded.clone()
                };
                loras.push(PlannedLora {
                    path: found.path,
                    made,
                });
            }
            loras
        }
    };
    let noise = args.init_noise.as_deref().map(sha256).transpose()?;
    match (&made.initial_noise, &noise) {
        (None, None) => {}
        (Some(recorded), Some(given)) if recorded.sha256 == *given => {}
        (Some(recorded), None) => bail!(
            "--again: the picture was drawn from a file with noise ({}): name it with --init-noise",
            short(&recorded.sha256)
        ),
        (Some(recorded), Some(given)) => bail!(
            "--init-noise: the picture was drawn from another file ({}, not {})",
            short(&recorded.sha256),
            short(given)
        ),
        (None, Some(_)) => again
            .differs
            .push("noise: from a file instead of the seed".to_owned()),
    }
    // An absent negative prompt is another one than an empty one.
    let negative = args.negative.clone().or_else(|| made.negative_prompt.clone());
    let shown_negative = |negative: &Option<String>| match negative {
        Some(words) => format!("`{words}`"),
        None => "none".to_owned(),
    };
    again.replaced(
        "negative prompt",
        shown_negative(&made.negative_prompt),
        Some(shown_negative(&negative)),
    );
    let size = |(width, height): (u32, u32)| format!("{width}x{height}");
    let (recorded_size, given_size) = (
        (made.width, made.height),
        args.size.map(|size| (size.width, size.height)),
    );
    again.replaced("size", size(recorded_size), given_size.map(size));
    let sampler = trainer::made::sampler(made.sampler);
    again.replaced("sampler", sampler.name(), args.sampler.map(Sampler::name));
    let seed = match args.seed {
        Some(Seed(None)) => {
            again
                .differs
                .push(format!("seed: a random one instead of {}", made.seed));
            None
        }
        given => Some(again.replaced("seed", made.seed, given.and_then(|Seed(seed)| seed))),
    };
    if args.literal && !made.literal {
        again
            .differs
            .push("prompt: brackets are letters, and were not".to_owned());
    }
    let mut plan = Plan {
        base,
        literal: made.literal || args.literal,
        length: made.max_tokens.try_into()?,
        prompt: again.replaced("prompt", made.prompt.clone(), args.prompt.clone()),
        negative,
        loras,
        seed,
        n_steps: again.replaced("steps", made.n_steps, args.steps),
        guidance: again.replaced("guidance", made.guidance, args.cfg),
        size: Some(given_size.unwrap_or(recorded_size)),
        sampler: args.sampler.unwrap_or(sampler),
        only: made.initial_noise.as_ref().map(|noise| noise.index),
        again: None,
        drawn_with: DrawnWith::Weights(made.base),
    };
    again.exact = again.differs.is_empty() && !of_another_engine;
    plan.again = Some(again);
    Ok(plan)
}

/// A picture of A1111, or of a program that writes as it does: as far as its settings are known here.
fn foreign(picture: &Path, settings: Settings, args: &Args) -> anyhow::Result<Plan> {
    let mut again = Again {
        notes: vec![
            "the settings are those of another program: the picture will be similar, not equal".to_owned(),
        ],
        ..Again::default()
    };
    let untaken = settings.not_taken.iter().map(|what| format!("not taken: {what}"));
    again.notes.extend(untaken);
    let Some(base) = args.base.clone() else {
        let name = settings.base.as_deref().unwrap_or("unknown");
        let hash = settings.base_hash.as_deref().map(|hash| format!(" ({hash})"));
        bail!(
            "--again: the picture was drawn with base model `{name}`{}: name its file or folder with --base",
            hash.unwrap_or_default()
        );
    };
    // Older programs had another hash, of eight digits.
    let hash = settings.base_hash.clone().filter(|hash| hash.len() == 10);
    let drawn_with = hash.map_or(DrawnWith::Anything, |hash| DrawnWith::Named {
        name: settings.base.clone().unwrap_or_else(|| "unknown".to_owned()),
        hash,
    });
    let wanted: Vec<Wanted> = settings.loras.iter().map(Wanted::named).collect();
    let loras = match given(&wanted, args, &mut again)? {
        Given::Instead(loras) => loras,
        Given::Places(places) => {
            let mut loras = Vec::new();
            for (recorded, place) in settings.loras.iter().zip(places) {
                let named = place.or_else(|| {
                    let path = candidates(picture, &recorded.name).find(|path| path.is_file())?;
                    Some(LoraFile { path, weight: None })
                });
                let Some(file) = named else {
                    let name = &recorded.name;
                    again.notes.push(format!(
                        "not taken: LoRA `{name}` is not here; name its file with --lora"
                    ));
                    continue;
                };
                let found = PlannedLora::of(&file, recorded.weight, args.partial)?;
                if !Wanted::named(recorded).is(&found.made) && recorded.hash.is_some() {
                    let (name, path) = (&recorded.name, found.path.display());
                    again.notes.push(format!(
                        "`{path}` is another file than the picture's LoRA `{name}`"
                    ));
                }
                loras.push(found);
            }
            loras
        }
    };
    let replaced =
        |again: &mut Again, what, recorded: Option<f64>, given: Option<f64>, default| match recorded {
            Some(recorded) => again.replaced(what, recorded, given),
            None => given.unwrap_or(default),
        };
    let n_steps = settings.n_steps.map(f64::from);
    let plan = Plan {
        base,
        literal: args.literal,
        length: TokenLength::T75,
        prompt: again.replaced("prompt", settings.prompt, args.prompt.clone()),
        negative: args.negative.clone().or(settings.negative_prompt),
        loras,
        seed: match args.seed {
            Some(Seed(given)) => given,
            None => settings.seed,
        },
        n_steps: replaced(
            &mut again,
            "steps",
            n_steps,
            args.steps.map(f64::from),
            f64::from(DEFAULT_STEPS),
        ) as u32,
        guidance: replaced(
            &mut again,
            "guidance",
            settings.guidance,
            args.cfg,
            DEFAULT_GUIDANCE,
        ),
        size: args.size.map(|size| (size.width, size.height)).or(settings.size),
        sampler: args
            .sampler
            .or(settings.sampler.map(trainer::made::sampler))
            .unwrap_or_default(),
        only: None,
        again: None,
        drawn_with,
    };
    Ok(Plan {
        again: Some(again),
        ..plan
    })
}

/// A LoRA that a picture names, to be found among files.
struct Wanted<'a> {
    name: &'a str,
    /// First digits of the SHA-256 of the file.
    sha256: Option<&'a str>,
    /// First digits of the SHA-256 of its tensors.
    data_sha256: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn of(lora: &'a MadeLora) -> Self {
        Self {
            name: &lora.name,
            sha256: lora.sha256.as_deref(),
            data_sha256: None,
        }
    }

    fn named(lora: &'a NamedLora) -> Self {
        Self {
            name: &lora.name,
            sha256: None,
            data_sha256: lora.hash.as_deref(),
        }
    }

    /// By hash, or by name if the picture has no hash.
    fn is(&self, found: &MadeLora) -> bool {
        let begins = |whole: &Option<String>, part: &str| {
            whole.as_ref().is_some_and(|whole| {
                whole
                    .get(..part.len())
                    .is_some_and(|begin| begin.eq_ignore_ascii_case(part))
            })
        };
        match (self.sha256, self.data_sha256) {
            (Some(hash), _) => begins(&found.sha256, hash),
            // Some programs write the hash of the whole file there.
            (None, Some(hash)) => begins(&found.data_sha256, hash) || begins(&found.sha256, hash),
            (None, None) => found.name == self.name,
        }
    }
}

/// What the LoRA files on the command line are.
enum Given {
    /// Files of the picture's LoRAs, one for each, as far as they are given.
    Places(Vec<Option<LoraFile>>),
    /// Other LoRAs, which take the place of the picture's.
    Instead(Vec<PlannedLora>),
}

fn given(wanted: &[Wanted<'_>], args: &Args, again: &mut Again) -> anyhow::Result<Given> {
    let mut places: Vec<Option<LoraFile>> = vec![None; wanted.len()];
    let mut others = Vec::new();
    for file in &args.loras {
        let found = PlannedLora::of(file, 1.0, args.partial)?;
        let place = (0..wanted.len()).find(|&at| places[at].is_none() && wanted[at].is(&found.made));
        match place {
            Some(at) => places[at] = Some(file.clone()),
            None => others.push(found.made.name),
        }
    }
    if others.is_empty() {
        return Ok(Given::Places(places));
    }
    let names: Vec<&str> = wanted.iter().map(|lora| lora.name).collect();
    let recorded = match names.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    let is_namesake = others.iter().any(|name| names.contains(&name.as_str()));
    let why = if is_namesake {
        ", a file of the same name with other contents"
    } else {
        ""
    };
    again
        .differs
        .push(format!("LoRAs: {} instead of {recorded}{why}", others.join(", ")));
    let files = args.loras.iter();
    let files = files.map(|file| PlannedLora::of(file, 1.0, args.partial));
    Ok(Given::Instead(files.collect::<anyhow::Result<_>>()?))
}

/// Finds the file of a recorded LoRA by its name, and checks its hash.
fn located(picture: &Path, lora: &MadeLora) -> anyhow::Result<LoraFile> {
    let name = &lora.name;
    let Some(hash) = &lora.sha256 else {
        let steps = lora.trained_steps.unwrap_or_default();
        bail!(
            "--again: the picture's LoRA `{name}` was still being trained, {steps} steps in, and is no file: name another \
             with --lora"
        );
    };
    let mut another = None;
    for path in candidates(picture, name).filter(|path| path.is_file()) {
        let file = LoraFile { path, weight: None };
        let found = PlannedLora::of(&file, lora.weight, false)?;
        if found.made.sha256.as_ref() == Some(hash) {
            return Ok(file);
        }
        another = found.made.sha256.map(|hash| (file.path, hash));
    }
    match another {
        Some((path, found)) => bail!(
            "--again: `{}` is another file than the picture's LoRA `{name}` ({}, not {}): name the right one with --lora",
            path.display(),
            short(&found),
            short(hash)
        ),
        None => bail!(
            "--again: the picture's LoRA `{name}` ({}) is neither beside it nor in the working folder: name its file with \
             --lora",
            short(hash)
        ),
    }
}

/// Where a LoRA of this name may lie. Names from pictures never lead out of a folder.
fn candidates(picture: &Path, name: &str) -> impl Iterator<Item = PathBuf> {
    let is_plain = !name.contains(['/', '\\']) && name != ".." && !name.contains('\0');
    let beside = picture.parent().map(Path::to_owned).unwrap_or_default();
    let folders = [beside, PathBuf::new()].into_iter().filter(move |_| is_plain);
    let file_name = format!("{name}.safetensors");
    folders.map(move |folder| folder.join(&file_name))
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
