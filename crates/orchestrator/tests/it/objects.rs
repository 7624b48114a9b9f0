//! What nothing refers to is collected, and nothing else. Time is an argument of a pass.

use std::time::SystemTime;

use anyhow::Context as _;
use bytes::Bytes;
use chrono::TimeDelta;
use orchestrator::{Collection, Pass, Reason};
use protocol::{
    agent::ArtifactKind,
    event::Event,
    phase::{Outcome, Phase},
    trash::{TrashItem, TrashItems, TrashKind},
};
use store::{BlobKey, Store, artifacts, datasets, objects::BlobError};

use crate::fixture::{Agent, Bench, Held, announced, picture, verdict};

const CHECKPOINT: ArtifactKind = ArtifactKind::Checkpoint { step: 10 };

fn sample() -> ArtifactKind {
    ArtifactKind::Sample {
        step: 10,
        prompt_index: 0,
        prompt: "zora waves".into(),
        seed: 1,
    }
}

impl Bench {
    pub(crate) async fn collect(&self, pass: Pass, after: TimeDelta) -> anyhow::Result<Collection> {
        Ok(self.orchestrator.collect_at(pass, store::now() + after).await?)
    }
}

fn reasons(collection: &Collection) -> Vec<Reason> {
    collection.objects.iter().map(|object| object.reason).collect()
}

async fn blob(store: &Store, bytes: &'static str) -> anyhow::Result<BlobKey> {
    Ok(store
        .objects()
        .put(Bytes::from_static(bytes.as_bytes()))
        .await?
        .key)
}

#[tokio::test]
async fn only_what_no_row_refers_to_goes_and_only_after_a_day() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    // A picture of an archive that was refused has bytes and no row.
    let orphan = blob(bench.store(), "orphan").await?;
    let n_pictures = bench.collect(Pass::Look, TimeDelta::hours(23)).await?;
    assert_eq!(n_pictures, Collection::default());
    let seen = bench.collect(Pass::Look, TimeDelta::hours(25)).await?;
    assert_eq!(seen.objects.len(), 1, "{seen:?}");
    assert_eq!(seen.objects[0].name, orphan.to_string());
    assert_eq!((reasons(&seen)[0], seen.total_bytes), (Reason::Unreferenced, 6));
    assert!(
        bench.store().objects().exists(&orphan).await?,
        "it was only looked at"
    );
    assert_eq!(bench.collect(Pass::Delete, TimeDelta::hours(25)).await?, seen);
    assert!(!bench.store().objects().exists(&orphan).await?);
    assert_eq!(
        bench.collect(Pass::Delete, TimeDelta::hours(25)).await?,
        Collection::default()
    );
    Ok(())
}

#[tokio::test]
async fn pictures_stay_as_long_as_a_dataset_or_a_version_has_them() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let picture = blob(bench.store(), "picture").await?;
    let tx = bench.store().begin().await?;
    let dataset = datasets::create(&tx, bench.owner(), "Zora").await?;
    let item = datasets::NewItem {
        file_name: "a.png".into(),
        caption: "zora".into(),
        split: protocol::dataset::Split::Train,
        showing: protocol::dataset::Showing::default(),
        width: 128,
        height: 128,
        size_bytes: 7,
        sha256: picture.sha256(),
        notes: Vec::new(),
    };
    let datasets::AddedItem::Added(item) = datasets::add_item(&tx, bench.owner(), dataset.id, item).await?
    else {
        anyhow::bail!("it is new");
    };
    tx.commit().await?;
    assert_eq!(
        bench.collect(Pass::Delete, TimeDelta::days(400)).await?,
        Collection::default()
    );
    let tx = bench.store().begin().await?;
    let manifest = protocol::dataset::Manifest {
        id: protocol::DatasetVersionId::new(),
        items: vec![protocol::dataset::ManifestItem {
            id: item.id,
            sha256: picture.sha256(),
            width: 128,
            height: 128,
            caption: "zora".into(),
            split: protocol::dataset::Split::Train,
            showing: protocol::dataset::Showing::default(),
        }],
    };
    datasets::freeze(&tx, dataset.id, manifest).await?;
    datasets::delete(&tx, bench.owner(), dataset.id).await?;
    tx.commit().await?;
    assert_eq!(
        bench.collect(Pass::Delete, TimeDelta::days(400)).await?,
        Collection::default()
    );
    assert!(bench.store().objects().exists(&picture).await?);
    Ok(())
}

