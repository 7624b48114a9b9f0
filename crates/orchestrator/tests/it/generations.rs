//! Pictures: a worker is started when one is wanted.

use std::time::Duration;

use bytes::Bytes;
use protocol::{
    ModelVersionId,
    agent::{ArtifactKind, Assignment, Finish, Work, WorkKind},
    generation::{CreateGeneration, Generation, GenerationPhase},
    phase::Outcome,
    preset::BaseClass,
};
use store::generations;

use crate::fixture::{Agent, Bench, announced, lora, machine, picture, verdict};

fn request() -> CreateGeneration {
    let value = serde_json::json!({ "base_model": "tiny-xl", "prompt": "zora waves" });
    serde_json::from_value(value).expect("a valid request")
}

async fn queue(bench: &Bench) -> anyhow::Result<Generation> {
    Ok(bench
        .orchestrator
        .create_generation(bench.owner(), request())
        .await?)
}

async fn get(bench: &Bench, generation: &Generation) -> anyhow::Result<Generation> {
    Ok(generations::get(bench.store(), bench.owner(), generation.id).await?)
}

async fn worker(bench: &Bench) -> anyhow::Result<Agent> {
    let alive = bench.machines.alive();
    anyhow::ensure!(alive.len() == 1, "{alive:?}");
    bench.agent_of(alive[0].id).await
}

async fn claim(agent: &Agent) -> anyhow::Result<Assignment> {
    agent
        .claim(WorkKind::Generate)
        .await?
        .ok_or_else(|| anyhow::anyhow!("nothing to do"))
}

async fn deliver(agent: &Agent, work: &Assignment) -> anyhow::Result<()> {
    let (orchestrator, bytes) = (&agent.orchestrator, picture("rendered"));
    let new = announced(work.fence, ArtifactKind::Picture, bytes);
    let ticket = orchestrator
        .announce_artifact(&agent.credential, work.attempt_id, new)
        .await?;
    orchestrator
        .store()
        .objects()
        .put(Bytes::from_static(bytes))
        .await?;
    orchestrator
        .complete_artifact(&agent.credential, work.attempt_id, ticket.artifact_id)
        .await?;
    let finish = Finish {
        fence: work.fence,
        outcome: Outcome::Completed,
        detail: None,
        result: None,
        picture: Some(ticket.artifact_id),
        edited: None,
        disk_fault: false,
    };
    orchestrator
        .finish(&agent.credential, work.attempt_id, finish.clone())
        .await?;
    orchestrator
        .finish(&agent.credential, work.attempt_id, finish)
        .await?;
    Ok(())
}

#[tokio::test]
async fn one_worker_serves_them_all() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    bench.pass().await?;
    assert_eq!(bench.machines.n_launches(), 0, "none is wanted");
    let (first, second) = (queue(&bench).await?, queue(&bench).await?);
    assert_eq!(
        (first.request.width, first.request.height),
        (Some(128), Some(128))
    );
    assert!(first.request.seed.is_some_and(|seed| seed < 1 << 53));
    assert_ne!(first.request.seed, second.request.seed);
    for _ in 0..3 {
        bench.pass().await?;
    }
    assert_eq!(bench.machines.n_launches(), 1);
    let agent = worker(&bench).await?;
    for generation in [&first, &second] {
        let work = claim(&agent).await?;
        assert!(
            matches!(&work.work, Work::Generate(work) if work.generation_id == generation.id),
            "{work:?}"
        );
        assert_eq!(get(&bench, generation).await?.phase, GenerationPhase::Running);
        bench.pass().await?;
        deliver(&agent, &work).await?;
        let done = get(&bench, generation).await?;
        assert_eq!(done.phase, GenerationPhase::Succeeded);
        assert!(done.image_url.is_some() && done.duration_ms.is_some());
    }
    assert!(agent.claim(WorkKind::Generate).await?.is_none());
    assert_eq!(bench.machines.n_launches(), 1);
    Ok(())
}

