use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::host::frame;
use crate::wire::{Be16, Be32};

#[test]
fn paths_are_read_as_they_were_set() {
    let target = Target::empty();
    assert_eq!(target.path(), Path::Unreachable);
    let link = Path::link(7, [2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let tunnels = [Encapsulation::Gre, Encapsulation::Ipip].map(|encapsulation| {
        let (ends, frame) = ([[10, 1, 1, 1], [10, 9, 1, 2]], [u64::MAX; 2]);
        let tunnel = Tunnel::ipv4(encapsulation, ends, 1500, 7, frame);
        assert_eq!(tunnel.ends().map(Be32::bytes), ends);
        assert_eq!(tunnel.mtu(), 1500);
        assert_eq!(tunnel.encapsulation(), encapsulation);
        assert_eq!(tunnel.overhead(), usize::from(encapsulation.overhead()));
        assert_eq!(tunnel.addresses(), (u64::MAX, u32::MAX));
        Path::Tunnel(tunnel)
    });
    let [gre, ipip] = tunnels;
    for path in [
        Path::Local,
        link,
        gre,
        Path::Unreachable,
        link,
        ipip,
        gre,
        link,
    ] {
        target.set_path(path);
        assert_eq!(target.path(), path);
    }
}

#[test]
fn outer_headers_are_those_of_the_rfcs() {
    let ends = [[192, 0, 2, 1], [198, 51, 100, 7]];
    for (encapsulation, protocol, overhead) in
        [(Encapsulation::Gre, 47, 24), (Encapsulation::Ipip, 4, 20)]
    {
        assert_eq!(encapsulation.overhead(), overhead);
        let tunnel = Tunnel::ipv4(encapsulation, ends, 1500, 7, [0; 2]);
        for (tos, len) in [(0, 64), (0xb8, 1500), (0xff, 65_535), (3, 0xfffe)] {
            let (first, second, third) = tunnel.header(tos, len);
            let words = [first.to_ne_bytes(), second.to_ne_bytes()];
            let header = [words.as_flattened(), &third.to_ne_bytes()].concat();
            let [high, low] = len.to_be_bytes();
            let fields = [0x45, tos, high, low, 0, 0, 0x40, 0, 64, protocol];
            assert_eq!(header[..10], fields);
            assert_eq!(header[12..], [192, 0, 2, 1, 198, 51, 100, 7]);
            assert_eq!(frame::checksum(&header), 0, "{tos} {len}");
        }
    }
}

#[test]
fn a_tunnel_is_found_by_both_ends() {
    let addresses = u64::from_ne_bytes([10, 1, 1, 1, 10, 9, 1, 2]);
    let key = TunnelKey::ipv4(addresses);
    let mapped = |end: [u64; 2]| end.map(u64::to_ne_bytes).as_flattened().to_vec();
    let expected = |last: [u8; 4]| [&[0; 10][..], &[255, 255], &last].concat();
    assert_eq!(mapped(key.source), expected([10, 1, 1, 1]));
    assert_eq!(mapped(key.destination), expected([10, 9, 1, 2]));
}

#[test]
fn a_link_begins_with_its_next_hop() {
    let Path::Link { ifindex, addresses } =
        Path::link(7, [1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12])
    else {
        panic!("a link")
    };
    assert_eq!(ifindex, 7);
    let bytes = addresses.map(u64::to_ne_bytes);
    assert_eq!(
        bytes.as_flattened(),
        [7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0]
    );
}

#[test]
fn readers_never_see_half_a_path() {
    let target = Target::empty();
    let paths: [Path; 2] = [1, 2].map(|n| Path::link(u32::from(n), [n; 6], [n; 6]));
    target.set_path(paths[0]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..100_000 {
                target.set_path(paths[round % 2]);
            }
            is_over.store(true, Ordering::Relaxed);
        });
        let mut seen = [0_u32; 2];
        while !is_over.load(Ordering::Relaxed) {
            let path = target.path();
            if let Some(which) = paths.iter().position(|whole| *whole == path) {
                seen[which] += 1;
            } else {
                // Three changes during one reading: the packet is dropped and counted.
                assert_eq!(path, Path::Unreachable);
            }
        }
    });
}

