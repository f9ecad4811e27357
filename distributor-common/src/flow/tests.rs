use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::abi::{Called, Name};
use crate::wire::Be32;

const VIPA: [u8; 4] = [10, 1, 3, 10];

fn key(client_port: u16) -> FlowKey {
    FlowKey::tcp([10, 1, 1, 100], client_port, VIPA, 8443)
}

fn at(units: u16) -> Stamp {
    Stamp::from_jiffies(u64::from(units), 0)
}

/// Stores a flow through the lock, as the packet path does.
fn insert(bucket: &Bucket, key: &FlowKey, target: u16, now: Stamp) -> Result<PlaceKind, Unplaced> {
    let lock = bucket.lock(0).expect("nobody holds the lock");
    let place = match lock.find(key) {
        Some(found) => lock.reopen(&found).ok_or(Unplaced::Contended),
        None => lock.claim(now),
    };
    let kind = place.map(|place| {
        let kind = place.kind;
        place.fill(key, target, now);
        kind
    });
    lock.release();
    kind
}

fn states(bucket: &Bucket) -> Vec<State> {
    let tags = bucket.slots.iter().map(|slot| Tag(slot.tag.load()));
    tags.map(Tag::state).collect()
}

#[test]
fn keys_are_what_lies_in_a_packet() {
    let key = FlowKey::tcp([10, 1, 1, 100], 40_000, VIPA, 8443);
    assert_eq!(key.addresses.to_ne_bytes(), [10, 1, 1, 100, 10, 1, 3, 10]);
    assert_eq!(key.ports.to_ne_bytes(), [0x9c, 0x40, 0x20, 0xfb]);
    assert_eq!(key.client().bytes(), [10, 1, 1, 100]);
    assert_eq!(key.dvipa(), Called::ipv4(Be32::from_bytes(VIPA)));
    assert_eq!(key.client_port().host(), 40_000);
    assert_eq!(key.port().host(), 8443);
}

#[test]
fn stamps_wrap() {
    for (then, now, age) in [
        (0, 0, 0),
        (5, 9, 4),
        (2047, 0, 1),
        (2000, 10, 58),
        (1, 0, 2047),
    ] {
        assert_eq!(at(then).age(at(now)), age, "from {then} to {now}");
    }
    assert_eq!(Stamp::from_jiffies(0x1_2345_6700, 8), at(0x567));
}

#[test]
fn a_flow_is_found_under_its_key_only() {
    let bucket = Bucket::default();
    assert_eq!(insert(&bucket, &key(1), 7, at(0)), Ok(PlaceKind::Vacant));
    let found = bucket.find(&key(1)).expect("stored");
    assert_eq!(
        (found.tag.target(), found.tag.state()),
        (7, State::HalfOpen)
    );
    let strangers = [
        key(2),
        FlowKey {
            protocol: 17,
            ..key(1)
        },
        FlowKey::tcp([10, 1, 1, 101], 1, VIPA, 8443),
        FlowKey::tcp([10, 1, 1, 100], 1, [10, 1, 3, 11], 8443),
        FlowKey::tcp([10, 1, 1, 100], 1, VIPA, 8444),
        FlowKey {
            family: Family::Ipv6,
            ..key(1)
        },
    ];
    for stranger in strangers {
        assert!(bucket.find(&stranger).is_none(), "{stranger:?}");
    }
    let read: Vec<_> = bucket.slots.iter().filter_map(Slot::read).collect();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].0, key(1));
}

#[test]
fn a_flow_of_ipv6_is_none_of_ipv4() {
    let bucket = Bucket::default();
    let name = Name::new(7);
    assert_eq!(name.word().to_ne_bytes(), [240, 0, 0, 7]);
    let ipv6 = FlowKey::tcp_ipv6(u32::from_ne_bytes([10, 1, 1, 100]), 1, name, 8443);
    assert_eq!(ipv6.dvipa(), Called::ipv6(name));
    // Its words are those of a segment to an address that no network has.
    let ipv4 = FlowKey::tcp([10, 1, 1, 100], 1, [240, 0, 0, 7], 8443);
    assert_eq!((ipv4.addresses, ipv4.ports), (ipv6.addresses, ipv6.ports));
    insert(&bucket, &ipv6, 3, at(0)).expect("free");
    assert!(bucket.find(&ipv4).is_none());
    insert(&bucket, &ipv4, 4, at(0)).expect("free");
    let read: Vec<_> = bucket.slots.iter().filter_map(Slot::read).collect();
    let read: Vec<_> = read.iter().map(|(key, tag)| (*key, tag.target())).collect();
    assert_eq!(read, [(ipv6, 3), (ipv4, 4)]);
}

