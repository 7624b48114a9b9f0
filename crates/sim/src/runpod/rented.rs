//! The simulated RunPod, as tests of rented machines see it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use protocol::{MicroUsd, recipe::Engine};
use rental::{
    Key, Landlord,
    providers::runpod::{Client, Options as ClientOptions, Renting, RunPod as Rented},
};

use super::{Delays, Fault, KEY, Options, RunPod};
use crate::rented::{Beginning, Gpus, Simulated};

/// Short, so that a hanging answer does not hold a test up; long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// See [`Start`](crate::rented::Start).
///
/// # Panics
/// If it cannot listen.
pub fn start(beginning: Beginning) -> BoxFuture<'static, Arc<dyn Simulated>> {
    Box::pin(async move {
        let sim = RunPod::start(Options {
            accounts: vec![(KEY.to_owned(), beginning.credit)],
            delays: Delays {
                billing_s: beginning.billing_delay_s,
                ..Delays::default()
            },
            ..Options::stepped()
        });
        let sim: Arc<dyn Simulated> = Arc::new(sim.await.expect("a port is free"));
        sim
    })
}

impl Simulated for RunPod {
    fn landlord(&self) -> Arc<dyn Landlord> {
        let url = self.url().parse().expect("its own address is one");
        let client = Client::new(ClientOptions {
            timeout: PATIENCE,
            create_timeout: PATIENCE,
            ..ClientOptions::new(url, Key::new(KEY))
        });
        let renting = Renting {
            image: "morpheus/worker:1".to_owned(),
            args: "agent".to_owned(),
            disk_gb: 20,
            min_cuda_version: None,
            engines: vec![Engine::Native, Engine::Kohya],
            capacity: 4,
        };
        Arc::new(Rented::new(client.expect("this machine does TLS"), renting))
    }

    fn gpus(&self) -> Gpus {
        Gpus {
            usual: "NVIDIA GeForce RTX 4090",
            cheapest: "NVIDIA GeForce RTX 3090",
            largest: "NVIDIA B200",
        }
    }

    fn now(&self) -> DateTime<Utc> {
        Self::now(self)
    }

    fn step(&self, by: Duration) {
        Self::step(self, by);
    }

    fn fault(&self, fault: Fault) {
        Self::fault(self, fault);
    }

    fn clear_faults(&self) {
        Self::clear_faults(self);
    }

    fn bill(&self) -> MicroUsd {
        Self::bill(self)
    }

    fn machine_bill(&self, id: &str) -> Option<MicroUsd> {
        self.pod_bill(id)
    }

    fn living(&self) -> Vec<String> {
        Self::living(self)
    }

    fn environment(&self, name: &str) -> Option<BTreeMap<String, String>> {
        Self::environment(self, name)
    }

    fn container_starts(&self, name: &str) -> u32 {
        Self::container_starts(self, name)
    }
}
