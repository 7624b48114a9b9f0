//! Breaking off work that runs on a thread of its own.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use protocol::agent::Directive;
use tokio::sync::mpsc;

/// Cancels a thread when dropped.
#[derive(Default)]
pub(crate) struct BreakOff(Arc<AtomicBool>);

impl BreakOff {
    /// Set once the thread is to end.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for BreakOff {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Returns when the server orders to end.
pub(crate) async fn end_ordered(orders: &mut mpsc::UnboundedReceiver<Directive>) {
    loop {
        match orders.recv().await {
            Some(Directive::Stop | Directive::Cancel) => return,
            Some(Directive::Checkpoint | Directive::Sample) => {}
            None => std::future::pending().await,
        }
    }
}
