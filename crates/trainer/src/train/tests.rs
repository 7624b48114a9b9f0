use candle_core::{DType, Tensor};
use diffusion::{base::export_built_in, device::HOST};
use protocol::{
    agent::Report,
    event::StepMetrics,
    parameters::{LossKind, Optimizer, ParameterOverrides, TimestepDistribution},
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::seen::Seen;
use super::*;
use crate::{
    checkpoint::{Checkpoint, Progress},
    fixture::{BASE, Fixture, is_step},
    network::LoraNetwork,
    optimizers::OptimizerConfig,
    origin::Training,
    seeds,
    tensor_file::{Precision, TensorFile, write_atomically},
};

mod judged;
mod seen;
mod targets;

fn steps(events: &[TrainEvent]) -> Vec<StepMetrics> {
    let step = |event: &TrainEvent| match event {
        TrainEvent::Report(Report::Step(metrics)) => Some(*metrics),
        _ => None,
    };
    events.iter().filter_map(step).collect()
}

/// What has to be the same in every run of a recipe: times are not.
fn numbers(events: &[TrainEvent]) -> Vec<[f64; 5]> {
    let numbers = |m: &StepMetrics| {
        [
            f64::from(m.step),
            m.loss,
            m.average_loss,
            m.learning_rate,
            m.gradient_norm,
        ]
    };
    steps(events).iter().map(numbers).collect()
}

fn written(events: &[TrainEvent]) -> Vec<String> {
    let name = |event: &TrainEvent| match event {
        TrainEvent::Wrote { path, .. } => Some(path.file_name().unwrap().to_string_lossy().into_owned()),
        TrainEvent::Report(_) => None,
    };
    events.iter().filter_map(name).collect()
}

/// Gives an order once, after a number of steps.
fn once(after: usize, order: Directive) -> impl FnMut(usize) -> Option<Directive> {
    let mut order = Some(order);
    move |n_done| if n_done == after { order.take() } else { None }
}

#[track_caller]
fn completed(ended: Result<Ended, TrainError>) -> Trained {
    match ended.unwrap() {
        Ended::Completed(trained) => *trained,
        other => panic!("should be completed, not {other:?}"),
    }
}

#[test]
fn a_resumed_training_is_bit_for_bit_the_uninterrupted_one() {
    let fixture = Fixture::new(|_| ());
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let (ended, whole) = fixture.train(folders[0].path(), None);
    let whole_file = completed(ended);
    assert_eq!(steps(&whole).len(), 6);

    // From a checkpoint that was written on the way.
    let checkpoint = folders[0].path().join("checkpoint-000002.safetensors");
    let (ended, rest) = fixture.train(folders[1].path(), Some(&checkpoint));
    assert_eq!(numbers(&rest), numbers(&whole)[2..]);
    assert_eq!(
        completed(ended).metadata["sshs_model_hash"],
        whole_file.metadata["sshs_model_hash"]
    );

    // Stopped by an order in the middle of an epoch.
    let (ended, first) = fixture.train_ordered(folders[2].path(), None, once(3, Directive::Stop));
    assert!(matches!(ended, Ok(Ended::Stopped)));
    let checkpoint = folders[2].path().join("checkpoint-000003.safetensors");
    let (ended, rest) = fixture.train(folders[2].path(), Some(&checkpoint));
    assert_eq!([numbers(&first), numbers(&rest)].concat(), numbers(&whole));
    assert_eq!(
        completed(ended).metadata["sshs_model_hash"],
        whole_file.metadata["sshs_model_hash"]
    );

    // From the last one, there is nothing left but to finish.
    let checkpoint = folders[0].path().join("checkpoint-000006.safetensors");
    let (ended, rest) = fixture.train(folders[1].path(), Some(&checkpoint));
    assert_eq!(steps(&rest).len(), 0);
    assert_eq!(
        completed(ended).metadata["sshs_model_hash"],
        whole_file.metadata["sshs_model_hash"]
    );
}

#[test]
fn a_training_that_is_finished_early_has_the_result_of_its_last_step() {
    let fixture = Fixture::new(|_| ());
    let folders = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let (ended, events) = fixture.train_ordered(folders[0].path(), None, once(3, Directive::Finish));
    let trained = completed(ended);
    assert_eq!(
        (trained.n_steps, steps(&events).len()),
        (4, 4),
        "the step after the order is the last"
    );
    assert!(written(&events).contains(&"checkpoint-000004.safetensors".to_owned()));

    // Of its checkpoint, the same is made without a step.
    let checkpoint = folders[0].path().join("checkpoint-000004.safetensors");
    let at_once = once(0, Directive::Finish);
    let (ended, events) = fixture.train_ordered(folders[1].path(), Some(&checkpoint), at_once);
    let again = completed(ended);
    assert_eq!((again.n_steps, steps(&events).len()), (4, 0));
    assert_eq!(written(&events), [""; 0], "nothing is stored twice");
    assert_eq!(
        again.metadata["sshs_model_hash"],
        trained.metadata["sshs_model_hash"]
    );

    // A LoRA that has learned nothing is no result: one step is done first.
    let (ended, events) = fixture.train_ordered(folders[2].path(), None, once(0, Directive::Finish));
    assert_eq!((completed(ended).n_steps, steps(&events).len()), (1, 1));
}

/// Everything that is drawn of a caption is a function of the seed, the epoch and the picture.
#[test]
fn a_resumed_training_draws_the_captions_of_the_uninterrupted_one() {
    let fixture = Fixture::new(|o| {
        o.shuffle_tags = Some(true);
        o.tag_dropout = Some(0.3);
        o.token_warmup_steps = Some(4);
        o.caption_dropout_every_n_epochs = Some(3);
        o.caption_suffix = Some(", {red|blue|green}, (big:1.3), white, wide".into());
        o.wildcards = Some(true);
        o.weighted_captions = Some(true);
        o.checkpoint_every_n_steps = Some(1);
    });
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (ended, whole) = fixture.train(folders[0].path(), None);
    let whole_file = completed(ended);
    for step in [1, 3, 5] {
        let checkpoint = folders[0]
            .path()
            .join(format!("checkpoint-{step:06}.safetensors"));
        let (ended, rest) = fixture.train(folders[1].path(), Some(&checkpoint));
        assert_eq!(numbers(&rest), numbers(&whole)[step..]);
        assert_eq!(
            completed(ended).metadata["sshs_model_hash"],
            whole_file.metadata["sshs_model_hash"]
        );
    }
}

/// With accumulation, as the fixture has it. What the training is for is not what is trained in the first two.
#[test]
fn a_training_with_averages_or_another_optimizer_is_resumed_bit_for_bit() {
    let changes: [fn(&mut ParameterOverrides); 4] = [
        |o| o.ema_decay = Some(0.9),
        |o| {
            o.optimizer = Some(Optimizer::ProdigyScheduleFree);
            o.optimizer_arguments = Some(vec!["d0=1e-4".into()]);
        },
        |o| {
            o.optimizer = Some(Optimizer::Adamw8bit);
            o.optimizer_arguments = Some(vec!["min_8bit_size=64".into()]);
            o.input_perturbation = Some(0.1);
            o.multires_noise_iterations = Some(4);
            o.loss = Some(LossKind::SmoothL1);
        },
        |o| {
            o.optimizer = Some(Optimizer::Prodigy);
            o.noise_offset_random = Some(true);
            o.timestep_distribution = Some(TimestepDistribution::LogitNormal);
        },
    ];
    // Stopped before the end, since judging the files takes longer than the steps.
    for change in changes {
        let fixture = Fixture::new(change);
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (ended, whole) = fixture.train_ordered(folders[0].path(), None, once(4, Directive::Stop));
        assert!(matches!(ended, Ok(Ended::Stopped)));
        let checkpoint = folders[0].path().join("checkpoint-000002.safetensors");
        let (ended, rest) =
            fixture.train_ordered(folders[1].path(), Some(&checkpoint), once(2, Directive::Stop));
        assert!(matches!(ended, Ok(Ended::Stopped)));
        assert_eq!(numbers(&rest), numbers(&whole)[2..]);
        let last = |folder: usize| {
            std::fs::read(folders[folder].path().join("checkpoint-000004.safetensors")).unwrap()
        };
        assert!(last(0) == last(1), "{:?}", fixture.recipe.parameters().optimizer);
    }
}

#[test]
fn a_mean_of_the_weights_changes_the_result_and_not_the_training() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (ended, plain) = Fixture::new(|_| ()).train(folders[0].path(), None);
    let plain_file = completed(ended);
    let (ended, events) = Fixture::new(|o| o.ema_decay = Some(0.9)).train(folders[1].path(), None);
    let file = completed(ended);
    assert_eq!(numbers(&events), numbers(&plain));
    assert_ne!(
        file.metadata["sshs_model_hash"],
        plain_file.metadata["sshs_model_hash"]
    );

    // The checkpoint holds both, and the LoRA in it is what the file holds.
    let tensors = |path: &Path| candle_core::safetensors::load(path, &HOST).unwrap();
    let checkpoint = tensors(&folders[1].path().join("checkpoint-000006.safetensors"));
    let plain_checkpoint = tensors(&folders[0].path().join("checkpoint-000006.safetensors"));
    let lora = tensors(&file.lora);
    let values = |tensor: &Tensor| -> Vec<f32> {
        let tensor = tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap();
        tensor.to_vec1().unwrap()
    };
    let mut n_means = 0;
    for (name, kept) in &lora {
        let (mean, trained) = (
            &checkpoint[&format!("lora.{name}")],
            checkpoint.get(&format!("weights.{name}")),
        );
        let mean: Vec<f32> = values(mean)
            .into_iter()
            .map(|x| half::f16::from_f32(x).to_f32())
            .collect();
        assert_eq!(values(kept), mean, "{name}");
        if let Some(trained) = trained {
            assert_eq!(
                values(trained),
                values(&plain_checkpoint[&format!("lora.{name}")]),
                "{name}"
            );
            n_means += 1;
        }
    }
    assert!(n_means > 0);
}