#[tokio::test]
async fn a_thumbnail_goes_a_day_after_its_picture() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let kept = blob(bench.store(), "picture").await?;
    let tx = bench.store().begin().await?;
    let dataset = datasets::create(&tx, bench.owner(), "Zora").await?;
    let item = datasets::NewItem {
        file_name: "a.png".into(),
        caption: String::new(),
        split: protocol::dataset::Split::Train,
        showing: protocol::dataset::Showing::default(),
        width: 128,
        height: 128,
        size_bytes: 7,
        sha256: kept.sha256(),
        notes: Vec::new(),
    };
    datasets::add_item(&tx, bench.owner(), dataset.id, item).await?;
    tx.commit().await?;
    let objects = bench.store().objects();
    objects.put_thumbnail(&kept, b"small").await?;
    assert_eq!(
        bench.collect(Pass::Delete, TimeDelta::days(400)).await?,
        Collection::default()
    );
    let tx = bench.store().begin().await?;
    datasets::delete(&tx, bench.owner(), dataset.id).await?;
    tx.commit().await?;
    assert_eq!(
        bench.collect(Pass::Delete, TimeDelta::hours(23)).await?,
        Collection::default()
    );
    let seen = bench.collect(Pass::Look, TimeDelta::hours(25)).await?;
    assert_eq!(reasons(&seen), [Reason::Unreferenced; 2]);
    assert!(objects.thumbnail(&kept).await?.is_some(), "it was only looked at");
    assert_eq!(bench.collect(Pass::Delete, TimeDelta::hours(25)).await?, seen);
    assert_eq!(objects.thumbnail(&kept).await?, None);
    assert!(!objects.exists(&kept).await?);
    Ok(())
}

/// A job that ended well, with a checkpoint and a sample; its attempt's agent.
async fn succeeded(bench: &Bench) -> anyhow::Result<protocol::job::Job> {
    let (job, agent, held) = bench.claimed().await?;
    agent.bring(&held, CHECKPOINT, b"checkpoint").await?;
    agent.bring(&held, sample(), picture("sample")).await?;
    let finish = agent.completed(&held, verdict(&[])).await?;
    bench
        .orchestrator
        .finish(&agent.credential, held.id, finish)
        .await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Succeeded);
    bench.job(job.id).await
}

#[tokio::test]
async fn a_finished_job_keeps_its_result() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let job = succeeded(&bench).await?;
    let day = bench.collect(Pass::Delete, TimeDelta::hours(25)).await?;
    assert_eq!((reasons(&day), day.n_files), (vec![Reason::Superseded], 1));
    let year = bench.collect(Pass::Delete, TimeDelta::days(400)).await?;
    assert_eq!((reasons(&year), year.n_files), (vec![Reason::OldSample], 1));
    let left = artifacts::of_job(bench.store(), bench.owner(), job.id).await?;
    assert_eq!(left.len(), 3, "the LoRA and its two pictures: {left:?}");
    for file in left {
        assert!(bench.store().objects().exists(&file.key).await?, "{file:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_promoted_version_keeps_everything() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let job = succeeded(&bench).await?;
    let version = job.model_version_id.context("it has a result")?;
    bench
        .orchestrator
        .promote(bench.owner(), version, protocol::model::Promote::default())
        .await?;
    let collection = bench.collect(Pass::Delete, TimeDelta::days(4000)).await?;
    assert_eq!(but_the_log(collection), Collection::default());
    Ok(())
}

#[tokio::test]
async fn a_running_job_keeps_everything() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (_, agent, held) = bench.claimed().await?;
    agent.bring(&held, CHECKPOINT, b"old").await?;
    agent
        .bring(&held, ArtifactKind::Checkpoint { step: 20 }, b"new")
        .await?;
    agent.bring(&held, sample(), picture("sample")).await?;
    let collection = bench.collect(Pass::Delete, TimeDelta::days(4000)).await?;
    assert_eq!(but_the_log(collection), Collection::default());
    Ok(())
}

#[tokio::test]
async fn a_failed_job_loses_its_checkpoint_after_a_week() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    agent.bring(&held, CHECKPOINT, b"checkpoint").await?;
    agent.finish(&held, Outcome::Failed).await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Failed);
    let early = bench.collect(Pass::Delete, TimeDelta::days(6)).await?;
    assert_eq!(early, Collection::default());
    assert_eq!(bench.job(job.id).await?.checkpoint_step, Some(10));
    let late = bench.collect(Pass::Delete, TimeDelta::days(8)).await?;
    assert_eq!(reasons(&late), [Reason::LeftOver]);
    assert_eq!(bench.job(job.id).await?.checkpoint_step, None);
    // Its stream still tells of it; whoever asks for the file learns that it is gone.
    let told = bench.stream(job.id).await?;
    assert!(
        told.iter()
            .any(|event| matches!(event.event, Event::Checkpoint { .. }))
    );
    Ok(())
}