#[test]
fn no_ring_has_the_word_of_a_place_that_never_had_one() {
    let mut ring = Ring::default();
    assert_eq!(ring.word(), 0);
    for _ in 0..1 << 15 {
        let before = ring;
        ring = Ring::default().following(before);
        assert_ne!(ring.word(), 0);
        assert_ne!(ring.word(), before.word());
        assert_eq!(Ring::from_word(ring.word()), ring);
    }
}

#[test]
fn the_edition_of_a_path_wraps() {
    let target = Target::empty();
    let state = PathState {
        ifindex: 0,
        kind: PathKind::Local,
        edition: 0xff_ffff,
    };
    target.state.store(state.word());
    let link = Path::link(7, [1; 6], [2; 6]);
    target.set_path(link);
    assert_eq!(target.path(), link);
    assert_eq!(PathState::from_word(target.state.load()).edition, 0);
}

#[test]
fn a_place_that_was_never_written_is_none() {
    assert_eq!(RingEntry::from_word(0), None);
}

#[test]
fn names_are_addresses_that_no_network_has() {
    for number in [0, 1, Name::COUNT - 1] {
        let name = Name::new(number);
        assert_eq!(name.word().to_ne_bytes()[0] >> 4, 0xf);
        assert_eq!(name.number(), number);
        assert_eq!(Name::from_word(name.word()), Some(name));
    }
    assert_eq!(Name::from_word(0), None);
}

#[test]
fn an_address_has_the_name_that_its_entry_says() {
    let bucket = NameBucket::default();
    let addresses: [[u64; 2]; NAME_ENTRIES] = [[1, 2], [2, 1], [1, 1], [0, 0]];
    assert_eq!(bucket.find([0, 0]), None, "an empty bucket has no names");
    for (number, address) in (0..).zip(addresses) {
        assert_eq!(bucket.find(address), None);
        let name = Name::new(number);
        bucket.fill(number as usize, address, name);
        assert_eq!(bucket.find(address), Some(name));
        assert_eq!(bucket.entry(number as usize), Some((address, name)));
    }
    for (index, address) in addresses.into_iter().enumerate() {
        bucket.empty(index);
        assert_eq!((bucket.find(address), bucket.entry(index)), (None, None));
    }
    assert_eq!(bucket.entry(NAME_ENTRIES), None);
}

#[test]
fn a_half_of_the_names_is_found_by_its_seed() {
    for (seed, half) in [(0, 0), (u64::MAX, 0), (u64::MAX, 1), (6, 1)] {
        let table = NameTable::new(seed, half);
        assert_eq!(NameTable::from_word(table.word()), table);
        assert_eq!(table.half(), half);
        let all = table.start()..table.start() + NAME_BUCKETS;
        for hash in [0, 1, u64::MAX, 1 << 63] {
            assert!(all.contains(&table.bucket(hash)), "{hash:#x}");
        }
    }
    let buckets = |seed| (0..64).map(move |hash| NameTable::new(seed, 0).bucket(hash << 48 | hash));
    assert!(!buckets(3 << 40).eq(buckets(5 << 41)), "seeds matter");
}

#[test]
fn keys_of_services_survive_their_bytes() {
    let name = Called::ipv6(Name::new(5));
    let address = Called::ipv4(Be32::from_bytes([240, 0, 0, 5]));
    assert_eq!(name.word, address.word);
    let port = Be16::from_host(8443);
    let keys = [name, address].map(|dvipa| ServiceKey::new(dvipa, port, 6));
    assert_ne!(keys[0], keys[1]);
    assert_ne!(keys[0].bytes(), keys[1].bytes());
    for (key, called) in keys.into_iter().zip([name, address]) {
        assert_eq!(ServiceKey::from_bytes(key.bytes()), key);
        assert_eq!(key.called(), called);
    }
    let bytes = keys[1].bytes();
    assert_eq!(bytes, [240, 0, 0, 5, 0x20, 0xfb, 6, 0]);
}

#[test]
fn readers_never_see_half_a_standing() {
    let vipa = Vipa::empty();
    let standings: [Standing; 2] = [1, 2].map(|n: u16| {
        Standing::new(&Roles {
            owner: Some(n),
            offers: (u32::from(n), n),
            targets: u64::from(n),
            ..Roles::default()
        })
    });
    vipa.set_standing(standings[0]);
    let is_over = AtomicBool::new(false);
    let mut torn = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..20_000 {
                vipa.set_standing(standings[round % 2]);
                // The daemon makes a system call or two between changes.
                thread::yield_now();
            }
            is_over.store(true, Ordering::Relaxed);
        });
        while !is_over.load(Ordering::Relaxed) {
            torn += u32::from(!standings.contains(&vipa.standing()));
        }
    });
    assert_eq!(torn, 0);
}

