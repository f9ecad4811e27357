use super::*;
use crate::shell::testing::{eventually, in_namespace, ip, soon};

const LO: u32 = 1;

async fn ifindex(netlink: &Netlink, name: &str) -> u32 {
    let links = links::list(netlink).await.expect("the interfaces");
    links
        .iter()
        .find(|link| link.name == name)
        .expect("the interface")
        .index
}

fn placement(address: &str, ifindex: u32, role: Role) -> Placement {
    Placement {
        address: address.parse().expect("an address"),
        ifindex,
        role,
    }
}

/// What `ip` says about the addresses of an interface, but for the time that they live.
fn shown(interface: &str) -> Vec<String> {
    ip(&format!("-4 -o address show dev {interface}"))
        .lines()
        .filter_map(|line| line.split("inet ").nth(1))
        .map(|line| line.split('\\').next().unwrap_or(line).trim().to_owned())
        .collect()
}

#[test]
fn a_dvipa_moves_and_leaves_nothing_behind() {
    in_namespace(|| async {
        ip("link add eth0 type veth peer name peer0");
        ip("link set eth0 up");
        ip("address add 10.1.1.1/24 dev eth0");
        let netlink = Netlink::open().expect("a netlink socket");
        let eth0 = ifindex(&netlink, "eth0").await;
        let before = (shown("lo"), shown("eth0"));
        let (addresses, _repairs) = Addresses::start(&netlink).expect("the task");
        let mut monitor = RouteEvents::open(&[MulticastGroup::Ipv4Ifaddr]).expect("a socket");

        let hidden = placement("10.1.3.10", LO, Role::Hidden);
        let owned = placement("10.1.3.10", eth0, Role::Owned);
        let xcf = placement("172.1.1.1", eth0, Role::DynamicXcf { prefix_len: 24 });
        let settled = addresses
            .apply(vec![xcf, hidden])
            .await
            .expect("both addresses");
        assert_eq!(
            settled
                .iter()
                .map(|one| (one.by.ifindex, one.by.is_ours))
                .collect::<Vec<_>>(),
            [(eth0, true), (LO, true)],
        );
        assert!(
            shown("lo").contains(&"10.1.3.10/32 scope host lo".to_owned()),
            "{:?}",
            shown("lo")
        );
        assert!(
            shown("eth0").contains(&"172.1.1.1/24 brd 172.1.1.255 scope global eth0".to_owned()),
            "{:?}",
            shown("eth0"),
        );

        addresses.apply(vec![xcf, owned]).await.expect("the move");
        assert!(shown("eth0").contains(&"10.1.3.10/32 scope global eth0".to_owned()));
        assert_eq!(shown("lo"), before.0);

        addresses
            .apply(vec![xcf, hidden])
            .await
            .expect("the move back");
        addresses.apply(Vec::new()).await.expect("the clean-up");
        assert_eq!((shown("lo"), shown("eth0")), before);

        // In every move it was added before it was removed.
        let mut order = Vec::new();
        while order.len() < 6 {
            let event = soon("an address event", monitor.next())
                .await
                .expect("an event");
            let RouteEvent::Message(message) = event else {
                panic!("events were lost")
            };
            let (sign, message) = if let RouteNetlinkMessage::NewAddress(message) = message {
                ('+', message)
            } else if let RouteNetlinkMessage::DelAddress(message) = message {
                ('-', message)
            } else {
                panic!("an address event expected, found {message:?}")
            };
            let configured = links::configured(&message).expect("an address");
            if configured.address == owned.address {
                order.push((sign, configured.ifindex));
            }
        }
        assert_eq!(
            order,
            [
                ('+', LO),
                ('+', eth0),
                ('-', LO),
                ('+', LO),
                ('-', eth0),
                ('-', LO)
            ],
        );
    });
}