#[test]
fn a_place_is_known_by_its_number() {
    let bucket = Bucket::default();
    for number in 0..BUCKET_SLOTS {
        let lock = bucket.lock(0).expect("nobody holds it");
        let place = lock.claim(at(0)).expect("free");
        assert_eq!(place.index, number);
        place.fill(&key(1 + number as u16), 7, at(0));
        lock.release();
    }
    let found = bucket.find(&key(4)).expect("stored");
    found.advance(State::Ending, at(0));
    let lock = bucket.lock(0).expect("nobody holds it");
    let found = lock.find(&key(4)).expect("stored");
    let place = lock.reopen(&found).expect("unchanged");
    assert_eq!(place.index, 3);
    place.fill(&key(4), 7, at(0));
    lock.release();
    let mut noted = None;
    // All are half-open: the first one makes room.
    let reported = bucket.report(&key(100), 0, 7, at(0), |number| noted = Some(number));
    assert_eq!((reported, noted), (Reported::New, Some(0)));
}

#[test]
fn a_flow_is_touched_once_a_unit() {
    let bucket = Bucket::default();
    insert(&bucket, &key(1), 7, at(10)).expect("free");
    let found = bucket.find(&key(1)).expect("stored");
    found.touch(at(10));
    assert_eq!(bucket.find(&key(1)).expect("stored").tag, found.tag);
    found.touch(at(11));
    let tag = bucket.find(&key(1)).expect("stored").tag;
    assert_eq!((tag.stamp(), tag.state()), (at(11), State::HalfOpen));
    // An old reading changes nothing any more.
    found.touch(at(12));
    assert_eq!(bucket.find(&key(1)).expect("stored").tag, tag);
}

#[test]
fn a_flow_only_advances() {
    use State::{Ending, Established, HalfOpen};
    let bucket = Bucket::default();
    insert(&bucket, &key(1), 7, at(0)).expect("free");
    for (to, reached) in [
        (HalfOpen, HalfOpen),
        (Established, Established),
        (HalfOpen, Established),
        (Ending, Ending),
        (Established, Ending),
        (HalfOpen, Ending),
    ] {
        bucket.find(&key(1)).expect("stored").advance(to, at(1));
        assert_eq!(
            bucket.find(&key(1)).expect("stored").tag.state(),
            reached,
            "{to:?}"
        );
    }
}

#[test]
fn an_old_reading_still_advances_its_own_flow_and_no_other() {
    let bucket = Bucket::default();
    insert(&bucket, &key(1), 7, at(0)).expect("free");
    let old = bucket.find(&key(1)).expect("stored");
    bucket.find(&key(1)).expect("stored").touch(at(1));
    old.advance(State::Established, at(2));
    assert_eq!(
        bucket.find(&key(1)).expect("stored").tag.state(),
        State::Established
    );

    let slot = old.slot();
    let tag = Tag(slot.tag.load());
    assert!(slot.replace(tag, tag.freed()));
    insert(&bucket, &key(2), 8, at(3)).expect("free");
    old.advance(State::Ending, at(4));
    let other = bucket
        .slots
        .iter()
        .find_map(Slot::read)
        .expect("the other flow");
    assert_eq!((other.0, other.1.state()), (key(2), State::HalfOpen));
}

/// A bucket whose slots were last seen at these times, in these states; all full.
fn bucket_of(slots: &[(State, u16)]) -> Bucket {
    let bucket = Bucket::default();
    for (number, (slot, (state, seen))) in (0_u16..).zip(bucket.slots.iter().zip(slots)) {
        let key = key(1000 + number);
        slot.addresses.store(key.addresses);
        if *state != State::Free {
            slot.tag.store(Tag::new(&key, number, *state, at(*seen)).0);
        }
    }
    bucket
}

/// Why, what the slots are before, and which is taken.
type Case<'a> = (
    &'a str,
    [(State, u16); 8],
    Result<(usize, PlaceKind), Unplaced>,
);

