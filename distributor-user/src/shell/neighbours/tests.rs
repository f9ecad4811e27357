use super::*;
use crate::shell::testing::{Peer, eventually, in_namespace, ip, soon};

const OUR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// A link to a peer: `10.1.1.1` here, `10.1.1.2` there.
fn link() -> (Peer, u32) {
    let peer = Peer::start();
    peer.link("eth0", "10.1.1.1/24", "10.1.1.2/24");
    ip("link set eth0 address 02:00:00:00:00:01");
    peer.ip("link set eth0 address 02:00:00:00:00:02");
    let ifindex = nix::net::if_::if_nametoindex("eth0").expect("the interface");
    (peer, ifindex)
}

fn path(ifindex: u32, destination: &str) -> NextHopKey {
    NextHopKey {
        ifindex,
        destination: destination.parse().expect("an address"),
    }
}

fn hop(next_hop_mac: [u8; 6]) -> Hop {
    Hop {
        source_mac: OUR_MAC,
        next_hop_mac,
        is_direct: true,
    }
}

/// The next change, which is of a path; its hop.
async fn next_hop(changes: &mut mpsc::Receiver<HopChange>) -> Option<Hop> {
    match next(changes).await {
        HopChange::Path { hop, .. } => hop,
        HopChange::Route { .. } => panic!("no route is asked for"),
    }
}

/// The next change, which is of the way to an address.
async fn next_route(changes: &mut mpsc::Receiver<HopChange>) -> (IpAddr, Route) {
    match next(changes).await {
        HopChange::Route { destination, route } => (destination, route),
        HopChange::Path { .. } => panic!("no path is asked for"),
    }
}

fn start() -> (NextHops, mpsc::Receiver<HopChange>) {
    let netlink = Netlink::open().expect("a netlink socket");
    NextHops::start(&netlink).expect("the task")
}

async fn next(changes: &mut mpsc::Receiver<HopChange>) -> HopChange {
    soon("a change", changes.recv())
        .await
        .expect("the task runs")
}

/// The entries that the kernel manages.
fn managed() -> Vec<String> {
    let shown = ip("-4 neighbour show");
    let managed = shown.lines().filter(|line| line.contains("managed"));
    let addresses = managed
        .filter_map(|line| line.split(' ').next())
        .map(ToOwned::to_owned);
    let addresses: BTreeSet<String> = addresses.collect();
    addresses.into_iter().collect()
}

#[test]
fn a_neighbour_is_resolved_and_released() {
    in_namespace(|| async {
        let (_peer, eth0) = link();
        let (next_hops, mut changes) = start();
        let path = path(eth0, "10.1.1.2");
        next_hops.watch(BTreeSet::from([path]));
        assert_eq!(
            next(&mut changes).await,
            HopChange::Path {
                path,
                hop: Some(hop(PEER_MAC))
            }
        );
        assert_eq!(managed(), ["10.1.1.2"]);

        next_hops.watch(BTreeSet::new());
        eventually("the release", async || managed().is_empty().then_some(())).await;
        assert!(
            ip("neighbour show").contains("10.1.1.2"),
            "it was only released"
        );
    });
}

#[test]
fn a_stop_releases_everything() {
    in_namespace(|| async {
        let (_peer, eth0) = link();
        let (next_hops, mut changes) = start();
        next_hops.watch(BTreeSet::from([path(eth0, "10.1.1.2")]));
        next(&mut changes).await;
        soon("the release", next_hops.stop()).await;
        assert_eq!(managed(), [""; 0]);
        assert_eq!(changes.recv().await, None);

        let (next_hops, mut changes) = start();
        next_hops.watch(BTreeSet::from([path(eth0, "10.1.1.2")]));
        next(&mut changes).await;
        drop(next_hops);
        eventually("the release", async || managed().is_empty().then_some(())).await;
    });
}

