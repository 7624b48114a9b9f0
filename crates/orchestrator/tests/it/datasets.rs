//! What is measured, shown and exported of datasets, and for whom.

use orchestrator::ServiceError;
use protocol::{
    OwnerId,
    damage::Damage,
    dataset::{Dataset, ExportFormat, Showing, Split},
};
use store::{BlobKey, StoreError, damage, datasets};

use crate::{damage::sha256, fixture::Bench};

/// A dataset of one picture that was not measured and whose file is lost.
async fn lost(bench: &Bench) -> anyhow::Result<Dataset> {
    let tx = bench.store().begin().await?;
    let dataset = datasets::create(&tx, bench.owner(), "zora").await?;
    let picture = datasets::NewItem {
        file_name: "a.png".to_owned(),
        caption: String::new(),
        split: Split::Train,
        showing: Showing::default(),
        width: 128,
        height: 128,
        size_bytes: 9,
        sha256: sha256(b"a picture"),
        notes: Vec::new(),
    };
    datasets::add_item(&tx, bench.owner(), dataset.id, picture).await?;
    tx.commit().await?;
    Ok(dataset)
}

#[tokio::test]
async fn a_lost_picture_is_marked_and_no_longer_waits_to_be_measured() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let dataset = lost(&bench).await?;
    let waiting = bench.orchestrator.unmeasured(bench.owner(), dataset.id).await?;
    let hashes: Vec<String> = waiting.into_iter().map(|picture| picture.sha256).collect();
    assert_eq!(hashes, [sha256(b"a picture")]);
    bench.orchestrator.note_unread(&hashes).await?;
    let waiting = bench.orchestrator.unmeasured(bench.owner(), dataset.id).await?;
    assert_eq!(waiting.len(), 0);
    let key = BlobKey::from_sha256(&hashes[0])?;
    assert_eq!(damage::of(bench.store(), &key).await?, Some(Damage::Missing));
    Ok(())
}

#[tokio::test]
async fn another_owner_gets_no_export_and_no_thumbnail() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let dataset = lost(&bench).await?;
    let (owner, stranger) = (bench.owner(), OwnerId::new());
    let export = |owner| {
        bench
            .orchestrator
            .export(owner, dataset.id, None, ExportFormat::Kohya)
    };
    export(owner).await?;
    let refused = export(stranger).await;
    assert!(
        matches!(refused, Err(ServiceError::NotFound { .. })),
        "{refused:?}"
    );
    // The picture is looked up in this way before its thumbnail is.
    let items = datasets::items(bench.store(), owner, dataset.id).await?;
    let refused = datasets::item(bench.store(), stranger, dataset.id, items[0].id).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    Ok(())
}
