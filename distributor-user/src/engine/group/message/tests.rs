use proptest::prelude::*;

use super::*;

fn identity() -> Identity {
    Identity {
        instance: u64::MAX,
        name: "N".repeat(NAME_MAX),
        xcf: XcfAddresses::new(Some([255; 4].into()), Some([0xffff; 8].into())).expect("two"),
        port: u16::MAX,
        addresses: vec![(IpAddr::from([0xffff; 8]), 128); ADDRESSES_MAX],
    }
}

#[test]
fn the_largest_messages_fit_into_a_datagram() {
    let chunk = [0xff; CHUNK_MAX];
    let frames = [
        Frame::Segment {
            sequence: u64::MAX,
            chunk: &chunk,
        },
        Frame::Gossip {
            message: u32::MAX,
            part: u8::MAX,
            parts: u8::MAX,
            chunk: &chunk,
        },
        Frame::Ack {
            next: u64::MAX,
            ahead: u64::MAX,
        },
        Frame::Beat {
            time_ms: u64::MAX,
            echo_ms: Some(u64::MAX),
        },
    ];
    for frame in frames {
        let bytes = encode(&frame);
        assert!(bytes.len() <= MESSAGE_MAX, "{} bytes", bytes.len());
        assert_eq!(read_frame(&bytes), Ok(frame));
    }
    let bytes = identity().encode();
    assert!(bytes.len() <= MESSAGE_MAX, "{} bytes", bytes.len());
    assert_eq!(read_identity(&bytes), Ok(identity()));
}

#[test]
fn an_older_release_skips_what_a_newer_one_appends() {
    let mut longer = encode(&Frame::Goodbye);
    longer.extend_from_slice(b"a field of a newer release");
    assert_eq!(read_frame(&longer), Ok(Frame::Goodbye));
    let newer = encode(&(LAST_FRAME + 1, "a variant of a newer release"));
    assert_eq!(read_frame(&newer), Err(DropReason::Kind));
    assert_eq!(read_letter(&newer), Err(DropReason::Kind));
    let mut longer = identity().encode();
    longer.push(1);
    assert_eq!(read_identity(&longer), Ok(identity()));
    // What a release says that knows one address only.
    let first = Identity {
        xcf: IpAddr::from([255; 4]).into(),
        ..identity()
    };
    let mut shorter = first.encode();
    assert_eq!(shorter.pop(), Some(0), "no second address");
    assert_eq!(read_identity(&shorter), Ok(first));
    let ipv6 = Identity {
        xcf: IpAddr::from([0xffff; 8]).into(),
        ..identity()
    };
    assert_eq!(read_identity(&ipv6.encode()), Ok(ipv6));
}

#[test]
fn an_identity_out_of_bounds_is_none() {
    let cases: [fn(&mut Identity); 7] = [
        |identity| identity.name.clear(),
        |identity| identity.name.push('N'),
        |identity| identity.name = "a b".to_owned(),
        |identity| identity.name = "a\u{1b}[2J".to_owned(),
        |identity| identity.port = 0,
        |identity| identity.addresses.push((IpAddr::from([0; 4]), 0)),
        |identity| identity.addresses[0] = (IpAddr::from([10, 0, 0, 1]), 33),
    ];
    for (number, spoil) in cases.into_iter().enumerate() {
        let mut identity = identity();
        spoil(&mut identity);
        assert_eq!(
            read_identity(&identity.encode()),
            Err(DropReason::Malformed),
            "case {number}"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..MESSAGE_MAX)) {
        let _ = read_identity(&bytes);
        let _ = read_frame(&bytes);
        let _ = read_letter(&bytes);
    }
}
