//! A small job, and what stands in for sd-scripts while it is trained.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use agent::{
    Measurements,
    diffusers::Diffusers,
    engine::{Base, Ended, Engine, Job, JudgeShare, TrainEvent},
    gpu::Gpu,
    kohya::{Kohya, Precision},
    memory::Room,
};
use diffusion::{
    base::{BaseModel, BaseOptions},
    random::Random,
};
use image::{Rgb, RgbImage};
use protocol::{
    DatasetVersionId, ItemId,
    agent::{ArtifactKind, Directive, Report},
    dataset::{Manifest, ManifestItem, Split},
    event::{LogLevel, StepMetrics},
    preset::BaseClass,
    recipe::{self, ParameterOverrides, Recipe, RecipeRequest},
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use trainer::{metadata::write_lora, network::LoraNetwork};

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(240);

/// What one run of the stand-in does; see `examples/kohya_replay.rs`.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Run {
    pub(crate) out: Option<PathBuf>,
    pub(crate) err: Option<PathBuf>,
    pub(crate) pause_ms: u64,
    pub(crate) files: Vec<(PathBuf, String)>,
    pub(crate) events: Option<PathBuf>,
    pub(crate) losses: Vec<f32>,
    pub(crate) stays: bool,
    pub(crate) exit: u8,
}

/// A folder with everything that a job of four steps on `tiny-xl` needs.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
    recipe: Recipe,
    pub(crate) python: PathBuf,
    /// The Python with diffusers, if it is another.
    pub(crate) diffusers: Option<PathBuf>,
    pub(crate) quiet_seconds: u64,
    pub(crate) precision: Precision,
    pub(crate) judging: JudgeShare,
    pub(crate) resume_from: Option<PathBuf>,
}

/// What came out of a run.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) ended: Result<Ended, String>,
    pub(crate) metrics: Vec<StepMetrics>,
    pub(crate) stages: Vec<String>,
    pub(crate) logs: Vec<(LogLevel, String)>,
    pub(crate) wrote: Vec<ArtifactKind>,
}

impl Told {
    pub(crate) fn steps(&self) -> Vec<(u32, f64)> {
        self.metrics
            .iter()
            .map(|metrics| (metrics.step, metrics.loss))
            .collect()
    }

    fn take(&mut self, event: TrainEvent) {
        match event {
            TrainEvent::Report(Report::Step(metrics)) => self.metrics.push(metrics),
            TrainEvent::Report(Report::Stage { name, .. }) => self.stages.push(name),
            TrainEvent::Report(Report::Log { level, message }) => self.logs.push((level, message)),
            TrainEvent::Report(_) => {}
            TrainEvent::Wrote { kind, path } => {
                assert!(path.is_file(), "{}", path.display());
                self.wrote.push(kind);
            }
        }
    }
}

impl Stage {
    pub(crate) fn new(change: impl FnOnce(&mut RecipeRequest)) -> Self {
        let mut request = RecipeRequest {
            engine: recipe::Engine::Kohya,
            base_model: "tiny-xl".into(),
            name: "zora".into(),
            sample_prompts: vec!["zora".into()],
            overrides: ParameterOverrides {
                n_steps: Some(4),
                batch_size: Some(1),
                resolution: Some(64),
                checkpoint_every_n_steps: Some(2),
                sample_every_n_steps: Some(2),
                ..ParameterOverrides::default()
            },
            ..RecipeRequest::default()
        };
        change(&mut request);
        let recipe = Recipe::resolve(request, BaseClass::Tiny).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sd-scripts")).unwrap();
        // Beside the folder of this test's program, where cargo puts examples.
        let own = std::env::current_exe().unwrap();
        let python = own
            .parent()
            .and_then(Path::parent)
            .unwrap()
            .join("examples/kohya_replay");
        assert!(
            python.exists(),
            "{} is missing; cargo test builds it",
            python.display()
        );
        Self {
            folder,
            recipe,
            python,
            diffusers: None,
            quiet_seconds: 120,
            precision: Precision::Full,
            judging: JudgeShare::NONE,
            resume_from: None,
        }
    }

    pub(crate) fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    /// The GPU that it trains on, unless its precision is for the processor.
    pub(crate) fn gpu(&self) -> Gpu {
        Gpu::of(self.folder.path())
    }

    fn kohya_dir(&self) -> PathBuf {
        self.folder.path().join("sd-scripts")
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Puts a stand-in for Python with diffusers beside, which does as it is planned; see `tests/it/diffusers/child.py`.
    pub(crate) fn diffusers(&mut self, plan: &str) {
        let folder = self.folder.path().join("diffusers");
        fs::create_dir(&folder).unwrap();
        let python = folder.join("python");
        fs::write(&python, include_str!("../diffusers/child.py")).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.join("plan.json"), plan).unwrap();
        self.diffusers = Some(python);
    }

