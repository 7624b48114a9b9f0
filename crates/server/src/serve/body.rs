//! Request bodies with a minimum rate, and response bodies that report when they are sent.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, http::StatusCode, response::Response};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use protocol::limits::MIN_BODY_BYTES;
use tokio::time::{Instant, Sleep, sleep};

use super::connections::AtWork;

/// The body of a request. It fails when less than [`MIN_BODY_BYTES`] come while somebody waits for them for the time
/// that is given. The time in which nobody reads it does not count.
pub(crate) struct PacedBody {
    body: Body,
    time: Duration,
    slowness: Slowness,
    /// Since when somebody waits.
    waiting_since: Option<Instant>,
    /// How long somebody has waited for the bytes that count now.
    waited: Duration,
    n_bytes: usize,
    due: Pin<Box<Sleep>>,
}

/// Tells whether a body was too slow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slowness(Arc<AtomicBool>);

impl Slowness {
    pub(crate) fn was_seen(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl PacedBody {
    pub(crate) fn new(body: Body, time: Duration) -> (Self, Slowness) {
        let slowness = Slowness::default();
        let paced = Self {
            body,
            time,
            slowness: slowness.clone(),
            waiting_since: None,
            waited: Duration::ZERO,
            n_bytes: 0,
            due: Box::pin(sleep(time)),
        };
        (paced, slowness)
    }
}

impl HttpBody for PacedBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            if let Some(since) = this.waiting_since.take() {
                this.waited += since.elapsed();
            }
            if let Some(Ok(frame)) = &frame {
                this.n_bytes += frame.data_ref().map_or(0, Bytes::len);
            }
            if this.n_bytes >= MIN_BODY_BYTES {
                (this.n_bytes, this.waited) = (0, Duration::ZERO);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if this.waiting_since.is_none() {
            let now = Instant::now();
            this.waiting_since = Some(now);
            let left = this.time.saturating_sub(this.waited);
            this.due.as_mut().reset(now + left);
        }
        if this.due.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        this.slowness.0.store(true, Ordering::Relaxed);
        let slow = io::Error::new(io::ErrorKind::TimedOut, "the body arrived too slowly");
        Poll::Ready(Some(Err(slow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer. Its request counts as being answered until it is gone.
pub(super) struct AnsweredBody {
    body: Body,
    _at_work: AtWork,
}

impl AnsweredBody {
    pub(super) fn wrap(response: Response, at_work: AtWork) -> hyper::Response<Self> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            at_work.stay();
        }
        response.map(|body| Self {
            body,
            _at_work: at_work,
        })
    }
}

impl HttpBody for AnsweredBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
