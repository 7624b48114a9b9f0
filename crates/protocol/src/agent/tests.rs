//! Messages of other versions, in both directions: what agents of an older and of a newer version say, and what
//! servers of an older and of a newer version answer.
//!
//! `recorded/version_1` was said before messages carried a version; `recorded/version_9` is of a version to come, with
//! fields and words in every place that this one does not know.

use serde::de::DeserializeOwned;

use super::*;
use crate::{
    judgement::Stamp,
    machine::{DeviceKind, LoraKind, Protocol},
    recipe::Engine,
};

/// A message as each of the other versions says it.
macro_rules! recorded {
    ($name:literal) => {
        [
            include_str!(concat!("recorded/version_1/", $name, ".json")),
            include_str!(concat!("recorded/version_9/", $name, ".json")),
        ]
    };
}

#[track_caller]
fn read<T: DeserializeOwned>(message: &str) -> T {
    serde_json::from_str(message).unwrap_or_else(|err| panic!("{err} in {message}"))
}

#[test]
fn claims() {
    let [old, new] = recorded!("claim").map(read::<ClaimRequest>);
    let attic = old.machine.expect("it describes itself");
    assert_eq!(attic.protocol, Protocol::UNSAID);
    assert_eq!(attic.engines, [Engine::Native, Engine::Kohya]);
    assert!(attic.devices.is_empty() && attic.lora_kinds.is_empty());
    assert_eq!(new.kinds, [WorkKind::Train]);
    let attic = new.machine.expect("it describes itself");
    assert_eq!((attic.protocol.version, attic.protocol.oldest), (9, 2));
    assert_eq!(Protocol::CURRENT.check(attic.protocol), Ok(()));
    // What is new to this version is left out.
    assert_eq!(attic.engines, [Engine::Native]);
    assert_eq!(attic.devices, [DeviceKind::Cpu, DeviceKind::Cuda]);
    assert_eq!(attic.lora_kinds, [LoraKind::Lora]);
}

#[test]
fn heartbeats() {
    let [old, new] = recorded!("heartbeat").map(read::<Heartbeat>);
    assert_eq!(old.events.len(), 3);
    // It is counted, so that those after it are taken.
    let numbers: Vec<u64> = new.events.iter().map(|event| event.n).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!(new.events[2].report, Report::Unknown);
    assert_eq!(new.events[1].report, old.events[1].report);
    assert_eq!(new.events[3].report, old.events[2].report);
}

#[test]
fn files_and_ends() {
    for file in recorded!("new_artifact").map(read::<NewArtifact>) {
        assert_eq!(file.kind, ArtifactKind::Checkpoint { step: 50 });
    }
    for file in recorded!("unusable").map(read::<UnusableFile>) {
        assert!(!file.arrived);
    }
    for finish in recorded!("finish").map(read::<Finish>) {
        let result = finish.result.expect("a trained file");
        assert!(finish.outcome == Outcome::Completed && result.verdict.passed);
        assert!(!finish.disk_fault);
    }
}

/// A server that does not know of it takes the attempt for lost, and tries again.
#[test]
fn a_disk_without_room_is_said_beside_an_outcome_that_every_version_knows() {
    let said =
        serde_json::json!({ "fence": 3, "outcome": "lost", "detail": "no space left", "no_room": true });
    let finish: Finish = serde_json::from_value(said.clone()).expect("it is read");
    assert!(finish.outcome == Outcome::Lost && finish.disk_fault);
    assert_eq!(serde_json::to_value(&finish).expect("it is written"), said);
    let other = Finish {
        disk_fault: false,
        ..finish
    };
    let said = serde_json::to_value(&other).expect("it is written");
    assert_eq!(said.get("no_room"), None);
}

#[test]
fn work_to_train() {
    let [old, new] = recorded!("train").map(read::<ClaimReply>).map(|reply| {
        assert!(reply.stay);
        match reply.assignment.expect("work").work {
            Work::Train(work) => work,
            other => panic!("no training: {other:?}"),
        }
    });
    assert_eq!(old.recipe, new.recipe);
    assert_eq!(old.manifest, new.manifest);
    assert_eq!(old.base, new.base);
    assert!(old.base_known.is_nothing());
    assert_eq!(old.resume_from, new.resume_from);
}

