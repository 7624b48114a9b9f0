//! Stored files that are lost or damaged later: what is marked, what takes their place, and what heals them.

use anyhow::Context as _;
use bytes::Bytes;
use chrono::TimeDelta;
use orchestrator::{Pass, ServiceError};
use protocol::{
    agent::{ArtifactKind, Instead, UnusableFile, WorkKind},
    damage::Damage,
    event::{Event, LogLevel},
    generation::{CreateGeneration, LoraWeight},
    model::ModelVersion,
    phase::{Outcome, Phase},
};
use sha2::{Digest as _, Sha256};
use store::{BlobKey, artifacts, damage, datasets, models};

use crate::fixture::{Agent, Bench, Held, announced, step, verdict};

const OLD: ArtifactKind = ArtifactKind::Checkpoint { step: 10 };
const NEW: ArtifactKind = ArtifactKind::Checkpoint { step: 20 };

impl Bench {
    /// Loses a stored file.
    async fn lose(&self, bytes: &[u8]) -> anyhow::Result<BlobKey> {
        let key = key(bytes);
        self.store().objects().delete(&key).await?;
        Ok(key)
    }

    /// Flips bits of a stored file.
    fn spoil(&self, bytes: &[u8]) -> anyhow::Result<BlobKey> {
        let key = key(bytes);
        let path = self.store().data_dir().join("objects").join(key.as_str());
        let mut found = std::fs::read(&path)?;
        found[0] ^= 1;
        std::fs::write(&path, found)?;
        Ok(key)
    }

    /// Warnings in a job's stream.
    async fn warnings(&self, id: protocol::JobId) -> anyhow::Result<Vec<String>> {
        let stream = self.stream(id).await?;
        Ok(stream
            .into_iter()
            .filter_map(|event| match event.event {
                Event::Log {
                    level: LogLevel::Warning,
                    message,
                } => Some(message),
                _ => None,
            })
            .collect())
    }

    /// An agent that goes on after the first one was lost with checkpoints of two steps.
    async fn goes_on(&self) -> anyhow::Result<(protocol::job::Job, Agent, Held)> {
        let (job, agent, held) = self.claimed().await?;
        agent
            .beat(&held, (1..=20).map(|n| step(n, n as u32)).collect())
            .await?;
        agent.bring(&held, OLD, b"old").await?;
        agent.bring(&held, NEW, b"new").await?;
        agent.finish(&held, Outcome::Lost).await?;
        self.machines.kill_all();
        self.pass().await?;
        let agent = self.agent().await?;
        let held = agent.claim_train().await?;
        Ok((job, agent, held))
    }

    async fn with_version(&self) -> anyhow::Result<ModelVersion> {
        let (job, agent, held) = self.claimed().await?;
        let finish = agent.completed(&held, verdict(&[])).await?;
        self.orchestrator
            .finish(&agent.credential, held.id, finish)
            .await?;
        self.machines.kill_all();
        let id = self.job(job.id).await?.model_version_id.context("a result")?;
        Ok(models::version(self.store(), self.owner(), id).await?)
    }
}

