use chrono::{DateTime, TimeDelta, Utc};
use expect_test::{Expect, expect};
use protocol::{
    agent::{AgentEvent, Finish, Report},
    event::{LogLevel, SeenPictures, StepMetrics},
    judgement::{Advice, Evidence, Judgement, Measure, Stamp},
    limits::{
        MAX_DETAIL_BYTES, MAX_EVENTS_PER_HEARTBEAT, MAX_JUDGEMENT_EVIDENCE, MAX_JUDGEMENT_MEASURES,
        MAX_LOG_BYTES, MAX_PICTURES_SEEN, MAX_VERDICT_CHECKS,
    },
    model::{Verdict, VerdictCheck},
    phase::Outcome,
};

use super::{check_steps, fit_events, fit_finish, fit_time};
use crate::ServiceResult;

#[track_caller]
fn refused(result: ServiceResult<()>, expect: Expect) {
    expect.assert_eq(&result.unwrap_err().to_string());
}

fn event(report: Report) -> AgentEvent {
    AgentEvent {
        n: 1,
        at: Utc::now(),
        report,
    }
}

fn step(step: u32) -> StepMetrics {
    StepMetrics {
        step,
        n_steps: 10,
        epoch: 1,
        n_epochs: 1,
        loss: 0.1,
        average_loss: 0.1,
        learning_rate: 1e-3,
        gradient_norm: 0.1,
        step_ms: 40.0,
        eta_seconds: 1.0,
    }
}

fn verdict(n_checks: usize) -> Verdict {
    let check = VerdictCheck {
        name: "finite".into(),
        passed: true,
        detail: "x".repeat(200_000),
    };
    Verdict {
        passed: true,
        checks: vec![check; n_checks],
        validation: None,
        picture_change: None,
        module_norms: Vec::new(),
    }
}

#[test]
fn no_more_of_a_stage_is_done_than_there_is() {
    let stage = |done, total| {
        let name = "caching".to_owned();
        event(Report::Stage { name, done, total })
    };
    let mut events = [stage(u32::MAX, 10), stage(3, 10), stage(3, 0)];
    fit_events(&mut events).unwrap();
    let done = events.map(|event| match event.report {
        Report::Stage { done, .. } => done,
        other => panic!("not a stage: {other:?}"),
    });
    assert_eq!(done, [10, 3, 3]);
}

#[test]
fn steps_are_steps_of_the_job() {
    let beyond = [
        event(Report::Step(step(10))),
        event(Report::Step(step(u32::MAX))),
        event(Report::Step(step(0))),
        event(Report::ValidationLoss { step: 11, loss: 1.0 }),
        event(Report::ValidationLoss { step: 0, loss: 1.0 }),
    ];
    refused(
        check_steps(&beyond, 10),
        expect![
            "events[1].report.step: must be from 1 to 10, the steps of this job, not 4294967295; events[2].report.step: must be from 1 to 10, the steps of this job, not 0; events[3].report.step: must be from 0 to 10, the steps of this job, not 11"
        ],
    );
}

#[test]
fn what_a_step_saw_is_bounded_and_whole() {
    let seen = |step, n: usize| SeenPictures {
        step,
        pictures: vec![0; n],
        timesteps: vec![500; n],
        losses: vec![0.1; n],
    };
    let report = |steps: Vec<SeenPictures>| [event(Report::PicturesSeen { steps })];
    assert!(fit_events(&mut report(vec![seen(1, MAX_PICTURES_SEEN), seen(2, 8)])).is_ok());
    refused(
        fit_events(&mut report(vec![seen(1, 2 * MAX_PICTURES_SEEN), seen(2, 1)])),
        expect!["events[0].report.steps: must have at most 2048 pictures in all, not 2049"],
    );
    let short = SeenPictures {
        losses: vec![0.1],
        ..seen(1, 2)
    };
    refused(
        fit_events(&mut report(vec![seen(1, 1), short])),
        expect!["events[0].report.steps[1]: must have a timestep and a loss for each picture"],
    );
    refused(
        check_steps(&report(vec![seen(0, 1), seen(10, 1), seen(11, 1)]), 10),
        expect![
            "events[0].report.steps[0].step: must be from 1 to 10, the steps of this job, not 0; events[0].report.steps[2].step: must be from 1 to 10, the steps of this job, not 11"
        ],
    );
}

