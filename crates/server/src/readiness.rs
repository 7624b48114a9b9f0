//! Readiness check: verifies that the database and the object store accept writes.
//!
//! Anyone can call it at any rate, so it is done at most once a second, and one at a time.

use std::time::{Duration, Instant};

use protocol::problem::chain;
use store::{StorageFault, Store};
use tokio::{sync::Mutex, time::timeout};

/// A result is reused for this long.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// The same after a successful write to a bucket, whose owner pays per request.
const BUCKET_FRESH_FOR: Duration = Duration::from_secs(30);

/// Time limit for one part, so that the probe gets a response.
const PATIENCE: Duration = Duration::from_secs(5);

/// The last result.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Proven>);

#[derive(Debug, Default)]
struct Proven {
    database: Option<Proof>,
    objects: Option<Proof>,
}

#[derive(Debug)]
struct Proof {
    at: Instant,
    /// The problem, in one line.
    problem: Option<String>,
}

impl Readiness {
    /// The problems, one per line; empty if everything works.
    pub(crate) async fn problems(&self, store: &Store) -> Vec<String> {
        let mut proven = self.0.lock().await;
        if is_due(proven.database.as_ref(), FRESH_FOR) {
            let outcome = timeout(PATIENCE, store.prove_database()).await;
            let outcome = outcome.map(|outcome| outcome.map_err(|err| (err.fault(), chain(&err))));
            proven.database = Some(Proof::of("the database", outcome.ok()));
        }
        let in_bucket = store.objects().public_origin().is_some();
        let fresh_for = match &proven.objects {
            Some(Proof { problem: None, .. }) if in_bucket => BUCKET_FRESH_FOR,
            _ => FRESH_FOR,
        };
        if is_due(proven.objects.as_ref(), fresh_for) {
            let outcome = timeout(PATIENCE, store.prove_objects()).await;
            let outcome = outcome.map(|outcome| outcome.map_err(|err| (err.fault(), chain(&err))));
            proven.objects = Some(Proof::of("the object store", outcome.ok()));
        }
        let proofs = [&proven.database, &proven.objects];
        proofs
            .into_iter()
            .flatten()
            .filter_map(|proof| proof.problem.clone())
            .collect()
    }
}

fn is_due(proof: Option<&Proof>, fresh_for: Duration) -> bool {
    proof.is_none_or(|proof| proof.at.elapsed() >= fresh_for)
}

impl Proof {
    /// From the result of the write; `None` means a timeout.
    fn of(what: &str, outcome: Option<Result<(), (Option<StorageFault>, String)>>) -> Self {
        let problem = match outcome {
            Some(Ok(())) => None,
            None => Some(format!(
                "{what} completed no write within {} s: it is busy, locked by another program, or does not respond",
                PATIENCE.as_secs()
            )),
            Some(Err((fault, error))) => {
                tracing::error!(part = what, error, "not ready");
                let words = match fault {
                    Some(fault) => fault.to_string(),
                    None => "see the log of the server".to_owned(),
                };
                Some(format!("{what} cannot be written: {words}"))
            }
        };
        Self {
            at: Instant::now(),
            problem,
        }
    }
}
