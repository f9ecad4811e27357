use std::net::Ipv4Addr;

use super::*;

/// Neighbours, as a network's DVIPAs are.
fn dvipa(number: u32) -> IpAddr {
    let [a, b, c, d] = number.to_be_bytes().map(u16::from);
    Ipv6Addr::new(0x2001, 0xdb8, 1, 2, a, b, c, d).into()
}

fn tables() -> (Shared<Settings>, Shared<NameBucket>) {
    let buckets = Shared::zeroed(2 * NAME_BUCKETS as usize);
    (Shared::zeroed(1), buckets)
}

/// What packets to an address find.
fn found(settings: &Settings, buckets: &[NameBucket], dvipa: IpAddr) -> Option<Called> {
    let IpAddr::V6(address) = dvipa else {
        return None;
    };
    let table = NameTable::from_word(settings.ipv6.names.load());
    let place = table.bucket(hash::address(words(address)));
    let name = buckets[place as usize].find(words(address));
    name.map(Called::ipv6)
}

#[test]
fn an_address_keeps_its_name_and_a_successor_finds_it() {
    let (settings, buckets) = tables();
    let names = Names::recover(settings.clone(), buckets.clone());
    assert_eq!(names.known().called(dvipa(1)), None);
    let called = [1, 2].map(|number| names.call(dvipa(number)).expect("room"));
    assert_ne!(called[0], called[1]);
    assert_eq!(names.call(dvipa(1)).expect("it has one"), called[0]);
    assert_eq!(found(&settings[0], &buckets, dvipa(1)), Some(called[0]));
    assert_eq!(found(&settings[0], &buckets, dvipa(3)), None);
    let successor = Names::recover(settings.clone(), buckets.clone());
    for (number, called) in (1..).zip(called) {
        assert_eq!(successor.known().called(dvipa(number)), Some(called));
        assert_eq!(successor.known().address(called), Some(dvipa(number)));
    }
    let third = successor.call(dvipa(3)).expect("room");
    assert!(!called.contains(&third));
}

#[test]
fn an_ipv4_address_is_called_by_itself() {
    let (settings, buckets) = tables();
    let names = Names::recover(settings, buckets);
    let address = IpAddr::from([10, 1, 3, 10]);
    let mapped = IpAddr::from(Ipv4Addr::new(10, 1, 3, 10).to_ipv6_mapped());
    let called = Called::ipv4(Be32::from_bytes([10, 1, 3, 10]));
    for one in [address, mapped] {
        assert_eq!(names.call(one).expect("no room is needed"), called);
        assert_eq!(names.known().called(one), Some(called));
    }
    assert_eq!(names.known().address(called), Some(address));
    let name = names.call(dvipa(0)).expect("room");
    let as_address = Called {
        family: Family::Ipv4,
        ..name
    };
    assert_eq!(
        names.known().address(as_address),
        Some([240, 0, 0, 0].into())
    );
    assert_eq!(names.known().address(Called::ipv6(Name::new(99))), None);
}

#[test]
fn a_name_is_given_up_when_nothing_had_it_twice() {
    let (settings, buckets) = tables();
    let names = Names::recover(settings.clone(), buckets.clone());
    let first = names.call(dvipa(1)).expect("room");
    let kept = names.call(dvipa(2)).expect("room");
    let IpAddr::V6(wanted) = dvipa(2) else {
        unreachable!("all of them are");
    };
    let wanted = BTreeSet::from([wanted]);
    names.release(&wanted);
    assert_eq!(names.known().called(dvipa(1)), Some(first));
    // Somebody asks for it: it is as new as ever.
    names.call(dvipa(1)).expect("it has one");
    names.release(&wanted);
    assert_eq!(names.known().called(dvipa(1)), Some(first));
    names.release(&wanted);
    assert_eq!(names.known().called(dvipa(1)), None);
    assert_eq!(names.known().address(first), None);
    assert_eq!(found(&settings[0], &buckets, dvipa(1)), None);
    assert_eq!(found(&settings[0], &buckets, dvipa(2)), Some(kept));
    // A packet that has read it before does not find it to be another's.
    assert_ne!(names.call(dvipa(3)).expect("room"), first);
}

#[test]
fn an_entry_that_packets_may_be_reading_is_not_filled() {
    let (settings, buckets) = tables();
    let names = Names::recover(settings.clone(), buckets.clone());
    let entries = |number| {
        let IpAddr::V6(address) = dvipa(number) else {
            unreachable!("all of them are");
        };
        let table = NameTable::from_word(settings[0].ipv6.names.load());
        let place = table.bucket(hash::address(words(address)));
        let bucket = &buckets[place as usize];
        (0..NAME_ENTRIES)
            .map(|entry| bucket.entry(entry).map(|(is, _)| address_of(is)))
            .collect::<Vec<_>>()
    };
    let address = |number| match dvipa(number) {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    };
    names.call(dvipa(1)).expect("room");
    for _ in 0..2 {
        names.release(&BTreeSet::new());
    }
    names.call(dvipa(1)).expect("room");
    assert_eq!(entries(1), [None, address(1), None, None]);
    // By now every packet has gone its way.
    for _ in 0..3 {
        names.release(&BTreeSet::new());
    }
    names.call(dvipa(1)).expect("room");
    assert_eq!(entries(1), [address(1), None, None, None]);
}

#[test]
fn as_many_as_there_may_be_find_room() {
    let (settings, buckets) = tables();
    let names = Names::recover(settings.clone(), buckets.clone());
    let mut called = BTreeSet::new();
    // They are chosen to meet in one bucket, under the first seed.
    let first = NameTable::from_word(0);
    let crowd = (0_u32..).map(dvipa).filter(|dvipa| match dvipa {
        IpAddr::V6(address) => first.bucket(hash::address(words(*address))) < NAME_BUCKETS / 16,
        IpAddr::V4(_) => false,
    });
    let crowd: Vec<_> = crowd.take(MAX_VIPAS as usize).collect();
    for dvipa in &crowd {
        called.insert(names.call(*dvipa).expect("room"));
    }
    assert_eq!(called.len(), MAX_VIPAS as usize);
    assert_ne!(settings[0].ipv6.names.load(), 0, "the seed is another");
    let known = names.known();
    for dvipa in &crowd {
        assert_eq!(found(&settings[0], &buckets, *dvipa), known.called(*dvipa));
    }
    let refused = names.call(dvipa(u32::MAX)).expect_err("too many");
    assert_eq!(
        refused.to_string(),
        "no room for more IPv6 DVIPAs: at most 4096 at once"
    );
    // The other half has nothing that a successor would take for a name.
    let successor = Names::recover(settings, buckets);
    assert_eq!(successor.known().names, known.names);
}
