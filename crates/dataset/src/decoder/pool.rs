//! A few workers, kept ready.

use std::{
    num::NonZero,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use super::{
    Confinement, DecodeError, PageTask, SplitPage, WorkerCommand,
    child::{Failure, Worker},
    refused,
};
use crate::picture::{NormalizedPicture, PictureError};

/// A worker that was busy for so long is replaced, so that the kernel's limit of its time is for the next picture.
pub(super) const MAX_BUSY: Duration = Duration::from_secs(30);
/// One that decoded so many is replaced: what an exploit may have left in it does not see all that follow.
const MAX_PICTURES: u32 = 200;
/// One that decoded a picture of so many pixels is replaced: its memory is in pieces.
const LARGE_PIXELS: u64 = 16_000_000;

/// Workers, and those who wait for one.
#[derive(Debug)]
pub(super) struct Pool {
    command: WorkerCommand,
    max_workers: usize,
    state: Mutex<State>,
    given_back: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Worker>,
    /// Those that somebody has at the moment.
    n_out: usize,
    /// The most memory that one has had that is gone, in bytes.
    peak_bytes: u64,
}

impl Pool {
    /// Starts the first worker. If that fails, decoding tries again and returns the error.
    pub(super) fn start(command: WorkerCommand) -> Self {
        let n_cores = thread::available_parallelism().map_or(2, NonZero::get);
        let idle = Worker::start(&command).into_iter().collect();
        Self {
            command,
            max_workers: n_cores.clamp(2, 4),
            state: Mutex::new(State {
                idle,
                ..State::default()
            }),
            given_back: Condvar::new(),
        }
    }

    /// Has a worker decode a picture.
    pub(super) fn normalize(&self, bytes: &[u8], n_pixels: u64) -> Result<NormalizedPicture, DecodeError> {
        self.work(n_pixels, |worker| worker.normalize(bytes))
    }

    /// Has a worker split a page.
    pub(super) fn page(
        &self,
        bytes: &[u8],
        task: &PageTask,
        n_pixels: u64,
    ) -> Result<SplitPage, DecodeError> {
        self.work(n_pixels, |worker| worker.page(bytes, task))
    }

    fn work<T>(
        &self,
        n_pixels: u64,
        work: impl Fn(&mut Worker) -> Result<T, Failure>,
    ) -> Result<T, DecodeError> {
        let mut lease = self.lease()?;
        let mut may_try_again = true;
        loop {
            match work(lease.worker()?) {
                Ok(done) => {
                    if n_pixels > LARGE_PIXELS {
                        lease.replace();
                    }
                    return Ok(done);
                }
                Err(Failure::Refused(reason)) => return Err(DecodeError::Refused(reason)),
                Err(Failure::Broken) => {
                    lease.replace();
                    // It may have been damaged by earlier input or killed: a new worker decides.
                    if !std::mem::take(&mut may_try_again) {
                        return Err(refused(PictureError::TooCostly));
                    }
                }
                Err(Failure::Slow) => {
                    lease.replace();
                    return Err(refused(PictureError::TooSlow));
                }
            }
        }
    }

    pub(super) fn confinement(&self) -> Result<Confinement, DecodeError> {
        Ok(self.lease()?.worker()?.confinement()?.clone())
    }

    pub(super) fn peak_bytes(&self) -> u64 {
        let state = self.lock();
        let idle = state.idle.iter().map(Worker::peak_bytes);
        idle.fold(state.peak_bytes, u64::max)
    }

    /// Waits for a worker.
    fn lease(&self) -> Result<Lease<'_>, DecodeError> {
        let mut state = self
            .given_back
            .wait_while(self.lock(), |state| {
                state.idle.is_empty() && state.n_out >= self.max_workers
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.n_out += 1;
        let worker = state.idle.pop();
        Ok(Lease { pool: self, worker })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker that goes back when this is dropped.
struct Lease<'a> {
    pool: &'a Pool,
    worker: Option<Worker>,
}

impl Lease<'_> {
    /// One that has greeted.
    fn worker(&mut self) -> Result<&mut Worker, DecodeError> {
        // A worker that ended while idle is replaced.
        let idle = self.worker.take();
        let worker = match idle.and_then(|mut worker| worker.confinement().is_ok().then_some(worker)) {
            Some(worker) => worker,
            None => {
                let mut fresh = Worker::start(&self.pool.command).map_err(DecodeError::Unavailable)?;
                fresh.confinement()?;
                fresh
            }
        };
        Ok(self.worker.insert(worker))
    }

    /// Ends the worker and starts another, which gets ready while nobody waits for it.
    fn replace(&mut self) {
        if let Some(worker) = self.worker.take() {
            let mut state = self.pool.lock();
            state.peak_bytes = state.peak_bytes.max(worker.peak_bytes());
        }
        // Retried when one is needed, which then reports the error.
        self.worker = Worker::start(&self.pool.command).ok();
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let is_worn = |worker: &Worker| worker.n_pictures >= MAX_PICTURES || worker.busy >= MAX_BUSY;
        if self.worker.as_ref().is_some_and(is_worn) {
            self.replace();
        }
        let mut state = self.pool.lock();
        state.n_out -= 1;
        state.idle.extend(self.worker.take());
        drop(state);
        self.pool.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests;
