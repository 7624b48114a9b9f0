//! Several servers and requests at the same moment.

use std::collections::HashSet;

use protocol::{
    agent::{ArtifactKind, NewArtifact},
    dataset::Split,
    event::{Event, LogLevel},
};
use store::{
    Store, artifacts,
    datasets::{self, AddedItem, NewItem},
    events::{self, NewEvent},
    jobs,
    models::{self, NewVersion},
};
use tokio::task::JoinSet;

use crate::fixture::{TestStore, metadata, verdict};

const N_SERVERS: usize = 10;

/// Runs ten of the same at once and collects what they return.
async fn ten<T: Send + 'static, F>(work: impl Fn(usize) -> F) -> anyhow::Result<Vec<T>>
where
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let mut running = JoinSet::new();
    for n in 0..N_SERVERS {
        running.spawn(work(n));
    }
    let mut results = Vec::new();
    while let Some(result) = running.join_next().await {
        results.push(result??);
    }
    Ok(results)
}

pub(crate) async fn start_and_migrate_once(test: TestStore) -> anyhow::Result<()> {
    let fresh = TestStore::empty(test.database.is_some())?;
    let stores: Vec<Store> = ten(|_| {
        let builder = fresh.builder();
        async move { Ok(builder.open().await?) }
    })
    .await?;
    let identities: HashSet<_> = stores
        .iter()
        .map(|store| (store.default_owner(), store.deployment()))
        .collect();
    assert_eq!(identities.len(), 1, "they are one installation");
    let status = fresh.builder().database_status().await?;
    assert!(
        status.pending.is_empty() && status.unknown.is_empty(),
        "{status:?}"
    );
    let n_owners = status.tables.iter().find(|table| table.name == "owners");
    assert_eq!(n_owners.map(|table| table.n_rows), Some(1));
    Ok(())
}

pub(crate) async fn add_a_picture_once(test: TestStore) -> anyhow::Result<()> {
    let (id, owner) = (test.dataset().await?, test.owner());
    let added = ten(|n| {
        let store = test.store.clone();
        let picture = NewItem {
            file_name: format!("{n}.png"),
            caption: String::new(),
            split: Split::Train,
            showing: protocol::dataset::Showing::default(),
            width: 128,
            height: 128,
            size_bytes: 1,
            sha256: hex::encode([1; 32]),
            notes: Vec::new(),
        };
        async move {
            let tx = store.begin().await?;
            let added = datasets::add_item(&tx, owner, id, picture).await?;
            tx.commit().await?;
            Ok(added)
        }
    })
    .await?;
    let n_added = added.iter().filter(|added| matches!(added, AddedItem::Added(_)));
    assert_eq!(n_added.count(), 1);
    assert_eq!(datasets::get(&test.store, owner, id).await?.n_items, 1);
    Ok(())
}

pub(crate) async fn number_versions(test: TestStore) -> anyhow::Result<()> {
    let (dataset, owner) = (test.dataset().await?, test.owner());
    let mut attempts = Vec::new();
    for _ in 0..N_SERVERS {
        let job = test.job(dataset).await?;
        attempts.push((job, test.attempt(job, 1).await?.0));
    }
    ten(|n| {
        let (store, (job, attempt)) = (test.store.clone(), attempts[n].clone());
        async move {
            let tx = store.begin().await?;
            let announced = NewArtifact {
                fence: 0,
                kind: ArtifactKind::Lora { step: 100 },
                file_name: "Zora.safetensors".to_owned(),
                size_bytes: 5,
                sha256: hex::encode([1; 32]),
            };
            let file = artifacts::announce(&tx, owner, &attempt, &announced).await?;
            let new = NewVersion {
                job: &jobs::state(&tx, job).await?,
                file: &file,
                n_steps: 100,
                verdict: &verdict(true),
                metadata: &metadata(),
                before: None,
                after: None,
                judgement: None,
            };
            models::create_version(&tx, new).await?;
            tx.commit().await?;
            Ok(())
        }
    })
    .await?;
    let all = models::list(&test.store, owner, None, 10).await?;
    assert_eq!(all.len(), 1, "all have one name");
    let numbers: Vec<u32> = all[0]
        .versions
        .iter()
        .rev()
        .map(|version| version.version)
        .collect();
    assert_eq!(numbers, (1..=N_SERVERS as u32).collect::<Vec<_>>());
    Ok(())
}

/// PostgreSQL takes no character of the number 0, and an upload or a log may hold one.
pub(crate) async fn keep_text_of_any_kind(test: TestStore) -> anyhow::Result<()> {
    let tx = test.store.begin().await?;
    let dataset = datasets::create(&tx, test.owner(), "a\0b").await?;
    assert_eq!(dataset.name, "a\u{fffd}b");
    assert_eq!(
        datasets::rename(&tx, test.owner(), dataset.id, "\0").await?.name,
        "\u{fffd}"
    );
    tx.commit().await?;
    let job = test.job(dataset.id).await?;
    let tx = test.store.begin().await?;
    let log = Event::Log {
        level: LogLevel::Info,
        message: "before\0after".to_owned(),
    };
    events::append(&tx, job, vec![NewEvent::of_job(store::now(), log)]).await?;
    tx.commit().await?;
    let stream = events::after(&test.store, job, 1, 10).await?;
    assert!(
        matches!(&stream[0].event, Event::Log { message, .. } if message == "before\u{fffd}after"),
        "{stream:?}"
    );
    Ok(())
}