#[test]
fn an_address_that_somebody_removed_is_back() {
    in_namespace(|| async {
        ip("link add eth0 type veth peer name peer0");
        ip("link set eth0 up");
        let netlink = Netlink::open().expect("a netlink socket");
        let eth0 = ifindex(&netlink, "eth0").await;
        let (addresses, mut repairs) = Addresses::start(&netlink).expect("the task");
        let owned = placement("10.1.3.10", eth0, Role::Owned);
        addresses.apply(vec![owned]).await.expect("the address");

        for removal in [
            "address del 10.1.3.10/32 dev eth0",
            "address flush dev eth0",
        ] {
            ip(removal);
            let repaired = soon("a repair", repairs.recv()).await.expect("a repair");
            assert_eq!(
                repaired,
                Repaired {
                    address: owned.address,
                    ifindex: eth0
                }
            );
            assert_eq!(shown("eth0"), ["10.1.3.10/32 scope global eth0"]);
        }

        // Not when it was we; the second command comes after the events of the first.
        addresses.apply(Vec::new()).await.expect("the clean-up");
        addresses.apply(Vec::new()).await.expect("nothing to do");
        assert!(shown("eth0").is_empty());
        assert!(repairs.try_recv().is_err());
    });
}

/// What `ip` says about the IPv6 addresses of an interface that are no link-local ones.
fn shown6(interface: &str) -> Vec<String> {
    let shown = ip(&format!("-6 -o address show dev {interface}"));
    let lines = shown.lines().filter_map(|line| line.split("inet6 ").nth(1));
    let own = lines.filter(|line| !line.starts_with("fe80") && !line.starts_with("::1/"));
    let words = |line: &str| {
        let line = line.replace('\\', " ");
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    own.map(words).collect()
}

#[test]
fn an_ipv6_dvipa_moves_and_is_never_chosen_as_a_source() {
    in_namespace(|| async {
        ip("link add eth0 type veth peer name peer0");
        ip("link set peer0 up");
        ip("link set eth0 up");
        ip("address add fd00:10:0:3::1/64 dev eth0 nodad");
        let netlink = Netlink::open().expect("a netlink socket");
        let eth0 = ifindex(&netlink, "eth0").await;
        let before = (shown6("lo"), shown6("eth0"), ip("-6 route show"));
        let (addresses, _repairs) = Addresses::start(&netlink).expect("the task");
        let hidden = placement("fd00:10:0:3::10", LO, Role::Hidden);
        let owned = placement("fd00:10:0:3::10", eth0, Role::Owned);
        let xcf = placement("fd00:172::1", eth0, Role::DynamicXcf { prefix_len: 64 });

        let settled = addresses.apply(vec![xcf, hidden]).await;
        assert_eq!(settled.expect("both addresses").len(), 2);
        let own = "fd00:10:0:3::10/128 scope global nodad deprecated noprefixroute valid_lft forever \
                   preferred_lft 0sec";
        assert_eq!(shown6("lo"), [own]);
        let expected = "fd00:172::1/64 scope global nodad valid_lft forever preferred_lft forever";
        assert!(
            shown6("eth0").contains(&expected.to_owned()),
            "{:?}",
            shown6("eth0")
        );

        addresses.apply(vec![xcf, owned]).await.expect("the move");
        assert_eq!(shown6("lo"), before.0);
        assert!(
            shown6("eth0").contains(&own.to_owned()),
            "{:?}",
            shown6("eth0")
        );
        // Nearest to the destination is the DVIPA.
        let route = ip("-6 route get fd00:10:0:3::11");
        assert!(route.contains("src fd00:10:0:3::1 "), "{route}");
        is_local("fd00:10:0:3::10").await;

        addresses.apply(vec![hidden]).await.expect("the move back");
        is_local("fd00:10:0:3::10").await;
        addresses.apply(Vec::new()).await.expect("the clean-up");
        let after = (shown6("lo"), shown6("eth0"), ip("-6 route show"));
        assert_eq!(after, before);
    });
}

/// Waits until an address is this host's own: the kernel adds that route a little after the address.
async fn is_local(address: &str) {
    eventually("a local route", async || {
        let route = ip(&format!("-6 route get {address}"));
        route
            .starts_with(&format!("local {address} "))
            .then_some(())
    })
    .await;
}

/// The kernel takes IPv6 addresses from an interface that is turned off.
#[test]
fn an_ipv6_dvipa_survives_an_interface_that_is_turned_off() {
    in_namespace(|| async {
        ip("link add eth0 type veth peer name peer0");
        ip("link set peer0 up");
        ip("link set eth0 up");
        let netlink = Netlink::open().expect("a netlink socket");
        let eth0 = ifindex(&netlink, "eth0").await;
        let (addresses, mut repairs) = Addresses::start(&netlink).expect("the task");
        let owned = placement("fd00:10:0:3::10", eth0, Role::Owned);
        addresses.apply(vec![owned]).await.expect("the address");
        let placed = shown6("eth0");
        assert_eq!(placed.len(), 1);
        ip("address del fd00:10:0:3::10/128 dev eth0");
        let repaired = soon("a repair", repairs.recv()).await.expect("a repair");
        assert_eq!(repaired.address, owned.address);
        ip("link set eth0 down");
        soon("another", repairs.recv()).await.expect("a repair");
        ip("link set eth0 up");
        eventually("the address to be usable", async || {
            (shown6("eth0") == placed).then_some(())
        })
        .await;
        let local = ip("-6 route get fd00:10:0:3::10");
        assert!(local.starts_with("local fd00:10:0:3::10 "), "{local}");
    });
}

#[test]
fn a_restart_goes_on_with_what_a_killed_daemon_left() {
    in_namespace(|| async {
        let netlink = Netlink::open().expect("a netlink socket");
        let kept = placement("10.1.3.10", LO, Role::Hidden);
        let outdated = placement("10.1.3.11", LO, Role::Hidden);
        {
            let (addresses, _) = Addresses::start(&netlink).expect("the task");
            addresses
                .apply(vec![kept, outdated])
                .await
                .expect("the addresses");
        }
        ip("address add 10.1.3.12/32 dev lo");
        assert_eq!(shown("lo").len(), 4);

        let (addresses, _repairs) = Addresses::start(&netlink).expect("the task");
        addresses.apply(vec![kept]).await.expect("the addresses");
        assert_eq!(
            shown("lo"),
            [
                "127.0.0.1/8 scope host lo",
                "10.1.3.10/32 scope host lo",
                "10.1.3.12/32 scope global lo"
            ],
        );
    });
}

#[test]
fn what_cannot_be_added_changes_nothing() {
    in_namespace(|| async {
        let netlink = Netlink::open().expect("a netlink socket");
        let (addresses, _repairs) = Addresses::start(&netlink).expect("the task");
        let before = placement("10.1.3.9", LO, Role::Hidden);
        addresses.apply(vec![before]).await.expect("the address");

        let error = addresses
            .apply(vec![
                placement("10.1.3.10", LO, Role::Hidden),
                placement("10.1.3.11", 4711, Role::Owned),
            ])
            .await
            .expect_err("there is no such interface");

        assert_eq!(
            error.to_string(),
            "cannot add `10.1.3.11/32` to interface 4711"
        );
        assert_eq!(
            shown("lo"),
            ["127.0.0.1/8 scope host lo", "10.1.3.9/32 scope host lo"]
        );
    });
}

#[test]
fn a_configured_dynamicxcf_address_stays_where_it_is() {
    in_namespace(|| async {
        ip("address add 172.1.1.1/16 dev lo");
        ip("link add eth0 type veth peer name peer0");
        let netlink = Netlink::open().expect("a netlink socket");
        let eth0 = ifindex(&netlink, "eth0").await;
        let (addresses, _repairs) = Addresses::start(&netlink).expect("the task");
        let xcf = placement("172.1.1.1", eth0, Role::DynamicXcf { prefix_len: 24 });

        let settled = addresses
            .apply(vec![xcf])
            .await
            .expect("the address is there");

        assert_eq!(settled.len(), 1);
        assert_eq!((settled[0].by.ifindex, settled[0].by.is_ours), (LO, false));
        assert!(shown("eth0").is_empty());
        addresses.apply(Vec::new()).await.expect("the clean-up");
        assert_eq!(shown("lo").len(), 2, "not ours to remove");
    });
}
