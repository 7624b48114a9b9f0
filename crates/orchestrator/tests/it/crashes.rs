//! The server dies between any two steps; the next pass repairs it.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll},
};

use protocol::phase::{Outcome, Phase};
use store::attempts::{self, Subject};

use crate::{
    fixture::{Bench, verdict},
    machines::Crash,
};

/// Whatever happened before, the job now comes to its end with one machine.
async fn comes_to_its_end(bench: &Bench, job: protocol::JobId) -> anyhow::Result<()> {
    bench
        .wait_passing_until(async || Ok(!bench.machines.alive().is_empty()))
        .await?;
    bench.pass().await?;
    assert_eq!(bench.machines.alive().len(), 1, "one machine");
    let attempt = attempts::alive_of(bench.store(), Subject::Job(job)).await?;
    let attempt = attempt.ok_or_else(|| anyhow::anyhow!("no attempt"))?;
    assert_eq!(bench.machines.alive()[0].id, attempt.id.0);
    assert!(attempt.instance.is_some(), "it is written down");
    let agent = bench.agent().await?;
    let held = agent.claim_train().await?;
    let finish = agent.completed(&held, verdict(&[])).await?;
    bench
        .orchestrator
        .finish(&agent.credential, held.id, finish)
        .await?;
    assert_eq!(bench.phase(job).await?, Phase::Succeeded);
    bench.stream(job).await?;
    Ok(())
}

#[tokio::test]
async fn around_the_launch() -> anyhow::Result<()> {
    for crash in [Crash::BeforeList, Crash::BeforeLaunch, Crash::AfterLaunch] {
        let mut bench = Bench::new().await?;
        let job = bench.queue().await?;
        bench.machines.crash_at(crash);
        bench.pass_until_crash().await?;
        bench.restart();
        comes_to_its_end(&bench, job.id).await?;
        assert_eq!(bench.machines.n_launches(), 1, "{crash:?}");
        assert_eq!(bench.job(job.id).await?.n_attempts, 1, "{crash:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_unrecorded_agent_works_on() -> anyhow::Result<()> {
    let mut bench = Bench::new().await?;
    let job = bench.queue().await?;
    bench.machines.crash_at(Crash::AfterLaunch);
    bench.pass_until_crash().await?;
    // It claims before anybody has looked.
    let agent = bench.agent().await?;
    let held = agent.claim_train().await?;
    bench.restart();
    bench.pass().await?;
    assert_eq!(bench.machines.n_launches(), 1);
    let attempt = attempts::get(bench.store(), held.id).await?;
    assert!(attempt.instance.is_some());
    let finish = agent.completed(&held, verdict(&[])).await?;
    bench
        .orchestrator
        .finish(&agent.credential, held.id, finish)
        .await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Succeeded);
    Ok(())
}

#[tokio::test]
async fn an_unrecorded_agent_may_die_too() -> anyhow::Result<()> {
    for was_claimed in [false, true] {
        let mut bench = Bench::new().await?;
        let job = bench.queue().await?;
        bench.machines.crash_at(Crash::AfterLaunch);
        bench.pass_until_crash().await?;
        if was_claimed {
            bench.agent().await?.claim_train().await?;
        }
        bench.machines.kill_all();
        bench.restart();
        comes_to_its_end(&bench, job.id).await?;
    }
    Ok(())
}

#[tokio::test]
async fn around_the_end_of_a_machine() -> anyhow::Result<()> {
    for crash in [Crash::BeforeTerminate, Crash::AfterTerminate] {
        let mut bench = Bench::with(|options| options.patience = std::time::Duration::ZERO).await?;
        let (job, agent, held) = bench.claimed().await?;
        agent.finish(&held, Outcome::Failed).await?;
        bench.machines.crash_at(crash);
        bench.pass_until_crash().await?;
        bench.restart();
        bench.pass().await?;
        assert_eq!(bench.machines.alive(), [], "{crash:?}");
        assert_eq!(bench.phase(job.id).await?, Phase::Failed);
    }
    Ok(())
}

/// Polls a pass only so many times, then drops it, as a kill at that line would.
pub(crate) async fn killed_after(
    n_polls: usize,
    pass: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<bool> {
    let mut pass = pin!(pass);
    let mut left = n_polls;
    std::future::poll_fn(move |context: &mut Context<'_>| {
        if left == 0 {
            return Poll::Ready(Ok(false));
        }
        left -= 1;
        pass.as_mut().poll(context).map(|done| done.map(|()| true))
    })
    .await
}

#[tokio::test]
async fn at_any_line() -> anyhow::Result<()> {
    let mut bench = Bench::new().await?;
    let mut came_to_the_end = false;
    for n_polls in 1..2000 {
        let n_launches = bench.machines.n_launches();
        let job = bench.queue().await?;
        came_to_the_end = killed_after(n_polls, Box::pin(bench.pass())).await?;
        bench.restart();
        comes_to_its_end(&bench, job.id).await?;
        assert_eq!(
            bench.machines.n_launches(),
            n_launches + 1,
            "after {n_polls} polls"
        );
        bench.machines.kill_all();
        if came_to_the_end {
            break;
        }
    }
    assert!(came_to_the_end, "the last one was not killed at all");
    Ok(())
}