/// The losses that `examples/fingerprint.rs` prints. On the machine that they were recorded on they are the same to the
/// last bit; processors that add in another order come close.
#[test]
fn a_short_training_gives_the_recorded_losses() {
    const LOSSES: [f64; 8] = [
        0.501_358_325,
        0.160_403_549,
        0.350_856_360,
        0.134_007_443,
        0.273_934_884,
        0.423_463_658,
        0.069_471_579,
        0.305_325_661,
    ];
    let fixture = Fixture::new(|o| {
        o.n_steps = Some(8);
        o.learning_rate = Some(1e-3);
        o.min_snr_gamma = Some(5.0);
        o.checkpoint_every_n_steps = Some(8);
        o.seed = Some(3);
    });
    let folder = tempfile::tempdir().unwrap();
    let (ended, events) = fixture.train(folder.path(), None);
    completed(ended);
    let losses: Vec<f64> = steps(&events).iter().map(|step| step.loss).collect();
    assert_eq!(losses.len(), LOSSES.len());
    for (found, expected) in losses.iter().zip(LOSSES) {
        assert!((found / expected - 1.0).abs() < 1e-4, "{losses:?}");
    }
}

/// The steps after which the validation loss was told.
fn validated(events: &[TrainEvent]) -> Vec<u32> {
    let step = |event: &TrainEvent| match event {
        TrainEvent::Report(Report::ValidationLoss { step, .. }) => Some(*step),
        _ => None,
    };
    events.iter().filter_map(step).collect()
}