#[test]
fn what_a_killed_daemon_left_is_released() {
    in_namespace(|| async {
        let (_peer, eth0) = link();
        let netlink = Netlink::open().expect("a netlink socket");
        let left = (eth0, "10.1.1.77".parse().expect("an address"));
        kernel::manage(&netlink, left).await.expect("an entry");
        assert_eq!(managed(), ["10.1.1.77"]);
        let (_next_hops, _changes) = start();
        eventually("the release", async || managed().is_empty().then_some(())).await;
    });
}

#[test]
fn the_interfaces_own_mac_and_state_matter() {
    in_namespace(|| async {
        let (_peer, eth0) = link();
        let (next_hops, mut changes) = start();
        let path = path(eth0, "10.1.1.2");
        next_hops.watch(BTreeSet::from([path]));
        assert_eq!(next_hop(&mut changes).await, Some(hop(PEER_MAC)));
        ip("link set eth0 down");
        assert_eq!(
            next(&mut changes).await,
            HopChange::Path { path, hop: None }
        );
        ip("link set eth0 address 02:00:00:00:00:11");
        ip("link set eth0 up");
        let new = Hop {
            source_mac: [2, 0, 0, 0, 0, 0x11],
            next_hop_mac: PEER_MAC,
            is_direct: true,
        };
        assert_eq!(
            next(&mut changes).await,
            HopChange::Path {
                path,
                hop: Some(new)
            }
        );
    });
}

#[test]
fn an_entry_that_somebody_removed_is_back() {
    in_namespace(|| async {
        let (_peer, eth0) = link();
        let (next_hops, mut changes) = start();
        let path = path(eth0, "10.1.1.2");
        next_hops.watch(BTreeSet::from([path]));
        assert_eq!(next_hop(&mut changes).await, Some(hop(PEER_MAC)));
        ip("neighbour del 10.1.1.2 dev eth0");
        assert_eq!(next_hop(&mut changes).await, None);
        assert_eq!(next_hop(&mut changes).await, Some(hop(PEER_MAC)));
        assert_eq!(managed(), ["10.1.1.2"]);
    });
}

#[test]
fn what_an_administrator_said_stays() {
    in_namespace(|| async {
        let (_peer, eth0) = link();
        ip("neighbour add 10.1.1.2 lladdr 02:00:00:00:00:77 dev eth0 nud permanent");
        let (next_hops, mut changes) = start();
        let path = path(eth0, "10.1.1.2");
        next_hops.watch(BTreeSet::from([path]));
        let hop = hop([2, 0, 0, 0, 0, 0x77]);
        assert_eq!(next_hop(&mut changes).await, Some(hop));
        drop(next_hops);
        assert_eq!(soon("the end of the task", changes.recv()).await, None);
        assert!(ip("neighbour show").contains("02:00:00:00:00:77 PERMANENT"));
    });
}

#[test]
fn a_peer_that_comes_later_or_changes_its_mac_is_noticed() {
    in_namespace(|| async {
        let (peer, eth0) = link();
        peer.ip("address add 10.1.1.9/24 dev eth0");
        let (next_hops, mut changes) = start();
        let silent = path(eth0, "10.1.1.3");
        let there = path(eth0, "10.1.1.9");
        next_hops.watch(BTreeSet::from([silent, there]));
        let first = HopChange::Path {
            path: there,
            hop: Some(hop(PEER_MAC)),
        };
        assert_eq!(next(&mut changes).await, first);

        // It talks to us first, as a stack does that joins the group.
        peer.ip("address add 10.1.1.3/24 dev eth0");
        ip("neighbour flush dev eth0");
        peer.run(|| {
            let socket = std::net::UdpSocket::bind("10.1.1.3:0").expect("a socket");
            socket.send_to(b"here", "10.1.1.1:9").expect("a datagram");
        });
        eventually("both next hops", async || {
            let change = next(&mut changes).await;
            (change
                == HopChange::Path {
                    path: silent,
                    hop: Some(hop(PEER_MAC)),
                })
            .then_some(())
        })
        .await;
    });
}

