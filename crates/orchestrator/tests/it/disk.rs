//! A disk that becomes short, and has room again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use orchestrator::{
    ServiceError,
    disk::{DiskOptions, Gauge, Space},
};
use protocol::{
    agent::{ArtifactKind, Directive, NewArtifact, WorkKind},
    generation::CreateGeneration,
    job::CreateJob,
    phase::{Outcome, Phase},
};

use store::{artifacts, attempts};

use crate::{
    fixture::{Bench, Held, announced},
    pool::member,
};

pub(crate) const GIB: u64 = 1 << 30;

/// A disk of 100 GiB, of which 2 must stay free.
pub(crate) fn disk() -> (DiskOptions, Arc<AtomicU64>) {
    let free = Arc::new(AtomicU64::new(50 * GIB));
    let seen = Arc::clone(&free);
    let disk = DiskOptions {
        folders: vec![("data", "/".into())],
        min_free_bytes: None,
        gauge: Gauge::new(move |_| {
            Ok(Space {
                free_bytes: seen.load(Ordering::Relaxed),
                total_bytes: 100 * GIB,
                ..Space::default()
            })
        }),
    };
    (disk, free)
}

async fn bench() -> anyhow::Result<(Bench, Arc<AtomicU64>)> {
    let (disk, free) = disk();
    let bench = Bench::with(|options| options.disk = disk).await?;
    Ok((bench, free))
}

#[tokio::test]
async fn a_job_pauses_while_the_disk_is_short_and_goes_on() -> anyhow::Result<()> {
    let (bench, free) = bench().await?;
    let (job, agent, held) = bench.claimed().await?;
    assert_eq!(agent.orders(&held).await?, []);

    free.store(GIB, Ordering::Relaxed);
    bench.pass().await?;
    assert!(bench.orchestrator.system_status().disk.is_short);
    assert_eq!(agent.orders(&held).await?, [Directive::Stop]);
    agent
        .bring(&held, ArtifactKind::Checkpoint { step: 30 }, b"paused")
        .await?;
    agent.finish(&held, Outcome::Stopped).await?;
    bench.machines.kill_all();
    let paused = bench.job(job.id).await?;
    assert_eq!(paused.phase, Phase::Queued);
    let reason = paused.reason.unwrap_or_default();
    assert!(reason.starts_with("paused with a checkpoint"), "{reason}");

    // However often it is looked at, nothing is started; not with a little more room either.
    for free_bytes in [GIB, 9 * GIB / 4] {
        free.store(free_bytes, Ordering::Relaxed);
        bench.pass().await?;
        bench.pass().await?;
        assert_eq!(bench.machines.alive(), [], "{free_bytes}");
    }
    free.store(5 * GIB, Ordering::Relaxed);
    bench.pass().await?;
    let held = bench.agent().await?.claim_train().await?;
    assert!(held.work.resume_from.is_some());
    let again = bench.job(job.id).await?;
    assert_eq!((again.phase, again.n_attempts), (Phase::Running, 2));
    let state = store::jobs::state(bench.store(), job.id).await?;
    assert_eq!(state.n_fruitless_attempts, 0, "a pause is nobody's fault");
    Ok(())
}

#[tokio::test]
async fn what_its_owner_wants_goes_before_a_pause() -> anyhow::Result<()> {
    let (bench, free) = bench().await?;
    let (job, agent, held) = bench.claimed().await?;
    free.store(GIB, Ordering::Relaxed);
    bench.pass().await?;
    bench.orchestrator.stop_job(bench.owner(), job.id).await?;
    assert_eq!(agent.orders(&held).await?, [Directive::Stop]);
    agent.finish(&held, Outcome::Stopped).await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Stopped);
    Ok(())
}

