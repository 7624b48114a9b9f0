//! A small training for tests: six drawn pictures on `tiny-xl`, at 64 pixels.

use std::{path::Path, sync::LazyLock};

use diffusion::base::BaseModel;
use protocol::{
    agent::Directive,
    dataset::ManifestItem,
    preset::BaseClass,
    recipe::{ParameterOverrides, Recipe, RecipeRequest},
};

use crate::{
    drawn::Drawn,
    train::{Ended, JudgeShare, TrainError, TrainEvent, TrainJob, train},
};

pub(crate) static BASE: LazyLock<BaseModel> = LazyLock::new(|| BaseModel::open("tiny-xl").unwrap());

/// Pictures and recipe of a training.
pub(crate) struct Fixture {
    pub(crate) recipe: Recipe,
    pub(crate) drawn: Drawn,
    /// Nothing is judged unless a test says so.
    pub(crate) judging: JudgeShare,
}

impl Fixture {
    /// Two buckets, one held-out picture, and everything random switched on.
    pub(crate) fn new(change: impl FnOnce(&mut ParameterOverrides)) -> Self {
        let mut overrides = ParameterOverrides {
            rank: Some(4),
            alpha: Some(4.0),
            n_steps: Some(6),
            n_warmup_steps: Some(2),
            batch_size: Some(2),
            gradient_accumulation: Some(2),
            noise_offset: Some(0.1),
            caption_dropout: Some(0.3),
            resolution: Some(64),
            bucket_step: Some(32),
            checkpoint_every_n_steps: Some(2),
            sample_every_n_steps: Some(0),
            ..ParameterOverrides::default()
        };
        change(&mut overrides);
        let request = RecipeRequest {
            name: "test".into(),
            base_model: "tiny-xl".into(),
            trigger_word: Some("zora".into()),
            sample_prompts: vec!["zora".into()],
            overrides,
            ..RecipeRequest::default()
        };
        let recipe = Recipe::resolve(request, BaseClass::Tiny).unwrap();
        let drawn = Drawn::new();
        Self {
            recipe,
            drawn,
            judging: JudgeShare::NONE,
        }
    }

    pub(crate) fn file(&self, item: &ManifestItem) -> std::io::Result<Vec<u8>> {
        self.drawn.file(item)
    }

    /// Trains without orders.
    pub(crate) fn train(
        &self,
        folder: &Path,
        resume_from: Option<&Path>,
    ) -> (Result<Ended, TrainError>, Vec<TrainEvent>) {
        self.train_ordered(folder, resume_from, |_| None)
    }

    /// Trains; `order` is asked with the number of steps that were reported.
    pub(crate) fn train_ordered(
        &self,
        folder: &Path,
        resume_from: Option<&Path>,
        order: impl FnMut(usize) -> Option<Directive>,
    ) -> (Result<Ended, TrainError>, Vec<TrainEvent>) {
        self.run(folder, (resume_from, false), order)
    }

    /// Trains from the start once more: what is drawn before the first step exists.
    pub(crate) fn train_again(
        &self,
        folder: &Path,
        order: impl FnMut(usize) -> Option<Directive>,
    ) -> (Result<Ended, TrainError>, Vec<TrainEvent>) {
        self.run(folder, (None, true), order)
    }

    fn run(
        &self,
        folder: &Path,
        (resume_from, is_start_drawn): (Option<&Path>, bool),
        mut order: impl FnMut(usize) -> Option<Directive>,
    ) -> (Result<Ended, TrainError>, Vec<TrainEvent>) {
        let job = TrainJob {
            recipe: &self.recipe,
            base: &BASE,
            manifest: &self.drawn.manifest,
            pictures: &|item| self.file(item),
            folder,
            start_from: None,
            resume_from,
            is_start_drawn,
            recomputes: self.recipe.parameters().gradient_checkpointing,
            judging: self.judging,
        };
        let events = std::cell::RefCell::new(Vec::new());
        let n_steps = || events.borrow().iter().filter(|event| is_step(event)).count();
        let ended = train(&job, |event| events.borrow_mut().push(event), || order(n_steps()));
        (ended, events.into_inner())
    }
}

pub(crate) fn is_step(event: &TrainEvent) -> bool {
    matches!(event, TrainEvent::Report(protocol::agent::Report::Step(_)))
}
