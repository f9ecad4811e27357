//! Clients that keep their targets.

use super::*;
use crate::engine::forwarding::{Affinity, ClientKey, KeptClient};

const SERVICE: ServiceKey = ServiceKey {
    dvipa: VIPA,
    port: 8443,
};

/// Two targets in turn, of which clients keep those in these rows.
fn sticky(ready: &[u16]) -> Forwarding {
    let mut forwarding = forwarding();
    forwarding.kept.clear();
    let service = forwarding.services.get_mut(&SERVICE).expect("a service");
    service.ring = ready.into();
    service.affinity = Some(Affinity {
        seconds: 5,
        ready: ready.into(),
    });
    forwarding
}

fn client(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 1, 1, last).into()
}

/// Opens a connection and completes it; returns the last byte of its target's Ethernet address.
fn connect(dataplane: &mut Dataplane, client: u8, port: u16) -> u8 {
    let (action, target) = run(dataplane, &frame_of(client, port, SYN));
    assert_eq!(action, XDP_TX);
    let ack = frame_of(client, port, ACK);
    assert_eq!(run(dataplane, &ack), (XDP_TX, target));
    target
}

fn close(dataplane: &Dataplane, last: u8, port: u16) {
    let flow = FlowKey {
        client: client(last),
        ..key(port, VIPA)
    };
    dataplane.mark_ending(&[flow]);
}

/// Tends what clients keep, so many seconds after the beginning; returns what is left.
fn tend(dataplane: &mut Dataplane, second: u64) -> Vec<(IpAddr, IpAddr, Option<u16>)> {
    let now = Duration::from_secs(second);
    dataplane.tend_affinities(now).expect("the kernel tells");
    let traffic = dataplane.traffic().expect("the counts are mapped");
    let kept = traffic.kept_clients();
    let kept = kept.map(
        |KeptClient {
             key,
             target,
             left_s,
         }| {
            let expected = ClientKey {
                client: key.client,
                dvipa: VIPA,
                port: 8443,
            };
            assert_eq!(key, expected);
            (key.client, target, left_s)
        },
    );
    let mut kept: Vec<_> = kept.collect();
    kept.sort();
    kept
}

#[test]
fn clients_keep_their_targets_until_their_time_is_over() {
    in_sandbox(|pin_dir| {
        let mut first = Dataplane::open(&options(pin_dir)).expect("opens");
        first.apply(&sticky(&[0, 1])).expect("applies");
        assert_eq!(connect(&mut first, 100, 40_000), 2);
        for port in 40_001..40_005 {
            assert_eq!(connect(&mut first, 100, port), 2);
        }
        assert_eq!(connect(&mut first, 101, 40_000), 3);
        assert_eq!(first.flows().count(), 6, "who keeps a target is no flow");
        let [one, two] = [100, 101].map(client);
        let both = [(one, target(2), None), (two, target(3), None)];
        assert_eq!(tend(&mut first, 1), both);
        let counters = first.counters();
        assert_eq!(counters.event(Event::AffinityKept), 4);
        assert_eq!(counters.event(Event::AffinityUnnoted), 0);
        let traffic = first.traffic().expect("the counts are mapped");
        let totals = traffic.total_connections();
        assert_eq!(totals[&(SERVICE, target(2))], 5);
        assert_eq!(traffic.active_connections().values().sum::<u64>(), 6);

        // The timer runs from the end of the last one on, and a new one stops it.
        for port in 40_000..40_005 {
            close(&first, 100, port);
        }
        close(&first, 101, 40_000);
        let left = |left| [(one, target(2), Some(left)), (two, target(3), Some(left))];
        assert_eq!(tend(&mut first, 2), left(5));
        assert_eq!(tend(&mut first, 3), left(4));
        assert_eq!(tend(&mut first, 6), left(1));
        assert_eq!(connect(&mut first, 100, 40_005), 2);
        assert_eq!(tend(&mut first, 7), [(one, target(2), None)]);
        // The other takes its turn, which no connection of the first has moved.
        assert_eq!(connect(&mut first, 101, 40_001), 2);
        close(&first, 100, 40_005);
        assert_eq!(tend(&mut first, 8).len(), 2);
        drop(first);

        // Another daemon goes on with what is there, and gives the whole time.
        let mut second = Dataplane::open(&options(pin_dir)).expect("opens again");
        assert_eq!(second.forwarding(), sticky(&[0, 1]));
        second.apply(&sticky(&[0, 1])).expect("applies");
        let kept = [(one, target(2), Some(5)), (two, target(2), None)];
        assert_eq!(tend(&mut second, 100), kept);
        assert_eq!(tend(&mut second, 105), [(two, target(2), None)]);
        assert_eq!(connect(&mut second, 100, 40_006), 3);
    });
}

#[test]
fn a_target_that_is_not_ready_is_kept_by_nobody() {
    in_sandbox(|pin_dir| {
        let mut dataplane = Dataplane::open(&options(pin_dir)).expect("opens");
        dataplane.apply(&sticky(&[0, 1])).expect("applies");
        assert_eq!(connect(&mut dataplane, 100, 40_000), 2);
        assert_eq!(connect(&mut dataplane, 101, 40_000), 3);
        dataplane.apply(&sticky(&[1])).expect("applies");
        let other = (client(101), target(3), None);
        assert_eq!(connect(&mut dataplane, 100, 40_001), 3);
        let kept = [(client(100), target(3), None), other];
        assert_eq!(tend(&mut dataplane, 1), kept);
        // What nobody has used meanwhile ends too, and does not come back with the target.
        dataplane.apply(&sticky(&[0])).expect("applies");
        assert_eq!(tend(&mut dataplane, 2), []);
        dataplane.apply(&sticky(&[0, 1])).expect("applies");
        close(&dataplane, 101, 40_000);
        // A client with a connection keeps its target, whoever has seen it begin; of two, either.
        let kept = tend(&mut dataplane, 3);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].0, client(100));

        // Nothing is kept where there is no affinity any more.
        dataplane.apply(&forwarding()).expect("applies");
        assert_eq!(tend(&mut dataplane, 4), []);
        assert_eq!(dataplane.flows().count(), 3);
    });
}

#[test]
fn a_new_owner_learns_of_clients_from_their_connections() {
    in_sandbox(|pin_dir| {
        let mut dataplane = Dataplane::open(&options(pin_dir)).expect("opens");
        dataplane.apply(&sticky(&[0, 1])).expect("applies");
        let reported = [40_000, 40_002].map(|port| key(port, VIPA));
        let inserted = dataplane.insert_flows(target(3), &reported);
        assert_eq!(inserted.expect("inserts").new, 2);
        // A stack's own connection to itself keeps nothing.
        let own = FlowKey {
            client: target(2),
            ..key(40_000, VIPA)
        };
        dataplane.insert_flows(target(2), &[own]).expect("inserts");
        let kept = [(client(100), target(3), None)];
        assert_eq!(tend(&mut dataplane, 1), kept);
        assert_eq!(connect(&mut dataplane, 100, 40_004), 3);
        assert_eq!(connect(&mut dataplane, 101, 40_000), 2);
        // With the DVIPA it goes.
        assert_eq!(dataplane.forget_dvipa(VIPA), 5);
        assert_eq!(tend(&mut dataplane, 2), []);
        let sweep = dataplane.sweep().expect("the kernel tells");
        assert_eq!(sweep, 0);
    });
}
