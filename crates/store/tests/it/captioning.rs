//! Runs that describe pictures, and what they propose, on both databases.

use chrono::TimeDelta;
use protocol::{
    CaptionEndpointId, CaptionRunId, DatasetId, ItemId,
    captioning::{CaptionPolicy, CaptionProposalState, CaptionRunState},
};
use store::{
    StoreError,
    caption_endpoints::{self, SecretEndpoint},
    datasets::{self, CaptionWork, Described, NewCaptionRun},
};

use crate::fixture::TestStore;

pub(crate) fn endpoint(name: &str) -> SecretEndpoint {
    SecretEndpoint {
        name: name.to_owned(),
        url: "https://a.example/hidden/v1".to_owned(),
        model: "m".to_owned(),
        key: Some("hidden-key".to_owned()),
    }
}

pub(crate) fn run(endpoint_id: CaptionEndpointId, items: &[ItemId]) -> NewCaptionRun {
    NewCaptionRun {
        endpoint_id,
        endpoint: "ours".to_owned(),
        model: "m".to_owned(),
        prompt: "Describe {name}.".to_owned(),
        policy: CaptionPolicy::Add,
        trigger_word: "zora".to_owned(),
        items: items
            .iter()
            .map(|item| (*item, "a.png".to_owned(), "before".to_owned()))
            .collect(),
    }
}

/// A run over pictures that nobody looks at.
async fn started(test: &TestStore, n: usize) -> anyhow::Result<(DatasetId, CaptionEndpointId, CaptionRunId)> {
    let (dataset, owner) = (test.dataset().await?, test.owner());
    let items: Vec<ItemId> = (0..n).map(|_| ItemId::new()).collect();
    let tx = test.store.begin().await?;
    let made = caption_endpoints::create(&tx, owner, endpoint("ours")).await?;
    let run = datasets::create_caption_run(&tx, owner, dataset, run(made, &items)).await?;
    tx.commit().await?;
    assert_eq!((run.state, run.n_items), (CaptionRunState::Running, n as u64));
    Ok((dataset, made, run.id))
}

async fn claimed(test: &TestStore, after: TimeDelta) -> anyhow::Result<Option<CaptionWork>> {
    let tx = test.store.begin().await?;
    let work = datasets::claim_caption_work(&tx, store::now() + after).await?;
    tx.commit().await?;
    Ok(work)
}

async fn record(test: &TestStore, work: &CaptionWork, described: Described) -> anyhow::Result<u64> {
    let waiting = datasets::waiting_captions(&test.store, work.id, 1).await?;
    let picture = waiting.first().ok_or_else(|| anyhow::anyhow!("a picture"))?;
    let tx = test.store.begin().await?;
    let n_failed = datasets::record_description(&tx, work, picture, &described).await?;
    tx.commit().await?;
    Ok(n_failed)
}

fn proposed() -> Described {
    Described::Proposed {
        before: "now".to_owned(),
        after: "now, a hat\0".to_owned(),
    }
}

pub(crate) async fn endpoints_keep_their_secrets(test: TestStore) -> anyhow::Result<()> {
    let owner = test.owner();
    let tx = test.store.begin().await?;
    let id = caption_endpoints::create(&tx, owner, endpoint("ours")).await?;
    assert!(caption_endpoints::has(&tx, owner, "ours").await?);
    assert_eq!(caption_endpoints::count(&tx, owner).await?, 1);
    tx.commit().await?;
    let listed = caption_endpoints::list(&test.store, owner).await?;
    assert_eq!(listed, [caption_endpoints::get(&test.store, owner, id).await?]);
    assert_eq!(listed[0].origin, "https://a.example");
    let shown = serde_json::to_string(&listed)?;
    assert!(listed[0].has_key && !shown.contains("hidden"), "{shown}");
    let secret = caption_endpoints::secret(&test.store, owner, id).await?;
    assert_eq!(secret.key.as_deref(), Some("hidden-key"));
    Ok(())
}

