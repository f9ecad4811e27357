//! The IPv6 header (RFC 8200 §3), what may be between it and the payload, and ICMP for IPv6.

/// Length of the header.
pub const LEN: usize = 40;
/// Version, in the upper half of the byte.
pub const VERSION: usize = 0;
/// Length of all behind the header.
pub const PAYLOAD_LEN: usize = 4;
/// What is behind the header: a protocol number.
pub const NEXT_HEADER: usize = 6;
/// Hop limit.
pub const HOP_LIMIT: usize = 7;
/// Source address.
pub const SOURCE: usize = 8;
/// Destination address.
pub const DESTINATION: usize = 24;
/// First byte of the address of a group (RFC 4291 §2.7).
pub const GROUP: u8 = 0xff;

/// Extension headers (RFC 8200 §4); offsets from the first byte of one.
pub mod extension {
    /// Length of the shortest, and the unit of their lengths.
    pub const UNIT: usize = 8;
    /// What is behind it: a protocol number.
    pub const NEXT_HEADER: usize = 0;
    /// Length in units, without the first.
    pub const LEN: usize = 1;
    /// Of a routing header: how many hosts are still to be visited.
    pub const SEGMENTS_LEFT: usize = 3;

    /// Number of the header for every router.
    pub const HOP_BY_HOP: u8 = 0;
    /// Number of the header that lists hosts to be visited.
    pub const ROUTING: u8 = 43;
    /// Number of the header of a fragment.
    pub const FRAGMENT: u8 = 44;
    /// Number of the header for the destination.
    pub const OPTIONS: u8 = 60;
}

/// ICMP for IPv6 (RFC 4443); offsets from its first byte.
pub mod icmp {
    /// Protocol number.
    pub const PROTOCOL: u8 = 58;
    /// Length of the header; in an error, the packet that it is about follows.
    pub const LEN: usize = 8;
    /// Type of the message.
    pub const KIND: usize = 0;

    /// Packet too big, among the errors.
    pub const TOO_BIG: u8 = 2;
    /// The last of the types of errors about a packet that there are.
    const PARAMETER_PROBLEM: u8 = 4;

    /// Neighbour Solicitation (RFC 4861 §4.3).
    pub const SOLICITATION: u8 = 135;
    /// Length of one without options.
    pub const SOLICITATION_LEN: usize = 24;
    /// The address that it asks for.
    pub const TARGET: usize = 8;

    /// Whether a message of this type is an error about a packet (RFC 4443 §2.1).
    #[inline(always)]
    #[must_use]
    pub const fn is_error(kind: u8) -> bool {
        matches!(kind, 1..=PARAMETER_PROBLEM)
    }
}
