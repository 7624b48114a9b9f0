//! Asks a model behind an OpenAI-compatible endpoint what is on a picture: Ollama, vLLM, llama.cpp, LM Studio, or a service.
//!
//! The request is `POST {base}/chat/completions` with a text and the picture as a data URL; the answer is the text of the
//! first choice.

use std::{fmt, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use protocol::limits::{MAX_CHAT_ANSWER_BYTES, MAX_CHAT_TIME};
use reqwest::header;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Answer, Client, FetchError};

/// Characters shown of what an endpoint says is wrong.
const N_SHOWN: usize = 200;
/// The longest wait that an endpoint may ask for before another try.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// An API, its key, and the model to ask there.
#[derive(Clone)]
pub struct Endpoint {
    /// Base URL with its version: `http://localhost:11434/v1`.
    pub base_url: String,
    /// Sent as a bearer token.
    pub key: Option<String>,
    /// The model's name there.
    pub model: String,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("model", &self.model)
            .field("has_key", &self.key.is_some())
            .finish_non_exhaustive()
    }
}

/// How long and how often an endpoint is asked.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Time for one answer.
    pub limit: Duration,
    /// Tries for one picture.
    pub n_tries: u32,
    /// Time before the second try; it doubles with each.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            limit: MAX_CHAT_TIME,
            n_tries: 4,
            pause: Duration::from_secs(2),
        }
    }
}

/// A picture and what is asked about it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What the model is told to do.
    pub prompt: &'a str,
    /// The picture.
    pub picture: &'a [u8],
    /// Its media type: `image/png`.
    pub media_type: &'a str,
}

/// Why there is no description.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// No answer.
    #[error("failed to ask the endpoint")]
    Fetch(#[from] FetchError),
    /// The endpoint moves its clients to another address, where the key would go along.
    #[error("the endpoint redirected: use the address that it redirects to")]
    Redirected,
    /// It refuses the request.
    #[error("the endpoint answered {status}: {reason}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it says, shortened.
        reason: String,
    },
    /// The answer is not what the API promises.
    #[error("the endpoint's answer cannot be used: {0}")]
    Unreadable(String),
}

impl ChatError {
    /// Whether it is about the picture that was asked about, so that others may fare better: what is wrong with the address,
    /// the key, the model or the network is wrong for all of them.
    pub fn is_about_picture(&self) -> bool {
        match self {
            // What servers answer to a key, an address, a model or too many requests, and what gateways answer.
            Self::Refused { status, .. } => !matches!(status, 401..=405 | 407 | 408 | 429 | 502..=504),
            Self::Unreadable(_) => true,
            Self::Fetch(_) | Self::Redirected => false,
        }
    }
}

/// What asks again is told how long to wait, if the endpoint says so.
struct Failed {
    err: ChatError,
    is_transient: bool,
    pause: Option<Duration>,
}

impl From<FetchError> for Failed {
    fn from(err: FetchError) -> Self {
        Self {
            is_transient: err.is_transient(),
            err: err.into(),
            pause: None,
        }
    }
}

impl From<ChatError> for Failed {
    fn from(err: ChatError) -> Self {
        Self {
            err,
            is_transient: false,
            pause: None,
        }
    }
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<Content>,
}

/// Some servers answer with parts, as requests have them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

#[derive(Deserialize)]
struct ContentPart {
    #[serde(default)]
    text: String,
}

