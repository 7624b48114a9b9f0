//! Pictures for a server: keeps the base model loaded, and applies LoRAs by weight without reloading it.

mod previews;

use std::{
    collections::HashMap,
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use diffusion::{
    base::{BaseInfo, BaseModel, BaseOptions, Layers, Outline},
    lora::{self, Lora, LoraError, Weighted},
    need::Drawn,
    pipeline::{self, PictureRequest, PictureSize, Step},
    preview::Colors,
    schedulers,
    tokenizer::TokenLength,
};
use image::RgbImage;
use prompt::Reading;
use protocol::{
    agent::{ArtifactKind, Assignment, GenerateWork, Report},
    event::LogLevel,
    generation::Rendering,
    made::{MadeBase, MadeLora},
    problem::chain,
};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use trainer::made::{self, LoraHashes};

use self::previews::Previews;
use crate::{
    attempt::{Attempt, Made, compute},
    client::{Client, ClientError, Patience},
    diffusers::{self, Diffusers, Engine},
    gpu::{Gpu, Hold},
    job::Base,
    lease::Reporter,
    link::Pulse,
    measured::Measurements,
    memory::Room,
    work_dir::WorkDir,
};

/// Number of LoRAs kept in memory; each takes tens to hundreds of megabytes for a full SDXL.
const MAX_LORAS: usize = 8;

/// Said while a training has the GPU.
const WAITING: &str = "waiting for the training on this machine's GPU to end, which goes first";
/// Said from then on.
const RENDERING: &str = "rendering";

/// Renders pictures, one after the other.
pub(crate) struct Renderer {
    loaded: Arc<Mutex<Loaded>>,
    /// What diffusers draws on; none without it.
    gpu: Option<Gpu>,
    /// Tells the keeper of each picture that is done, or has failed.
    drawn: Arc<watch::Sender<()>>,
    /// Gives the GPU's memory back.
    _keeper: Option<AbortOnDropHandle<()>>,
}

/// What stays in memory between pictures.
struct Loaded {
    base: Option<LoadedBase>,
    /// Of its latents, for previews.
    colors: Option<Colors>,
    /// By SHA-256.
    loras: HashMap<String, LoadedLora>,
    /// Draws in place of the native engine, if there is one.
    diffusers: Option<Engine>,
    /// As long as that may have something in the GPU's memory.
    hold: Option<Hold>,
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
    /// Draws with diffusers if that is there, or else with the native engine. Call from within a Tokio runtime.
    ///
    /// # Errors
    /// If there is no room for files.
    pub(crate) fn new(diffusers: Option<Diffusers>, gpu: Gpu) -> Result<Self, diffusers::Failure> {
        let rest_after = diffusers.as_ref().map(|settings| settings.rest_after);
        let loaded = Arc::new(Mutex::new(Loaded {
            base: None,
            colors: None,
            loras: HashMap::new(),
            diffusers: diffusers.map(Engine::new).transpose()?,
            hold: None,
        }));
        let (drawn, news) = watch::channel(());
        let keeper = rest_after.map(|rest_after| {
            let keeping = keep(Arc::clone(&loaded), gpu.clone(), (news, rest_after));
            AbortOnDropHandle::new(tokio::spawn(keeping))
        });
        Ok(Self {
            loaded,
            gpu: keeper.is_some().then_some(gpu),
            drawn: Arc::new(drawn),
            _keeper: keeper,
        })
    }

    /// Waits until no training needs the GPU that diffusers draws on, and says so. What is in its memory is given back
    /// meanwhile.
    async fn turn(&self, say: impl Fn(&str)) -> Option<Hold> {
        let gpu = self.gpu.as_ref()?;
        let mut has_waited = false;
        loop {
            match gpu.draw() {
                Ok(None) => {}
                Ok(Some(hold)) => {
                    if has_waited {
                        say(RENDERING);
                    }
                    return Some(hold);
                }
                Err(err) => {
                    tracing::warn!(error = %err, "the GPU cannot be locked, so a training may run on it too");
                    return None;
                }
            }
            rest(&self.loaded);
            if !has_waited {
                say(WAITING);
            }
            has_waited = true;
            gpu.until_unwanted().await;
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
        // A base model comes and is loaded over minutes, and some pictures take long.
        let pulse = Pulse::new(attempt.client.link().clone());
        let mut loras = Vec::new();
        for (file, lora) in work.lora_files.iter().zip(&work.request.loras) {
            loras.push(WeightedFile {
                path: attempt.lora(file).await?,
                sha256: file.sha256.clone(),
                weight: lora.weight as f32,
                partial: lora.partial,
            });
            pulse.beat();
        }
        let located = attempt
            .work_dir
            .bases()
            .furnish(
                attempt.client,
                (&work.base, &work.base_known),
                Patience::WORKING,
                &|_, _| pulse.beat(),
            )
            .await
            .map_err(|err| chain(&err))?;
        let measurements = attempt.work_dir.measurements();
        let wanted = Wanted {
            base: located.base.clone(),
            options: located.options.clone(),
            measurements: measurements.said(work.base_known.measured.clone()),
            room: attempt.work_dir.room(),
        };
        let reporter = attempt.reporter();
        let hold = self.turn(|name| stage(reporter, name)).await;
        let (loaded, drawn) = (Arc::clone(&self.loaded), Arc::clone(&self.drawn));
        let request = work.request.clone();
        let picture = folder.path().join("picture.png");
        let path = picture.clone();
        let told = reporter.clone();
        let news = compute(move |is_dropped| {
            let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.hold = hold;
            let tell = |preview| told.report(Report::Preview { preview });
            let mut previews = Previews::new(&tell);
            let news = loaded.render(
                &wanted,
                &loras,
                &request,
                &path,
                (&mut previews, is_dropped, &pulse),
            );
            for note in loaded.diffusers.iter_mut().flat_map(Engine::take_notes) {
                told.log(LogLevel::Warning, note);
            }
            drop(loaded);
            drawn.send_replace(());
            news
        })
        .await?;
        if let Some(news) = news {
            reporter.report(news);
        }
        let file_name = format!("{}.png", work.generation_id);
        let artifact = attempt.upload(ArtifactKind::Picture, &picture, file_name).await?;
        Ok(Made::Picture(artifact))
    }
}

/// Ends diffusers' child when nothing was drawn for a while, and as soon as a training needs the GPU.
async fn keep(
    loaded: Arc<Mutex<Loaded>>,
    gpu: Gpu,
    (mut drawn, rest_after): (watch::Receiver<()>, Duration),
) {
    let mut news = drawn.changed().await;
    while news.is_ok() {
        tokio::select! {
            next = drawn.changed() => {
                news = next;
                continue;
            }
            () = tokio::time::sleep(rest_after) => {}
            () = gpu.until_wanted() => {}
        }
        rest(&loaded);
        news = drawn.changed().await;
    }
}

/// Gives the memory of diffusers' device back, until the next picture. While one is drawn it does nothing: the end of
/// that is told.
fn rest(loaded: &Mutex<Loaded>) {
    let mut loaded = match loaded.try_lock() {
        Ok(loaded) => loaded,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    if let Some(engine) = &mut loaded.diffusers {
        engine.unload();
    }
    loaded.hold = None;
}

fn stage(reporter: &Reporter, name: &str) {
    reporter.report(Report::Stage {
        name: name.to_owned(),
        done: 0,
        total: 0,
    });
}

/// A base model on this machine, and what is known of it.
struct Wanted {
    base: Base,
    options: BaseOptions,
    measurements: Measurements,
    /// Whether pictures have to fit into the memory that is free.
    room: Room,
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
        (previews, is_dropped, pulse): (&mut Previews<'_>, &AtomicBool, &Pulse),
    ) -> Result<Option<Report>, String> {
        let LoadedBase {
            model,
            made: made_base,
            ..
        } = self.base(wanted)?;
        pulse.beat();
        let loras = files
            .iter()
            .map(|file| {
                let loaded = self.lora(file)?;
                pulse.beat();
                Ok((loaded, file))
            })
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
        let is_cancelled = || is_dropped.load(Ordering::Relaxed);
        let (pictures, program) = match &model {
            Model::Native(base) => {
                let lengths = files.iter().map(|file| fs::metadata(&file.path));
                let lora_bytes = lengths.flatten().map(|meta| meta.len()).sum();
                wanted.room.check_picture(base, &drawn(&request, lora_bytes))?;
                let adapters = lora::adapters(base, weighted).map_err(|err| chain(&err))?;
                previews.color(&mut self.colors, || Colors::of_base(base));
                let pictures = pipeline::show_on_cpu(base, &adapters, &request, &mut |step: &Step<'_>| {
                    pulse.beat();
                    previews.show(step);
                    go_on_unless(is_cancelled())
                });
                (pictures.map_err(|err| chain(&err))?, made::PROGRAM.to_owned())
            }
            Model::Diffusers(outline) => {
                self.draw_elsewhere(outline, &weighted, &request, (previews, &is_cancelled, pulse))?
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
        (previews, is_cancelled, pulse): (&mut Previews<'_>, diffusers::Cancelled<'_>, &Pulse),
    ) -> Result<(Vec<RgbImage>, String), String> {
        let engine = self.diffusers.as_mut().ok_or("this agent has no diffusers")?;
        let drawing = engine.prepare(outline, loras.iter().copied(), is_cancelled);
        let mut drawing = drawing.map_err(|err| chain(&err))?;
        previews.color(&mut self.colors, || Colors::of(&mut drawing, &outline.info));
        let pictures = pipeline::show(&mut drawing, request, &mut |step: &Step<'_>| {
            pulse.beat();
            previews.show(step);
            go_on_unless(is_cancelled())
        });
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
        self.colors = None;
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

fn go_on_unless(is_cancelled: bool) -> ControlFlow<()> {
    if is_cancelled {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// What decides how much memory a picture takes.
fn drawn(request: &PictureRequest, lora_bytes: u64) -> Drawn {
    Drawn {
        size: request.size,
        n_pictures: 1,
        n_steps: request.n_steps.get(),
        is_guided: request.guidance > 1.0,
        lora_bytes,
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
