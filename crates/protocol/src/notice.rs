//! Notices: what webhooks and mail tell of jobs that ended, wait for money, or reached their limit, and of a disk that is
//! nearly full.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    DeliveryId, JobId, MicroUsd, ModelVersionId, WebhookId, limits::MAX_NOTICE_REASON_BYTES, phase::Phase,
    text::shortened,
};

/// Version of the body of a notice. Fields may be added to it without a new one.
pub const NOTICE_VERSION: u32 = 1;

/// What a notice tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum NoticeKind {
    /// A job was trained, and its LoRA passed the checks.
    #[serde(rename = "job.succeeded")]
    JobSucceeded,
    /// A job failed with an error that a retry does not fix.
    #[serde(rename = "job.failed")]
    JobFailed,
    /// A job ended before its last step, and can be resumed.
    #[serde(rename = "job.stopped")]
    JobStopped,
    /// A job stopped because its cost limit is used up. `job.stopped` is sent as well.
    #[serde(rename = "job.limit_reached")]
    JobLimitReached,
    /// A queued job waits because a budget has too little left.
    #[serde(rename = "job.waits_for_money")]
    JobWaitsForMoney,
    /// The server's disk is nearly full; work is paused. Sent at most once an hour.
    #[serde(rename = "disk.short")]
    DiskShort,
    /// A person asked for a test.
    #[serde(rename = "test")]
    Test,
}

impl NoticeKind {
    /// Those that a webhook may choose.
    pub const CHOICES: [Self; 6] = [
        Self::JobSucceeded,
        Self::JobFailed,
        Self::JobStopped,
        Self::JobLimitReached,
        Self::JobWaitsForMoney,
        Self::DiskShort,
    ];

    /// What is told of a job that enters this phase, if anything is. Nobody is told of a job that a person canceled.
    pub fn of_phase(phase: Phase) -> Option<Self> {
        match phase {
            Phase::Succeeded => Some(Self::JobSucceeded),
            Phase::Failed => Some(Self::JobFailed),
            Phase::Stopped => Some(Self::JobStopped),
            Phase::Queued
            | Phase::Launching
            | Phase::Running
            | Phase::Finalizing
            | Phase::Stopping
            | Phase::Cancelling
            | Phase::Cancelled => None,
        }
    }

    /// The sentence that a person reads about a job.
    pub fn sentence(self, job: &str, reason: Option<&str>) -> String {
        let after = |what: &str| match reason {
            Some(reason) => format!("The job “{job}” {what}: {reason}"),
            None => format!("The job “{job}” {what}."),
        };
        match self {
            Self::JobSucceeded => format!("The job “{job}” succeeded."),
            Self::JobFailed => after("failed"),
            Self::JobStopped => after("stopped and can be resumed"),
            Self::JobLimitReached => after("stopped"),
            // The reason says for what it waits.
            Self::JobWaitsForMoney => match reason {
                Some(reason) => format!("The job “{job}” {reason}"),
                None => format!("The job “{job}” waits for money."),
            },
            Self::DiskShort => "The server's disk is nearly full.".to_owned(),
            Self::Test => "This is a test from Morpheus.".to_owned(),
        }
    }
}

/// The body of a notice, as a webhook receives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    /// Version of this format: 1.
    pub version: u32,
    /// What it tells of.
    #[serde(rename = "type")]
    pub kind: NoticeKind,
    /// When it happened.
    pub timestamp: DateTime<Utc>,
    /// The details.
    pub data: NoticeData,
}

/// Details of a notice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NoticeData {
    /// One sentence for a person.
    pub message: String,
    /// The job, unless the notice is about the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<NoticeJob>,
}

/// A job in a notice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NoticeJob {
    /// Its id.
    pub id: JobId,
    /// Name of the LoRA.
    pub name: String,
    /// Its phase when the notice was written.
    pub phase: Phase,
    /// Why it is in this phase, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The base model it trains on.
    pub base_model: String,
    /// Amount spent on rented machines, in micro-dollars.
    pub spent_micro_usd: MicroUsd,
    /// The model version it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version_id: Option<ModelVersionId>,
    /// Its page, if the server has a public URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Notice {
    /// A notice about a job.
    pub fn of_job(kind: NoticeKind, timestamp: DateTime<Utc>, mut job: NoticeJob) -> Self {
        job.reason = job
            .reason
            .map(|reason| shortened(reason, MAX_NOTICE_REASON_BYTES));
        let message = kind.sentence(&job.name, job.reason.as_deref());
        Self {
            version: NOTICE_VERSION,
            kind,
            timestamp,
            data: NoticeData {
                message,
                job: Some(job),
            },
        }
    }

    /// A notice about the server.
    pub fn of_server(kind: NoticeKind, timestamp: DateTime<Utc>, message: String) -> Self {
        Self {
            version: NOTICE_VERSION,
            kind,
            timestamp,
            data: NoticeData { message, job: None },
        }
    }
}

/// A new webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWebhook {
    /// Its name, unique among your webhooks; 1 to 80 characters.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// The `https://` or `http://` URL that receives notices. It is kept secret, because it may contain a password or a key.
    #[schema(max_length = 2048)]
    pub url: String,
    /// What it is told of; at least one.
    pub events: Vec<NoticeKind>,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Its name.
    pub name: String,
    /// Scheme and host of its URL; the rest may contain a secret.
    pub origin: String,
    /// What it is told of.
    pub events: Vec<NoticeKind>,
    /// Why nothing is sent to it any more; absent while it is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<String>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// A new webhook with its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CreatedWebhook {
    /// The webhook, as the list shows it.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// The secret that signs every request, for the receiver: `whsec_…`. It is returned only once.
    pub secret: String,
}

/// Whether a notice arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be sent, or sent again.
    Waiting,
    /// The receiver confirmed it.
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Delivered, Self::Failed];

    /// The word that the API and the database use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// One notice to one receiver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// Its id; the header `webhook-id` is `msg_` and this id, the same at every try.
    pub id: DeliveryId,
    /// The webhook; absent for mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_id: Option<WebhookId>,
    /// Name of the webhook, or `mail`.
    pub receiver: String,
    /// What it tells of.
    pub kind: NoticeKind,
    /// The sentence in it.
    pub message: String,
    /// The job that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Whether it arrived.
    pub state: DeliveryState,
    /// Tries so far.
    pub n_attempts: u32,
    /// HTTP status of the newest answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What was wrong with the newest try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it is tried next, while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it arrived or was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::{NoticeKind, Phase};

    #[test]
    fn a_person_who_canceled_a_job_is_not_told_of_it() {
        let told: Vec<Phase> = Phase::ALL
            .into_iter()
            .filter(|phase| NoticeKind::of_phase(*phase).is_some())
            .collect();
        assert_eq!(told, [Phase::Stopped, Phase::Failed, Phase::Succeeded]);
    }

    #[test]
    fn a_sentence_names_the_job_and_the_reason() {
        assert_eq!(
            NoticeKind::JobFailed.sentence("Zora", Some("the loss is not finite")),
            "The job “Zora” failed: the loss is not finite"
        );
        assert_eq!(
            NoticeKind::JobStopped.sentence("Zora", None),
            "The job “Zora” stopped and can be resumed."
        );
    }
}
