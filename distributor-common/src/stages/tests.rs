use std::collections::BTreeMap;
use std::thread;
use std::vec::Vec;

use proptest::prelude::*;

use super::distribute;
use crate::abi::{Choice, Path, Roles};
use crate::counter::{Action, COUNTERS, Event, Totals, Verdict};
use crate::flow::{FlowKey, Slot, State};
use crate::hash;
use crate::host::HostTables;
use crate::host::frame::{Frame, checksum};
use crate::packet::SlicePacket;
use crate::wire::ethernet;
use crate::wire::tcp::{ACK, FIN, RST, SYN};

const SEEDS: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345];
const VIPA: [u8; 4] = [10, 1, 3, 10];
/// The interface that packets come in on.
const INGRESS: u32 = 2;
/// The interface to the DYNAMICXCF network.
const XCF: u32 = 3;

mod active;
mod affinity;
mod endings;
mod established;
mod fence;
mod floods;
mod headers;
mod held;
mod icmp;
mod ipv6;
mod offers;
mod origin;
mod paths;
mod probe;
mod selection;
mod tunnels;

/// Bytes in front of a frame; drivers leave more.
const ROOM: usize = 64;

/// The packet path with everything that it needs, and what must have been counted so far.
struct Bench {
    tables: HostTables,
    expected: BTreeMap<usize, u64>,
}

impl Bench {
    /// A service on 10.1.3.10:8443 with these target slots in its ring. Slot n is reached by a link
    /// to 02:00:00:00:00:n, out of the ingress interface.
    fn new(ring: &[u16]) -> Self {
        let mut tables = HostTables::new(256, SEEDS);
        tables.add_service(VIPA, 8443, ring);
        for slot in 0..16 {
            tables.set_path(slot, link(slot, INGRESS));
        }
        tables.interfaces.insert(XCF);
        Self {
            tables,
            expected: BTreeMap::new(),
        }
    }

    /// Sends one frame through, and checks the verdict, the events beside it, all other counters,
    /// and that the frame is what it was unless it is sent on. Returns the frame.
    fn send(&mut self, before: impl AsRef<[u8]>, verdict: Verdict, events: &[Event]) -> Vec<u8> {
        let before = before.as_ref();
        let bytes = self.pass(before, verdict, events);
        match verdict.action() {
            Action::Transmit | Action::Redirect => {
                let same = |range: std::ops::Range<usize>| bytes[range.clone()] == before[range];
                if bytes[12..14] == ethernet::IPV6.0.to_ne_bytes() {
                    assert_eq!(bytes[21], before[21] - 1, "hop limit");
                    assert!(same(12..21) && same(22..bytes.len()));
                } else {
                    let header = &bytes[14..14 + 4 * usize::from(bytes[14] & 15)];
                    assert_eq!(checksum(header), 0);
                    assert_eq!(bytes[22], before[22] - 1, "time to live");
                    assert!(same(12..22) && same(23..24) && same(26..bytes.len()));
                }
            }
            Action::Pass | Action::Drop => assert_eq!(bytes, before),
        }
        bytes
    }

    /// Sends one frame through, with room in front of it, and checks the verdict, the events beside it
    /// and all other counters. Returns what became of the frame.
    fn pass(&mut self, before: &[u8], verdict: Verdict, events: &[Event]) -> Vec<u8> {
        let mut memory = [&[0; ROOM], before].concat();
        let started = self.tables.starts_here.then_some(Event::StartedHere);
        let ingress = if self.tables.starts_here { 0 } else { INGRESS };
        let mut packet = SlicePacket::behind(ROOM, &mut memory, ingress);
        let given = if self.tables.starts_here {
            super::origin::send(&mut packet, &self.tables).expect("it is for a DVIPA")
        } else {
            distribute(&mut packet, &self.tables)
        };
        assert_eq!(given, verdict);
        let events = events.iter().chain(&started).map(|event| event.index());
        for index in events.chain([verdict.index()]) {
            *self.expected.entry(index).or_default() += 1;
        }
        for counter in COUNTERS {
            let expected = self
                .expected
                .get(&counter.index)
                .copied()
                .unwrap_or_default();
            let counted = self.tables.counters()[counter.index];
            assert_eq!(counted, expected, "counter `{}`", counter.name);
        }
        packet.bytes().to_vec()
    }

    /// Sends a segment that must go to a target, and returns its slot.
    fn target(&mut self, frame: Frame, events: &[Event]) -> u16 {
        let bytes = self.send(frame.bytes(), Verdict::Transmitted, events);
        assert_eq!(bytes[..5], [2, 0, 0, 0, 0]);
        assert_eq!(bytes[6..12], [2, 0, 0, 0, 1, 0]);
        u16::from(bytes[5])
    }

    /// State and target of a flow.
    fn flow(&self, client_port: u16) -> Option<(State, u16)> {
        let key = FlowKey::tcp([10, 1, 1, 100], client_port, VIPA, 8443);
        let mut slots = self.flows().filter(|(found, ..)| *found == key);
        let flow = slots.next().map(|(_, state, target)| (state, target));
        assert!(slots.next().is_none(), "twice in the table");
        flow
    }

    fn flows(&self) -> impl Iterator<Item = (FlowKey, State, u16)> {
        let slots = self
            .tables
            .buckets()
            .iter()
            .flat_map(|bucket| &bucket.slots);
        slots
            .filter_map(Slot::read)
            .map(|(key, tag)| (key, tag.state(), tag.target()))
    }

