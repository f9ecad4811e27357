use aya::programs::{TestRun, TestRunOptions};
use distributor_common::host::frame::Frame;
use distributor_common::wire::tcp::{ACK, SYN};

use super::*;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];
const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 8];
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// What the program of a port does with a segment to an Ethernet address.
fn action(programs: &mut Ebpf, flags: u8, to: [u8; 6]) -> u32 {
    let mut frame = Frame::new(40_000, flags).bytes();
    frame[..6].copy_from_slice(&to);
    let options = TestRunOptions {
        data_in: Some(&frame),
        ..TestRunOptions::default()
    };
    let pass = pass(programs).expect("the program");
    pass.test_run(options).expect("a run").return_value
}

#[test]
fn nothing_is_lost_but_syns_to_whom_they_are_to_be_lost() {
    let object = program::lab_object().expect("the built object");
    let mut programs = EbpfLoader::new().load_file(object).expect("it loads");
    let pass = pass(&mut programs).expect("the program");
    pass.load().expect("the kernel accepts it");
    assert_eq!(action(&mut programs, SYN, MAC), XDP_PASS);
    let map = programs.map_mut("LOST_SYNS").expect("the map");
    let mut lost: HashMap<&mut MapData, u64, u32> = HashMap::try_from(map).expect("a hash");
    lost.insert(key_of(MAC), 1, 0).expect("room");
    for (flags, to, expected) in [
        (SYN, MAC, XDP_DROP),
        (SYN, OTHER, XDP_PASS),
        (SYN | ACK, MAC, XDP_PASS),
        (ACK, MAC, XDP_PASS),
    ] {
        assert_eq!(action(&mut programs, flags, to), expected, "{flags} {to:?}");
    }
}
