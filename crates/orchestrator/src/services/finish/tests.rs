//! Whoever waits for the check of a large file keeps its work.

use protocol::generation::CreateGeneration;
use store::{
    Store,
    attempts::{Claimant, NewAttempt},
    generations,
    tokens::NewToken,
};

use super::*;
use crate::Options;

const LEASE: Duration = Duration::from_millis(600);
const DEADLINE: Duration = Duration::from_secs(30);

/// An orchestrator, and an attempt at it that an agent has just claimed.
async fn held() -> anyhow::Result<(tempfile::TempDir, Orchestrator, Attempt)> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path()).await?;
    let options = Options {
        lease: LEASE,
        ..Options::new(Vec::new(), Vec::new())
    };
    let orchestrator = Orchestrator::new(store, options);
    let store = &orchestrator.store;
    let request: CreateGeneration =
        serde_json::from_value(serde_json::json!({ "base_model": "tiny-xl", "prompt": "zora" }))?;
    let tx = store.begin().await?;
    let id = generations::create(&tx, store.default_owner(), &request).await?;
    let new = NewAttempt {
        subject: Subject::Generation(id),
        n: 1,
        provider: "local",
        claimant: Claimant::Own(&NewToken::random()),
        start_step: 0,
    };
    let attempt = attempts::open(&tx, new).await?;
    attempts::claim(&tx, attempt.id, orchestrator.lease_end()).await?;
    let attempt = attempts::get(&tx, attempt.id).await?;
    tx.commit().await?;
    Ok((folder, orchestrator, attempt))
}

/// The end of an attempt's lease once it has moved so often.
async fn wait_for_renewals(
    store: &Store,
    id: AttemptId,
    n: usize,
) -> ServiceResult<chrono::DateTime<chrono::Utc>> {
    let deadline = Instant::now() + DEADLINE;
    let mut seen = vec![attempts::get(store, id).await?.lease_until];
    while seen.len() <= n {
        assert!(Instant::now() < deadline, "the lease stays at {seen:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
        let until = attempts::get(store, id).await?.lease_until;
        if seen.last() != Some(&until) {
            seen.push(until);
        }
    }
    assert!(seen.is_sorted(), "{seen:?}");
    Ok(seen[n].expect("it is held"))
}

#[tokio::test]
async fn a_lease_is_renewed_while_a_result_is_checked() -> anyhow::Result<()> {
    let (_folder, orchestrator, attempt) = held().await?;
    let begun = attempts::get(&orchestrator.store, attempt.id).await?.lease_until;
    // Six thirds of a lease: without the renewals it would have ended half-way.
    let work = wait_for_renewals(&orchestrator.store, attempt.id, 6);
    let until = orchestrator.holding(attempt.id, attempt.fence, work).await?;
    assert!(Some(until) >= begun.map(|begun| begun + chrono::TimeDelta::milliseconds(1000)));
    let found = attempts::get(&orchestrator.store, attempt.id).await?;
    assert!(found.lease_until >= Some(until));
    assert_eq!(found.fence, attempt.fence);
    Ok(())
}

/// A renewal that finds nothing to renew leaves no trace to wait for.
async fn wait_until_it_was_to_be_renewed_again() {
    tokio::time::sleep(LEASE).await;
}

#[tokio::test]
async fn what_was_lost_meanwhile_is_not_held_and_the_check_goes_on() -> anyhow::Result<()> {
    let (_folder, orchestrator, attempt) = held().await?;
    let (store, id) = (orchestrator.store.clone(), attempt.id);
    let work = async {
        wait_for_renewals(&store, id, 1).await?;
        let tx = store.begin().await?;
        let attempt = attempts::get(&tx, id).await?;
        attempts::end(&tx, &attempt, Outcome::Lost, None).await?;
        tx.commit().await?;
        let ended = attempts::get(&store, id).await?.lease_until;
        wait_until_it_was_to_be_renewed_again().await;
        Ok(ended)
    };
    let ended = orchestrator.holding(id, attempt.fence, work).await?;
    assert_eq!(attempts::get(&store, id).await?.lease_until, ended);
    Ok(())
}

/// What the check says is the answer, whenever it comes.
#[tokio::test]
async fn a_refusal_is_passed_on() -> anyhow::Result<()> {
    let (_folder, orchestrator, attempt) = held().await?;
    let work = async { Err::<(), _>(ServiceError::LeaseLost) };
    let outcome = orchestrator.holding(attempt.id, attempt.fence, work).await;
    assert!(matches!(outcome, Err(ServiceError::LeaseLost)), "{outcome:?}");
    Ok(())
}

#[test]
fn a_job_waits_longer_each_time_that_its_disk_has_no_room() {
    let seconds = |n_before| room_pause(n_before).as_secs();
    assert_eq!([0, 1, 2, 4, 5, 1000].map(seconds), [10, 20, 40, 160, 300, 300]);
}
