use super::*;
use crate::engine::addresses::{Placement, Role};
use crate::shell::addresses::Addresses;
use crate::shell::testing::{in_namespace, ip};

#[test]
fn lists_the_interfaces_of_this_namespace() {
    in_namespace(|| async {
        ip("link add eth0 address 02:00:00:00:00:01 mtu 1400 type veth peer name peer0");
        ip("link set eth0 up");
        ip("address add 10.1.1.1/24 dev eth0");
        let netlink = Netlink::open().expect("a netlink socket");
        let (addresses, _) = Addresses::start(&netlink).expect("the task");
        let links = list(&netlink).await.expect("the interfaces");
        let ifindex = links
            .iter()
            .find(|link| link.name == "eth0")
            .expect("eth0")
            .index;
        let address = "10.1.3.10".parse().expect("an address");
        let owned = Placement {
            address,
            ifindex,
            role: Role::Owned,
        };
        addresses.apply(vec![owned]).await.expect("the address");

        let links = list(&netlink).await.expect("the interfaces");

        let eth0 = links.iter().find(|link| link.name == "eth0").expect("eth0");
        assert_eq!(eth0.mac, Some([2, 0, 0, 0, 0, 1]));
        assert_eq!(eth0.mtu, 1400);
        assert!(eth0.is_up && !eth0.is_loopback);
        assert_eq!(eth0.kind.as_deref(), Some("veth"));
        let v4: Vec<&LinkAddress> = eth0
            .addresses
            .iter()
            .filter(|own| own.address.is_ipv4())
            .collect();
        assert_eq!(
            v4,
            [
                &LinkAddress {
                    address: "10.1.1.1".parse().expect("an address"),
                    prefix_len: 24,
                    is_ours: false,
                    is_fleeting: false,
                },
                &LinkAddress {
                    address: "10.1.3.10".parse().expect("an address"),
                    prefix_len: 32,
                    is_ours: true,
                    is_fleeting: false,
                },
            ],
        );
        let lo = links.iter().find(|link| link.name == "lo").expect("lo");
        assert!(lo.is_loopback && lo.is_up);
        assert_eq!(lo.mac, None);
        let peer0 = links
            .iter()
            .find(|link| link.name == "peer0")
            .expect("peer0");
        assert!(!peer0.is_up);
    });
}

#[test]
fn an_ipv6_address_that_must_not_be_used_is_told() {
    in_namespace(|| async {
        ip("link add eth0 type veth peer name peer0");
        ip("link set eth0 up");
        ip("address add fd00:10::1/64 dev eth0 nodad");
        ip("address add fd00:10::2/64 dev eth0 nodad preferred_lft 0");
        let netlink = Netlink::open().expect("a netlink socket");
        let links = list(&netlink).await.expect("the interfaces");
        let eth0 = links.iter().find(|link| link.name == "eth0").expect("eth0");
        let own = eth0.addresses.iter().filter(|own| own.is_routable());
        let mut told: Vec<_> = own
            .map(|own| (own.address.to_string(), own.is_fleeting))
            .collect();
        told.sort();
        let expected = [("fd00:10::1", false), ("fd00:10::2", true)];
        assert_eq!(told, expected.map(|(address, is)| (address.to_owned(), is)));
    });
}
