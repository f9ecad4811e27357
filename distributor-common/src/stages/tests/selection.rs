//! Who gets a new connection, and who gets what is not new and not known.

use super::*;

#[test]
fn connections_go_round() {
    let mut bench = Bench::new(&[1, 2, 3]);
    let targets: Vec<_> = (0..9)
        .map(|n| bench.target(Frame::new(40_000 + 2 * n, SYN), &[Event::FlowStored]))
        .collect();
    assert_eq!(targets, [1, 2, 3, 1, 2, 3, 1, 2, 3]);
    assert_eq!(bench.tables.connection_counts(0)[..4], [0, 3, 3, 3]);
}

#[test]
fn a_ring_may_name_a_target_more_than_once() {
    let mut bench = Bench::new(&[1, 2, 1]);
    let targets: Vec<_> = (0..6)
        .map(|n| bench.target(Frame::new(40_000 + n, SYN), &[Event::FlowStored]))
        .collect();
    assert_eq!(targets, [1, 2, 1, 1, 2, 1]);
}

#[test]
fn a_new_ring_is_for_new_connections_only() {
    let mut bench = Bench::new(&[1, 2]);
    let before = [40_000, 40_002].map(|port| establish(&mut bench, port));
    assert_eq!(before, [1, 2]);
    bench.tables.set_ring(0, &[3]);
    assert_eq!(establish(&mut bench, 40_004), 3);
    assert_eq!(bench.target(Frame::new(40_000, ACK), &[]), 1);
    assert_eq!(bench.target(Frame::new(40_002, ACK), &[]), 2);
}

#[test]
fn a_repeated_syn_goes_where_the_first_went() {
    let mut bench = Bench::new(&[1, 2]);
    assert_eq!(
        bench.target(Frame::new(40_000, SYN), &[Event::FlowStored]),
        1
    );
    for _ in 0..3 {
        assert_eq!(bench.target(Frame::new(40_000, SYN), &[]), 1);
    }
    assert_eq!(
        bench.target(Frame::new(40_002, SYN), &[Event::FlowStored]),
        2
    );
    assert_eq!(bench.tables.connection_counts(0)[..3], [0, 1, 1]);
    bench.target(Frame::new(40_000, ACK), &[]);
    assert_eq!(bench.target(Frame::new(40_000, SYN), &[]), 1);
    assert_eq!(bench.flow(40_000), Some((State::Established, 1)));
}

#[test]
fn without_a_ready_target_the_kernel_answers() {
    let mut bench = Bench::new(&[]);
    bench.send(Frame::new(40_000, SYN).bytes(), Verdict::NoReadyTarget, &[]);
    bench.send(Frame::new(40_000, ACK).bytes(), Verdict::UnknownFlow, &[]);
    bench.send(Frame::new(40_000, RST).bytes(), Verdict::UnknownFlow, &[]);
    assert_eq!(bench.flows().count(), 0);
    assert_eq!(bench.tables.connection_counts(0), [0; 32]);
}

#[test]
fn known_flows_outlive_the_last_ready_target() {
    let mut bench = Bench::new(&[1]);
    establish(&mut bench, 40_000);
    bench.tables.set_ring(0, &[]);
    assert_eq!(bench.target(Frame::new(40_000, ACK), &[]), 1);
    bench.send(Frame::new(40_002, SYN).bytes(), Verdict::NoReadyTarget, &[]);
}

#[test]
fn segments_of_unknown_flows_are_guessed_and_not_stored() {
    let mut bench = Bench::new(&[1, 2, 3]);
    let mut seen = [0; 4];
    for port in 40_000..40_030 {
        let first = bench.target(Frame::new(port, ACK), &[Event::FlowGuessed]);
        for flags in [ACK | 8, FIN | ACK, RST, SYN | ACK] {
            let target = bench.target(Frame::new(port, flags), &[Event::FlowGuessed]);
            assert_eq!(target, first);
        }
        seen[usize::from(first)] += 1;
    }
    assert!(seen[1..].iter().all(|count| *count > 2), "{seen:?}");
    assert_eq!(bench.flows().count(), 0);
    assert_eq!(bench.tables.connection_counts(0), [0; 32]);
}

#[test]
fn segments_of_unknown_flows_stay_where_their_socket_is() {
    let mut bench = Bench::new(&[1, 2, 3]);
    bench
        .tables
        .sockets
        .push(FlowKey::tcp([10, 1, 1, 100], 40_000, VIPA, 8443));
    bench.send(Frame::new(40_000, ACK).bytes(), Verdict::LocalSocket, &[]);
    bench.send(Frame::new(40_000, RST).bytes(), Verdict::LocalSocket, &[]);
    bench.target(Frame::new(40_001, ACK), &[Event::FlowGuessed]);
    // A new connection is a new connection, whatever socket is left of an old one.
    bench.target(Frame::new(40_000, SYN), &[Event::FlowStored]);
}

