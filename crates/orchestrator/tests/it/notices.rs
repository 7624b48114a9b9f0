//! Notices: signed, sent again until they arrive, never to addresses inside, and by mail.

mod receivers;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use orchestrator::{MailOptions, NoticeOptions, ServiceError};
use protocol::{
    OwnerId,
    agent::ArtifactKind,
    audit::AuditAction,
    notice::{CreateWebhook, CreatedWebhook, Delivery, DeliveryState, Notice, NoticeKind},
    phase::{Outcome, Phase},
};
use receivers::{MailServer, WebServer};
use sha2::Sha256;
use store::{audit, outbox, webhooks};

use crate::fixture::{Bench, picture};

/// A bench that may tell receivers on this machine.
async fn bench() -> anyhow::Result<Bench> {
    Bench::with(|options| {
        options.notices = NoticeOptions {
            public_url: Some("https://morpheus.example".to_owned()),
            allowed: ["127.0.0.0/8"]
                .iter()
                .filter_map(|range| range.parse().ok())
                .collect(),
            mail: None,
        };
    })
    .await
}

impl Bench {
    async fn webhook(&self, url: &str, event: NoticeKind) -> Result<CreatedWebhook, ServiceError> {
        let request = CreateWebhook {
            name: format!("{event:?}"),
            url: url.to_owned(),
            events: vec![event],
        };
        self.orchestrator.create_webhook(self.owner(), request).await
    }

    async fn send(&self, after: TimeDelta) -> anyhow::Result<()> {
        let sent = self.orchestrator.send_notices_after(after).await;
        sent.map_err(|err| anyhow::anyhow!(err))
    }

    async fn newest_delivery(&self) -> anyhow::Result<Delivery> {
        let mut listed = outbox::list(self.store(), self.owner(), None, 1).await?;
        listed.pop().ok_or_else(|| anyhow::anyhow!("a delivery"))
    }
}

#[tokio::test]
async fn a_job_that_ends_is_told_to_who_asked_for_it() -> anyhow::Result<()> {
    let bench = bench().await?;
    let mut receiver = WebServer::start(&[]).await?;
    let made = bench.webhook(&receiver.url(), NoticeKind::JobStopped).await?;
    bench.webhook(&receiver.url(), NoticeKind::JobFailed).await?;
    let job = bench.queue().await?;
    bench.orchestrator.stop_job(bench.owner(), job.id).await?;
    bench.pass().await?;

    let asked = receiver.next().await?;
    let header = |name: &str| asked.headers.get(name).cloned().unwrap_or_default();
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    let key = BASE64_STANDARD.decode(made.secret.trim_start_matches("whsec_"))?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key)?;
    mac.update(format!("{id}.{at}.{}", asked.body).as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(header("webhook-signature"), format!("v1,{signature}"));
    let notice: Notice = serde_json::from_str(&asked.body)?;
    assert_eq!((notice.version, notice.kind), (1, NoticeKind::JobStopped));
    let told = notice.data.job.ok_or_else(|| anyhow::anyhow!("a job"))?;
    assert_eq!((told.id, told.phase), (job.id, Phase::Stopped));
    assert_eq!(told.name, "Zora");
    assert_eq!(
        told.url,
        Some(format!("https://morpheus.example/jobs/{}", job.id))
    );
    let delivery = bench.newest_delivery().await?;
    assert_eq!(
        (delivery.state, delivery.status),
        (DeliveryState::Delivered, Some(200))
    );
    assert_eq!(id, format!("msg_{}", delivery.id));
    assert!(receiver.is_quiet(), "one notice, to one of both");
    Ok(())
}

#[tokio::test]
async fn a_server_that_dies_after_sending_sends_it_again_with_the_same_id() -> anyhow::Result<()> {
    let bench = bench().await?;
    // It keeps the first request waiting.
    let mut receiver = WebServer::start(&[None]).await?;
    let made = bench.webhook(&receiver.url(), NoticeKind::JobFailed).await?;
    bench
        .orchestrator
        .test_webhook(bench.owner(), made.webhook.id)
        .await?;
    let first = tokio::select! {
        done = bench.send(TimeDelta::zero()) => anyhow::bail!("it was answered: {done:?}"),
        first = receiver.next() => first?,
    };
    // The lease of the dead one still holds.
    bench.send(TimeDelta::seconds(30)).await?;
    assert!(receiver.is_quiet());
    bench.send(TimeDelta::minutes(2)).await?;
    let second = receiver.next().await?;
    assert_eq!(first.headers["webhook-id"], second.headers["webhook-id"]);
    assert_eq!(first.body, second.body);
    assert_eq!(bench.newest_delivery().await?.state, DeliveryState::Delivered);
    Ok(())
}

