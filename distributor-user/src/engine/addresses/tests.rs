use super::*;

const LO: u32 = 1;
const ETH0: u32 = 2;
const XCF0: u32 = 3;

/// `ours 10.1.3.10/32 host 1`: who added it, address, scope, interface.
fn configured(text: &str) -> Configured {
    let words: Vec<&str> = text.split(' ').collect();
    let [who, address, scope, ifindex] = words[..] else {
        panic!("four words: {text}")
    };
    let (address, prefix_len) = address.split_once('/').expect("an address with a prefix");
    Configured {
        address: address.parse().expect("an address"),
        prefix_len: prefix_len.parse().expect("a prefix length"),
        ifindex: ifindex.parse().expect("an interface index"),
        is_host_scope: scope == "host",
        is_ours: who == "ours",
    }
}

fn placement(address: &str, ifindex: u32, role: Role) -> Placement {
    Placement {
        address: address.parse().expect("an address"),
        ifindex,
        role,
    }
}

fn text(change: &Change) -> String {
    let (sign, address) = match change {
        Change::Add(placement) => ('+', placement.configured()),
        Change::Remove(address) => ('-', *address),
    };
    let scope = if address.is_host_scope {
        "host"
    } else {
        "global"
    };
    format!(
        "{sign}{}/{} {scope} {}",
        address.address, address.prefix_len, address.ifindex
    )
}

#[test]
fn changes_towards_the_wanted_addresses() {
    let hidden = placement("10.1.3.10", LO, Role::Hidden);
    let owned = placement("10.1.3.10", ETH0, Role::Owned);
    let owned_v6 = placement("2001:db8::10", ETH0, Role::Owned);
    let xcf = placement("172.1.1.1", XCF0, Role::DynamicXcf { prefix_len: 24 });
    for (case, present, wanted, expected) in [
        ("nothing", &[][..], &[][..], &[][..]),
        (
            "a first start",
            &[],
            &[xcf, hidden],
            &["+172.1.1.1/24 global 3", "+10.1.3.10/32 host 1"],
        ),
        ("IPv6", &[], &[owned_v6], &["+2001:db8::10/128 global 2"]),
        (
            "a takeover: there before it leaves here",
            &["ours 10.1.3.10/32 host 1"],
            &[owned],
            &["+10.1.3.10/32 global 2", "-10.1.3.10/32 host 1"],
        ),
        (
            "and back",
            &["ours 10.1.3.10/32 global 2"],
            &[hidden],
            &["+10.1.3.10/32 host 1", "-10.1.3.10/32 global 2"],
        ),
        ("all there", &["ours 10.1.3.10/32 host 1"], &[hidden], &[]),
        (
            "left by a killed daemon",
            &["ours 10.1.9.9/32 global 2", "ours 172.1.1.1/24 global 3"],
            &[xcf],
            &["-10.1.9.9/32 global 2"],
        ),
        (
            "a clean stop takes only what is ours",
            &["theirs 10.1.1.1/24 global 2", "ours 10.1.3.10/32 host 1"],
            &[],
            &["-10.1.3.10/32 host 1"],
        ),
        (
            "a DYNAMICXCF address that is configured stays where it is",
            &["theirs 172.1.1.1/16 global 2"],
            &[xcf],
            &[],
        ),
        (
            "and what was added before it was configured goes",
            &["theirs 172.1.1.1/24 global 2", "ours 172.1.1.1/24 global 3"],
            &[xcf],
            &["-172.1.1.1/24 global 3"],
        ),
        (
            "another DYNAMICXCF interface",
            &["ours 172.1.1.1/24 global 2"],
            &[xcf],
            &["+172.1.1.1/24 global 3", "-172.1.1.1/24 global 2"],
        ),
        (
            "a DVIPA that somebody else put in the same place",
            &["theirs 10.1.3.10/32 global 1"],
            &[hidden],
            &[],
        ),
        (
            "a DVIPA that somebody else put in another place",
            &["theirs 10.1.3.10/32 global 2"],
            &[hidden],
            &["+10.1.3.10/32 host 1"],
        ),
    ] {
        let present: Vec<Configured> = present.iter().map(|text| configured(text)).collect();
        let changes: Vec<String> = changes(&present, wanted).iter().map(text).collect();
        assert_eq!(changes, expected, "{case}");
    }
}
