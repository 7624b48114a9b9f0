use proptest::prelude::*;
use protocol::{preset::Preset, recipe::Parameters};

use super::*;
use crate::fixture::{BASE, Fixture};

fn prepare(fixture: &Fixture) -> Result<TrainingData, DataError> {
    let pictures = |item: &ManifestItem| fixture.file(item);
    TrainingData::prepare(
        &BASE,
        &fixture.recipe,
        &fixture.drawn.manifest,
        &pictures,
        &mut |_| ControlFlow::Continue(()),
    )
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn batches_are_functions_of_seed_step_and_place() {
    let fixture = Fixture::new(|_| ());
    let data = prepare(&fixture).unwrap();
    let batch = |step, place, members: &[usize]| data.batch(&fixture.recipe, step, place, members).unwrap();
    let both = batch(3, 0, &[0, 2]);
    let second = batch(3, 1, &[2]);
    assert_eq!(both.noisy.dims(), [2, 4, 8, 8]);
    assert_eq!(both.timesteps[1], second.timesteps[0]);
    assert_eq!(values(&both.target)[4 * 64..], values(&second.target));
    assert_eq!(values(&both.noisy)[4 * 64..], values(&second.noisy));
    assert_ne!(values(&batch(4, 1, &[2]).target), values(&second.target));
}

#[test]
fn noise_is_mixed_in_by_the_schedule() {
    let fixture = Fixture::new(|o| o.noise_offset = Some(0.0));
    let data = prepare(&fixture).unwrap();
    let batch = data.batch(&fixture.recipe, 0, 0, &[0]).unwrap();
    let (signal, noise) = data.noise_schedule.mix(batch.timesteps[0] as usize);
    let latents = values(&data.trained[0].latents);
    for ((noisy, target), latent) in values(&batch.noisy)
        .iter()
        .zip(values(&batch.target))
        .zip(latents)
    {
        assert!((f64::from(*noisy) - signal * f64::from(latent) - noise * f64::from(target)).abs() < 1e-5);
    }
    let offset = Fixture::new(|o| o.noise_offset = Some(1.0));
    let with_offset = data.batch(&offset.recipe, 0, 0, &[0]).unwrap();
    let shift: Vec<f32> = values(&with_offset.target)
        .iter()
        .zip(values(&batch.target))
        .map(|(a, b)| a - b)
        .collect();
    for channel in shift.chunks_exact(64) {
        assert!(
            channel.iter().all(|value| (value - channel[0]).abs() < 1e-5),
            "one offset to a channel"
        );
        assert!(channel[0] != 0.0);
    }
}

#[test]
fn captions_have_the_trigger_word_and_are_dropped_as_often_as_asked() {
    let fixture = Fixture::new(|o| o.caption_dropout = Some(0.25));
    let data = prepare(&fixture).unwrap();
    assert_eq!(data.trained[1].caption, "zora, picture number 1");
    let empty = values(&data.empty.context);
    let n_dropped = (0..400)
        .filter(|&step| {
            values(
                &data
                    .batch(&fixture.recipe, step, 0, &[0])
                    .unwrap()
                    .conditioning
                    .context,
            ) == empty
        })
        .count();
    // Four standard deviations of a binomial with 400 draws.
    assert!((65..=135).contains(&n_dropped), "{n_dropped}");
}

#[test]
fn refuses_pictures_and_recipes_that_do_not_fit() {
    let mut fixture = Fixture::new(|_| ());
    fixture.drawn.manifest.items[0].sha256 = "00".repeat(32);
    let err = prepare(&fixture).unwrap_err();
    assert!(
        matches!(err, DataError::Read { id, .. } if id == fixture.drawn.manifest.items[0].id),
        "{err}"
    );

    // A base whose U-Net halves a picture once more.
    let err = check_bucket_step(32, 64).unwrap_err().to_string();
    assert!(err.contains("use a multiple of 64"), "{err}");

    let mut fixture = Fixture::new(|_| ());
    fixture
        .drawn
        .manifest
        .items
        .iter_mut()
        .for_each(|item| item.split = Split::HeldOut);
    assert!(matches!(prepare(&fixture), Err(DataError::NothingToTrainOn(_))));
}

#[test]
fn a_picture_that_changed_is_refused() {
    let fixture = Fixture::new(|_| ());
    let other = |_: &ManifestItem| fixture.file(&fixture.drawn.manifest.items[1]);
    let mut go_on = |_| ControlFlow::Continue(());
    let err = TrainingData::prepare(
        &BASE,
        &fixture.recipe,
        &fixture.drawn.manifest,
        &other,
        &mut go_on,
    )
    .unwrap_err();
    assert!(matches!(err, DataError::Changed { .. }), "{err}");
}

proptest! {
    #[test]
    fn every_epoch_shows_every_picture_once(
        buckets in prop::collection::vec(0_u32..4, 1..40),
        batch_size in 1_u16..9, gradient_accumulation in 1_u16..5, seed: u32, epoch in 0_u32..5,
    ) {
        let parameters = Parameters { batch_size, gradient_accumulation, seed, ..Parameters::default() };
        let sizes = buckets.iter().map(|&bucket| Size::new(64 + 32 * bucket, 64));
        let plan = BatchPlan::new(sizes, &parameters);
        let first = epoch * plan.n_steps_per_epoch();
        let steps: Vec<_> = (first..first + plan.n_steps_per_epoch()).map(|step| plan.step(step)).collect();
        prop_assert_eq!(plan.epoch(first), epoch);
        let batches: Vec<_> = steps.concat();
        prop_assert_eq!(batches.len(), plan.n_batches_per_epoch());
        for batch in &batches {
            prop_assert!((1..=usize::from(batch_size)).contains(&batch.len()));
            prop_assert!(batch.iter().all(|&member| buckets[member] == buckets[batch[0]]), "buckets are mixed");
        }
        let mut members = batches.concat();
        members.sort_unstable();
        prop_assert_eq!(members, (0..buckets.len()).collect::<Vec<_>>());
        prop_assert!(steps.iter().all(|step| (1..=usize::from(gradient_accumulation)).contains(&step.len())));
    }
}

#[test]
fn epochs_differ_in_order() {
    let parameters = Parameters::of(Preset::Character, protocol::preset::BaseClass::Tiny);
    let plan = BatchPlan::new(vec![Size::new(128, 128); 16], &parameters);
    assert_eq!(plan.n_steps_per_epoch(), 2);
    assert_ne!(plan.step(0), plan.step(2));
    assert_eq!(plan.step(0), plan.step(0));
}
