//! Jobs from the queue to their end, with machines that come and go.

use std::time::Duration;

use orchestrator::ServiceError;
use protocol::{
    DatasetId,
    agent::{ArtifactKind, Directive},
    event::Event,
    job::{CreateJob, DatasetChanges},
    phase::{Outcome, Phase},
    sample::SamplePrompt,
};
use store::metrics;

use crate::fixture::{Bench, picture, step, verdict};

#[tokio::test]
async fn bad_requests_name_the_field() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let check = async |change: fn(&mut protocol::job::CreateJob), expected: &str| -> anyhow::Result<()> {
        let mut request = bench.request();
        change(&mut request);
        let refused = bench.orchestrator.create_job(bench.owner(), request).await;
        let message = refused.err().map(|err| err.to_string()).unwrap_or_default();
        assert!(message.contains(expected), "{message}");
        Ok(())
    };
    check(
        |request| request.provider = "mars".into(),
        "provider: must be one of `local`, `agent`, not `mars`",
    )
    .await?;
    check(
        |request| request.base_model = "sd15".into(),
        "base_model: must be one of `tiny-xl`",
    )
    .await?;
    check(
        |request| request.dataset_id = DatasetId::new(),
        "dataset_id: there is no dataset",
    )
    .await?;
    check(
        |request| request.parameters.rank = Some(0),
        "parameters.rank: must be from 1",
    )
    .await?;
    check(
        |request| request.parameters.learning_rate = Some(-1.0),
        "parameters.learning_rate",
    )
    .await?;
    check(
        |request| request.n_epochs = Some(3),
        "n_epochs: says the length of the training, and so does parameters.n_steps: leave one out",
    )
    .await?;
    check(
        |request| {
            request.parameters.n_steps = None;
            request.n_epochs = Some(0);
        },
        "n_epochs: must be from 1 to 100000, not 0",
    )
    .await?;
    let listed = store::jobs::list(bench.store(), bench.owner(), None, 10).await?;
    assert_eq!(listed, [], "nothing half-made stays");
    Ok(())
}

#[tokio::test]
async fn a_length_in_epochs_becomes_steps() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut request = bench.request();
    request.parameters.n_steps = None;
    request.n_epochs = Some(7);
    let estimate = bench.orchestrator.estimate_job(bench.owner(), &request).await?;
    assert_eq!(estimate.n_epochs, 7);
    let p = estimate.recipe.parameters();
    assert_eq!(p.n_steps, 7 * estimate.n_steps_per_epoch);
    assert_eq!(estimate.n_views, p.n_steps * p.pictures_per_step());
    Ok(())
}

#[tokio::test]
async fn prompts_come_from_captions() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let job = bench.queue().await?;
    assert_eq!(
        job.recipe.sample_prompts(),
        ["zora, standing, 1", "zora, standing, 2"].map(SamplePrompt::from)
    );
    let mut request = bench.request();
    request.parameters.caption_suffix = Some("(ink)".into());
    let job = bench.orchestrator.create_job(bench.owner(), request).await?;
    assert_eq!(
        job.recipe.sample_prompts()[0],
        SamplePrompt::from(r"zora, standing, 1 \(ink\)")
    );
    Ok(())
}

#[tokio::test]
async fn what_changed_in_the_dataset_since_is_counted_and_a_note_is_kept() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut request = bench.request();
    request.note = Some("  more steps ".to_owned());
    let job = bench.orchestrator.create_job(bench.owner(), request).await?;
    assert_eq!(job.note.as_deref(), Some("more steps"));
    let since = async || bench.orchestrator.changes_since(bench.owner(), job.id).await;
    assert_eq!(since().await?, DatasetChanges::default());
    let tx = bench.store().begin().await?;
    let new = store::datasets::NewItem {
        file_name: "4.png".to_owned(),
        caption: "sitting".to_owned(),
        split: protocol::dataset::Split::Train,
        showing: protocol::dataset::Showing::default(),
        width: 128,
        height: 128,
        size_bytes: 100,
        sha256: hex::encode([4; 32]),
        notes: Vec::new(),
    };
    store::datasets::add_item(&tx, bench.owner(), bench.dataset, new).await?;
    tx.commit().await?;
    let expected = DatasetChanges {
        n_added: 1,
        ..DatasetChanges::default()
    };
    assert_eq!(since().await?, expected);
    let mut long = bench.request();
    long.note = Some("x".repeat(201));
    let refused = bench.orchestrator.create_job(bench.owner(), long).await;
    let refused = protocol::problem::chain(&refused.expect_err("it is too long"));
    assert!(
        refused.contains("note: must have at most 200 characters"),
        "{refused}"
    );
    Ok(())
}

