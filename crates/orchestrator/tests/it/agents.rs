//! What an agent and the server say to each other, repeated and out of turn.

use chrono::TimeDelta;
use orchestrator::ServiceError;
use protocol::{
    AttemptId,
    agent::{ArtifactKind, Directive, Report, WorkKind},
    event::{Event, LogLevel},
    model::Stage,
    phase::{Outcome, Phase},
};
use store::{artifacts, metrics, models, tokens};

use crate::fixture::{Agent, Bench, announced, picture, report, step, verdict};

#[tokio::test]
async fn trains_a_job_to_its_end() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    assert_eq!(held.work.recipe, job.recipe);
    assert_eq!(held.work.manifest.items.len(), 3);
    assert_eq!(held.work.picture_urls.len(), 3);
    assert_eq!(held.work.resume_from, None);
    assert_eq!(bench.phase(job.id).await?, Phase::Running);

    let first: Vec<_> = (1..=3).map(|n| step(n, n as u32)).collect();
    assert_eq!(agent.beat(&held, first.clone()).await?.acknowledged, 3);
    // The reply was lost: the same again, with one more; then one that leaves a gap.
    let mut again = first;
    again.push(step(4, 4));
    assert_eq!(agent.beat(&held, again).await?.acknowledged, 4);
    assert_eq!(agent.beat(&held, vec![step(6, 6)]).await?.acknowledged, 4);
    let rest = vec![step(6, 6), step(5, 5), report(7, Report::Finalizing)];
    assert_eq!(agent.beat(&held, rest).await?.acknowledged, 7);
    assert_eq!(bench.phase(job.id).await?, Phase::Finalizing);

    let finish = agent.completed(&held, verdict(&[])).await?;
    let orchestrator = &bench.orchestrator;
    orchestrator
        .finish(&agent.credential, held.id, finish.clone())
        .await?;
    // Told twice, done once.
    orchestrator.finish(&agent.credential, held.id, finish).await?;
    let job = bench.job(job.id).await?;
    assert_eq!(job.phase, Phase::Succeeded);
    assert_eq!(job.progress.map(|progress| progress.step), Some(6));
    let all = models::list(bench.store(), bench.owner(), None, 10).await?;
    assert_eq!((all.len(), all[0].versions.len()), (1, 1));
    let version = &all[0].versions[0];
    assert_eq!(job.model_version_id, Some(version.id));
    assert!(version.before_url.is_some() && version.after_url.is_some());

    let stream = bench.stream(job.id).await?;
    let steps: Vec<u32> = stream
        .iter()
        .filter_map(|event| match &event.event {
            Event::Step(metrics) => Some(metrics.step),
            _ => None,
        })
        .collect();
    assert_eq!(steps, [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        bench.phases(job.id).await?,
        [
            Phase::Queued,
            Phase::Launching,
            Phase::Running,
            Phase::Finalizing,
            Phase::Succeeded
        ]
    );
    assert!(
        matches!(
            stream.last().map(|event| &event.event),
            Some(Event::PhaseChanged { .. })
        ),
        "the end comes last"
    );
    assert_eq!(
        metrics::chart(bench.store(), job.id, 100).await?.step,
        [1, 2, 3, 4, 5, 6]
    );

    let after = agent.beat(&held, Vec::new()).await;
    assert!(matches!(after, Err(ServiceError::LeaseLost)), "{after:?}");
    let promoted = orchestrator
        .promote(bench.owner(), version.id, protocol::model::Promote::default())
        .await?;
    assert_eq!(promoted.stage, Stage::Approved);
    Ok(())
}

#[tokio::test]
async fn newest_claim_wins() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, old) = bench.claimed().await?;
    agent.beat(&old, vec![step(1, 1)]).await?;
    // The agent was started twice, or its first reply was lost.
    let new = agent.claim_train().await?;
    assert_eq!(new.id, old.id);
    assert!(new.fence > old.fence);
    for refused in [
        agent.beat(&old, vec![step(2, 2)]).await.map(|_| ()),
        agent.finish(&old, Outcome::Failed).await,
        bench
            .orchestrator
            .announce_artifact(
                &agent.credential,
                old.id,
                announced(old.fence, ArtifactKind::Checkpoint { step: 1 }, b"x"),
            )
            .await
            .map(|_| ()),
    ] {
        assert!(matches!(refused, Err(ServiceError::LeaseLost)), "{refused:?}");
    }
    assert_eq!(agent.beat(&new, Vec::new()).await?.acknowledged, 1);
    assert_eq!(bench.phase(job.id).await?, Phase::Running);
    Ok(())
}

