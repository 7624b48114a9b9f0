//! Lets in as many pixels as may be decoded at the same time, in the order of their coming.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, PoisonError},
};

/// Bounds the sum of what is inside.
#[derive(Debug)]
pub(super) struct Gate {
    limit: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    inside: u64,
    /// Those who wait, first come first; a large one is not overtaken for ever by small ones.
    queue: VecDeque<u64>,
    next_ticket: u64,
}

/// Leaves when it is dropped.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    gate: &'a Gate,
    weight: u64,
}

impl Gate {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Waits until there is room; what weighs more than the limit goes alone.
    pub(super) fn enter(&self, weight: u64) -> Permit<'_> {
        let weight = weight.min(self.limit);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.queue.push_back(ticket);
        let mut state = self
            .changed
            .wait_while(state, |state| {
                state.queue.front() != Some(&ticket) || state.inside + weight > self.limit
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.queue.pop_front();
        state.inside += weight;
        drop(state);
        self.changed.notify_all(); // the next in the queue may fit too
        Permit { gate: self, weight }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.inside -= self.weight;
        drop(state);
        self.gate.changed.notify_all();
    }
}

#[cfg(test)]
mod tests;