#[test]
fn tells_what_it_does() {
    let fixture = Fixture::new(|o| o.sample_every_n_steps = Some(4));
    let folder = tempfile::tempdir().unwrap();
    let (ended, events) = fixture.train(folder.path(), None);
    let trained = completed(ended);
    assert_eq!(trained.lora, folder.path().join("test.safetensors"));
    assert_eq!(
        written(&events),
        [
            "sample-000000-0.png",
            "checkpoint-000002.safetensors",
            "checkpoint-000004.safetensors",
            "sample-000004-0.png",
            "checkpoint-000006.safetensors",
            "sample-000006-0.png",
        ]
    );
    // Five pictures in two buckets make three batches of up to two, two steps of two batches.
    let last = steps(&events)[5];
    assert_eq!((last.step, last.n_steps, last.epoch, last.n_epochs), (6, 6, 3, 3));
    assert_eq!(last.average_loss, (last.loss + steps(&events)[4].loss) / 2.0);
    assert_eq!(steps(&events)[0].learning_rate, 0.0, "warm-up begins at zero");
    assert_eq!(validated(&events), [0, 2, 4, 6]);
    let [
        ..,
        TrainEvent::Report(Report::Finalizing),
        TrainEvent::Report(Report::Validated { verdict }),
    ] = &events[..]
    else {
        panic!("the verdict comes last");
    };
    assert_eq!(verdict, &trained.verdict);
    assert!(trained.before.unwrap().exists() && trained.after.unwrap().exists());
}

#[test]
fn obeys_orders() {
    let fixture = Fixture::new(|o| o.checkpoint_every_n_steps = Some(0));
    let folder = tempfile::tempdir().unwrap();
    let mut orders = vec![Directive::Cancel, Directive::Sample, Directive::Checkpoint];
    let order = |n_done| if n_done == 1 { orders.pop() } else { None };
    let (ended, events) = fixture.train_ordered(folder.path(), None, order);
    assert!(matches!(ended, Ok(Ended::Cancelled)));
    assert_eq!(
        written(&events),
        ["checkpoint-000001.safetensors", "sample-000001-0.png"]
    );

    let (ended, events) = fixture.train_ordered(folder.path(), None, once(0, Directive::Cancel));
    assert!(matches!(ended, Ok(Ended::Cancelled)));
    assert_eq!(
        steps(&events).len(),
        0,
        "an order to end is obeyed while pictures are prepared"
    );
}

