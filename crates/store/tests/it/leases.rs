//! Attempts: one at a time, owned by the newest fence.

use chrono::TimeDelta;
use protocol::phase::{AttemptPhase, Outcome};
use store::{
    StoreError,
    attempts::{self, Subject},
    tokens::NewToken,
};

use crate::fixture::{TestStore, open_attempt};

pub(crate) async fn newest_claim_wins(test: TestStore) -> anyhow::Result<()> {
    let job = test.job(test.dataset().await?).await?;
    let (attempt, _) = test.attempt(job, 1).await?;
    let until = store::now() + TimeDelta::seconds(20);

    let tx = test.store.begin().await?;
    let old = attempts::claim(&tx, attempt.id, until).await?;
    let new = attempts::claim(&tx, attempt.id, until).await?;
    assert!(new > old);
    let stale = attempts::renew(&tx, attempt.id, old, until).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");
    let later = until + TimeDelta::seconds(20);
    attempts::renew(&tx, attempt.id, new, later).await?;
    tx.commit().await?;

    let attempt = attempts::get(&test.store, attempt.id).await?;
    assert_eq!(attempt.phase, AttemptPhase::Running);
    assert_eq!((attempt.fence, attempt.lease_until), (new, Some(later)));

    // The one who holds an old fence cannot end it either.
    let tx = test.store.begin().await?;
    let mut stale = attempt;
    stale.fence = old;
    let ended = attempts::end(&tx, &stale, Outcome::Failed, None).await;
    assert!(matches!(ended, Err(StoreError::Stale { .. })), "{ended:?}");
    Ok(())
}

pub(crate) async fn one_living_attempt_for_each_job(test: TestStore) -> anyhow::Result<()> {
    let job = test.job(test.dataset().await?).await?;
    let (first, _) = test.attempt(job, 1).await?;
    {
        let tx = test.store.begin().await?;
        let second = open_attempt(&tx, job, 2, &NewToken::random()).await;
        assert!(matches!(second, Err(StoreError::Database { .. })), "{second:?}");
    }
    let tx = test.store.begin().await?;
    attempts::end(&tx, &first, Outcome::NeverStarted, None).await?;
    let second = open_attempt(&tx, job, 2, &NewToken::random()).await?;
    tx.commit().await?;
    let alive = attempts::alive_of(&test.store, Subject::Job(job)).await?;
    assert_eq!(alive.map(|attempt| attempt.id), Some(second.id));
    assert_eq!(attempts::alive(&test.store).await?.len(), 1);
    Ok(())
}

pub(crate) async fn ended_attempts_stay_ended(test: TestStore) -> anyhow::Result<()> {
    let job = test.job(test.dataset().await?).await?;
    let (attempt, _) = test.attempt(job, 1).await?;
    let until = store::now() + TimeDelta::seconds(20);
    let tx = test.store.begin().await?;
    attempts::claim(&tx, attempt.id, until).await?;
    let attempt = attempts::get(&tx, attempt.id).await?;
    attempts::end(&tx, &attempt, Outcome::Lost, Some("killed".to_owned())).await?;
    for refused in [
        attempts::claim(&tx, attempt.id, until).await.map(|_| ()),
        attempts::renew(&tx, attempt.id, attempt.fence, until).await,
        attempts::launched(&tx, &attempt, serde_json::json!({})).await,
        attempts::end(&tx, &attempt, Outcome::Completed, None).await,
    ] {
        assert!(matches!(refused, Err(StoreError::Stale { .. })), "{refused:?}");
    }
    assert_eq!(attempts::get(&tx, attempt.id).await?.outcome, Some(Outcome::Lost));
    Ok(())
}
