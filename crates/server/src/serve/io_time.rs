//! A socket with time limits for receiving a request and for sending a response.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

use super::connections::Slot;
use crate::timing::Timing;

/// A socket with its time limits and its place among the connections.
pub(super) struct TimedIo {
    stream: TcpStream,
    slot: Slot,
    header_time: Duration,
    write_time: Duration,
    /// The number of the request whose head is being read.
    reading: Option<usize>,
    head_due: Pin<Box<Sleep>>,
    is_stalled: bool,
    write_due: Pin<Box<Sleep>>,
}

impl TimedIo {
    pub(super) fn new(stream: TcpStream, slot: Slot, timing: &Timing) -> Self {
        Self {
            stream,
            slot,
            header_time: timing.header_time,
            write_time: timing.write_time,
            // A new connection is expected to send a request.
            reading: Some(0),
            head_due: Box::pin(sleep(timing.header_time)),
            is_stalled: false,
            write_due: Box::pin(sleep(timing.write_time)),
        }
    }

    /// What a part of writing came to; fails when nothing was taken for too long.
    fn written<T>(&mut self, cx: &mut Context<'_>, progress: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.is_stalled = false;
            return progress;
        }
        if !self.is_stalled {
            self.is_stalled = true;
            self.write_due.as_mut().reset(Instant::now() + self.write_time);
        }
        ready!(self.write_due.as_mut().poll(cx));
        Poll::Ready(Err(timed_out("the client does not read the response")))
    }
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl AsyncRead for TimedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let n_before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let peer = this.slot.peer();
        if !peer.is_idle() {
            return read;
        }
        let next = peer.n_requests();
        match read {
            Poll::Ready(Ok(())) => {
                if buffer.filled().len() > n_before && this.reading != Some(next) {
                    this.reading = Some(next);
                    this.head_due.as_mut().reset(Instant::now() + this.header_time);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending if this.reading == Some(next) => {
                ready!(this.head_due.as_mut().poll(cx));
                Poll::Ready(Err(timed_out("the head of a request did not arrive in time")))
            }
            read => read,
        }
    }
}

impl AsyncWrite for TimedIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.written(cx, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
