//! Keeps the child: what it has loaded, what LoRAs have changed in it, and what it does with little memory.

use std::path::{Path, PathBuf};

use diffusion::{
    base::{BaseOptions, Outline},
    lora::{self, Weighted},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Diffusers, Failure,
    child::{Cancelled, Child, Kind, Refusal},
    handed::{Batch, load_request},
};
use crate::tail::Excerpt;

/// The oldest packages that will do: those of the image for rented machines, with which it is tested.
const NEEDED: [(&str, &str); 3] = [("torch", "2.6"), ("diffusers", "0.32"), ("transformers", "4.54")];

/// What the child says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Hello {
    /// Version of PyTorch.
    pub torch: String,
    /// Version of diffusers.
    pub diffusers: String,
    /// Version of transformers.
    pub transformers: String,
    /// The GPU's name, `mps`, or `cpu`.
    pub device: String,
    /// Precision of U-Net and text encoders: `float16` or `float32`. The VAE is always computed in `float32`.
    pub dtype: String,
    /// Memory of the GPU.
    pub memory_bytes: Option<u64>,
}

impl Hello {
    /// As records of pictures name it.
    pub fn describe(&self) -> String {
        let Self {
            diffusers,
            torch,
            device,
            ..
        } = self;
        format!("diffusers {diffusers}, torch {torch} on {device}")
    }
}

/// What is done against a full memory, the quickest way first; each does what those before it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Thrift {
    #[default]
    None,
    Singly,
    Sliced,
    Offloaded,
}

impl Thrift {
    fn next(self) -> Option<Self> {
        match self {
            Self::None => Some(Self::Singly),
            Self::Singly => Some(Self::Sliced),
            Self::Sliced => Some(Self::Offloaded),
            Self::Offloaded => None,
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::None => "everything at once",
            Self::Singly => "one prompt at a time, and the VAE in tiles",
            Self::Sliced => "one prompt at a time, the VAE in tiles, and attention in slices",
            Self::Offloaded => {
                "one prompt at a time, the VAE in tiles, attention in slices, and what is not needed in main memory"
            }
        }
    }
}

/// The engine. The child is started when it is first needed, and anew after it has failed.
#[derive(Debug)]
pub struct Engine {
    settings: Diffusers,
    /// Where files are exchanged.
    folder: tempfile::TempDir,
    running: Option<Running>,
    notes: Vec<String>,
}

/// A child that has said hello.
#[derive(Debug)]
struct Running {
    child: Child,
    hello: Hello,
    /// The request by which a base model was loaded.
    loaded: Option<Value>,
    /// The LoRAs that are applied: file, bits of the weight, and whether in part. None while they are changed.
    applied: Option<Vec<(PathBuf, u32, bool)>>,
    thrift: Thrift,
}

impl Engine {
    /// Prepares it; nothing is started.
    ///
    /// # Errors
    /// If there is no room for files.
    pub fn new(settings: Diffusers) -> Result<Self, Failure> {
        Ok(Self {
            settings,
            folder: tempfile::tempdir().map_err(Failure::File)?,
            running: None,
            notes: Vec::new(),
        })
    }

    /// Looks at a base model that a person names. One that is part of the program is written out for the child to read.
    ///
    /// # Errors
    /// If it is something else than an SDXL model, or one that diffusers does not know.
    pub fn outline(&self, name_or_path: &str, options: &BaseOptions) -> Result<Outline, Failure> {
        Ok(Outline::open_with(name_or_path, options, self.folder.path())?)
    }

    /// What the child says of itself; it is started if it does not run.
    ///
    /// # Errors
    /// If it does not start, or lacks packages.
    pub fn hello(&mut self) -> Result<Hello, Failure> {
        self.greet(&|| false)
    }

    /// The same, for somebody who may not want to wait any more.
    ///
    /// # Errors
    /// If it does not start, or lacks packages.
    pub fn greet(&mut self, is_cancelled: Cancelled) -> Result<Hello, Failure> {
        self.running(is_cancelled).map(|running| running.hello.clone())
    }

    /// Ends the child, which gives its memory back.
    pub fn unload(&mut self) {
        self.running = None;
    }

