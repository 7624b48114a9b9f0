//! Pictures for a server: keeps the base model loaded, and applies LoRAs by weight without reloading it.

use std::{
    collections::HashMap,
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use diffusion::{
    base::{BaseInfo, BaseModel, BaseOptions, Layers, Outline},
    lora::{self, Lora, LoraError, Weighted},
    pipeline::{self, OnStep, PictureRequest, PictureSize},
    schedulers,
    tokenizer::TokenLength,
};
use image::RgbImage;
use prompt::Reading;
use protocol::{
    agent::{ArtifactKind, Assignment, GenerateWork, Report},
    generation::Rendering,
    made::{MadeBase, MadeLora},
    problem::chain,
};
use trainer::made::{self, LoraHashes};

use crate::{
    attempt::{Attempt, Made, compute},
    client::{Client, ClientError, Patience},
    diffusers::{self, Diffusers, Engine},
    job::Base,
    measured::Measurements,
    work_dir::WorkDir,
};

/// Number of LoRAs kept in memory; each takes tens to hundreds of megabytes for a full SDXL.
const MAX_LORAS: usize = 8;

/// Renders pictures, one after the other.
pub(crate) struct Renderer {
    loaded: Arc<Mutex<Loaded>>,
}

/// What stays in memory between pictures.
struct Loaded {
    base: Option<LoadedBase>,
    /// By SHA-256.
    loras: HashMap<String, LoadedLora>,
    /// Draws in place of the native engine, if there is one.
    diffusers: Option<Engine>,
}

/// A base model in memory.
#[derive(Clone)]
struct LoadedBase {
    source: Base,
    options: BaseOptions,
    model: Model,
    /// As pictures name it.
    made: MadeBase,
}

/// A base model as the engine that draws needs it.
#[derive(Clone)]
enum Model {
    Native(Arc<BaseModel>),
    Diffusers(Arc<Outline>),
}

impl Model {
    fn info(&self) -> &BaseInfo {
        match self {
            Self::Native(base) => &base.info,
            Self::Diffusers(outline) => &outline.info,
        }
    }

    fn layers(&self) -> &Layers {
        match self {
            Self::Native(base) => (**base).as_ref(),
            Self::Diffusers(outline) => outline.layers(),
        }
    }
}

/// A LoRA in memory.
#[derive(Clone)]
struct LoadedLora {
    lora: Arc<Lora>,
    /// SHA-256 of its tensors, in hexadecimal.
    data_sha256: String,
}

impl Renderer {
    /// Draws with diffusers if that is there, or else with the native engine.
    ///
    /// # Errors
    /// If there is no room for files.
    pub(crate) fn new(diffusers: Option<Diffusers>) -> Result<Self, diffusers::Failure> {
        let loaded = Loaded {
            base: None,
            loras: HashMap::new(),
            diffusers: diffusers.map(Engine::new).transpose()?,
        };
        Ok(Self {
            loaded: Arc::new(Mutex::new(loaded)),
        })
    }

    /// Gives the memory of diffusers' device back, until the next picture. While one is drawn it does nothing.
    pub(crate) fn rest(&self) {
        if let Ok(mut loaded) = self.loaded.try_lock()
            && let Some(engine) = &mut loaded.diffusers
        {
            engine.unload();
        }
    }

    /// Renders and uploads one picture. Errors are those of requests to the server; a picture that
    /// fails is reported to it.
    pub(crate) async fn run(
        &self,
        client: &Client,
        work_dir: &WorkDir,
        assignment: &Assignment,
        work: &GenerateWork,
    ) -> Result<(), ClientError> {
        let (attempt, interruptions) = Attempt::hold(client, work_dir, assignment);
        let end = interruptions.limit(self.draw(&attempt, work)).await;
        attempt.finish(end).await
    }

    /// The error is text for people.
    async fn draw(&self, attempt: &Attempt<'_>, work: &GenerateWork) -> Result<Made, String> {
        let folder = attempt.folder()?;
        let mut loras = Vec::new();
        for (file, lora) in work.lora_files.iter().zip(&work.request.loras) {
            loras.push(WeightedFile {
                path: attempt.lora(file).await?,
                sha256: file.sha256.clone(),
                weight: lora.weight as f32,
                partial: lora.partial,
            });
        }
        let located = attempt
            .work_dir
            .bases()
            .furnish(
                attempt.client,
                (&work.base, &work.base_known),
                Patience::WORKING,
                &|_, _| {},
            )
            .await
            .map_err(|err| chain(&err))?;
        let measurements = attempt.work_dir.measurements();
        let wanted = Wanted {
            base: located.base.clone(),
            options: located.options.clone(),
            measurements: measurements.said(work.base_known.measured.clone()),
        };
        let loaded = Arc::clone(&self.loaded);
        let request = work.request.clone();
        let picture = folder.path().join("picture.png");
        let path = picture.clone();
        let news = compute(move |is_dropped| {
            let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.render(&wanted, &loras, &request, &path, is_dropped)
        })
        .await?;
        if let Some(news) = news {
            attempt.reporter().report(news);
        }
        let file_name = format!("{}.png", work.generation_id);
        let artifact = attempt.upload(ArtifactKind::Picture, &picture, file_name).await?;
        Ok(Made::Picture(artifact))
    }
}

/// A base model on this machine, and what is known of it.
struct Wanted {
    base: Base,
    options: BaseOptions,
    measurements: Measurements,
}

/// A LoRA file on this machine and its weight.
struct WeightedFile {
    sha256: String,
    path: PathBuf,
    weight: f32,
    partial: bool,
}

impl Loaded {
    /// Renders one picture to `path`; returns what the server has to be told of the base. The error is text for people.
    fn render(
        &mut self,
        wanted: &Wanted,
        files: &[WeightedFile],
        request: &Rendering,
        path: &Path,
        is_dropped: &AtomicBool,
    ) -> Result<Option<Report>, String> {
        let LoadedBase {
            model,
            made: made_base,
            ..
        } = self.base(wanted)?;
        let loras = files
            .iter()
            .map(|file| Ok((self.lora(file)?, file)))
            .collect::<Result<Vec<_>, String>>()?;
        let weighted = loras.iter().map(|(loaded, file)| Weighted {
            lora: &loaded.lora,
            weight: file.weight,
            partial: file.partial,
        });
        let weighted: Vec<Weighted> = weighted.collect();
        // What does not fit is refused before anything is computed.
        let fitting = lora::changes(model.layers(), weighted.iter().copied()).map(drop);
        fitting.map_err(|err| {
            let hint = match err {
                LoraError::LeftOut { .. } => "; to use it all the same, ask with `partial`",
                _ => "",
            };
            chain(&err) + hint
        })?;
        let applied = request.loras.iter().zip(&loras);
        let applied = applied.map(|(named, (loaded, file))| MadeLora {
            name: made::plain_name(named.name.as_deref().unwrap_or(&file.sha256)),
            weight: named.weight,
            partial: named.partial,
            sha256: Some(file.sha256.clone()),
            data_sha256: Some(loaded.data_sha256.clone()),
            model_version_id: Some(named.model_version_id),
            trained_steps: None,
        });
        let made_base = MadeBase {
            name: made::plain_name(&request.base_model),
            ..made_base
        };
        let applied: Vec<MadeLora> = applied.collect();
        let request = picture_request(request)?;
        let mut go_on = |_, _| {
            if is_dropped.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let (pictures, program) = match &model {
            Model::Native(base) => {
                let adapters = lora::adapters(base, weighted).map_err(|err| chain(&err))?;
                let pictures = pipeline::generate_on_cpu(base, &adapters, &request, &mut go_on);
                (pictures.map_err(|err| chain(&err))?, made::PROGRAM.to_owned())
            }
            Model::Diffusers(outline) => {
                let is_cancelled = || is_dropped.load(Ordering::Relaxed);
                self.draw_elsewhere(outline, &weighted, &request, (&mut go_on, &is_cancelled))?
            }
        };
        let picture = pictures.first().ok_or("the engine rendered nothing")?;
        let mut record = made::record(made_base, &request, applied);
        record.program = program;
        fs::write(path, made::png(picture, &record))
            .map_err(|err| format!("failed to write `{}`: {err}", path.display()))?;
        Ok(wanted.measurements.news(model.info()))
    }

    /// The pictures and the program that they are said to be made with.
    fn draw_elsewhere(
        &mut self,
        outline: &Outline,
        loras: &[Weighted<'_>],
        request: &PictureRequest,
        (on_step, is_cancelled): (OnStep<'_>, diffusers::Cancelled<'_>),
    ) -> Result<(Vec<RgbImage>, String), String> {
        let engine = self.diffusers.as_mut().ok_or("this agent has no diffusers")?;
        let drawing = engine.prepare(outline, loras.iter().copied(), is_cancelled);
        let mut drawing = drawing.map_err(|err| chain(&err))?;
        let pictures = pipeline::draw(&mut drawing, request, on_step);
        for note in engine.take_notes() {
            tracing::warn!(note, "diffusers");
        }
        let pictures = pictures.map_err(|err| chain(&err))?;
        // It was said when the child started. Asked for before that, it would start it, and nobody could cancel that.
        let hello = engine.hello().map_err(|err| chain(&err))?;
        Ok((pictures, made::program_with(&hello.describe())))
    }

    fn base(&mut self, wanted: &Wanted) -> Result<LoadedBase, String> {
        if let Some(loaded) = &self.base
            && (&loaded.source, &loaded.options) == (&wanted.base, &wanted.options)
        {
            return Ok(loaded.clone());
        }
        // Drop the old one first: two full SDXL models rarely fit into memory together.
        self.base = None;
        self.loras.clear();
        let (model, made) = match &self.diffusers {
            None => {
                let mut model = wanted.base.load(&wanted.options).map_err(|err| chain(&err))?;
                wanted.measurements.tell(&mut model).map_err(|err| chain(&err))?;
                let made = made::base(&model);
                (Model::Native(Arc::new(model)), made)
            }
            Some(engine) => {
                let outline = engine.outline(&wanted.base.to_string(), &wanted.options);
                let mut outline = outline.map_err(|err| chain(&err))?;
                outline.info.measured = wanted.measurements.known(&outline.info);
                let made = made::base_of(&outline.info, outline.hashes());
                (Model::Diffusers(Arc::new(outline)), made)
            }
        };
        let info = model.info();
        for warning in info.warnings() {
            tracing::warn!(base = info.name, warning, "base model");
        }
        let loaded = LoadedBase {
            source: wanted.base.clone(),
            options: wanted.options.clone(),
            made,
            model,
        };
        self.base = Some(loaded.clone());
        Ok(loaded)
    }

    fn lora(&mut self, file: &WeightedFile) -> Result<LoadedLora, String> {
        if let Some(loaded) = self.loras.get(&file.sha256) {
            return Ok(loaded.clone());
        }
        if self.loras.len() >= MAX_LORAS {
            self.loras.clear();
        }
        let lora = Arc::new(Lora::open(&file.path).map_err(|err| chain(&err))?);
        let hashes = LoraHashes::of(&file.path)
            .map_err(|err| format!("failed to read `{}`: {err}", file.path.display()))?;
        let loaded = LoadedLora {
            lora,
            data_sha256: hashes.data_sha256,
        };
        self.loras.insert(file.sha256.clone(), loaded.clone());
        Ok(loaded)
    }
}

fn picture_request(request: &Rendering) -> Result<PictureRequest, String> {
    let size = PictureSize::new(request.width, request.height);
    let n_steps = request.n_steps.try_into();
    Ok(PictureRequest {
        prompt: request.prompt.clone(),
        // In the API, an empty text means that it is absent.
        negative: Some(request.negative_prompt.clone()).filter(|negative| !negative.is_empty()),
        reading: Reading::of(request.literal),
        // Not known here; up to 75 tokens all lengths are the same.
        length: TokenLength::T75,
        guidance: request.guidance,
        n_steps: n_steps.map_err(|err: schedulers::InvalidStepCount| chain(&err))?,
        size: size.map_err(|err| chain(&err))?,
        sampler: made::sampler(request.sampler),
        seed: request.seed,
        initial_noise: None,
    })
}

#[cfg(test)]
mod tests;
