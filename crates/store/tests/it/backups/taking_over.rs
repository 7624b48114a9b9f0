//! A backup that is restored onto the object store that the installation it is of still uses.

use bytes::Bytes;
use store::{BlobKey, Store, backup::Backup, objects::BlobError, settings};

use super::{Place, back_up, quiet, small};

fn on_objects_of(first: &Place, second: &Place) -> store::StoreBuilder {
    let objects = format!("file://{}", first.data().join("objects").display());
    Store::builder(second.data()).objects(Some(objects))
}

#[tokio::test]
async fn the_store_belongs_to_the_restored_one() -> anyhow::Result<()> {
    let (first, second) = (Place::embedded()?, Place::embedded()?);
    let (_, keys) = small(&first).await?;
    let old = first.builder().open().await?;
    old.claim_objects(false).await?;
    let shelf = tempfile::tempdir()?;
    let file = shelf.path().join("studio.tar");
    back_up(&first, &file).await?;
    let backup = Backup::open(&file, None)?;
    let later: BlobKey = old.objects().put(Bytes::from_static(b"later")).await?.key;

    let builder = on_objects_of(&first, &second);
    let restored = builder.restore(&backup, &mut quiet).await?;
    assert!(restored.took_over, "{restored:?}");
    assert_eq!(restored.deployment, old.deployment());
    let new = builder.open().await?;
    new.claim_objects(false).await?;
    new.objects().put(Bytes::from_static(b"of the new one")).await?;
    let restoration = settings::restoration(&new).await?;
    assert_eq!(
        restoration.map(|restoration| (restoration.moment, restoration.keeps_until())),
        Some((restored.created_at, restored.keeps_until))
    );

    // The old one neither collects nor writes there, and can still read.
    let refused = old.claim_objects(false).await.unwrap_err();
    assert!(
        matches!(refused, store::StoreError::Blob(BlobError::Foreign { .. })),
        "{refused:?}"
    );
    assert!(
        refused.to_string().contains("restored from a backup"),
        "{refused}"
    );
    let refused = old.objects().put(Bytes::from_static(b"lost")).await.unwrap_err();
    assert!(matches!(refused, BlobError::Foreign { .. }), "{refused:?}");
    assert!(old.objects().exists(&later).await? && old.objects().exists(&keys[0]).await?);

    // A third from the same backup takes it over in turn, as one does that broke off.
    let third = Place::embedded()?;
    on_objects_of(&first, &third).restore(&backup, &mut quiet).await?;
    let refused = new.claim_objects(false).await;
    assert!(refused.is_err(), "{refused:?}");
    Ok(())
}
