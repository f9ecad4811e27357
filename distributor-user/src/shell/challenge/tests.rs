use super::*;

#[test]
fn a_segment_sums_up_with_its_pseudo_header() {
    let (from, to) = (Ipv4Addr::new(10, 1, 3, 10), Ipv4Addr::new(10, 1, 1, 99));
    let segment = segment(from, 8443, to, 50_000);
    assert_eq!(segment[0..4], [0x20, 0xfb, 0xc3, 0x50]);
    assert_eq!((segment[12], segment[13]), (0x50, 0x02));
    // With its checksum in place, everything adds up to nothing.
    assert_eq!(checksum(from, to, &segment), 0);
    assert_ne!(segment[16..18], [0, 0]);
}
