use expect_test::expect;
use proptest::prelude::*;
use protocol::MicroUsd;

use super::{Candidate, Wish, candidates};
use crate::providers::runpod::wire::{Cloud, GpuOffer, MaxCount, Price, Stock, StockAt};

fn offer(id: &str, memory_gb: u32, secure: i64, community: i64, places: &[(&str, Stock)]) -> GpuOffer {
    GpuOffer {
        id: id.to_owned(),
        name: id.to_owned(),
        memory_gb,
        price: Price {
            secure: MicroUsd(secure),
            community: MicroUsd(community),
        },
        max_count: MaxCount {
            secure: 8,
            community: 2,
        },
        stock: places.iter().map(|(_, stock)| *stock).max().unwrap_or_default(),
        data_centers: places
            .iter()
            .map(|(id, stock)| StockAt {
                id: (*id).to_owned(),
                stock: *stock,
            })
            .collect(),
    }
}

fn catalogue() -> Vec<GpuOffer> {
    vec![
        offer("H100", 80, 3_290_000, 0, &[("EU", Stock::High)]),
        offer(
            "4090",
            24,
            640_001,
            340_000,
            &[("EU", Stock::Low), ("US", Stock::High)],
        ),
        offer("3090", 24, 390_000, 220_000, &[]),
    ]
}

fn show(candidates: &[Candidate]) -> String {
    let line = |candidate: &Candidate| {
        let Candidate {
            gpu,
            cloud,
            data_center,
            rate,
            rate_cap,
            stock,
        } = candidate;
        let place = data_center.as_deref().unwrap_or("anywhere");
        format!("{gpu} {cloud} {place} {rate} at most {rate_cap} {stock:?}\n")
    };
    candidates.iter().map(line).collect()
}

#[test]
fn the_cheapest_first_and_the_sold_out_last() {
    expect![[r#"
        4090 COMMUNITY US $0.34 at most $0.374 High
        4090 COMMUNITY EU $0.34 at most $0.374 Low
        4090 SECURE US $0.640001 at most $0.704002 High
        4090 SECURE EU $0.640001 at most $0.704002 Low
        H100 SECURE EU $3.29 at most $3.619 High
        3090 COMMUNITY anywhere $0.22 at most $0.242 None
        3090 SECURE anywhere $0.39 at most $0.429 None
    "#]]
    .assert_eq(&show(&candidates(&catalogue(), &Wish::default())));
}

#[test]
fn a_user_s_order_clouds_places_and_cap_are_kept() {
    let wish = Wish {
        gpus: vec!["H100".to_owned(), "4090".to_owned(), "gone".to_owned()],
        clouds: vec![Cloud::Secure],
        data_centers: vec!["US".to_owned()],
        gpu_count: 2,
        most_per_hour: Some(MicroUsd(1_300_000)),
        ..Wish::default()
    };
    expect![[r#"
        4090 SECURE US $1.280002 at most $1.30 High
    "#]]
    .assert_eq(&show(&candidates(&catalogue(), &wish)));
}

proptest! {
    #[test]
    fn nothing_free_nothing_too_dear_nothing_too_small(
        offers in prop::collection::vec((0..100_u32, 0..4_000_000_i64, 0..4_000_000_i64, 0..4_usize), 0..6),
        min_memory_gb in 0..100_u32,
        gpu_count in 0..10_u32,
        most in prop::option::of(0..8_000_000_i64),
    ) {
        let stocks = [("A", Stock::None), ("B", Stock::Low), ("C", Stock::High), ("D", Stock::Medium)];
        let offers: Vec<GpuOffer> = offers
            .iter()
            .enumerate()
            .map(|(i, (memory, secure, community, n))| offer(&i.to_string(), *memory, *secure, *community, &stocks[..*n]))
            .collect();
        let wish = Wish { min_memory_gb, gpu_count, most_per_hour: most.map(MicroUsd), ..Wish::default() };
        let found = candidates(&offers, &wish);
        for candidate in &found {
            let offer = &offers[candidate.gpu.parse::<usize>().unwrap()];
            prop_assert!(offer.memory_gb >= min_memory_gb);
            prop_assert!(candidate.rate > MicroUsd::ZERO && candidate.rate_cap >= candidate.rate);
            prop_assert!(most.is_none_or(|most| candidate.rate_cap <= MicroUsd(most)));
        }
        let mut unique: Vec<_> = found.iter().map(|c| (&c.gpu, c.cloud, &c.data_center)).collect();
        unique.sort();
        unique.dedup();
        prop_assert_eq!(unique.len(), found.len());
        // Sold out is last.
        let first_sold_out = found.iter().position(|c| c.stock == Stock::None).unwrap_or(found.len());
        prop_assert!(found[first_sold_out..].iter().all(|c| c.stock == Stock::None));
    }
}
