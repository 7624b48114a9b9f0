use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use super::*;

#[test]
fn never_holds_more_than_its_limit() {
    let gate = Gate::new(100);
    let (inside, most) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (gate, inside, most) = (&gate, &inside, &most);
            scope.spawn(move || {
                for round in 0..200 {
                    let weight = (thread * 37 + round * 11) % 150; // some weigh more than the limit
                    let permit = gate.enter(weight);
                    most.fetch_max(
                        inside.fetch_add(weight.min(100), Ordering::SeqCst) + weight.min(100),
                        Ordering::SeqCst,
                    );
                    thread::yield_now();
                    inside.fetch_sub(weight.min(100), Ordering::SeqCst);
                    drop(permit);
                }
            });
        }
    });
    let most = most.into_inner();
    assert!((50..=100).contains(&most), "{most} were inside");
}

#[test]
fn a_large_one_is_not_overtaken() {
    let gate = Gate::new(10);
    let first = gate.enter(5);
    thread::scope(|scope| {
        let large = scope.spawn(|| drop(gate.enter(10)));
        while gate.state.lock().unwrap().queue.is_empty() {
            thread::yield_now();
        }
        let small = scope.spawn(|| drop(gate.enter(1)));
        while gate.state.lock().unwrap().queue.len() < 2 {
            thread::yield_now();
        }
        // There would be room for the small one, but the large one was here before.
        assert!(!small.is_finished());
        drop(first);
        large.join().unwrap();
        small.join().unwrap();
    });
}