#[tokio::test]
async fn one_at_a_time() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (first, second) = (bench.queue().await?, bench.queue().await?);
    for _ in 0..3 {
        bench.pass().await?;
    }
    assert_eq!(bench.machines.n_launches(), 1);
    assert_eq!(bench.phase(first.id).await?, Phase::Launching);
    assert_eq!(bench.phase(second.id).await?, Phase::Queued);
    let agent = bench.agent().await?;
    let held = agent.claim_train().await?;
    agent.finish(&held, Outcome::Failed).await?;
    bench.machines.kill(agent.instance);
    bench.pass().await?;
    assert_eq!(bench.phase(first.id).await?, Phase::Failed);
    assert_eq!(bench.job(first.id).await?.reason.as_deref(), Some("as it was"));
    assert_eq!(bench.phase(second.id).await?, Phase::Launching);
    Ok(())
}

/// An attempt that was lost before its first checkpoint may have drawn what the next one would draw again.
#[tokio::test]
async fn an_attempt_that_starts_over_draws_no_second_first_samples() -> anyhow::Result<()> {
    for (n_drawn, is_start_drawn) in [(0, false), (1, false), (2, true)] {
        let bench = Bench::new().await?;
        let request = CreateJob {
            sample_prompts: vec!["zora".into(), "zora waves".into()],
            ..bench.request()
        };
        bench.orchestrator.create_job(bench.owner(), request).await?;
        bench.pass().await?;
        let agent = bench.agent().await?;
        let held = agent.claim_train().await?;
        assert!(!held.work.is_start_drawn);
        for prompt_index in 0..n_drawn {
            let sample = ArtifactKind::Sample {
                step: 0,
                prompt_index,
                prompt: "zora".into(),
                seed: 7,
            };
            agent.bring(&held, sample, picture("the base alone")).await?;
        }
        bench.machines.kill(agent.instance);
        bench.pass().await?;
        let again = bench.agent().await?.claim_train().await?;
        assert!(again.work.resume_from.is_none());
        assert_eq!(again.work.is_start_drawn, is_start_drawn, "{n_drawn} of two");
    }
    Ok(())
}

#[tokio::test]
async fn goes_on_from_the_newest_checkpoint() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    agent
        .beat(&held, (1..=50).map(|n| step(n, n as u32)).collect())
        .await?;
    for (at, bytes) in [(20, b"twenty".as_slice()), (40, b"forty".as_slice())] {
        agent
            .bring(&held, ArtifactKind::Checkpoint { step: at }, bytes)
            .await?;
    }
    bench.machines.kill(agent.instance);
    bench.pass().await?;
    let next = bench.agent().await?;
    assert_ne!(next.instance, agent.instance);
    let resumed = next.claim_train().await?;
    let from = resumed
        .work
        .resume_from
        .ok_or_else(|| anyhow::anyhow!("a checkpoint"))?;
    assert_eq!(from.size_bytes, 5);
    assert_eq!(
        metrics::chart(bench.store(), job.id, 100).await?.step.last(),
        Some(&40)
    );
    let job = bench.job(job.id).await?;
    assert_eq!((job.n_attempts, job.checkpoint_step), (2, Some(40)));
    let phases = bench.phases(job.id).await?;
    use Phase::{Launching, Queued, Running};
    assert_eq!(phases, [Queued, Launching, Running, Queued, Launching, Running]);

    // The first agent was only cut off: what it says now is refused, what it made does no harm.
    let late = agent.beat(&held, vec![step(51, 51)]).await;
    assert!(matches!(late, Err(ServiceError::LeaseLost)), "{late:?}");
    let late = agent.finish(&held, Outcome::Completed).await;
    assert!(matches!(late, Err(ServiceError::LeaseLost)), "{late:?}");
    Ok(())
}

