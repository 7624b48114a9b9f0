//! Readers of jobs' streams, which go to another server whenever theirs is gone.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::Value;
use tokio::{task::JoinSet, time::timeout};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use super::{chaos::Dice, cluster::Cluster};

/// A reader that hears nothing for this long looks at another server.
const SILENCE: Duration = Duration::from_secs(20);

pub(crate) struct Followers(JoinSet<(String, Vec<u64>)>);

impl Followers {
    pub(crate) fn start(cluster: &Cluster, dice: &Dice, jobs: &[String]) -> Self {
        let mut readers = JoinSet::new();
        for job in jobs.iter().cloned() {
            let (cluster, dice) = (cluster.clone(), dice.clone());
            readers.spawn(async move {
                let mut seen = Vec::new();
                while !read_on(&cluster, &dice, &job, &mut seen).await {
                    wait_a_moment().await;
                }
                (job, seen)
            });
        }
        Self(readers)
    }

    /// Each saw every event once, in order.
    pub(crate) async fn check(mut self, cluster: &Cluster, dice: &Dice) {
        while let Some(reader) = self.0.join_next().await {
            let (job, seen) = reader.unwrap();
            let last = cluster.get(dice, &format!("/api/v1/jobs/{job}")).await["last_seq"].clone();
            assert_eq!(seen, Vec::from_iter(1..=last.as_u64().unwrap()), "{job}");
        }
    }
}

/// Reads from any server until it is gone; whether the job has ended.
async fn read_on(cluster: &Cluster, dice: &Dice, job: &str, seen: &mut Vec<u64>) -> bool {
    let after = seen.last().copied().unwrap_or(0);
    let (url, token) = cluster.socket(dice, &format!("/api/v1/jobs/{job}/events?after={after}"));
    let mut request = url.into_client_request().unwrap();
    request
        .headers_mut()
        .insert("authorization", token.parse().unwrap());
    let Ok((mut socket, _)) = tokio_tungstenite::connect_async(request).await else {
        return false;
    };
    while let Ok(Some(Ok(message))) = timeout(SILENCE, socket.next()).await {
        let Message::Text(text) = message else { continue };
        let event: Value = serde_json::from_str(&text).unwrap();
        seen.push(event["seq"].as_u64().unwrap());
        let phase = event["phase"].as_str().unwrap_or_default();
        if event["type"] == "phase_changed" && ["succeeded", "cancelled", "failed"].contains(&phase) {
            return true;
        }
    }
    false
}

async fn wait_a_moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
