//! RunPod as a landlord.

use std::{collections::BTreeMap, pin::Pin};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use protocol::{
    MicroUsd,
    recipe::Engine,
    spend::{CloudTier, RentalWish, env},
};

use super::{
    Candidate, Client, Cloud, DEFAULT_URL, GpuOffer, KIND, Pod, PodSpec, PodStatus, Stock, Wish, candidates,
    examine::examine,
};
use crate::{
    Account, Bill, CallError, CreateError, Examination, ExamineError, Kind, Landlord, Machine, Machines,
    Offer, Order, TerminateAck,
};

/// Container disk: $0.10 for a GB and a month of 730 hours (RunPod's documentation, "Pod pricing").
const DISK_GB_MONTH: MicroUsd = MicroUsd(100_000);
const HOURS_IN_A_MONTH: i64 = 730;

/// What is rented, whatever the job.
#[derive(Debug, Clone)]
pub struct Renting {
    /// The worker's image.
    pub image: String,
    /// Arguments of its entry point.
    pub args: String,
    /// Size of the container's disk in GB.
    pub disk_gb: u32,
    /// Least CUDA version of the host, as the image needs it.
    pub min_cuda_version: Option<String>,
    /// What the image can train with on a GPU.
    pub engines: Vec<Engine>,
    /// The most machines at the same time.
    pub capacity: usize,
}

/// See the module's text.
#[derive(Debug)]
pub struct RunPod {
    client: Client,
    renting: Renting,
}

impl RunPod {
    /// Rents from the account of this client.
    pub fn new(client: Client, renting: Renting) -> Self {
        Self { client, renting }
    }

    /// With its disk, which the provider does not count into a pod's price.
    fn with_disk(&self, machine: Machine) -> Machine {
        Machine {
            rate: machine.rate + self.disk_rate(),
            ..machine
        }
    }

    /// What an hour of the disk costs, rounded up.
    fn disk_rate(&self) -> MicroUsd {
        let month = DISK_GB_MONTH.0.saturating_mul(i64::from(self.renting.disk_gb));
        MicroUsd(month / HOURS_IN_A_MONTH + 1)
    }

    fn offer(&self, candidate: Candidate, offers: &[GpuOffer], n_gpus: u32) -> Offer {
        let gpu = offers.iter().find(|offer| offer.id == candidate.gpu);
        Offer {
            gpu_name: gpu.map_or_else(|| candidate.gpu.clone(), |gpu| gpu.name.clone()),
            memory_gb: gpu.map_or(0, |gpu| gpu.memory_gb),
            n_gpus,
            cloud: match candidate.cloud {
                Cloud::Secure => CloudTier::Secure,
                Cloud::Community => CloudTier::Community,
            },
            is_in_stock: candidate.stock != Stock::None,
            rate: candidate.rate + self.disk_rate(),
            rate_cap: candidate.rate_cap + self.disk_rate(),
            gpu: candidate.gpu,
            data_center: candidate.data_center,
        }
    }
}

fn machine(pod: Pod) -> Machine {
    Machine {
        rate: pod.rate,
        has_failed: matches!(
            pod.status,
            PodStatus::Exited | PodStatus::Error | PodStatus::Terminated
        ),
        id: pod.id,
        name: pod.name,
        created_at: pod.created_at,
    }
}

/// Prices are those of the pods, without their disks: nobody who only ends machines knows how large these are.
#[async_trait]
impl Account for Client {
    fn kind(&self) -> &'static dyn Kind {
        &KIND
    }

    async fn list(&self) -> Result<Machines, CallError> {
        let listing = self.list_pods().await?;
        Ok(Machines {
            machines: listing.pods.into_iter().map(machine).collect(),
            at: listing.at,
        })
    }

    async fn get(&self, id: &str) -> Result<Option<Machine>, CallError> {
        Ok(self.get_pod(id).await?.map(machine))
    }

    async fn terminate(&self, id: &str) -> Result<TerminateAck, CallError> {
        self.delete_pod(id).await
    }
}