#[tokio::test]
async fn gives_up_after_attempts_without_progress() -> anyhow::Result<()> {
    let bench = Bench::with(|options| options.max_fruitless_attempts = 3).await?;
    let job = bench.queue().await?;
    // The first two are lost, then one brings a checkpoint and the count begins anew.
    for attempt in 1..=5_u32 {
        bench
            .wait_passing_until(async || Ok(bench.machines.n_launches() == attempt as usize))
            .await?;
        let agent = bench.agent().await?;
        let held = agent.claim_train().await?;
        if attempt == 2 {
            agent
                .bring(&held, ArtifactKind::Checkpoint { step: 10 }, b"checkpoint")
                .await?;
        }
        bench.machines.kill(agent.instance);
        bench.pass().await?;
        // The wait before the next attempt is not part of this test.
        bench.orchestrator.store().signals().wake();
        if attempt == 4 {
            break;
        }
    }
    let job = bench.job(job.id).await?;
    assert_eq!(
        (job.phase, job.n_attempts),
        (Phase::Failed, 4),
        "{:?}",
        job.reason
    );
    assert_eq!(
        job.reason.as_deref(),
        Some(
            "3 attempts in a row ended without a new checkpoint; the last error: the agent exited without a report; \
             its last output: out of memory"
        )
    );
    // Its owner mended the machine.
    let job = bench
        .orchestrator
        .resume_job(bench.owner(), job.id, protocol::spend::ResumeJob::default())
        .await?;
    assert_eq!((job.phase, job.checkpoint_step), (Phase::Queued, Some(10)));
    bench
        .wait_passing_until(async || Ok(bench.phase(job.id).await? == Phase::Launching))
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_machine_that_cannot_be_started_is_tried_again() -> anyhow::Result<()> {
    let bench = Bench::with(|options| options.max_fruitless_attempts = 2).await?;
    bench.machines.refuse(Some("no space left on device"));
    let job = bench.queue().await?;
    bench
        .wait_passing_until(async || Ok(bench.phase(job.id).await? == Phase::Failed))
        .await?;
    let reason = bench.job(job.id).await?.reason.unwrap_or_default();
    assert!(
        reason.contains("provider `local` failed to start an agent: no space left on device"),
        "{reason}"
    );
    Ok(())
}

#[tokio::test]
async fn an_agent_that_never_calls_is_ended() -> anyhow::Result<()> {
    let bench = Bench::with(|options| options.boot_timeout = Duration::from_millis(50)).await?;
    let job = bench.queue().await?;
    bench.pass().await?;
    let silent = bench.machines.alive()[0].id;
    bench
        .wait_passing_until(async || {
            Ok(!bench
                .machines
                .alive()
                .iter()
                .any(|instance| instance.id == silent))
        })
        .await?;
    let ended = bench
        .stream(job.id)
        .await?
        .into_iter()
        .find_map(|event| match event.event {
            Event::AttemptEnded { outcome, detail } => Some((outcome, detail.unwrap_or_default())),
            _ => None,
        });
    let (outcome, detail) = ended.ok_or_else(|| anyhow::anyhow!("no attempt ended"))?;
    assert_eq!(outcome, Outcome::NeverStarted);
    assert!(
        detail.starts_with("the agent did not connect in time"),
        "{detail}"
    );
    Ok(())
}

#[tokio::test]
async fn a_silent_agent_loses_its_lease_and_its_machine() -> anyhow::Result<()> {
    let bench = Bench::with(|options| options.lease = Duration::from_millis(100)).await?;
    let (job, agent, held) = bench.claimed().await?;
    bench
        .wait_passing_until(async || Ok(bench.machines.n_launches() == 2))
        .await?;
    assert!(
        !bench
            .machines
            .alive()
            .iter()
            .any(|instance| instance.id == agent.instance),
        "one machine trains"
    );
    let late = agent.beat(&held, Vec::new()).await;
    assert!(matches!(late, Err(ServiceError::LeaseLost)), "{late:?}");
    assert_eq!(bench.job(job.id).await?.n_attempts, 2);
    Ok(())
}

#[tokio::test]
async fn agents_outlive_a_server_that_was_away() -> anyhow::Result<()> {
    let mut bench = Bench::with(|options| options.lease = Duration::from_secs(2)).await?;
    let (job, agent, held) = bench.claimed().await?;
    // Nobody is there to renew the lease until it has run out.
    let lease_until = store::attempts::get(bench.store(), held.id).await?.lease_until;
    wait_past(lease_until.unwrap()).await;
    bench.restart();
    bench.pass().await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Running);
    assert_eq!(agent.beat(&held, vec![step(1, 1)]).await?.acknowledged, 1);
    bench.pass().await?;
    assert_eq!(bench.machines.n_launches(), 1);
    assert_eq!(bench.job(job.id).await?.n_attempts, 1);
    Ok(())
}

