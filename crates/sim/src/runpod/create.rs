//! Creating a pod: the rules between fields, the account's money, and a machine.

use protocol::MicroUsd;
use serde_json::Value;

use super::{
    clock::seconds,
    faults::{Case, What},
    meter::Meter,
    pod::{Happening, Log, Mounts, Phase, Pod, Wanted, WantedGpu},
    problem::{Answer, Problem},
    world::World,
};

impl World {
    /// A new pod's id.
    pub(super) fn create(&mut self, account: usize, body: Value) -> Answer<String> {
        let wanted: Wanted =
            serde_json::from_value(body).map_err(|_| Problem::invalid(vec!["$: out of range".to_owned()]))?;
        let gpu = check_rules(&wanted)?.clone();
        // Left out it is refused in misleading words, whatever the documentation says about a default.
        let count = gpu.count.ok_or_else(Problem::no_capacity)?;
        let name = wanted.name.clone();
        let case = Case {
            name: Some(&name),
            caller: None,
        };
        let is_sold_out = self.faults.strike(case, |what| match what {
            What::NoCapacity { gpu: only } => only.as_ref().is_none_or(|only| *only == gpu.id).then_some(()),
            _ => None,
        });
        let kind = self.catalogue.gpu(&gpu.id);
        let cuda =
            kind.and_then(|kind| kind.cuda(&gpu.allowed_cuda_versions, gpu.min_cuda_version.as_deref()));
        let price = kind.and_then(|kind| kind.price(wanted.cloud));
        let price = price.and_then(|price| price.checked_mul(count));
        let (Some(cuda_version), Some(price), None) = (cuda.cloned(), price, is_sold_out) else {
            return Err(Problem::no_capacity());
        };
        let places = self.places(account, &wanted)?;
        // An hour must be paid for in advance.
        let spoken_for = self.rate(account);
        if self.balance(account) < spoken_for + price {
            return Err(Problem::of(axum::http::StatusCode::PAYMENT_REQUIRED));
        }
        let place = self
            .catalogue
            .take(&gpu.id, wanted.cloud, count, &places)
            .ok_or_else(Problem::no_capacity)?;
        let id = self.new_id("");
        let key = self.new_id("rps_");
        let pod = Pod {
            id: id.clone(),
            account,
            key,
            gpu: gpu.id,
            gpu_count: count,
            place,
            cuda_version,
            phase: Phase::Provisioning,
            locked: false,
            price,
            meter: Meter::default(),
            created_at: self.now,
            started_at: None,
            container_since: None,
            n_starts: 0,
            exits_after_s: None,
            ignores_deletion: false,
            clock_skew_s: 0,
            plan: Vec::new(),
            log: Log::default(),
            wanted,
        };
        let pod = self.with_faults(pod, case);
        self.pods.insert(id.clone(), pod);
        self.set_rate(&id, self.now);
        Ok(id)
    }

    /// Where a pod may run: an empty list means anywhere.
    fn places(&self, account: usize, wanted: &Wanted) -> Answer<Vec<String>> {
        let Some(network) = wanted.mounts.network.as_ref().and_then(|mounts| mounts.first()) else {
            return Ok(wanted.data_center_ids.clone());
        };
        let volume = self.volumes.get(&network.volume_id);
        let volume = volume.filter(|volume| volume.account == account);
        let place = &volume.ok_or_else(Problem::not_found)?.data_center;
        if !wanted.data_center_ids.is_empty() && !wanted.data_center_ids.contains(place) {
            return Err(Problem::no_capacity());
        }
        Ok(vec![place.clone()])
    }

    /// Lays down what will go wrong with a new pod.
    fn with_faults(&mut self, mut pod: Pod, case: Case<'_>) -> Pod {
        let now = self.now;
        let stuck = self
            .faults
            .strike(case, |what| (*what == What::StuckProvisioning).then_some(()));
        if stuck.is_none() {
            pod.plan(now + seconds(self.delays.allocation_s), Happening::Allocated);
        }
        let price = self.faults.strike(case, |what| match what {
            What::Price { percent } => Some(*percent),
            _ => None,
        });
        if let Some(percent) = price {
            pod.price = pod.price.checked_percent(percent).unwrap_or(MicroUsd(i64::MAX));
        }
        let changes = self.faults.strike(case, |what| match what {
            What::PriceChange { after_s, percent } => Some((*after_s, Happening::PriceChanges(*percent))),
            _ => None,
        });
        let dies = self.faults.strike(case, |what| match what {
            What::Dies { after_s, how } => Some((*after_s, Happening::Dies(*how))),
            _ => None,
        });
        for (after_s, what) in changes.into_iter().chain(dies) {
            pod.plan(now + seconds(after_s), what);
        }
        pod.exits_after_s = self.faults.strike(case, |what| match what {
            What::ContainerExits { after_s } => Some(*after_s),
            _ => None,
        });
        let skew_s = self.faults.strike(case, |what| match what {
            What::ClockSkew { seconds } => Some(*seconds),
            _ => None,
        });
        pod.clock_skew_s = skew_s.unwrap_or(0);
        pod
    }

    /// Ten letters and digits, as the provider's ids are.
    pub(super) fn new_id(&mut self, prefix: &str) -> String {
        const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut number = self.faults.number();
        let mut id = prefix.to_owned();
        for _ in 0..10 {
            id.push(char::from(LETTERS[usize::try_from(number % 36).unwrap_or(0)]));
            number /= 36;
        }
        id
    }
}

/// The rules that no schema can say.
fn check_rules(wanted: &Wanted) -> Answer<&WantedGpu> {
    if wanted.template_id.is_some() {
        // Nobody here has templates.
        return Err(Problem::not_found());
    }
    let gpu = match (&wanted.gpu, &wanted.cpu) {
        (Some(gpu), None) => gpu,
        // CPU pods are sold out for ever: nobody here rents one.
        (None, Some(_)) => return Err(Problem::no_capacity()),
        _ => return Err(Problem::bad_request("exactly one of gpu or cpu must be set")),
    };
    if !gpu.allowed_cuda_versions.is_empty() && gpu.min_cuda_version.is_some() {
        return Err(Problem::bad_request(
            "gpu.allowedCudaVersions and gpu.minCudaVersion are mutually exclusive",
        ));
    }
    check_mounts(&wanted.mounts)?;
    Ok(gpu)
}

fn check_mounts(mounts: &Mounts) -> Answer<()> {
    if mounts.persistent.is_some() && mounts.network.is_some() {
        return Err(Problem::bad_request(
            "mounts.persistent and mounts.network are mutually exclusive",
        ));
    }
    if mounts.network.as_ref().is_some_and(Vec::is_empty) {
        return Err(Problem::bad_request("mounts.network must not be empty"));
    }
    Ok(())
}
