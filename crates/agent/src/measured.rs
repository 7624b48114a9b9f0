//! What the U-Nets of base models were measured to predict, kept by their files: each is measured once on a machine, and
//! not at all where the server has said it.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use diffusion::base::{BaseError, BaseInfo, BaseModel};
use protocol::{agent::Report, base::Measured};
use sha2::{Digest as _, Sha256};

/// Where measurements are kept, and what the server has said of the base of a piece of work.
#[derive(Debug, Clone)]
pub struct Measurements {
    folder: PathBuf,
    said: Option<Measured>,
}

impl Measurements {
    /// Kept in a folder of caches.
    pub fn at(cache: &Path) -> Self {
        Self {
            folder: cache.join("measured"),
            said: None,
        }
    }

    /// Where they are kept.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The same for work on a base of which the server may have said what it was measured to do.
    pub(crate) fn said(self, said: Option<Measured>) -> Self {
        Self { said, ..self }
    }

    /// What a base was measured to do; none if that is not known, or if its files have changed since.
    pub fn known(&self, info: &BaseInfo) -> Option<Measured> {
        if let Some(said) = self.said.as_ref().filter(|said| is_present(said)) {
            return Some(said.clone());
        }
        let text = fs::read(self.path(info)?).ok()?;
        serde_json::from_slice(&text).ok().filter(is_present)
    }

    /// What the server has to be told of a base that was told what it does.
    pub(crate) fn news(&self, info: &BaseInfo) -> Option<Report> {
        let is_said = self.said.as_ref().is_some_and(is_present);
        let measured = info.measured.clone().filter(|_| !is_said)?;
        Some(Report::Measured { measured })
    }

    /// Tells a model what it was measured to do. If nobody knows it, it is measured, which takes a few steps of its
    /// U-Net, and kept. What is part of the program is known, and needs no measurement.
    ///
    /// # Errors
    /// If a computation fails.
    pub fn tell<D: diffusion::device::Device>(&self, model: &mut BaseModel<D>) -> Result<(), BaseError> {
        if model.info.path.is_none() {
            return Ok(());
        }
        model.info.measured = self.known(&model.info);
        if model.info.measured.is_none() {
            let measured = model.measure().map_err(BaseError::Measure)?;
            if let Err(err) = self.keep(&model.info, &measured) {
                // A cache that takes no writes costs time, and nothing else.
                tracing::debug!(%err, "what a base model was measured to do was not kept");
            }
            model.info.measured = Some(measured);
        }
        Ok(())
    }

    fn keep(&self, info: &BaseInfo, measured: &Measured) -> io::Result<()> {
        let Some(path) = self.path(info) else {
            return Ok(());
        };
        fs::create_dir_all(&self.folder)?;
        // Another process may measure the same one.
        let part = path.with_extension(format!("{}.part", std::process::id()));
        fs::write(&part, serde_json::to_vec(measured)?)?;
        fs::rename(part, path)
    }

    /// Where the measurement of these files is: named after their places, sizes and times.
    fn path(&self, info: &BaseInfo) -> Option<PathBuf> {
        let mut hasher = Sha256::new();
        for file in &info.files {
            let file = file.canonicalize().ok()?;
            let meta = fs::metadata(&file).ok()?;
            let (seconds, nanoseconds) = (meta.mtime(), meta.mtime_nsec());
            hasher.update(format!("{file:?} {} {seconds}.{nanoseconds}\n", meta.len()));
        }
        let name = hex::encode(hasher.finalize());
        (!info.files.is_empty()).then(|| self.folder.join(format!("{name}.json")))
    }
}

fn is_present(measured: &Measured) -> bool {
    measured.method == Measured::METHOD
}

#[cfg(test)]
mod tests;
