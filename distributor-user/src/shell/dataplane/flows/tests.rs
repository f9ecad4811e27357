use std::net::Ipv4Addr;

use distributor_common::flow::{Bucket, FlowKey, State};

use super::count;

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

    let counts = count(&buckets);
    assert_eq!(counts.len(), 2 * services.len());
    for (course, flows) in counts {
        let service = course.service();
        let is_known = services.iter().any(|(dvipa, port)| {
            service.dvipa == Ipv4Addr::new(10, 1, 3, *dvipa) && service.port == *port
        });
        assert!(is_known, "{service:?}");
        let expected = if course.target() == 2 { 5 } else { 3 };
        assert_eq!(flows, expected, "{course:?}");
    }
}