#[test]
fn stops_at_a_loss_that_is_not_finite_and_names_the_last_good_checkpoint() {
    let fixture = Fixture::new(|_| ());
    let folder = tempfile::tempdir().unwrap();
    // Weights so large that their product overflows.
    let targets = BASE.unet.config().lora_targets();
    let mut random = seeds::random(format_args!("any"));
    let mut network = LoraNetwork::new(targets, fixture.recipe.rank(), 4.0, &mut random);
    network.values_mut().fill(1e30);
    let optimizer = OptimizerConfig::of(fixture.recipe.parameters())
        .start(&network)
        .unwrap();
    let training = Training::of(&fixture.recipe, &fixture.drawn.manifest, BASE.fingerprint());
    let progress = Progress {
        step: 1,
        recent_losses: vec![0.1],
    };
    let path = folder.path().join("checkpoint-000001.safetensors");
    Checkpoint::new(
        training.origin().clone(),
        progress,
        &network,
        None,
        optimizer.as_ref(),
    )
    .unwrap()
    .save(&path)
    .unwrap();

    let (ended, events) = fixture.train(folder.path(), Some(&path));
    let err = ended.unwrap_err();
    let TrainError::NotFinite {
        what: "loss",
        step: 2,
        items,
        last_checkpoint,
    } = &err
    else {
        panic!("{err}");
    };
    assert_eq!(last_checkpoint.as_ref(), Some(&path));
    let trained: Vec<_> = fixture.drawn.manifest.items[..5]
        .iter()
        .map(|item| item.id)
        .collect();
    assert!(!items.is_empty() && items.iter().all(|id| trained.contains(id)));
    assert!(err.to_string().contains("lower the learning rate"), "{err}");
    let named = format!("(pictures {}", items[0]);
    assert!(err.to_string().contains(&named), "{err}");
    assert_eq!(steps(&events).len(), 0);
    assert_eq!(written(&events).len(), 0, "nothing of a broken training is kept");
}

/// A file of which each number is finite, and nothing is that is computed with them.
#[test]
fn a_broken_base_is_not_taken_for_a_broken_training() {
    let fixture = Fixture::new(|_| ());
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base");
    export_built_in("tiny-xl", &base).unwrap();
    let unet = base.join("unet/diffusion_pytorch_model.safetensors");
    let bytes = std::fs::read(&unet).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    let huge = 3e38_f32.to_le_bytes();
    let tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = read
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let shape = view.shape().to_vec();
            if name == "conv_out.weight" {
                let n = shape.iter().product();
                let data = std::iter::repeat_n(huge, n).flatten().collect();
                (name, Dtype::F32, shape, data)
            } else {
                (name, view.dtype(), shape, view.data().to_vec())
            }
        })
        .collect();
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
        (name.as_str(), view)
    });
    std::fs::write(&unet, safetensors::serialize(views, None).unwrap()).unwrap();
    let base = BaseModel::load(&base).unwrap();
    let job = TrainJob {
        recipe: &fixture.recipe,
        base: &base,
        manifest: &fixture.drawn.manifest,
        pictures: &|item| fixture.file(item),
        folder: folder.path(),
        start_from: None,
        resume_from: None,
        is_start_drawn: false,
        recomputes: false,
        judging: JudgeShare::NONE,
    };
    let err = train(&job, |_| (), || None).unwrap_err();
    assert!(matches!(err, TrainError::BrokenBase { .. }), "{err}");
    let words =
        "the base model is broken: with a LoRA that changes nothing yet, its validation loss is not finite";
    assert!(err.to_string().starts_with(words), "{err}");
}