#[tokio::test]
async fn what_waits_says_why_and_starts_when_there_is_room() -> anyhow::Result<()> {
    let (bench, free) = bench().await?;
    let before = bench.queue().await?;
    free.store(GIB, Ordering::Relaxed);
    bench.pass().await?;
    let after = bench.queue().await?;
    let request: CreateGeneration =
        serde_json::from_value(serde_json::json!({ "base_model": "tiny-xl", "prompt": "zora waves" }))?;
    bench
        .orchestrator
        .create_generation(bench.owner(), request)
        .await?;
    for job in [before.id, after.id] {
        let reason = bench.job(job).await?.reason.unwrap_or_default();
        assert!(reason.starts_with("the server's disk is nearly full"), "{reason}");
    }
    bench.pass().await?;
    assert_eq!(bench.machines.alive(), []);
    let refused = bench.orchestrator.check_room(0);
    assert!(matches!(refused, Err(ServiceError::NoRoom(_))), "{refused:?}");

    free.store(50 * GIB, Ordering::Relaxed);
    bench.pass().await?;
    assert_eq!(bench.machines.alive().len(), 2, "a training and a worker");
    assert_eq!(bench.job(before.id).await?.reason, None);
    assert!(bench.orchestrator.check_room(GIB).is_ok());
    Ok(())
}

#[tokio::test]
async fn a_worker_gets_no_picture_to_render_while_the_disk_is_short() -> anyhow::Result<()> {
    let (bench, free) = bench().await?;
    let request: CreateGeneration =
        serde_json::from_value(serde_json::json!({ "base_model": "tiny-xl", "prompt": "zora waves" }))?;
    bench
        .orchestrator
        .create_generation(bench.owner(), request)
        .await?;
    bench.pass().await?;
    let worker = bench.agent_of(bench.machines.alive()[0].id).await?;
    free.store(GIB, Ordering::Relaxed);
    bench.pass().await?;
    assert!(worker.claim(WorkKind::Generate).await?.is_none());
    free.store(50 * GIB, Ordering::Relaxed);
    bench.pass().await?;
    assert!(worker.claim(WorkKind::Generate).await?.is_some());
    Ok(())
}

/// What is wanted free now, in bytes.
pub(crate) fn wanted(bench: &Bench) -> u64 {
    bench.orchestrator.system_status().disk.folders[0].min_free_bytes
}

/// A checkpoint that has so many bytes, by its row alone: none of them is on the disk.
pub(crate) async fn checkpoint_of(bench: &Bench, held: &Held, n_bytes: u64) -> anyhow::Result<()> {
    let announced = NewArtifact {
        size_bytes: n_bytes,
        ..announced(held.fence, ArtifactKind::Checkpoint { step: 20 }, b"large")
    };
    let tx = bench.store().begin().await?;
    let attempt = attempts::get(&tx, held.id).await?;
    let file = artifacts::announce(&tx, bench.owner(), &attempt, &announced).await?;
    assert!(artifacts::mark_stored(&tx, file.id).await?);
    Ok(tx.commit().await?)
}

#[tokio::test]
async fn jobs_of_the_pool_pause_where_their_checkpoints_lie_here() -> anyhow::Result<()> {
    let (bench, free) = bench().await?;
    let attic = member(&bench, "attic", &[]).await?;
    let of_pool = || CreateJob {
        provider: "agent".to_owned(),
        ..bench.request()
    };
    let create = || bench.orchestrator.create_job(bench.owner(), of_pool());
    let job = create().await?;
    let held = Held::of(attic.claim().await?.expect("the job"));
    attic
        .agent
        .bring(&held, ArtifactKind::Checkpoint { step: 10 }, b"first")
        .await?;
    checkpoint_of(&bench, &held, 4 * GIB).await?;
    bench.pass().await?;
    assert_eq!(
        wanted(&bench),
        6 * GIB,
        "one copy: the agent's is on its own machine"
    );
    assert_eq!(attic.agent.orders(&held).await?, []);

    let waiting = create().await?;
    free.store(5 * GIB, Ordering::Relaxed);
    bench.pass().await?;
    assert_eq!(attic.agent.orders(&held).await?, [Directive::Stop]);
    let reason = bench.job(waiting.id).await?.reason.unwrap_or_default();
    assert!(reason.starts_with("the server's disk is nearly full"), "{reason}");
    attic.agent.finish(&held, Outcome::Stopped).await?;
    let paused = bench.job(job.id).await?;
    assert_eq!(paused.phase, Phase::Queued);
    let reason = paused.reason.unwrap_or_default();
    assert!(reason.starts_with("paused with a checkpoint"), "{reason}");
    assert!(attic.claim().await?.is_none(), "nothing is handed out");

    free.store(50 * GIB, Ordering::Relaxed);
    bench.pass().await?;
    let again = Held::of(
        attic
            .claim()
            .await?
            .expect("the job that was paused, or the other"),
    );
    assert_eq!(bench.phase(job.id).await?, Phase::Running, "it was there first");
    assert!(again.work.resume_from.is_some());
    Ok(())
}

