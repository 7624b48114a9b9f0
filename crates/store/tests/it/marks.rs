//! Nothing is written into a folder that is not the one with the objects.

use bytes::Bytes;
use store::{StorageFault, Store, objects::BlobError};

#[tokio::test]
async fn a_folder_that_goes_away_while_the_server_runs_takes_nothing_until_it_is_back() -> anyhow::Result<()>
{
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path()).await?;
    store.claim_objects(false).await?;
    let kept = store.objects().put(Bytes::from_static(b"kept")).await?.key;
    let (objects, away) = (folder.path().join("objects"), folder.path().join("away"));
    std::fs::rename(&objects, &away)?;
    let refused = store
        .objects()
        .put(Bytes::from_static(b"lost"))
        .await
        .unwrap_err();
    assert!(matches!(refused, BlobError::Unmarked { .. }), "{refused:?}");
    assert_eq!(refused.fault(), Some(StorageFault::Astray));
    assert!(!objects.exists(), "no folder was made");

    // An empty one is none of ours either.
    std::fs::create_dir(&objects)?;
    let refused = store.prove_objects().await.unwrap_err();
    assert!(matches!(refused, BlobError::Unmarked { .. }), "{refused:?}");
    assert!(
        store.claim_objects(false).await.is_err(),
        "it is not claimed again"
    );
    assert_eq!(std::fs::read_dir(&objects)?.count(), 0);

    std::fs::remove_dir(&objects)?;
    std::fs::rename(&away, &objects)?;
    store.prove_objects().await?;
    store.objects().put(Bytes::from_static(b"more")).await?;
    assert!(store.objects().exists(&kept).await?);
    Ok(())
}

#[tokio::test]
async fn a_folder_that_is_missing_at_the_start_is_waited_for() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path()).await?;
    assert_eq!(Store::builder(folder.path()).objects_mark().await?, None);
    store.claim_objects(false).await?;
    let mark = Store::builder(folder.path()).objects_mark().await?;
    assert_eq!(mark, Some(store.deployment().to_string()));
    drop(store);
    let (objects, away) = (folder.path().join("objects"), folder.path().join("away"));
    std::fs::rename(&objects, &away)?;

    let store = Store::open(folder.path()).await?;
    assert!(!objects.exists(), "an empty folder would be in the way");
    for refused in [
        store.prove_objects().await,
        store.objects().put(Bytes::from_static(b"lost")).await.map(drop),
        store::BlobStore::prove_folder(&away, Some("another".to_owned())).await,
    ] {
        assert_eq!(refused.unwrap_err().fault(), Some(StorageFault::Astray));
    }
    std::fs::rename(&away, &objects)?;
    store.objects().put(Bytes::from_static(b"kept")).await?;
    store::BlobStore::prove_folder(&objects, mark).await?;
    Ok(())
}
