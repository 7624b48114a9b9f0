//! Base models: what one is, where its files are, and how they are looked at without a loader.

pub(crate) mod disk;
pub(crate) mod files;
pub(crate) mod hub;
pub(crate) mod places;
pub(crate) mod skeleton;
pub(crate) mod web;

use std::path::{Path, PathBuf};

use protocol::{agent::BaseLocation, base::BaseFacts, job::BaseModel};

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

/// Inspects a base model on disk without reading its tensors. Its error is a message for a person.
pub type Inspect = fn(&Path) -> Result<BaseFacts, String>;

/// Looks at a base model of the settings on this machine, without reading its tensors; says what it is and where it
/// is, with links resolved.
pub fn look_at_base(places: &Places, path: &Path, inspect: Inspect) -> Result<(BaseFacts, PathBuf), String> {
    let looked = Disk::new(places, By::Settings).look(path, inspect)?;
    Ok((looked.facts, looked.place))
}
