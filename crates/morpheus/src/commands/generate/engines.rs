//! The engines that draw: networks in this process, or in a child with diffusers.

use std::fs;

use agent::{
    Measurements,
    diffusers::{Engine, Hello},
    memory::Room,
};
use anyhow::Context as _;
use diffusion::{
    base::{BaseInfo, BaseModel, BaseOptions, Layers, Outline},
    lora::{self, Weighted},
    need::{Drawn, Need},
    pipeline::{self, OnStep, PictureRequest},
};
use image::RgbImage;
use protocol::made::MadeBase;
use trainer::made;

use super::PlannedLora;
use crate::{commands::lora::with_hint, diffusers::DiffusersFlags, output, paths};

/// What computes a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PictureEngine {
    /// This program, on the processor
    Native,
    /// PyTorch and diffusers of --diffusers-python, on its GPU if there is one
    Diffusers,
}

/// A base model that an engine has at hand.
pub(super) enum Drawer {
    Native(Box<BaseModel>),
    Diffusers(Box<Child>),
}

/// The child, and what it draws with.
pub(super) struct Child {
    engine: Engine,
    outline: Outline,
    hello: Hello,
}

impl Drawer {
    pub(super) fn open(
        engine: PictureEngine,
        flags: &DiffusersFlags,
        base: &str,
        options: &BaseOptions,
    ) -> anyhow::Result<Self> {
        let measurements = Measurements::at(&paths::work_dir());
        match engine {
            PictureEngine::Native => {
                let mut base = BaseModel::open_with(base, options)?;
                measurements.tell(&mut base)?;
                Ok(Self::Native(Box::new(base)))
            }
            PictureEngine::Diffusers => {
                let settings = flags.setup().context(
                    "--engine diffusers: name the Python that has diffusers with --diffusers-python or \
                     MORPHEUS_DIFFUSERS_PYTHON",
                )?;
                let mut engine = Engine::new(settings)?;
                let mut outline = engine.outline(base, options)?;
                outline.info.measured = measurements.known(&outline.info);
                let hello = engine.hello()?;
                Ok(Self::Diffusers(Box::new(Child {
                    engine,
                    outline,
                    hello,
                })))
            }
        }
    }

    /// Facts about the base model.
    pub(super) fn info(&self) -> &BaseInfo {
        match self {
            Self::Native(base) => &base.info,
            Self::Diffusers(child) => &child.outline.info,
        }
    }

    /// The base model, as the picture will name it. Reads all of its weights.
    pub(super) fn made(&self) -> MadeBase {
        match self {
            Self::Native(base) => made::base(base),
            Self::Diffusers(child) => made::base_of(&child.outline.info, child.outline.hashes()),
        }
    }

    /// The layers that a LoRA can change.
    pub(super) fn layers(&self) -> &Layers {
        match self {
            Self::Native(base) => (**base).as_ref(),
            Self::Diffusers(child) => child.outline.layers(),
        }
    }

    /// The program, as the picture will name it.
    pub(super) fn program(&self) -> String {
        match self {
            Self::Native(_) => made::PROGRAM.to_owned(),
            Self::Diffusers(child) => made::program_with(&child.hello.describe()),
        }
    }

    /// What the picture will take of this machine; one that does not fit is refused. What diffusers takes lies on a
    /// device, and it has ways of its own to take less.
    pub(super) fn check_memory(
        &self,
        request: &PictureRequest,
        loras: &[PlannedLora],
        is_ignored: bool,
    ) -> anyhow::Result<Option<Need>> {
        let Self::Native(base) = self else {
            return Ok(None);
        };
        let noise = request.initial_noise.as_ref();
        let lengths = loras.iter().map(|lora| fs::metadata(&lora.path));
        let drawn = Drawn {
            size: request.size,
            n_pictures: noise.and_then(|noise| noise.dim(0).ok()).unwrap_or(1),
            n_steps: request.n_steps.get(),
            is_guided: request.guidance > 1.0,
            lora_bytes: lengths.flatten().map(|meta| meta.len()).sum(),
        };
        let room = Room::unless(is_ignored);
        room.check_picture(base, &drawn).map_err(anyhow::Error::msg)?;
        Ok(Some(base.picture_need(&drawn)?))
    }

    pub(super) fn draw(
        &mut self,
        loras: &[Weighted<'_>],
        request: &PictureRequest,
        on_step: OnStep,
    ) -> anyhow::Result<Vec<RgbImage>> {
        match self {
            Self::Native(base) => {
                let base: &BaseModel = base;
                let adapters = lora::adapters(base, loras.iter().copied()).map_err(with_hint)?;
                Ok(pipeline::generate_on_cpu(base, &adapters, request, on_step)?)
            }
            Self::Diffusers(child) => {
                let Child { engine, outline, .. } = &mut **child;
                let never = || false;
                let mut drawing = engine.prepare(outline, loras.iter().copied(), &never)?;
                let pictures = pipeline::draw(&mut drawing, request, on_step);
                for note in engine.take_notes() {
                    output::note(format_args!("{note}"));
                }
                Ok(pictures?)
            }
        }
    }
}
