//! What the provider has: GPU types with prices, data centers, and how many GPUs are free in each.

use std::collections::BTreeMap;

use protocol::MicroUsd;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::dollars;

/// A tier of machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "UPPERCASE")]
pub enum Cloud {
    /// The provider's own data centers.
    #[default]
    Secure,
    /// Machines of others.
    Community,
}

/// A type of GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// What a pod is created with: `NVIDIA GeForce RTX 4090`.
    pub id: String,
    /// For people: `RTX 4090`.
    pub name: String,
    /// GPU memory in GB.
    pub memory_gb: u32,
    /// Price of one GPU for an hour in each cloud; absent where it is not offered.
    pub secure: Option<MicroUsd>,
    /// See `secure`.
    pub community: Option<MicroUsd>,
    /// The most GPUs in one machine.
    pub max_count: u32,
    /// CUDA versions of its machines.
    pub cuda_versions: Vec<String>,
}

/// A data center.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataCenter {
    /// `EU-RO-1`
    pub id: String,
    /// For people.
    pub name: String,
    /// `EUROPE`
    pub region: String,
    /// ISO code of its country.
    pub country: String,
}

/// Everything on offer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalogue {
    /// GPU types.
    pub gpus: Vec<Gpu>,
    /// Data centers.
    pub data_centers: Vec<DataCenter>,
    stock: BTreeMap<(String, Cloud, String), u32>,
}

/// What a reader wants to know about stock.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    pub(super) with_stock: bool,
    pub(super) count: u32,
    pub(super) cloud: Option<Cloud>,
    pub(super) countries: Vec<String>,
    pub(super) min_cuda: Option<String>,
}

impl Gpu {
    pub(super) fn price(&self, cloud: Cloud) -> Option<MicroUsd> {
        match cloud {
            Cloud::Secure => self.secure,
            Cloud::Community => self.community,
        }
    }

    /// The newest CUDA version that satisfies a request.
    pub(super) fn cuda(&self, allowed: &[String], least: Option<&str>) -> Option<&String> {
        let fits = |version: &&String| {
            (allowed.is_empty() || allowed.contains(version))
                && least.is_none_or(|least| version_key(version) >= version_key(least))
        };
        self.cuda_versions
            .iter()
            .filter(fits)
            .max_by_key(|version| version_key(version))
    }
}

impl Catalogue {
    /// A few GPU types in a few places, as they were offered in 2026.
    pub fn usual() -> Self {
        let gpu = |id: &str, name: &str, memory_gb, secure: i64, community: i64| Gpu {
            id: id.to_owned(),
            name: name.to_owned(),
            memory_gb,
            secure: Some(MicroUsd(secure * 10_000)),
            community: (community > 0).then_some(MicroUsd(community * 10_000)),
            max_count: 8,
            cuda_versions: ["12.4", "12.8"].map(str::to_owned).to_vec(),
        };
        let data_center = |id: &str, name: &str, region: &str, country: &str| DataCenter {
            id: id.to_owned(),
            name: name.to_owned(),
            region: region.to_owned(),
            country: country.to_owned(),
        };
        let mut catalogue = Self {
            gpus: vec![
                gpu("NVIDIA GeForce RTX 3090", "RTX 3090", 24, 39, 22),
                gpu("NVIDIA GeForce RTX 4090", "RTX 4090", 24, 64, 34),
                gpu("NVIDIA L40S", "L40S", 48, 79, 0),
                gpu("NVIDIA A100 80GB PCIe", "A100 PCIe", 80, 139, 119),
                gpu("NVIDIA H100 80GB HBM3", "H100 SXM", 80, 329, 0),
                gpu("NVIDIA B200", "B200", 180, 598, 0),
            ],
            data_centers: vec![
                data_center("EU-RO-1", "EU Romania 1", "EUROPE", "RO"),
                data_center("US-KS-2", "US Kansas 2", "NORTH_AMERICA", "US"),
                data_center("US-TX-3", "US Texas 3", "NORTH_AMERICA", "US"),
            ],
            stock: BTreeMap::new(),
        };
        for gpu in catalogue.gpus.clone() {
            for (place, free) in [("EU-RO-1", 12), ("US-KS-2", 4), ("US-TX-3", 2)] {
                catalogue = catalogue.with_stock(&gpu.id, Cloud::Secure, place, free);
                if gpu.community.is_some() {
                    catalogue = catalogue.with_stock(&gpu.id, Cloud::Community, place, free);
                }
            }
        }
        catalogue
    }

    /// Sets how many GPUs are free.
    #[must_use]
    pub fn with_stock(mut self, gpu: &str, cloud: Cloud, data_center: &str, free: u32) -> Self {
        self.stock
            .insert((gpu.to_owned(), cloud, data_center.to_owned()), free);
        self
    }