#[tokio::test]
async fn tokens_open_one_attempt_only() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (_, agent, held) = bench.claimed().await?;
    let tx = bench.store().begin().await?;
    let expires = store::now() + TimeDelta::days(1);
    let secret = tokens::create_worker(&tx, bench.owner(), "other", expires).await?;
    tx.commit().await?;
    let Some(tokens::Principal::Agent(credential)) = tokens::authenticate(bench.store(), &secret).await?
    else {
        anyhow::bail!("a worker's token");
    };
    let other = Agent {
        orchestrator: bench.orchestrator.clone(),
        credential,
        instance: agent.instance,
    };
    let refused = other.beat(&held, Vec::new()).await;
    assert!(matches!(refused, Err(ServiceError::Forbidden)), "{refused:?}");
    let refused = other.finish(&held, Outcome::Completed).await;
    assert!(matches!(refused, Err(ServiceError::Forbidden)), "{refused:?}");
    assert!(other.claim(WorkKind::Train).await?.is_none());
    assert!(agent.claim(WorkKind::Generate).await?.is_none());
    let unknown = bench
        .orchestrator
        .finish(
            &agent.credential,
            AttemptId::new(),
            agent.completed(&held, verdict(&[])).await?,
        )
        .await;
    assert!(
        matches!(unknown, Err(ServiceError::NotFound { .. })),
        "{unknown:?}"
    );
    Ok(())
}

#[tokio::test]
async fn files_are_taken_once_and_only_whole() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    let orchestrator = &bench.orchestrator;
    let kind = ArtifactKind::Checkpoint { step: 40 };
    let new = announced(held.fence, kind.clone(), b"checkpoint");
    let ticket = orchestrator
        .announce_artifact(&agent.credential, held.id, new.clone())
        .await?;
    let same = orchestrator
        .announce_artifact(&agent.credential, held.id, new)
        .await?;
    assert_eq!(ticket.artifact_id, same.artifact_id);
    assert!(
        ticket
            .upload_url
            .is_some_and(|url| url.starts_with("/blob/sha256/") && url.contains("size=10"))
    );
    let early = orchestrator
        .complete_artifact(&agent.credential, held.id, ticket.artifact_id)
        .await;
    assert!(matches!(early, Err(ServiceError::Conflict(_))), "{early:?}");
    assert!(
        artifacts::newest_checkpoint(bench.store(), job.id)
            .await?
            .is_none()
    );

    for _ in 0..2 {
        agent.bring(&held, kind.clone(), b"checkpoint").await?;
    }
    let told = bench.stream(job.id).await?;
    let n_told = told
        .iter()
        .filter(|event| matches!(event.event, Event::Checkpoint { step: 40, .. }))
        .count();
    assert_eq!(n_told, 1);
    assert_eq!(bench.job(job.id).await?.checkpoint_step, Some(40));

    let mut bad = announced(held.fence, ArtifactKind::Picture, b"");
    bad.sha256 = "../../etc".to_owned();
    bad.file_name = "../evil".to_owned();
    let refused = orchestrator
        .announce_artifact(&agent.credential, held.id, bad)
        .await;
    let message = refused.err().map(|err| err.to_string()).unwrap_or_default();
    for field in ["sha256:", "size_bytes:", "file_name:"] {
        assert!(message.contains(field), "{message}");
    }
    let rendered = announced(held.fence, ArtifactKind::Picture, b"x");
    let refused = orchestrator
        .announce_artifact(&agent.credential, held.id, rendered)
        .await;
    assert_eq!(
        refused.err().map(|err| err.to_string()).as_deref(),
        Some("kind: must be anything but `picture` and `edited` for this attempt")
    );
    Ok(())
}

