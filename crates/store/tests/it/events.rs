//! Event streams: numbered without gaps, seen by followers, drawn as charts.

use std::time::Duration;

use protocol::event::{Event, LogLevel};
use store::{
    events::{self, NewEvent},
    metrics,
};
use tokio::{task::JoinSet, time::timeout};

use crate::fixture::{TestStore, step};

const DEADLINE: Duration = Duration::from_secs(10);

fn log(message: String) -> NewEvent {
    let event = Event::Log {
        level: LogLevel::Info,
        message,
    };
    NewEvent::of_job(store::now(), event)
}

pub(crate) async fn are_gapless_under_concurrent_writers(test: TestStore) -> anyhow::Result<()> {
    const N_WRITERS: usize = 8;
    const N_BATCHES: usize = 25;
    let job = test.job(test.dataset().await?).await?;
    let mut writers = JoinSet::new();
    for writer in 0..N_WRITERS {
        let store = test.store.clone();
        writers.spawn(async move {
            for batch in 0..N_BATCHES {
                let tx = store.begin().await?;
                let logs = (0..3).map(|n| log(format!("{writer}/{batch}/{n}"))).collect();
                events::append(&tx, job, logs).await?;
                // Every fifth writer changes its mind.
                if batch % 5 != 4 {
                    tx.commit().await?;
                }
            }
            store::Result::Ok(())
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer??;
    }
    let stream = events::after(&test.store, job, 0, 10_000).await?;
    let n_expected = 1 + N_WRITERS * (N_BATCHES - N_BATCHES / 5) * 3;
    let seqs: Vec<i64> = stream.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=n_expected as i64).collect::<Vec<_>>());

    let tail = events::after(&test.store, job, 10, 5).await?;
    assert_eq!(
        tail.iter().map(|event| event.seq).collect::<Vec<_>>(),
        [11, 12, 13, 14, 15]
    );
    Ok(())
}

pub(crate) async fn vanish_with_their_transaction(test: TestStore) -> anyhow::Result<()> {
    let job = test.job(test.dataset().await?).await?;
    let mut follower = test.store.signals().subscribe(job);
    {
        let tx = test.store.begin().await?;
        assert_eq!(events::append(&tx, job, vec![log("lost".to_owned())]).await?, 2);
    }
    let tx = test.store.begin().await?;
    assert_eq!(events::append(&tx, job, vec![log("kept".to_owned())]).await?, 2);
    tx.commit().await?;
    timeout(DEADLINE, follower.changed()).await?;
    assert_eq!(events::after(&test.store, job, 1, 10).await?.len(), 1);
    Ok(())
}

pub(crate) async fn followers_hear_of_commits(test: TestStore) -> anyhow::Result<()> {
    let dataset = test.dataset().await?;
    let (job, other) = (test.job(dataset).await?, test.job(dataset).await?);
    let mut follower = test.store.signals().subscribe(job);
    let tx = test.store.begin().await?;
    events::append(&tx, other, vec![log("not this one".to_owned())]).await?;
    tx.commit().await?;
    let early = timeout(Duration::from_millis(50), follower.changed()).await;
    assert!(early.is_err(), "woken by another job");
    let tx = test.store.begin().await?;
    events::append(&tx, job, vec![log("this one".to_owned())]).await?;
    tx.commit().await?;
    timeout(DEADLINE, follower.changed()).await?;
    Ok(())
}

pub(crate) async fn make_charts(test: TestStore) -> anyhow::Result<()> {
    let job = test.job(test.dataset().await?).await?;
    let tx = test.store.begin().await?;
    let steps: Vec<Event> = (1..=1000)
        .map(|n| Event::Step(step(n, if n == 500 { 9.0 } else { 1.0 / f64::from(n) })))
        .collect();
    let now = store::now();
    metrics::record(&tx, job, steps.iter().map(|event| (now, event))).await?;
    let validation = [0, 500, 1000].map(|step| Event::ValidationLoss { step, loss: 0.25 });
    metrics::record(&tx, job, validation.iter().map(|event| (now, event))).await?;
    tx.commit().await?;

    let all = metrics::chart(&test.store, job, 2000).await?;
    assert_eq!(all.step, (1..=1000).collect::<Vec<u32>>());
    assert_eq!(all.loss, all.loss_min);
    assert_eq!(all.validation, [(0, 0.25), (500, 0.25), (1000, 0.25)]);
    assert_eq!(all.last_seq, 1);

    let few = metrics::chart(&test.store, job, 10).await?;
    assert_eq!(few.step, (1..=10).map(|n| n * 100).collect::<Vec<u32>>());
    assert_eq!(few.loss_max[4], 9.0, "an outlier within a bucket stays visible");
    assert_eq!(few.loss_min[4], 1.0 / 499.0);
    assert_eq!(few.loss[4], 9.0, "the last step of the bucket");
    assert_eq!(few.loss[9], 1.0 / 1000.0);

    // A resumed run does steps again.
    let tx = test.store.begin().await?;
    metrics::forget_after(&tx, job, 600).await?;
    let again = Event::Step(step(601, 5.0));
    metrics::record(&tx, job, [(now, &again)].into_iter()).await?;
    tx.commit().await?;
    let all = metrics::chart(&test.store, job, 2000).await?;
    assert_eq!((all.step.len(), all.loss[600]), (601, 5.0));
    Ok(())
}
