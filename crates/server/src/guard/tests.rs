use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, Instant},
};

use protocol::limits::{
    MAX_ALL_REFUSALS, MAX_REFUSAL_ENTRIES, MAX_REFUSALS, MAX_REFUSED_ADDRESSES, REFUSALS_EVERY,
};

use super::{Guard, With};

fn v4(n: u32) -> Option<IpAddr> {
    Some(IpAddr::V4(Ipv4Addr::from_bits(n)))
}

#[test]
fn an_address_is_slowed_down_and_recovers() {
    let (guard, start) = (Guard::default(), Instant::now());
    let refuse = |at: Duration| guard.refused(v4(1), With::Login, start + at).wait;
    for _ in 0..MAX_REFUSALS {
        assert_eq!(refuse(Duration::ZERO), None);
    }
    let wait = refuse(Duration::ZERO).unwrap();
    assert!(wait <= REFUSALS_EVERY && !wait.is_zero(), "{wait:?}");
    // Whoever goes on does not have to wait for longer and longer.
    for _ in 0..1000 {
        assert!(refuse(Duration::ZERO).unwrap() <= REFUSALS_EVERY);
    }
    assert_eq!(
        guard.refused(v4(2), With::Login, start).wait,
        None,
        "another address"
    );
    assert_eq!(refuse(REFUSALS_EVERY), None);
    assert!(refuse(REFUSALS_EVERY).is_some());
}

#[test]
fn many_addresses_share_one_limit_and_little_memory() {
    let (guard, now) = (Guard::default(), Instant::now());
    let n_free = (0..100_000).filter(|n| guard.refused(v4(*n), With::Token, now).wait.is_none());
    assert_eq!(n_free.count(), MAX_ALL_REFUSALS as usize);
    let inner = guard.0.lock().unwrap();
    assert_eq!(inner.addresses.len(), MAX_REFUSED_ADDRESSES);
    drop(inner);
    let drained = guard.drain(now);
    assert_eq!(drained.len(), MAX_REFUSAL_ENTRIES);
    assert_eq!(drained.iter().map(|one| one.n).sum::<u32>(), 100_000);
    assert_eq!(guard.drain(now + Duration::from_secs(3600)), []);
    assert_eq!(guard.0.lock().unwrap().addresses.len(), 0);
}

#[test]
fn the_addresses_of_a_network_count_as_one() {
    let (guard, now) = (Guard::default(), Instant::now());
    for n in 0..50 {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0, 0, 0, n);
        guard.refused(Some(IpAddr::V6(address)), With::Login, now);
    }
    let mapped = Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped();
    assert!(guard.refused(Some(IpAddr::V6(mapped)), With::Login, now).is_first);
    let mut drained = guard.drain(now);
    drained.sort_by_key(|one| one.n);
    let shown: Vec<_> = drained.iter().map(|one| (one.address.as_str(), one.n)).collect();
    assert_eq!(shown, [("192.0.2.1", 1), ("2001:db8:0:7::", 50)]);
}