#[test]
fn nobody_is_who_is_not_known() {
    for standing in [Standing::UNKNOWN, Standing::new(&Roles::default())] {
        assert!((0..MAX_TARGETS as u16).all(|slot| {
            !standing.is_authority(slot) && !standing.is_former(slot) && !standing.is_target(slot)
        }));
        assert!(!standing.is_settled() && !standing.is_owned() && !standing.has_successor());
        assert!(standing.place() >= standing.offers());
        assert_eq!(standing.roles(), Roles::default());
    }
}

#[test]
fn keys_of_the_probe_change_with_their_number() {
    let life = Life::empty();
    assert_eq!(life.probe_key(life.probe(), 0), None);
    for (port, keys) in [
        (4912, &[[1, 2], [3, 4]][..]),
        (4912, &[[5, 6]]),
        (1, &[[7, 8], [9, 10], [11, 12]]),
        (0, &[]),
    ] {
        let (identity, ipv6) = ([u64::from(port), 7], [0, u64::from(port)]);
        life.set_probe(identity, ipv6, port, keys);
        let state = life.probe();
        assert_eq!(life.identity(state), identity);
        assert_eq!(life.address6(), (port != 0).then_some(ipv6));
        assert_eq!(state.port(), port);
        for index in 0..4 {
            let expected = keys.get(index).filter(|_| index < PROBE_KEYS);
            assert_eq!(life.probe_key(state, index).as_ref(), expected);
        }
    }
}

proptest! {
    #[test]
    fn roles_survive_their_words(
        parties in prop::array::uniform4(prop::option::of(0..MAX_TARGETS as u16)),
        start in 0..1_u32 << 24,
        len: u16,
        targets: u64,
        flags in prop::array::uniform3(any::<bool>()),
    ) {
        let roles = Roles {
            owner: parties[0],
            claimant: parties[1],
            former: parties[2],
            place: parties[3],
            offers: (start, len),
            targets,
            is_owned: flags[0],
            has_successor: flags[1],
            is_distributed: flags[2],
        };
        prop_assert_eq!(Standing::new(&roles).roles(), roles);
    }

    #[test]
    fn rings_survive_their_word(
        start in 0..1_u32 << 24,
        len in 0..1_u32 << 24,
        choice in prop::sample::select(&[Choice::Turn, Choice::Hash, Choice::Active]),
        edition in 0..1_u16 << 14,
    ) {
        let ring = Ring { start, len, choice, edition };
        prop_assert_eq!(Ring::from_word(ring.word()), ring);
    }

    #[test]
    fn ring_entries_survive_their_word(target: u16, row in 0..32_u16, weight in 0..128_u8) {
        let word = RingEntry::new(target, row).weighted(weight).word();
        let entry = RingEntry::from_word(word).expect("written");
        prop_assert_eq!((entry.target(), entry.row(), entry.weight()), (target, row, weight));
    }

    #[test]
    fn senders_survive_their_word(
        slots in prop::array::uniform2(prop::option::of(0..MAX_TARGETS as u16)),
    ) {
        let [ipv4, ipv6] = slots;
        let word = Sender::new(ipv4, ipv6).word();
        let sender = Sender::from_word(word).expect("written");
        prop_assert_eq!([sender.ipv4(), sender.ipv6()], slots);
        let members = [Family::Ipv4, Family::Ipv6].map(|family| sender.member(family));
        prop_assert_eq!(members.map(|member| member.map(Member::slot)), slots);
    }

    #[test]
    fn path_states_survive_their_word(ifindex: u32, edition in 0..1_u32 << 24, kind in 0..4_usize) {
        let kinds = [PathKind::Unreachable, PathKind::Local, PathKind::Link, PathKind::Tunnel];
        let kind = kinds[kind];
        let state = PathState { ifindex, kind, edition };
        prop_assert_eq!(PathState::from_word(state.word()), state);
    }

    #[test]
    fn any_word_is_some_path_state(word: u64) {
        let state = PathState::from_word(word);
        prop_assert!(state.half() < 2);
    }
}
