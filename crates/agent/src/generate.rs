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
    base::{BaseModel, BaseOptions},
    lora::{self, Lora, LoraError, Weighted},
    pipeline::{self, PictureRequest, PictureSize},
    schedulers,
    tokenizer::TokenLength,
};
use prompt::Reading;
use protocol::{
    ArtifactId,
    agent::{ArtifactKind, Assignment, Finish, GenerateWork},
    generation::Rendering,
    made::{MadeBase, MadeLora},
    phase::Outcome,
    problem::chain,
};
use trainer::made::{self, LoraHashes};

use crate::{
    break_off::{BreakOff, end_ordered},
    client::{Client, ClientError, Patience},
    instead::{self, Fetched, Holder},
    job::Base,
    lease::Lease,
    measured::Measurements,
    uploads::HandIn,
    work_dir::WorkDir,
};

/// Number of LoRAs kept in memory; each takes tens to hundreds of megabytes for a full SDXL.
const MAX_LORAS: usize = 8;

/// Renders pictures, one after the other.
#[derive(Default)]
pub(crate) struct Renderer {
    loaded: Arc<Mutex<Loaded>>,
}

/// What stays in memory between pictures.
#[derive(Default)]
struct Loaded {
    base: Option<LoadedBase>,
    /// By SHA-256.
    loras: HashMap<String, LoadedLora>,
}

/// A base model in memory.
#[derive(Clone)]
struct LoadedBase {
    source: Base,
    options: BaseOptions,
    model: Arc<BaseModel>,
    /// As pictures name it.
    made: MadeBase,
}

/// A LoRA in memory.
#[derive(Clone)]
struct LoadedLora {
    lora: Arc<Lora>,
    /// SHA-256 of its tensors, in hexadecimal.
    data_sha256: String,
}

impl Renderer {
    /// Renders and uploads one picture. Errors are those of requests to the server; a picture that
    /// fails is reported to it.
    pub(crate) async fn run(
        &self,
        client: &Client,
        work_dir: &WorkDir,
        assignment: &Assignment,
        work: &GenerateWork,
    ) -> Result<(), ClientError> {
        let (lease, mut orders) = Lease::hold(client.clone(), assignment);
        let lost = lease.lost();
        // Dropping the drawing tells the thread that renders to break off.
        let mut left = None;
        let drawn = tokio::select! {
            drawn = self.draw(client, work_dir, &lease, work) => drawn,
            () = end_ordered(&mut orders) => Ok(None),
            leave = client.link().leave() => {
                left = Some(leave.reason);
                Ok(None)
            }
            () = lost.cancelled() => {
                lease.close().await?;
                return Err(ClientError::LeaseLost);
            }
        };
        lease.close().await?;
        let (outcome, detail, picture) = match drawn {
            Ok(Some(picture)) => (Outcome::Completed, None, Some(picture)),
            Ok(None) if left.is_some() => (Outcome::Lost, left, None),
            Ok(None) => (Outcome::Cancelled, None, None),
            Err(detail) => (Outcome::Failed, Some(detail), None),
        };
        let finish = Finish {
            fence: assignment.fence,
            outcome,
            detail,
            result: None,
            picture,
            edited: None,
            disk_fault: false,
        };
        client
            .finish(assignment.attempt_id, &finish, Patience::WORKING)
            .await
    }

    /// The error is text for people.
    async fn draw(
        &self,
        client: &Client,
        work_dir: &WorkDir,
        lease: &Lease,
        work: &GenerateWork,
    ) -> Result<Option<ArtifactId>, String> {
        let folder = work_dir.attempt(lease.attempt).map_err(|err| chain(&err))?;
        let holder = Holder {
            attempt: lease.attempt,
            fence: lease.fence,
        };
        let mut loras = Vec::new();
        for (file, lora) in work.lora_files.iter().zip(&work.request.loras) {
            let path = work_dir.lora(&file.sha256);
            if !path.exists() {
                work_dir.make_room();
            }
            match instead::fetch(client, holder, file, &path).await {
                Ok(Fetched::Here) => {}
                Ok(Fetched::Instead(_)) => {
                    return Err("the server sent a checkpoint in place of a LoRA".into());
                }
                Err(err) => return Err(err.into_detail()),
            }
            loras.push(WeightedFile {
                sha256: file.sha256.clone(),
                path,
                weight: lora.weight as f32,
                partial: lora.partial,
            });
        }
        let located = work_dir
            .bases()
            .furnish(
                client,
                (&work.base, &work.base_known),
                Patience::WORKING,
                &|_, _| {},
            )
            .await
            .map_err(|err| chain(&err))?;
        let picture = folder.path().join("picture.png");
        let break_off = BreakOff::default();
        let task = {
            let loaded = Arc::clone(&self.loaded);
            let wanted = Wanted {
                base: located.base.clone(),
                options: located.options.clone(),
                measurements: work_dir.measurements().said(work.base_known.measured.clone()),
            };
            let request = work.request.clone();
            let (picture, asked) = (picture.clone(), break_off.flag());
            tokio::task::spawn_blocking(move || {
                let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
                loaded.render(&wanted, &loras, &request, &picture, &asked)
            })
        };
        task.await
            .unwrap_or_else(|panic| Err(format!("the engine panicked: {panic}")))?;
        let hand_in = HandIn {
            client: client.clone(),
            attempt: lease.attempt,
            fence: lease.fence,
            lora_name: work.generation_id.to_string(),
        };
        let artifact = hand_in
            .file(ArtifactKind::Picture, &picture)
            .await
            .map_err(|err| chain(&err))?;
        Ok(Some(artifact))
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
    /// Renders one picture to `path`. The error is text for people.
    fn render(
        &mut self,
        wanted: &Wanted,
        files: &[WeightedFile],
        request: &Rendering,
        path: &Path,
        is_dropped: &AtomicBool,
    ) -> Result<(), String> {
        let LoadedBase {
            model: base,
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
        let adapters = lora::adapters(&base, weighted).map_err(|err| {
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
        let pictures =
            pipeline::generate(&base, &adapters, &request, &mut go_on).map_err(|err| chain(&err))?;
        let picture = pictures.first().ok_or("the engine rendered nothing")?;
        let record = made::record(made_base, &request, applied);
        fs::write(path, made::png(picture, &record))
            .map_err(|err| format!("failed to write `{}`: {err}", path.display()))
    }

    fn base(&mut self, wanted: &Wanted) -> Result<LoadedBase, String> {
        if let Some(loaded) = &self.base
            && (&loaded.source, &loaded.options) == (&wanted.base, &wanted.options)
        {
            return Ok(loaded.clone());
        }
        // Drop the old one first: two full SDXL models rarely fit into memory together.
        *self = Self::default();
        let mut model = wanted.base.load(&wanted.options).map_err(|err| chain(&err))?;
        wanted.measurements.tell(&mut model).map_err(|err| chain(&err))?;
        for warning in model.info.warnings() {
            tracing::warn!(base = model.info.name, warning, "base model");
        }
        let loaded = LoadedBase {
            source: wanted.base.clone(),
            options: wanted.options.clone(),
            made: made::base(&model),
            model: Arc::new(model),
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