#[test]
fn slots_are_given_away_in_order() {
    use State::{Ending as E, Established as O, Free as F, HalfOpen as H};
    let now = 1000;
    let cases: &[Case<'_>] = &[
        (
            "a free slot before everything",
            [
                (H, 900),
                (E, 900),
                (O, 1),
                (F, 0),
                (H, 1),
                (E, 1),
                (O, 1),
                (O, 1),
            ],
            Ok((3, PlaceKind::Vacant)),
        ),
        (
            "the oldest stale half-open flow",
            [
                (O, 1),
                (H, 935),
                (H, 934),
                (E, 1),
                (O, 1),
                (O, 1),
                (H, 999),
                (O, 1),
            ],
            Ok((2, PlaceKind::Vacant)),
        ),
        (
            "64 units are not stale, so an ending flow",
            [
                (O, 1),
                (H, 936),
                (O, 1),
                (E, 997),
                (E, 998),
                (O, 1),
                (O, 1),
                (O, 1),
            ],
            Ok((3, PlaceKind::Vacant)),
        ),
        (
            "an ending flow that was just seen is still in use",
            [
                (O, 1),
                (H, 990),
                (O, 1),
                (E, 999),
                (E, 1000),
                (O, 1),
                (H, 980),
                (O, 1),
            ],
            Ok((6, PlaceKind::Displaced)),
        ),
        (
            "nothing of established and used flows",
            [
                (O, 1),
                (O, 2),
                (O, 3),
                (E, 999),
                (O, 5),
                (O, 6),
                (O, 7),
                (O, 8),
            ],
            Err(Unplaced::Full),
        ),
    ];
    for (why, slots, expected) in cases {
        let bucket = bucket_of(slots);
        let result = insert(&bucket, &key(1), 77, at(now));
        assert_eq!(result, expected.map(|(_, kind)| kind), "{why}");
        let place = bucket
            .slots
            .iter()
            .position(|slot| Tag(slot.tag.load()).target() == 77);
        assert_eq!(place, expected.ok().map(|(place, _)| place), "{why}");
        let others = (0..8).filter(|slot| Some(*slot) != place);
        for slot in others {
            assert_eq!(states(&bucket)[slot], slots[slot].0, "{why}");
        }
    }
}

#[test]
fn an_ending_flow_is_reopened_in_place() {
    let bucket = bucket_of(&[(State::Established, 0); 8]);
    bucket
        .find(&key(1003))
        .expect("stored")
        .advance(State::Ending, at(0));
    assert_eq!(
        insert(&bucket, &key(1003), 77, at(0)),
        Ok(PlaceKind::Reopened)
    );
    let tag = bucket.find(&key(1003)).expect("stored").tag;
    assert_eq!((tag.target(), tag.state()), (77, State::HalfOpen));
    assert_eq!(bucket.slots.iter().filter_map(Slot::read).count(), 8);
}

#[test]
fn a_claimed_slot_is_nobodys() {
    let bucket = bucket_of(&[(State::HalfOpen, 0); 8]);
    let lock = bucket.lock(0).expect("free");
    let place = lock.claim(at(5)).expect("half-open flows only");
    let claimed: Vec<_> = bucket
        .slots
        .iter()
        .filter(|slot| slot.read().is_none())
        .collect();
    assert_eq!(claimed.len(), 1);
    // Not even to the holder of the lock, and not when it is old.
    let tag = Tag(claimed[0].tag.load());
    assert_ne!(tag.state(), State::Free);
    for _ in 0..7 {
        let next = lock.claim(at(500)).expect("another one");
        next.fill(&key(1), 1, at(500));
    }
    place.fill(&key(2), 2, at(500));
    lock.release();
    let found = bucket.find(&key(2)).expect("stored");
    assert_eq!(found.tag.target(), 2);
    assert_eq!(bucket.slots.iter().filter_map(Slot::read).count(), 8);
}

#[test]
fn nothing_but_its_holder_gives_the_lock_back() {
    let bucket = bucket_of(&[(State::HalfOpen, 0); 8]);
    let lock = bucket.lock(0).expect("free");
    assert!(bucket.lock(0).is_none());
    let first = bucket.find(&key(1000)).expect("in slot 0");
    first.touch(at(1));
    bucket
        .find(&key(1000))
        .expect("in slot 0")
        .advance(State::Ending, at(2));
    assert!(bucket.lock(0).is_none());
    let tag = Tag(bucket.slots[0].tag.load());
    assert!(bucket.slots[0].replace(tag, tag.freed()));
    assert!(bucket.lock(0).is_none());
    let place = lock.claim(at(3)).expect("slot 0 is free");
    place.fill(&key(1), 5, at(3));
    assert!(bucket.lock(0).is_none());
    lock.release();
    assert_eq!(bucket.find(&key(1)).expect("stored").tag.0 & Tag::LOCK, 0);
    assert!(bucket.lock(0).is_some());
}

fn any_state() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Free),
        Just(State::HalfOpen),
        Just(State::Established),
        Just(State::Ending)
    ]
}

