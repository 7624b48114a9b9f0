//! Connections of simulated servers, which a handler can break.

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// The connection that a request came over, among its extensions.
#[derive(Debug, Clone)]
pub(crate) struct Connection(CancellationToken);

impl Connection {
    /// Closes it; whoever waits for an answer gets none.
    pub(crate) fn cut(&self) {
        self.0.cancel();
    }
}

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let broken = CancellationToken::new();
        let service = TowerToHyperService::new(router.clone().layer(Extension(Connection(broken.clone()))));
        connections.spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            tokio::select! {
                () = broken.cancelled() => {}
                // What goes wrong on a connection, its client sees.
                _ = builder.serve_connection(TokioIo::new(stream), service) => {}
            }
        });
    }
}
