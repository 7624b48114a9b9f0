//! As many metric events as the server takes: fifty agents that report as fast as they are answered.

use std::time::{Duration, Instant};

use super::{Figure, cluster::Agent};

const DURATION: Duration = Duration::from_secs(15);
/// As many events as a busy agent sends at once.
const BATCH: u32 = 50;
const TARGET: f64 = 5000.0;

pub(crate) async fn measure(agents: &[Agent]) -> anyhow::Result<Figure> {
    let start = Instant::now();
    let reporting = agents.iter().map(|agent| async move {
        let mut n_events = 0;
        while start.elapsed() < DURATION {
            agent.report(BATCH, |_| {}).await?;
            n_events += BATCH;
        }
        anyhow::Ok(n_events)
    });
    let n_events: u32 = futures::future::try_join_all(reporting).await?.into_iter().sum();
    let per_second = f64::from(n_events) / start.elapsed().as_secs_f64();
    Ok(Figure {
        what: "metric events written to PostgreSQL, with their event stream, from 50 agents",
        target: format!("{TARGET:.0} per second"),
        found: format!("{per_second:.0} per second"),
        is_met: per_second >= TARGET,
    })
}
