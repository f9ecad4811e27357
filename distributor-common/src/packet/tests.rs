use super::{PacketBuf, SlicePacket};
use crate::abi::Encapsulation;
use crate::wire::Be16;

#[test]
fn windows_lie_inside_the_packet() {
    let mut bytes = [0; 20];
    let mut packet = SlicePacket::new(&mut bytes, 7);
    // Offset, whether 8 bytes fit.
    for (offset, fits) in [
        (0, true),
        (12, true),
        (13, false),
        (20, false),
        (usize::MAX, false),
    ] {
        assert_eq!(packet.window::<8>(offset).is_some(), fits, "{offset}");
    }
    assert_eq!(packet.ingress(), 7);
    assert!(packet.holds(10, 10));
    assert!(!packet.holds(10, 11));
}

#[test]
fn reads_and_writes_bytes_as_they_lie() {
    let mut bytes = *b"0123456789abcdef";
    let mut packet = SlicePacket::new(&mut bytes, 1);
    let mut window = packet.window::<14>(1).expect("long enough");
    assert_eq!(window.u8::<0>(), b'1');
    assert_eq!(window.be16::<1>(), Be16(u16::from_ne_bytes(*b"23")));
    assert_eq!(window.be16::<1>().host(), 0x3233);
    assert_eq!(window.word32::<3>().to_ne_bytes(), *b"4567");
    assert_eq!(window.word64::<5>().to_ne_bytes(), *b"6789abcd");
    window.set_word32::<0>(u32::from_ne_bytes(*b"wxyz"));
    window.set_word64::<6>(u64::from_ne_bytes(*b"ABCDEFGH"));
    assert_eq!(&bytes, b"0wxyz56ABCDEFGHf");
}

#[test]
fn a_packet_grows_and_shrinks_at_its_front() {
    let mut memory = *b"0123456789";
    let mut packet = SlicePacket::behind(4, &mut memory, 1);
    assert_eq!(packet.bytes(), b"456789");
    assert!(packet.lengthen(3, Encapsulation::Gre));
    assert_eq!((packet.bytes(), packet.total_len()), (&b"123456789"[..], 9));
    // There is room for one byte yet.
    assert!(!packet.lengthen(2, Encapsulation::Gre));
    let mut window = packet.window::<4>(0).expect("long enough");
    window.set_word32::<0>(u32::from_ne_bytes(*b"wxyz"));
    assert!(packet.shorten(2));
    assert_eq!(packet.bytes(), b"yz56789");
    assert!(!packet.shorten(7));
    assert!(packet.shorten(6));
    assert_eq!(packet.bytes(), b"9");
}