/// The base is whole; what the training begins with is not nothing.
#[test]
fn a_lora_to_begin_with_that_breaks_everything_is_not_blamed_on_the_base() {
    let fixture = Fixture::new(|_| ());
    let folder = tempfile::tempdir().unwrap();
    let targets = BASE.unet.config().lora_targets();
    let mut random = seeds::random(format_args!("any"));
    let mut network = LoraNetwork::new(targets, fixture.recipe.rank(), 4.0, &mut random);
    network.values_mut().fill(1e30);
    let lora = folder.path().join("lora.safetensors");
    let tensors = network.file_tensors().unwrap();
    let file = TensorFile::new(&tensors, Precision::F32);
    write_atomically(&lora, |out| file.write(&Default::default(), out)).unwrap();
    let job = TrainJob {
        recipe: &fixture.recipe,
        base: &BASE,
        manifest: &fixture.drawn.manifest,
        pictures: &|item| fixture.file(item),
        folder: folder.path(),
        start_from: Some(&lora),
        resume_from: None,
        is_start_drawn: false,
        recomputes: false,
        judging: JudgeShare::NONE,
    };
    let mut events = Vec::new();
    let err = train(&job, |event| events.push(event), || None).unwrap_err();
    assert!(matches!(err, TrainError::NotFinite { step: 1, .. }), "{err}");
    // A number that is not one is told in words.
    let told = events.iter().any(|event| match event {
        TrainEvent::Report(Report::Log { message, .. }) => {
            message.starts_with("the validation loss after step 0 is not finite")
        }
        _ => false,
    });
    assert!(told, "{events:?}");
    let is_number = |event: &TrainEvent| matches!(event, TrainEvent::Report(Report::ValidationLoss { .. }));
    assert!(!events.iter().any(is_number), "{events:?}");
}

#[test]
fn names_the_file_that_cannot_be_written() {
    let fixture = Fixture::new(|_| ());
    let (ended, _) = fixture.train(Path::new("/dev/null/nowhere"), None);
    assert_eq!(
        ended.unwrap_err().to_string(),
        "failed to write `/dev/null/nowhere/checkpoint-000002.safetensors`"
    );
}

#[test]
fn refuses_the_checkpoint_of_another_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let (ended, _) = Fixture::new(|_| ()).train_ordered(folder.path(), None, once(1, Directive::Stop));
    assert!(matches!(ended, Ok(Ended::Stopped)));
    let checkpoint = folder.path().join("checkpoint-000001.safetensors");
    let (ended, _) = Fixture::new(|o| o.seed = Some(7)).train(folder.path(), Some(&checkpoint));
    let err = ended.unwrap_err().to_string();
    assert!(err.contains("`parameters.seed` was 42 and is 7 now;"), "{err}");
}

/// An epoch of the fixture has two steps.
#[test]
fn intervals_in_epochs_are_those_of_as_many_steps() {
    let fixture = Fixture::new(|o| {
        o.checkpoint_every_n_steps = None;
        o.checkpoint_every_n_epochs = Some(2);
        o.sample_every_n_steps = None;
        o.sample_every_n_epochs = Some(1);
        o.validate_every_n_steps = Some(5);
    });
    let folder = tempfile::tempdir().unwrap();
    let (ended, events) = fixture.train(folder.path(), None);
    completed(ended);
    assert_eq!(
        written(&events),
        [
            "sample-000000-0.png",
            "sample-000002-0.png",
            "checkpoint-000004.safetensors",
            "sample-000004-0.png",
            "checkpoint-000006.safetensors",
            "sample-000006-0.png",
        ]
    );
    assert_eq!(validated(&events), [0, 5, 6]);
}

/// As somebody does whose LoRA is not done after all.
#[test]
fn more_steps_go_on_from_the_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (ended, _) = Fixture::new(|_| ()).train_ordered(folder.path(), None, once(4, Directive::Stop));
    assert!(matches!(ended, Ok(Ended::Stopped)));
    let checkpoint = folder.path().join("checkpoint-000004.safetensors");
    let longer = Fixture::new(|o| {
        o.n_steps = Some(8);
        o.checkpoint_every_n_steps = Some(3);
    });
    let (ended, events) = longer.train(folder.path(), Some(&checkpoint));
    assert_eq!(completed(ended).metadata["ss_steps"], "8");
    let logs: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            TrainEvent::Report(Report::Log { message, .. }) => Some(message.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        logs,
        [
            "goes on after step 4 with another schedule: `parameters.n_steps` was 6 and is 8 now; the learning rate \
             is 7.500e-4 at the next step and falls along half a cosine to zero at step 8"
        ]
    );
    let rates: Vec<f64> = steps(&events).iter().map(|step| step.learning_rate).collect();
    assert_eq!(rates.len(), 4);
    assert!((rates[0] - 7.5e-4).abs() < 1e-9, "{rates:?}");

    // Fewer than are done.
    let shorter = Fixture::new(|o| o.n_steps = Some(3));
    let (ended, _) = shorter.train(folder.path(), Some(&checkpoint));
    let err = ended.unwrap_err().to_string();
    assert!(
        err.contains("has 4 steps done, and `parameters.n_steps` is 3"),
        "{err}"
    );
}
