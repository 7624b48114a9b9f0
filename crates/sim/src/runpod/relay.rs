//! A way from a pod to the control plane that can be cut: bytes are passed on between two connections.

use std::{net::Ipv4Addr, sync::Weak};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::Inner;

/// Passes connections on until it is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    url: String,
    task: JoinHandle<()>,
}

impl Relay {
    /// A relay for one pod to an address such as `http://127.0.0.1:7860`; `None` for anything else.
    pub(super) fn start(inner: &Weak<Inner>, pod_name: &str, target: &str) -> Option<Self> {
        let rest = target.strip_prefix("http://")?;
        let (host, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        listener.set_nonblocking(true).ok()?;
        let port = listener.local_addr().ok()?.port();
        let listener = TcpListener::from_std(listener).ok()?;
        let task = serve(Weak::clone(inner), pod_name.to_owned(), host.to_owned(), listener);
        Some(Self {
            url: format!("http://127.0.0.1:{port}{path}"),
            task: tokio::spawn(task),
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(inner: Weak<Inner>, pod_name: String, host: String, listener: TcpListener) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((from, _)) = listener.accept().await {
        let (inner, pod_name, host) = (Weak::clone(&inner), pod_name.clone(), host.clone());
        connections.spawn(async move {
            tokio::select! {
                () = until_cut(inner, &pod_name) => {}
                () = pass_on(from, &host) => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn pass_on(mut from: TcpStream, host: &str) {
    if let Ok(mut to) = TcpStream::connect(host).await {
        // A connection that breaks is closed on both sides, which is all that can be done.
        let _ = copy_bidirectional(&mut from, &mut to).await;
    }
}

/// Returns when the pod cannot reach the control plane any more.
async fn until_cut(inner: Weak<Inner>, pod_name: &str) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        let mut changes = strong.changes();
        if strong.look(|world| world.faults.is_partitioned(pod_name)) {
            return;
        }
        drop(strong);
        if changes.changed().await.is_err() {
            return;
        }
    }
}
