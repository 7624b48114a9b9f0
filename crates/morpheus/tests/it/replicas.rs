//! Three servers on one PostgreSQL and one Redis, while servers, agents and Redis are killed at random: every job
//! ends exactly once, in the right phase, with a stream without gaps.
//!
//! A short form runs with all tests; `make test-replicas` runs the long one. The variables
//! `MORPHEUS_REPLICAS_JOBS`, `_AGENTS` and `_SEED` change what is run.

pub(crate) mod chaos;
mod cluster;
mod followers;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::{
    chaos::{Chaos, Dice},
    cluster::Cluster,
    followers::Followers,
};
use crate::support::wait_for;

/// Longer than the long form takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// Jobs whose streams are followed over WebSockets meanwhile.
const N_FOLLOWED: usize = 10;

/// Every so many jobs one is cancelled in the middle.
const CANCEL_EVERY: usize = 10;

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(format!("MORPHEUS_REPLICAS_{name}")).ok();
    value.map_or(default, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_job_ends_once_whatever_is_killed() {
    let n_jobs = usize::try_from(setting("JOBS", 10)).unwrap();
    let n_agents = setting("AGENTS", 6);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = setting("SEED", now.unwrap().as_secs());
    eprintln!("{n_jobs} jobs, {n_agents} agents; repeat with MORPHEUS_REPLICAS_SEED={seed}");
    let dice = Dice::new(seed);

    let start = Instant::now();
    let cluster = Cluster::start(n_agents);
    let dataset = cluster.upload().await;
    let mut jobs = Vec::new();
    for n in 0..n_jobs {
        let priority = dice.below(21) as i64 - 10;
        let job = cluster
            .post(&dice, "/api/v1/jobs", &request(&dataset, n, priority))
            .await;
        jobs.push(job["id"].as_str().unwrap().to_owned());
    }
    let followers = Followers::start(&cluster, &dice, &jobs[..jobs.len().min(N_FOLLOWED)]);
    let chaos = Chaos::start(cluster.clone(), dice.clone());

    let mut cancelled = Vec::new();
    for job in jobs.iter().skip(1).step_by(CANCEL_EVERY) {
        cluster.wait_until_begun(&dice, job).await;
        if cluster.cancel(&dice, job).await {
            cancelled.push(job.clone());
        }
    }
    for job in &jobs {
        let left = DEADLINE.saturating_sub(start.elapsed());
        cluster.wait_until_ended(&dice, job, left).await;
    }
    let ended_after = start.elapsed();
    let done = chaos.stop();
    eprintln!("all ended after {ended_after:?}; {done}");

    let mut n_attempts = 0;
    for job in &jobs {
        let expected = if cancelled.contains(job) {
            "cancelled"
        } else {
            "succeeded"
        };
        n_attempts += check(&cluster, &dice, job, expected).await;
    }
    followers.check(&cluster, &dice).await;
    eprintln!("{n_attempts} attempts, {} cancelled", cancelled.len());
    let cluster_agents = || cluster.agents().is_empty().then_some(());
    wait_for("all agents to end", cluster_agents);
}

fn request(dataset: &Value, n: usize, priority: i64) -> Value {
    json!({
        "dataset_id": dataset,
        "base_model": "tiny-xl",
        "name": format!("zora {n}"),
        "priority": priority,
        "parameters": {
            "n_steps": 100, "rank": 4, "checkpoint_every_n_steps": 20, "sample_every_n_steps": 0,
        },
    })
}

/// Looks at a job that has ended, through any server; how many attempts it had.
async fn check(cluster: &Cluster, dice: &Dice, id: &str, expected: &str) -> u64 {
    let job = cluster.get(dice, &format!("/api/v1/jobs/{id}")).await;
    assert_eq!(job["phase"], expected, "{job}");
    let events = cluster.events(dice, id).await;
    let numbers: Vec<_> = events
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, Vec::from_iter(1..=events.len() as u64), "{id}");
    assert_eq!(job["last_seq"], events.len(), "{id}");
    let of_type = |kind: &str| {
        events
            .iter()
            .filter(|event| event["type"] == kind)
            .collect::<Vec<_>>()
    };

    let phases = of_type("phase_changed");
    let ends = ["succeeded", "failed", "stopped", "cancelled"];
    let n_ends = phases
        .iter()
        .filter(|event| ends.contains(&event["phase"].as_str().unwrap()));
    assert_eq!(n_ends.count(), 1, "{id} ended more than once: {phases:?}");
    assert_eq!(phases.last().unwrap()["phase"], expected);

    let attempts = of_type("attempt_ended");
    assert_eq!(job["n_attempts"], attempts.len(), "{id}: {attempts:?}");
    let n_completed = attempts
        .iter()
        .filter(|event| event["outcome"] == "completed")
        .count();
    let n_versions = of_type("model_version_created").len();
    if expected == "succeeded" {
        assert_eq!((n_completed, n_versions), (1, 1), "{id}: {attempts:?}");
        assert_eq!(of_type("step").last().unwrap()["step"], 100);
    }
    attempts.len() as u64
}
