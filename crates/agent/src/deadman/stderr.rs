//! Standard error for a program that must not be held up: when nobody reads it, lines are dropped.

use std::{
    io::{self, Write as _},
    sync::{
        OnceLock,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
};

/// Pieces of text that may wait for their reader.
const MOST_WAITING: usize = 1_000;

/// Standard error, written by a thread of its own. What does not fit is dropped, and every write succeeds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stderr;

impl io::Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if let Some(queue) = queue() {
            let _ = queue.try_send(text.to_vec());
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn queue() -> Option<&'static SyncSender<Vec<u8>>> {
    static QUEUE: OnceLock<Option<SyncSender<Vec<u8>>>> = OnceLock::new();
    let queue = QUEUE.get_or_init(|| {
        let (sender, texts) = sync_channel::<Vec<u8>>(MOST_WAITING);
        let thread = thread::Builder::new().name("stderr".to_owned());
        let started = thread.spawn(move || {
            for text in texts {
                // Nobody reads it any more; there is nobody to tell.
                let _ = io::stderr().write_all(&text);
            }
        });
        started.is_ok().then_some(sender)
    });
    queue.as_ref()
}
