//! Loss masks of an upload, as they are recorded.

use std::collections::{BTreeSet, HashMap};

use dataset::ingest::{IngestReport, JoinedFile, Mask, NewMask};
use orchestrator::TakenPictures;
use protocol::{
    damage::Damage,
    dataset::{Showing, Split},
};
use store::{BlobKey, damage, datasets};

use crate::{damage::sha256, fixture::Bench};

/// Another dataset may have the same pair, and its file may have been lost there.
#[tokio::test]
async fn a_file_with_a_mask_that_is_stored_again_is_whole() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let (store, owner) = (bench.store(), bench.owner());
    let joined = sha256(b"a picture with its mask");
    let key = BlobKey::from_sha256(&joined)?;
    let tx = store.begin().await?;
    let dataset = datasets::create(&tx, owner, "masked").await?;
    let plain = datasets::NewItem {
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
    datasets::add_item(&tx, owner, dataset.id, plain).await?;
    damage::mark(&tx, &key, Damage::Missing).await?;
    tx.commit().await?;
    let known = datasets::items(store, owner, dataset.id).await?;

    let mask = NewMask {
        sha256: known[0].sha256.clone(),
        mask: Mask {
            file_name: "a-masklabel.png".to_owned(),
            sha256: sha256(b"a mask"),
        },
        joined: Some(JoinedFile {
            sha256: joined.clone(),
            size_bytes: 23,
        }),
    };
    let taken = TakenPictures {
        report: IngestReport {
            masks: vec![mask],
            ..IngestReport::default()
        },
        splits: HashMap::new(),
        restored: BTreeSet::new(),
    };
    let report = bench
        .orchestrator
        .record_pictures(owner, dataset.id, &known, taken)
        .await?;
    assert_eq!(report.refused, []);
    assert_eq!(
        (report.accepted[0].id, report.accepted[0].sha256.as_str()),
        (known[0].id, joined.as_str())
    );
    assert_eq!(damage::of(store, &key).await?, None);
    Ok(())
}
