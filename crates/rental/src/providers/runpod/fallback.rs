//! Which machines to ask for, in which order. Pure: the catalogue comes in, candidates come out.

use protocol::MicroUsd;

use super::wire::{Cloud, GpuOffer, Stock};

/// A price may rise by this much between the catalogue and the pod before the pod is too dear.
const CAP_PERCENT: u32 = 110;

/// What a job needs and its user allows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wish {
    /// GPU types, the best first; every type when empty, the cheapest first.
    pub gpus: Vec<String>,
    /// Allowed clouds; all when empty.
    pub clouds: Vec<Cloud>,
    /// Allowed places; all when empty.
    pub data_centers: Vec<String>,
    /// Least memory of each GPU in GB.
    pub min_memory_gb: u32,
    /// GPUs in the machine, at least 1.
    pub gpu_count: u32,
    /// The most that an hour of the machine may cost.
    pub most_per_hour: Option<MicroUsd>,
}

/// A machine to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// GPU type.
    pub gpu: String,
    /// Tier.
    pub cloud: Cloud,
    /// Place; the provider chooses when absent.
    pub data_center: Option<String>,
    /// What an hour of the machine costs by the catalogue.
    pub rate: MicroUsd,
    /// What an hour may cost at most; a reservation covers this.
    pub rate_cap: MicroUsd,
    /// How much there was of it.
    pub stock: Stock,
}

/// Every machine that fits, the one to ask for first at the front.
///
/// By the user's order of types, else by price; then the cheaper cloud, then where there is most of it. What the
/// catalogue says is sold out comes last instead of never: the catalogue is old the moment it is read.
pub fn candidates(offers: &[GpuOffer], wish: &Wish) -> Vec<Candidate> {
    let mut found: Vec<(usize, Candidate)> = offers
        .iter()
        .filter_map(|offer| Some((rank(wish, offer)?, offer)))
        .flat_map(|(rank, offer)| {
            of_offer(offer, wish)
                .into_iter()
                .map(move |candidate| (rank, candidate))
        })
        .collect();
    found.sort_by(|(a_rank, a), (b_rank, b)| {
        let key = |rank: usize, candidate: &Candidate| (candidate.stock == Stock::None, rank, candidate.rate);
        key(*a_rank, a)
            .cmp(&key(*b_rank, b))
            .then(b.stock.cmp(&a.stock))
            .then_with(|| (&a.gpu, a.cloud, &a.data_center).cmp(&(&b.gpu, b.cloud, &b.data_center)))
    });
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The place of a type in the user's order; `None` when it is not wanted.
fn rank(wish: &Wish, offer: &GpuOffer) -> Option<usize> {
    if offer.memory_gb < wish.min_memory_gb {
        return None;
    }
    if wish.gpus.is_empty() {
        return Some(0);
    }
    wish.gpus.iter().position(|id| *id == offer.id)
}

fn of_offer(offer: &GpuOffer, wish: &Wish) -> Vec<Candidate> {
    let n_gpus = wish.gpu_count.max(1);
    let clouds = [
        (Cloud::Secure, offer.price.secure, offer.max_count.secure),
        (Cloud::Community, offer.price.community, offer.max_count.community),
    ];
    let mut candidates = Vec::new();
    for (cloud, price, max_count) in clouds {
        let is_allowed = wish.clouds.is_empty() || wish.clouds.contains(&cloud);
        // A price of zero means that it is not offered there; nothing is free.
        if !is_allowed || price <= MicroUsd::ZERO || max_count < n_gpus {
            continue;
        }
        let rate = price.checked_mul(n_gpus);
        let Some((rate, rate_cap)) = rate.and_then(|rate| Some((rate, rate.checked_percent(CAP_PERCENT)?)))
        else {
            continue;
        };
        if wish.most_per_hour.is_some_and(|most| rate > most) {
            continue;
        }
        let rate_cap = wish.most_per_hour.map_or(rate_cap, |most| rate_cap.min(most));
        let candidate = |data_center: Option<&str>, stock| Candidate {
            gpu: offer.id.clone(),
            cloud,
            data_center: data_center.map(str::to_owned),
            rate,
            rate_cap,
            stock,
        };
        if wish.data_centers.is_empty() && offer.data_centers.is_empty() {
            candidates.push(candidate(None, offer.stock));
        }
        let stock_at = |id: &str| offer.data_centers.iter().find(|place| place.id == id);
        if wish.data_centers.is_empty() {
            candidates.extend(
                offer
                    .data_centers
                    .iter()
                    .map(|place| candidate(Some(&place.id), place.stock)),
            );
        } else {
            candidates.extend(
                wish.data_centers
                    .iter()
                    .map(|id| candidate(Some(id), stock_at(id).map_or(Stock::None, |place| place.stock))),
            );
        }
    }
    candidates
}

#[cfg(test)]
mod tests;