    /// How often it was asked for something.
    pub(crate) fn n_asked_of_diffusers(&self, op: &str) -> usize {
        let log = fs::read_to_string(self.folder.path().join("diffusers/log.jsonl")).unwrap_or_default();
        log.matches(&format!("\"op\": \"{op}\"")).count()
    }

    pub(crate) fn plays<const N: usize>(&self, runs: [Run; N]) {
        fs::write(
            self.kohya_dir().join("replay.json"),
            serde_json::to_vec(&runs.to_vec()).unwrap(),
        )
        .unwrap();
    }

    /// A LoRA for `tiny-xl` of which `value` makes every number of an up matrix.
    pub(crate) fn lora(&self, name: &str, value: impl Fn(usize) -> f32) -> PathBuf {
        let base = BaseModel::open("tiny-xl").unwrap();
        let rank = 4.try_into().unwrap();
        let mut network = LoraNetwork::new(
            base.unet.config().lora_targets(),
            rank,
            4.0,
            &mut Random::from_seed(1),
        );
        let ups: Vec<_> = network
            .parameters()
            .filter(|p| p.name.ends_with("lora_up.weight"))
            .map(|p| p.place.range())
            .collect();
        for range in ups {
            for (index, number) in network.values_mut()[range].iter_mut().enumerate() {
                *number = value(index);
            }
        }
        let path = self.folder.path().join(name);
        let metadata = [("ss_output_name".to_owned(), "zora".to_owned())].into();
        write_lora(&path, &network.to_tensors().unwrap(), metadata).unwrap();
        path
    }

    /// Four steps with their losses among the events, two states, a sample, and a LoRA.
    pub(crate) fn good_run(&self) -> Run {
        let out = "caching latents with caching strategy.\n\nepoch 1/2\n\nepoch 2/2\nmodel saved.\n";
        let err: String = (0..=4).map(|step| bar(step, "0.5")).collect();
        let lora = self.lora("good.safetensors", |index| 0.02 * (index % 7) as f32 - 0.05);
        let any = self.file("any", "any");
        let mut png = b"a picture".to_vec();
        png.extend([b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82]);
        let png = self.file("sample.png", png);
        let mut files = vec![
            (lora.clone(), "NAME.safetensors".to_owned()),
            (lora.clone(), "NAME-step00000002.safetensors".to_owned()),
            (png, "sample/NAME_000002_00_20261122124900_42.png".to_owned()),
        ];
        for state in ["NAME-step00000002-state", "NAME-state"] {
            for file in [
                "train_state.json",
                "model.safetensors",
                "optimizer.bin",
                "scheduler.bin",
                "random_states_0.pkl",
            ] {
                let content = if file == "model.safetensors" { &lora } else { &any };
                files.push((content.clone(), format!("{state}/{file}")));
            }
        }
        Run {
            out: Some(self.file("out", out)),
            err: Some(self.file("err", err)),
            pause_ms: 20,
            files,
            losses: (1..=4).map(|step| 0.5_f32.powi(step)).collect(),
            ..Run::default()
        }
    }

    pub(crate) fn out_of_memory(&self) -> Run {
        let err = "Traceback (most recent call last):\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB.\n";
        Run {
            err: Some(self.file("oom", err)),
            exit: 1,
            ..Run::default()
        }
    }

    fn start(&self) -> Engine {
        let pictures = self.folder.path().join("pictures");
        fs::create_dir_all(&pictures).unwrap();
        fs::create_dir_all(self.output()).unwrap();
        let items = (0..2_u8).map(|index| {
            let pixels = RgbImage::from_fn(64, 64, |x, y| Rgb([(3 * x) as u8, (2 * y) as u8, 90 * index]));
            let png = dataset::picture::encode_png(&pixels);
            let sha256 = hex::encode(Sha256::digest(&png));
            fs::write(pictures.join(&sha256), png).unwrap();
            ManifestItem {
                id: ItemId::new(),
                sha256,
                width: 64,
                height: 64,
                caption: "zora".into(),
                split: Split::Train,
                showing: protocol::dataset::Showing::default(),
            }
        });
        let manifest = Manifest {
            id: DatasetVersionId::new(),
            items: items.collect(),
        };
        Engine::start(
            agent::engine::native,
            Job {
                recipe: self.recipe.clone(),
                base: Base::BuiltIn("tiny-xl".into()),
                base_options: BaseOptions::default(),
                measurements: Measurements::at(self.folder.path()),
                manifest,
                pictures: Box::new(move |sha256| pictures.join(sha256)),
                start_from: None,
                resume_from: self.resume_from.clone(),
                is_start_drawn: false,
                folder: self.output(),
                room: Room::default(),
                judging: self.judging,
            },
            Some(Kohya {
                dir: self.kohya_dir(),
                python: self.python.clone(),
                tokenizers: self.folder.path().join("tokenizers"),
                precision: self.precision,
                quiet: Duration::from_secs(self.quiet_seconds),
                diffusers: Diffusers::new(self.diffusers.clone().unwrap_or_else(|| self.python.clone())),
                gpu: self.gpu(),
            }),
        )
    }

