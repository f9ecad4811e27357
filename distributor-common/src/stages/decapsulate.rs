//! From a packet that carries another to the one inside.
//!
//! Only what a member sends to an address of this stack is opened, and only when
//! it carries something for a DVIPA that is here. Everything else may belong to
//! a tunnel of the host's own and is not touched. What was inside counts as
//! coming from that member; it is opened once, whatever it carries in turn.

use core::num::NonZeroU64;

use super::vipa;
use crate::abi::{Called, Sender, TunnelKey};
use crate::checksum;
use crate::counter::{Event, Verdict};
use crate::hash;
use crate::packet::PacketBuf;
use crate::tables::Tables;
use crate::wire::{Be16, Be32, ecn, ethernet, gre, icmp, ipip, ipv4, tcp, udp};

const L3: usize = ethernet::LEN;
/// Behind an outer header without options.
const INNER: usize = L3 + ipv4::MIN_LEN;

/// Whom a packet was sent by, if not by an Ethernet address: the member that has put it into another one.
///
/// It is told apart from an Ethernet address, of 48 bits, by its highest bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carrier(NonZeroU64);

impl Carrier {
    const CARRIED: NonZeroU64 = NonZeroU64::new(1 << 63).expect("not 0");

    #[inline(always)]
    fn new(member: Sender) -> Self {
        Self(Self::CARRIED | u64::from(member.word()))
    }

    /// In the place of an Ethernet address.
    #[inline(always)]
    #[must_use]
    pub const fn source(self) -> u64 {
        self.0.get()
    }

    /// Reads what stands in the place of an Ethernet address; `None` when it is one.
    #[inline(always)]
    #[must_use]
    pub const fn from_source(source: u64) -> Option<Self> {
        match NonZeroU64::new(source) {
            Some(word) if source & Self::CARRIED.get() != 0 => Some(Self(word)),
            _ => None,
        }
    }

    /// The member.
    #[inline(always)]
    #[must_use]
    pub const fn member(self) -> Option<Sender> {
        Sender::from_word(self.0.get() as u32)
    }
}

/// Opens a packet that carries another, and returns who has sent it; `None` when it carries none.
///
/// # Errors
///
/// The verdict, when the packet is none to be opened. It is as it was then.
#[inline(always)]
pub fn open<P: PacketBuf, T: Tables>(
    packet: &mut P,
    tables: &T,
) -> Option<Result<Carrier, Verdict>> {
    let head = packet.window::<INNER>(0)?;
    let overhead = match head.u8::<{ L3 + ipv4::PROTOCOL }>() {
        gre::PROTOCOL => ipv4::MIN_LEN + gre::LEN,
        ipip::PROTOCOL => ipv4::MIN_LEN,
        _ => return None,
    };
    let key = TunnelKey::ipv4(head.word64::<{ L3 + ipv4::ADDRESSES }>());
    let Some(member) = tables.tunnel(&key) else {
        return Some(Err(Verdict::TunnelStranger));
    };
    Some(take_out(packet, overhead, tables).map(|()| Carrier::new(member)))
}

/// Checks the outer header, and takes it away.
#[inline(always)]
fn take_out<P: PacketBuf, T: Tables>(
    packet: &mut P,
    overhead: usize,
    tables: &T,
) -> Result<(), Verdict> {
    let Some(head) = packet.window::<{ INNER + gre::LEN }>(0) else {
        return Err(Verdict::TunnelOdd);
    };
    let has_odd_header =
        overhead != ipv4::MIN_LEN && head.word32::<INNER>() != u32::from_ne_bytes(gre::IPV4);
    let fragment = head.be16::<{ L3 + ipv4::FRAGMENT }>().0;
    if head.u8::<{ L3 + ipv4::VERSION_IHL }>() != ipv4::VERSION_NO_OPTIONS
        || fragment & Be16::from_host(ipv4::FRAGMENT_MASK).0 != 0
        || has_odd_header
    {
        return Err(Verdict::TunnelOdd);
    }
    let outer_len = usize::from(head.be16::<{ L3 + ipv4::TOTAL_LEN }>().host());
    let outer_tos = head.u8::<{ L3 + ipv4::TOS }>();
    let addresses = [
        u64::from(head.be16::<{ ethernet::ADDRESSES }>().0),
        head.word64::<{ ethernet::ADDRESSES + 2 }>(),
        u64::from(head.be16::<{ ethernet::ADDRESSES + 10 }>().0),
    ];
    let Some(mut inner) = packet.window::<{ ipv4::MIN_LEN }>(L3 + overhead) else {
        return Err(Verdict::TunnelOdd);
    };
    let inner_len = usize::from(inner.be16::<{ ipv4::TOTAL_LEN }>().host());
    let is_carried = matches!(
        inner.u8::<{ ipv4::PROTOCOL }>(),
        tcp::PROTOCOL | udp::PROTOCOL | icmp::PROTOCOL
    );
    if inner.u8::<{ ipv4::VERSION_IHL }>() >> 4 != 4
        || !is_carried
        || overhead + inner_len > outer_len
    {
        return Err(Verdict::TunnelOdd);
    }
    let destination = (inner.word64::<{ ipv4::ADDRESSES }>() >> 32) as u32;
    let bit = hash::prefilter(destination);
    if tables.prefilter(bit.word) & bit.mask == 0
        || vipa::find(Called::ipv4(Be32(destination)), tables).is_none()
    {
        return Err(Verdict::TunnelForeign);
    }
    let first = u16::from_ne_bytes([
        inner.u8::<{ ipv4::VERSION_IHL }>(),
        inner.u8::<{ ipv4::TOS }>(),
    ]);
    let marked = congestion(first, outer_tos)?;
    if marked != first {
        let sum = inner.be16::<{ ipv4::TTL + 2 }>().0;
        inner.set_be16::<{ ipv4::VERSION_IHL }>(Be16(marked));
        inner.set_be16::<{ ipv4::TTL + 2 }>(Be16(checksum::replace(sum, first, marked)));
    }
    let Some(mut head) = packet.window::<{ ethernet::LEN }>(overhead) else {
        return Err(Verdict::TunnelOdd);
    };
    head.set_be16::<{ ethernet::ADDRESSES }>(Be16(addresses[0] as u16));
    head.set_word64::<{ ethernet::ADDRESSES + 2 }>(addresses[1]);
    head.set_be16::<{ ethernet::ADDRESSES + 10 }>(Be16(addresses[2] as u16));
    head.set_be16::<{ ethernet::TYPE }>(ethernet::IPV4);
    if !packet.shorten(overhead) {
        return Err(Verdict::TunnelOdd);
    }
    tables.count_event(Event::Decapsulated);
    Ok(())
}

/// The first two bytes of the inner header with what routers have said of congestion to the outer one
/// (RFC 6040 §4.2, figure 4).
#[inline(always)]
fn congestion(first: u16, outer_tos: u8) -> Result<u16, Verdict> {
    let [version, tos] = first.to_ne_bytes();
    let inner = tos & ecn::MASK;
    let mark = match (inner, outer_tos & ecn::MASK) {
        (ecn::NOT_CAPABLE, ecn::EXPERIENCED) => return Err(Verdict::Congested),
        (ecn::NOT_CAPABLE | ecn::EXPERIENCED, _) => inner,
        (_, ecn::EXPERIENCED) => ecn::EXPERIENCED,
        (_, ecn::CAPABLE_1) => ecn::CAPABLE_1,
        _ => inner,
    };
    Ok(u16::from_ne_bytes([version, tos & !ecn::MASK | mark]))
}