#[test]
fn a_heartbeat_has_so_many_events_at_most() {
    let mut events = vec![event(Report::Finalizing); MAX_EVENTS_PER_HEARTBEAT + 1];
    refused(
        fit_events(&mut events),
        expect!["events: must be at most 1000, not 1001: send the others with the next heartbeat"],
    );
    assert!(fit_events(&mut events[1..]).is_ok());
}

#[test]
fn long_log_lines_are_shortened_and_say_so() {
    let mut events = [event(Report::Log {
        level: LogLevel::Info,
        message: "é".repeat(1_500_000),
    })];
    fit_events(&mut events).unwrap();
    let Report::Log { message, .. } = &events[0].report else {
        panic!("not a log line");
    };
    assert!(message.len() <= MAX_LOG_BYTES);
    assert!(message.ends_with("[shortened, 3000000 bytes in all]"));
}

#[test]
fn times_that_cannot_be_are_moved() {
    let began = Utc::now() - TimeDelta::hours(1);
    assert!((fit_time(DateTime::<Utc>::MIN_UTC, began) - began).abs() < TimeDelta::milliseconds(1));
    assert!(fit_time(DateTime::<Utc>::MAX_UTC, began) <= Utc::now());
    let between = began + TimeDelta::minutes(1);
    assert!((fit_time(between, began) - between).abs() < TimeDelta::milliseconds(1));
    let mut events = [event(Report::Step(StepMetrics {
        eta_seconds: 1e300,
        step_ms: -5.0,
        ..step(1)
    }))];
    fit_events(&mut events).unwrap();
    let Report::Step(metrics) = &events[0].report else {
        panic!("not a step");
    };
    assert_eq!((metrics.eta_seconds, metrics.step_ms), (1e9, 0.0));
}

#[test]
fn verdicts_and_details_have_bounds() {
    let mut events = [event(Report::Validated {
        verdict: verdict(MAX_VERDICT_CHECKS + 1),
    })];
    refused(
        fit_events(&mut events),
        expect!["events[0].report.verdict.checks: must be at most 64, not 65"],
    );
    let mut finish = Finish {
        fence: 1,
        outcome: Outcome::Failed,
        detail: Some("x".repeat(200_000)),
        result: None,
        picture: None,
        edited: None,
        disk_fault: false,
    };
    fit_finish(&mut finish).unwrap();
    assert!(finish.detail.unwrap().len() <= MAX_DETAIL_BYTES);
}

#[test]
fn judgements_are_brought_within_bounds_and_never_refused() {
    let measure = Measure {
        name: "x".repeat(1000),
        value: 1.0,
        low: None,
        high: None,
        base: None,
        by: "y".repeat(1000),
    };
    let evidence = |name: String| Evidence {
        name,
        shows: "x".repeat(1000),
        prompt: "x".repeat(100_000),
        seed: 1,
        weight: 1.0,
        nearest: Some("x".repeat(1000)),
    };
    let mut shown = vec![evidence("a".to_owned()), evidence("a".to_owned())];
    shown.push(evidence("../b".to_owned()));
    shown.push(Evidence {
        weight: f32::INFINITY,
        ..evidence("c".to_owned())
    });
    shown.extend((0..100).map(|n| evidence(format!("plain-{n}"))));
    let judgement = Judgement {
        stamp: Stamp::Good,
        sentence: "x".repeat(200_000),
        advice: Advice::Use,
        score: 7.0,
        score_low: 8.0,
        score_high: -1.0,
        measures: vec![measure; 1000],
        evidence: shown,
        seconds: -1.0,
    };
    let mut events = [event(Report::Judged {
        step: 1,
        judgement: Some(judgement),
    })];
    fit_events(&mut events).unwrap();
    let Report::Judged {
        judgement: Some(fit), ..
    } = &events[0].report
    else {
        panic!("no judgement");
    };
    assert_eq!(
        (fit.score_low, fit.score, fit.score_high, fit.seconds),
        (1.0, 1.0, 1.0, 0.0)
    );
    assert!(fit.sentence.len() <= MAX_DETAIL_BYTES);
    assert_eq!(fit.measures.len(), MAX_JUDGEMENT_MEASURES);
    assert!(fit.measures[0].name.len() <= 256 && fit.measures[0].by.len() <= 256);
    assert_eq!(fit.evidence.len(), MAX_JUDGEMENT_EVIDENCE);
    let names: Vec<&str> = fit.evidence[..3].iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["a", "plain-0", "plain-1"]);
    assert!(fit.evidence[0].prompt.len() <= 8000);
}
