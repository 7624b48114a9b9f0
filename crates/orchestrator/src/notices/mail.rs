//! Mail by SMTP: plain text, with the newest preview picture if it is small.

use std::{fmt, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Attachment, Mailbox, MultiPart, SinglePart, header::ContentType},
};
use protocol::{
    address::masked,
    limits::NOTICE_TIME,
    notice::{Notice, NoticeJob},
    problem::chain,
    text::shown,
};
use store::outbox::Due;

/// Characters of a subject.
const MAX_SUBJECT_CHARS: usize = 150;

/// The SMTP server, the sender and the recipients.
#[derive(Clone)]
pub struct MailOptions {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    /// For logs.
    shown: String,
}

/// Settings of mail that cannot be used. Messages contain no password.
#[derive(Debug, thiserror::Error)]
pub enum InvalidMail {
    /// The URL of the SMTP server.
    #[error(
        "smtp-url: use smtp://USER:PASSWORD@HOST:PORT?tls=required or smtps://USER:PASSWORD@HOST:PORT ({0})"
    )]
    Url(String),
    /// An address.
    #[error("{field}: `{address}` is not a mail address")]
    Address {
        /// The setting.
        field: &'static str,
        /// What was given.
        address: String,
    },
    /// Nobody to write to.
    #[error("mail-to: name at least one address")]
    NoReceiver,
}

impl fmt::Debug for MailOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailOptions")
            .field("server", &self.shown)
            .field("to", &self.to.len())
            .finish_non_exhaustive()
    }
}

impl MailOptions {
    /// Checks the settings; connects to nothing.
    pub fn new(url: &str, from: &str, to: &[String]) -> Result<Self, InvalidMail> {
        let mailbox = |field, address: &str| {
            address.parse::<Mailbox>().map_err(|_| InvalidMail::Address {
                field,
                address: address.to_owned(),
            })
        };
        if !url.starts_with("smtp://") && !url.starts_with("smtps://") {
            return Err(InvalidMail::Url("it has another scheme".to_owned()));
        }
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|err| InvalidMail::Url(chain(&err)))?
            .timeout(Some(NOTICE_TIME))
            .build();
        let to = to.iter().map(|address| mailbox("mail-to", address));
        let to: Vec<Mailbox> = to.collect::<Result<_, _>>()?;
        if to.is_empty() {
            return Err(InvalidMail::NoReceiver);
        }
        Ok(Self {
            transport,
            from: mailbox("mail-from", from)?,
            to,
            shown: masked(url),
        })
    }
}

/// A picture to attach.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    /// Its file name.
    pub(crate) name: String,
    /// A PNG file.
    pub(crate) bytes: Vec<u8>,
}

/// Why a mail was not taken.
pub(super) struct Problem {
    pub(super) text: String,
    /// Another try is useless.
    pub(super) is_final: bool,
}

/// Sends a notice, within so much time in all: the transport's own limit is for each of its commands.
pub(super) async fn send(
    options: &MailOptions,
    due: &Due,
    picture: Option<Picture>,
    limit: Duration,
) -> Result<(), Problem> {
    let message = message(options, due, picture).map_err(|text| Problem { text, is_final: true })?;
    let sending = Box::pin(options.transport.send(message));
    match tokio::time::timeout(limit, sending).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(err)) => Err(Problem {
            text: chain(&err),
            is_final: err.is_permanent(),
        }),
        Err(_) => Err(Problem {
            text: format!("the mail server did not take it within {} s", limit.as_secs()),
            is_final: false,
        }),
    }
}

fn message(options: &MailOptions, due: &Due, picture: Option<Picture>) -> Result<Message, String> {
    let notice: Notice = serde_json::from_str(&due.body).map_err(|err| err.to_string())?;
    let subject = shown(&format!("Morpheus: {}", notice.data.message), MAX_SUBJECT_CHARS);
    let mut message = Message::builder()
        .from(options.from.clone())
        .subject(subject)
        // The same at every try, so that a mail program can tell that they are one.
        .message_id(Some(format!("<{}@morpheus>", due.id)))
        .date_now();
    for to in &options.to {
        message = message.to(to.clone());
    }
    let text = SinglePart::plain(text(&notice));
    let built = match picture {
        None => message.singlepart(text),
        Some(picture) => {
            let kind = ContentType::parse("image/png").map_err(|err| err.to_string())?;
            let attachment = Attachment::new(picture.name).body(picture.bytes, kind);
            message.multipart(MultiPart::mixed().singlepart(text).singlepart(attachment))
        }
    };
    built.map_err(|err| err.to_string())
}

/// What a person reads.
fn text(notice: &Notice) -> String {
    let mut text = format!("{}\n", notice.data.message);
    if let Some(NoticeJob {
        base_model,
        spent_micro_usd,
        url,
        ..
    }) = &notice.data.job
    {
        text.push_str(&format!("\nBase model: {base_model}\n"));
        if spent_micro_usd.0 > 0 {
            text.push_str(&format!("Spent on rented machines: {spent_micro_usd}\n"));
        }
        if let Some(url) = url {
            text.push_str(&format!("\n{url}\n"));
        }
    }
    text
}