proptest! {
    #[test]
    fn an_established_flow_never_loses_its_slot(
        slots in prop::array::uniform8((any_state(), 0..4096_u16)),
        now in 0..4096_u16,
    ) {
        let bucket = bucket_of(&slots);
        for port in 1..20 {
            // Whatever the answer.
            let _ = insert(&bucket, &key(port), 77, at(now));
        }
        for (number, (state, _)) in (0..).zip(&slots) {
            if *state == State::Established {
                let found = bucket.find(&key(1000 + number));
                prop_assert_eq!(found.map(|found| found.tag.target()), Some(number));
            }
        }
    }

    #[test]
    fn tags_keep_their_fields_apart(target: u16, seen in 0..4096_u16, state in any_state(), port: u16) {
        let tag = Tag::new(&key(port), target, state, at(seen));
        prop_assert_eq!(tag.target(), target);
        prop_assert_eq!(tag.stamp(), at(seen));
        prop_assert_eq!(tag.state(), state);
        prop_assert_eq!(tag.ports(), key(port).ports);
        prop_assert_eq!(tag.0 & Tag::LOCK, 0);
        let touched = tag.with_stamp(at(9)).with_state(State::Ending);
        prop_assert!(touched.agrees(tag) && touched.is_of(&key(port)) && !touched.is_udp());
    }
}

/// The target that a flow must have in the test below.
fn target_of(port: u16) -> u16 {
    port.wrapping_mul(31) % 1000
}

#[test]
fn readers_and_writers_of_one_bucket_agree() {
    const PORTS: u16 = 24;
    const ROUNDS: u64 = 100_000;
    let bucket = Bucket::default();
    let clock = AtomicU64::new(0);
    let work = |thread: u64| {
        let mut found_any = 0_u64;
        for round in 0..ROUNDS {
            let port = 1 + ((round.wrapping_mul(2_654_435_761) >> 7) + thread) as u16 % PORTS;
            let key = key(port);
            let now = Stamp::from_jiffies(clock.fetch_add(1, Relaxed) / 64, 0);
            if let Some(found) = bucket.find(&key) {
                assert_eq!(found.tag.target(), target_of(port), "port {port}");
                found_any += 1;
                match round % 3 {
                    0 => found.touch(now),
                    1 => found.advance(State::Ending, now),
                    // As the daemon removes flows.
                    _ => drop(found.slot().replace(found.tag, found.tag.freed())),
                }
            } else if let Some(lock) = bucket.lock(0) {
                if lock.find(&key).is_none()
                    && let Ok(place) = lock.claim(now)
                {
                    place.fill(&key, target_of(port), now);
                }
                let mut ports = BTreeMap::new();
                for (key, _) in bucket.slots.iter().filter_map(Slot::read) {
                    *ports.entry(key.client_port().host()).or_insert(0) += 1;
                }
                assert!(
                    ports.values().all(|count| *count == 1),
                    "twice in the table: {ports:?}"
                );
                lock.release();
            }
        }
        found_any
    };
    let found: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|thread| scope.spawn(move || work(thread)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum()
    });
    assert!(found > ROUNDS / 10, "{found}");
    assert!(bucket.lock(0).is_some(), "somebody kept the lock");
}

#[test]
fn a_reported_flow_is_stored_or_moved() {
    let bucket = Bucket::default();
    assert_eq!(bucket.report(&key(1), 0, 7, at(5), |_| {}), Reported::New);
    let read = |port: u16| bucket.find(&key(port)).map(|found| found.tag);
    let stored = read(1).expect("stored");
    assert_eq!(
        (stored.target(), stored.state(), stored.stamp()),
        (7, State::Established, at(5))
    );
    for (port, state, stored_target, reported_target, expected) in [
        (2, State::HalfOpen, 7, 7, State::Established),
        (3, State::HalfOpen, 8, 7, State::Established),
        (4, State::Established, 7, 7, State::Established),
        (5, State::Established, 8, 7, State::Established),
        (6, State::Ending, 7, 7, State::Ending),
        (7, State::Ending, 8, 7, State::Established),
    ] {
        insert(&bucket, &key(port), stored_target, at(0)).expect("room");
        let found = bucket.find(&key(port)).expect("stored");
        found.advance(state, at(1));
        assert_eq!(
            bucket.report(&key(port), 0, reported_target, at(5), |_| {}),
            Reported::Known
        );
        let tag = read(port).expect("still there");
        assert_eq!((tag.target(), tag.state()), (reported_target, expected));
    }
}

