//! Notices are written with what they tell of, and handed out once.

use chrono::TimeDelta;
use protocol::{
    JobId, WebhookId,
    notice::{DeliveryState, Notice, NoticeKind},
    phase::Phase,
};
use store::{
    Outgoing, StoreError,
    jobs::{self, PhaseChange},
    outbox::{self, Due, Receiver, Tried},
    webhooks::{self, NewWebhook},
};

use crate::fixture::TestStore;

pub(crate) fn webhook(name: &str, events: &[NoticeKind]) -> NewWebhook {
    NewWebhook {
        name: name.to_owned(),
        url: format!("https://{name}.example/hook?key=hidden"),
        secret: "whsec_c2VjcmV0".to_owned(),
        events: events.to_vec(),
    }
}

fn failed(job: JobId) -> (JobId, PhaseChange) {
    let change = PhaseChange::new(Phase::Queued, Phase::Failed);
    (job, change.because("the loss is not finite"))
}

pub(crate) async fn tells_of_what_was_committed(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    store.set_outgoing(Outgoing {
        public_url: Some("https://morpheus.example".to_owned()),
        sends_mail: true,
    });
    let tx = store.begin().await?;
    let told = webhooks::create(&tx, owner, webhook("told", &[NoticeKind::JobFailed])).await?;
    webhooks::create(&tx, owner, webhook("other", &[NoticeKind::JobSucceeded])).await?;
    tx.commit().await?;
    let job = test.job(test.dataset().await?).await?;
    assert_eq!(
        outbox::list(store, owner, None, 10).await?,
        [],
        "it has not ended"
    );

    // What is rolled back tells nobody.
    let (id, change) = failed(job);
    let tx = store.begin().await?;
    jobs::change_phase(&tx, id, change.clone()).await?;
    drop(tx);
    assert_eq!(outbox::list(store, owner, None, 10).await?, []);
    assert_eq!(jobs::get(store, owner, id).await?.phase, Phase::Queued);

    let tx = store.begin().await?;
    jobs::change_phase(&tx, id, change).await?;
    tx.commit().await?;
    let listed = outbox::list(store, owner, None, 10).await?;
    let mut to: Vec<&str> = listed.iter().map(|delivery| delivery.receiver.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["mail", "told"]);
    let now = store::now();
    assert!(outbox::any_due(store, now, false).await?);
    let tx = store.begin().await?;
    let due = outbox::claim(&tx, now, false, 10).await?;
    tx.commit().await?;
    let [due] = due.as_slice() else {
        anyhow::bail!("mail is not for a server that sends none");
    };
    let Receiver::Webhook { id: receiver, .. } = due.receiver else {
        anyhow::bail!("a webhook");
    };
    assert_eq!(receiver, told);
    let notice: Notice = serde_json::from_str(&due.body)?;
    let told_of = notice.data.job.ok_or_else(|| anyhow::anyhow!("a job"))?;
    assert_eq!((told_of.id, told_of.phase), (id, Phase::Failed));
    assert_eq!(told_of.reason.as_deref(), Some("the loss is not finite"));
    assert_eq!(told_of.url, Some(format!("https://morpheus.example/jobs/{id}")));
    let shown = serde_json::to_string(&(listed, webhooks::list(store, owner).await?))?;
    for secret in ["hidden", "whsec"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    Ok(())
}

pub(crate) async fn hands_a_notice_out_until_it_arrived(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    let tx = store.begin().await?;
    let to = webhooks::create(&tx, owner, webhook("told", &[NoticeKind::JobFailed])).await?;
    let id = outbox::test_webhook(&tx, owner, to).await?;
    tx.commit().await?;
    let claim = async |now| -> anyhow::Result<usize> {
        let tx = store.begin().await?;
        let due = outbox::claim(&tx, now, true, 10).await?;
        tx.commit().await?;
        assert!(due.iter().all(|due| due.id == id));
        Ok(due.len())
    };
    let now = store::now();
    assert_eq!(claim(now).await?, 1);
    // Another server waits until the one that has it is surely gone.
    assert_eq!(claim(now + TimeDelta::seconds(60)).await?, 0);
    assert!(!outbox::any_due(store, now + TimeDelta::seconds(60), true).await?);
    assert_eq!(claim(now + TimeDelta::seconds(100)).await?, 1);

    let no = Tried {
        status: Some(503),
        error: Some("no".to_owned()),
    };
    let tx = store.begin().await?;
    outbox::put_off(&tx, id, now + TimeDelta::hours(1), no.clone()).await?;
    tx.commit().await?;
    assert_eq!(claim(now + TimeDelta::minutes(59)).await?, 0);
    assert_eq!(claim(now + TimeDelta::minutes(61)).await?, 1);
    let yes = Tried {
        status: Some(204),
        error: None,
    };
    let tx = store.begin().await?;
    outbox::delivered(&tx, id, yes).await?;
    // A server that was slow cannot change that any more.
    outbox::failed(&tx, id, no).await?;
    tx.commit().await?;
    let delivery = outbox::get(store, owner, id).await?;
    assert_eq!(
        (delivery.state, delivery.n_attempts, delivery.status),
        (DeliveryState::Delivered, 2, Some(204))
    );
    assert_eq!(claim(now + TimeDelta::days(2)).await?, 0);
    assert_eq!(
        outbox::tally(store, owner).await?,
        [(DeliveryState::Delivered, 1)]
    );

    let tx = store.begin().await?;
    outbox::send_again(&tx, owner, id).await?;
    tx.commit().await?;
    assert_eq!(claim(store::now()).await?, 1);

    // Nothing waits for a webhook that is disabled, and nothing is left of one that is deleted.
    let tx = store.begin().await?;
    assert!(webhooks::disable(&tx, to, "gone").await?.is_some());
    assert!(webhooks::disable(&tx, to, "gone").await?.is_none());
    tx.commit().await?;
    assert_eq!(outbox::get(store, owner, id).await?.state, DeliveryState::Failed);
    let stranger = protocol::OwnerId::new();
    let tx = store.begin().await?;
    let kept = webhooks::delete(&tx, stranger, to).await;
    assert!(matches!(kept, Err(StoreError::NotFound { .. })), "{kept:?}");
    webhooks::delete(&tx, owner, to).await?;
    tx.commit().await?;
    assert_eq!(outbox::list(store, owner, None, 10).await?, []);
    Ok(())
}

pub(crate) async fn no_receiver_waits_for_another(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    let tx = store.begin().await?;
    let silent = webhooks::create(&tx, owner, webhook("silent", &[])).await?;
    let other = webhooks::create(&tx, owner, webhook("other", &[])).await?;
    for to in [silent, silent, silent, other] {
        outbox::test_webhook(&tx, owner, to).await?;
    }
    tx.commit().await?;
    let now = store::now();
    let claim = async || -> anyhow::Result<Vec<Due>> {
        let tx = store.begin().await?;
        let due = outbox::claim(&tx, now, false, 10).await?;
        tx.commit().await?;
        Ok(due)
    };
    let to = |due: &[Due]| -> Vec<WebhookId> {
        let ids = due.iter().filter_map(|due| match due.receiver {
            Receiver::Webhook { id, .. } => Some(id),
            Receiver::Mail => None,
        });
        ids.collect()
    };
    let first = claim().await?;
    assert_eq!(to(&first), [silent, other]);
    assert!(!outbox::any_due(store, now, false).await?);
    assert_eq!(to(&claim().await?), []);
    let no = Tried {
        status: None,
        error: Some("no answer".to_owned()),
    };
    let tx = store.begin().await?;
    outbox::failed(&tx, first[0].id, no).await?;
    tx.commit().await?;
    assert!(outbox::any_due(store, now, false).await?);
    assert_eq!(to(&claim().await?), [silent]);
    Ok(())
}

pub(crate) async fn tells_once_that_a_job_waits(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    let kind = NoticeKind::JobWaitsForMoney;
    let tx = store.begin().await?;
    webhooks::create(&tx, owner, webhook("told", &[kind])).await?;
    tx.commit().await?;
    let job = test.job(test.dataset().await?).await?;
    let wait = async |reason: &str| -> anyhow::Result<usize> {
        let tx = store.begin().await?;
        jobs::put_off(&tx, job, reason, store::now()).await?;
        outbox::tell_of_queued_job(&tx, job, kind).await?;
        tx.commit().await?;
        Ok(outbox::list(store, owner, None, 10).await?.len())
    };
    for reason in [
        "waits for money: 1",
        "the server's disk is nearly full",
        "waits for money: 2",
    ] {
        assert_eq!(wait(reason).await?, 1, "{reason}");
    }
    let go = async |from: Phase, to: Phase| -> anyhow::Result<()> {
        let tx = store.begin().await?;
        jobs::change_phase(&tx, job, PhaseChange::new(from, to)).await?;
        Ok(tx.commit().await?)
    };
    go(Phase::Queued, Phase::Stopped).await?;
    assert_eq!(wait("waits for money: 3").await?, 1, "it does not wait");
    go(Phase::Stopped, Phase::Queued).await?;
    assert_eq!(wait("waits for money: 4").await?, 2);
    Ok(())
}

pub(crate) async fn tells_of_the_disk_once_an_hour(test: TestStore) -> anyhow::Result<()> {
    let (store, owner) = (&test.store, test.owner());
    let tx = store.begin().await?;
    webhooks::create(&tx, owner, webhook("told", &[NoticeKind::DiskShort])).await?;
    for _ in 0..3 {
        outbox::tell_of_disk(&tx, "nearly full".to_owned()).await?;
    }
    tx.commit().await?;
    let listed = outbox::list(store, owner, None, 10).await?;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].message, "nearly full");
    let tx = store.begin().await?;
    assert_eq!(outbox::forget(&tx, store::now() + TimeDelta::days(1)).await?, 1);
    tx.commit().await?;
    Ok(())
}
