//! Jobs that end early with a result, and model versions of checkpoints.

use orchestrator::ServiceError;
use protocol::{
    JobId,
    agent::{ArtifactKind, Directive, Instead, UnusableFile, WorkKind},
    job::{Job, MakeVersion},
    phase::{Outcome, Phase},
    problem::chain,
    spend::ResumeJob,
};
use store::{artifacts, damage, models, references};

use crate::{
    crashes::killed_after,
    fixture::{Agent, Bench, Held, step, verdict},
};

fn of_step(step: u32) -> MakeVersion {
    MakeVersion {
        step,
        provider: None,
        limit_micro_usd: None,
    }
}

/// A running job with checkpoints of steps 20 and 40.
async fn with_checkpoints(bench: &Bench) -> anyhow::Result<(Job, Agent, Held)> {
    let (job, agent, held) = bench.claimed().await?;
    agent
        .beat(&held, (1..=50).map(|n| step(n, n as u32)).collect())
        .await?;
    for (at, bytes) in [(20, b"twenty".as_slice()), (40, b"forty".as_slice())] {
        agent
            .bring(&held, ArtifactKind::Checkpoint { step: at }, bytes)
            .await?;
    }
    Ok((job, agent, held))
}

/// Ends the attempt with a result of so many steps.
async fn completes(bench: &Bench, agent: &Agent, held: &Held, n_steps: u32) -> anyhow::Result<()> {
    let finish = agent.completed_after(held, verdict(&[]), n_steps).await?;
    bench
        .orchestrator
        .finish(&agent.credential, held.id, finish)
        .await?;
    Ok(())
}

/// The machine that is launched next takes the job.
async fn next_claim(bench: &Bench) -> anyhow::Result<(Agent, Held)> {
    bench.machines.kill_all();
    bench
        .wait_passing_until(async || Ok(!bench.machines.alive().is_empty()))
        .await?;
    let agent = bench.agent().await?;
    let held = agent.claim_train().await?;
    Ok((agent, held))
}

async fn steps_of_version(bench: &Bench, job: JobId) -> anyhow::Result<Option<u32>> {
    let id = bench.job(job).await?.model_version_id;
    let id = id.ok_or_else(|| anyhow::anyhow!("a version"))?;
    Ok(models::version(bench.store(), bench.owner(), id).await?.n_steps)
}

#[tokio::test]
async fn a_running_job_is_finished_with_the_step_that_it_has_come_to() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = with_checkpoints(&bench).await?;
    assert!(!held.work.finish);
    for _ in 0..2 {
        let told = bench.orchestrator.finish_early(bench.owner(), job.id).await?;
        assert_eq!((told.phase, told.is_finishing), (Phase::Running, true));
    }
    assert_eq!(agent.orders(&held).await?, [Directive::Finish]);
    completes(&bench, &agent, &held, 51).await?;
    let ended = bench.job(job.id).await?;
    assert_eq!((ended.phase, ended.is_finishing), (Phase::Succeeded, false));
    assert_eq!(steps_of_version(&bench, job.id).await?, Some(51));
    bench.pass().await?;
    assert_eq!(bench.machines.n_launches(), 1, "nothing is left to do");
    let again = bench.orchestrator.finish_early(bench.owner(), job.id).await?;
    assert_eq!(again.phase, Phase::Succeeded, "it may be asked again");
    Ok(())
}

#[tokio::test]
async fn a_machine_that_is_lost_meanwhile_is_followed_by_one_that_only_finishes() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, ..) = with_checkpoints(&bench).await?;
    bench.orchestrator.finish_early(bench.owner(), job.id).await?;
    let (agent, held) = next_claim(&bench).await?;
    assert!(held.work.finish && held.work.resume_from.is_some());
    completes(&bench, &agent, &held, 40).await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Succeeded);
    assert_eq!(steps_of_version(&bench, job.id).await?, Some(40));
    Ok(())
}

