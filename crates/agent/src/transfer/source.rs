//! Where a file comes from: the server and its store, which may be anywhere, or an address that a user named.

use bytes::Bytes;
use fetch::{FetchError, Wanted};
use reqwest::{
    Response, StatusCode, Url,
    header::{self, HeaderMap},
};

use crate::client::{Client, ClientError, Failure, Refusal, Transient};

/// One file at one address.
pub(super) struct Source<'a> {
    client: &'a Client,
    web: Option<&'a fetch::Client>,
    url: Url,
    /// Method and path, for messages.
    request: String,
}

/// What it answers.
pub(super) enum Answer {
    Store(Response),
    Web(fetch::Answer),
}

impl Answer {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Store(answer) => answer.status(),
            Self::Web(answer) => answer.status(),
        }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        match self {
            Self::Store(answer) => answer.headers(),
            Self::Web(answer) => answer.headers(),
        }
    }
}

impl<'a> Source<'a> {
    pub(super) fn new(
        client: &'a Client,
        web: Option<&'a fetch::Client>,
        url: &str,
    ) -> Result<Self, Failure> {
        let url = client.resolve(url)?;
        let request = format!("GET {}", url.path());
        Ok(Self {
            client,
            web,
            url,
            request,
        })
    }

    pub(super) async fn ask(&self, wanted: &Wanted) -> Result<Answer, Failure> {
        if let Some(web) = self.web {
            let answer = web.get(self.url.as_str(), wanted).await;
            return answer.map(Answer::Web).map_err(|err| self.failed(err));
        }
        let mut asking = self.client.http().get(self.url.clone());
        if let Some(range) = &wanted.range {
            asking = asking.header(header::RANGE, range);
        }
        if let Some(etag) = &wanted.if_range {
            asking = asking.header(header::IF_RANGE, etag);
        }
        let answer = asking.send().await;
        answer
            .map(Answer::Store)
            .map_err(|err| self.client.failed(&self.request, err))
    }

    /// Passes a successful answer on.
    pub(super) async fn accepted(&self, answer: Answer) -> Result<Answer, Failure> {
        let status = answer.status();
        if status == StatusCode::UNAUTHORIZED {
            // Its host says so, which need not be the server.
            let host = self.url.host_str().unwrap_or_default();
            return Err(Failure::Final(ClientError::Refused {
                request: format!("{} at {host}", self.request),
                problem: Refusal {
                    status,
                    problem: None,
                },
            }));
        }
        match answer {
            Answer::Store(answer) => {
                let accepted = self.client.accepted(&self.request, answer).await;
                accepted.map(Answer::Store)
            }
            Answer::Web(answer) if status.is_success() => Ok(Answer::Web(answer)),
            // What somebody's host has to say beside its status is not for our messages.
            Answer::Web(_) => Err(self.client.refused(&self.request, status, None)),
        }
    }

    /// The next piece of its body.
    pub(super) async fn chunk(&self, answer: &mut Answer) -> Result<Option<Bytes>, Failure> {
        match answer {
            Answer::Store(answer) => {
                let chunk = answer.chunk().await;
                chunk.map_err(|err| self.client.failed(&self.request, err))
            }
            Answer::Web(answer) => answer.chunk().await.map_err(|err| self.failed(err)),
        }
    }

    fn failed(&self, err: FetchError) -> Failure {
        if err.is_transient() {
            return Failure::Transient(Transient::Fetch(err));
        }
        Failure::Final(ClientError::Fetch {
            request: self.request.clone(),
            err,
        })
    }
}
