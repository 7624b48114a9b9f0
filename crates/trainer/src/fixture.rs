//! A small training for tests: six drawn pictures on `tiny-xl`, at 64 pixels.

use std::{collections::BTreeMap, path::Path, sync::LazyLock};

use dataset::picture::encode_png;
use diffusion::base::BaseModel;
use image::{Rgb, RgbImage};
use protocol::{
    DatasetVersionId, ItemId,
    agent::Directive,
    dataset::{Manifest, ManifestItem, Split},
    preset::BaseClass,
    recipe::{ParameterOverrides, Recipe, RecipeRequest},
};
use sha2::{Digest as _, Sha256};

use crate::train::{Ended, TrainError, TrainEvent, TrainJob, train};

pub(crate) static BASE: LazyLock<BaseModel> = LazyLock::new(|| BaseModel::open("tiny-xl").unwrap());

/// Pictures and recipe of a training.
pub(crate) struct Fixture {
    pub(crate) recipe: Recipe,
    pub(crate) manifest: Manifest,
    files: BTreeMap<String, Vec<u8>>,
}

impl Fixture {
    /// Two buckets, one held-out picture, and everything random switched on.
    pub(crate) fn new(change: impl FnOnce(&mut ParameterOverrides)) -> Self {
        let mut files = BTreeMap::new();
        let sizes = [(64, 64), (96, 64), (64, 64), (96, 64), (64, 64), (64, 64)];
        let items = sizes.iter().enumerate().map(|(index, &(width, height))| {
            let seed = 40 * index as u32;
            let pixels = RgbImage::from_fn(width, height, |x, y| {
                Rgb([(2 * x + seed) as u8, (3 * y) as u8, (x + y + seed) as u8])
            });
            let png = encode_png(&pixels);
            let sha256 = hex::encode(Sha256::digest(&png));
            files.insert(sha256.clone(), png);
            ManifestItem {
                id: ItemId::new(),
                sha256,
                width,
                height,
                caption: format!("picture number {index}"),
                split: if index == 5 { Split::HeldOut } else { Split::Train },
            }
        });
        let manifest = Manifest {
            id: DatasetVersionId::new(),
            items: items.collect(),
        };
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
        Self {
            recipe,
            manifest,
            files,
        }
    }

    pub(crate) fn file(&self, item: &ManifestItem) -> std::io::Result<Vec<u8>> {
        self.files
            .get(&item.sha256)
            .cloned()
            .ok_or_else(|| std::io::ErrorKind::NotFound.into())
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
        mut order: impl FnMut(usize) -> Option<Directive>,
    ) -> (Result<Ended, TrainError>, Vec<TrainEvent>) {
        let job = TrainJob {
            recipe: &self.recipe,
            base: &BASE,
            manifest: &self.manifest,
            pictures: &|item| self.file(item),
            folder,
            resume_from,
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
