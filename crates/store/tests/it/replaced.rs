//! The files of the database are removed or replaced while they are open.

use std::path::PathBuf;

use protocol::DatasetId;
use store::{StorageFault, Store, StoreError, datasets};

use crate::fixture::TestStore;

async fn create(store: &Store, name: &str) -> store::Result<DatasetId> {
    let tx = store.begin().await?;
    let dataset = datasets::create(&tx, store.default_owner(), name).await?;
    tx.commit().await?;
    Ok(dataset.id)
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
    let err = outcome.unwrap_err();
    assert_eq!(err.fault(), Some(StorageFault::Replaced), "{err:?}");
    assert!(err.to_string().contains("removed or replaced"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_until_the_files_are_back() -> anyhow::Result<()> {
    let test = TestStore::sqlite().await?;
    create(&test.store, "before").await?;
    let at = |name: &str| -> PathBuf { test.folder.path().join(name) };
    for name in ["morpheus.db", "morpheus.db-wal"] {
        std::fs::rename(at(name), at("aside"))?;
        refused(create(&test.store, name).await);
        refused(test.store.prove_database().await);
        // Another file there is not it.
        std::fs::write(at(name), [])?;
        refused(create(&test.store, name).await);
        std::fs::rename(at("aside"), at(name))?;
        test.store.prove_database().await?;
        create(&test.store, name).await?;
    }
    let listed = datasets::list(&test.store, test.store.default_owner(), None, 10).await?;
    assert_eq!(listed.len(), 3);

    std::fs::remove_file(at("morpheus.db-wal"))?;
    refused(create(&test.store, "removed").await);
    std::fs::remove_file(at("morpheus.db"))?;
    refused(create(&test.store, "removed").await);
    Ok(())
}
