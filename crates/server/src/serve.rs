//! Accepts connections and serves them: HTTP/1.1 with WebSockets, with time limits and a limit on their number.
//! HTTP/2 is left to proxies, because no client supports it without TLS.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, extract::ConnectInfo, response::Response};
use backon::{BackoffBuilder as _, ExponentialBuilder};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use protocol::limits::{MAX_HEAD_BYTES, MAX_HEADERS};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

mod body;
mod connections;
mod descriptors;
mod io_time;

use self::{
    body::AnsweredBody,
    connections::{Connections, Slot},
    io_time::TimedIo,
};
pub(crate) use self::{
    body::PacedBody,
    connections::{Peer, Room},
    descriptors::raise as raise_descriptors,
};
use crate::timing::Timing;

/// After failures to accept a connection, until the next try.
const PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(20))
    .with_max_delay(Duration::from_secs(1))
    .without_max_times();

/// A warning about connections that are shed comes this often.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// How to serve.
pub(crate) struct Serving {
    pub(crate) app: Router,
    pub(crate) timing: Timing,
    pub(crate) room: Room,
    /// No new connection is accepted, and existing ones end after their request.
    pub(crate) ending: CancellationToken,
    /// Every connection is closed.
    pub(crate) abort: CancellationToken,
}

impl Serving {
    /// Serves until shutdown, and until every connection has ended.
    pub(crate) async fn run(self, listener: TcpListener) {
        let connections = Connections::new(self.room);
        let tasks = TaskTracker::new();
        let mut pauses = PAUSES.build();
        let mut warned: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                () = self.ending.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    pauses = PAUSES.build();
                    let admitted = connections.admit(address.ip());
                    if admitted.n_shed > 0 && warned.is_none_or(|at| at.elapsed() > WARN_EVERY) {
                        warned = Some(Instant::now());
                        tracing::warn!(
                            peer = %address.ip(),
                            "too many connections without a token or session: the oldest are closed"
                        );
                    }
                    if let Some(slot) = admitted.slot {
                        tasks.spawn(self.connection(stream, address, slot));
                    }
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    // Out of descriptors or memory. Close an idle connection.
                    let has_shed = connections.shed_oldest();
                    tracing::error!(%error, has_shed, "no connection can be accepted");
                    let pause = pauses.next().expect("the pauses do not end");
                    tokio::select! {
                        () = self.ending.cancelled() => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            }
        }
        drop(listener);
        tasks.close();
        tasks.wait().await;
    }

    /// Serves one connection to its end.
    fn connection(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        slot: Slot,
    ) -> impl Future<Output = ()> + Send + use<> {
        // Events are small; waiting to fill a packet would delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection could not be made prompt");
        }
        let peer = Arc::clone(slot.peer());
        let io = TokioIo::new(TimedIo::new(stream, slot, &self.timing));
        let service = {
            let (app, peer) = (self.app.clone(), Arc::clone(&peer));
            service_fn(move |request| answer(app.clone(), Arc::clone(&peer), address, request))
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // It runs between requests too.
            .header_read_timeout(self.timing.idle_time)
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEAD_BYTES)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(io, service)
            .with_upgrades();
        let (ending, abort) = (self.ending.clone(), self.abort.clone());
        async move {
            let mut connection = pin!(connection);
            let mut is_ending = false;
            loop {
                tokio::select! {
                    result = connection.as_mut() => {
                        if let Err(error) = result {
                            tracing::debug!(peer = %address, %error, "a connection ended early");
                        }
                        return;
                    }
                    () = peer.shed() => return,
                    () = abort.cancelled() => return,
                    () = ending.cancelled(), if !is_ending => {
                        is_ending = true;
                        connection.as_mut().graceful_shutdown();
                    }
                }
            }
        }
    }
}

/// Answers one request of a connection.
async fn answer(
    app: Router,
    peer: Arc<Peer>,
    address: SocketAddr,
    request: Request<Incoming>,
) -> Result<hyper::Response<AnsweredBody>, Infallible> {
    let at_work = peer.begin();
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(address));
    request.extensions_mut().insert(peer);
    let response: Response = match app.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    Ok(AnsweredBody::wrap(response, at_work))
}

/// Whether an error of `accept` says something about that one connection only.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