#[tokio::test]
async fn cancel_ends_a_job_wherever_it_stands() -> anyhow::Result<()> {
    let bench = Bench::with(|options| options.patience = Duration::from_millis(50)).await?;
    let (orchestrator, owner) = (&bench.orchestrator, bench.owner());
    let queued = bench.queue().await?;
    assert_eq!(
        orchestrator.cancel_job(owner, queued.id).await?.phase,
        Phase::Cancelled
    );
    assert_eq!(
        orchestrator.cancel_job(owner, queued.id).await?.phase,
        Phase::Cancelled,
        "twice is fine"
    );

    let launching = bench.queue().await?;
    bench.pass().await?;
    assert_eq!(
        orchestrator.cancel_job(owner, launching.id).await?.phase,
        Phase::Cancelling
    );
    // An agent that calls now gets nothing to do.
    let agent = bench.agent().await?;
    assert!(agent.claim_train().await.is_err());
    bench.pass().await?;
    assert_eq!(bench.phase(launching.id).await?, Phase::Cancelled);
    bench.pass().await?;
    assert_eq!(bench.machines.alive(), []);

    let (running, agent, held) = bench.claimed().await?;
    orchestrator.cancel_job(owner, running.id).await?;
    assert_eq!(agent.orders(&held).await?, [Directive::Cancel]);
    // It does not listen.
    bench
        .wait_passing_until(async || Ok(bench.machines.alive().is_empty()))
        .await?;
    assert_eq!(bench.phase(running.id).await?, Phase::Cancelled);
    let late = bench
        .orchestrator
        .finish(
            &agent.credential,
            held.id,
            protocol::agent::Finish {
                fence: held.fence,
                outcome: Outcome::Completed,
                detail: None,
                result: None,
                picture: None,
                edited: None,
                disk_fault: false,
            },
        )
        .await;
    assert!(matches!(late, Err(ServiceError::LeaseLost)), "{late:?}");
    Ok(())
}

#[tokio::test]
async fn stop_keeps_a_checkpoint_to_resume_from() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (orchestrator, owner) = (&bench.orchestrator, bench.owner());
    let (job, agent, held) = bench.claimed().await?;
    assert_eq!(orchestrator.stop_job(owner, job.id).await?.phase, Phase::Stopping);
    assert_eq!(agent.orders(&held).await?, [Directive::Stop]);
    agent
        .bring(&held, ArtifactKind::Checkpoint { step: 30 }, b"thirty")
        .await?;
    agent.finish(&held, Outcome::Stopped).await?;
    bench.machines.kill_all();
    assert_eq!(bench.phase(job.id).await?, Phase::Stopped);
    bench.pass().await?;
    assert_eq!(bench.machines.n_launches(), 1, "it stays stopped");

    orchestrator
        .resume_job(owner, job.id, protocol::spend::ResumeJob::default())
        .await?;
    bench.pass().await?;
    let agent = bench.agent().await?;
    let held = agent.claim_train().await?;
    assert!(held.work.resume_from.is_some());
    assert_eq!(agent.orders(&held).await?, [], "the old wish is gone");
    let finish = agent.completed(&held, verdict(&[])).await?;
    orchestrator.finish(&agent.credential, held.id, finish).await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Succeeded);
    Ok(())
}

#[tokio::test]
async fn machines_of_another_database_are_ended() -> anyhow::Result<()> {
    use orchestrator::providers::{LaunchRequest, Provider as _, Purpose};
    let bench = Bench::new().await?;
    let request = LaunchRequest {
        id: uuid::Uuid::now_v7(),
        purpose: Purpose::Train,
        token: String::new(),
    };
    bench.machines.launch(&request).await?;
    bench.pass().await?;
    assert_eq!(bench.machines.alive(), []);
    Ok(())
}

#[tokio::test]
async fn the_loop_is_woken() -> anyhow::Result<()> {
    let bench = Bench::with(|options| options.tick = Duration::from_secs(3600)).await?;
    let shutdown = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn({
        let (orchestrator, shutdown) = (bench.orchestrator.clone(), shutdown.clone());
        async move { orchestrator.run(shutdown).await }
    });
    // The first may be found by the pass at the start, the second by a wake-up only.
    let mut changes = bench.store().signals().subscribe_all();
    for _ in 0..2 {
        let job = bench.queue().await?;
        while bench.phase(job.id).await? == Phase::Queued {
            tokio::time::timeout(crate::fixture::DEADLINE, changes.next()).await?;
        }
        bench.orchestrator.cancel_job(bench.owner(), job.id).await?;
        while !bench.phase(job.id).await?.is_ended() {
            tokio::time::timeout(crate::fixture::DEADLINE, changes.next()).await?;
        }
    }
    shutdown.cancel();
    running.await?;
    Ok(())
}

async fn wait_past(moment: chrono::DateTime<chrono::Utc>) {
    while store::now() <= moment {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
