//! Webhooks and what was delivered.

use protocol::{
    DeliveryId, OwnerId, WebhookId,
    audit::AuditAction,
    limits::{MAX_WEBHOOK_URL_BYTES, MAX_WEBHOOKS},
    notice::{CreateWebhook, CreatedWebhook, Delivery, NoticeKind},
    text::checked_name,
};
use store::{
    audit, outbox,
    webhooks::{self, NewWebhook},
};

use crate::{Orchestrator, ServiceError, ServiceResult, notices::new_secret};

impl Orchestrator {
    /// Adds a webhook; its secret is in the answer only.
    pub async fn create_webhook(
        &self,
        owner: OwnerId,
        request: CreateWebhook,
    ) -> ServiceResult<CreatedWebhook> {
        let new = self.new_webhook(request)?;
        let tx = self.store.begin().await?;
        if webhooks::has(&tx, owner, &new.name).await? {
            return Err(ServiceError::field(
                "name",
                format!(
                    "`{}` is already the name of a webhook: choose another, or delete that one",
                    new.name
                ),
            ));
        }
        if webhooks::count(&tx, owner).await? >= MAX_WEBHOOKS as u64 {
            return Err(ServiceError::Conflict(format!(
                "there are {MAX_WEBHOOKS} webhooks: delete one first"
            )));
        }
        let (name, secret) = (new.name.clone(), new.secret.clone());
        let id = webhooks::create(&tx, owner, new).await?;
        let webhook = webhooks::get(&tx, owner, id).await?;
        audit::record(&tx, AuditAction::WebhookMade, &name, &webhook.origin).await?;
        let refusal = format!(
            "the webhook `{name}` was made by the first request with this Idempotency-Key, and its secret is shown once \
             only: delete it, and make another with a new key"
        );
        let made = CreatedWebhook { webhook, secret };
        Ok(tx.commit_with_secret(made, refusal).await?)
    }

    fn new_webhook(&self, request: CreateWebhook) -> ServiceResult<NewWebhook> {
        let name = checked_name(&request.name).map_err(|problem| ServiceError::field("name", problem))?;
        let url = request.url.trim().to_owned();
        if url.len() > MAX_WEBHOOK_URL_BYTES {
            return Err(ServiceError::field(
                "url",
                format!("must have at most {MAX_WEBHOOK_URL_BYTES} bytes"),
            ));
        }
        self.notices
            .check(&url)
            .map_err(|problem| ServiceError::field("url", problem))?;
        let mut events: Vec<NoticeKind> = Vec::new();
        for event in request.events {
            if !NoticeKind::CHOICES.contains(&event) {
                return Err(ServiceError::field(
                    "events",
                    "`test` is sent when somebody asks for it: leave it out",
                ));
            }
            if !events.contains(&event) {
                events.push(event);
            }
        }
        if events.is_empty() {
            return Err(ServiceError::field("events", "choose at least one"));
        }
        Ok(NewWebhook {
            name: name.to_owned(),
            url,
            secret: new_secret(),
            events,
        })
    }

    /// Deletes a webhook with its deliveries.
    pub async fn delete_webhook(&self, owner: OwnerId, id: WebhookId) -> ServiceResult<()> {
        let tx = self.store.begin().await?;
        let webhook = webhooks::get(&tx, owner, id).await?;
        webhooks::delete(&tx, owner, id).await?;
        audit::record(&tx, AuditAction::WebhookDeleted, &webhook.name, &webhook.origin).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Sends a test to a webhook.
    pub async fn test_webhook(&self, owner: OwnerId, id: WebhookId) -> ServiceResult<Delivery> {
        let tx = self.store.begin().await?;
        let webhook = webhooks::get(&tx, owner, id).await?;
        if let Some(reason) = webhook.disabled {
            return Err(ServiceError::Conflict(reason));
        }
        let delivery = outbox::test_webhook(&tx, owner, id).await?;
        audit::record(&tx, AuditAction::WebhookTested, &webhook.name, "").await?;
        let delivery = outbox::get(&tx, owner, delivery).await?;
        Ok(tx.commit_with(delivery).await?)
    }

    /// Sends a test mail.
    pub async fn test_mail(&self, owner: OwnerId) -> ServiceResult<Delivery> {
        if !self.notices.sends_mail() {
            return Err(ServiceError::Conflict(
                "this server sends no mail: start it with --smtp-url, --mail-from and --mail-to".to_owned(),
            ));
        }
        let tx = self.store.begin().await?;
        let delivery = outbox::test_mail(&tx, owner).await?;
        audit::record(&tx, AuditAction::MailTested, "", "").await?;
        let delivery = outbox::get(&tx, owner, delivery).await?;
        Ok(tx.commit_with(delivery).await?)
    }

    /// Sends a notice again, with the same id.
    pub async fn send_notice_again(&self, owner: OwnerId, id: DeliveryId) -> ServiceResult<Delivery> {
        let tx = self.store.begin().await?;
        let delivery = outbox::get(&tx, owner, id).await?;
        if let Some(webhook) = delivery.webhook_id
            && let Some(reason) = webhooks::get(&tx, owner, webhook).await?.disabled
        {
            return Err(ServiceError::Conflict(reason));
        }
        outbox::send_again(&tx, owner, id).await?;
        audit::record(
            &tx,
            AuditAction::DeliveryRepeated,
            &delivery.receiver,
            &id.to_string(),
        )
        .await?;
        let delivery = outbox::get(&tx, owner, id).await?;
        tx.commit().await?;
        Ok(delivery)
    }
}
