//! Hand-written lines, and the transcripts of real runs.

use std::path::PathBuf;

use expect_test::expect;

use super::*;

fn read(bytes: &[u8]) -> Vec<Line> {
    let mut reader = Reader::default();
    let mut lines = reader.push(bytes);
    lines.extend(reader.finish());
    lines
}

/// A real transcript; says that the test is skipped where there is none.
fn transcript(name: &str) -> Option<Vec<Line>> {
    let Some(folder) = std::env::var_os("MORPHEUS_GOLDEN").map(PathBuf::from) else {
        eprintln!("skipped: MORPHEUS_GOLDEN does not name the folder with sd-scripts' transcripts");
        return None;
    };
    Some(read(
        &std::fs::read(folder.join("kohya-transcripts").join(name)).unwrap(),
    ))
}

fn steps(lines: &[Line]) -> Vec<StepBar> {
    let bars = lines.iter().filter_map(|line| match line {
        Line::Steps(bar) => Some(*bar),
        _ => None,
    });
    bars.collect()
}

#[test]
fn a_step_bar() {
    let lines = read("\rsteps:  50%|█████     | 10/20 [00:01<01:06:01,  5.00it/s, avr_loss=1.11]".as_bytes());
    let bar = StepBar {
        step: 10,
        total: 20,
        seconds_per_step: Some(0.2),
        eta_seconds: Some(3961.0),
        average_loss: Some(1.11),
    };
    assert_eq!(lines, [Line::Steps(bar)]);
}

#[test]
fn step_bars_of_every_kind() {
    let read_bar = |bar: &str| steps(&read(bar.as_bytes()))[0];
    let first = read_bar("steps:   0%|          | 0/8 [00:00<?, ?it/s]");
    assert_eq!(
        (first.step, first.seconds_per_step, first.eta_seconds),
        (0, None, None)
    );
    let slow = read_bar(
        "steps:  25%|██▌       | 1/4 [00:11<00:33, 11.15s/it, Average key norm=0, Keys Scaled=0, avr_loss=1.01]",
    );
    assert_eq!(
        (slow.seconds_per_step, slow.average_loss),
        (Some(11.15), Some(1.01))
    );
    let broken = read_bar("steps:  83%|████████▎ | 5/6 [00:16<00:03,  3.36s/it, avr_loss=nan] ");
    assert!(broken.average_loss.unwrap().is_nan());
}

#[test]
fn other_bars_are_not_steps() {
    let lines = read(
        b"\rread caption:  50%|#####     | 3/6 [00:00<?, ?it/s]\r 17%|#         | 1/6 [00:01<00:06,  1.32s/it]\
          \rvalidation steps:  25%|##        | 1/4 [00:01<00:06,  1.32s/it]\n",
    );
    let bar = |done, total| Line::Bar { done, total };
    assert_eq!(lines, [bar(3, 6), bar(1, 6), bar(1, 4)]);
}

#[test]
fn words_that_matter() {
    let lines = read(
        "epoch 1/2\n\nepoch is incremented. current_epoch: 0, epoch: 1\ncaching latents with caching strategy.\n\
         No data found. Please verify\nmodel saved.\n"
            .as_bytes(),
    );
    expect![[r#"
        [
            Epoch {
                epoch: 1,
                n_epochs: 2,
            },
            Text(
                "epoch is incremented. current_epoch: 0, epoch: 1",
            ),
            Stage(
                "caching latents",
            ),
            NoData,
            ModelSaved,
        ]
    "#]]
    .assert_debug_eq(&lines);
}

#[test]
fn a_message_behind_a_bar_wrapped_at_80_columns() {
    let lines = read(
        "steps: 100%|##########| 20/20 [00:03<00:00,  5.58it/s, avr_loss=1.11]2026-11-22 12:49:11 INFO                                      train_util.py:5989\n\
         \x20                   INFO     load tokenizer from cache:      strategy_base.py:61\n\
         \x20                            /data/tokenizers/openai_clip-ab                    \n\
         \x20                            h14                                                \n\
         \x20                   INFO     model saved.                  train_network.py:1729\n\
         \rsteps: 100%|##########| 20/20 [00:03<00:00,  5.36it/s, avr_loss=1.11]\n"
            .as_bytes(),
    );
    assert_eq!(steps(&lines).len(), 2);
    assert_eq!(
        lines[1],
        Line::Text("load tokenizer from cache: /data/tokenizers/openai_clip-abh14".into())
    );
    assert_eq!(lines[2], Line::ModelSaved);
}

#[test]
fn bytes_in_any_portions_make_the_same_lines() {
    let text =
        "\rsteps:  50%|█████     | 1/2 [00:01<00:01,  5.00it/s, avr_loss=1.11]\r\nepoch 1/1\nmodel saved."
            .as_bytes();
    for size in [1, 3, 7] {
        let mut reader = Reader::default();
        let mut lines: Vec<Line> = text.chunks(size).flat_map(|part| reader.push(part)).collect();
        lines.extend(reader.finish());
        assert_eq!(lines, read(text));
    }
}

#[test]
fn a_line_without_end_is_cut() {
    assert!(read(&vec![b'x'; 3 * MAX_LINE_BYTES]).len() >= 3);
    read(&[0xff, 0xfe, b'\n', 0, b'%', b'|', b'\n']);
}

#[test]
fn a_real_run_with_plain_lines() {
    let (Some(out), Some(err)) = (transcript("r1.out"), transcript("r1.err")) else {
        return;
    };
    assert!(out.contains(&Line::ModelSaved));
    assert!(out.contains(&Line::Epoch {
        epoch: 1,
        n_epochs: 1
    }));
    let stages: Vec<_> = out
        .iter()
        .filter_map(|line| match line {
            Line::Stage(name) => Some(*name),
            _ => None,
        })
        .collect();
    assert_eq!(
        stages[..4],
        [
            "inspecting the pictures",
            "loading the base model",
            "caching latents",
            "caching captions"
        ]
    );
    let last = *steps(&err).last().unwrap();
    assert_eq!((last.step, last.total), (8, 8));
    assert!(last.average_loss.unwrap() > 1.0);
}

#[test]
fn a_real_run_wrapped_at_80_columns_with_samples() {
    let (Some(out), Some(err)) = (transcript("a.out"), transcript("a.err")) else {
        return;
    };
    assert!(err.contains(&Line::ModelSaved));
    assert!(out.contains(&Line::Epoch {
        epoch: 2,
        n_epochs: 2
    }));
    assert_eq!(steps(&err).last().unwrap().step, 20);
    assert!(
        err.iter()
            .any(|line| matches!(line, Line::Bar { done: 30, total: 30 }))
    );
    assert!(err.contains(&Line::Text(
        "save train state to runs/a/zkx-state/train_state.json at epoch 2 step 20".into()
    )));
    assert!(err.contains(&Line::Text(
        "Optimizer state saved in runs/a/zkx-state/optimizer.bin".into()
    )));
}

#[test]
fn a_real_run_of_nothing_but_nan() {
    let Some(err) = transcript("r6.err") else { return };
    assert!(steps(&err).last().unwrap().average_loss.unwrap().is_nan());
    assert!(transcript("r6.out").unwrap().contains(&Line::ModelSaved));
}

#[test]
fn a_real_run_on_an_empty_folder() {
    let Some(out) = transcript("r4.out") else { return };
    assert!(out.contains(&Line::NoData));
    assert!(!out.contains(&Line::ModelSaved));
}