#[test]
fn what_is_known_of_a_base_model() {
    assert!(KnownOfBase::default().is_nothing());
    let said = KnownOfBase {
        prediction: Some(Prediction::VZeroSnr),
        ..KnownOfBase::default()
    };
    assert!(!said.is_nothing());
    let text = serde_json::to_string(&said).expect("it is written");
    assert_eq!(text, r#"{"prediction":"v-zero-snr"}"#);
    assert_eq!(read::<KnownOfBase>(&text), said);
}

#[test]
fn work_to_render() {
    let [old, new] = recorded!("generate").map(read::<ClaimReply>).map(|reply| {
        match reply.assignment.expect("work").work {
            Work::Generate(work) => work,
            other => panic!("no picture: {other:?}"),
        }
    });
    assert_eq!(old.request, new.request);
    assert_eq!((old.request.seed, old.request.loras.len()), (7, 1));
    assert_eq!(old.base, new.base);
    assert_eq!(old.lora_files, new.lora_files);
}

#[test]
fn replies() {
    for reply in recorded!("heartbeat_reply").map(read::<HeartbeatReply>) {
        assert_eq!(reply.acknowledged, 3);
        assert_eq!(reply.directives, [Directive::Checkpoint, Directive::Sample]);
    }
    for ticket in recorded!("upload_ticket").map(read::<UploadTicket>) {
        assert!(ticket.upload_url.is_some());
    }
    for instead in recorded!("instead").map(read::<Instead>) {
        assert!(matches!(instead, Instead::GoOn { resume_from: Some(_) }));
    }
}

#[test]
fn what_people_send_may_hold_no_field_that_is_unknown() {
    let with = |field: &str| {
        let mut job = serde_json::json!({
            "dataset_id": "0193e7a0-0000-7000-8000-000000000001", "base_model": "tiny-xl", "name": "zora",
            "parameters": { "rank": 8 }, "rental": { "n_gpus": 1 },
        });
        if let Some(place) = job.pointer_mut(field) {
            place["scale_weight_norms"] = 0.into();
        }
        serde_json::from_value::<crate::job::CreateJob>(job)
            .map(drop)
            .map_err(|err| err.to_string())
    };
    assert_eq!(with("/nowhere"), Ok(()));
    for place in ["", "/parameters", "/rental"] {
        let refused = with(place).expect_err(place);
        assert!(
            refused.contains("unknown field `scale_weight_norms`"),
            "{place}: {refused}"
        );
    }
}

/// Losing a result, or a batch of events, is worse than losing what it was found to be.
#[test]
fn a_judgement_that_cannot_be_read_is_left_out() {
    let judgement = serde_json::json!({
        "stamp": "good", "sentence": "It shows zora.", "advice": "use", "score": 0.5, "score_low": 0.4, "score_high": 0.6,
        "measures": [], "evidence": [], "seconds": 1.5, "mood": "new",
    });
    let with = |field: &str, value: serde_json::Value| {
        let mut judgement = judgement.clone();
        judgement[field] = value;
        let report = serde_json::json!({ "type": "judged", "step": 20, "judgement": judgement });
        match serde_json::from_value::<Report>(report).expect("it is read") {
            Report::Judged { step: 20, judgement } => judgement,
            other => panic!("{other:?}"),
        }
    };
    let stamp = |found: Option<Judgement>| found.map(|found| found.stamp);
    assert_eq!(stamp(with("stamp", "good".into())), Some(Stamp::Good));
    assert_eq!(stamp(with("stamp", "dreamy".into())), Some(Stamp::CannotTell));
    assert_eq!(with("advice", "dance".into()), None);
    assert_eq!(with("score", serde_json::Value::Null), None);
    let mut finish: serde_json::Value = read(include_str!("recorded/version_1/finish.json"));
    finish["result"]["judgement"] = 7.into();
    let finish: Finish = serde_json::from_value(finish).expect("it is read");
    assert_eq!(finish.result.expect("a trained file").judgement, None);
}
