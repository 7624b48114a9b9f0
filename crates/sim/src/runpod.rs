//! RunPod, simulated over its own REST API, version 2: accounts with money, a catalogue, pods that are charged
//! from their creation, and every way in which the real one has failed somebody.
//!
//! [`RunPod::start`] serves it on a free port. A test moves its clock, sets [`Fault`]s, looks at the bill; a program
//! in another process does the same under `/__sim/`, which needs no key. `cargo run -p sim --bin runpod-sim` is
//! the same thing alone. Pods run nothing, or a program in place of a container ([`Runner`]).
//!
//! It is stricter than a copy: what the contract does not name is refused. Not simulated: CPU pods (always sold
//! out), templates (never found), clusters, serverless, and the bill for network volumes.

mod billing;
mod catalogue;
mod contract;
mod control;
mod create;
mod gate;
mod limits;
mod logs;
mod meter;
mod pod;
mod problem;
mod relay;
mod rented;
mod routes;
mod runner;
mod volumes;
mod world;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use protocol::MicroUsd;
use tokio::{net::TcpListener, runtime::Handle, sync::watch, task::JoinHandle};

pub use self::{
    catalogue::{Catalogue, Cloud, DataCenter, Gpu},
    limits::Quota,
    rented::start,
    runner::{Program, Runner},
    world::Delays,
};
use self::{
    runner::{Containers, Start, environment, faketime},
    world::{Beginning, Effect, World},
};
pub use crate::{
    clock::Pace,
    faults::{Caller, Death, Fault, Reads, Reply, Route, What},
};
use crate::{
    clock::{self, Clock},
    connections::{Connection, serve},
    faults,
};

/// The key of the first account, unless somebody chooses another.
pub const KEY: &str = "rpa_SIMULATED0000000000000000000000000000";

/// How often a clock that runs by itself lets things happen.
const TICK: Duration = Duration::from_millis(20);

/// What to simulate.
#[derive(Debug)]
pub struct Options {
    /// Where to listen; a free port of this machine when absent.
    pub listen: SocketAddr,
    /// How time passes.
    pub pace: Pace,
    /// What the clock shows at first.
    pub start: DateTime<Utc>,
    /// What is on offer.
    pub catalogue: Catalogue,
    /// How long things take.
    pub delays: Delays,
    /// Rate limits; none when absent.
    pub quota: Option<Quota>,
    /// Accounts: keys and money.
    pub accounts: Vec<(String, MicroUsd)>,
    /// What runs in a pod.
    pub runner: Runner,
    /// The same seed gives the same ids and the same throws of dice.
    pub seed: u64,
    /// Whether `/graphql` answers 410, as it will from 2027 on.
    pub graphql_retired: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            pace: Pace::Real,
            start: Utc::now(),
            catalogue: Catalogue::usual(),
            delays: Delays::default(),
            quota: Some(Quota::default()),
            accounts: vec![(KEY.to_owned(), MicroUsd(100_000_000))],
            runner: Runner::None,
            seed: rand::random(),
            graphql_retired: false,
        }
    }
}

impl Options {
    /// For tests that move the clock themselves and send many requests.
    pub fn stepped() -> Self {
        Self {
            pace: Pace::Stepped,
            quota: None,
            ..Self::default()
        }
    }
}

/// A simulated provider. It ends with its pods' programs when it is dropped.
#[derive(Debug)]
pub struct RunPod {
    inner: Arc<Inner>,
    address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

/// What the simulator's parts share.
#[derive(Debug)]
struct Inner {
    world: Mutex<World>,
    clock: Clock,
    runner: Runner,
    containers: Containers,
    /// Held while containers are started and ended, so that it happens in order.
    at_work: Mutex<()>,
    changes: watch::Sender<()>,
    runtime: Handle,
    graphql_retired: bool,
    this: Weak<Inner>,
}

impl RunPod {
    /// Starts it on the current runtime.
    pub async fn start(options: Options) -> Result<Self> {
        let listener = TcpListener::bind(options.listen)
            .await
            .with_context(|| format!("failed to listen on {}", options.listen))?;
        let address = listener.local_addr()?;
        let mut world = World::new(Beginning {
            now: options.start,
            catalogue: options.catalogue,
            delays: options.delays,
            quota: options.quota,
            seed: options.seed,
        });
        for (key, credit) in options.accounts {
            world.add_account(key, credit);
        }
        let inner = Arc::new_cyclic(|this| Inner {
            world: Mutex::new(world),
            clock: Clock::new(options.pace, options.start),
            runner: options.runner,
            containers: Containers::default(),
            at_work: Mutex::new(()),
            changes: watch::Sender::new(()),
            runtime: Handle::current(),
            graphql_retired: options.graphql_retired,
            this: Weak::clone(this),
        });
        let tasks = [
            tokio::spawn(serve(listener, routes::router(Arc::clone(&inner)))),
            tokio::spawn(tick(Arc::downgrade(&inner))),
        ];
        Ok(Self {
            inner,
            address,
            tasks,
        })
    }

