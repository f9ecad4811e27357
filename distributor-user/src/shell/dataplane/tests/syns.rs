//! SYNs to targets and from owners, as the program counts them.

use super::*;

/// A frame that the member has sent.
fn from(member: u8, frame: Vec<u8>) -> Vec<u8> {
    let mut frame = frame;
    frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, member]);
    frame
}

#[test]
fn syns_are_counted_at_both_ends_and_anew_for_another_stack() {
    in_sandbox(|pin_dir| {
        let mut dataplane = Dataplane::open(&options(pin_dir)).expect("opens");
        let owned = forwarding();
        dataplane.apply(&owned).expect("applies");
        for (port, flags, to) in [
            (40_000, SYN, 2),
            (40_001, SYN, 3),
            (40_002, SYN, 2),
            // Again, and in the middle of a connection.
            (40_000, SYN, 2),
            (40_000, ACK, 2),
            (40_000, ACK, 2),
        ] {
            assert_eq!(run(&mut dataplane, &frame(port, flags)), (XDP_TX, to));
        }
        let sent = dataplane.syns_sent();
        assert_eq!([2, 3].map(|host| sent[&target(host)]), [3, 1]);

        // Another stack owns the DVIPA, and hands out to this one.
        let mut held = Forwarding {
            services: BTreeMap::new(),
            ..forwarding()
        };
        let dvipa = held.dvipas.get_mut(&VIPA).expect("listed");
        dvipa.owner = Some(target(2));
        dvipa.offers = [target(1), target(3)].into();
        dataplane.apply(&held).expect("applies");
        for port in 41_000..41_005 {
            let syn = from(2, frame(port, SYN));
            assert_eq!(run(&mut dataplane, &syn).0, XDP_PASS);
        }
        // A client's is relayed, which is not handing out.
        assert_eq!(run(&mut dataplane, &frame(41_010, SYN)), (XDP_TX, 2));
        assert_eq!(dataplane.syns_taken(target(2)), 5);
        assert_eq!(dataplane.syns_taken(target(3)), 0);
        assert_eq!(dataplane.syns_taken(target(9)), 0, "nobody's");
        assert_eq!(dataplane.syns_sent()[&target(2)], 3);
        drop(dataplane);

        // A successor goes on with the counts; whoever comes in another's slot begins with none.
        let mut dataplane = Dataplane::open(&options(pin_dir)).expect("opens again");
        assert_eq!(dataplane.syns_taken(target(2)), 5);
        dataplane.apply(&Forwarding::default()).expect("applies");
        for host in [2, 3] {
            assert!(dataplane.forget_target(target(host)) > 0);
        }
        for _ in 0..3 {
            dataplane.sweep().expect("sweeps");
        }
        assert_eq!(dataplane.syns_sent(), BTreeMap::new());
        dataplane.apply(&owned).expect("applies");
        assert!(dataplane.syns_sent().values().all(|sent| *sent == 0));
        assert_eq!(dataplane.syns_taken(target(2)), 0);
    });
}
