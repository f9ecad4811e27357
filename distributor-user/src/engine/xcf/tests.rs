use super::*;

const IPV4: Ipv4Addr = Ipv4Addr::new(172, 1, 1, 2);
const IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x172, 0, 0, 0, 0, 0, 2);

#[test]
fn a_stack_is_a_target_by_the_address_of_the_family() {
    let (dvipa4, dvipa6) = (
        IpAddr::from([10, 1, 3, 10]),
        IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 0x10]),
    );
    for (ipv4, ipv6, first, text) in [
        (Some(IPV4), None, IpAddr::V4(IPV4), "172.1.1.2"),
        (None, Some(IPV6), IpAddr::V6(IPV6), "fd00:172::2"),
        (
            Some(IPV4),
            Some(IPV6),
            IpAddr::V4(IPV4),
            "172.1.1.2, fd00:172::2",
        ),
    ] {
        let addresses = XcfAddresses::new(ipv4, ipv6).expect("one at least");
        assert_eq!(addresses.first(), first);
        assert_eq!((addresses.ipv4(), addresses.ipv6()), (ipv4, ipv6));
        assert_eq!(addresses.as_target(dvipa4), ipv4.map(IpAddr::V4));
        assert_eq!(addresses.as_target(dvipa6), ipv6.map(IpAddr::V6));
        for (dvipa, own) in [
            (dvipa4, ipv4.map(IpAddr::V4)),
            (dvipa6, ipv6.map(IpAddr::V6)),
        ] {
            assert_eq!(addresses.about(dvipa), own.unwrap_or(first));
        }
        assert_eq!(addresses.contain(IPV4.into()), ipv4.is_some());
        assert_eq!(addresses.contain(IPV6.into()), ipv6.is_some());
        assert!(!addresses.contain(dvipa4));
        assert_eq!(addresses.to_string(), text);
    }
    assert_eq!(XcfAddresses::new(None, None), None);
    let others = [IPV6.into(), IPV4.into(), dvipa4, dvipa6];
    assert_eq!(
        XcfAddresses::of(others),
        XcfAddresses::new(Some(IPV4), Some(IPV6))
    );
}

#[test]
fn stacks_with_an_address_in_common_are_told() {
    let both = XcfAddresses::new(Some(IPV4), Some(IPV6)).expect("two");
    let other = XcfAddresses::from(IpAddr::from([172, 1, 1, 3]));
    assert!(both.overlap(IpAddr::V6(IPV6).into()));
    assert!(XcfAddresses::from(IpAddr::V4(IPV4)).overlap(both));
    assert!(!both.overlap(other));
}
