//! The kohya engine with a program in place of sd-scripts that prints what was recorded.

mod stage;

use std::path::{Path, PathBuf};

use agent::{
    engine::{Ended, JudgeShare},
    kohya::Precision,
};
use protocol::{
    agent::{ArtifactKind, Directive},
    event::LogLevel,
    parameters::Optimizer,
    recipe::RecipeRequest,
};

use self::stage::{Run, Stage, bar, golden};

#[tokio::test]
async fn a_good_run_ends_with_a_judged_file() {
    let stage = Stage::new(|_| ());
    stage.plays([stage.good_run()]);
    let told = stage.run(|_| None).await;
    let Ok(Ended::Completed(trained)) = &told.ended else {
        panic!("{told:?}")
    };
    assert_eq!(trained.lora, stage.output().join("zora.safetensors"));
    assert_eq!(trained.metadata["ss_output_name"], "zora");
    assert!(trained.before.as_ref().unwrap().exists() && trained.verdict.picture_change.unwrap() > 0.0);
    assert_eq!(told.steps(), [(1, 0.5), (2, 0.25), (3, 0.125), (4, 0.0625)]);
    let checkpoint = |step| ArtifactKind::Checkpoint { step };
    assert!(
        told.wrote.contains(&checkpoint(2)) && told.wrote.contains(&checkpoint(4)),
        "{told:?}"
    );
    let sample = ArtifactKind::Sample {
        step: 2,
        prompt_index: 0,
        prompt: "zora".into(),
        seed: 42,
    };
    assert!(told.wrote.contains(&sample), "{told:?}");
    assert!(told.stages.contains(&"caching latents".to_owned()));
    assert!(!stage.child_lives());
}

#[tokio::test]
async fn a_good_result_is_judged_by_its_pictures() {
    let mut stage = Stage::new(|_| ());
    stage.judging = JudgeShare::default();
    stage.plays([stage.good_run()]);
    let told = stage.run(|_| None).await;
    let Ok(Ended::Completed(trained)) = &told.ended else {
        panic!("{told:?}")
    };
    let judgement = trained.judgement.as_ref().unwrap();
    assert!(!judgement.evidence.is_empty(), "{judgement:?}");
    for evidence in &judgement.evidence {
        let name = evidence.name.clone();
        let kind = ArtifactKind::Evidence { step: 4, name };
        assert!(told.wrote.contains(&kind), "{kind:?} of {told:?}");
    }
}

#[tokio::test]
async fn diffusers_draws_the_verdict_on_the_gpu_that_trained() {
    let mut stage = Stage::new(|_| ());
    stage.precision = Precision::Bf16;
    stage.diffusers("{}");
    stage.plays([stage.good_run()]);
    let told = stage.run(|_| None).await;
    let Ok(Ended::Completed(trained)) = &told.ended else {
        panic!("{told:?}")
    };
    // The base is loaded once; the LoRA is applied at weight 0 and at weight 1.
    assert_eq!(stage.n_asked_of_diffusers("load"), 1);
    assert_eq!(stage.n_asked_of_diffusers("decode"), 3);
    // The stand-in's pictures are gray, and brighter with a LoRA.
    assert!(trained.verdict.picture_change.unwrap() > 10.0, "{trained:?}");
    let after = std::fs::read(trained.after.as_ref().unwrap()).unwrap();
    let program = b"with diffusers 0.32.1, torch 2.8.0";
    assert!(after.windows(program.len()).any(|bytes| bytes == program));
    assert!(
        !told.logs.iter().any(|(_, line)| line.contains("diffusers")),
        "{told:?}"
    );
}

