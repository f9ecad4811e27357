use super::*;

fn link(index: u32, name: &str, addresses: &[&str]) -> Link {
    Link {
        index,
        name: name.to_owned(),
        mac: (name != "lo" && !name.starts_with("tun"))
            .then(|| [2, 0, 0, 0, 0, u8::try_from(index).expect("a small index")]),
        mtu: 1500,
        is_up: !name.ends_with('-'),
        is_loopback: name == "lo",
        kind: None,
        addresses: addresses.iter().map(|text| address(text)).collect(),
    }
}

/// `10.1.1.1/24`, with a `!` in front when a distributor added it, and a `~` when it is fleeting.
fn address(text: &str) -> LinkAddress {
    let is_marked = |mark| text.starts_with(mark);
    let (is_ours, is_fleeting) = (is_marked('!'), is_marked('~'));
    let text = text.trim_start_matches(['!', '~']);
    let (address, prefix_len) = text.split_once('/').expect("an address with a prefix");
    LinkAddress {
        address: address.parse().expect("an address"),
        prefix_len: prefix_len.parse().expect("a prefix length"),
        is_ours,
        is_fleeting,
    }
}

/// A stack as in the scenario: a client network, a DYNAMICXCF network, and what else may be there.
fn stack() -> Vec<Link> {
    vec![
        link(1, "lo", &["127.0.0.1/8", "::1/128"]),
        link(2, "eth0", &["10.1.1.1/24"]),
        link(3, "xcf0", &["172.1.1.1/24"]),
        link(4, "eth1-", &["10.1.2.1/24"]),
        link(5, "eth2", &["fe80::1/64"]),
        link(6, "tun0", &["10.8.0.2/24"]),
        link(7, "eth3", &["!10.1.3.10/32"]),
    ]
}

fn xcf_statement(address: &str) -> XcfNetwork {
    XcfNetwork {
        address: address.parse().expect("an address"),
        prefix_len: 24,
    }
}

fn name(result: Result<&Link, LinkError>) -> Result<String, String> {
    result
        .map(|link| link.name.clone())
        .map_err(|error| error.to_string())
}

#[test]
fn ingress_interfaces() {
    let links = stack();
    for (named, expected) in [
        // Not: `lo`, one that is down, one with a link-local address only, one without Ethernet, one
        // with only ours.
        (&[][..], Ok(&["eth0", "xcf0"][..])),
        (&["xcf0", "eth0", "xcf0"], Ok(&["xcf0", "eth0"])),
        (&["eth1-"], Ok(&["eth1-"])),
        (
            &["eth9"],
            Err("there is no interface `eth9`; there are `eth0`, `xcf0`, `eth1-`, `eth2`, `eth3`"),
        ),
        (
            &["eth0", "lo"],
            Err(
                "interface `lo` carries no Ethernet frames; the distributor works on Ethernet \
                 interfaces: there are `eth0`, `xcf0`, `eth1-`, `eth2`, `eth3`",
            ),
        ),
    ] {
        let named: Vec<String> = named.iter().map(ToString::to_string).collect();
        let chosen = ingress(&links, &named)
            .map(|links| {
                links
                    .iter()
                    .map(|link| link.name.clone())
                    .collect::<Vec<_>>()
            })
            .map_err(|error| error.to_string());
        let expected = expected
            .map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>())
            .map_err(ToOwned::to_owned);
        assert_eq!(chosen, expected, "{named:?}");
    }
    assert_eq!(
        ingress(&links[..1], &[]).map_err(|error| error.to_string()),
        Err(
            "no Ethernet interface is up with an address; name one with `--interface`: \
             there are none"
                .to_owned()
        ),
    );
}

