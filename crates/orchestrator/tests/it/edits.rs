//! Files that are made out of others: a worker is started for them too, and replaced when it dies.

use protocol::{
    agent::{Work, WorkKind},
    edit::{CreateEdit, EditPhase, LoraEdit},
    generation::CreateGeneration,
};
use store::edits;

use crate::fixture::{Agent, Bench};

/// One that needs no LoRA.
fn request() -> CreateEdit {
    let value = serde_json::json!({
        "kind": "extract", "base_model": "tiny-xl", "tuned_model": "tiny-xl", "rank": 4, "name": "zora",
    });
    serde_json::from_value(value).expect("a valid request")
}

async fn queue(bench: &Bench) -> anyhow::Result<LoraEdit> {
    Ok(bench.orchestrator.create_edit(bench.owner(), request()).await?)
}

async fn get(bench: &Bench, edit: &LoraEdit) -> anyhow::Result<LoraEdit> {
    Ok(edits::get(bench.store(), bench.owner(), edit.id).await?)
}

async fn worker(bench: &Bench) -> anyhow::Result<Agent> {
    bench
        .wait_passing_until(async || Ok(bench.machines.alive().len() == 1))
        .await?;
    bench.agent_of(bench.machines.alive()[0].id).await
}

#[tokio::test]
async fn a_dead_worker_is_replaced_a_few_times() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let edit = queue(&bench).await?;
    for attempt in 1..=3 {
        let agent = worker(&bench).await?;
        let assignment = agent.claim(WorkKind::Edit).await?;
        let Some(Work::Edit(work)) = assignment.map(|assignment| assignment.work) else {
            anyhow::bail!("nothing to do");
        };
        assert_eq!((work.edit_id, work.name.as_str()), (edit.id, "zora"));
        assert!(work.base.is_some() && work.tuned.is_some(), "{work:?}");
        assert_eq!(get(&bench, &edit).await?.phase, EditPhase::Running);
        bench.machines.kill_all();
        bench.pass().await?;
        let expected = if attempt < 3 {
            EditPhase::Queued
        } else {
            EditPhase::Failed
        };
        assert_eq!(get(&bench, &edit).await?.phase, expected);
    }
    let error = get(&bench, &edit).await?.error.unwrap_or_default();
    assert!(error.contains("lost 3 times"), "{error}");
    Ok(())
}

#[tokio::test]
async fn one_that_is_to_be_canceled_is_not_tried_again() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let edit = queue(&bench).await?;
    let agent = worker(&bench).await?;
    agent.claim(WorkKind::Edit).await?;
    let asked = bench.orchestrator.cancel_edit(bench.owner(), edit.id).await?;
    assert!(asked.is_cancelling);
    bench.machines.kill_all();
    bench.pass().await?;
    assert_eq!(get(&bench, &edit).await?.phase, EditPhase::Cancelled);
    Ok(())
}

#[tokio::test]
async fn a_worker_that_cannot_live_fails_what_waits() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let edit = queue(&bench).await?;
    bench
        .wait_passing_until(async || {
            bench.machines.kill_all();
            Ok(get(&bench, &edit).await?.phase == EditPhase::Failed)
        })
        .await?;
    let error = get(&bench, &edit).await?.error.unwrap_or_default();
    assert!(error.ends_with("its last output: out of memory"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_worker_takes_edits_and_pictures() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let edit = queue(&bench).await?;
    let picture = serde_json::json!({ "base_model": "tiny-xl", "prompt": "zora" });
    let picture: CreateGeneration = serde_json::from_value(picture)?;
    bench
        .orchestrator
        .create_generation(bench.owner(), picture)
        .await?;
    let agent = worker(&bench).await?;
    // An older one knows pictures alone.
    let first = agent.claim(WorkKind::Generate).await?;
    assert!(matches!(first.map(|first| first.work), Some(Work::Generate(_))));
    assert_eq!(get(&bench, &edit).await?.phase, EditPhase::Queued);
    let second = agent.claim(WorkKind::Edit).await?;
    assert!(matches!(second.map(|second| second.work), Some(Work::Edit(_))));
    assert_eq!(bench.machines.n_launches(), 1);
    Ok(())
}