#[test]
fn routes_lead_to_gateways() {
    in_namespace(|| async {
        let (peer, eth0) = link();
        peer.ip("address add 10.1.1.3/24 dev eth0");
        let (next_hops, mut changes) = start();
        let far = path(eth0, "172.16.9.9");
        let own = path(eth0, "10.1.1.1");
        let elsewhere = path(eth0, "127.0.0.1");
        next_hops.watch(BTreeSet::from([
            far,
            own,
            elsewhere,
            path(eth0, "10.1.1.3"),
        ]));
        assert_eq!(
            next(&mut changes).await,
            HopChange::Path {
                path: path(eth0, "10.1.1.3"),
                hop: Some(hop(PEER_MAC))
            }
        );
        assert_eq!(
            managed(),
            ["10.1.1.3"],
            "the others have no route on this interface"
        );
        ip("route add 172.16.0.0/16 via 10.1.1.2 dev eth0");
        assert_eq!(
            next(&mut changes).await,
            HopChange::Path {
                path: far,
                hop: Some(Hop {
                    is_direct: false,
                    ..hop(PEER_MAC)
                })
            }
        );
        assert_eq!(managed(), ["10.1.1.2", "10.1.1.3"]);

        // Another gateway; its MAC address is the same, so nothing needs to be told.
        ip("route add 172.16.9.0/24 via 10.1.1.3 dev eth0");
        eventually("the other gateway", async || {
            (managed() == ["10.1.1.3"]).then_some(())
        })
        .await;
        ip("route del 172.16.9.0/24");
        ip("route replace unreachable 172.16.0.0/16");
        assert_eq!(
            next(&mut changes).await,
            HopChange::Path {
                path: far,
                hop: None
            }
        );
    });
}

#[test]
fn the_way_to_an_address_is_followed_whatever_it_begins_with() {
    in_namespace(|| async {
        let (peer, eth0) = link();
        peer.ip("address add 10.1.2.2/24 dev eth0");
        let (next_hops, mut changes) = start();
        let far: IpAddr = "172.16.9.9".parse().expect("an address");
        let own: IpAddr = "10.1.1.1".parse().expect("an address");
        next_hops.follow(BTreeSet::from([far, own]));
        // Of each it is said at once that there is none; one's own address leads nowhere.
        for destination in [own, far] {
            let told = next_route(&mut changes).await;
            assert_eq!(told, (destination, Route::None));
        }
        ip("route add 172.16.0.0/16 via 10.1.1.2 mtu 1400");
        let open = |gateway: Option<&str>, source: &str, mtu, is_direct| {
            Route::Open(OpenRoute {
                ifindex: eth0,
                hop: Hop {
                    is_direct,
                    ..hop(PEER_MAC)
                },
                gateway: gateway.map(|gateway| gateway.parse().expect("an address")),
                source: source.parse().expect("an address"),
                mtu,
            })
        };
        // Until the router has answered, there is a route that cannot be taken.
        eventually("the router", async || {
            let (destination, route) = next_route(&mut changes).await;
            assert_eq!(destination, far);
            (route == open(Some("10.1.1.2"), "10.1.1.1", 1400, false)).then_some(())
        })
        .await;
        ip("link set eth0 mtu 1300");
        assert_eq!(
            next_route(&mut changes).await,
            (far, open(Some("10.1.1.2"), "10.1.1.1", 1300, false))
        );
        // On the link itself, and from another address.
        ip("address add 10.1.2.1/24 dev eth0");
        peer.ip("address add 172.16.9.9/32 dev eth0");
        ip("route add 172.16.9.9 dev eth0 src 10.1.2.1");
        eventually("the link", async || {
            let (_, route) = next_route(&mut changes).await;
            (route == open(None, "10.1.2.1", 1300, true)).then_some(())
        })
        .await;
        assert_eq!(managed(), ["172.16.9.9"]);
        ip("route del 172.16.9.9");
        ip("route replace unreachable 172.16.0.0/16");
        eventually("the end of the route", async || {
            let (_, route) = next_route(&mut changes).await;
            (route == Route::None).then_some(())
        })
        .await;
        next_hops.follow(BTreeSet::new());
        eventually("the release", async || managed().is_empty().then_some(())).await;
    });
}
