//! What is measured: programs, the packets that they are given, and what they are compared with.

use std::net::Ipv6Addr;

use distributor_common::abi::Family;
use distributor_common::host::frame::ipv6::Frame6;
use distributor_common::host::frame::{self, Frame};
use distributor_common::wire::tcp::{ACK, SYN};
use distributor_user::engine::config::RouteEncapsulation;

use super::{FRAME_LEN, IPV4_LEN, MANY};

pub(super) const XDP_PASS: u32 = 2;
pub(super) const XDP_TX: u32 = 3;

/// A program, and the packets that it is given.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) program: Program,
    pub(super) family: Family,
    pub(super) bytes: [u8; FRAME_LEN],
    /// A power of two.
    pub(super) flows: u64,
    /// Whether all flows are in the program's table before.
    pub(super) is_known: bool,
    pub(super) action: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// Does nothing.
    Empty,
    /// Looks up in the kernel's table.
    Find,
    /// Inserts into the kernel's table.
    Store,
    Distribute,
}

/// Two subjects, and what the ratio of the one to the other may be.
pub(super) struct Comparison {
    pub(super) subject: Subject,
    pub(super) reference: Subject,
    /// What the target is sent packets in, if not as they are.
    pub(super) encapsulation: Option<RouteEncapsulation>,
    pub(super) limit: f64,
}

impl Comparison {
    /// How many flows the tables are made for: those of the case, where their number is what it is about.
    pub(super) fn table_flows(&self) -> u64 {
        match self.subject.flows {
            1 | ENDLESS => MANY,
            flows => flows,
        }
    }
}

/// So many that none comes twice.
pub(super) const ENDLESS: u64 = 1 << 32;

pub(super) fn subject(name: &'static str, program: Program, flags: u8, flows: u64) -> Subject {
    let frame = Frame {
        tcp_options: 2, // fills the frame to 62 bytes; padding makes it 64
        ..Frame::new(0, flags)
    };
    Subject {
        name,
        program,
        family: Family::Ipv4,
        bytes: padded(&frame.bytes()),
        flows,
        is_known: flows != ENDLESS && program != Program::Empty,
        action: XDP_TX,
    }
}

impl Subject {
    /// The same with a packet of IPv6.
    pub(super) fn ipv6(self, flags: u8) -> Self {
        let frame = Frame6 {
            payload: 14, // makes the frame 88 bytes
            ..Frame6::new(0, flags)
        };
        Self {
            family: Family::Ipv6,
            bytes: padded(&frame.bytes()),
            ..self
        }
    }

    pub(super) fn frame(&self) -> &[u8] {
        match self.family {
            Family::Ipv4 => &self.bytes[..IPV4_LEN],
            Family::Ipv6 => &self.bytes,
        }
    }

    /// The lab's program of a name for its family.
    pub(super) fn lab_program(&self, ipv4: &'static str, ipv6: &'static str) -> &'static str {
        match self.family {
            Family::Ipv4 => ipv4,
            Family::Ipv6 => ipv6,
        }
    }
}

fn padded(frame: &[u8]) -> [u8; FRAME_LEN] {
    let mut bytes = [0; FRAME_LEN];
    bytes[..frame.len()].copy_from_slice(frame);
    bytes
}

pub(super) fn comparisons() -> Vec<Comparison> {
    let established = |name, flows| subject(name, Program::Distribute, ACK, flows);
    let passed = |name, bytes, flows| Subject {
        bytes,
        is_known: false,
        action: XDP_PASS,
        ..established(name, flows)
    };
    let foreign = Frame {
        dvipa: [10, 1, 3, 11],
        tcp_options: 2,
        ..Frame::new(0, ACK)
    };
    let foreign = padded(&foreign.bytes());
    let arp = padded(&frame::arp_request(crate::lab::VIPA.octets()));
    let find = |name, flows| subject(name, Program::Find, ACK, flows);
    let one = find("a look-up, 1 flow", 1);
    let one6 = Subject {
        name: "an IPv6 look-up, 1 flow",
        ..one
    }
    .ipv6(ACK);
    let foreign6 = Frame6 {
        dvipa: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
        payload: 14,
        ..Frame6::new(0, ACK)
    };
    let foreign6 = Subject {
        family: Family::Ipv6,
        ..passed("IPv6, not a VIPA, 1 flow", padded(&foreign6.bytes()), 1)
    };
    let compare = |subject, reference, limit| Comparison {
        subject,
        reference,
        encapsulation: None,
        limit,
    };
    let tunnelled = |name, encapsulation| Comparison {
        encapsulation: Some(encapsulation),
        ..compare(established(name, 1), one, 1.1)
    };
    let (few, many) = (1 << 14, MANY);
    vec![
        compare(established("established, 1 flow", 1), one, 0.7),
        tunnelled("established, in IPIP", RouteEncapsulation::Ipip),
        tunnelled("established, in GRE", RouteEncapsulation::Gre),
        compare(established("established, IPv6", 1).ipv6(ACK), one6, 0.75),
        compare(passed("not a VIPA, 1 flow", foreign, 1), one, 0.3),
        compare(passed("not a VIPA, 1 M flows", foreign, many), one, 0.3),
        compare(foreign6, one, 0.3),
        compare(passed("ARP", arp, 1), one, 0.15),
        compare(
            established("established, 16 k flows", few),
            find("a look-up, 16 k flows", few),
            0.65,
        ),
        compare(
            established("established, 1 M flows", many),
            find("a look-up, 1 M flows", many),
            0.95,
        ),
        compare(
            subject("new flow, stored", Program::Distribute, SYN, ENDLESS),
            subject("an insert", Program::Store, SYN, ENDLESS),
            0.6,
        ),
    ]
}

pub(super) fn flood() -> Comparison {
    Comparison {
        subject: subject(
            "SYN flood, table 0.8 full",
            Program::Distribute,
            SYN,
            ENDLESS,
        ),
        reference: subject("an insert", Program::Store, SYN, ENDLESS),
        encapsulation: None,
        limit: 0.3,
    }
}