#[test]
fn front_ends_with_the_same_key_choose_alike() {
    const KEY: [u64; 2] = [7, 8];
    // Of a bucket that is full, no flow is stored: it has to go where a stored one would have gone.
    let front_end = |seeds, buckets| {
        let mut tables = HostTables::new(buckets, seeds);
        tables.choice_key = KEY;
        let service = tables.add_service(VIPA, 8443, &[1, 2, 3, 4, 5]);
        tables.set_choice(service, Choice::Hash);
        for slot in 0..16 {
            tables.set_path(slot, link(slot, INGRESS));
        }
        tables
    };
    let target = |tables: &HostTables, port, flags| {
        let mut bytes = Frame::new(port, flags).bytes();
        let verdict = distribute(&mut SlicePacket::new(&mut bytes, INGRESS), tables);
        assert_eq!(verdict, Verdict::Transmitted);
        bytes[5]
    };
    let one = front_end(SEEDS, 4096);
    let (other, small) = (front_end([1, 2], 4096), front_end([3, 4], 1));
    let mut seen = [0; 6];
    for port in 10_000..12_000 {
        let first = target(&one, port, SYN);
        for tables in [&other, &small] {
            assert_eq!(target(tables, port, SYN), first);
            assert_eq!(target(tables, port, ACK), first);
        }
        // In the middle of a connection that it has never seen.
        assert_eq!(target(&other, port, ACK), first);
        seen[usize::from(first)] += 1;
    }
    assert!(
        seen[1..].iter().all(|count| (300..500).contains(count)),
        "{seen:?}"
    );
    let totals: Totals = [&small.counters()].into_iter().collect();
    assert!(totals.event(Event::TableFull) > 0 && totals.event(Event::FlowGuessed) > 0);
}

#[test]
fn several_services_take_turns_by_themselves() {
    let mut bench = Bench::new(&[1, 2]);
    bench.tables.add_service(VIPA, 9443, &[5, 6]);
    bench.tables.add_service([10, 1, 3, 11], 8443, &[7]);
    let syn = Frame::new(40_000, SYN);
    let targets = [
        Frame {
            client_port: 40_000,
            ..syn
        },
        Frame {
            client_port: 40_001,
            port: 9443,
            ..syn
        },
        Frame {
            client_port: 40_002,
            dvipa: [10, 1, 3, 11],
            ..syn
        },
        Frame {
            client_port: 40_003,
            ..syn
        },
        Frame {
            client_port: 40_004,
            port: 9443,
            ..syn
        },
        Frame {
            client_port: 40_005,
            dvipa: [10, 1, 3, 11],
            ..syn
        },
    ]
    .map(|frame| bench.target(frame, &[Event::FlowStored]));
    assert_eq!(targets, [1, 5, 7, 2, 6, 7]);
}

#[test]
fn round_robin_is_exact_from_many_threads() {
    const CONNECTIONS: u16 = 9_000;
    let bench = Bench {
        tables: big_table(),
        ..Bench::new(&[])
    };
    let tables = &bench.tables;
    // Every connection's SYN comes twice, at the same time, as a retransmission would on another CPU.
    let open = || {
        (0..CONNECTIONS)
            .map(|n| {
                let mut bytes = Frame::new(10_000 + n, SYN).bytes();
                let verdict = distribute(&mut SlicePacket::new(&mut bytes, INGRESS), tables);
                assert_eq!(verdict, Verdict::Transmitted);
                bytes[5]
            })
            .collect::<Vec<_>>()
    };
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(open)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    let mut stored = BTreeMap::new();
    let mut targets = [0_u64; 4];
    for (key, _, target) in bench.flows() {
        assert!(
            stored.insert(key.client_port().host(), target).is_none(),
            "twice in the table"
        );
        targets[usize::from(target)] += 1;
    }
    // A thread that was stopped while it held a lock makes others go by hash; the kernel's program
    // is never stopped. These connections are stored by a later SYN, in turn.
    assert_eq!(stored.len(), usize::from(CONNECTIONS));
    assert_eq!(targets, [0, 3000, 3000, 3000]);
    let busy = bench.totals().event(Event::TableBusy);
    let strays = (0..usize::from(CONNECTIONS)).filter(|&n| {
        let target = stored[&(10_000 + n as u16)];
        results
            .iter()
            .any(|targets| u16::from(targets[n]) != target)
    });
    assert!(strays.count() as u64 <= busy);
}

/// Room for all, so that only turns decide.
fn big_table() -> HostTables {
    let mut tables = HostTables::new(1 << 14, SEEDS);
    tables.add_service(VIPA, 8443, &[1, 2, 3]);
    for slot in 0..16 {
        tables.set_path(slot, link(slot, INGRESS));
    }
    tables
}