    /// What should be said beside the picture, since it was last asked.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Where files are exchanged.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Loads the base model and applies the LoRAs, as far as that is not done already.
    pub(super) fn get_ready<'l>(
        &mut self,
        outline: &Outline,
        loras: impl IntoIterator<Item = Weighted<'l>>,
        is_cancelled: Cancelled,
    ) -> Result<(), Failure> {
        let file = self.folder.path().join("changes.safetensors");
        let running = self.running(is_cancelled)?;
        let load = load_request(outline);
        if running.loaded.as_ref() != Some(&load) {
            (running.loaded, running.applied) = (None, None);
            running.thrift = Thrift::None;
            let loaded = running.child.ask("load", load.clone(), is_cancelled)?;
            loaded.map_err(|refusal| running.refused(refusal, "load the base model", outline))?;
            (running.loaded, running.applied) = (Some(load), Some(Vec::new()));
        }
        let loras: Vec<Weighted> = loras.into_iter().collect();
        let wanted: Vec<_> = loras
            .iter()
            .map(|lora| (lora.lora.path().to_owned(), lora.weight.to_bits(), lora.partial))
            .collect();
        if running.applied.as_ref() == Some(&wanted) {
            return Ok(());
        }
        // Refused before anything is changed.
        let changes = lora::changes(outline.layers(), loras)?;
        let what = "apply the LoRAs";
        running.applied = None;
        let restored = running.child.ask("restore", json!({}), is_cancelled)?;
        restored.map_err(|refusal| running.refused(refusal, what, outline))?;
        let mut changes = changes.peekable();
        while changes.peek().is_some() {
            let mut batch = Batch::default();
            while !batch.is_full()
                && let Some(change) = changes.next()
            {
                batch.add(change?, outline)?;
            }
            candle_core::safetensors::save(&batch.tensors, &file)?;
            let request = json!({ "file": file.display().to_string(), "changes": batch.changes });
            let changed = running.child.ask("change", request, is_cancelled)?;
            changed.map_err(|refusal| running.refused(refusal, what, outline))?;
        }
        running.applied = Some(wanted);
        Ok(())
    }

    /// The running child, which is started first where none runs.
    fn running(&mut self, is_cancelled: Cancelled) -> Result<&mut Running, Failure> {
        let running = match self.running.take() {
            Some(running) => running,
            None => Running::start(&self.settings, is_cancelled)?,
        };
        Ok(self.running.insert(running))
    }

    /// Lets go of a child that is of no use any more, so that the next picture gets a new one.
    pub(super) fn heed<T>(&mut self, outcome: Result<T, Failure>) -> Result<T, Failure> {
        let is_of_use = match &outcome {
            Err(Failure::Answer { .. }) => false,
            Err(
                Failure::Crashed { .. }
                | Failure::Mute { .. }
                | Failure::Deaf { .. }
                | Failure::Hung { .. }
                | Failure::Cancelled,
            ) => {
                let running = self.running.as_mut();
                running.is_some_and(|running| running.child.is_well())
            }
            _ => true,
        };
        if !is_of_use {
            self.running = None;
        }
        outcome
    }

    /// Asks in the cheapest way that was needed so far, and in a cheaper one when memory runs out.
    pub(super) fn ask(
        &mut self,
        (op, what): (&str, &'static str),
        request: &Value,
        outline: &Outline,
        is_cancelled: Cancelled,
    ) -> Result<Map<String, Value>, Failure> {
        let running = self.running.as_mut().ok_or_else(|| Failure::Crashed {
            how: "an error before this one".to_owned(),
            excerpt: Excerpt::default(),
        })?;
        loop {
            let mut request = request.clone();
            request["thrift"] = (running.thrift as u8).into();
            let refusal = match running.child.ask(op, request, is_cancelled)? {
                Ok(answer) => return Ok(answer),
                Err(refusal) => refusal,
            };
            match running
                .thrift
                .next()
                .filter(|_| refusal.kind == Kind::OutOfMemory)
            {
                Some(cheaper) => {
                    let (device, how) = (&running.hello.device, cheaper.describe());
                    self.notes
                        .push(format!("{device}'s memory was too small; going on with {how}"));
                    running.thrift = cheaper;
                }
                None => return Err(running.refused(refusal, what, outline)),
            }
        }
    }
}

impl Running {
    fn start(settings: &Diffusers, is_cancelled: Cancelled) -> Result<Self, Failure> {
        let mut child = Child::start(settings)?;
        let python = || settings.python.clone();
        let answer = match child.ask("hello", json!({}), is_cancelled)? {
            Ok(answer) => answer,
            Err(refusal) if refusal.kind == Kind::MissingModule => {
                return Err(Failure::MissingModule {
                    python: python(),
                    detail: refusal.detail,
                });
            }
            Err(refusal) => {
                return Err(Failure::Internal {
                    what: "start",
                    detail: refusal.detail,
                    excerpt: child.tail().excerpt(),
                });
            }
        };
        let shown = Value::Object(answer);
        let hello: Hello = serde_json::from_value(shown.clone()).map_err(|_| Failure::Answer {
            answer: shown.to_string(),
        })?;
        let found = [&hello.torch, &hello.diffusers, &hello.transformers];
        for ((package, needed), found) in NEEDED.into_iter().zip(found) {
            if version(found) < version(needed) {
                return Err(Failure::TooOld {
                    python: python(),
                    package,
                    found: found.clone(),
                    needed,
                });
            }
        }
        Ok(Self {
            child,
            hello,
            loaded: None,
            applied: None,
            thrift: Thrift::None,
        })
    }

    fn refused(&self, refusal: Refusal, what: &'static str, outline: &Outline) -> Failure {
        let (detail, base) = (refusal.detail, outline.info.name.clone());
        match refusal.kind {
            Kind::OutOfMemory => Failure::OutOfMemory {
                device: self.hello.device.clone(),
                what: match what {
                    "load the base model" => "this base model",
                    "apply the LoRAs" => "these LoRAs",
                    _ => "this picture",
                },
            },
            Kind::BaseDoesNotLoad => Failure::Base { base, detail },
            Kind::LoraDoesNotFit => Failure::Misfit { base, detail },
            Kind::Cancelled => Failure::Cancelled,
            Kind::MissingModule | Kind::Internal => Failure::Internal {
                what,
                detail,
                excerpt: self.child.tail().excerpt(),
            },
        }
    }
}

/// The first two numbers of a version.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text
        .split(|character: char| !character.is_ascii_digit())
        .map_while(|number| number.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
