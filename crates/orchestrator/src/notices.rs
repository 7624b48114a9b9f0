//! How people are told: signed requests to webhooks, and mail. What is told is in `store::outbox`.

mod mail;
mod pace;
mod signature;

use std::sync::OnceLock;

use fetch::{Client, FetchError, HubOptions, Post, Ranges};
use protocol::{limits::NOTICE_TIME, problem::chain};
use rand::random;
use store::outbox::{Due, Receiver, Tried};

pub(crate) use mail::Picture;
pub use mail::{InvalidMail, MailOptions};
pub(crate) use pace::{Next, next_step};
pub(crate) use signature::new_secret;

/// How people are told of jobs that end.
#[derive(Debug, Clone, Default)]
pub struct NoticeOptions {
    /// How browsers reach the server, for links; without a slash at the end.
    pub public_url: Option<String>,
    /// Addresses that webhooks may be at beside the public ones.
    pub allowed: Ranges,
    /// Sends mail as well.
    pub mail: Option<MailOptions>,
}

/// Sends notices.
#[derive(Debug)]
pub(crate) struct Notices {
    options: NoticeOptions,
    client: OnceLock<Client>,
}

impl Notices {
    pub(crate) fn new(options: NoticeOptions) -> Self {
        Self {
            options,
            client: OnceLock::new(),
        }
    }

    pub(crate) fn sends_mail(&self) -> bool {
        self.options.mail.is_some()
    }

    /// Says what is wrong with a URL, as far as that can be told without asking anybody.
    pub(crate) fn check(&self, url: &str) -> Result<(), String> {
        self.client()
            .and_then(|client| client.check(url))
            .map_err(|err| explain(&err))
    }

    /// Tries once to deliver a notice; says what came of it, and whether it was the last try.
    pub(crate) async fn send(&self, due: &Due, picture: Option<Picture>) -> (Tried, Next) {
        let n_tries = due.n_attempts + 1;
        let (tried, is_final) = match &due.receiver {
            Receiver::Webhook { url, secret, .. } => self.post(due, url, secret).await,
            Receiver::Mail => match &self.options.mail {
                Some(mail) => match mail::send(mail, due, picture, NOTICE_TIME).await {
                    Ok(()) => (ARRIVED, true),
                    Err(problem) => (failure(problem.text), problem.is_final),
                },
                // Only servers that send mail take it.
                None => (failure("this server sends no mail"), false),
            },
        };
        let next = next_step(&tried, is_final, n_tries, random());
        (tried, next)
    }

    async fn post(&self, due: &Due, url: &str, secret: &str) -> (Tried, bool) {
        let (id, at) = (format!("msg_{}", due.id), store::now().timestamp());
        let Some(signature) = signature::sign(secret, &id, at, &due.body) else {
            return (failure("its secret cannot be read"), true);
        };
        let message = Post {
            headers: vec![
                ("webhook-id", id),
                ("webhook-timestamp", at.to_string()),
                ("webhook-signature", signature),
            ],
            body: due.body.clone().into(),
            limit: NOTICE_TIME,
        };
        let answer = match self.client() {
            Ok(client) => client.post(url, message).await,
            Err(err) => Err(err),
        };
        match answer {
            Ok(status @ 200..=299) => {
                let tried = Tried {
                    status: Some(status),
                    error: None,
                };
                (tried, true)
            }
            Ok(status) => {
                let tried = Tried {
                    status: Some(status),
                    error: Some(format!("it answered with status {status}")),
                };
                (tried, false)
            }
            Err(err) => (failure(explain(&err)), !err.is_transient()),
        }
    }

    fn client(&self) -> Result<&Client, FetchError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let agent = concat!("morpheus/", env!("CARGO_PKG_VERSION"));
        let client = Client::new(agent, HubOptions::default(), self.options.allowed.clone())?;
        Ok(self.client.get_or_init(|| client))
    }
}

const ARRIVED: Tried = Tried {
    status: None,
    error: None,
};

fn failure(error: impl Into<String>) -> Tried {
    Tried {
        status: None,
        error: Some(error.into()),
    }
}

/// What is wrong, in terms of a webhook. No message holds the URL.
fn explain(err: &FetchError) -> String {
    match err {
        FetchError::Private(host) => format!(
            "`{host}` is an address of this machine or of a private network, to which nothing is sent: to allow it, start \
             the server with its range as --allow-webhooks-to (MORPHEUS_ALLOW_WEBHOOKS_TO)"
        ),
        FetchError::Address => {
            "the URL is not valid: use one such as https://example.org/morpheus".to_owned()
        }
        FetchError::Silent => format!("no answer within {} s", NOTICE_TIME.as_secs()),
        other => chain(other),
    }
}

#[cfg(test)]
mod tests;
