use super::*;
use crate::shell::testing::{Peer, eventually, in_namespace, ip};

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];

const QUICK: Pace = Pace {
    count: 2,
    interval: Duration::from_millis(100),
};

/// An address of each family, and how it is written with the length of a host's prefix.
const DVIPAS: [(IpAddr, &str); 2] = [
    (IpAddr::V4(Ipv4Addr::new(10, 1, 3, 10)), "10.1.3.10/32"),
    (
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0, 3, 0, 0, 0, 0x10)),
        "fd00:10:0:3::10/128",
    ),
];

/// A link to a peer; returns our end.
fn link() -> (Peer, Port) {
    let peer = Peer::start();
    peer.link("eth0", "10.1.3.1/24", "10.1.3.2/24");
    ip("link set eth0 address 02:00:00:00:00:01");
    peer.ip("link set eth0 address 02:00:00:00:00:02");
    let ifindex = nix::net::if_::if_nametoindex("eth0").expect("the interface");
    (peer, Port { ifindex, mac: OWN })
}

fn both() -> BTreeSet<IpAddr> {
    DVIPAS.iter().map(|(dvipa, _)| *dvipa).collect()
}

#[test]
fn a_taken_address_is_found() {
    in_namespace(|| async {
        let (peer, port) = link();
        let own = BTreeSet::from([OWN]);
        let ask = async |addresses: &BTreeSet<IpAddr>| {
            let others = probe(port, addresses, &own, QUICK).await;
            others.expect("a probe")
        };
        assert_eq!(ask(&both()).await, Holders::new());
        let mut found = Holders::new();
        for (dvipa, with_prefix) in DVIPAS {
            peer.ip(&format!("address add {with_prefix} dev eth0 nodad"));
            found.insert(dvipa, BTreeSet::from([Mac(OTHER)]));
            assert_eq!(ask(&both()).await, found);
        }
        // Of many, those that are taken are named.
        let ipv4 = (3..=255).map(|host| IpAddr::from([10, 1, 3, host]));
        let ipv6 = (3..=255).map(|host| IpAddr::from([0xfd00, 0x10, 0, 3, 0, 0, 0, host]));
        assert_eq!(ask(&ipv4.chain(ipv6).collect()).await, found);
        let ours = BTreeSet::from([OWN, OTHER]);
        let others = probe(port, &both(), &ours, QUICK).await;
        assert_eq!(others.expect("a probe"), Holders::new(), "ours");
        // Asking has told nobody anything.
        let neighbours = peer.ip("neighbour show");
        for (dvipa, _) in DVIPAS {
            assert!(!neighbours.contains(&dvipa.to_string()), "{neighbours}");
        }
    });
}

#[test]
fn what_is_hidden_is_not_found() {
    in_namespace(|| async {
        let (peer, port) = link();
        // What the distributor does where it hides an IPv4 address; IPv6 needs nothing of the kind.
        peer.run(|| {
            let path = "/proc/sys/net/ipv4/conf/eth0/arp_ignore";
            std::fs::write(path, "1").expect("the setting");
        });
        for (_, with_prefix) in DVIPAS {
            peer.ip(&format!("address add {with_prefix} dev lo nodad"));
        }
        let others = probe(port, &both(), &BTreeSet::new(), QUICK).await;
        assert_eq!(others.expect("a probe"), Holders::new());
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
                let asked = both();
                let probe = probe(port, &asked, &own, PROBE);
                runtime
                    .expect("a runtime")
                    .block_on(probe)
                    .expect("a probe")
            })
        });
        let found = probe(port, &both(), &BTreeSet::new(), PROBE)
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
        for (dvipa, _) in DVIPAS {
            peer.ip(&format!(
                "neighbour add {dvipa} lladdr 02:00:00:00:00:99 dev eth0 nud stale"
            ));
        }
        let addresses: Vec<IpAddr> = both().into_iter().collect();
        let [(gone, _), (here, _)] = DVIPAS;
        announce(port, &addresses, |address| address == here, QUICK)
            .await
            .expect("an announcement");
        eventually("the peer's neighbour", async || {
            let shown = peer.ip(&format!("neighbour show {here}"));
            shown.contains("02:00:00:00:00:01").then_some(())
        })
        .await;
        let left_out = peer.ip(&format!("neighbour show {gone}"));
        assert!(left_out.contains("02:00:00:00:00:99"), "{left_out}");
        announce(port, &addresses, |_| true, QUICK)
            .await
            .expect("an announcement");
        eventually("the peer's other neighbour", async || {
            let shown = peer.ip(&format!("neighbour show {gone}"));
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
        for (dvipa, _) in DVIPAS {
            let asked = BTreeSet::from([dvipa]);
            let error = probe(port, &asked, &BTreeSet::new(), QUICK)
                .await
                .expect_err("it is down");
            assert_eq!(error.raw_os_error(), Some(libc::ENETDOWN));
            let nowhere = Port {
                ifindex: 4711,
                mac: OWN,
            };
            announce(nowhere, &[dvipa], |_| true, QUICK)
                .await
                .expect_err("there is no such interface");
        }
    });
}