impl Endpoint {
    /// Asks about a picture, again if the endpoint is busy or unreachable. Dropping the future cancels it.
    ///
    /// # Errors
    /// If no try has a usable answer: that of the last one.
    pub async fn describe(
        &self,
        client: &Client,
        question: Question<'_>,
        patience: Patience,
    ) -> Result<String, ChatError> {
        let address = format!("{}/chat/completions", self.base_url.trim_end_matches('/'));
        let body = self.request(question);
        let mut pause = patience.pause;
        let mut n_left = patience.n_tries.max(1);
        loop {
            n_left -= 1;
            match self.ask(client, &address, &body, patience.limit).await {
                Ok(text) => return Ok(text),
                Err(failed) if failed.is_transient && n_left > 0 => {
                    tokio::time::sleep(failed.pause.unwrap_or(pause)).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
                Err(failed) => return Err(failed.err),
            }
        }
    }

    fn request(&self, question: Question<'_>) -> Value {
        let encoded = BASE64_STANDARD.encode(question.picture);
        json!({
            "model": self.model,
            "stream": false,
            "messages": [{
                "role": "user",
                "content": [
                    { "type": "text", "text": question.prompt },
                    {
                        "type": "image_url",
                        "image_url": { "url": format!("data:{};base64,{encoded}", question.media_type) },
                    },
                ],
            }],
        })
    }

    async fn ask(
        &self,
        client: &Client,
        address: &str,
        body: &Value,
        limit: Duration,
    ) -> Result<String, Failed> {
        let mut answer = client.ask(address, (self.key.as_deref(), body), limit).await?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(ChatError::Redirected.into());
        }
        let pause = asked_pause(&answer);
        let bytes = whole(&mut answer).await?;
        if !status.is_success() {
            return Err(Failed {
                is_transient: status.is_server_error() || matches!(status.as_u16(), 408 | 429),
                err: ChatError::Refused {
                    status: status.as_u16(),
                    reason: reason(&bytes, self.key.as_deref()),
                },
                pause,
            });
        }
        Ok(text(&bytes)?)
    }
}

/// What `Retry-After` asks for, in seconds.
fn asked_pause(answer: &Answer) -> Option<Duration> {
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    let pause = Duration::from_secs(seconds.trim().parse().ok()?);
    Some(pause.min(MAX_PAUSE))
}

async fn whole(answer: &mut Answer) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_CHAT_ANSWER_BYTES {
            let problem = format!("it has more than {MAX_CHAT_ANSWER_BYTES} bytes");
            return Err(ChatError::Unreadable(problem).into());
        }
    }
    Ok(bytes)
}

/// The text of the first choice. What a model thinks aloud before it answers is left out.
fn text(bytes: &[u8]) -> Result<String, ChatError> {
    let completion: Completion = serde_json::from_slice(bytes)
        .map_err(|err| ChatError::Unreadable(format!("it is not a chat completion ({err})")))?;
    let content = completion
        .choices
        .into_iter()
        .next()
        .and_then(|choice| choice.message.content);
    let text = match content {
        Some(Content::Text(text)) => text,
        Some(Content::Parts(parts)) => parts.into_iter().map(|part| part.text).collect(),
        None => String::new(),
    };
    let said = text
        .split_once("</think>")
        .map_or(text.as_str(), |(_, said)| said)
        .trim();
    match said.is_empty() {
        true => Err(ChatError::Unreadable("it says nothing".to_owned())),
        false => Ok(said.to_owned()),
    }
}

/// The message of an error, as OpenAI's API, Ollama and vLLM have it; otherwise the beginning of the answer. A key that it
/// repeats is left out before the end is: a part of it would not be recognized.
fn reason(bytes: &[u8], key: Option<&str>) -> String {
    let value: Option<Value> = serde_json::from_slice(bytes).ok();
    let message = value.as_ref().and_then(|value| {
        let error = value.get("error").unwrap_or(value);
        error.get("message").unwrap_or(error).as_str()
    });
    let text = match message {
        Some(message) => message.to_owned(),
        None => String::from_utf8_lossy(bytes).into_owned(),
    };
    let text = match key {
        Some(key) if !key.is_empty() => text.replace(key, "…"),
        _ => text,
    };
    let shown: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let visible = shown.chars().filter(|c| !c.is_control());
    match shown.is_empty() {
        true => "no reason given".to_owned(),
        false => visible.take(N_SHOWN).collect(),
    }
}

#[cfg(test)]
mod tests;
