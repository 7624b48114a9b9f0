//! Requests that are sent twice.

use std::time::Duration;

use protocol::OwnerId;
use store::{
    Store, StoreError, datasets,
    idempotency::{self, Answer, Request},
};

use crate::fixture::TestStore;

fn request(owner: OwnerId, key: &str) -> Request {
    Request {
        owner,
        key: key.to_owned(),
        route: "POST /api/v1/datasets".to_owned(),
        body_sha256: "00".repeat(32),
        status: 201,
    }
}

/// What a handler does.
async fn create(store: &Store, owner: OwnerId, name: &str) -> store::Result<String> {
    let tx = store.begin().await?;
    let dataset = datasets::create(&tx, owner, name).await?;
    tx.commit_with(dataset.name).await
}

pub(crate) async fn keep_an_answer_with_what_it_tells_of(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    // Nobody said that it may be sent twice.
    create(store, owner, "one").await?;
    assert_eq!(test.sql("SELECT key FROM idempotency_keys").await?, [[""; 0]; 0]);

    // Rolled back with what was made.
    let lost = async {
        let tx = store.begin().await?;
        datasets::create(&tx, owner, "two").await?;
        drop(tx);
        store::Result::Ok(())
    };
    idempotency::scope(request(owner, "a"), lost).await?;
    assert_eq!(idempotency::find(store, owner, "a").await?, None);

    idempotency::scope(request(owner, "a"), create(store, owner, "two")).await?;
    let kept = idempotency::find(store, owner, "a").await?.unwrap();
    assert_eq!(kept.answer, Answer::Json("\"two\"".to_owned()));
    assert_eq!((kept.status, kept.route.as_str()), (201, "POST /api/v1/datasets"));

    // Of an answer with a secret, nothing is kept but that there was one.
    let secret = async {
        let tx = store.begin().await?;
        tx.commit_with_secret("mor_secret", "make another".to_owned())
            .await
    };
    idempotency::scope(request(owner, "b"), secret).await?;
    let kept = idempotency::find(store, owner, "b").await?.unwrap();
    assert_eq!(kept.answer, Answer::Secret("make another".to_owned()));

    let tx = store.begin().await?;
    let before = store::now() - Duration::from_secs(60);
    assert_eq!(idempotency::forget(&tx, before).await?, 0);
    let after = store::now() + Duration::from_secs(60);
    assert_eq!(idempotency::forget(&tx, after).await?, 2);
    tx.commit().await?;
    assert_eq!(idempotency::find(store, owner, "a").await?, None);
    Ok(())
}

pub(crate) async fn make_one_thing_of_two_requests(test: TestStore) -> anyhow::Result<()> {
    const N: usize = 8;
    let owner = test.owner();
    let made = (0..N).map(|n| {
        let store = test.store.clone();
        tokio::spawn(async move {
            let name = format!("number {n}");
            idempotency::scope(request(owner, "same"), create(&store, owner, &name)).await
        })
    });
    let mut names = Vec::new();
    for one in made.collect::<Vec<_>>() {
        match one.await? {
            Ok(name) => names.push(name),
            Err(StoreError::Stale { id, .. }) => assert_eq!(id, "same"),
            Err(other) => return Err(other.into()),
        }
    }
    assert_eq!(names.len(), 1);
    let found = datasets::list(&test.store, owner, None, 10).await?;
    assert_eq!(
        found.into_iter().map(|dataset| dataset.name).collect::<Vec<_>>(),
        names
    );
    let kept = idempotency::find(&test.store, owner, "same").await?.unwrap();
    assert_eq!(kept.answer, Answer::Json(serde_json::to_string(&names[0])?));
    Ok(())
}