pub(crate) async fn one_server_at_a_time_describes(test: TestStore) -> anyhow::Result<()> {
    let (dataset, _, run) = started(&test, 3).await?;
    let owner = test.owner();
    let first = claimed(&test, TimeDelta::zero()).await?;
    let first = first.ok_or_else(|| anyhow::anyhow!("a run"))?;
    assert_eq!((first.id, first.dataset, first.owner), (run, dataset, owner));
    assert!(claimed(&test, TimeDelta::seconds(60)).await?.is_none());
    assert!(datasets::has_caption_work(&test.store, &first).await?);
    assert_eq!(record(&test, &first, proposed()).await?, 0);

    // The first one is gone, or seems to be.
    let second = claimed(&test, TimeDelta::seconds(120)).await?;
    let second = second.ok_or_else(|| anyhow::anyhow!("a run"))?;
    assert!(!datasets::has_caption_work(&test.store, &first).await?);
    record(&test, &first, proposed()).await?;
    let found = datasets::find_caption_run(&test.store, owner, dataset, run).await?;
    assert_eq!((found.n_done, found.n_open), (1, 1), "it is too late");
    let failed = || Described::EndpointFailed("no".to_owned());
    assert_eq!(record(&test, &second, failed()).await?, 1);
    assert_eq!(record(&test, &second, failed()).await?, 2);

    let tx = test.store.begin().await?;
    datasets::end_caption_work(&tx, &second, None).await?;
    tx.commit().await?;
    let found = datasets::find_caption_run(&test.store, owner, dataset, run).await?;
    assert_eq!(
        (found.state, found.n_done, found.n_failed),
        (CaptionRunState::Done, 3, 2)
    );
    let listed = datasets::caption_proposals(&test.store, run, None, 10).await?;
    let states: Vec<CaptionProposalState> = listed.iter().map(|proposal| proposal.state).collect();
    use CaptionProposalState::{Failed, Open};
    assert_eq!(states, [Open, Failed, Failed]);
    assert_eq!(listed[0].after.as_deref(), Some("now, a hat\u{fffd}"));
    assert_eq!(listed[0].before, "now");
    let later = datasets::caption_proposals(&test.store, run, Some(listed[0].id), 1).await?;
    assert_eq!(later, listed[1..2]);
    Ok(())
}

pub(crate) async fn stop_when_they_are_told(test: TestStore) -> anyhow::Result<()> {
    let (dataset, endpoint, run) = started(&test, 2).await?;
    let owner = test.owner();
    let work = claimed(&test, TimeDelta::zero()).await?;
    let work = work.ok_or_else(|| anyhow::anyhow!("a run"))?;
    record(&test, &work, proposed()).await?;
    let tx = test.store.begin().await?;
    assert!(datasets::has_running_caption_run(&tx, dataset).await?);
    assert!(datasets::stop_caption_run(&tx, dataset, run).await?);
    assert!(!datasets::stop_caption_run(&tx, dataset, run).await?);
    caption_endpoints::delete(&tx, owner, endpoint).await?;
    tx.commit().await?;
    record(&test, &work, proposed()).await?;
    let tx = test.store.begin().await?;
    datasets::end_caption_work(&tx, &work, Some("late")).await?;
    tx.commit().await?;
    let found = datasets::find_caption_run(&test.store, owner, dataset, run).await?;
    assert_eq!(
        (found.state, found.n_done, found.error),
        (CaptionRunState::Stopped, 1, None)
    );

    let open = datasets::open_caption_proposals(&test.store, run).await?;
    let tx = test.store.begin().await?;
    let dismissed = CaptionProposalState::Dismissed;
    datasets::settle_caption_proposals(&tx, run, &[open[0].id], dismissed).await?;
    tx.commit().await?;
    assert_eq!(datasets::open_caption_proposals(&test.store, run).await?, []);

    let tx = test.store.begin().await?;
    datasets::delete(&tx, owner, dataset).await?;
    tx.commit().await?;
    let gone = datasets::find_caption_run(&test.store, owner, dataset, run).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })));
    assert_eq!(datasets::caption_proposals(&test.store, run, None, 10).await?, []);
    Ok(())
}
