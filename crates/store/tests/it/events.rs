//! Event streams: numbered without gaps, seen by followers, drawn as charts.

use std::time::Duration;

use protocol::event::{Event, EventKind, LogLevel};
use store::{
    events::{self, NewEvent, Wanted},
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

pub(crate) async fn leave_out_what_is_not_wanted(test: TestStore) -> anyhow::Result<()> {
    let job = test.job(test.dataset().await?).await?;
    let tx = test.store.begin().await?;
    let step = |n| NewEvent::of_job(store::now(), Event::Step(step(n, 0.1)));
    let line = |text: &str| log(text.to_owned());
    let batch = vec![step(1), line("a"), step(2), line("b"), line("c")];
    events::append(&tx, job, batch).await?;
    tx.commit().await?;
    let seqs = async |wanted: Wanted<'_>| {
        let found = events::some(&test.store, job, wanted).await?;
        anyhow::Ok(found.iter().map(|event| event.seq).collect::<Vec<_>>())
    };
    let words = Wanted {
        after: 0,
        up_to: i64::MAX,
        without: &[EventKind::Step, EventKind::Spend],
        limit: 100,
    };
    assert_eq!(seqs(words).await?, [1, 3, 5, 6]);
    assert_eq!(
        seqs(Wanted {
            after: 3,
            limit: 1,
            ..words
        })
        .await?,
        [5]
    );
    assert_eq!(seqs(Wanted { up_to: 5, ..words }).await?, [1, 3, 5]);
    assert_eq!(
        seqs(Wanted {
            without: &[],
            ..words
        })
        .await?,
        [1, 2, 3, 4, 5, 6]
    );
    let steps = events::of_kind(&test.store, job, EventKind::Step).await?;
    assert_eq!(steps.iter().map(|event| event.seq).collect::<Vec<_>>(), [2, 4]);
    let around = events::of_kind_around(&test.store, job, EventKind::Log, 4, 1).await?;
    assert_eq!(around.iter().map(|event| event.seq).collect::<Vec<_>>(), [3, 5]);
    let since = events::of_kind_since(&test.store, job, EventKind::Log, around[0].at, 2).await?;
    assert_eq!(since.iter().map(|event| event.seq).collect::<Vec<_>>(), [3, 5]);
    let never = store::now() + Duration::from_secs(60);
    let none = events::of_kind_since(&test.store, job, EventKind::Log, never, 2).await?;
    assert!(none.is_empty(), "{none:?}");
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
    let mut changes = test.store.signals().subscribe_all();
    loop {
        let tx = test.store.begin().await?;
        events::append(&tx, other, vec![log("not this one".to_owned())]).await?;
        tx.commit().await?;
        if timeout(Duration::from_millis(50), follower.changed())
            .await
            .is_err()
        {
            break;
        }
        // A queue between servers tells everybody to look again when it is first heard, and now and then.
        let call_to_all = async { while changes.next().await.is_some() {} };
        timeout(DEADLINE, call_to_all)
            .await
            .expect("woken by another job");
    }
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

/// Charts that are drawn from tiles show the same extremes as the steps themselves.
pub(crate) async fn make_charts_of_long_jobs(test: TestStore) -> anyhow::Result<()> {
    const N_STEPS: u32 = 20_000;
    let job = test.job(test.dataset().await?).await?;
    let loss = |n: u32| match n {
        7777 => 9.0,
        15_001 => 0.001,
        n => 1.0 + f64::from(n % 97) / 100.0,
    };
    record(&test, job, 1, N_STEPS, loss).await?;
    check_chart(&test, job, N_STEPS, loss).await?;

    // A resumed run does steps again, from the middle of a tile of every size.
    let tx = test.store.begin().await?;
    metrics::forget_after(&tx, job, 9000).await?;
    tx.commit().await?;
    check_chart(&test, job, 9000, loss).await?;
    let again = |n: u32| {
        if n <= 9000 {
            loss(n)
        } else {
            0.5 + f64::from(n % 13)
        }
    };
    record(&test, job, 9001, 12_345, again).await?;
    check_chart(&test, job, 12_345, again).await
}

async fn record(
    test: &TestStore,
    job: protocol::JobId,
    first: u32,
    last: u32,
    loss: impl Fn(u32) -> f64,
) -> anyhow::Result<()> {
    let steps: Vec<Event> = (first..=last).map(|n| Event::Step(step(n, loss(n)))).collect();
    let tx = test.store.begin().await?;
    // Uneven batches, as they come.
    for steps in steps.chunks(333) {
        let now = store::now();
        metrics::record(&tx, job, steps.iter().map(|event| (now, event))).await?;
    }
    Ok(tx.commit().await?)
}

async fn check_chart(
    test: &TestStore,
    job: protocol::JobId,
    n_steps: u32,
    loss: impl Fn(u32) -> f64,
) -> anyhow::Result<()> {
    for width in [1, 2, 10, 100, 1000] {
        let chart = metrics::chart(&test.store, job, width).await?;
        assert!(
            chart.step.len() <= width as usize,
            "{} of {width}",
            chart.step.len()
        );
        assert!(
            chart.step.len() * 2 >= width as usize,
            "{} of {width}",
            chart.step.len()
        );
        assert_eq!(chart.step.last(), Some(&n_steps));
        let mut first = 1;
        for (n, last) in chart.step.iter().copied().enumerate() {
            let bucket = || (first..=last).map(&loss);
            assert_eq!(
                chart.loss_min[n],
                bucket().fold(f64::INFINITY, f64::min),
                "{width}/{n}"
            );
            assert_eq!(
                chart.loss_max[n],
                bucket().fold(f64::NEG_INFINITY, f64::max),
                "{width}/{n}"
            );
            assert_eq!(chart.loss[n], loss(last));
            first = last + 1;
        }
    }
    Ok(())
}

/// Rows for the steps from 2 to one before the last.
fn many_metrics(job: protocol::JobId, n_steps: u32, is_postgres: bool) -> String {
    let (id, steps) = if is_postgres {
        (
            format!("'{job}'"),
            format!("generate_series(2, {n_steps} - 1) AS steps (n)"),
        )
    } else {
        let steps = format!(
            "(WITH RECURSIVE counted (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM counted WHERE n < {n_steps} - 1) \
             SELECT n FROM counted)"
        );
        (format!("X'{}'", job.0.simple()), steps)
    };
    format!(
        "INSERT INTO job_metrics \
         (job_id, step, loss, average_loss, learning_rate, gradient_norm, step_ms, validation_loss, at) \
         SELECT {id}, n, 1.0 / n, 1.0 / n, 0.0001, 0.5, 20.0, \
         CASE WHEN n % 10000 = 0 THEN 0.25 END, CURRENT_TIMESTAMP FROM {steps}"
    )
}

pub(crate) async fn make_charts_of_a_million_steps_quickly(test: TestStore) -> anyhow::Result<()> {
    const N_STEPS: u32 = 1_000_000;
    let job = test.job(test.dataset().await?).await?;
    // The database makes most rows itself; a batch with the first and the last step has all tiles made.
    test.execute(&many_metrics(job, N_STEPS, test.is_postgres()))
        .await?;
    let ends = [1, N_STEPS].map(|n| Event::Step(step(n, 1.0)));
    let tx = test.store.begin().await?;
    let now = store::now();
    metrics::record(&tx, job, ends.iter().map(|event| (now, event))).await?;
    tx.commit().await?;
    for width in [1000, 2000] {
        let mut times = Vec::new();
        // The best of several: whatever else the machine does only ever adds time.
        for _ in 0..10 {
            let start = std::time::Instant::now();
            let chart = metrics::chart(&test.store, job, width).await?;
            times.push(start.elapsed());
            assert_eq!(chart.step.last(), Some(&N_STEPS));
            assert!(chart.step.len() * 2 >= width as usize);
        }
        times.sort();
        eprintln!("a chart of a million steps, {width} wide: {times:?}");
        assert!(times[0] < Duration::from_millis(100), "{width} wide: {times:?}");
    }
    Ok(())
}