#[tokio::test]
async fn a_paused_job_goes_on_only_when_its_next_checkpoint_fits_too() -> anyhow::Result<()> {
    let (bench, free) = bench().await?;
    let (_, agent, held) = bench.claimed().await?;
    agent
        .bring(&held, ArtifactKind::Checkpoint { step: 10 }, b"first")
        .await?;
    checkpoint_of(&bench, &held, 5 * GIB).await?;
    free.store(11 * GIB, Ordering::Relaxed);
    bench.pass().await?;
    // Beside the agent and in the store.
    assert_eq!(wanted(&bench), 12 * GIB);
    assert_eq!(agent.orders(&held).await?, [Directive::Stop]);
    agent.finish(&held, Outcome::Stopped).await?;
    bench.machines.kill_all();

    // The general limit alone would let it go on, to be stopped at once.
    free.store(14 * GIB, Ordering::Relaxed);
    for _ in 0..3 {
        bench.pass().await?;
        assert_eq!(wanted(&bench), 12 * GIB, "what was paused needs as much again");
        assert_eq!(bench.machines.alive(), []);
    }
    free.store(15 * GIB, Ordering::Relaxed);
    bench.pass().await?;
    assert!(!bench.orchestrator.system_status().disk.is_short);
    bench.pass().await?;
    assert_eq!(bench.machines.alive().len(), 1);
    Ok(())
}

/// The disk was full before the guard looked.
#[tokio::test]
async fn a_job_whose_agent_has_no_room_waits_and_is_not_failed() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    agent
        .bring(&held, ArtifactKind::Checkpoint { step: 30 }, b"before")
        .await?;
    agent.out_of_room(&held).await?;
    bench.machines.kill_all();
    let waiting = bench.job(job.id).await?;
    assert_eq!(waiting.phase, Phase::Queued);
    let reason = waiting.reason.unwrap_or_default();
    assert!(
        reason.starts_with("paused because a disk of the agent's machine takes no writes")
            && reason.contains("No space left on device"),
        "{reason}"
    );
    let state = store::jobs::state(bench.store(), job.id).await?;
    assert_eq!(
        state.n_fruitless_attempts, 0,
        "a full disk is no fault of the training"
    );
    assert_eq!(state.checkpoint_step, Some(30), "it goes on from there");
    // It does not spin: nothing is started until its time has come.
    bench.pass().await?;
    assert_eq!(bench.machines.alive(), []);
    Ok(())
}

#[tokio::test]
async fn an_agent_that_stops_unasked_is_not_tried_for_ever() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    assert_eq!(agent.orders(&held).await?, []);
    agent.finish(&held, Outcome::Stopped).await?;
    bench.machines.kill_all();
    let state = store::jobs::state(bench.store(), job.id).await?;
    assert_eq!((state.phase, state.n_fruitless_attempts), (Phase::Queued, 1));
    let reason = state.reason.unwrap_or_default();
    assert!(reason.starts_with("the agent exited early"), "{reason}");
    Ok(())
}

/// The guard's order stands in the database: another server, or this one after a restart, may hear of the end.
#[tokio::test]
async fn a_pause_is_known_for_one_after_the_disk_has_room_again() -> anyhow::Result<()> {
    let (bench, free) = bench().await?;
    let (job, agent, held) = bench.claimed().await?;
    free.store(GIB, Ordering::Relaxed);
    bench.pass().await?;
    assert_eq!(agent.orders(&held).await?, [Directive::Stop]);
    free.store(50 * GIB, Ordering::Relaxed);
    bench.pass().await?;
    agent.finish(&held, Outcome::Stopped).await?;
    let state = store::jobs::state(bench.store(), job.id).await?;
    assert_eq!((state.phase, state.n_fruitless_attempts), (Phase::Queued, 0));
    Ok(())
}
