//! Targets behind routers, as the program sends to them and takes from them.

use super::*;
use crate::engine::config::RouteEncapsulation;
use crate::engine::forwarding::Tunnel;

fn tunnel(encapsulation: RouteEncapsulation) -> Path {
    Path::Tunnel {
        ifindex: 1,
        source_mac: [2, 0, 0, 0, 0, 1],
        next_hop_mac: [2, 0, 0, 0, 0, 9],
        tunnel: Tunnel {
            encapsulation,
            ends: ends(1, 2),
            mtu: 1500,
        },
    }
}

/// Runs the program on a packet, and returns its action and what became of the packet.
fn run_whole(dataplane: &mut Dataplane, frame: &[u8]) -> (u32, Vec<u8>) {
    let mut output = vec![0; frame.len() + 100];
    let options = TestRunOptions {
        data_in: Some(frame),
        data_out: Some(&mut output),
        ..TestRunOptions::default()
    };
    let program = dataplane.program().expect("the program is loaded");
    let result = program.test_run(options).expect("the kernel runs it");
    output.truncate(result.data_size_out as usize);
    (result.return_value, output)
}

#[test]
fn what_one_stack_encapsulates_another_opens_and_both_are_taken_over() {
    in_sandbox(|pin_dir| {
        for (encapsulation, overhead) in [
            (RouteEncapsulation::Gre, 24),
            (RouteEncapsulation::Ipip, 20),
        ] {
            let mut dataplane = Dataplane::open(&options(pin_dir)).expect("opens");
            let mut owned = forwarding();
            owned.targets.insert(target(2), tunnel(encapsulation));
            dataplane.apply(&owned).expect("applies");
            let (action, sent) = run_whole(&mut dataplane, &frame(40_000, SYN));
            assert_eq!((action, sent.len()), (XDP_TX, 54 + overhead));
            assert_eq!(sent[26..34], [10, 9, 1, 1, 10, 9, 2, 1]);
            drop(dataplane);

            let mut dataplane = Dataplane::open(&options(pin_dir)).expect("opens again");
            assert_eq!(dataplane.forwarding(), owned);
            // As a target of the same DVIPA, to which the stack at the first address sends.
            let mut held = Forwarding {
                services: BTreeMap::new(),
                tunnels: [(ends(1, 2), target(3).into())].into(),
                ..owned
            };
            let dvipa = held.dvipas.get_mut(&VIPA).expect("listed");
            dvipa.owner = Some(target(3));
            dataplane.apply(&held).expect("applies");
            assert_eq!(dataplane.forwarding(), held);
            assert_eq!(dataplane.forget_dvipa(VIPA), 1);
            let (action, taken) = run_whole(&mut dataplane, &sent);
            assert_eq!(action, XDP_PASS);
            // All but the time to live, and the checksum over it.
            let segment = frame(40_000, SYN);
            assert_eq!((taken.len(), taken[22]), (54, 63));
            assert_eq!(taken[26..], segment[26..]);
            let counters = dataplane.counters();
            assert_eq!(counters.event(Event::Encapsulated), 1);
            assert_eq!(counters.event(Event::Decapsulated), 1);
            assert_eq!(counters.verdict(Verdict::Accepted), 1);
            dataplane.close_and_remove().expect("removes");
        }
    });
}