    /// Runs the job; `order` is asked after every event.
    pub(crate) async fn run(&self, mut order: impl FnMut(&Told) -> Option<Directive>) -> Told {
        let mut engine = self.start();
        let mut told = Told {
            ended: Err("it is not over".into()),
            metrics: Vec::new(),
            stages: Vec::new(),
            logs: Vec::new(),
            wrote: Vec::new(),
        };
        let drive = async {
            while let Some(event) = engine.events.recv().await {
                told.take(event);
                if let Some(order) = order(&told) {
                    engine.tell(order);
                }
            }
            told.ended = engine.end().await.map_err(|err| err.to_string());
            told
        };
        tokio::time::timeout(DEADLINE, drive).await.unwrap()
    }

    pub(crate) async fn run_and_drop_after_steps(&self, n_steps: usize) {
        let mut engine = self.start();
        let mut n_seen = 0;
        while n_seen < n_steps {
            let event = engine.events.recv().await.unwrap();
            n_seen += usize::from(matches!(event, TrainEvent::Report(Report::Step(_))));
        }
        drop(engine);
        // The runtime drops the task at its next turn.
        tokio::task::yield_now().await;
    }

    #[track_caller]
    pub(crate) fn fails_with(&self, words: &str) -> impl Future<Output = ()> {
        let words = words.to_owned();
        async move {
            let told = self.run(|_| None).await;
            let err = told.ended.as_ref().unwrap_err();
            assert!(err.contains(&words), "{err}");
        }
    }

    /// Whether the stand-in still runs.
    pub(crate) fn child_lives(&self) -> bool {
        let pid = fs::read_to_string(self.kohya_dir().join("pid")).unwrap();
        // A killed process may be a zombie until the runtime has reaped it.
        let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
        !status.is_empty() && !status.contains("State:\tZ")
    }

    pub(crate) fn wait_until_the_child_is_gone(&self) {
        let start = Instant::now();
        while self.child_lives() {
            assert!(start.elapsed() < DEADLINE, "the child still lives");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Two steps more, counted from 0, as sd-scripts does when it goes on from a state.
    pub(crate) fn rest_of_a_run(&self) -> Run {
        let mut run = self.good_run();
        let err: String = (0..=2).map(|step| bar(step, "0.5")).collect();
        run.err = Some(self.file("err", err));
        run.losses = vec![0.1; 2];
        run
    }

    /// Whether a run was started with an option.
    pub(crate) fn has_option(&self, run: usize, name: &str) -> bool {
        let args = fs::read(self.kohya_dir().join(format!("args-{run}.json"))).unwrap();
        let args: Vec<String> = serde_json::from_slice(&args).unwrap();
        args.iter().any(|arg| arg == name)
    }

    /// Value of an option that a run was started with.
    pub(crate) fn option(&self, run: usize, name: &str) -> String {
        let args = fs::read(self.kohya_dir().join(format!("args-{run}.json"))).unwrap();
        let args: Vec<String> = serde_json::from_slice(&args).unwrap();
        let at = args.iter().position(|arg| arg == name).unwrap();
        args[at + 1].clone()
    }

    /// One that finds no module that is asked for.
    pub(crate) fn python_without_modules(&self) -> PathBuf {
        self.python_that("exit 93")
    }

    /// One that finds every module but this.
    pub(crate) fn python_without(&self, module: &str) -> PathBuf {
        // The module is the last argument.
        self.python_that(&format!(
            "for last; do :; done; [ \"$last\" != {module} ] || exit 93"
        ))
    }

    fn python_that(&self, does: &str) -> PathBuf {
        let path = self.folder.path().join("python");
        fs::write(&path, format!("#!/bin/sh\n{does}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    pub(crate) fn n_runs(&self) -> usize {
        fs::read_to_string(self.kohya_dir().join("runs"))
            .unwrap()
            .parse()
            .unwrap()
    }
}

/// The bar as it shows a step of eight, twice.
pub(crate) fn bar(step: u32, loss: &str) -> String {
    let percent = 12 * step;
    format!(
        "\rsteps: {percent:3}%|#####     | {step}/8 [00:01<00:01,  5.55it/s]\
         \rsteps: {percent:3}%|#####     | {step}/8 [00:01<00:01,  5.55it/s, avr_loss={loss}]"
    )
}

/// The folder of real transcripts; says that the test is skipped where there is none.
pub(crate) fn golden() -> Option<PathBuf> {
    let folder = std::env::var_os("MORPHEUS_GOLDEN").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: MORPHEUS_GOLDEN does not name the folder with sd-scripts' transcripts");
    }
    Some(folder?.join("kohya-transcripts"))
}
