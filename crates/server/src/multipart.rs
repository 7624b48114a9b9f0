//! Reads `multipart/form-data` (RFC 7578), with a limit for everything that may be long.
//!
//! [`Parser`] takes bytes and gives parts, and keeps no more than a delimiter or a part's headers of them;
//! [`Multipart`] feeds it a request's body.

use axum::{
    body::BodyDataStream,
    extract::{FromRequest, Request},
    http::header,
};
use bytes::Bytes;
use futures::StreamExt as _;
use protocol::limits;

use crate::error::{ApiError, ApiResult};

mod disposition;
mod parser;

use parser::{Event, Objection, Parser};

/// The body of a request, part by part.
pub(crate) struct Multipart {
    body: BodyDataStream,
    parser: Parser,
    /// The name of the part that is being read, for errors.
    part: String,
}

/// What the headers of a part say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Part {
    /// The name of the form's field.
    pub(crate) name: String,
    /// The name of the file, if it is one.
    pub(crate) file_name: Option<String>,
}

impl<S: Send + Sync> FromRequest<S> for Multipart {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> ApiResult<Self> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let boundary = content_type.and_then(disposition::boundary).ok_or_else(|| {
            ApiError::UnsupportedMediaType(
                "an upload must be `multipart/form-data` with a boundary, as browsers and `curl --form` send it"
                    .into(),
            )
        })?;
        Ok(Self {
            body: request.into_body().into_data_stream(),
            parser: Parser::new(&boundary),
            part: String::new(),
        })
    }
}

impl Multipart {
    /// The next part; what is left of the one before it is skipped.
    pub(crate) async fn next_part(&mut self) -> ApiResult<Option<Part>> {
        loop {
            match self.event().await? {
                Event::Part(part) => {
                    self.part = shortened(&part.name);
                    return Ok(Some(part));
                }
                Event::End => return Ok(None),
                Event::Data(_) | Event::PartEnd => {}
            }
        }
    }

    /// More of this part; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> ApiResult<Option<Bytes>> {
        match self.event().await? {
            Event::Data(bytes) => Ok(Some(bytes)),
            Event::PartEnd | Event::Part(_) | Event::End => Ok(None),
        }
    }

    /// The value of a part that is not a file.
    pub(crate) async fn text(&mut self) -> ApiResult<String> {
        let mut value = Vec::new();
        while let Some(bytes) = self.chunk().await? {
            if value.len() + bytes.len() > limits::MAX_FIELD_VALUE_BYTES {
                let message = format!("must have at most {} bytes", limits::MAX_FIELD_VALUE_BYTES);
                return Err(ApiError::field(self.part.clone(), message));
            }
            value.extend_from_slice(&bytes);
        }
        String::from_utf8(value).map_err(|_| ApiError::field(self.part.clone(), "must be text in UTF-8"))
    }

    async fn event(&mut self) -> ApiResult<Event> {
        loop {
            if let Some(event) = self.parser.next().map_err(|objection| self.refuse(objection))? {
                return Ok(event);
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self
                    .parser
                    .push(&bytes)
                    .map_err(|objection| self.refuse(objection))?,
                Some(Err(_)) | None => return Err(self.refuse(Objection::Ended)),
            }
        }
    }

    fn refuse(&self, objection: Objection) -> ApiError {
        let too_large = |what: String| ApiError::TooLarge(format!("{what}; nothing of the upload was kept"));
        match objection {
            Objection::Ended if self.part.is_empty() => ApiError::InvalidRequest(
                "the upload ended before its first part; nothing of it was kept, send it again".into(),
            ),
            Objection::Ended => ApiError::InvalidRequest(format!(
                "the upload ended in the middle of the part `{}`; nothing of it was kept, send it again",
                self.part
            )),
            Objection::Malformed(problem) => ApiError::InvalidRequest(format!(
                "the upload is malformed: {problem}; nothing of it was kept, send it again"
            )),
            Objection::Preamble => too_large(format!(
                "the upload has more than {} bytes before its first part: send it as browsers and `curl --form` do",
                limits::MAX_UPLOAD_PREAMBLE_BYTES
            )),
            Objection::Headers => too_large(format!(
                "a part of the upload has headers of more than {} bytes: give its file a shorter name",
                limits::MAX_PART_HEADER_BYTES
            )),
            Objection::Parts => too_large(format!(
                "the upload has more than {} parts: send it in several",
                limits::MAX_UPLOAD_PARTS
            )),
            Objection::Whole => too_large(format!(
                "the upload has more than {} GiB: send it in several",
                limits::MAX_UPLOAD_BYTES >> 30
            )),
        }
    }
}

/// What a client sent, short enough to say it back.
pub(crate) fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