    pub(super) fn gpu(&self, id: &str) -> Option<&Gpu> {
        self.gpus.iter().find(|gpu| gpu.id == id)
    }

    /// Takes GPUs in the first of these data centers that has them; all of them when none is named.
    pub(super) fn take(&mut self, gpu: &str, cloud: Cloud, count: u32, places: &[String]) -> Option<String> {
        let place = self
            .data_centers
            .iter()
            .map(|place| &place.id)
            .filter(|id| places.is_empty() || places.contains(id))
            .find(|id| self.free(gpu, cloud, id) >= count)?
            .clone();
        *self.stock.get_mut(&(gpu.to_owned(), cloud, place.clone()))? -= count;
        Some(place)
    }

    pub(super) fn give_back(&mut self, gpu: &str, cloud: Cloud, count: u32, place: &str) {
        *self
            .stock
            .entry((gpu.to_owned(), cloud, place.to_owned()))
            .or_default() += count;
    }

    fn free(&self, gpu: &str, cloud: Cloud, place: &str) -> u32 {
        let key = (gpu.to_owned(), cloud, place.to_owned());
        self.stock.get(&key).copied().unwrap_or(0)
    }

    /// Machines that could be had, in the clouds that a filter names.
    fn machines(&self, gpu: &str, place: &str, filter: &Filter) -> u32 {
        let clouds = [Cloud::Secure, Cloud::Community].into_iter();
        clouds
            .filter(|cloud| filter.cloud.is_none_or(|wanted| wanted == *cloud))
            .map(|cloud| self.free(gpu, cloud, place) / filter.count.max(1))
            .sum()
    }

    /// A GPU type as `GET /v2/catalog/gpus` shows it; `None` when the filter leaves it out.
    pub(super) fn gpu_json(&self, gpu: &Gpu, filter: &Filter) -> Option<Value> {
        let in_country =
            |place: &&DataCenter| filter.countries.is_empty() || filter.countries.contains(&place.country);
        let has_cuda = gpu.cuda(&[], filter.min_cuda.as_deref()).is_some();
        let places: Vec<(&DataCenter, u32)> = self
            .data_centers
            .iter()
            .filter(in_country)
            .map(|place| {
                (
                    place,
                    if has_cuda {
                        self.machines(&gpu.id, &place.id, filter)
                    } else {
                        0
                    },
                )
            })
            .collect();
        let machines: u32 = places.iter().map(|(_, n)| n).sum();
        if !filter.countries.is_empty() && machines == 0 {
            return None;
        }
        let count = |cloud| gpu.price(cloud).map_or(0, |_| gpu.max_count);
        let mut value = json!({
            "id": gpu.id,
            "name": gpu.name,
            "pool": null,
            "manufacturer": "NVIDIA",
            "memory": gpu.memory_gb,
            "secure": gpu.secure.is_some(),
            "community": gpu.community.is_some(),
            "price": {
                "secure": dollars(gpu.secure.unwrap_or_default()),
                "community": dollars(gpu.community.unwrap_or_default()),
            },
            "maxCount": {"secure": count(Cloud::Secure), "community": count(Cloud::Community)},
        });
        if filter.with_stock {
            value["availability"] = level(machines).into();
            value["cudaVersions"] = gpu
                .cuda_versions
                .iter()
                .map(|version| json!({"version": version, "available": machines > 0}))
                .collect();
            if machines > 0 {
                value["dataCenters"] = places
                    .iter()
                    .filter(|(_, machines)| *machines > 0)
                    .map(|(place, machines)| {
                        json!({"id": place.id, "name": place.name, "availability": level(*machines)})
                    })
                    .collect();
            }
        }
        Some(value)
    }

    /// A data center as `GET /v2/catalog/datacenters` shows it.
    pub(super) fn data_center_json(&self, place: &DataCenter, with_stock: bool) -> Value {
        let mut value = json!({
            "id": place.id,
            "name": place.name,
            "region": place.region,
            "globalNetwork": true,
            "networkVolumeTypes": ["STANDARD"],
            "compliance": [],
        });
        if with_stock {
            let filter = Filter::default();
            value["gpuAvailability"] = self
                .gpus
                .iter()
                .map(|gpu| {
                    let machines = self.machines(&gpu.id, &place.id, &filter);
                    json!({"id": gpu.id, "name": gpu.name, "availability": level(machines)})
                })
                .collect();
        }
        value
    }
}

fn level(machines: u32) -> &'static str {
    match machines {
        0 => "NONE",
        1..=2 => "LOW",
        3..=9 => "MEDIUM",
        _ => "HIGH",
    }
}

/// Versions compare by number: 12.11 is above 12.2.
fn version_key(version: &str) -> (u32, u32) {
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    (major.parse().unwrap_or(0), minor.parse().unwrap_or(0))
}