#[test]
fn a_reported_flow_takes_the_place_of_no_other_established_one() {
    let bucket = Bucket::default();
    for port in 1..8 {
        assert_eq!(
            bucket.report(&key(port), 0, 7, at(0), |_| {}),
            Reported::New
        );
    }
    insert(&bucket, &key(8), 7, at(0)).expect("room");
    // The half-open one gives way, whether somebody holds the lock or not.
    let lock = bucket.lock(0).expect("nobody holds it");
    assert_eq!(bucket.report(&key(9), 0, 7, at(0), |_| {}), Reported::New);
    assert_eq!(bucket.report(&key(10), 0, 7, at(0), |_| {}), Reported::Full);
    lock.release();
    assert_eq!(bucket.report(&key(10), 0, 7, at(0), |_| {}), Reported::Full);
    assert_eq!(states(&bucket), [State::Established; BUCKET_SLOTS]);
    assert!(bucket.lock(0).is_some(), "the lock is where it was");
}

#[test]
fn a_flow_that_is_reported_while_its_client_opens_it_is_there_once() {
    const ROUNDS: u16 = 20_000;
    let buckets: Vec<Bucket> = (0..ROUNDS).map(|_| Bucket::default()).collect();
    let ready = AtomicU64::new(0);
    let meet = |round: u16| {
        ready.fetch_add(1, Relaxed);
        while ready.load(Relaxed) < 2 * (u64::from(round) + 1) {
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..ROUNDS {
                meet(round);
                let bucket = &buckets[usize::from(round)];
                let Some(lock) = bucket.lock(0) else { continue };
                if lock.find(&key(1)).is_none()
                    && let Ok(place) = lock.claim(at(0))
                {
                    place.fill(&key(1), 8, at(0));
                }
                lock.release();
            }
        });
        for round in 0..ROUNDS {
            meet(round);
            let _ = buckets[usize::from(round)].report(&key(1), 0, 7, at(0), |_| {});
        }
    });
    for bucket in &buckets {
        let flows: Vec<_> = bucket.slots.iter().filter_map(Slot::read).collect();
        assert_eq!(flows.len(), 1);
        assert_eq!((flows[0].0, flows[0].1.target()), (key(1), 7));
        assert!(bucket.lock(0).is_some(), "the lock is free");
    }
}

#[test]
fn a_slot_that_nobody_will_fill_is_freed() {
    let bucket = Bucket::default();
    let lock = bucket.lock(0).expect("nobody holds it");
    let place = lock.claim(at(0)).expect("room");
    assert!(bucket.slots[0].is_claimed());
    assert_eq!(bucket.find(&key(1)).map(|found| found.tag), None);
    drop(place);
    bucket.slots[0].abandon();
    assert_eq!(Tag(bucket.slots[0].tag.load()), Tag(Tag::LOCK));
    lock.release();
    // What is filled is not freed.
    assert_eq!(bucket.report(&key(1), 0, 7, at(0), |_| {}), Reported::New);
    bucket.slots[0].abandon();
    assert!(bucket.find(&key(1)).is_some());
}

#[test]
fn a_flow_is_at_home_where_it_can_be() {
    for home in 0..BUCKET_SLOTS {
        let bucket = Bucket::default();
        let mut taken = Vec::new();
        for port in 1..=8 {
            let lock = bucket.lock(home).expect("nobody holds it");
            let place = lock.claim(at(0)).expect("room");
            place.fill(&key(port), port, at(0));
            lock.release();
            let slot = bucket
                .slots
                .iter()
                .position(|slot| slot.find(&key(port), 0).is_some());
            taken.push(slot.expect("stored"));
        }
        // Then in the same cache line, then in the other one.
        assert_eq!(taken[0], home);
        let is_near = |slot: &usize| slot / 4 == home / 4;
        assert_eq!(taken.iter().filter(|slot| is_near(slot)).count(), 4);
        assert!(taken[..4].iter().all(is_near), "{taken:?}");
        let other = Bucket::default();
        assert_eq!(other.report(&key(1), home, 7, at(0), |_| {}), Reported::New);
        assert!(other.slots[home].find(&key(1), home).is_some());
    }
}

#[test]
fn the_numbers_of_bucket_and_slot_are_the_upper_bits_of_a_hash() {
    for (hash, buckets, expected) in [
        (0, 1, (0, 0)),
        (u64::MAX, 1, (0, 7)),
        (5 << 61, 1, (0, 5)),
        (u64::MAX, 256, (255, 7)),
        (0x8020_0000_0000_0000, 256, (128, 1)),
        (0x8000_0000_0000_0000, 1 << 23, (1 << 22, 0)),
    ] {
        assert_eq!(place(hash, buckets), expected, "{hash:#x} of {buckets}");
    }
}
