use std::net::IpAddr;

use super::{Connections, Room, Slot, network};

const ROOM: Room = Room {
    all: 6,
    unproven: 3,
    unproven_per_address: 2,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn admit(connections: &Connections, from: &str) -> Slot {
    connections.admit(ip(from)).slot.expect("there is room")
}

fn is_shed(slot: &Slot) -> bool {
    slot.peer().shed.is_cancelled()
}

#[test]
fn the_oldest_unproven_connection_makes_room() {
    let connections = Connections::new(ROOM);
    let slots: Vec<Slot> = (0..5).map(|_| admit(&connections, "127.0.0.1")).collect();
    let shed: Vec<bool> = slots.iter().map(is_shed).collect();
    assert_eq!(shed, [true, true, false, false, false]);
    drop(slots);
    let table = connections.table();
    assert_eq!((table.unproven.len(), table.n_proven), (0, 0));
    assert!(table.n_unproven_of.is_empty());
}

#[test]
fn proven_connections_stay() {
    let connections = Connections::new(ROOM);
    let proven: Vec<Slot> = (0..3)
        .map(|_| {
            let slot = admit(&connections, "127.0.0.1");
            slot.peer().prove();
            slot.peer().prove();
            slot
        })
        .collect();
    let flood: Vec<Slot> = (0..50).map(|_| admit(&connections, "127.0.0.1")).collect();
    assert!(!proven.iter().any(is_shed));
    assert_eq!(flood.iter().filter(|slot| !is_shed(slot)).count(), 3);
    drop((proven, flood));
    assert_eq!(connections.table().n_proven, 0);
}

#[test]
fn proven_connections_leave_room_for_others() {
    let connections = Connections::new(ROOM);
    let slots: Vec<Slot> = (0..10)
        .map(|_| {
            let slot = admit(&connections, "127.0.0.1");
            slot.peer().prove();
            slot
        })
        .collect();
    // Three are proven, and the other three places change hands.
    assert_eq!(connections.table().n_proven, 3);
    assert_eq!(slots.iter().filter(|slot| !is_shed(slot)).count(), 6);
    assert!(connections.admit(ip("127.0.0.1")).slot.is_some());
}

#[test]
fn one_address_does_not_take_the_room_of_others() {
    let connections = Connections::new(ROOM);
    let other = admit(&connections, "192.0.2.7");
    let flood: Vec<Slot> = (0..20).map(|_| admit(&connections, "192.0.2.8")).collect();
    assert!(!is_shed(&other));
    assert_eq!(flood.iter().filter(|slot| !is_shed(slot)).count(), 2);
}

#[test]
fn a_network_of_ipv6_is_one_address() {
    assert_eq!(
        network(ip("2001:db8:1:2:3::4")),
        network(ip("2001:db8:1:2:ffff::1"))
    );
    assert_ne!(network(ip("2001:db8:1:2::1")), network(ip("2001:db8:1:3::1")));
    assert_eq!(network(ip("::ffff:127.0.0.1")), ip("127.0.0.1"));
    assert!(network(ip("::1")).is_loopback());
}
