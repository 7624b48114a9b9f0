//! Logs a lasting condition when it begins and when it ends, and not each time that it is met in between.

use std::sync::atomic::{AtomicBool, Ordering};

/// A condition that may last, such as a disk that is not mounted.
#[derive(Debug, Default)]
pub(crate) struct LogOnce(AtomicBool);

impl LogOnce {
    /// The condition holds. Returns whether it has begun just now.
    pub(crate) fn begin(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    /// The condition does not hold. Returns whether it has ended just now.
    pub(crate) fn end(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}
