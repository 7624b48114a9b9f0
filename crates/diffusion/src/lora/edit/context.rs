//! What an edit has beside the files: the base model's weights, and whoever follows how far it is.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use candle_core::Tensor;

use super::EditError;
use crate::{
    layers::WeightSource,
    weights::{Checkpoint, Component},
};

/// Is told how many modules are done, and of how many; the answer may be to stop.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) -> ControlFlow<()> + Sync);

/// See the module's text. The default has neither.
#[derive(Default)]
pub struct Context<'a> {
    base: Option<(PathBuf, BTreeMap<String, (&'a Component, &'a str)>)>,
    progress: Option<Progress<'a>>,
    n_done: AtomicUsize,
}

impl<'a> Context<'a> {
    /// With the weights that a DoRA, or a whole weight, is a change of.
    pub fn with_base(self, base: &'a Checkpoint) -> Self {
        self.with_layers(base.path(), layers(base))
    }

    /// The same with the layers by kohya's names.
    pub(super) fn with_layers(
        mut self,
        path: PathBuf,
        layers: BTreeMap<String, (&'a Component, &'a str)>,
    ) -> Self {
        self.base = Some((path, layers));
        self
    }

    /// With a follower.
    pub fn with_progress(mut self, progress: Progress<'a>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// The base's weight of a module; none without a base.
    pub(super) fn weight(&self, module: &str) -> Result<Option<Tensor>, EditError> {
        let Some((path, layers)) = &self.base else {
            return Ok(None);
        };
        let Some((component, name)) = layers.get(module) else {
            return Err(EditError::Module {
                path: path.clone(),
                module: module.to_owned(),
                problem: "is not among the layers of this base model".to_owned(),
            });
        };
        Ok(Some(component.get(name)?))
    }

    /// For errors.
    pub(super) fn base_path(&self) -> PathBuf {
        self.base
            .as_ref()
            .map(|(path, _)| path.clone())
            .unwrap_or_default()
    }

    /// One more of `n` modules is done.
    ///
    /// # Errors
    /// If the follower says to stop.
    pub(super) fn done_one_of(&self, n: usize) -> Result<(), EditError> {
        let n_done = self.n_done.fetch_add(1, Ordering::Relaxed) + 1;
        match self.progress.map(|progress| progress(n_done, n)) {
            Some(ControlFlow::Break(())) => Err(EditError::Stopped),
            Some(ControlFlow::Continue(())) | None => Ok(()),
        }
    }
}

/// kohya's name of every layer of a base model, with its place: the part of the model, and its canonical name.
pub(super) fn layers(base: &Checkpoint) -> BTreeMap<String, (&Component, &str)> {
    let parts = [
        ("lora_unet_", &base.unet),
        ("lora_te1_", &base.text_encoder),
        ("lora_te2_", &base.text_encoder_2),
    ];
    let mut layers = BTreeMap::new();
    for (prefix, component) in parts {
        for name in component.names() {
            if let Some(layer) = name.strip_suffix(".weight") {
                layers.insert(format!("{prefix}{}", layer.replace('.', "_")), (component, name));
            }
        }
    }
    layers
}