#[tokio::test]
async fn a_job_that_waits_is_finished_with_its_checkpoint_or_not_at_all() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let fresh = bench.queue().await?;
    let refused = bench.orchestrator.finish_early(bench.owner(), fresh.id).await;
    let refused = chain(&refused.expect_err("it has nothing to finish with"));
    assert!(refused.contains("no checkpoint to finish with"), "{refused}");
    assert!(!bench.job(fresh.id).await?.is_finishing);
    bench.orchestrator.cancel_job(bench.owner(), fresh.id).await?;

    let (job, agent, held) = with_checkpoints(&bench).await?;
    bench.orchestrator.stop_job(bench.owner(), job.id).await?;
    agent.finish(&held, Outcome::Stopped).await?;
    let refused = bench.orchestrator.finish_early(bench.owner(), job.id).await;
    let refused = chain(&refused.expect_err("it was stopped"));
    assert!(
        refused.contains("a job that was stopped cannot be finished early"),
        "{refused}"
    );
    bench
        .orchestrator
        .resume_job(bench.owner(), job.id, protocol::spend::ResumeJob::default())
        .await?;
    let waiting = bench.orchestrator.finish_early(bench.owner(), job.id).await?;
    assert_eq!((waiting.phase, waiting.is_finishing), (Phase::Queued, true));
    let (agent, held) = next_claim(&bench).await?;
    assert!(held.work.finish);
    completes(&bench, &agent, &held, 40).await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Succeeded);
    Ok(())
}

#[tokio::test]
async fn a_stop_after_it_wins() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = with_checkpoints(&bench).await?;
    bench.orchestrator.finish_early(bench.owner(), job.id).await?;
    bench.orchestrator.stop_job(bench.owner(), job.id).await?;
    assert_eq!(agent.orders(&held).await?, [Directive::Stop]);
    agent.finish(&held, Outcome::Stopped).await?;
    let stopped = bench.job(job.id).await?;
    assert_eq!((stopped.phase, stopped.is_finishing), (Phase::Stopped, false));
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Stands {
    Running,
    Stopped,
    Failed,
    Succeeded,
}

