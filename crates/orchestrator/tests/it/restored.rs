//! What the collector keeps of an object store after a restoration.

use bytes::Bytes;
use chrono::TimeDelta;
use orchestrator::{Collection, Options, Orchestrator, Pass};
use store::{
    Store,
    backup::{self, Backup},
};

fn orchestrator(store: &Store) -> Orchestrator {
    Orchestrator::new(store.clone(), Options::new(Vec::new(), Vec::new()))
}

#[tokio::test]
async fn what_is_newer_than_the_backup_is_kept_for_a_week() -> anyhow::Result<()> {
    let (first, second) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let old = Store::open(first.path()).await?;
    orchestrator(&old).collect_objects(Pass::Delete).await?;
    let file = second.path().join("studio.tar");
    let options = backup::Options::default();
    Store::builder(first.path())
        .back_up(&file, &options, &mut |_| {})
        .await?;
    let later = old.objects().put(Bytes::from_static(b"later")).await?.key;

    let objects = format!("file://{}", first.path().join("objects").display());
    let data = second.path().join("data");
    let builder = Store::builder(&data).objects(Some(objects));
    let backup = Backup::open(&file, None)?;
    builder.restore(&backup, &mut |_| {}).await?;
    let new = builder.open().await?;
    let collect = async |days| {
        let at = store::now() + TimeDelta::days(days);
        orchestrator(&new).collect_at(Pass::Delete, at).await
    };
    assert_eq!(collect(6).await?.objects, Collection::default().objects);
    assert!(new.objects().exists(&later).await?);
    let refused = orchestrator(&old)
        .collect_objects(Pass::Delete)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("another installation"), "{refused}");
    assert_eq!(collect(8).await?.objects.len(), 1);
    assert!(!new.objects().exists(&later).await?);
    Ok(())
}