#[tokio::test]
async fn orders_stand_until_followed() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    let (orchestrator, owner) = (&bench.orchestrator, bench.owner());
    assert_eq!(agent.orders(&held).await?, []);
    orchestrator.request_checkpoint(owner, job.id).await?;
    orchestrator.request_sample(owner, job.id).await?;
    for _ in 0..2 {
        assert_eq!(
            agent.orders(&held).await?,
            [Directive::Checkpoint, Directive::Sample]
        );
    }
    agent
        .bring(&held, ArtifactKind::Checkpoint { step: 7 }, b"checkpoint")
        .await?;
    assert_eq!(agent.orders(&held).await?, [Directive::Sample]);
    let sample = ArtifactKind::Sample {
        step: 7,
        prompt_index: 0,
        prompt: "zora".to_owned(),
        seed: 1,
    };
    agent.bring(&held, sample, picture("sample")).await?;
    assert_eq!(agent.orders(&held).await?, []);
    orchestrator.stop_job(owner, job.id).await?;
    assert_eq!(agent.orders(&held).await?, [Directive::Stop]);
    orchestrator.cancel_job(owner, job.id).await?;
    assert_eq!(agent.orders(&held).await?, [Directive::Cancel]);
    agent.finish(&held, Outcome::Cancelled).await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Cancelled);
    let refused = orchestrator.request_checkpoint(owner, job.id).await;
    assert!(matches!(refused, Err(ServiceError::Conflict(_))), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn a_job_succeeds_by_a_sound_file_only() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    let finish = agent.completed(&held, verdict(&["picture_changes"])).await?;
    bench
        .orchestrator
        .finish(&agent.credential, held.id, finish.clone())
        .await?;
    bench
        .orchestrator
        .finish(&agent.credential, held.id, finish)
        .await?;
    let job = bench.job(job.id).await?;
    assert_eq!(job.phase, Phase::Failed);
    assert_eq!(
        job.reason.as_deref(),
        Some("the trained file did not pass its checks: picture_changes: as measured")
    );
    let version = job
        .model_version_id
        .ok_or_else(|| anyhow::anyhow!("it is kept"))?;
    let refused = bench
        .orchestrator
        .promote(bench.owner(), version, protocol::model::Promote::default())
        .await;
    assert_eq!(
        refused.err().map(|err| err.to_string()).as_deref(),
        Some(
            "only a model version that passed every check can be promoted; this one failed: picture_changes"
        )
    );
    let refused = bench
        .orchestrator
        .resume_job(bench.owner(), job.id, protocol::spend::ResumeJob::default())
        .await;
    assert!(matches!(refused, Err(ServiceError::Conflict(_))), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn a_validation_loss_that_rose_only_bars_promotion() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    let finish = agent.completed(&held, verdict(&["validation_loss"])).await?;
    bench
        .orchestrator
        .finish(&agent.credential, held.id, finish)
        .await?;
    let job = bench.job(job.id).await?;
    assert_eq!(job.phase, Phase::Succeeded);
    let version = job
        .model_version_id
        .ok_or_else(|| anyhow::anyhow!("it is kept"))?;
    let refused = bench
        .orchestrator
        .promote(bench.owner(), version, protocol::model::Promote::default())
        .await;
    assert!(matches!(refused, Err(ServiceError::Conflict(_))), "{refused:?}");
    bench.orchestrator.retire(bench.owner(), version).await?;
    Ok(())
}

#[tokio::test]
async fn a_result_must_be_there() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    let refused = agent.finish(&held, Outcome::Completed).await;
    assert_eq!(
        refused.err().map(|err| err.to_string()).as_deref(),
        Some("result: must be given when the outcome is `completed`")
    );
    let mut finish = agent.completed(&held, verdict(&[])).await?;
    if let Some(result) = &mut finish.result {
        result.before = Some(protocol::ArtifactId::new());
    }
    let refused = bench
        .orchestrator
        .finish(&agent.credential, held.id, finish)
        .await;
    assert_eq!(
        refused.err().map(|err| err.to_string()).as_deref(),
        Some("result.before: must be an announced file")
    );
    // Nothing of a refused finish stays.
    assert_eq!(bench.job(job.id).await?.model_version_id, None);
    let log = Report::Log {
        level: LogLevel::Info,
        message: "still here".to_owned(),
    };
    assert_eq!(agent.beat(&held, vec![report(1, log)]).await?.acknowledged, 1);
    Ok(())
}

/// What an agent brings, and what the server says of it.
async fn brought(bench: &Bench, kind: ArtifactKind, bytes: &[u8]) -> anyhow::Result<String> {
    let (_, agent, held) = bench.claimed().await?;
    let bytes = bytes.to_vec().leak();
    let refused = agent.bring(&held, kind, bytes).await;
    agent.finish(&held, Outcome::Failed).await?;
    bench.machines.kill_all();
    Ok(refused.err().map(|err| err.to_string()).unwrap_or_default())
}