#[tokio::test]
async fn wherever_a_job_stands_its_checkpoints_become_versions() -> anyhow::Result<()> {
    for stands in [
        Stands::Running,
        Stands::Stopped,
        Stands::Failed,
        Stands::Succeeded,
    ] {
        let bench = Bench::new().await?;
        let (job, agent, held) = with_checkpoints(&bench).await?;
        let end = async || -> anyhow::Result<()> {
            match stands {
                Stands::Running | Stands::Succeeded => completes(&bench, &agent, &held, 100).await,
                Stands::Failed => Ok(agent.finish(&held, Outcome::Failed).await?),
                Stands::Stopped => {
                    bench.orchestrator.stop_job(bench.owner(), job.id).await?;
                    Ok(agent.finish(&held, Outcome::Stopped).await?)
                }
            }
        };
        if !matches!(stands, Stands::Running) {
            end().await?;
        }
        let before = bench.job(job.id).await?;
        let made = bench
            .orchestrator
            .make_version(bench.owner(), job.id, of_step(20))
            .await?;
        assert_eq!(
            (made.phase, made.version_of),
            (Phase::Queued, Some(job.id)),
            "{stands:?}"
        );
        assert_eq!(
            (made.checkpoint_step, made.is_finishing),
            (Some(20), true),
            "{stands:?}"
        );
        assert_eq!(bench.job(job.id).await?, before, "{stands:?}: it is left alone");
        if matches!(stands, Stands::Running) {
            end().await?;
        }
        let (agent, held) = next_claim(&bench).await?;
        assert_eq!(held.work.job_id, made.id, "{stands:?}");
        assert!(held.work.finish, "{stands:?}");
        let from = held.work.resume_from.as_ref().map(|file| file.size_bytes);
        assert_eq!(from, Some(6), "{stands:?}: the checkpoint of step 20");
        completes(&bench, &agent, &held, 20).await?;
        assert_eq!(bench.phase(made.id).await?, Phase::Succeeded, "{stands:?}");
        assert_eq!(steps_of_version(&bench, made.id).await?, Some(20), "{stands:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_version_that_was_stopped_or_lost_is_made_later_and_trains_nothing() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = with_checkpoints(&bench).await?;
    agent.finish(&held, Outcome::Failed).await?;
    let made = bench
        .orchestrator
        .make_version(bench.owner(), job.id, of_step(40))
        .await?;
    bench.orchestrator.stop_job(bench.owner(), made.id).await?;
    assert_eq!(bench.phase(made.id).await?, Phase::Stopped);
    bench
        .orchestrator
        .resume_job(bench.owner(), made.id, protocol::spend::ResumeJob::default())
        .await?;
    next_claim(&bench).await?;
    let (_, held) = next_claim(&bench).await?;
    assert!(held.work.finish && held.work.resume_from.is_some());
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_refused_by_its_step() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, ..) = with_checkpoints(&bench).await?;
    let make = async |step| {
        let made = bench
            .orchestrator
            .make_version(bench.owner(), job.id, of_step(step));
        chain(&made.await.expect_err("there is none"))
    };
    let refused = make(30).await;
    assert!(
        refused.contains("no stored checkpoint of step 30: choose one of 20, 40"),
        "{refused}"
    );
    let tx = bench.store().begin().await?;
    let file = artifacts::checkpoint_of_step(&tx, job.id, 40).await?;
    let file = file.ok_or_else(|| anyhow::anyhow!("a checkpoint"))?;
    damage::mark(&tx, &file.key, protocol::damage::Damage::Missing).await?;
    tx.commit().await?;
    let refused = make(40).await;
    assert!(refused.contains("choose one of 20"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_version_whose_checkpoint_is_lost_fails_and_does_not_train_anew() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = with_checkpoints(&bench).await?;
    agent.finish(&held, Outcome::Failed).await?;
    let made = bench
        .orchestrator
        .make_version(bench.owner(), job.id, of_step(20))
        .await?;
    let tx = bench.store().begin().await?;
    let file = artifacts::checkpoint_of_step(&tx, made.id, 20).await?;
    let file = file.ok_or_else(|| anyhow::anyhow!("a checkpoint"))?;
    damage::mark(&tx, &file.key, protocol::damage::Damage::Missing).await?;
    tx.commit().await?;
    bench.machines.kill_all();
    bench
        .wait_passing_until(async || Ok(!bench.machines.alive().is_empty()))
        .await?;
    let claimed = bench.agent().await?.claim(WorkKind::Train).await?;
    assert!(claimed.is_none(), "{claimed:?}");
    let failed = bench.job(made.id).await?;
    assert_eq!((failed.phase, failed.n_attempts), (Phase::Failed, 1));
    assert_eq!(failed.checkpoint_step, Some(20), "it says of which step it is");
    let reason = failed.reason.unwrap_or_default();
    assert!(
        reason.contains("the checkpoint of step 20 is lost or damaged"),
        "{reason}"
    );
    Ok(())
}

#[tokio::test]
async fn a_version_whose_checkpoint_cannot_be_read_is_never_trained() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = with_checkpoints(&bench).await?;
    agent.finish(&held, Outcome::Failed).await?;
    let made = bench
        .orchestrator
        .make_version(bench.owner(), job.id, of_step(20))
        .await?;
    let (agent, held) = next_claim(&bench).await?;
    let from = held.work.resume_from.as_ref();
    let unusable = UnusableFile {
        fence: held.fence,
        sha256: from.map(|file| file.sha256.clone()).unwrap_or_default(),
        arrived: true,
        problem: "as it was seen".to_owned(),
    };
    let instead = bench
        .orchestrator
        .report_unusable(&agent.credential, held.id, unusable)
        .await?;
    assert!(matches!(instead, Instead::GiveUp { .. }), "{instead:?}");
    // Its machine is lost before it can say that it gave up.
    bench.machines.kill_all();
    bench
        .wait_passing_until(async || Ok(!bench.machines.alive().is_empty()))
        .await?;
    let claimed = bench.agent().await?.claim(WorkKind::Train).await?;
    assert!(claimed.is_none(), "{claimed:?}");
    assert_eq!(bench.phase(made.id).await?, Phase::Failed);
    let resumed = bench
        .orchestrator
        .resume_job(bench.owner(), made.id, ResumeJob::default());
    let refused = chain(&resumed.await.expect_err("it has nothing to go on from"));
    assert!(refused.contains("the checkpoint of step 20 is lost"), "{refused}");
    assert_eq!(bench.phase(made.id).await?, Phase::Failed);
    Ok(())
}

#[tokio::test]
async fn a_version_whose_checkpoint_is_forgotten_still_says_of_which_step_it_is() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = with_checkpoints(&bench).await?;
    agent.finish(&held, Outcome::Failed).await?;
    let made = bench
        .orchestrator
        .make_version(bench.owner(), job.id, of_step(40))
        .await?;
    bench.orchestrator.stop_job(bench.owner(), made.id).await?;
    let tx = bench.store().begin().await?;
    let file = artifacts::checkpoint_of_step(&tx, made.id, 40).await?;
    let file = file.ok_or_else(|| anyhow::anyhow!("a checkpoint"))?;
    references::forget(&tx, &[file.id]).await?;
    tx.commit().await?;
    assert_eq!(bench.job(made.id).await?.checkpoint_step, Some(40));
    let resumed = bench
        .orchestrator
        .resume_job(bench.owner(), made.id, ResumeJob::default());
    let refused = chain(&resumed.await.expect_err("it has nothing to go on from"));
    assert!(refused.contains("the checkpoint of step 40 is lost"), "{refused}");
    assert_eq!(bench.phase(made.id).await?, Phase::Stopped);
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_lost_before_its_first_checkpoint_is_not_finished_with_one_step() -> anyhow::Result<()>
{
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    agent
        .beat(&held, (1..=9).map(|n| step(n, n as u32)).collect())
        .await?;
    bench.orchestrator.finish_early(bench.owner(), job.id).await?;
    bench.machines.kill_all();
    bench
        .wait_passing_until(async || Ok(!bench.machines.alive().is_empty()))
        .await?;
    let claimed = bench.agent().await?.claim(WorkKind::Train).await?;
    assert!(claimed.is_none(), "{claimed:?}");
    let failed = bench.job(job.id).await?;
    assert_eq!((failed.phase, failed.n_attempts), (Phase::Failed, 2));
    let reason = failed.reason.unwrap_or_default();
    assert!(reason.contains("lost before its first checkpoint"), "{reason}");
    // Resumed, it is an ordinary training again.
    bench
        .orchestrator
        .resume_job(bench.owner(), job.id, ResumeJob::default())
        .await?;
    let (agent, held) = next_claim(&bench).await?;
    assert!(!held.work.finish && held.work.resume_from.is_none());
    assert_eq!(agent.orders(&held).await?, []);
    Ok(())
}

/// The versions that are being made, or were.
async fn versions(bench: &Bench) -> anyhow::Result<Vec<Job>> {
    let mut all = store::jobs::list(bench.store(), bench.owner(), None, 100).await?;
    all.retain(|job| job.version_of.is_some());
    Ok(all)
}

#[tokio::test]
async fn a_kill_at_any_line_leaves_nothing_half_made() -> anyhow::Result<()> {
    let mut came_to_the_end = false;
    for n_polls in 1..2000 {
        let mut bench = Bench::new().await?;
        let (job, agent, held) = with_checkpoints(&bench).await?;
        let asked = async {
            bench.orchestrator.finish_early(bench.owner(), job.id).await?;
            let made = bench
                .orchestrator
                .make_version(bench.owner(), job.id, of_step(20));
            made.await?;
            Ok(())
        };
        came_to_the_end = killed_after(n_polls, Box::pin(asked)).await?;
        bench.restart();
        bench.pass().await?;
        // What was asked for is there as a whole, or not at all.
        let is_finishing = bench.job(job.id).await?.is_finishing;
        let expected: &[Directive] = if is_finishing { &[Directive::Finish] } else { &[] };
        assert_eq!(agent.orders(&held).await?, expected, "after {n_polls} polls");
        completes(&bench, &agent, &held, 50).await?;
        assert_eq!(
            bench.phase(job.id).await?,
            Phase::Succeeded,
            "after {n_polls} polls"
        );
        for made in versions(&bench).await? {
            let (agent, held) = next_claim(&bench).await?;
            assert!(held.work.job_id == made.id && held.work.finish && held.work.resume_from.is_some());
            completes(&bench, &agent, &held, 20).await?;
            assert_eq!(
                bench.phase(made.id).await?,
                Phase::Succeeded,
                "after {n_polls} polls"
            );
        }
        if came_to_the_end {
            assert!(is_finishing && versions(&bench).await?.len() == 1);
            break;
        }
    }
    assert!(came_to_the_end, "the last one was not killed at all");
    Ok(())
}

#[tokio::test]
async fn other_peoples_jobs_are_not_there() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, ..) = with_checkpoints(&bench).await?;
    let nobody = protocol::OwnerId::new();
    for refused in [
        bench.orchestrator.finish_early(nobody, job.id).await,
        bench.orchestrator.make_version(nobody, job.id, of_step(20)).await,
    ] {
        assert!(
            matches!(refused, Err(ServiceError::NotFound { .. })),
            "{refused:?}"
        );
    }
    Ok(())
}
