//! Samples of before the first step, and what each step says it saw. Neither changes the training.

use std::collections::BTreeMap;

use protocol::{
    dataset::Split, event::SeenPictures, limits::MAX_PICTURES_SEEN, parameters::ParameterOverrides,
};

use super::*;
use crate::data::View;

fn seen(events: &[TrainEvent]) -> Vec<SeenPictures> {
    let steps = |event: &TrainEvent| match event {
        TrainEvent::Report(Report::PicturesSeen { steps }) => Some(steps.clone()),
        _ => None,
    };
    events.iter().filter_map(steps).flatten().collect()
}

#[test]
fn the_base_is_drawn_before_the_first_step_which_changes_no_step() {
    let trained = |at_start: Option<bool>| {
        let fixture = Fixture::new(|o| {
            o.sample_every_n_steps = Some(6);
            o.sample_at_start = at_start;
        });
        let folder = tempfile::tempdir().expect("a folder");
        let (ended, events) = fixture.train(folder.path(), None);
        (completed(ended).metadata["sshs_model_hash"].clone(), events)
    };
    let (hash, with) = trained(None);
    let (same_hash, without) = trained(Some(false));
    assert_eq!(written(&with)[0], "sample-000000-0.png");
    assert!(!written(&without).contains(&"sample-000000-0.png".to_owned()));
    assert_eq!(numbers(&with), numbers(&without));
    assert_eq!(hash, same_hash);
    let is_drawn = |event: &TrainEvent| matches!(event, TrainEvent::Wrote { .. });
    let first_picture = with.iter().position(is_drawn).expect("a picture");
    let first_step = with.iter().position(is_step).expect("a step");
    assert!(first_picture < first_step);
}

#[test]
fn the_base_is_not_drawn_again_nor_where_there_are_no_samples() {
    let folder = tempfile::tempdir().expect("a folder");
    let fixture = Fixture::new(|o| o.sample_every_n_steps = Some(6));
    let cancel = once(1, Directive::Cancel);
    let (ended, events) = fixture.train_again(folder.path(), cancel);
    assert!(matches!(ended, Ok(Ended::Cancelled)));
    assert_eq!(written(&events), [""; 0]);

    let without = Fixture::new(|o| o.sample_every_n_steps = Some(0));
    assert!(!without.recipe.parameters().sample_at_start);
}

/// An epoch shows each picture once, and the mean of what was seen is the loss of the step where nothing is weighted.
#[test]
fn each_step_says_what_it_saw() {
    let plain = |o: &mut ParameterOverrides| {
        o.batch_size = Some(1);
        o.gradient_accumulation = Some(1);
        o.min_snr_gamma = Some(0.0);
        o.n_steps = Some(10);
        o.n_warmup_steps = Some(0);
        o.checkpoint_every_n_steps = Some(4);
    };
    let fixture = Fixture::new(plain);
    let folder = tempfile::tempdir().expect("a folder");
    let (ended, events) = fixture.train(folder.path(), None);
    completed(ended);
    let (seen, steps) = (seen(&events), steps(&events));
    let of_seen: Vec<u32> = seen.iter().map(|step| step.step).collect();
    assert_eq!(of_seen, (1..=10).collect::<Vec<_>>());
    let items = &fixture.drawn.manifest.items;
    let is_trained = |place: &u32| items[*place as usize].split == Split::Train;
    let n_trained = items.iter().filter(|item| item.split == Split::Train).count();
    for (seen, step) in seen.iter().zip(&steps) {
        assert_eq!((seen.pictures.len(), seen.timesteps.len()), (1, 1));
        assert!(is_trained(&seen.pictures[0]));
        assert!((0..1000).contains(&seen.timesteps[0]));
        assert!((seen.losses[0] - step.loss).abs() < 1e-6, "{seen:?} of {step:?}");
    }
    let mut times: BTreeMap<u32, usize> = BTreeMap::new();
    for step in &seen[..n_trained] {
        *times.entry(step.pictures[0]).or_default() += 1;
    }
    assert_eq!(times.len(), n_trained, "{times:?}");

    // A weight changes the loss of the step, and not what is said of the picture.
    let weighted = Fixture::new(|o| {
        plain(o);
        o.n_steps = Some(1);
        o.min_snr_gamma = Some(1e-3);
    });
    let (_, events) = weighted.train(folder.path(), None);
    let (of_first, first) = (super::seen::seen(&events), super::steps(&events));
    assert_eq!(of_first[0], seen[0]);
    assert!(first[0].loss < 0.5 * steps[0].loss, "{first:?}");
}

/// What was not reported before a checkpoint would be lost with the machine.
#[test]
fn a_checkpoint_comes_behind_what_its_steps_saw() {
    let fixture = Fixture::new(|_| ());
    let folder = tempfile::tempdir().expect("a folder");
    let (ended, events) = fixture.train_ordered(folder.path(), None, once(3, Directive::Stop));
    assert!(matches!(ended, Ok(Ended::Stopped)));
    let mut n_seen = 0;
    for event in &events {
        match event {
            TrainEvent::Report(Report::PicturesSeen { steps }) => n_seen += steps.len() as u32,
            TrainEvent::Wrote {
                kind: ArtifactKind::Checkpoint { step },
                ..
            } => assert_eq!(n_seen, *step),
            _ => {}
        }
    }
    let checkpoint = folder.path().join("checkpoint-000003.safetensors");
    let (_, rest) = fixture.train(folder.path(), Some(&checkpoint));
    let all: Vec<u32> = [seen(&events), seen(&rest)]
        .concat()
        .iter()
        .map(|step| step.step)
        .collect();
    assert_eq!(all, (1..=6).collect::<Vec<_>>());
}

#[test]
fn one_step_reports_no_more_than_a_report_may_hold() {
    let fixture = Fixture::new(|_| ());
    let on_stage = &mut |_| ControlFlow::Continue(());
    let manifest = &fixture.drawn.manifest;
    let data = TrainingData::prepare(
        &BASE,
        &fixture.recipe,
        manifest,
        &|item| fixture.file(item),
        on_stage,
    );
    let mut seen = Seen::new(&data.expect("data"), manifest);
    let n = MAX_PICTURES_SEEN + 1;
    seen.batch(
        1,
        &vec![View { picture: 0, turn: 0 }; n],
        &vec![1.0; n],
        &vec![0.25; n],
    );
    let Some(Report::PicturesSeen { steps }) = seen.due() else {
        panic!("many pictures are reported at once");
    };
    assert_eq!(steps[0].pictures.len(), MAX_PICTURES_SEEN);
    assert_eq!(steps[0].losses.len(), MAX_PICTURES_SEEN);
    assert!(seen.all().is_none());
}
