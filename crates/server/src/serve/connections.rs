//! Tracks connections, and closes some if there are too many.
//!
//! A connection is **proven** after the first request with a valid token, session or signed URL. An attacker who floods
//! the server has none, so the oldest unproven connection is closed for the newest: a probe of `/healthz` or an agent
//! that connects is always accepted, and proven connections stay.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

/// How many connections there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) all: usize,
    pub(crate) unproven: usize,
    /// Unproven ones of one address that is not this machine.
    pub(crate) unproven_per_address: usize,
}

/// All connections.
#[derive(Debug, Clone)]
pub(super) struct Connections(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    room: Room,
    next: u64,
    /// By number, so that the oldest come first.
    unproven: BTreeMap<u64, (IpAddr, Arc<Peer>)>,
    n_unproven_of: HashMap<IpAddr, usize>,
    n_proven: usize,
}

/// Result for a new connection.
pub(super) struct Admitted {
    /// Its place; `None` when all places belong to proven ones.
    pub(super) slot: Option<Slot>,
    /// Number of connections closed for it.
    pub(super) n_shed: usize,
}

/// A connection's place, which it holds for as long as its socket is open.
#[derive(Debug)]
pub(super) struct Slot(Arc<Peer>);

/// The peer of a connection.
#[derive(Debug)]
pub(crate) struct Peer {
    number: u64,
    connections: Connections,
    shed: CancellationToken,
    n_requests: AtomicUsize,
    n_at_work: AtomicUsize,
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct AtWork(Arc<Peer>);

impl Connections {
    pub(super) fn new(room: Room) -> Self {
        Self(Arc::new(Mutex::new(Table {
            room,
            next: 0,
            unproven: BTreeMap::new(),
            n_unproven_of: HashMap::new(),
            n_proven: 0,
        })))
    }

    /// Gives a new connection a place, if necessary that of another one.
    pub(super) fn admit(&self, ip: IpAddr) -> Admitted {
        let network = network(ip);
        let mut table = self.table();
        let mut n_shed = 0;
        let n_same = table.n_unproven_of.get(&network).copied().unwrap_or(0);
        if !network.is_loopback() && n_same >= table.room.unproven_per_address {
            n_shed += usize::from(table.shed_oldest(|of| *of == network));
        }
        let is_full = |table: &Table| {
            table.unproven.len() >= table.room.unproven
                || table.unproven.len() + table.n_proven >= table.room.all
        };
        while is_full(&table) {
            if !table.shed_oldest(|_| true) {
                return Admitted { slot: None, n_shed };
            }
            n_shed += 1;
        }
        let number = table.next;
        table.next += 1;
        let peer = Arc::new(Peer {
            number,
            connections: self.clone(),
            shed: CancellationToken::new(),
            n_requests: AtomicUsize::new(0),
            n_at_work: AtomicUsize::new(0),
        });
        table.unproven.insert(number, (network, Arc::clone(&peer)));
        *table.n_unproven_of.entry(network).or_default() += 1;
        Admitted {
            slot: Some(Slot(peer)),
            n_shed,
        }
    }

    /// Closes the oldest unproven connection; returns whether there was one.
    pub(super) fn shed_oldest(&self) -> bool {
        self.table().shed_oldest(|_| true)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn shed_oldest(&mut self, is_meant: impl Fn(&IpAddr) -> bool) -> bool {
        let oldest = self.unproven.iter().find(|(_, (network, _))| is_meant(network));
        let Some(number) = oldest.map(|(number, _)| *number) else {
            return false;
        };
        if let Some(peer) = self.take(number) {
            peer.shed.cancel();
        }
        true
    }

    /// Removes an unproven connection.
    fn take(&mut self, number: u64) -> Option<Arc<Peer>> {
        let (network, peer) = self.unproven.remove(&number)?;
        if let Some(n) = self.n_unproven_of.get_mut(&network) {
            *n -= 1;
            if *n == 0 {
                self.n_unproven_of.remove(&network);
            }
        }
        Some(peer)
    }
}

impl Slot {
    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.0
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.0.connections.table();
        let was_unproven = table.take(self.0.number).is_some();
        if !was_unproven && !self.0.shed.is_cancelled() {
            table.n_proven -= 1;
        }
    }
}

impl Peer {
    /// Marks it as proven by a valid token, session or signed URL. Some places stay free for connections that are not
    /// proven yet.
    pub(crate) fn prove(&self) {
        let mut table = self.connections.table();
        let has_room = table.n_proven + table.room.unproven < table.room.all;
        if has_room && table.take(self.number).is_some() {
            table.n_proven += 1;
        }
    }

    /// Returns when it must be closed for another one.
    pub(super) async fn shed(&self) {
        self.shed.cancelled().await;
    }

    /// Begins to answer a request.
    pub(super) fn begin(self: &Arc<Self>) -> AtWork {
        self.n_requests.fetch_add(1, Ordering::Relaxed);
        self.n_at_work.fetch_add(1, Ordering::Relaxed);
        AtWork(Arc::clone(self))
    }

    /// Whether no request is being answered.
    pub(super) fn is_idle(&self) -> bool {
        self.n_at_work.load(Ordering::Relaxed) == 0
    }

    /// How many requests it has sent.
    pub(super) fn n_requests(&self) -> usize {
        self.n_requests.load(Ordering::Relaxed)
    }
}

impl AtWork {
    /// No further request comes over this connection: what is read from it from now on is the head of none.
    pub(super) fn stay(&self) {
        self.0.n_at_work.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.n_at_work.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Addresses are grouped by IPv6 network, because one client has a whole network.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        ip => ip,
    }
}

#[cfg(test)]
mod tests;