    /// The base address, without `/v2`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the simulator's clock shows.
    pub fn now(&self) -> DateTime<Utc> {
        self.inner.clock.now()
    }

    /// Moves the clock on, and lets everything happen until then.
    pub fn step(&self, by: Duration) {
        self.inner.clock.step(by);
        self.inner.with(|_| ());
    }

    /// Sets a fault.
    pub fn fault(&self, fault: Fault) {
        self.inner.with(|world| world.faults.add(world.now, fault));
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.inner.with(|world| world.faults.clear());
    }

    /// What the first account's pods have cost until now.
    pub fn bill(&self) -> MicroUsd {
        self.inner.with(|world| world.bill(0).total())
    }

    /// What one pod has cost until now, also after its end.
    pub fn pod_bill(&self, id: &str) -> Option<MicroUsd> {
        self.inner
            .with(|world| Some(world.pods.get(id)?.meter.until(world.now).total()))
    }

    /// Names of the pods that exist, whether anybody is shown them or not.
    pub fn living(&self) -> Vec<String> {
        self.inner.with(|world| {
            let living = world.pods.values().filter(|pod| !pod.is_gone());
            living.map(|pod| pod.wanted.name.clone()).collect()
        })
    }

    /// What a pod's container finds in its environment, by the name of the pod.
    pub fn environment(&self, name: &str) -> Option<std::collections::BTreeMap<String, String>> {
        self.inner.with(|world| {
            let pod = world.pods.values().find(|pod| pod.wanted.name == name)?;
            Some(environment(pod, &[], faketime()))
        })
    }

    /// The lines of a pod's log, as far as they are kept.
    pub fn log(&self, id: &str) -> Vec<String> {
        self.inner.with(|world| {
            let pods = world.pods.get(id).into_iter();
            pods.flat_map(|pod| pod.log.lines().map(|line| line.text.clone()))
                .collect()
        })
    }

    /// How often a pod's container was started.
    pub fn container_starts(&self, name: &str) -> u32 {
        self.inner.with(|world| {
            let named = world.pods.values().filter(|pod| pod.wanted.name == name);
            named.map(|pod| pod.n_starts).sum()
        })
    }
}

impl Drop for RunPod {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.inner.containers.kill_all();
    }
}

impl Inner {
    /// Brings the world up to date, changes it or looks at it, and does outside what follows from that.
    fn with<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = {
            let mut world = self.world();
            // Read under the lock: the world's time never goes back.
            let now = self.clock.now();
            world.advance(now);
            change(&mut world)
        };
        self.work();
        self.changes.send_replace(());
        result
    }

    /// Looks at the world as it was left, and tells nobody: for those who wait for [`Inner::changes`].
    fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.world())
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of everything that might have changed.
    fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    fn work(&self) {
        let _order = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        let effects = self.world().take_effects();
        let Runner::Process(program) = &self.runner else {
            return;
        };
        let _runtime = self.runtime.enter();
        for effect in effects {
            match effect {
                Effect::StartContainer { pod, n_starts } => {
                    if let Some(start) = self.container(program, &pod, n_starts) {
                        self.containers.start(&self.this, program, start);
                    }
                }
                Effect::EndContainer { pod } => self.containers.end(&pod, program.grace),
            }
        }
    }

    /// A container to start; `None` when its pod has ended in the meantime.
    fn container(&self, program: &Program, id: &str, n_starts: u32) -> Option<Start> {
        let world = self.world();
        let pod = world
            .pods
            .get(id)
            .filter(|pod| pod.n_starts == n_starts && pod.is_up())?;
        let mut relays = Vec::new();
        for name in &program.relayed {
            if let Some(target) = pod.wanted.env.get(name)
                && let Some(relay) = relay::Relay::start(&self.this, &pod.wanted.name, target)
            {
                relays.push((name.clone(), relay));
            }
        }
        Some(Start {
            what: runner::What {
                pod: id.to_owned(),
                n_starts,
                args: pod.wanted.args.split_whitespace().map(str::to_owned).collect(),
                env: environment(pod, &relays, faketime()),
            },
            relays,
        })
    }
}

async fn tick(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(inner) = inner.upgrade() else { return };
        if inner.clock.pace() != Pace::Stepped {
            inner.with(|_| ());
        }
    }
}

/// Money as the provider writes it: a number of dollars. Whole micro-dollars below 2^53 print again as they were.
fn dollars(amount: MicroUsd) -> f64 {
    amount.0 as f64 / 1e6
}
