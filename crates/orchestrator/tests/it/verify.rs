//! Verifying more objects than one statement of a database takes.

use bytes::Bytes;
use protocol::{
    DatasetVersionId, ItemId,
    dataset::{Manifest, ManifestItem, Split},
};
use store::{BlobKey, damage, datasets, dependents::Dependent};

use crate::fixture::Bench;

/// Above what is asked for at once (1000), and three values for each are more than SQLite takes (32,766).
const N: usize = 11_000;
/// Of which so many come back.
const N_BACK: usize = 1500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_number_of_objects_is_marked_and_healed() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let store = bench.store();
    let bytes = |n: usize| Bytes::from(format!("picture {n}"));
    let hashes: Vec<String> = (0..N).map(|n| crate::damage::sha256(&bytes(n))).collect();
    let items = hashes.iter().map(|sha256| ManifestItem {
        id: ItemId::new(),
        sha256: sha256.clone(),
        width: 128,
        height: 128,
        caption: String::new(),
        split: Split::Train,
        showing: protocol::dataset::Showing::default(),
    });
    let manifest = Manifest {
        id: DatasetVersionId::new(),
        items: items.collect(),
    };
    let tx = store.begin().await?;
    let dataset = datasets::create(&tx, bench.owner(), "many").await?;
    datasets::freeze(&tx, dataset.id, manifest).await?;
    tx.commit().await?;

    // The fixture's own pictures never were in the store either.
    let n_others = 3;
    let seen = bench.orchestrator.verify_objects().await?;
    assert_eq!((seen.n_objects, seen.damaged.len()), (N + n_others, N + n_others));
    let is_frozen = |dependent: &Dependent| matches!(dependent, Dependent::FrozenPicture { .. });
    let n_frozen = seen
        .damaged
        .iter()
        .filter(|object| object.dependents.iter().any(is_frozen));
    assert_eq!(n_frozen.count(), N, "what hangs on each is said");
    assert_eq!(damage::all(store).await?.len(), N + n_others);

    for n in 0..N_BACK {
        store.objects().put(bytes(n)).await?;
    }
    let seen = bench.orchestrator.verify_objects().await?;
    assert_eq!(seen.healed.len(), N_BACK);
    assert_eq!(seen.damaged.len(), N + n_others - N_BACK);
    let marks = damage::all(store).await?;
    for (n, hash) in hashes.iter().enumerate() {
        let key = BlobKey::from_sha256(hash)?;
        assert_eq!(marks.contains_key(&key), n >= N_BACK, "{n}");
    }
    Ok(())
}