#[test]
fn dynamic_xcf_interface() {
    let with_loopback_holder = [
        link(1, "lo", &["127.0.0.1/8", "172.1.1.1/32"]),
        link(2, "eth0", &["10.1.1.1/24"]),
        link(3, "xcf0", &["172.1.1.200/24"]),
    ];
    let nested = [
        link(2, "eth0", &["172.1.0.1/16"]),
        link(3, "eth1", &["172.1.1.9/24"]),
        link(4, "eth2", &["172.1.1.8/24"]),
    ];
    for (links, named, address, expected) in [
        (&stack()[..], None, "172.1.1.1", Ok("xcf0")),
        (&stack(), Some("eth2"), "172.1.1.1", Ok("eth2")),
        (&stack(), None, "172.1.1.77", Ok("xcf0")),
        // On loopback it cannot be reached by frames: the network decides.
        (&with_loopback_holder, None, "172.1.1.1", Ok("xcf0")),
        (&nested, None, "172.1.1.1", Ok("eth1")),
        (&nested, None, "172.1.2.1", Ok("eth0")),
        // One interface only: it carries this network too.
        (&stack()[..2], None, "172.9.9.1", Ok("eth0")),
        (
            &stack(),
            None,
            "172.9.9.1",
            Err(
                "no interface is on the network of the DYNAMICXCF address `172.9.9.1/24`; name \
                 one with `--xcf-interface`: there are `eth0`, `xcf0`, `eth1-`, `eth2`, `eth3`",
            ),
        ),
        (
            &stack()[..2],
            Some("eth7"),
            "172.1.1.1",
            Err("there is no interface `eth7`; there are `eth0`"),
        ),
    ] {
        let chosen = name(xcf(links, named, &xcf_statement(address)));
        assert_eq!(
            chosen,
            expected.map(ToOwned::to_owned).map_err(ToOwned::to_owned),
            "{named:?} {address}",
        );
    }
}

#[test]
fn owner_interface() {
    let links = stack();
    let [eth0, xcf0] = [&links[1], &links[2]];
    for (ingress, dvipa, expected) in [
        (&[xcf0, eth0][..], "10.1.1.99", Some("eth0")),
        (&[xcf0, eth0], "172.1.1.99", Some("xcf0")),
        // No subnet contains it: a network of the clients, not of the group.
        (&[xcf0, eth0], "10.1.3.10", Some("eth0")),
        (&[xcf0], "10.1.3.10", Some("xcf0")),
        (&[xcf0], "2001:db8::1", Some("xcf0")),
        (&[], "10.1.3.10", None),
    ] {
        let chosen = owner(ingress, 3, dvipa.parse().expect("an address"));
        assert_eq!(chosen.map(|link| link.name.as_str()), expected, "{dvipa}");
    }
}

#[test]
fn subnets() {
    for (network, prefix_len, address, expected) in [
        ("10.1.1.1", 24, "10.1.1.255", true),
        ("10.1.1.1", 24, "10.1.2.1", false),
        ("10.1.1.1", 32, "10.1.1.1", true),
        ("10.1.1.1", 32, "10.1.1.0", false),
        ("10.1.1.1", 0, "203.0.113.1", true),
        ("fd00::1", 64, "fd00::ffff", true),
        ("fd00::1", 128, "fd00::2", false),
        ("fd00::1", 0, "2001:db8::1", true),
        ("0.0.0.0", 0, "::", false),
    ] {
        let contained = contains(
            network.parse().expect("an address"),
            prefix_len,
            address.parse().expect("an address"),
        );
        assert_eq!(contained, expected, "{network}/{prefix_len} {address}");
    }
}

#[test]
fn an_interface_with_ipv6_alone_is_used() {
    let links = [link(2, "eth0", &["fe80::1/64", "fd00:10::1/64"])];
    let chosen = ingress(&links, &[]).expect("one that is used");
    assert_eq!(chosen, [&links[0]]);
}

#[test]
fn the_group_is_talked_to_on_one_ipv6_address_of_each_network() {
    let link = link(
        2,
        "eth0",
        &[
            "10.1.1.1/24",
            "10.1.1.2/24",
            "10.1.3.10/32",
            "!10.1.1.3/24",
            "~2001:db8:1::3/64",
            "2001:db8:1::1/64",
            "2001:db8:1::2/64",
            "2001:db8:2::1/64",
            "2001:db8:3::1/128",
            "!2001:db8:4::1/64",
            "fe80::1/64",
        ],
    );
    let chosen = link.group_addresses().into_iter();
    let chosen: Vec<String> = chosen.map(|own| own.address.to_string()).collect();
    let expected = ["10.1.1.1", "10.1.1.2", "2001:db8:1::1", "2001:db8:2::1"];
    assert_eq!(chosen, expected);
}
