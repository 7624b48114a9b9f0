//! Tally, a provider that does not exist: the proof that a second one needs nothing but a folder and a line.
//!
//! Its API has nothing in common with RunPod's. Names have 32 characters at most. The list comes in pages, has machines
//! that have ended in it, and cannot be filtered. Prices are for a minute. Refusals have codes in place of statuses that
//! mean something. A machine ends itself with a ticket.
//!
//! This module is the provider; `client` is what Morpheus would need to rent from it, registered as [`KIND`].

mod client;
mod own_end;
mod routes;
mod world;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use protocol::MicroUsd;
use rental::Landlord;
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::client::KIND;
use self::world::World;
use crate::{
    clock::{Clock, Pace},
    connections::serve,
    faults::Fault,
    rented::{Beginning, Gpus, Simulated},
};

/// The account's key.
const KEY: &str = "tally-simulated-key";
/// Longest name of a machine.
const MOST_LABEL: usize = 32;

/// A simulated provider. It ends when it is dropped.
#[derive(Debug)]
pub struct Tally {
    inner: Arc<Inner>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    world: Mutex<World>,
    clock: Clock,
}

impl Inner {
    /// Brings the world up to date, and changes it or looks at it.
    fn with<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.clock.now());
        change(&mut world)
    }
}

/// See [`Start`](crate::rented::Start).
///
/// # Panics
/// If it cannot listen.
pub fn start(beginning: Beginning) -> BoxFuture<'static, Arc<dyn Simulated>> {
    Box::pin(async move {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port is free");
        let now = Utc::now();
        let inner = Arc::new(Inner {
            world: Mutex::new(World::new(now, beginning)),
            clock: Clock::new(Pace::Stepped, now),
        });
        let sim: Arc<dyn Simulated> = Arc::new(Tally {
            address: listener.local_addr().expect("it listens"),
            serving: tokio::spawn(serve(listener, routes::router(Arc::clone(&inner)))),
            inner,
        });
        sim
    })
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Simulated for Tally {
    fn landlord(&self) -> Arc<dyn Landlord> {
        let mut values = rental::Values::default();
        values.set_default("url", format!("http://{}", self.address));
        let landlord = rental::Kind::landlord(&KIND, &values, rental::Key::new(KEY));
        landlord.expect("its own address is one")
    }

    fn gpus(&self) -> Gpus {
        Gpus {
            usual: "tl-4090",
            cheapest: "tl-3090",
            largest: "tl-B200",
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.inner.clock.now()
    }

    fn step(&self, by: Duration) {
        self.inner.clock.step(by);
        self.inner.with(|_| ());
    }

    fn fault(&self, fault: Fault) {
        self.inner.with(|world| world.faults.add(world.now, fault));
    }

    fn clear_faults(&self) {
        self.inner.with(|world| world.faults.clear());
    }

    fn bill(&self) -> MicroUsd {
        self.inner.with(|world| world.bill())
    }

    fn machine_bill(&self, id: &str) -> Option<MicroUsd> {
        self.inner
            .with(|world| Some(world.servers.get(id)?.charged(world.now)))
    }

    fn living(&self) -> Vec<String> {
        self.inner.with(|world| {
            let living = world.servers.values().filter(|server| server.ended_at.is_none());
            living.map(|server| server.label.clone()).collect()
        })
    }

    fn environment(&self, name: &str) -> Option<BTreeMap<String, String>> {
        self.inner.with(|world| {
            let server = world.servers.values().find(|server| server.label == name)?;
            Some(server.environment())
        })
    }

    fn container_starts(&self, name: &str) -> u32 {
        self.inner.with(|world| {
            let named = world.servers.values().filter(|server| server.label == name);
            named.map(|server| u32::from(server.has_booted)).sum()
        })
    }
}