fn key(bytes: &[u8]) -> BlobKey {
    BlobKey::from_sha256(&sha256(bytes)).expect("a digest is a hash")
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

async fn report(agent: &Agent, held: &Held, hash: String, arrived: bool) -> Result<Instead, ServiceError> {
    let unusable = UnusableFile {
        fence: held.fence,
        sha256: hash,
        arrived,
        problem: "as it was seen".to_owned(),
    };
    agent
        .orchestrator
        .report_unusable(&agent.credential, held.id, unusable)
        .await
}

fn resume_from(instead: Instead) -> Option<String> {
    match instead {
        Instead::GoOn { resume_from } => resume_from.map(|file| file.sha256),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_older_checkpoint_takes_the_place_of_a_damaged_one() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.goes_on().await?;
    let newest = held.work.resume_from.as_ref().context("a checkpoint")?;
    assert_eq!(newest.sha256, sha256(b"new"));
    let n_attempts = bench.job(job.id).await?.n_attempts;

    let whole = report(&agent, &held, sha256(b"new"), false).await?;
    assert_eq!(whole, Instead::FetchAgain, "the server looks itself");

    bench.spoil(b"new")?;
    let instead = report(&agent, &held, sha256(b"new"), false).await?;
    assert_eq!(resume_from(instead), Some(sha256(b"old")));
    let found = bench.job(job.id).await?;
    assert_eq!((found.checkpoint_step, found.n_attempts), (Some(10), n_attempts));
    assert_eq!(found.phase, Phase::Running);
    // The steps after it are done again.
    let chart = store::metrics::chart(bench.store(), job.id, 1000).await?;
    assert_eq!(chart.step.last(), Some(&10));

    bench.lose(b"old").await?;
    let instead = report(&agent, &held, sha256(b"old"), false).await?;
    assert_eq!(resume_from(instead), None);
    assert_eq!(bench.job(job.id).await?.checkpoint_step, None);
    assert_eq!(
        bench.warnings(job.id).await?,
        [
            "the checkpoint of step 20 is damaged in the object store: resuming from the one of step 10",
            "the checkpoint of step 10 is missing from the object store: no other is left, restarting at step 0",
        ]
    );
    // The same training makes the same bytes again; announced, they must be sent.
    let ticket = agent
        .orchestrator
        .announce_artifact(&agent.credential, held.id, announced(held.fence, NEW, b"new"))
        .await?;
    assert!(ticket.upload_url.is_some(), "{ticket:?}");
    let complete = agent
        .orchestrator
        .complete_artifact(&agent.credential, held.id, ticket.artifact_id)
        .await;
    assert!(
        matches!(complete, Err(ServiceError::Conflict(_))),
        "its size is right, its bytes are not: {complete:?}"
    );
    bench.store().objects().put(Bytes::from_static(b"new")).await?;
    agent
        .orchestrator
        .complete_artifact(&agent.credential, held.id, ticket.artifact_id)
        .await?;
    assert_eq!(damage::of(bench.store(), &key(b"new")).await?, None);
    assert_eq!(bench.job(job.id).await?.checkpoint_step, Some(20));
    Ok(())
}

#[tokio::test]
async fn a_checkpoint_that_no_engine_takes_is_left_out() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.goes_on().await?;
    let instead = report(&agent, &held, sha256(b"new"), true).await?;
    assert_eq!(resume_from(instead), Some(sha256(b"old")));
    assert_eq!(
        damage::of(bench.store(), &key(b"new")).await?,
        None,
        "its bytes are right"
    );
    let warnings = bench.warnings(job.id).await?;
    assert_eq!(
        warnings,
        [
            "the checkpoint of step 20 cannot be resumed from (as it was seen): resuming from the one of step 10"
        ]
    );
    // So it stays, for the attempts to come.
    agent.finish(&held, Outcome::Lost).await?;
    bench.machines.kill_all();
    bench
        .wait_passing_until(async || Ok(!bench.machines.alive().is_empty()))
        .await?;
    let held = bench.agent().await?.claim_train().await?;
    let file = held.work.resume_from.context("a checkpoint")?;
    assert_eq!(file.sha256, sha256(b"old"));
    Ok(())
}

#[tokio::test]
async fn an_agent_says_nothing_of_other_files() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let version = bench.with_version().await?;
    bench.lose(crate::fixture::lora()).await?;
    let (_, agent, held) = bench.goes_on().await?;
    for hash in [version.sha256.clone(), "no hash".to_owned()] {
        let refused = report(&agent, &held, hash, true).await;
        assert!(matches!(refused, Err(ServiceError::Invalid(_))), "{refused:?}");
    }
    assert_eq!(damage::all(bench.store()).await?.len(), 0);
    let late = Held {
        fence: held.fence - 1,
        ..held
    };
    let refused = report(&agent, &late, sha256(b"new"), false).await;
    assert!(matches!(refused, Err(ServiceError::LeaseLost)), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn what_was_found_damaged_is_not_handed_out() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    agent.bring(&held, OLD, b"old").await?;
    agent.bring(&held, NEW, b"new").await?;
    agent.finish(&held, Outcome::Stopped).await?;
    bench.spoil(b"new")?;
    let seen = bench.orchestrator.verify_objects().await?;
    let damaged: Vec<String> = seen
        .damaged
        .iter()
        .flat_map(|object| object.dependents.iter().map(ToString::to_string))
        .collect();
    assert!(
        damaged.contains(&"the checkpoint of step 20 of the job `Zora`".to_owned()),
        "{damaged:?}"
    );
    bench.machines.kill_all();
    bench.pass().await?;
    let held = bench.agent().await?.claim_train().await?;
    let file = held.work.resume_from.context("a checkpoint")?;
    assert_eq!(file.sha256, sha256(b"old"));
    assert_eq!(
        bench.warnings(job.id).await?,
        [
            "the checkpoint of step 20 is no longer intact in the object store: resuming from the one of step 10"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn a_stopped_job_keeps_a_second_checkpoint() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    for (kind, bytes) in [
        (ArtifactKind::Checkpoint { step: 5 }, b"oldest".as_slice()),
        (OLD, b"old"),
        (NEW, b"new"),
    ] {
        agent.bring(&held, kind, bytes).await?;
    }
    bench.orchestrator.stop_job(bench.owner(), job.id).await?;
    agent.finish(&held, Outcome::Stopped).await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Stopped);
    bench.collect(Pass::Delete, TimeDelta::days(400)).await?;
    let left = artifacts::of_job(bench.store(), bench.owner(), job.id).await?;
    let left: Vec<_> = left.into_iter().map(|file| file.kind).collect();
    assert_eq!(left, [OLD, NEW]);
    Ok(())
}

#[tokio::test]
async fn a_lost_picture_is_named_and_its_return_is_seen() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let picture = bench
        .store()
        .objects()
        .put(Bytes::from_static(b"picture"))
        .await?;
    let tx = bench.store().begin().await?;
    let item = datasets::NewItem {
        file_name: "waving.png".to_owned(),
        caption: "waving".to_owned(),
        split: protocol::dataset::Split::Train,
        showing: protocol::dataset::Showing::default(),
        width: 128,
        height: 128,
        size_bytes: 7,
        sha256: picture.sha256.clone(),
        notes: Vec::new(),
    };
    datasets::add_item(&tx, bench.owner(), bench.dataset, item).await?;
    tx.commit().await?;
    let (job, agent, held) = bench.claimed().await?;
    bench.lose(b"picture").await?;
    let instead = report(&agent, &held, picture.sha256.clone(), false).await?;
    let Instead::GiveUp { reason } = instead else {
        panic!("{instead:?}")
    };
    assert_eq!(
        reason,
        "the picture `waving.png` of the dataset `zora` is missing from the object store: upload the picture again, \
         then resume or start the job again"
    );
    let items = datasets::items(bench.store(), bench.owner(), bench.dataset).await?;
    assert_eq!(items[3].damage, Some(Damage::Missing));
    let dataset = datasets::get(bench.store(), bench.owner(), bench.dataset).await?;
    assert_eq!(dataset.n_damaged, 1);

    agent.finish(&held, Outcome::Failed).await?;
    let resumed = bench
        .orchestrator
        .resume_job(bench.owner(), job.id, Default::default())
        .await;
    assert!(
        matches!(&resumed, Err(ServiceError::Conflict(text)) if *text == reason),
        "{resumed:?}"
    );
    let created = bench
        .orchestrator
        .create_job(bench.owner(), bench.request())
        .await;
    assert!(
        matches!(&created, Err(ServiceError::Invalid(fields)) if fields.to_string().contains("waving.png")),
        "{created:?}"
    );
    // Whoever puts the file back need not tell.
    bench
        .store()
        .objects()
        .put(Bytes::from_static(b"picture"))
        .await?;
    bench
        .orchestrator
        .resume_job(bench.owner(), job.id, Default::default())
        .await?;
    assert_eq!(damage::all(bench.store()).await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_version_without_its_file_is_of_no_use() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let version = bench.with_version().await?;
    bench.spoil(crate::fixture::lora())?;
    let refused = bench
        .orchestrator
        .promote(bench.owner(), version.id, protocol::model::Promote::default())
        .await;
    assert!(
        matches!(&refused, Err(ServiceError::Conflict(text))
            if text.contains("the file of version 1 of `Zora` is damaged in the object store")),
        "{refused:?}"
    );
    let seen = models::version(bench.store(), bench.owner(), version.id).await?;
    assert_eq!(seen.damage, Some(Damage::Damaged));
    let request: CreateGeneration = serde_json::from_value(serde_json::json!({
        "prompt": "zora waves", "base_model": "tiny-xl",
        "loras": [LoraWeight { model_version_id: version.id, weight: 1.0, partial: false }],
    }))?;
    let refused = bench
        .orchestrator
        .create_generation(bench.owner(), request.clone())
        .await;
    assert!(
        matches!(&refused, Err(ServiceError::Invalid(fields)) if fields.to_string().contains("loras[0]")),
        "{refused:?}"
    );

    bench
        .store()
        .objects()
        .put(Bytes::from_static(crate::fixture::lora()))
        .await?;
    let promoted = bench
        .orchestrator
        .promote(bench.owner(), version.id, protocol::model::Promote::default())
        .await?;
    assert_eq!(promoted.damage, None);
    bench
        .orchestrator
        .create_generation(bench.owner(), request)
        .await?;
    Ok(())
}

#[tokio::test]
async fn verifying_reads_everything_and_heals_what_is_whole() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    bench.with_version().await?;
    // The fixture's pictures never were in the store.
    let seen = bench.orchestrator.verify_objects().await?;
    assert_eq!((seen.n_objects, seen.damaged.len()), (6, 3), "{seen:?}");
    assert!(!seen.is_sound());
    assert!(seen.damaged.iter().all(|object| object.damage == Damage::Missing));
    let texts: Vec<String> = seen.damaged[0]
        .dependents
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        texts,
        [
            "the picture `1.png` of the dataset `zora`",
            "the picture `1.png` of the dataset `zora` in a frozen version",
        ]
    );

    let lora = bench.spoil(crate::fixture::lora())?;
    let seen = bench.orchestrator.verify_objects().await?;
    let found = seen.damaged.iter().find(|object| object.name == lora.to_string());
    let found = found.context("the LoRA")?;
    assert_eq!(found.damage, Damage::Damaged);
    assert_eq!(
        found.dependents[0].to_string(),
        "the LoRA file of version 1 of the model `Zora`"
    );
    bench
        .store()
        .objects()
        .put(Bytes::from_static(crate::fixture::lora()))
        .await?;
    let seen = bench.orchestrator.verify_objects().await?;
    assert_eq!((seen.healed, seen.damaged.len()), (vec![lora.to_string()], 3));

    // What nothing refers to any more keeps no mark.
    let tx = bench.store().begin().await?;
    let gone = key(b"nothing");
    damage::mark(&tx, &gone, Damage::Missing).await?;
    tx.commit().await?;
    bench.orchestrator.verify_objects().await?;
    assert_eq!(damage::of(bench.store(), &gone).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_generation_without_its_lora_says_which() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let version = bench.with_version().await?;
    let request: CreateGeneration = serde_json::from_value(serde_json::json!({
        "prompt": "zora waves", "base_model": "tiny-xl",
        "loras": [LoraWeight { model_version_id: version.id, weight: 1.0, partial: false }],
    }))?;
    bench
        .orchestrator
        .create_generation(bench.owner(), request)
        .await?;
    bench.lose(crate::fixture::lora()).await?;
    bench.pass().await?;
    let worker = bench
        .machines
        .alive()
        .into_iter()
        .find(|machine| machine.purpose == orchestrator::providers::Purpose::Generate)
        .context("a worker")?;
    let worker = bench.agent_of(worker.id).await?;
    let work = worker
        .claim(WorkKind::Generate)
        .await?
        .context("a picture to render")?;
    let unusable = UnusableFile {
        fence: work.fence,
        sha256: version.sha256.clone(),
        arrived: false,
        problem: "404".to_owned(),
    };
    let instead = bench
        .orchestrator
        .report_unusable(&worker.credential, work.attempt_id, unusable)
        .await?;
    assert!(
        matches!(&instead, Instead::GiveUp { reason }
            if reason.starts_with("the LoRA file of version 1 of the model `Zora` is missing")),
        "{instead:?}"
    );
    Ok(())
}
