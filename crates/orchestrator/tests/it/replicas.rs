//! Two servers on one database, each with machines that the other does not see.

use std::time::Duration;

use chrono::TimeDelta;
use orchestrator::ServiceError;
use protocol::phase::{Outcome, Phase};
use store::attempts;

use crate::fixture::{Bench, step, verdict};

/// Passes of the other server, with heartbeats at the first one between them.
const N_PASSES: usize = 20;

#[tokio::test]
async fn another_servers_agents_are_left_alone() -> anyhow::Result<()> {
    let ours = Bench::with(|options| options.lease = Duration::from_secs(1)).await?;
    let theirs = ours.beside().await?;
    let (job, agent, held) = ours.claimed().await?;
    for n in 1..=N_PASSES {
        // They see no machine that carries the attempt, and do not conclude anything from that.
        theirs.pass().await?;
        agent.beat(&held, vec![step(n as u64, n as u32)]).await?;
        ours.pass().await?;
    }
    assert_eq!(theirs.machines.n_launches(), 0);
    assert_eq!(ours.machines.n_launches(), 1);
    let finish = agent.completed(&held, verdict(&[])).await?;
    ours.orchestrator
        .finish(&agent.credential, held.id, finish)
        .await?;
    assert_eq!(theirs.phase(job.id).await?, Phase::Succeeded);
    assert_eq!(theirs.job(job.id).await?.n_attempts, 1);
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_gone_is_replaced() -> anyhow::Result<()> {
    for was_claimed in [true, false] {
        let ours = Bench::with(|options| {
            options.lease = Duration::from_millis(100);
            options.boot_timeout = Duration::from_millis(100);
        })
        .await?;
        let theirs = ours.beside().await?;
        let job = ours.queue().await?;
        ours.pass().await?;
        let held = match was_claimed {
            true => Some(ours.agent().await?.claim_train().await?),
            false => None,
        };
        // From here on our server is gone, with its machine.
        theirs
            .wait_passing_until(async || Ok(theirs.machines.n_launches() == 1))
            .await?;
        let job = theirs.job(job.id).await?;
        assert_eq!((job.phase, job.n_attempts), (Phase::Launching, 2));
        let agent = theirs.agent().await?;
        let again = agent.claim_train().await?;

        // It comes back: its agent has lost the work, and its machine is ended.
        if let Some(held) = held {
            let late = ours.agent().await?.beat(&held, Vec::new()).await;
            assert!(matches!(late, Err(ServiceError::LeaseLost)), "{late:?}");
        }
        ours.wait_passing_until(async || Ok(ours.machines.alive().is_empty()))
            .await?;
        let finish = agent.completed(&again, verdict(&[])).await?;
        theirs
            .orchestrator
            .finish(&agent.credential, again.id, finish)
            .await?;
        assert_eq!(ours.phase(job.id).await?, Phase::Succeeded);
        let stream = ours.stream(job.id).await?;
        assert_eq!(
            stream.last().map(|event| event.seq),
            Some(ours.job(job.id).await?.last_seq)
        );
    }
    Ok(())
}

/// Writes the end of a lease as a server would whose clock is wrong.
async fn renew(
    bench: &Bench,
    attempt: protocol::AttemptId,
    fence: i64,
    skew: TimeDelta,
) -> anyhow::Result<()> {
    let tx = bench.store().begin().await?;
    attempts::renew(&tx, attempt, fence, store::now() + skew).await?;
    Ok(tx.commit().await?)
}

#[tokio::test]
async fn a_clock_that_is_an_hour_wrong_neither_steals_nor_loses_a_lease() -> anyhow::Result<()> {
    let lease = Duration::from_millis(300);
    let ours = Bench::with(|options| options.lease = lease).await?;
    let theirs = ours.beside().await?;
    let (job, _, held) = ours.claimed().await?;
    let begin = std::time::Instant::now();
    // Renewed all the time, by a clock that is an hour late: it ran out long ago by every other clock.
    while begin.elapsed() < 4 * lease {
        renew(&ours, held.id, held.fence, TimeDelta::hours(-1)).await?;
        ours.pass().await?;
        theirs.pass().await?;
    }
    assert_eq!(ours.phase(job.id).await?, Phase::Running, "nobody took it");
    assert_eq!(theirs.machines.n_launches(), 0);

    // Not renewed any more, by a clock that is an hour early.
    renew(&ours, held.id, held.fence, TimeDelta::hours(1)).await?;
    ours.wait_passing_until(async || {
        let attempt = attempts::get(ours.store(), held.id).await?;
        Ok(attempt.outcome == Some(Outcome::Lost))
    })
    .await
}
