//! Nobody decides about a connection between its return and the mark that it must not be used again.

use std::{
    pin::pin,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    task::Waker,
    time::Duration,
};

use super::*;

/// What a pool on another thread decides about a connection that was opened now, and that it just got back.
fn returned(discards: &Discards) -> Receiver<bool> {
    let (discards, opened_at) = (discards.clone(), Instant::now());
    let (decided, decision) = channel();
    std::thread::spawn(move || decided.send(discards.contains(opened_at)));
    decision
}

/// Whether the decision is still open.
fn waits(decision: &Receiver<bool>) -> bool {
    decision.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout)
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_connection_is_marked_before_anybody_may_take_it_back() {
    let discards = Discards::default();
    let mut decision = None;
    let commit = discards.watching(async {
        let asked = decision.insert(returned(&discards));
        assert!(waits(asked), "it was decided before the commit had failed");
        Err::<(), _>("no room")
    });
    assert_eq!(poll(&mut pin!(commit)), Poll::Ready(Err("no room")));
    assert_eq!(decision.map(|decision| decision.recv()), Some(Ok(true)));
}

#[test]
fn one_that_has_kept_its_promise_stays() {
    let discards = Discards::default();
    let mut decision = None;
    let commit = discards.watching(async {
        decision = Some(returned(&discards));
        Ok::<_, ()>(())
    });
    assert_eq!(poll(&mut pin!(commit)), Poll::Ready(Ok(())));
    assert_eq!(decision.map(|decision| decision.recv()), Some(Ok(false)));
}

/// A connection that goes back to its pool when what holds it is dropped.
struct Held<'a>(&'a Discards, &'a mut Option<Receiver<bool>>);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let asked = self.1.insert(returned(self.0));
        assert!(waits(asked), "it was decided while the commit was given up");
    }
}

#[test]
fn so_is_one_whose_commit_is_given_up() {
    let discards = Discards::default();
    let mut decision = None;
    {
        let held = Held(&discards, &mut decision);
        let mut commit = Box::pin(discards.watching(async move {
            let _held = held;
            std::future::pending::<Result<(), ()>>().await
        }));
        assert_eq!(poll(&mut commit), Poll::Pending);
    }
    assert_eq!(decision.map(|decision| decision.recv()), Some(Ok(true)));
}
