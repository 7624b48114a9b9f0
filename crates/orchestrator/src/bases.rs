//! Base models: what one is, where its files are, and how they are looked at without a loader.

pub(crate) mod disk;
pub(crate) mod files;
pub(crate) mod hub;
pub(crate) mod places;
pub(crate) mod skeleton;
pub(crate) mod stored;
pub(crate) mod web;

use std::path::Path;

use protocol::{
    agent::BaseLocation,
    base::{BaseFacts, BaseSource, Measured, Prediction},
    job::BaseModel,
};
use store::bases::{Located, Said};

pub use self::places::Places;
use self::{disk::Disk, places::By};
pub use fetch::{HubOptions, InvalidRange, Range, Ranges};

/// A built-in base model, and where agents find it.
#[derive(Debug, Clone)]
pub struct Base {
    /// What the API shows.
    pub model: BaseModel,
    /// Where agents find it.
    pub location: BaseLocation,
}

/// What is named beside a base model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beside<'a> {
    /// What its U-Net predicts, whatever its files say.
    pub prediction: Option<Prediction>,
    /// A VAE in place of its own.
    pub vae: Option<&'a Path>,
}

/// Inspects a base model on disk without reading its tensors. Its error is a message for a person.
pub type Inspect = fn(&Path, Beside<'_>) -> Result<BaseFacts, String>;

/// Loads a base model on disk and measures what its U-Net does. It takes minutes, and as much memory as the model has.
pub type Measure = fn(&Path, Beside<'_>) -> Result<Measured, Unmeasured>;

/// Why a base model was not measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmeasured {
    /// Its numbers cannot be used: whatever is done with it fails.
    #[error("{0}")]
    Broken(String),
    /// This machine cannot do it; agents may.
    #[error("{0}")]
    NotHere(String),
}

/// Looks at a base model of the settings on this machine, without reading its tensors; says what it is and where it
/// is, with links resolved.
///
/// # Errors
/// If it cannot be used; the text says why.
pub fn look_at_base(
    places: &Places,
    path: &Path,
    said: &Said,
    inspect: Inspect,
) -> Result<(BaseFacts, Located), String> {
    let disk = Disk::new(places, By::Settings);
    let vae = match &said.vae {
        Some(BaseSource::Path(path)) => Some(disk.look_at_vae(Path::new(path))?),
        Some(BaseSource::Url { .. } | BaseSource::Hub { .. } | BaseSource::Edit(_)) | None => None,
    };
    let looked = disk.look(path, said.prediction, vae.as_ref(), inspect)?;
    Ok((looked.facts, looked.located))
}