#[tokio::test]
async fn what_is_refused_is_sent_again_later_and_never_to_who_is_gone() -> anyhow::Result<()> {
    let bench = bench().await?;
    let mut receiver = WebServer::start(&[Some(503), Some(302), Some(200), Some(410)]).await?;
    let made = bench.webhook(&receiver.url(), NoticeKind::JobStopped).await?;
    let (owner, id) = (bench.owner(), made.webhook.id);
    bench.orchestrator.test_webhook(owner, id).await?;
    bench.send(TimeDelta::zero()).await?;
    let delivery = bench.newest_delivery().await?;
    assert_eq!(
        (delivery.state, delivery.status),
        (DeliveryState::Waiting, Some(503))
    );
    bench.send(TimeDelta::zero()).await?;
    let mut n_asked = 0;
    for (after, status) in [(1, 302), (2, 200)] {
        bench.send(TimeDelta::minutes(after)).await?;
        assert_eq!(bench.newest_delivery().await?.status, Some(status));
        n_asked += 1;
    }
    let delivery = bench.newest_delivery().await?;
    assert_eq!(
        (delivery.state, delivery.n_attempts),
        (DeliveryState::Delivered, 3)
    );

    bench.orchestrator.send_notice_again(owner, delivery.id).await?;
    bench.send(TimeDelta::zero()).await?;
    let ids: Vec<String> = receiver.take(n_asked + 2).await?;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(bench.newest_delivery().await?.state, DeliveryState::Failed);
    let listed = webhooks::list(bench.store(), owner).await?;
    assert!(
        listed[0]
            .disabled
            .as_deref()
            .is_some_and(|reason| reason.contains("410"))
    );
    let filter = audit::Filter::default();
    let entries = audit::list(bench.store(), owner, &filter, 10).await?;
    assert!(
        entries
            .iter()
            .any(|entry| entry.action == AuditAction::WebhookDisabled)
    );
    let refused = bench.orchestrator.test_webhook(owner, id).await;
    assert!(matches!(refused, Err(ServiceError::Conflict(_))), "{refused:?}");
    // A job that ends now is told to nobody.
    let job = bench.queue().await?;
    bench.orchestrator.stop_job(owner, job.id).await?;
    bench.send(TimeDelta::days(1)).await?;
    assert!(receiver.is_quiet());
    Ok(())
}

#[tokio::test]
async fn no_address_inside_is_told_of_anything() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let receiver = WebServer::start(&[]).await?;
    let refused = bench.webhook(&receiver.url(), NoticeKind::JobFailed).await;
    let refused = refused.err().map(|err| err.to_string()).unwrap_or_default();
    assert!(refused.contains("url: `127.0.0.1`"), "{refused}");
    // A name shows where it leads only when it is used.
    let by_name = receiver.url().replace("127.0.0.1", "localhost");
    let made = bench.webhook(&by_name, NoticeKind::JobFailed).await?;
    let owner: OwnerId = bench.owner();
    bench.orchestrator.test_webhook(owner, made.webhook.id).await?;
    bench.send(TimeDelta::zero()).await?;
    let delivery = bench.newest_delivery().await?;
    assert_eq!(delivery.state, DeliveryState::Failed);
    let error = delivery.error.unwrap_or_default();
    assert!(error.contains("--allow-webhooks-to"), "{error}");
    assert!(receiver.is_quiet());
    Ok(())
}

#[tokio::test]
async fn mail_is_sent_once_the_server_takes_it() -> anyhow::Result<()> {
    // The first conversation is turned away for now.
    let mut server = MailServer::start(1).await?;
    let to = ["zora@example.org".to_owned(), "max@example.org".to_owned()];
    let mail = MailOptions::new(&server.url(), "Morpheus <morpheus@example.org>", &to)?;
    let bench = Bench::with(|options| options.notices.mail = Some(mail)).await?;
    let (job, agent, held) = bench.claimed().await?;
    let kind = ArtifactKind::Sample {
        step: 1,
        prompt_index: 0,
        prompt: "portrait of zora".to_owned(),
        seed: 1,
    };
    agent.bring(&held, kind, picture("sample")).await?;
    agent.finish(&held, Outcome::Failed).await?;
    assert_eq!(bench.phase(job.id).await?, Phase::Failed);
    bench.send(TimeDelta::zero()).await?;
    assert_eq!(bench.newest_delivery().await?.state, DeliveryState::Waiting);
    bench.send(TimeDelta::minutes(1)).await?;
    let delivery = bench.newest_delivery().await?;
    assert_eq!(
        (delivery.state, delivery.receiver.as_str()),
        (DeliveryState::Delivered, "mail")
    );
    let mail = server.next().await?;
    for part in [
        "RCPT TO:<zora@example.org>",
        "RCPT TO:<max@example.org>",
        "From: Morpheus <morpheus@example.org>",
        &format!("Message-ID: <{}@morpheus>", delivery.id),
        "Content-Type: image/png",
        "as it was",
    ] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    Ok(())
}