/// The same bytes as an object that is about to go.
async fn announce_again(agent: &Agent, held: &Held) -> anyhow::Result<Option<String>> {
    let again = announced(held.fence, CHECKPOINT, b"checkpoint");
    let ticket = agent
        .orchestrator
        .announce_artifact(&agent.credential, held.id, again)
        .await?;
    Ok(ticket.upload_url)
}

#[tokio::test]
async fn an_upload_of_equal_bytes_is_not_lost() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (_, agent, held) = bench.claimed().await?;
    let key = blob(bench.store(), "checkpoint").await?;
    assert_eq!(
        announce_again(&agent, &held).await?,
        None,
        "young bytes need not be sent"
    );
    let path = bench.store().data_dir().join("objects").join(key.as_str());
    let day_ago = SystemTime::now() - std::time::Duration::from_secs(25 * 3600);
    std::fs::File::options()
        .write(true)
        .open(path)?
        .set_modified(day_ago)?;
    assert!(
        announce_again(&agent, &held).await?.is_some(),
        "old ones are sent again"
    );
    blob(bench.store(), "checkpoint").await?;
    // Even before the row says that they are stored.
    assert_eq!(
        bench.collect(Pass::Delete, TimeDelta::zero()).await?,
        Collection::default()
    );
    agent.bring(&held, CHECKPOINT, b"checkpoint").await?;
    assert!(bench.store().objects().exists(&key).await?);
    Ok(())
}

#[tokio::test]
async fn what_a_killed_server_staged_goes() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let folder = bench.store().data_dir().join("objects/sha256/ab");
    std::fs::create_dir_all(&folder)?;
    let staged = folder.join(format!("{}#1", "c".repeat(62)));
    std::fs::write(&staged, "half of a fi")?;
    bench.collect(Pass::Delete, TimeDelta::hours(23)).await?;
    assert!(staged.exists(), "it may be on its way");
    let collection = bench.collect(Pass::Delete, TimeDelta::hours(25)).await?;
    assert_eq!(reasons(&collection), [Reason::Unfinished]);
    assert!(!staged.exists());
    Ok(())
}

#[tokio::test]
async fn another_installations_objects_are_left_alone() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    bench.collect(Pass::Delete, TimeDelta::zero()).await?;
    let orphan = blob(bench.store(), "theirs").await?;
    let other_folder = tempfile::tempdir()?;
    let objects = format!("file://{}", bench.store().data_dir().join("objects").display());
    let other = Store::builder(other_folder.path())
        .objects(Some(objects))
        .open()
        .await?;
    let other = orchestrator::Orchestrator::new(other, orchestrator::Options::new(Vec::new(), Vec::new()));
    let refused = other
        .collect_at(Pass::Delete, store::now() + TimeDelta::days(400))
        .await;
    assert!(
        matches!(
            refused,
            Err(orchestrator::ServiceError::Store(store::StoreError::Blob(
                BlobError::Foreign { .. }
            )))
        ),
        "{refused:?}"
    );
    assert!(bench.store().objects().exists(&orphan).await?);
    // What was written there would be collected by the other one.
    let refused = other.store().objects().put(Bytes::from_static(b"ours")).await;
    assert!(matches!(refused, Err(BlobError::Foreign { .. })), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn what_was_deleted_goes_after_a_week() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (server, owner) = (&bench.orchestrator, bench.owner());
    let job = bench.queue().await?;
    server.cancel_job(owner, job.id).await?;
    let items = TrashItems {
        items: vec![TrashItem {
            kind: TrashKind::Job,
            id: job.id.0,
        }],
    };
    server.move_to_trash(owner, items.clone()).await?;
    bench.collect(Pass::Delete, TimeDelta::days(6)).await?;
    server.restore_from_trash(owner, items.clone()).await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Cancelled);

    server.move_to_trash(owner, items.clone()).await?;
    bench.collect(Pass::Look, TimeDelta::days(8)).await?;
    server.move_to_trash(owner, items.clone()).await?;
    bench.collect(Pass::Delete, TimeDelta::days(8)).await?;
    let gone = server.restore_from_trash(owner, items).await;
    assert!(
        matches!(gone, Err(orchestrator::ServiceError::NotFound { .. })),
        "{gone:?}"
    );
    let row = store::jobs::state(bench.store(), job.id).await;
    assert!(matches!(row, Err(store::StoreError::NotFound { .. })), "{row:?}");
    Ok(())
}

/// What was collected but for old entries of the audit log, which nothing keeps.
fn but_the_log(collection: Collection) -> Collection {
    Collection {
        n_audit_entries: 0,
        ..collection
    }
}