#[tokio::test]
async fn a_dead_worker_is_replaced_a_few_times() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let generation = queue(&bench).await?;
    for attempt in 1..=3 {
        bench
            .wait_passing_until(async || Ok(bench.machines.alive().len() == 1))
            .await?;
        let agent = worker(&bench).await?;
        claim(&agent).await?;
        bench.machines.kill_all();
        bench.pass().await?;
        let expected = if attempt < 3 {
            GenerationPhase::Queued
        } else {
            GenerationPhase::Failed
        };
        assert_eq!(get(&bench, &generation).await?.phase, expected);
    }
    let error = get(&bench, &generation).await?.error.unwrap_or_default();
    assert!(error.contains("lost 3 times"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_worker_that_cannot_live_fails_what_waits() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let generation = queue(&bench).await?;
    bench
        .wait_passing_until(async || {
            bench.machines.kill_all();
            Ok(get(&bench, &generation).await?.phase == GenerationPhase::Failed)
        })
        .await?;
    assert_eq!(bench.machines.n_launches(), 5);
    let error = get(&bench, &generation).await?.error.unwrap_or_default();
    assert!(error.ends_with("its last output: out of memory"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_worker_that_does_not_ask_is_replaced() -> anyhow::Result<()> {
    let bench = Bench::with(|options| options.boot_timeout = Duration::from_millis(50)).await?;
    queue(&bench).await?;
    bench.pass().await?;
    let silent = bench.machines.alive()[0].id;
    bench
        .wait_passing_until(async || {
            let alive = bench.machines.alive();
            Ok(alive.len() == 1 && alive[0].id != silent)
        })
        .await
}

#[tokio::test]
async fn a_waiting_worker_is_woken() -> anyhow::Result<()> {
    let bench = Bench::with(|options| options.tick = Duration::from_secs(3600)).await?;
    queue(&bench).await?;
    bench.pass().await?;
    let agent = worker(&bench).await?;
    let work = claim(&agent).await?;
    deliver(&agent, &work).await?;
    let waiting = tokio::spawn(async move {
        let request = protocol::agent::ClaimRequest {
            kinds: vec![WorkKind::Generate],
            wait_seconds: 60,
            machine: Some(machine("here", &[])),
        };
        agent.orchestrator.claim(&agent.credential, request).await
    });
    let generation = queue(&bench).await?;
    let reply = tokio::time::timeout(crate::fixture::DEADLINE, waiting).await???;
    let work = reply.assignment.ok_or_else(|| anyhow::anyhow!("no work"))?.work;
    assert!(matches!(work, Work::Generate(work) if work.generation_id == generation.id));
    Ok(())
}

#[tokio::test]
async fn loras_are_checked_and_handed_out() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    let finish = agent.completed(&held, verdict(&[])).await?;
    bench
        .orchestrator
        .finish(&agent.credential, held.id, finish)
        .await?;
    bench.machines.kill_all();
    let version = bench.job(job.id).await?.model_version_id;
    let version = version.ok_or_else(|| anyhow::anyhow!("a result"))?;
    let with = |id: ModelVersionId| {
        let mut request = request();
        request.loras.push(protocol::generation::LoraWeight {
            partial: false,
            model_version_id: id,
            weight: 0.8,
        });
        request
    };
    let unknown = bench
        .orchestrator
        .create_generation(bench.owner(), with(ModelVersionId::new()))
        .await;
    let message = unknown.err().map(|err| err.to_string()).unwrap_or_default();
    assert!(
        message.starts_with("loras[0].model_version_id: there is no model version"),
        "{message}"
    );

    bench
        .orchestrator
        .create_generation(bench.owner(), with(version))
        .await?;
    bench.pass().await?;
    let work = claim(&worker(&bench).await?).await?;
    let Work::Generate(work) = work.work else {
        anyhow::bail!("a picture")
    };
    assert_eq!(work.lora_files.len(), 1);
    assert_eq!(work.lora_files[0].size_bytes, lora().len() as u64);

    bench.orchestrator.retire(bench.owner(), version).await?;
    let retired = bench
        .orchestrator
        .create_generation(bench.owner(), with(version))
        .await;
    assert!(retired.is_err_and(|err| err.to_string().contains("retired")));
    Ok(())
}

#[tokio::test]
async fn a_job_can_begin_with_a_lora_of_the_library() -> anyhow::Result<()> {
    let bench = Bench::with(|options| {
        let mut large = options.bases[0].clone();
        large.model.name = "large".to_owned();
        large.model.class = BaseClass::Sdxl;
        options.bases.push(large);
    })
    .await?;
    let (job, agent, held) = bench.claimed().await?;
    assert_eq!(held.work.start_from, None);
    let finish = agent.completed(&held, verdict(&[])).await?;
    bench
        .orchestrator
        .finish(&agent.credential, held.id, finish)
        .await?;
    bench.machines.kill_all();
    let version = bench.job(job.id).await?.model_version_id;
    let version = version.ok_or_else(|| anyhow::anyhow!("a result"))?;
    let with = |id: ModelVersionId| protocol::job::CreateJob {
        start_from: Some(id),
        ..bench.request()
    };
    let refused = async |request| {
        let made = bench.orchestrator.create_job(bench.owner(), request).await;
        made.err().map(|err| err.to_string()).unwrap_or_default()
    };
    let message = refused(with(ModelVersionId::new())).await;
    assert!(
        message.contains("start_from: there is no model version"),
        "{message}"
    );
    let message = refused(protocol::job::CreateJob {
        base_model: "large".to_owned(),
        ..with(version)
    })
    .await;
    assert!(
        message.contains("start_from: is for base models of the size of `tiny-xl`"),
        "{message}"
    );

    let job = bench
        .orchestrator
        .create_job(bench.owner(), with(version))
        .await?;
    assert_eq!(job.recipe.start_from(), Some(version));
    bench.pass().await?;
    let held = bench.agent().await?.claim_train().await?;
    let file = held
        .work
        .start_from
        .ok_or_else(|| anyhow::anyhow!("a LoRA to begin with"))?;
    assert_eq!(file.size_bytes, lora().len() as u64);

    bench.orchestrator.retire(bench.owner(), version).await?;
    let message = refused(with(version)).await;
    assert!(
        message.contains("start_from: this model version is retired"),
        "{message}"
    );
    Ok(())
}
