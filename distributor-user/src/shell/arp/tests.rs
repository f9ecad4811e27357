use super::frame::Operation;
use super::*;
use crate::shell::testing::{Peer, eventually, in_namespace, ip};

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];
const DVIPA: Ipv4Addr = Ipv4Addr::new(10, 1, 3, 10);

const QUICK: Pace = Pace {
    count: 2,
    interval: Duration::from_millis(100),
};

#[test]
fn frames() {
    let probe = Frame::probe(OWN, DVIPA);
    let bytes = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, // Ethernet
        0, 1, 8, 0, 6, 4, 0, 1, // request
        2, 0, 0, 0, 0, 1, 0, 0, 0, 0, // from nobody at our place
        0, 0, 0, 0, 0, 0, 10, 1, 3, 10, // for the DVIPA
    ];
    assert_eq!(probe.bytes(), bytes);
    assert_eq!(Frame::parse(&bytes), Some(probe));
    for announcement in Frame::announcements(OWN, DVIPA) {
        assert_eq!(Frame::parse(&announcement.bytes()), Some(announcement));
        assert_eq!((announcement.sender, announcement.target), (DVIPA, DVIPA));
    }
}

#[test]
fn frames_that_are_none() {
    let good = Frame::probe(OWN, DVIPA).bytes();
    assert!(
        Frame::parse(&[good.to_vec(), vec![0; 18]].concat()).is_some(),
        "padding"
    );
    assert_eq!(Frame::parse(&good[..41]), None, "too short");
    assert_eq!(Frame::parse(&[]), None);
    for (at, what) in [
        (13, "type"),
        (15, "hardware"),
        (17, "protocol"),
        (18, "length"),
        (21, "op"),
    ] {
        let mut bytes = good;
        bytes[at] ^= 0x40;
        assert_eq!(Frame::parse(&bytes), None, "{what}");
    }
}

#[test]
fn claims() {
    let frame = |operation, sender: [u8; 4], target: [u8; 4]| Frame {
        operation,
        sender_mac: OTHER,
        sender: sender.into(),
        target_mac: OWN,
        target: target.into(),
    };
    let [vip, host, nobody] = [[10, 1, 3, 10], [10, 1, 1, 2], [0; 4]];
    for (frame, expected) in [
        (frame(Operation::Reply, vip, nobody), Some(OTHER)),
        (frame(Operation::Reply, vip, vip), Some(OTHER)),
        (frame(Operation::Request, vip, host), Some(OTHER)),
        // Somebody who wants to reach it, not to have it.
        (frame(Operation::Request, host, vip), None),
        (frame(Operation::Reply, host, vip), None),
        (frame(Operation::Request, nobody, host), None),
        // Somebody who asks whether it is free has not got it.
        (frame(Operation::Request, nobody, vip), None),
    ] {
        let claim = frame.claim().filter(|(address, _)| *address == DVIPA);
        assert_eq!(claim.map(|(_, mac)| mac), expected, "{frame:?}");
    }
    assert_eq!(Mac(OTHER).to_string(), "02:00:00:00:00:02");
}

/// A link to a peer; returns our end.
fn link() -> (Peer, Port) {
    let peer = Peer::start();
    peer.link("eth0", "10.1.3.1/24", "10.1.3.2/24");
    ip("link set eth0 address 02:00:00:00:00:01");
    peer.ip("link set eth0 address 02:00:00:00:00:02");
    let ifindex = nix::net::if_::if_nametoindex("eth0").expect("the interface");
    (peer, Port { ifindex, mac: OWN })
}

fn only(address: Ipv4Addr) -> BTreeSet<Ipv4Addr> {
    BTreeSet::from([address])
}

#[test]
fn a_taken_address_is_found() {
    in_namespace(|| async {
        let (peer, port) = link();
        let own = BTreeSet::from([OWN]);
        let ask = async |address| {
            let others = probe(port, &only(address), &own, QUICK).await;
            others.expect("a probe")
        };
        assert_eq!(ask(DVIPA).await, BTreeMap::new());
        peer.ip("address add 10.1.3.10/32 dev eth0");
        let found = BTreeMap::from([(DVIPA, BTreeSet::from([Mac(OTHER)]))]);
        assert_eq!(ask(DVIPA).await, found);
        // Of many, the one that is taken is named.
        let many = (0..=255).map(|host| Ipv4Addr::new(10, 1, 3, host));
        let many: BTreeSet<_> = many.filter(|address| address.octets()[3] > 2).collect();
        let others = probe(port, &many, &own, QUICK).await;
        assert_eq!(others.expect("a probe"), found);
        let ours = BTreeSet::from([OWN, OTHER]);
        let others = probe(port, &only(DVIPA), &ours, QUICK).await;
        assert_eq!(
            others.expect("a probe"),
            BTreeMap::new(),
            "an interface of ours"
        );
        // Asking has told nobody anything.
        assert!(!peer.ip("neighbour show").contains("10.1.3.10"));
    });
}

#[test]
fn two_who_probe_do_not_keep_each_other_away() {
    in_namespace(|| async {
        let (peer, port) = link();
        let theirs = std::thread::spawn(move || {
            peer.run(|| {
                let ifindex = nix::net::if_::if_nametoindex("eth0").expect("the interface");
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                let port = Port {
                    ifindex,
                    mac: OTHER,
                };
                let own = BTreeSet::new();
                let asked = only(DVIPA);
                let probe = probe(port, &asked, &own, PROBE);
                runtime
                    .expect("a runtime")
                    .block_on(probe)
                    .expect("a probe")
            })
        });
        let found = probe(port, &only(DVIPA), &BTreeSet::new(), PROBE)
            .await
            .expect("a probe");
        assert!(found.is_empty(), "{found:?}");
        let theirs = theirs.join().expect("their probe");
        assert!(theirs.is_empty(), "{theirs:?}");
    });
}

#[test]
fn an_announcement_moves_the_address() {
    in_namespace(|| async {
        let (peer, port) = link();
        peer.ip("neighbour add 10.1.3.10 lladdr 02:00:00:00:00:99 dev eth0 nud stale");
        announce(port, &[DVIPA], |_| true, QUICK)
            .await
            .expect("an announcement");
        eventually("the peer's neighbour", async || {
            let shown = peer.ip("neighbour show 10.1.3.10");
            shown.contains("02:00:00:00:00:01").then_some(())
        })
        .await;
    });
}

#[test]
fn an_interface_that_is_down_is_an_error() {
    in_namespace(|| async {
        let (_peer, port) = link();
        ip("link set eth0 down");
        let error = probe(port, &only(DVIPA), &BTreeSet::new(), QUICK)
            .await
            .expect_err("it is down");
        assert_eq!(error.raw_os_error(), Some(libc::ENETDOWN));
        let nowhere = Port {
            ifindex: 4711,
            mac: OWN,
        };
        announce(nowhere, &[DVIPA], |_| true, QUICK)
            .await
            .expect_err("there is no such interface");
    });
}