#[async_trait]
impl Account for RunPod {
    fn kind(&self) -> &'static dyn Kind {
        &KIND
    }

    async fn list(&self) -> Result<Machines, CallError> {
        let Machines { machines, at } = self.client.list().await?;
        Ok(Machines {
            machines: machines
                .into_iter()
                .map(|machine| self.with_disk(machine))
                .collect(),
            at,
        })
    }

    async fn get(&self, id: &str) -> Result<Option<Machine>, CallError> {
        Ok(self.client.get(id).await?.map(|machine| self.with_disk(machine)))
    }

    async fn terminate(&self, id: &str) -> Result<TerminateAck, CallError> {
        self.client.terminate(id).await
    }
}

#[async_trait]
impl Landlord for RunPod {
    fn is_real(&self) -> bool {
        self.client.is_usual()
    }

    fn capacity(&self) -> usize {
        self.renting.capacity
    }

    fn engines(&self) -> &[Engine] {
        &self.renting.engines
    }

    fn agent_env(&self) -> BTreeMap<String, String> {
        let mut told = BTreeMap::from([(env::PROVIDER.to_owned(), KIND.name().to_owned())]);
        let url = self.client.url().trim_end_matches('/');
        if url != DEFAULT_URL {
            told.insert(env::PROVIDER_URL.to_owned(), url.to_owned());
        }
        told
    }

    async fn offers(&self, wish: &RentalWish, least_memory_gb: u32) -> Result<Vec<Offer>, CallError> {
        let offers = self.client.offers(wish.n_gpus).await?;
        let wish = Wish {
            gpus: wish.gpus.clone(),
            clouds: wish.clouds.iter().map(|tier| cloud(*tier)).collect(),
            data_centers: wish.data_centers.clone(),
            min_memory_gb: least_memory_gb,
            gpu_count: wish.n_gpus,
            most_per_hour: wish.max_rate_micro_usd,
        };
        let mut found: Vec<Offer> = Vec::new();
        for candidate in candidates(&offers, &wish) {
            let mut offer = self.offer(candidate, &offers, wish.gpu_count);
            if wish.data_centers.is_empty() {
                // One order for all places, and not one for each: the provider finds the one that has a machine.
                offer.data_center = None;
            }
            let of_kind = |known: &&mut Offer| {
                (&known.gpu, known.cloud, &known.data_center) == (&offer.gpu, offer.cloud, &offer.data_center)
            };
            match found.iter_mut().find(of_kind) {
                Some(known) => known.is_in_stock |= offer.is_in_stock,
                None => found.push(offer),
            }
        }
        Ok(found)
    }

    async fn order(&self, order: &Order<'_>) -> Result<Machine, CreateError> {
        let offer = order.offer;
        let spec = PodSpec {
            name: order.name.to_owned(),
            image: self.renting.image.clone(),
            args: self.renting.args.clone(),
            disk_gb: self.renting.disk_gb,
            env: order.env.clone(),
            gpu: offer.gpu.clone(),
            gpu_count: offer.n_gpus,
            min_cuda_version: self.renting.min_cuda_version.clone(),
            cloud: cloud(offer.cloud),
            data_center: offer.data_center.clone(),
        };
        Ok(self.with_disk(machine(self.client.create(&spec).await?)))
    }

    async fn bills(&self, since: DateTime<Utc>, only: Option<&str>) -> Result<Vec<Bill>, CallError> {
        self.client.bills(since, only).await
    }

    async fn examine(
        &self,
        time_scale: u32,
        interrupt: Pin<Box<dyn Future<Output = ()> + Send>>,
    ) -> Result<Vec<Examination>, ExamineError> {
        examine(&self.client, time_scale, interrupt).await
    }
}

fn cloud(tier: CloudTier) -> Cloud {
    match tier {
        CloudTier::Secure => Cloud::Secure,
        CloudTier::Community => Cloud::Community,
    }
}