#[tokio::test]
async fn an_agents_word_makes_no_file() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let lora = || ArtifactKind::Lora { step: 100 };
    let mut cut = sim::files::lora(8, "");
    cut.pop();
    let sample = ArtifactKind::Sample {
        step: 10,
        prompt_index: 0,
        prompt: "zora".to_owned(),
        seed: 1,
    };
    let table = [
        (
            lora(),
            b"not a lora".to_vec(),
            "is not a LoRA: its header length of",
        ),
        (lora(), cut, "is not a LoRA: its tensors end at byte"),
        (
            lora(),
            sim::files::lora(16, ""),
            "has the rank 16, but the recipe has 8",
        ),
        (sample.clone(), b"<svg>".to_vec(), "is not a PNG"),
        (ArtifactKind::PictureBefore, b"GIF89a".to_vec(), "is not a PNG"),
        (
            ArtifactKind::Checkpoint { step: 101 },
            b"state".to_vec(),
            "step: must be from 1 to 100",
        ),
        (
            ArtifactKind::Lora { step: 0 },
            sim::files::lora(8, ""),
            "step: must be from 1 to 100",
        ),
        (sample, sim::files::png(""), ""),
        (lora(), sim::files::lora(8, ""), ""),
    ];
    for (kind, bytes, wanted) in table {
        let said = brought(&bench, kind.clone(), &bytes).await?;
        assert!(
            said.contains(wanted) && said.is_empty() == wanted.is_empty(),
            "{kind:?}: {said}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_agents_word_makes_no_model() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    let right = agent.completed(&held, verdict(&[])).await?;
    let with = |change: &dyn Fn(&mut protocol::agent::TrainResult)| {
        let mut finish = right.clone();
        change(finish.result.as_mut().expect("it has one"));
        finish
    };
    let mut zero = sim::files::lora(8, "zero");
    let n_bytes = zero.len();
    zero[n_bytes - 132..].fill(0);
    let zero = agent
        .bring(&held, ArtifactKind::Lora { step: 100 }, zero.leak())
        .await?;
    let mut endless = sim::files::lora(8, "endless");
    let n_bytes = endless.len();
    endless[n_bytes - 4..].fill(0xff);
    let endless = agent
        .bring(&held, ArtifactKind::Lora { step: 100 }, endless.leak())
        .await?;
    let table = [
        (
            with(&|result| result.verdict.checks.clear()),
            "result.verdict: lacks the check `opens`",
        ),
        (
            with(&|result| result.verdict.checks.retain(|check| check.name != "non_zero")),
            "result.verdict: lacks the check `non_zero`",
        ),
        (
            with(&|result| result.verdict.checks[1].passed = false),
            "result.verdict: says `passed`, but its check `complete` failed",
        ),
        (
            with(&|result| result.verdict.passed = false),
            "result.verdict: says that it did not pass, but none of its checks failed",
        ),
        (
            with(&|result| result.n_steps = 99),
            "result.n_steps: must be 100 as in the file, not 99",
        ),
        (
            with(&|result| result.n_steps = 101),
            "result.n_steps: must be from 1 to 100",
        ),
        (
            with(&|result| result.artifact_id = endless),
            "result.verdict: claims that every number is finite",
        ),
        (
            with(&|result| result.artifact_id = zero),
            "result.verdict: claims that every module changes its layer",
        ),
    ];
    for (finish, wanted) in table {
        let refused = bench
            .orchestrator
            .finish(&agent.credential, held.id, finish)
            .await;
        let said = refused.err().map(|err| err.to_string()).unwrap_or_default();
        assert!(said.starts_with(wanted), "{said:?} instead of {wanted:?}");
        assert_eq!(bench.phase(job.id).await?, Phase::Running);
    }
    // What the file says of itself counts, not what its agent says of it.
    let boast = with(&|result| {
        result
            .metadata
            .insert("ss_steps".to_owned(), "1000000".to_owned());
    });
    bench
        .orchestrator
        .finish(&agent.credential, held.id, boast)
        .await?;
    let id = bench.job(job.id).await?.model_version_id.expect("a result");
    let version = store::models::version(bench.store(), bench.owner(), id).await?;
    assert_eq!(version.metadata.get("ss_steps"), None);
    assert_eq!(version.metadata["ss_network_dim"], "8");
    Ok(())
}
