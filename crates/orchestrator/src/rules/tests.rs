//! The rules, as a table of what goes when.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{ArtifactId, agent::ArtifactKind, phase::Phase};
use store::{
    BlobKey,
    references::{File, Subject},
};

use super::{Reason, Rules};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// A stored checkpoint, the newest of its job, which ended `days` ago.
fn checkpoint(phase: Phase, days: i64) -> File {
    File {
        id: ArtifactId::new(),
        kind: ArtifactKind::Checkpoint { step: 10 },
        key: BlobKey::from_sha256(&"ab".repeat(32)).unwrap(),
        is_stored: true,
        is_used: false,
        created_at: now() - TimeDelta::days(days) - TimeDelta::hours(1),
        of: Subject::Job {
            phase,
            ended_at: phase.is_ended().then(|| now() - TimeDelta::days(days)),
            is_promoted: false,
            is_spare_checkpoint: true,
        },
    }
}

fn superseded(mut file: File) -> File {
    let Subject::Job {
        is_spare_checkpoint, ..
    } = &mut file.of
    else {
        panic!("no file of a job");
    };
    *is_spare_checkpoint = false;
    file
}

fn promoted(mut file: File) -> File {
    let Subject::Job { is_promoted, .. } = &mut file.of else {
        panic!("no file of a job");
    };
    *is_promoted = true;
    file
}

fn sample(phase: Phase, days: i64) -> File {
    let kind = ArtifactKind::Sample {
        step: 10,
        prompt_index: 0,
        prompt: "zora waves".into(),
        seed: 1,
    };
    File {
        kind,
        ..superseded(checkpoint(phase, days))
    }
}

fn lora(phase: Phase, days: i64) -> File {
    let kind = ArtifactKind::Lora { step: 10 };
    File {
        kind,
        ..superseded(checkpoint(phase, days))
    }
}

fn evidence(phase: Phase, days: i64) -> File {
    let kind = ArtifactKind::Evidence {
        step: 10,
        name: "plain-7".into(),
    };
    File {
        kind,
        ..superseded(checkpoint(phase, days))
    }
}

fn announced(file: File) -> File {
    File {
        is_stored: false,
        ..file
    }
}

fn used(file: File) -> File {
    File {
        is_used: true,
        ..file
    }
}

fn picture(days: Option<i64>) -> File {
    let ended_at = days.map(|days| now() - TimeDelta::days(days));
    File {
        kind: ArtifactKind::Picture,
        of: Subject::Generation { ended_at },
        ..checkpoint(Phase::Failed, days.unwrap_or(400))
    }
}

#[test]
fn a_file_goes_when_it_has_served_its_purpose() {
    use Phase::{Cancelled, Failed, Finalizing, Queued, Running, Stopped, Succeeded};
    use Reason::{LeftOver, NeverArrived, OldSample, Superseded};
    let table = [
        (
            "the newest checkpoint of a failed job, young",
            checkpoint(Failed, 6),
            None,
        ),
        ("… a week old", checkpoint(Failed, 7), Some(LeftOver)),
        ("… of a cancelled one", checkpoint(Cancelled, 7), Some(LeftOver)),
        (
            "… of a stopped one, which may be resumed",
            checkpoint(Stopped, 400),
            None,
        ),
        (
            "… of one with a result",
            checkpoint(Succeeded, 1),
            Some(Superseded),
        ),
        ("… of one that ended just now", checkpoint(Succeeded, 0), None),
        (
            "an older checkpoint of a stopped job",
            superseded(checkpoint(Stopped, 1)),
            Some(Superseded),
        ),
        (
            "an older checkpoint of a failed job",
            superseded(checkpoint(Failed, 1)),
            Some(Superseded),
        ),
        (
            "an older checkpoint of a running job",
            superseded(checkpoint(Running, 400)),
            None,
        ),
        (
            "the newest checkpoint of a queued job",
            checkpoint(Queued, 400),
            None,
        ),
        ("a sample of a running job", sample(Running, 400), None),
        ("a sample, young", sample(Succeeded, 89), None),
        ("a sample, old", sample(Succeeded, 90), Some(OldSample)),
        (
            "a sample of a failed job, old",
            sample(Failed, 90),
            Some(OldSample),
        ),
        (
            "an old sample of an approved version",
            promoted(sample(Succeeded, 400)),
            None,
        ),
        (
            "a checkpoint of an approved version",
            promoted(checkpoint(Succeeded, 400)),
            None,
        ),
        ("a LoRA that is a version", used(lora(Succeeded, 400)), None),
        (
            "a LoRA that is the version of a failed job",
            used(lora(Failed, 400)),
            None,
        ),
        ("a LoRA of a failed attempt", lora(Failed, 7), Some(LeftOver)),
        (
            "what a version was found to be",
            used(evidence(Succeeded, 400)),
            None,
        ),
        (
            "what a checkpoint was found to be",
            evidence(Succeeded, 1),
            Some(Superseded),
        ),
        ("… of a job that runs", evidence(Running, 400), None),
        ("a LoRA on its way", lora(Finalizing, 400), None),
        (
            "a file that never came",
            announced(lora(Succeeded, 1)),
            Some(NeverArrived),
        ),
        ("a file that may still come", announced(lora(Running, 1)), None),
        (
            "a picture that a generation shows",
            used(picture(Some(400))),
            None,
        ),
        ("a picture of a lost attempt", picture(Some(7)), Some(LeftOver)),
        ("a picture of a generation under way", picture(None), None),
    ];
    let rules = Rules::default();
    for (what, file, expected) in table {
        assert_eq!(rules.expired(&file, now()), expected, "{what}");
    }
}

#[test]
fn a_file_that_came_late_is_kept_as_long() {
    let mut late = checkpoint(Phase::Failed, 400);
    late.created_at = now() - TimeDelta::days(6);
    assert_eq!(Rules::default().expired(&late, now()), None);
}
