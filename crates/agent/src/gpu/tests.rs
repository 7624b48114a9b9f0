//! Trainings and pictures take turns.

use super::*;

#[test]
fn nothing_is_drawn_while_a_training_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = Gpu::of(&folder.path().join("work"));
    assert!(!gpu.is_wanted() && !gpu.is_drawn_on());
    let trainings = [gpu.want().unwrap(), gpu.want().unwrap()];
    assert!(gpu.is_wanted());
    assert!(gpu.draw().unwrap().is_none());
    assert!(!gpu.is_drawn_on());
    let [first, second] = trainings;
    drop(first);
    assert!(gpu.draw().unwrap().is_none());
    drop(second);
    assert!(gpu.draw().unwrap().is_some());
}

#[tokio::test]
async fn a_training_waits_for_what_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = Gpu::of(folder.path());
    let drawing = gpu.draw().unwrap().unwrap();
    let training = gpu.want().unwrap();
    assert!(gpu.is_drawn_on());
    let (until_wanted, until_undrawn) = (gpu.until_wanted(), gpu.until_undrawn());
    let give_way = async {
        until_wanted.await;
        drop(drawing);
    };
    tokio::join!(give_way, until_undrawn);
    drop(training);
    gpu.until_unwanted().await;
}
