//! What agents find results and checkpoints to be, as it is kept and shown.

use protocol::{
    agent::{ArtifactKind, Report},
    event::{Event, JobEvent},
    judgement::{Advice, Evidence, Judgement, Measure, Stamp},
    phase::Phase,
};
use store::models;

use crate::fixture::{Bench, picture, report, step, verdict};

fn judgement(stamp: Stamp, [score_low, score, score_high]: [f64; 3]) -> Judgement {
    let evidence = |name: &str, weight| Evidence {
        name: name.to_owned(),
        shows: "zora".to_owned(),
        prompt: "portrait of zora".to_owned(),
        seed: 7,
        weight,
        nearest: None,
    };
    Judgement {
        stamp,
        sentence: "It shows zora, and follows prompts.".to_owned(),
        advice: Advice::Use,
        score,
        score_low,
        score_high,
        measures: vec![Measure {
            name: "likeness".to_owned(),
            value: 0.7,
            low: Some(0.6),
            high: Some(0.8),
            base: Some(0.2),
            by: "features of the base's U-Net".to_owned(),
        }],
        evidence: vec![evidence("base-7", 0.0), evidence("plain-7", 1.0)],
        seconds: 2.5,
    }
}

fn evidence(step: u32, name: &str) -> ArtifactKind {
    let name = name.to_owned();
    ArtifactKind::Evidence { step, name }
}

#[tokio::test]
async fn checkpoints_are_judged_and_the_earliest_of_the_best_is_recommended() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    let steps = (1..=60).map(|n| step(n, n as u32)).collect();
    agent.beat(&held, steps).await?;
    for (at, bytes) in [
        (20, b"twenty".as_slice()),
        (40, b"forty".as_slice()),
        (60, b"sixty".as_slice()),
    ] {
        agent
            .bring(&held, ArtifactKind::Checkpoint { step: at }, bytes)
            .await?;
    }
    let nothing = bench.orchestrator.judgements(bench.owner(), job.id).await?;
    assert!(nothing.checkpoints.is_empty() && nothing.recommendation.is_none() && nothing.result.is_none());
    agent
        .bring(&held, evidence(40, "plain-7"), picture("forty"))
        .await?;
    let judged = |n, at, judgement| {
        let judgement = Some(judgement);
        report(n, Report::Judged { step: at, judgement })
    };
    let reports = vec![
        judged(61, 20, judgement(Stamp::TooWeak, [0.0, 0.1, 0.2])),
        judged(62, 40, judgement(Stamp::Good, [0.6, 0.7, 0.8])),
        judged(63, 60, judgement(Stamp::Good, [0.7, 0.75, 0.8])),
        // Of a checkpoint that was not stored, and one that this server cannot read.
        judged(64, 50, judgement(Stamp::Good, [0.9, 0.9, 0.9])),
        report(
            65,
            Report::Judged {
                step: 60,
                judgement: None,
            },
        ),
    ];
    assert_eq!(agent.beat(&held, reports).await?.acknowledged, 65);

    let found = bench.orchestrator.judgements(bench.owner(), job.id).await?;
    let stamps: Vec<(u32, Stamp, usize)> = found
        .checkpoints
        .iter()
        .map(|one| (one.step, one.judgement.stamp, one.pictures.len()))
        .collect();
    assert_eq!(
        stamps,
        [
            (20, Stamp::TooWeak, 0),
            (40, Stamp::Good, 1),
            (60, Stamp::Good, 0)
        ]
    );
    assert_eq!(found.checkpoints[1].pictures[0].name, "plain-7");
    let best = found.recommendation.ok_or_else(|| anyhow::anyhow!("one"))?;
    assert_eq!((best.step, best.score), (40, 0.7), "{}", best.sentence);
    let told = bench.stream(job.id).await?;
    let is_judged = |event: &&JobEvent| matches!(event.event, Event::Judged { .. });
    assert_eq!(told.iter().filter(is_judged).count(), 3);

    let beyond = vec![judged(66, 101, judgement(Stamp::Good, [0.1, 0.1, 0.1]))];
    let refused = agent.beat(&held, beyond).await.err().map(|err| err.to_string());
    assert_eq!(
        refused.as_deref(),
        Some("events[0].report.step: must be from 1 to 100, the steps of this job, not 101")
    );
    Ok(())
}

