//! Decodes untrusted pictures in sandboxed processes.
//!
//! A decoder is a hundred thousand lines of code that parse hostile input. So it runs in a child process with limits on
//! memory and time, without files, network and environment: input that breaks it only breaks that process, and the
//! upload loses only that file. [`Decoder::workers`] keeps a few of them ready; they run `morpheus decode-worker`, and
//! [`worker::serve`] implements it. Without such a program, in tests of single crates,
//! [`Decoder::in_process`] decodes in the same process, with the same limits on headers but none by the kernel.
//!
//! Clones share their workers and the limit on pixels decoded at the same time.

use std::{
    ffi::OsString,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
};

use protocol::limits::MAX_PIXELS_AT_ONCE;
use serde::{Deserialize, Serialize};

use crate::picture::{self, NormalizedPicture, PictureError, Upright};

mod child;
mod frame;
mod gate;
mod page;
mod pool;
mod sandbox;
pub mod worker;

use gate::Gate;
pub use page::{MAX_PANELS, PageTask, PanelPicture, SplitPage};
use pool::Pool;

/// Decodes pictures. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Decoder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    gate: Gate,
    /// Processes that decode; none: this one does.
    pool: Option<Pool>,
}

/// How to start a process that decodes: it must call [`worker::serve`].
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// The sandbox of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Active protections: `memory`, `time`, `files`, `system calls`.
    pub holds: Vec<String>,
    /// Protections that the kernel does not support, with the reason.
    pub missing: Vec<String>,
}

/// Why decoding failed.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The picture is rejected; the message says what is wrong and what is valid.
    #[error("{0}")]
    Refused(String),
    /// No picture can be decoded at the moment.
    #[error("failed to start a process that decodes pictures")]
    Unavailable(#[source] io::Error),
}

impl Default for Decoder {
    fn default() -> Self {
        Self::in_process()
    }
}

impl Decoder {
    /// Decodes in this process.
    pub fn in_process() -> Self {
        Self::new(None)
    }

    /// Decodes in child processes, the first of which starts now.
    pub fn workers(command: WorkerCommand) -> Self {
        Self::new(Some(Pool::start(command)))
    }

    fn new(pool: Option<Pool>) -> Self {
        Self(Arc::new(Inner {
            gate: Gate::new(MAX_PIXELS_AT_ONCE),
            pool,
        }))
    }

    /// Decodes and normalizes a picture, like [`picture::normalize`]. Waits while too many others are being decoded.
    pub fn normalize(&self, bytes: &[u8]) -> Result<NormalizedPicture, DecodeError> {
        let n_pixels = picture::declared_pixels(bytes);
        let _permit = self.0.gate.enter(n_pixels);
        match &self.0.pool {
            Some(pool) => pool.normalize(bytes, n_pixels),
            None => {
                let Upright { pixels, notes } = guarded(bytes).map_err(refused)?;
                let mut png = Vec::new();
                picture::write_png(&pixels, &mut png).expect("memory takes all of it");
                let size = (pixels.width(), pixels.height());
                let picture = NormalizedPicture::new(png, size, notes);
                Ok(picture.with_views(Some(picture::measure(&pixels)), Some(picture::thumbnail(&pixels))))
            }
        }
    }

    /// Splits a page into panels ([`crate::comic`]). Waits while too many other pictures are being decoded.
    pub fn page(&self, bytes: &[u8], task: &PageTask) -> Result<SplitPage, DecodeError> {
        let n_pixels = picture::declared_pixels(bytes);
        let _permit = self.0.gate.enter(n_pixels);
        match &self.0.pool {
            Some(pool) => pool.page(bytes, task, n_pixels),
            None => page::here(bytes, task),
        }
    }

    /// The sandbox of its workers; `None` without workers.
    pub fn confinement(&self) -> Option<Result<Confinement, DecodeError>> {
        Some(self.0.pool.as_ref()?.confinement())
    }

    /// The most memory that a worker of it has had, in bytes; 0 when it has none.
    pub fn peak_bytes(&self) -> u64 {
        self.0.pool.as_ref().map_or(0, Pool::peak_bytes)
    }
}

fn refused(err: PictureError) -> DecodeError {
    DecodeError::Refused(err.to_string())
}

/// A decoder that panics has met a file that its authors did not think of.
fn guarded(bytes: &[u8]) -> Result<Upright, PictureError> {
    catch_unwind(AssertUnwindSafe(|| picture::upright(bytes))).unwrap_or(Err(PictureError::Puzzling))
}
