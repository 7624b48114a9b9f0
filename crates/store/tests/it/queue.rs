//! The queue: each row is handed out once, however many ask.

use std::collections::HashSet;

use chrono::TimeDelta;
use protocol::phase::Phase;
use store::{
    Store, generations,
    jobs::{self, PhaseChange},
    queue,
};
use tokio::task::JoinSet;

use crate::fixture::{TestStore, generation};

const N_ROWS: usize = 200;
const N_WORKERS: usize = 8;

pub(crate) async fn hands_each_job_out_once(test: TestStore) -> anyhow::Result<()> {
    let dataset = test.dataset().await?;
    let mut queued = HashSet::new();
    for _ in 0..N_ROWS {
        queued.insert(test.job(dataset).await?);
    }
    let claimed = from_all_workers(&test.store, |store| async move {
        let mut claimed = Vec::new();
        loop {
            let tx = store.begin().await?;
            let Some(id) = queue::claim_job(&tx, "local", store::now(), Phase::Launching).await? else {
                return Ok(claimed);
            };
            tx.commit().await?;
            claimed.push(id);
        }
    })
    .await?;
    assert_eq!(claimed.len(), N_ROWS);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>(), queued);
    Ok(())
}

pub(crate) async fn hands_each_generation_out_once(test: TestStore) -> anyhow::Result<()> {
    let tx = test.store.begin().await?;
    let mut queued = HashSet::new();
    for _ in 0..N_ROWS {
        queued.insert(generations::create(&tx, test.owner(), &generation()).await?);
    }
    tx.commit().await?;
    assert_eq!(generations::n_queued(&test.store).await?, N_ROWS as u64);
    let claimed = from_all_workers(&test.store, |store| async move {
        let mut claimed = Vec::new();
        loop {
            let tx = store.begin().await?;
            let Some(generation) = queue::claim_generation(&tx).await? else {
                return Ok(claimed);
            };
            tx.commit().await?;
            assert_eq!(generation.n_attempts, 1);
            claimed.push(generation.id);
        }
    })
    .await?;
    assert_eq!(claimed.len(), N_ROWS);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>(), queued);
    assert_eq!(generations::n_queued(&test.store).await?, 0);
    Ok(())
}

pub(crate) async fn is_first_in_first_out_and_waits(test: TestStore) -> anyhow::Result<()> {
    let dataset = test.dataset().await?;
    let (first, second) = (test.job(dataset).await?, test.job(dataset).await?);
    let now = store::now();

    let tx = test.store.begin().await?;
    assert_eq!(
        queue::claim_job(&tx, "elsewhere", now, Phase::Launching).await?,
        None
    );
    assert_eq!(
        queue::claim_job(&tx, "local", now, Phase::Launching).await?,
        Some(first)
    );
    let later = now + TimeDelta::seconds(5);
    let back = PhaseChange {
        not_before: Some(later),
        ..PhaseChange::new(Phase::Launching, Phase::Queued)
    };
    jobs::change_phase(&tx, first, back).await?;
    tx.commit().await?;

    let tx = test.store.begin().await?;
    assert_eq!(
        queue::claim_job(&tx, "local", now, Phase::Launching).await?,
        Some(second)
    );
    assert_eq!(
        queue::claim_job(&tx, "local", now, Phase::Launching).await?,
        None,
        "the first waits"
    );
    assert_eq!(
        queue::claim_job(&tx, "local", later, Phase::Launching).await?,
        Some(first)
    );
    Ok(())
}

async fn from_all_workers<T, F>(store: &Store, work: impl Fn(Store) -> F) -> anyhow::Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = store::Result<Vec<T>>> + Send + 'static,
{
    let mut workers = JoinSet::new();
    for _ in 0..N_WORKERS {
        workers.spawn(work(store.clone()));
    }
    let mut all = Vec::new();
    while let Some(worker) = workers.join_next().await {
        all.extend(worker??);
    }
    Ok(all)
}