#[tokio::test]
async fn a_result_has_its_judgement_beside_its_verdict() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    agent
        .bring(&held, evidence(100, "base-7"), picture("base"))
        .await?;
    agent
        .bring(&held, evidence(100, "plain-7"), picture("plain"))
        .await?;
    let mut finish = agent.completed(&held, verdict(&[])).await?;
    if let Some(result) = &mut finish.result {
        result.judgement = Some(judgement(Stamp::Copies, [0.2, 0.3, 0.4]));
    }
    let orchestrator = &bench.orchestrator;
    orchestrator.finish(&agent.credential, held.id, finish).await?;
    let job = bench.job(job.id).await?;
    assert_eq!(
        (job.phase, job.stamp),
        (Phase::Succeeded, Some(Stamp::Copies)),
        "what it does is no reason to fail"
    );
    let found = orchestrator.judgements(bench.owner(), job.id).await?;
    let result = found.result.ok_or_else(|| anyhow::anyhow!("a result"))?;
    let names: Vec<&str> = result.pictures.iter().map(|one| one.name.as_str()).collect();
    assert_eq!((result.step, names), (100, vec!["base-7", "plain-7"]));
    assert_eq!(result.judgement, judgement(Stamp::Copies, [0.2, 0.3, 0.4]));
    let all = models::list(bench.store(), bench.owner(), None, 10).await?;
    let version = &all[0].versions[0];
    assert_eq!(version.judgement.as_ref(), Some(&result.judgement));
    assert!(version.evidence.is_empty(), "lists do without");
    let model = models::get(bench.store(), bench.owner(), all[0].id).await?;
    assert_eq!(model.versions[0].evidence, result.pictures);
    Ok(())
}

/// An agent of before it, and one that says that a broken file is good.
#[tokio::test]
async fn what_was_not_judged_has_no_stamp() -> anyhow::Result<()> {
    for (failed, judged) in [
        (&[][..], None),
        (&["complete"][..], Some(judgement(Stamp::Good, [0.9, 0.9, 0.9]))),
    ] {
        let bench = Bench::new().await?;
        let (job, agent, held) = bench.claimed().await?;
        let mut finish = agent.completed(&held, verdict(failed)).await?;
        if let Some(result) = &mut finish.result {
            result.judgement = judged;
        }
        let orchestrator = &bench.orchestrator;
        orchestrator.finish(&agent.credential, held.id, finish).await?;
        assert_eq!(bench.job(job.id).await?.stamp, None);
        let found = orchestrator.judgements(bench.owner(), job.id).await?;
        assert_eq!(found.result, None, "{failed:?}");
    }
    Ok(())
}

#[tokio::test]
async fn evidence_has_a_plain_name_and_is_a_picture() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (_, agent, held) = bench.claimed().await?;
    for (kind, bytes, wanted) in [
        (
            evidence(20, "../x"),
            picture("x"),
            "name: must have 1 to 80 characters",
        ),
        (
            evidence(20, ""),
            picture("x"),
            "name: must have 1 to 80 characters",
        ),
        (evidence(101, "x"), picture("x"), "step: must be from 1 to 100"),
        (evidence(20, "x"), b"GIF89a".as_slice(), "is not a PNG"),
    ] {
        let said = agent.bring(&held, kind, bytes).await;
        let said = said.err().map(|err| err.to_string()).unwrap_or_default();
        assert!(said.contains(wanted), "{said}");
    }
    Ok(())
}
