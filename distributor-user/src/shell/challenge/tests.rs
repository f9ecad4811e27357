use std::io::Read as _;
use std::net::Ipv6Addr;
use std::time::Duration;

use super::*;
use crate::shell::testing::{in_namespace, ip};

#[test]
fn a_segment_sums_up_with_its_pseudo_header() {
    let ipv4: [IpAddr; 2] = [[10, 1, 3, 10].into(), [10, 1, 1, 99].into()];
    let ipv6 = [10, 99].map(|last| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)));
    for [from, to] in [ipv4, ipv6] {
        let segment = segment(from, 8443, to, 50_000);
        assert_eq!(segment[0..4], [0x20, 0xfb, 0xc3, 0x50]);
        assert_eq!((segment[12], segment[13]), (0x50, 0x02));
        // With its checksum in place, everything adds up to nothing.
        assert_eq!(checksum(from, to, &segment), 0);
        assert_ne!(segment[16..18], [0, 0]);
    }
}

#[test]
fn a_client_of_either_family_gets_a_syn_from_the_dvipa() {
    in_namespace(|| async {
        ip("address add 10.1.3.10/32 dev lo");
        ip("address add 10.1.1.99/32 dev lo");
        ip("address add 2001:db8::10/128 dev lo nodad");
        ip("address add 2001:db8::99/128 dev lo nodad");
        let flow = |dvipa: &str, client: &str| FlowKey {
            client: client.parse().expect("an address"),
            client_port: 50_000,
            dvipa: dvipa.parse().expect("an address"),
            port: 8443,
        };
        // The second of the first pair is nobody's.
        let flows = [
            flow("10.1.3.10", "10.1.1.99"),
            flow("10.1.3.10", "192.0.2.1"),
            flow("2001:db8::10", "2001:db8::99"),
        ];
        for (flow, header_len) in [(flows[0], 20), (flows[2], 0)] {
            let at = SocketAddr::new(flow.client, 0);
            let kind = Domain::for_address(at);
            let mut client = Socket::new(kind, Type::RAW, Some(Protocol::TCP)).expect("a socket");
            client.bind(&at.into()).expect("an address of ours");
            client
                .set_read_timeout(Some(Duration::from_secs(10)))
                .expect("a timeout");
            assert_eq!(challenge(&flows).expect("raw sockets"), 2);
            let mut bytes = [0; 64];
            let len = client.read(&mut bytes).expect("a segment");
            let expected = segment(flow.dvipa, 8443, flow.client, 50_000);
            assert_eq!(bytes[header_len..len], expected);
        }
    });
}
