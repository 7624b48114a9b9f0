//! The queue: each row is handed out once, however many ask.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::phase::{Outcome, Phase};
use store::{
    Store, attempts, generations,
    jobs::{self, PhaseChange},
    queue::{self, JobClaim},
    tokens::NewToken,
};
use tokio::task::JoinSet;

use crate::fixture::{TestStore, generation, open_attempt};

const N_ROWS: usize = 200;
const N_WORKERS: usize = 8;

fn wanted(provider: &str, now: DateTime<Utc>) -> JobClaim<'_> {
    JobClaim {
        provider,
        max_running: usize::MAX,
        now,
        to: Phase::Launching,
    }
}

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
            let Some(id) = queue::claim_job(&tx, wanted("local", store::now())).await? else {
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

pub(crate) async fn counts_jobs_by_phase(test: TestStore) -> anyhow::Result<()> {
    assert!(jobs::tally(&test.store, test.owner()).await?.is_empty());
    let dataset = test.dataset().await?;
    for _ in 0..3 {
        test.job(dataset).await?;
    }
    let tx = test.store.begin().await?;
    queue::claim_job(&tx, wanted("local", store::now()))
        .await?
        .unwrap();
    tx.commit().await?;
    let mut tally = jobs::tally(&test.store, test.owner()).await?;
    tally.sort_by_key(|tally| tally.n_jobs);
    let of = |phase, n_jobs, n_events| jobs::Tally {
        phase,
        n_jobs,
        n_events,
    };
    // Each has an event of its beginning, and one of them a second one.
    assert_eq!(tally, [of(Phase::Launching, 1, 2), of(Phase::Queued, 2, 2)]);
    let stranger = jobs::tally(&test.store, protocol::OwnerId::new()).await?;
    assert!(stranger.is_empty());
    Ok(())
}

pub(crate) async fn says_once_why_a_job_waits(test: TestStore) -> anyhow::Result<()> {
    let job = test.job(test.dataset().await?).await?;
    let explain = async |reason: Option<&str>| {
        let tx = test.store.begin().await?;
        jobs::explain(&tx, job, reason).await?;
        tx.commit().await?;
        let job = jobs::get(&test.store, test.owner(), job).await?;
        anyhow::Ok((job.reason, job.last_seq))
    };
    let waits = |reason: &str, seq| (Some(reason.to_owned()), seq);
    assert_eq!(explain(None).await?, (None, 1));
    assert_eq!(explain(Some("no machine")).await?, waits("no machine", 2));
    assert_eq!(explain(Some("no machine")).await?, waits("no machine", 2));
    assert_eq!(explain(Some("no room")).await?, waits("no room", 3));
    assert_eq!(explain(None).await?, (None, 4));
    assert_eq!(explain(None).await?, (None, 4));
    Ok(())
}

pub(crate) async fn hands_each_generation_out_once(test: TestStore) -> anyhow::Result<()> {
    let tx = test.store.begin().await?;
    let mut queued = HashSet::new();
    for _ in 0..N_ROWS {
        queued.insert(generations::create(&tx, test.owner(), &generation()).await?);
    }
    tx.commit().await?;
    assert_eq!(generations::n_queued(&test.store, None).await?, N_ROWS as u64);
    let claimed = from_all_workers(&test.store, |store| async move {
        let mut claimed = Vec::new();
        loop {
            let tx = store.begin().await?;
            let Some(generation) = queue::claim_generation(&tx, None).await? else {
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
    assert_eq!(generations::n_queued(&test.store, None).await?, 0);
    Ok(())
}

pub(crate) async fn is_first_in_first_out_and_waits(test: TestStore) -> anyhow::Result<()> {
    let dataset = test.dataset().await?;
    let (first, second) = (test.job(dataset).await?, test.job(dataset).await?);
    let now = store::now();

    let tx = test.store.begin().await?;
    assert_eq!(queue::claim_job(&tx, wanted("elsewhere", now)).await?, None);
    assert_eq!(queue::claim_job(&tx, wanted("local", now)).await?, Some(first));
    let later = now + TimeDelta::seconds(5);
    let back = PhaseChange {
        not_before: Some(later),
        ..PhaseChange::new(Phase::Launching, Phase::Queued)
    };
    jobs::change_phase(&tx, first, back).await?;
    tx.commit().await?;

    let tx = test.store.begin().await?;
    assert_eq!(queue::claim_job(&tx, wanted("local", now)).await?, Some(second));
    assert_eq!(
        queue::claim_job(&tx, wanted("local", now)).await?,
        None,
        "the first waits"
    );
    assert_eq!(queue::claim_job(&tx, wanted("local", later)).await?, Some(first));
    Ok(())
}

pub(crate) async fn hands_urgent_jobs_out_first(test: TestStore) -> anyhow::Result<()> {
    let dataset = test.dataset().await?;
    let mut queued = Vec::new();
    for n in 0..40_i8 {
        let priority = [0, 10, -10, 5][usize::from(n.unsigned_abs()) % 4];
        queued.push((priority, test.job_of_priority(dataset, priority).await?));
    }
    queued.sort_by_key(|(priority, id)| (-priority, *id));
    let claimed = from_all_workers(&test.store, |store| async move {
        let mut claimed = Vec::new();
        loop {
            let tx = store.begin().await?;
            let Some(id) = queue::claim_job(&tx, wanted("local", store::now())).await? else {
                return Ok(claimed);
            };
            tx.commit().await?;
            claimed.push(id);
        }
    })
    .await?;
    assert_eq!(claimed.len(), queued.len(), "each once");
    // What one claimer alone gets next is the order; several may commit in another.
    let tx = test.store.begin().await?;
    for id in claimed {
        jobs::change_phase(&tx, id, PhaseChange::new(Phase::Launching, Phase::Queued)).await?;
    }
    for (priority, id) in queued {
        let next = queue::claim_job(&tx, wanted("local", store::now())).await?;
        assert_eq!(next, Some(id), "of priority {priority}");
    }
    Ok(())
}

pub(crate) async fn keeps_to_the_limit(test: TestStore) -> anyhow::Result<()> {
    const MAX_RUNNING: usize = 3;
    let dataset = test.dataset().await?;
    for _ in 0..20 {
        test.job(dataset).await?;
    }
    let claimed = from_all_workers(&test.store, |store| async move {
        let mut claimed = Vec::new();
        loop {
            let tx = store.begin().await?;
            let wanted = JobClaim {
                max_running: MAX_RUNNING,
                ..wanted("local", store::now())
            };
            let Some(id) = queue::claim_job(&tx, wanted).await? else {
                return Ok(claimed);
            };
            open_attempt(&tx, id, 1, &NewToken::random()).await?;
            tx.commit().await?;
            claimed.push(id);
        }
    })
    .await?;
    assert_eq!(claimed.len(), MAX_RUNNING);
    // One that ends makes room for one.
    let tx = test.store.begin().await?;
    let alive = attempts::alive(&tx).await?;
    attempts::end(&tx, &alive[0], Outcome::Lost, None).await?;
    let wanted = JobClaim {
        max_running: MAX_RUNNING,
        ..wanted("local", store::now())
    };
    let next = queue::claim_job(&tx, wanted).await?;
    assert!(next.is_some_and(|id| !claimed.contains(&id)), "{next:?}");
    Ok(())
}

pub(crate) async fn waits_for_no_wrong_clock(test: TestStore) -> anyhow::Result<()> {
    let job = test.job(test.dataset().await?).await?;
    let now = store::now();
    let tx = test.store.begin().await?;
    assert_eq!(queue::claim_job(&tx, wanted("local", now)).await?, Some(job));
    // A server whose clock is an hour ahead puts the job off for a second.
    let back = PhaseChange {
        not_before: Some(now + TimeDelta::hours(1) + TimeDelta::seconds(1)),
        ..PhaseChange::new(Phase::Launching, Phase::Queued)
    };
    jobs::change_phase(&tx, job, back).await?;
    assert_eq!(queue::claim_job(&tx, wanted("local", now)).await?, Some(job));
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
