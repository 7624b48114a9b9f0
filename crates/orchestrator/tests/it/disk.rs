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
    agent::{ArtifactKind, Directive, WorkKind},
    generation::CreateGeneration,
    phase::{Outcome, Phase},
};

use crate::fixture::Bench;

const GIB: u64 = 1 << 30;

/// A bench on a disk of 100 GiB, of which 2 must stay free.
async fn bench() -> anyhow::Result<(Bench, Arc<AtomicU64>)> {
    let free = Arc::new(AtomicU64::new(50 * GIB));
    let seen = Arc::clone(&free);
    let bench = Bench::with(|options| {
        options.disk = DiskOptions {
            folders: vec![("data", "/".into())],
            min_free_bytes: None,
            gauge: Gauge::new(move |_| {
                Ok(Space {
                    free_bytes: seen.load(Ordering::Relaxed),
                    total_bytes: 100 * GIB,
                })
            }),
        };
    })
    .await?;
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
