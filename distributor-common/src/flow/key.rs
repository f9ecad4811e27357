//! Who a flow belongs to, and who keeps a target.

use crate::abi::{Called, Family, Name};
use crate::hash;
use crate::wire::{Be16, Be32, tcp};

/// Who a flow belongs to, in the byte order of the packet.
///
/// Of IPv6 it says the client's address by a [digest](hash::digest) and the DVIPA by its [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// Source address in the lower half, destination in the upper, in the order of memory.
    pub addresses: u64,
    /// Source port in the lower half, destination in the upper, in the order of memory.
    pub ports: u32,
    /// Transport protocol number.
    pub protocol: u8,
    /// Which version of IP it is of.
    pub family: Family,
}

impl FlowKey {
    /// The part of [`ports`](Self::ports) that is the service's.
    const SERVICE_PORT: u32 = 0xffff << 16;

    /// Puts a key together from what people call things.
    #[must_use]
    pub const fn tcp(client: [u8; 4], client_port: u16, dvipa: [u8; 4], port: u16) -> Self {
        Self {
            addresses: Be32::from_bytes(client).0 as u64 | (Be32::from_bytes(dvipa).0 as u64) << 32,
            ports: Be16::from_host(client_port).0 as u32 | (Be16::from_host(port).0 as u32) << 16,
            protocol: tcp::PROTOCOL,
            family: Family::Ipv4,
        }
    }

    /// The same for IPv6.
    #[must_use]
    pub const fn tcp_ipv6(digest: u32, client_port: u16, dvipa: Name, port: u16) -> Self {
        Self {
            addresses: digest as u64 | (dvipa.word() as u64) << 32,
            family: Family::Ipv6,
            ..Self::tcp([0; 4], client_port, [0; 4], port)
        }
    }

    /// The client's address; of IPv6, the digest of it.
    #[inline(always)]
    #[must_use]
    pub const fn client(&self) -> Be32 {
        Be32(self.addresses as u32)
    }

    /// The DVIPA.
    #[inline(always)]
    #[must_use]
    pub const fn dvipa(&self) -> Called {
        Called {
            word: (self.addresses >> 32) as u32,
            family: self.family,
        }
    }

    /// The client's port.
    #[inline(always)]
    #[must_use]
    pub const fn client_port(&self) -> Be16 {
        Be16(self.ports as u16)
    }

    /// The service's port.
    #[inline(always)]
    #[must_use]
    pub const fn port(&self) -> Be16 {
        Be16((self.ports >> 16) as u16)
    }

    /// The key under which the client of this flow keeps its target.
    #[inline(always)]
    #[must_use]
    pub const fn affinity(self) -> Self {
        Self {
            ports: self.ports & Self::SERVICE_PORT,
            ..self
        }
    }

    /// Whether this is no flow, but a client that keeps its target.
    #[inline(always)]
    #[must_use]
    pub const fn is_affinity(&self) -> bool {
        self.ports & !Self::SERVICE_PORT == 0
    }

    /// The hash by which the flow is offered to targets that may know it.
    #[inline(always)]
    #[must_use]
    pub const fn offer_hash(&self) -> u64 {
        hash::offer(self.addresses, self.ports, self.protocol)
    }

    /// The hash that finds the flow's bucket.
    #[inline(always)]
    #[must_use]
    pub const fn hash(&self, seeds: [u64; 2]) -> u64 {
        hash::flow(self.addresses, self.ports, self.protocol, seeds)
    }
}