    fn totals(&self) -> Totals {
        [&self.tables.counters()].into_iter().collect()
    }
}

/// Sends one frame that starts on this host.
fn origin_of(bytes: &mut [u8], tables: &HostTables) -> Option<Verdict> {
    super::origin::send(&mut SlicePacket::new(bytes, 0), tables)
}

/// The Ethernet address that the member in a slot sends from.
fn member(slot: u16) -> [u8; 6] {
    let last = u8::try_from(slot).expect("few slots");
    [2, 0, 0, 9, 0, last]
}

/// Makes the members in slots 1 to 9 known by their Ethernet addresses.
fn introduce(tables: &mut HostTables) {
    for slot in 1..10 {
        tables.add_sender(member(slot), slot);
    }
}

/// The first client port, from 40,000 on, whose flow is offered to this place of `len` first.
fn port_of_round(first: u32, len: u32) -> u16 {
    let place = |port: u16| {
        let key = FlowKey::tcp([10, 1, 1, 100], port, VIPA, 8443);
        hash::place(key.offer_hash(), len)
    };
    (40_000..50_000)
        .find(|port| place(*port) == first)
        .expect("some port")
}

fn link(slot: u16, ifindex: u32) -> Path {
    let last = u8::try_from(slot).expect("few slots");
    Path::link(ifindex, [2, 0, 0, 0, 1, 0], [2, 0, 0, 0, 0, last])
}

/// Opens a connection that is stored, and completes its handshake.
fn establish(bench: &mut Bench, client_port: u16) -> u16 {
    let target = bench.target(Frame::new(client_port, SYN), &[Event::FlowStored]);
    assert_eq!(bench.target(Frame::new(client_port, ACK), &[]), target);
    target
}

/// Tables in which everything happens: a DVIPA that is owned, one that is not, members, a probe, and
/// a daemon that is silent.
fn everything() -> Bench {
    let mut bench = Bench::new(&[1, 2, 3]);
    introduce(&mut bench.tables);
    let owned = Roles {
        owner: Some(0),
        former: Some(4),
        is_owned: true,
        is_distributed: true,
        has_successor: true,
        ..Roles::default()
    };
    bench.tables.set_vipa(VIPA, owned, &[1, 2, 3]);
    let held = Roles {
        owner: Some(1),
        place: Some(0),
        ..Roles::default()
    };
    bench.tables.set_vipa([10, 1, 3, 11], held, &[2, 3]);
    bench.tables.life().grace_ns.store(5);
    bench
        .tables
        .life()
        .set_probe([0, 0], [0, 0], 8443, &[[1, 2], [3, 4]]);
    bench
}

proptest! {
    #[test]
    fn any_bytes_are_survived_and_counted(mut bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let bench = everything();
        let before = bytes.clone();
        let verdict = distribute(&mut SlicePacket::new(&mut bytes, INGRESS), &bench.tables);
        prop_assert_eq!(bench.totals().received(), 1);
        prop_assert_eq!(bench.totals().verdict(verdict), 1);
        if matches!(verdict.action(), Action::Pass | Action::Drop) {
            prop_assert_eq!(bytes, before);
        }
    }

    #[test]
    fn any_change_to_a_segment_is_survived_and_counted(
        flags: u8,
        port in 40_000..40_100_u16,
        sender in 0..12_u16,
        last in 10..13_u8,
        is_silent: bool,
        changes in prop::collection::vec((0..54_usize, any::<u8>()), 0..4),
        len in 0..60_usize,
    ) {
        let bench = everything();
        bench.tables.set_now_ns(u64::from(is_silent) * 100);
        let mut bytes = Frame {
            source: member(sender),
            dvipa: [10, 1, 3, last],
            ..Frame::new(port, flags)
        }
        .bytes();
        for (at, value) in changes {
            bytes[at] = value;
        }
        bytes.resize(len, 0);
        let verdict = distribute(&mut SlicePacket::new(&mut bytes, INGRESS), &bench.tables);
        prop_assert_eq!(bench.totals().received(), 1);
        prop_assert_eq!(bench.totals().verdict(verdict), 1);
    }

    #[test]
    fn segments_of_one_connection_never_part(
        segments in prop::collection::vec((0..6_u16, prop_oneof![
            Just(ACK), Just(ACK | 8), Just(SYN), Just(FIN | ACK), Just(RST)
        ]), 1..200),
    ) {
        // Without an end in between, every segment of a client port goes where its first SYN went.
        let mut bench = Bench::new(&[1, 2, 3]);
        let mut expected: BTreeMap<u16, u16> = BTreeMap::new();
        for (port, flags) in segments {
            let port = 40_000 + port;
            let is_new = !expected.contains_key(&port)
                || (flags == SYN && bench.flow(port).is_some_and(|(state, _)| state == State::Ending));
            if is_new && flags != SYN {
                continue;
            }
            let mut bytes = Frame::new(port, flags).bytes();
            let verdict = distribute(&mut SlicePacket::new(&mut bytes, INGRESS), &bench.tables);
            prop_assert_eq!(verdict, Verdict::Transmitted);
            let target = u16::from(bytes[5]);
            if is_new {
                expected.insert(port, target);
            }
            prop_assert_eq!(expected.get(&port), Some(&target));
            prop_assert_eq!(bench.flow(port).map(|(_, target)| target), Some(target));
        }
        bench.expected.clear();
    }
}
