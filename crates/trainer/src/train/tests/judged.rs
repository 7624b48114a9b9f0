//! What a training makes is judged while it runs and at its end.

use protocol::judgement::Judgement;

use super::*;

/// The judgements that were told, with the steps that they are of; and the pictures of their evidence.
fn judged(events: &[TrainEvent]) -> (Vec<(u32, Judgement)>, Vec<(u32, String)>) {
    let mut judgements = Vec::new();
    let mut pictures = Vec::new();
    for event in events {
        match event {
            TrainEvent::Report(Report::Judged {
                step,
                judgement: Some(judgement),
            }) => judgements.push((*step, judgement.clone())),
            TrainEvent::Wrote {
                kind: ArtifactKind::Evidence { step, name },
                path,
            } => {
                assert!(path.exists(), "{path:?}");
                pictures.push((*step, name.clone()));
            }
            _ => {}
        }
    }
    (judgements, pictures)
}

#[test]
fn a_result_is_judged_and_its_pictures_come_before_the_judgement() {
    let mut fixture = Fixture::new(|o| o.checkpoint_every_n_steps = Some(0));
    fixture.judging = JudgeShare::default();
    let folder = tempfile::tempdir().unwrap();
    let (ended, events) = fixture.train(folder.path(), None);
    let trained = completed(ended);
    let (judgements, pictures) = judged(&events);
    let [(step, judgement)] = &judgements[..] else {
        panic!("{judgements:?}");
    };
    assert_eq!(
        (*step, Some(judgement)),
        (trained.n_steps, trained.judgement.as_ref())
    );
    let named: Vec<(u32, String)> = judgement
        .evidence
        .iter()
        .map(|evidence| (*step, evidence.name.clone()))
        .collect();
    assert!(
        !named.is_empty() && named.iter().all(|one| pictures.contains(one)),
        "{pictures:?}"
    );
    assert!(!folder.path().join("judged.safetensors").exists());
}

#[test]
fn an_order_to_stop_leaves_the_judgement_out_and_keeps_the_result() {
    let mut fixture = Fixture::new(|o| o.checkpoint_every_n_steps = Some(0));
    fixture.judging = JudgeShare::default();
    let folder = tempfile::tempdir().unwrap();
    let (ended, events) = fixture.train_ordered(folder.path(), None, once(6, Directive::Stop));
    assert_eq!(completed(ended).judgement, None);
    assert!(judged(&events).0.is_empty());
}

#[test]
fn a_lora_that_cannot_be_written_to_be_judged_ends_nothing() {
    let mut fixture = Fixture::new(|o| o.checkpoint_every_n_steps = Some(2));
    fixture.judging = JudgeShare::percent(100);
    let folder = tempfile::tempdir().unwrap();
    // No file can have the name of a folder.
    std::fs::create_dir(folder.path().join("judged.safetensors")).unwrap();
    let (ended, events) = fixture.train(folder.path(), None);
    assert!(completed(ended).judgement.is_some(), "the result is another file");
    let said = events.iter().any(|event| {
        matches!(event, TrainEvent::Report(Report::Log { level: LogLevel::Warning, message })
            if message.starts_with("the LoRA of step 2 is not judged: failed to write"))
    });
    assert!(said, "{events:?}");
    let left = std::fs::read_dir(folder.path()).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let names: Vec<String> = names.collect();
    assert!(!names.iter().any(|name| name.starts_with(".tmp")), "{names:?}");
}
