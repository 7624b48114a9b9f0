//! Work that blocks, on a thread of its own.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::task::JoinError;

/// Computes on a thread of its own. What it is given is set when the result is no longer waited for, so that it can
/// break off.
///
/// # Errors
/// If it panics.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl FnOnce(&AtomicBool) -> T + Send + 'static,
) -> Result<T, JoinError> {
    let waiting = Waiting::default();
    let is_dropped = Arc::clone(&waiting.is_dropped);
    tokio::task::spawn_blocking(move || work(&is_dropped)).await
}

/// Tells a thread when nobody waits for it any more.
#[derive(Default)]
struct Waiting {
    is_dropped: Arc<AtomicBool>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.is_dropped.store(true, Ordering::Relaxed);
    }
}
