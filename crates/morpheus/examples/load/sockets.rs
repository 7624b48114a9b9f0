//! A thousand open sockets follow fifty jobs, each with ten events a second.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures::StreamExt as _;
use protocol::event::{Event, JobEvent};
use tokio::{task::JoinSet, time::timeout_at};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use super::{
    Figure,
    cluster::{Agent, Cluster},
};

pub(crate) const N_JOBS: usize = 50;
const N_SOCKETS: usize = 1000;
const DURATION: Duration = Duration::from_secs(20);
/// Ten events a second, in batches as agents send them.
const BATCH: u32 = 2;
const BATCH_EVERY: Duration = Duration::from_millis(200);
/// What arrives later counts as missing.
const LATEST: Duration = Duration::from_secs(10);
const TARGET: Duration = Duration::from_millis(250);

/// When each step of a job was sent.
type Sent = Arc<Mutex<HashMap<u32, Instant>>>;

pub(crate) async fn measure(cluster: &Cluster, agents: &[Agent]) -> anyhow::Result<Vec<Figure>> {
    let sent: Vec<Sent> = agents.iter().map(|_| Sent::default()).collect();
    let mut sockets = JoinSet::new();
    let end = tokio::time::Instant::now() + Duration::from_secs(60) + DURATION + LATEST;
    let n_expected = u128::from(BATCH) * DURATION.as_millis() / BATCH_EVERY.as_millis();
    let n_expected = usize::try_from(n_expected)?;
    for n in 0..N_SOCKETS {
        let job = &agents[n % agents.len()].job;
        let url = format!(
            "{}/api/v1/jobs/{job}/events?after=0",
            cluster.url.replacen("http", "ws", 1)
        );
        let mut request = url.into_client_request()?;
        let token = format!("Bearer {}", cluster.token).parse()?;
        request.headers_mut().insert("authorization", token);
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
        let sent = Arc::clone(&sent[n % agents.len()]);
        sockets.spawn(async move {
            let mut latencies = Vec::with_capacity(n_expected);
            while latencies.len() < n_expected {
                let Ok(Some(Ok(message))) = timeout_at(end, socket.next()).await else {
                    break;
                };
                let Message::Text(text) = message else { continue };
                let Ok(event) = serde_json::from_str::<JobEvent>(&text) else {
                    continue;
                };
                if let Event::Step(metrics) = event.event {
                    let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
                    latencies.extend(sent.get(&metrics.step).map(Instant::elapsed));
                }
            }
            latencies
        });
    }
    eprintln!("{N_SOCKETS} sockets are open");
    send(agents, &sent).await?;
    let mut latencies = Vec::new();
    while let Some(socket) = sockets.join_next().await {
        latencies.extend(socket?);
    }
    latencies.sort();
    let n_missing = N_SOCKETS * n_expected - latencies.len();
    let at = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied();
    let (p50, p99) = (
        at(0.5).context("nothing arrived")?,
        at(0.99).context("nothing arrived")?,
    );
    let worst = latencies.last().copied().unwrap_or_default();
    Ok(vec![Figure {
        what: "1,000 open WebSockets that follow 50 jobs at 10 events/s each, from the agent's request to each reader",
        target: format!("p99 below {} ms, nothing missing", TARGET.as_millis()),
        found: format!(
            "p50 {} ms, p99 {} ms, worst {} ms, {n_missing} of {} missing",
            p50.as_millis(),
            p99.as_millis(),
            worst.as_millis(),
            N_SOCKETS * n_expected
        ),
        is_met: n_missing == 0 && p99 < TARGET,
    }])
}

/// Each agent reports at its own even pace.
async fn send(agents: &[Agent], sent: &[Sent]) -> anyhow::Result<()> {
    let senders = agents
        .iter()
        .zip(sent)
        .enumerate()
        .map(|(n, (agent, sent))| async move {
            let offset = BATCH_EVERY * u32::try_from(n)? / u32::try_from(agents.len())?;
            let mut timer = tokio::time::interval_at(tokio::time::Instant::now() + offset, BATCH_EVERY);
            for _ in 0..DURATION.as_millis() / BATCH_EVERY.as_millis() {
                timer.tick().await;
                let note = |first: u32| {
                    let now = Instant::now();
                    let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
                    sent.extend((first..first + BATCH).map(|step| (step, now)));
                };
                agent.report(BATCH, note).await?;
            }
            anyhow::Ok(())
        });
    futures::future::try_join_all(senders).await?;
    Ok(())
}
