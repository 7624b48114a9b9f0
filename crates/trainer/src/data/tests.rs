use dataset::picture;
use proptest::prelude::*;
use protocol::{preset::Preset, recipe::Parameters};
use sha2::{Digest as _, Sha256};

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

/// A batch of an epoch's first views.
fn batch(data: &TrainingData, recipe: &Recipe, step: u32, n_before: usize, pictures: &[usize]) -> Batch {
    let views: Vec<View> = pictures
        .iter()
        .map(|&picture| View { picture, turn: 0 })
        .collect();
    let at = Place {
        step,
        epoch: 0,
        n_before,
    };
    data.batch(recipe, &BASE.text_encoders, at, &views).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// What the U-Net is told of the captions.
fn context(batch: Batch) -> Vec<f32> {
    match batch.told {
        Told::Encoded(conditioning) => values(&conditioning.context),
        Told::Tokens { .. } => panic!("no text encoder is trained"),
    }
}

#[test]
fn batches_are_functions_of_seed_step_and_place() {
    let fixture = Fixture::new(|_| ());
    let data = prepare(&fixture).unwrap();
    let batch = |step, place, members: &[usize]| batch(&data, &fixture.recipe, step, place, members);
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
    let first = batch(&data, &fixture.recipe, 0, 0, &[0]);
    let (signal, noise) = data.noise_schedule.mix_at(first.timesteps[0]);
    let latents = values(&data.trained[0].latents);
    for ((noisy, target), latent) in values(&first.noisy)
        .iter()
        .zip(values(&first.target))
        .zip(latents)
    {
        assert!((f64::from(*noisy) - signal * f64::from(latent) - noise * f64::from(target)).abs() < 1e-5);
    }
    let offset = Fixture::new(|o| o.noise_offset = Some(1.0));
    let with_offset = batch(&data, &offset.recipe, 0, 0, &[0]);
    let shift: Vec<f32> = values(&with_offset.target)
        .iter()
        .zip(values(&first.target))
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
        .filter(|&step| context(batch(&data, &fixture.recipe, step, 0, &[0])) == empty)
        .count();
    // Four standard deviations of a binomial with 400 draws.
    assert!((65..=135).contains(&n_dropped), "{n_dropped}");
}

#[test]
fn regularization_pictures_come_last_without_the_trigger_word_and_with_their_weight() {
    let mut fixture = Fixture::new(|o| {
        o.prior_loss_weight = Some(0.25);
        o.min_snr_gamma = Some(0.0);
    });
    let items = &mut fixture.drawn.manifest.items;
    items[0].showing.regularization = true;
    items[1].showing.repeats = 3;
    let data = prepare(&fixture).unwrap();
    let captions: Vec<&str> = data
        .trained
        .iter()
        .map(|sample| sample.caption.as_str())
        .collect();
    assert_eq!(captions[0], "zora, picture number 1");
    assert_eq!(captions[4], "picture number 0");
    assert_eq!(batch(&data, &fixture.recipe, 0, 0, &[1, 4]).weights, [1.0, 0.25]);

    // Six views of four pictures, and one picture that is repeated until there are as many of it.
    let plan = data.plan(&fixture.recipe);
    let steps = 0..plan.n_steps_per_epoch();
    let views: Vec<View> = steps.flat_map(|step| plan.step(step).concat()).collect();
    let shown = |picture| views.iter().filter(|view| view.picture == picture).count();
    assert_eq!([0, 1, 2, 3, 4].map(shown), [3, 1, 1, 1, 6]);

    fixture
        .drawn
        .manifest
        .items
        .iter_mut()
        .for_each(|item| item.showing.regularization = true);
    assert!(matches!(prepare(&fixture), Err(DataError::NothingToTrainOn(_))));
}

#[test]
fn the_base_draws_regularization_pictures_of_its_own() {
    let fixture = Fixture::new(|o| {
        o.n_prior_pictures = Some(2);
        o.prior_prompt = Some("a portrait".into());
        o.prior_loss_weight = Some(0.5);
        o.min_snr_gamma = Some(0.0);
        o.shuffle_tags = Some(true);
    });
    let data = prepare(&fixture).unwrap();
    let captions: Vec<&str> = data.trained[5..]
        .iter()
        .map(|sample| sample.caption.as_str())
        .collect();
    assert_eq!(captions, ["a portrait", "a portrait"]);
    assert_eq!(data.subjects().len(), 5);
    let [first, second] = [5, 6].map(|index| values(&data.trained[index].latents));
    assert_eq!(data.trained[5].bucket, Size::new(64, 64));
    assert_ne!(first, second);
    assert_eq!(batch(&data, &fixture.recipe, 0, 0, &[0, 5]).weights, [1.0, 0.5]);
    // As many views as of the five pictures.
    assert_eq!(
        data.trained[5..]
            .iter()
            .map(|sample| sample.repeats)
            .collect::<Vec<_>>(),
        [3, 2]
    );
    // They are what the base draws at a seed of their own, each time.
    let again = prepare(&fixture).unwrap();
    assert_eq!(values(&again.trained[5].latents), first);
}

#[test]
fn the_alpha_of_a_picture_is_its_mask() {
    let of = |masked_loss| Fixture::new(|o| o.masked_loss = Some(masked_loss));
    let mut fixture = of(true);
    // The left half of picture 2 is transparent.
    let pixels = image::RgbaImage::from_fn(64, 64, |x, y| {
        image::Rgba([(3 * x) as u8, y as u8, 90, if x < 32 { 0 } else { 255 }])
    });
    let mut file = std::io::Cursor::new(Vec::new());
    image::DynamicImage::from(pixels)
        .write_to(&mut file, image::ImageFormat::Png)
        .unwrap();
    let normal = picture::normalize(file.get_ref()).unwrap();
    let data = prepare_with(&mut fixture, &normal.png);
    assert_eq!(batch(&data, &fixture.recipe, 0, 0, &[0]).mask, Vec::<f32>::new());
    let mask = batch(&data, &fixture.recipe, 0, 0, &[0, 2]).mask;
    assert_eq!(mask[..64], [1.0; 64]);
    for row in mask[64..].chunks(8) {
        assert_eq!(row, [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
    }
    let mut without = of(false);
    let data = prepare_with(&mut without, &normal.png);
    assert_eq!(batch(&data, &without.recipe, 0, 0, &[2]).mask, Vec::<f32>::new());
}

/// With this file in the place of picture 2.
fn prepare_with(fixture: &mut Fixture, file: &[u8]) -> TrainingData {
    let sha256 = hex::encode(Sha256::digest(file));
    fixture.drawn.manifest.items[2].sha256 = sha256.clone();
    let pictures = |item: &ManifestItem| match item.sha256 == sha256 {
        true => Ok(file.to_vec()),
        false => fixture.file(item),
    };
    let mut go_on = |_| ControlFlow::Continue(());
    TrainingData::prepare(
        &BASE,
        &fixture.recipe,
        &fixture.drawn.manifest,
        &pictures,
        &mut go_on,
    )
    .unwrap()
}

#[test]
fn a_mask_picture_is_the_mask_of_its_picture() {
    let gray = |value: fn(u32) -> u8| {
        let pixels = image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([value(x), value(x), value(y)]));
        picture::encode_png(&pixels)
    };
    let plain = gray(|at| (3 * at) as u8);
    // The first quarter counts a third.
    let mask = gray(|x| if x < 16 { 85 } else { 255 });
    let masked = picture::with_mask(&plain, &mask).unwrap();
    let of = |masked_loss, file: &[u8]| {
        let mut fixture = Fixture::new(|o| o.masked_loss = Some(masked_loss));
        let data = prepare_with(&mut fixture, file);
        batch(&data, &fixture.recipe, 0, 0, &[2])
    };
    let with = of(true, &masked);
    for row in with.mask.chunks(8) {
        for (value, expected) in row
            .iter()
            .zip([1.0 / 3.0, 1.0 / 3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
        {
            assert!((value - expected).abs() < 1e-6, "{row:?}");
        }
    }
    assert_eq!(with.mask.len(), 64);
    let mut raised = Fixture::new(|o| {
        o.masked_loss = Some(true);
        o.unmasked_weight = Some(0.5);
    });
    let data = prepare_with(&mut raised, &masked);
    let raised = batch(&data, &raised.recipe, 0, 0, &[2]).mask;
    assert_eq!(raised[..8], [0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!(of(false, &masked).mask, Vec::<f32>::new());
    assert_eq!(of(true, &plain).mask, Vec::<f32>::new());
}

#[test]
fn half_of_the_views_are_mirrored_with_their_mask() {
    // Dark at the left, and counted a third there.
    let gray = |value: fn(u32) -> u8, is_swapped: bool| {
        let at = |x: u32| if is_swapped { 63 - x } else { x };
        picture::encode_png(&image::RgbImage::from_fn(64, 64, |x, _| {
            image::Rgb([value(at(x)); 3])
        }))
    };
    let file = |is_swapped| {
        let plain = gray(|x| (4 * x) as u8, is_swapped);
        picture::with_mask(&plain, &gray(|x| if x < 16 { 85 } else { 255 }, is_swapped)).unwrap()
    };
    let of = |random_flip, file: &[u8]| {
        let mut fixture = Fixture::new(|o| {
            o.masked_loss = Some(true);
            o.random_flip = Some(random_flip);
        });
        let data = prepare_with(&mut fixture, file);
        (data, fixture)
    };
    let (plain, _) = of(false, &file(false));
    let is_plain = |sample: &Sample| matches!(sample.looks, Looks::Plain);
    assert!(plain.trained.iter().all(is_plain));
    let (data, fixture) = of(true, &file(false));
    let [sample, alone] = [&data.trained[2], &plain.trained[2]];
    assert_eq!(values(&sample.latents), values(&alone.latents));

    // Mirrored, it is what a mirrored file gives, but for the noise of the encoding.
    let Looks::Mirrored(mirrored) = &sample.looks else {
        panic!("it has another look in half of its views");
    };
    let (swapped, _) = of(false, &file(true));
    assert_eq!(mirrored.mask, swapped.trained[2].mask);
    let expected = values(&swapped.trained[2].latents);
    let distance = |latents: &Tensor| {
        let differences = values(latents).into_iter().zip(&expected);
        differences.map(|(a, b)| (a - b).abs()).sum::<f32>()
    };
    assert!(distance(&mirrored.latents) < distance(&sample.latents));

    // Which views are is a function of seed, epoch, picture and turn.
    let masks = || {
        let of_epoch = |epoch| {
            let at = Place {
                step: 0,
                epoch,
                n_before: 0,
            };
            let views = [View { picture: 2, turn: 0 }];
            let batch = data.batch(&fixture.recipe, &BASE.text_encoders, at, &views);
            batch.unwrap().mask
        };
        (0..40).map(of_epoch).collect::<Vec<_>>()
    };
    let shown = masks();
    assert_eq!(shown, masks());
    let n_mirrored = shown
        .iter()
        .filter(|mask| **mask == *mirrored.mask.as_ref().unwrap());
    assert!((10..=30).contains(&n_mirrored.count()));
    assert!(shown.contains(sample.mask.as_ref().unwrap()));
}

#[test]
fn looks_are_drawn_once_and_shown_in_turns() {
    let of = |change: fn(&mut protocol::parameters::ParameterOverrides)| {
        let mut fixture = Fixture::new(|o| {
            o.n_looks = Some(3);
            change(o);
        });
        // Wider than its bucket, and of many colors.
        let file = picture::encode_png(&image::RgbImage::from_fn(96, 64, |x, y| {
            image::Rgb([(2 * x) as u8, (3 * y) as u8, (x * y % 251) as u8])
        }));
        let data = prepare_with(&mut fixture, &file);
        (data, fixture)
    };
    let (plain, _) = of(|_| ());
    let (cropped, fixture) = of(|o| {
        o.random_crop = Some(true);
        o.crop_zoom = Some(2.0);
    });
    let [sample, alone] = [&cropped.trained[2], &plain.trained[2]];
    // What it is measured by stays.
    assert_eq!(values(&sample.latents), values(&alone.latents));
    let Looks::Drawn(looks) = &sample.looks else {
        panic!("no looks were drawn");
    };
    assert_eq!(looks.len(), 3);
    let crops: Vec<_> = looks.iter().map(|look| look.sizes.crop).collect();
    assert!(crops.iter().any(|crop| *crop != sample.sizes.crop), "{crops:?}");
    for look in looks {
        assert_eq!(look.sizes.original, sample.sizes.original);
        assert_eq!(look.latents.dims(), sample.latents.dims());
        assert_ne!(values(&look.latents), values(&sample.latents));
    }
    // Each in its turn, in every training with this seed.
    let shown = |data: &TrainingData, epoch| {
        let at = Place {
            step: 0,
            epoch,
            n_before: 0,
        };
        let view = View { picture: 2, turn: 0 };
        let sample = &data.trained[2];
        sample
            .looks
            .of(fixture.recipe.parameters().seed, at, sample, view)
            .unwrap()
            .sizes
            .crop
    };
    let of_epochs: Vec<_> = (0..3).map(|epoch| shown(&cropped, epoch)).collect();
    let sorted = |mut crops: Vec<_>| {
        crops.sort_unstable();
        crops
    };
    assert_eq!(sorted(of_epochs), sorted(crops));
    assert_eq!(shown(&cropped, 0), shown(&cropped, 3));
    let (again, _) = of(|o| {
        o.random_crop = Some(true);
        o.crop_zoom = Some(2.0);
    });
    assert_eq!(shown(&again, 1), shown(&cropped, 1));

    // Colors change a third of the looks.
    let n_changed = |data: &TrainingData| {
        let Looks::Drawn(looks) = &data.trained[2].looks else {
            panic!("no looks were drawn");
        };
        let noise = |latents: &Tensor| {
            let pairs = values(latents).into_iter().zip(values(&alone.latents));
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        let amounts = looks.iter().map(|look| noise(&look.latents));
        amounts.filter(|amount| *amount > 0.05).count()
    };
    let (jittered, _) = of(|o| {
        o.color_jitter = Some(true);
        o.n_looks = Some(24);
    });
    let n_jittered = n_changed(&jittered);
    assert!((2..=16).contains(&n_jittered), "{n_jittered} of 24");
}

/// Looks take memory and time, and are drawn where they differ.
#[test]
fn backgrounds_are_drawn_behind_cut_outs_only() {
    let looks = |file: &[u8], is_flipped| {
        let mut fixture = Fixture::new(|o| {
            o.n_looks = Some(3);
            o.random_background = Some(true);
            o.random_flip = Some(is_flipped);
        });
        prepare_with(&mut fixture, file).trained.swap_remove(2)
    };
    let opaque = picture::encode_png(&image::RgbImage::from_pixel(64, 64, image::Rgb([200, 90, 9])));
    assert!(matches!(looks(&opaque, false).looks, Looks::Plain));
    assert!(matches!(looks(&opaque, true).looks, Looks::Mirrored(_)));
    let cut_out = image::RgbaImage::from_fn(64, 64, |x, _| {
        image::Rgba([200, 90, 9, if x < 32 { 0 } else { 255 }])
    });
    let mut file = Vec::new();
    picture::write_png(&image::DynamicImage::ImageRgba8(cut_out), &mut file).unwrap();
    let normal = picture::normalize(&file).unwrap();
    let sample = looks(&normal.png, false);
    let Looks::Drawn(drawn) = &sample.looks else {
        panic!("no looks were drawn");
    };
    assert_eq!(drawn.len(), 3);
    let first = values(&drawn[0].latents);
    assert!(
        drawn
            .iter()
            .all(|look| look.latents.dims() == sample.latents.dims())
    );
    assert_ne!(first, values(&drawn[1].latents));
    // Nothing is cut off, so a random place is the only one.
    let mut fixture = Fixture::new(|o| o.random_crop = Some(true));
    let whole = prepare_with(&mut fixture, &opaque).trained.swap_remove(2);
    assert!(matches!(whole.looks, Looks::Plain));
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
    fn every_epoch_shows_every_picture_as_often_as_it_has_repeats(
        buckets in prop::collection::vec((0_u32..4, 1_u32..4), 1..40),
        batch_size in 1_u16..9, gradient_accumulation in 1_u16..5, seed: u32, epoch in 0_u32..5,
    ) {
        let parameters = Parameters { batch_size, gradient_accumulation, seed, ..Parameters::default() };
        let pictures = buckets.iter().map(|&(bucket, n_repeats)| (Size::new(64 + 32 * bucket, 64), n_repeats));
        let plan = BatchPlan::new(pictures, &parameters);
        let first = epoch * plan.n_steps_per_epoch();
        let steps: Vec<_> = (first..first + plan.n_steps_per_epoch()).map(|step| plan.step(step)).collect();
        prop_assert_eq!(plan.epoch(first), epoch);
        let batches: Vec<_> = steps.concat();
        prop_assert_eq!(batches.len(), plan.n_batches_per_epoch());
        for batch in &batches {
            prop_assert!((1..=usize::from(batch_size)).contains(&batch.len()));
            let bucket = |view: &View| buckets[view.picture].0;
            prop_assert!(batch.iter().all(|view| bucket(view) == bucket(&batch[0])), "buckets are mixed");
        }
        let mut views = batches.concat();
        views.sort_unstable();
        let repeats = buckets.iter().map(|(_, n_repeats)| *n_repeats).enumerate();
        let expected = repeats.flat_map(|(picture, n)| (0..n).map(move |turn| View { picture, turn }));
        prop_assert_eq!(views, expected.collect::<Vec<_>>());
        prop_assert!(steps.iter().all(|step| (1..=usize::from(gradient_accumulation)).contains(&step.len())));
    }
}

#[test]
fn epochs_differ_in_order() {
    let parameters = Parameters::of(Preset::Character, protocol::preset::BaseClass::Tiny);
    let plan = BatchPlan::new(vec![(Size::new(128, 128), 1); 16], &parameters);
    assert_eq!(plan.n_steps_per_epoch(), 2);
    assert_ne!(plan.step(0), plan.step(2));
    assert_eq!(plan.step(0), plan.step(0));
}

/// The change that a caption is drawn with is the picture's and the epoch's, not the batch's.
#[test]
fn captions_change_by_epoch_and_turn_and_are_encoded_as_they_read() {
    let fixture = Fixture::new(|o| {
        o.caption_dropout = Some(0.0);
        o.shuffle_tags = Some(true);
        o.caption_suffix = Some(", red, blue, green, white".into());
    });
    let data = prepare(&fixture).unwrap();
    assert!(data.has_changing_captions());
    assert_eq!(
        data.trained[1].caption,
        "zora, picture number 1, red, blue, green, white"
    );
    let context = |step: u32, epoch: u32, turn: u32, pictures: &[usize]| {
        let views: Vec<View> = pictures.iter().map(|&picture| View { picture, turn }).collect();
        let at = Place {
            step,
            epoch,
            n_before: 0,
        };
        let batch = data.batch(&fixture.recipe, &BASE.text_encoders, at, &views);
        context(batch.unwrap())
    };
    let alone = context(7, 0, 0, &[1]);
    assert_eq!(context(7, 0, 0, &[1]), alone);
    assert_eq!(context(9, 0, 0, &[2, 1])[alone.len()..], alone);
    assert_ne!(context(7, 1, 0, &[1]), alone);
    assert_ne!(context(7, 0, 1, &[1]), alone);

    let at = Place {
        step: 7,
        epoch: 0,
        n_before: 0,
    };
    let sample = &data.trained[1];
    let said = data
        .captions
        .draw(sample.changing.as_ref().unwrap(), &sample.sha256, at, 0);
    assert!(said.starts_with("zora, ") && said != sample.caption, "{said}");
    let encoded = data.captions.encode(&BASE.text_encoders, &said).unwrap();
    assert_eq!(values(&encoded.context), alone);
}

#[test]
fn every_second_epoch_may_have_no_captions() {
    let fixture = Fixture::new(|o| {
        o.caption_dropout = Some(0.0);
        o.caption_dropout_every_n_epochs = Some(2);
    });
    let data = prepare(&fixture).unwrap();
    let is_empty = |epoch| {
        let at = Place {
            step: 0,
            epoch,
            n_before: 0,
        };
        let view = View { picture: 0, turn: 0 };
        let batch = data.batch(&fixture.recipe, &BASE.text_encoders, at, &[view]);
        context(batch.unwrap()) == values(&data.empty.context)
    };
    assert_eq!([0, 1, 2, 3].map(is_empty), [false, true, false, true]);
}
