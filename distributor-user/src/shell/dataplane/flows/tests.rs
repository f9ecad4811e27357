use std::net::{Ipv4Addr, Ipv6Addr};

use distributor_common::abi::{NAME_BUCKETS, NameBucket};
use distributor_common::flow::FlowKey;

use super::*;
use crate::engine::forwarding::FlowKey as EngineKey;

/// Puts a flow into a slot as the packet path lays it out; see `distributor_common::flow`.
fn place(bucket: &Bucket, slot: usize, key: &FlowKey, target: u16, state: State) {
    let slot = &bucket.slots[slot];
    slot.addresses.store(key.addresses);
    slot.tag
        .store(u64::from(key.ports) << 32 | u64::from(target) << 16 | (state as u64) << 1);
}

fn key(client_port: u16, dvipa: u8, port: u16) -> FlowKey {
    FlowKey::tcp([192, 0, 2, 7], client_port, [10, 1, 3, dvipa], port)
}

#[test]
fn flows_are_counted_by_service_and_target() {
    let buckets: Vec<Bucket> = (0..4096).map(|_| Bucket::default()).collect();
    assert!(count(&buckets).is_empty());
    // More services than there are places in front of the map, so that they displace each other.
    let services: Vec<(u8, u16)> = (1..=20)
        .flat_map(|dvipa| (8000..8020).map(move |port| (dvipa, port)))
        .collect();
    for round in 0..8 {
        for (index, (dvipa, port)) in services.iter().enumerate() {
            let target = if round < 5 { 2 } else { 3 };
            let key = key(1024 + round, *dvipa, *port);
            let bucket = &buckets[index * 7 % buckets.len()];
            place(bucket, usize::from(round), &key, target, State::Established);
        }
    }
    // Not flows: a lock, and a slot that is being claimed.
    buckets[4095].slots[0].tag.store(1);
    buckets[4094].slots[3]
        .tag
        .store((State::Ending as u64) << 1);

    let known = Known::default();
    let counts = count(&buckets);
    assert_eq!(counts.len(), 2 * services.len());
    for (course, flows) in counts {
        let service = course.service(&known).expect("an IPv4 address");
        let is_known = services.iter().any(|(dvipa, port)| {
            service.dvipa == Ipv4Addr::new(10, 1, 3, *dvipa) && service.port == *port
        });
        assert!(is_known, "{service:?}");
        let expected = if course.target() == 2 { 5 } else { 3 };
        assert_eq!(flows, expected, "{course:?}");
    }
}

/// A table of its own for eight flows, with what stands beside it.
fn table() -> (Flows, Shared<Bucket>, Shared<Client>) {
    let settings: Shared<Settings> = Shared::zeroed(1);
    for (word, seed) in settings[0]
        .ipv6
        .digest_seeds
        .iter()
        .zip(hash::digest_seeds([1, 2]))
    {
        word.store(seed);
    }
    let buckets: Shared<NameBucket> = Shared::zeroed(2 * NAME_BUCKETS as usize);
    let names = Names::recover(settings.clone(), buckets);
    let (buckets, clients) = (Shared::zeroed(1), Shared::zeroed(BUCKET_SLOTS));
    let flows = Flows::new(buckets.clone(), clients.clone(), names, &settings[0]);
    (flows, buckets, clients)
}

fn ipv6(client: u16, client_port: u16) -> EngineKey {
    EngineKey {
        client: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, client).into(),
        client_port,
        dvipa: Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 10).into(),
        port: 8443,
    }
}

#[test]
fn ipv6_clients_are_known_by_their_whole_address() {
    let (flows, ..) = table();
    let keys = [ipv6(1, 40_000), ipv6(2, 40_000), ipv6(1, 40_001)];
    let ipv4 = EngineKey {
        client: Ipv4Addr::new(192, 0, 2, 7).into(),
        dvipa: Ipv4Addr::new(10, 1, 3, 10).into(),
        ..keys[0]
    };
    let now = Stamp::from_jiffies(5, 0);
    for (slot, key) in (1..).zip(keys.into_iter().chain([ipv4])) {
        assert_eq!(flows.report(&key, slot, now), Some(Reported::New));
        assert_eq!(flows.report(&key, slot, now), Some(Reported::Known));
    }
    let known = flows.names();
    let all = || {
        let entries = flows.entries();
        let mut all: Vec<_> = entries
            .map(|(entry, tag)| (tag.target(), entry.flow(&known).expect("a name")))
            .collect();
        all.sort_unstable();
        all
    };
    assert_eq!(all(), [(1, keys[0]), (2, keys[1]), (3, keys[2]), (4, ipv4)]);
    assert!(flows.mark_ending(&keys[1]));
    assert!(!flows.remove_ended(&keys[0], 1), "it is not ending");
    assert!(flows.remove_ended(&keys[1], 2));
    assert_eq!(all(), [(1, keys[0]), (3, keys[2]), (4, ipv4)]);
    assert_eq!(flows.remove_dvipa(keys[0].dvipa), 2);
    assert_eq!(all(), [(4, ipv4)]);
}

#[test]
fn a_client_of_another_family_has_no_flow() {
    let (flows, ..) = table();
    let mixed = EngineKey {
        client: Ipv4Addr::new(192, 0, 2, 7).into(),
        ..ipv6(1, 40_000)
    };
    assert_eq!(flows.report(&mixed, 1, Stamp::default()), None);
    assert!(!flows.mark_ending(&mixed));
    assert_eq!(flows.remove_dvipa(Ipv6Addr::LOCALHOST.into()), 0);
}

#[test]
fn a_slot_that_changes_hands_shows_nobody_else() {
    let (flows, buckets, clients) = table();
    let key = ipv6(1, 40_000);
    flows.report(&key, 1, Stamp::default());
    assert_eq!(flows.entries().count(), 1);
    let used = buckets[0]
        .slots
        .iter()
        .position(|slot| slot.tag.load() != 0);
    let used = used.expect("one flow");
    // A packet has written its client and is about to fill the slot.
    clients[used].address[1].store(7);
    assert!(flows.entry(used).is_none());
}