#[tokio::test]
async fn the_processor_draws_the_verdict_where_diffusers_cannot_and_says_why() {
    for (plan, why) in [
        (r#"{ "load": [{ "exit": 7 }] }"#, "exit code 7"),
        (
            r#"{ "hello": [{ "answers": { "error": "missing_module", "detail": "No module named 'x'" } }] }"#,
            "'x'",
        ),
    ] {
        let mut stage = Stage::new(|_| ());
        stage.precision = Precision::Bf16;
        stage.diffusers(plan);
        stage.plays([stage.good_run()]);
        let told = stage.run(|_| None).await;
        let Ok(Ended::Completed(trained)) = &told.ended else {
            panic!("{told:?}")
        };
        assert!(trained.before.as_ref().unwrap().exists());
        assert_eq!(stage.n_asked_of_diffusers("decode"), 0);
        let said = |(level, line): &(LogLevel, String)| {
            *level == LogLevel::Warning
                && line.contains("the processor renders the pictures of the verdict")
                && line.contains(why)
        };
        assert!(told.logs.iter().any(said), "{:?}", told.logs);
    }
}

#[tokio::test]
async fn a_training_waits_for_the_picture_on_its_gpu_and_then_goes_first() {
    let mut stage = Stage::new(|_| ());
    stage.precision = Precision::Bf16;
    stage.diffusers("{}");
    stage.plays([stage.good_run()]);
    let gpu = stage.gpu();
    let mut drawing = gpu.draw().unwrap();
    let waits = "waiting for the picture that is being drawn on this GPU";
    let mut n_steps_while_drawn = 0;
    let told = stage
        .run(|told| {
            if drawing.is_some() {
                n_steps_while_drawn += told.metrics.len();
                assert!(gpu.draw().unwrap().is_none() || told.stages.len() < 2, "{told:?}");
            }
            if told.stages.iter().any(|stage| stage == waits) {
                drawing = None;
            }
            None
        })
        .await;
    assert!(matches!(told.ended, Ok(Ended::Completed(_))), "{told:?}");
    assert_eq!(n_steps_while_drawn, 0);
    assert!(drawing.is_none() && !gpu.is_wanted());
}

#[tokio::test]
async fn exit_code_0_without_a_file_is_a_failure() {
    let stage = Stage::new(|_| ());
    let mut run = stage.good_run();
    run.files.clear();
    stage.plays([run]);
    stage
        .fails_with("there is no complete file `zora.safetensors`")
        .await;
}

#[tokio::test]
async fn exit_code_0_without_the_word_on_the_model_is_a_failure() {
    let stage = Stage::new(|_| ());
    let mut run = stage.good_run();
    run.out = Some(stage.file("out", "epoch 1/1\n"));
    stage.plays([run]);
    stage.fails_with("did not report that the model was saved").await;
}

#[tokio::test]
async fn a_file_of_nan_is_a_failure() {
    let stage = Stage::new(|_| ());
    let mut run = stage.good_run();
    run.files[0].0 = stage.lora("nan.safetensors", |_| f32::NAN);
    stage.plays([run]);
    stage.fails_with("not finite").await;
}

#[tokio::test]
async fn a_file_of_zeros_is_a_failure() {
    let stage = Stage::new(|_| ());
    let mut run = stage.good_run();
    run.files[0].0 = stage.lora("zero.safetensors", |_| 0.0);
    stage.plays([run]);
    stage.fails_with("change nothing").await;
}

#[tokio::test]
async fn losses_that_are_no_numbers_end_the_run_at_once() {
    let stage = Stage::new(|_| ());
    let bars: String = (0..=6).map(|step| bar(step, "nan")).collect();
    stage.plays([Run {
        err: Some(stage.file("err", &bars)),
        stays: true,
        ..Run::default()
    }]);
    stage
        .fails_with("the loss is not a number (NaN) since step")
        .await;
    assert!(!stage.child_lives());
}

#[tokio::test]
async fn an_empty_folder_is_named() {
    let stage = Stage::new(|_| ());
    stage.plays([Run {
        out: Some(stage.file(
            "out",
            "0 train images with repeats.\nNo data found. Please verify arguments\n",
        )),
        ..Run::default()
    }]);
    stage.fails_with("found no pictures").await;
}

#[tokio::test]
async fn a_stop_ends_it_and_keeps_the_newest_state() {
    let stage = Stage::new(|_| ());
    let mut run = stage.good_run();
    run.stays = true;
    stage.plays([run]);
    let told = stage
        .run(|told| (told.metrics.len() == 2).then_some(Directive::Stop))
        .await;
    assert!(matches!(told.ended, Ok(Ended::Stopped)), "{told:?}");
    assert!(
        told.wrote.contains(&ArtifactKind::Checkpoint { step: 2 }),
        "{told:?}"
    );
    assert!(!stage.child_lives());
}

#[tokio::test]
async fn finished_early_its_next_state_becomes_the_result() {
    let stage = Stage::new(|_| ());
    let mut run = stage.good_run();
    run.stays = true;
    // The state of step 4 is saved later.
    let is_last = |to: &str| to == "NAME.safetensors" || to.starts_with("NAME-state/");
    let (mut last, files) = run.files.into_iter().partition(|(_, to)| is_last(to));
    run.files = files;
    stage.plays([run]);
    let output = stage.output().join("kohya/output");
    let mut is_told = false;
    let told = stage
        .run(|told| {
            let knows =
                |(_, line): &(LogLevel, String)| line.contains("the next state that sd-scripts saves");
            if told.logs.iter().any(knows) {
                save(&output, std::mem::take(&mut last));
            }
            let has_state = told.wrote.contains(&ArtifactKind::Checkpoint { step: 2 });
            let is_first = has_state && !std::mem::replace(&mut is_told, has_state);
            is_first.then_some(Directive::Finish)
        })
        .await;
    let Ok(Ended::Completed(trained)) = &told.ended else {
        panic!("it is finished: {told:?}");
    };
    assert_eq!(trained.n_steps, 4);
    assert!(
        told.wrote.contains(&ArtifactKind::Checkpoint { step: 4 }),
        "{told:?}"
    );
    assert!(!stage.child_lives());
}

/// Puts files into the folder of a run, as the stand-in does at its beginning.
fn save(output: &Path, files: Vec<(PathBuf, String)>) {
    for (from, to) in files {
        let to = output.join(to.replace("NAME", "zora"));
        let folder = to.parent().expect("a file lies in a folder");
        std::fs::create_dir_all(folder).expect("the folder can be made");
        std::fs::copy(from, to).expect("the file can be copied");
    }
}

/// Runs a job until it has a checkpoint of step 2, and stops it.
async fn stopped_after_two_steps(change: fn(&mut RecipeRequest)) -> Stage {
    let stage = Stage::new(change);
    let mut run = stage.good_run();
    run.stays = true;
    stage.plays([run]);
    let told = stage
        .run(|told| (told.metrics.len() == 2).then_some(Directive::Stop))
        .await;
    assert!(matches!(told.ended, Ok(Ended::Stopped)), "{told:?}");
    stage
}

#[tokio::test]
async fn another_machine_goes_on_where_a_stopped_run_was() {
    let first = stopped_after_two_steps(|request| request.overrides.gradient_accumulation = Some(2)).await;
    let mut second = Stage::new(|request| request.overrides.gradient_accumulation = Some(2));
    second.plays([second.rest_of_a_run()]);
    // Only the archive travels.
    let archive = std::fs::read(first.output().join("checkpoint-000002.zip")).unwrap();
    second.resume_from = Some(second.file("resume.safetensors", archive));
    drop(first);
    let told = second.run(|_| None).await;
    let Ok(Ended::Completed(trained)) = &told.ended else {
        panic!("{told:?}")
    };
    assert_eq!(told.steps().iter().map(|step| step.0).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(told.metrics[0].n_steps, 4);
    let state = second.option(0, "--resume");
    for file in ["optimizer.bin", "scheduler.bin", "random_states_0.pkl"] {
        assert!(std::path::Path::new(&state).join(file).exists(), "{file}");
    }
    assert_eq!(second.option(0, "--max_train_steps"), "2");
    assert_eq!(second.option(0, "--initial_step"), "0");
    assert!(!second.has_option(0, "--skip_until_initial_step"));
    // Its second step is the fourth, and the file of the fourth is the last.
    let sample = |kind: &ArtifactKind| matches!(kind, ArtifactKind::Sample { step: 4, .. });
    assert!(told.wrote.iter().any(sample), "{told:?}");
    let checkpoints: Vec<_> = told
        .wrote
        .iter()
        .filter(|kind| matches!(kind, ArtifactKind::Checkpoint { .. }))
        .collect();
    assert_eq!(checkpoints, [&ArtifactKind::Checkpoint { step: 4 }]);
    assert_eq!(trained.metadata["ss_steps"], "4");
    assert_eq!(trained.metadata["ss_max_train_steps"], "4");

    // Interrupted after the last step, nothing is left to train.
    let mut third = Stage::new(|request| request.overrides.gradient_accumulation = Some(2));
    let archive = std::fs::read(second.output().join("checkpoint-000004.zip")).unwrap();
    third.resume_from = Some(third.file("resume.safetensors", archive));
    let told = third.run(|_| None).await;
    let Ok(Ended::Completed(trained)) = &told.ended else {
        panic!("{told:?}")
    };
    assert_eq!((trained.n_steps, trained.metadata["ss_steps"].as_str()), (4, "4"));
}

#[tokio::test]
async fn a_checkpoint_that_is_none_is_refused() {
    let mut stage = Stage::new(|_| ());
    stage.plays([stage.good_run()]);
    stage.resume_from = Some(stage.lora("resume.safetensors", |_| 0.5));
    stage
        .fails_with("checkpoints of the native engine only work with the native engine")
        .await;
    let first = stopped_after_two_steps(|request| request.overrides.seed = Some(5)).await;
    stage.resume_from = Some(first.output().join("checkpoint-000002.zip"));
    stage.fails_with("`parameters.seed` was 5 and is 42 now").await;
}

#[tokio::test]
async fn a_gpu_that_is_not_seen_ends_it_at_once() {
    let mut stage = Stage::new(|_| ());
    stage.precision = Precision::Bf16;
    stage.plays([Run {
        out: Some(stage.file("out", "accelerator device: cpu\n")),
        stays: true,
        ..Run::default()
    }]);
    stage.fails_with("PyTorch sees no GPU").await;
    assert!(!stage.child_lives());
}

#[tokio::test]
async fn a_sample_out_of_turn_comes_when_prompts_are_looked_for_next() {
    let stage = Stage::new(|request| {
        request.overrides.n_steps = Some(20);
        request.overrides.sample_every_n_steps = Some(0);
    });
    let mut run = stage.good_run();
    run.stays = true;
    stage.plays([run]);
    let told = stage
        .run(|told| match told.logs.as_slice() {
            [.., (LogLevel::Info, line)] if line == "samples will be rendered after step 10" => {
                Some(Directive::Cancel)
            }
            _ => (told.metrics.len() == 1).then_some(Directive::Sample),
        })
        .await;
    assert!(matches!(told.ended, Ok(Ended::Cancelled)), "{told:?}");
    assert_eq!(stage.option(0, "--sample_every_n_steps"), "10");
}

#[tokio::test]
async fn a_sample_out_of_turn_is_not_promised_when_it_is_too_late() {
    let stage = Stage::new(|request| request.overrides.sample_every_n_steps = Some(0));
    let mut run = stage.good_run();
    run.stays = true;
    stage.plays([run]);
    let told = stage
        .run(|told| match told.logs.as_slice() {
            [.., (LogLevel::Info, line)] if line.contains("no more samples before the end") => {
                Some(Directive::Cancel)
            }
            _ => (told.metrics.len() == 1).then_some(Directive::Sample),
        })
        .await;
    assert!(matches!(told.ended, Ok(Ended::Cancelled)), "{told:?}");
}

#[tokio::test]
async fn a_cancel_ends_it_with_nothing() {
    let stage = Stage::new(|_| ());
    let mut run = stage.good_run();
    run.stays = true;
    stage.plays([run]);
    let told = stage
        .run(|told| (told.metrics.len() == 2).then_some(Directive::Cancel))
        .await;
    assert!(matches!(told.ended, Ok(Ended::Cancelled)), "{told:?}");
    assert!(!stage.child_lives());
}

#[tokio::test]
async fn a_checkpoint_out_of_turn_is_answered_with_when_the_next_comes() {
    let stage = Stage::new(|_| ());
    let mut run = stage.good_run();
    run.stays = true;
    stage.plays([run]);
    let told = stage
        .run(|told| match told.logs.as_slice() {
            [.., (LogLevel::Info, line)] if line.contains("cannot write a checkpoint on request") => {
                Some(Directive::Cancel)
            }
            _ => (told.metrics.len() == 1).then_some(Directive::Checkpoint),
        })
        .await;
    assert!(matches!(told.ended, Ok(Ended::Cancelled)), "{told:?}");
}

#[tokio::test]
async fn a_stall_is_ended() {
    let mut stage = Stage::new(|_| ());
    stage.quiet_seconds = 1;
    stage.plays([Run {
        out: Some(stage.file("out", "loading model for process 0/1\nabout to hang\n")),
        stays: true,
        ..Run::default()
    }]);
    stage
        .fails_with("made no output and no progress for 1 s, and was stopped; its output:")
        .await;
    assert!(!stage.child_lives());
}

#[tokio::test]
async fn out_of_memory_is_tried_once_more_with_less() {
    let stage = Stage::new(|request| request.overrides.batch_size = Some(2));
    stage.plays([stage.out_of_memory(), stage.good_run()]);
    let told = stage.run(|_| None).await;
    assert!(matches!(told.ended, Ok(Ended::Completed(_))), "{told:?}");
    let (level, line) = &told.logs[told.logs.len() - 1];
    assert_eq!(*level, LogLevel::Warning);
    assert!(line.contains("smaller batches"), "{line}");
    let accumulation = |run| stage.option(run, "--gradient_accumulation_steps");
    assert_eq!((accumulation(0), accumulation(1)), ("1".into(), "2".into()));
}

#[tokio::test]
async fn out_of_memory_twice_is_a_failure() {
    let stage = Stage::new(|request| request.overrides.batch_size = Some(4));
    stage.plays([stage.out_of_memory()]);
    stage.fails_with("GPU's memory is too small").await;
    assert_eq!(stage.n_runs(), 2);
}

#[tokio::test]
async fn a_dropped_engine_leaves_no_child() {
    let stage = Stage::new(|_| ());
    let mut run = stage.good_run();
    run.stays = true;
    stage.plays([run]);
    stage.run_and_drop_after_steps(2).await;
    stage.wait_until_the_child_is_gone();
}

#[tokio::test]
async fn a_missing_python_is_named() {
    let mut stage = Stage::new(|_| ());
    stage.python = "/nowhere/python".into();
    stage
        .fails_with("failed to start `/nowhere/python` (--kohya-python)")
        .await;
}

#[tokio::test]
async fn a_module_that_only_an_optimizer_needs_is_missed_before_anything_is_loaded() {
    let mut stage = Stage::new(|request| request.overrides.optimizer = Some(Optimizer::Adamw8bit));
    stage.python = stage.python_without_modules();
    stage
        .fails_with("needs the Python module `bitsandbytes`, which")
        .await;
}

/// sd-scripts loads another package beside that of the optimizer.
#[tokio::test]
async fn every_module_that_an_optimizer_needs_is_looked_for() {
    let mut stage = Stage::new(|request| request.overrides.optimizer = Some(Optimizer::ProdigyScheduleFree));
    stage.python = stage.python_without("schedulefree");
    stage
        .fails_with("needs the Python module `schedulefree`, which")
        .await;
}

/// Plays a real transcript; `None` where there are none.
fn recorded(name: &str, stage: &Stage) -> Option<Run> {
    let folder = golden()?;
    Some(Run {
        out: Some(folder.join(format!("{name}.out"))),
        err: Some(folder.join(format!("{name}.err"))),
        losses: Vec::new(),
        pause_ms: 0,
        ..stage.good_run()
    })
}

#[tokio::test]
async fn a_recorded_run_is_followed_by_its_bar() {
    let stage = Stage::new(|request| request.overrides.n_steps = Some(8));
    let Some(run) = recorded("r1", &stage) else { return };
    stage.plays([run]);
    let told = stage.run(|_| None).await;
    assert!(matches!(told.ended, Ok(Ended::Completed(_))), "{told:?}");
    let steps = told.steps();
    assert_eq!(steps.last().unwrap().0, 8);
    assert!(
        steps.iter().all(|&(_, loss)| loss > 0.9 && loss < 1.3),
        "{steps:?}"
    );
}

#[tokio::test]
async fn a_recorded_run_with_a_wrapped_log_is_followed() {
    let stage = Stage::new(|request| request.overrides.n_steps = Some(20));
    let Some(run) = recorded("a", &stage) else { return };
    stage.plays([run]);
    let told = stage.run(|_| None).await;
    assert!(matches!(told.ended, Ok(Ended::Completed(_))), "{told:?}");
    assert_eq!(told.steps().last().unwrap().0, 20);
}

#[tokio::test]
async fn recorded_failures_are_named() {
    for (name, exit, words) in [
        ("r4", 0, "found no pictures"),
        ("r5", 1, "file not found"),
        ("r6", 0, "the loss is not a number (NaN) since step"),
        ("r14", 130, "KeyboardInterrupt"),
        ("r22", 1, "max_train_steps should be greater than initial step"),
    ] {
        let stage = Stage::new(|request| request.overrides.n_steps = Some(6));
        let Some(mut run) = recorded(name, &stage) else {
            return;
        };
        run.exit = exit;
        stage.plays([run]);
        stage.fails_with(words).await;
    }
}
