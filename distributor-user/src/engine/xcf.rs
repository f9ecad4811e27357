//! By which addresses a stack is known: its DYNAMICXCF addresses.
//!
//! A stack has one of IPv4, one of IPv6, or one of each. It is a target of a
//! DVIPA by the one of the DVIPA's family, and of no DVIPA of a family of which
//! it has none; it may own such a DVIPA all the same. What is about no DVIPA
//! names it by its first one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[cfg(test)]
mod tests;

/// The DYNAMICXCF addresses of a stack, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct XcfAddresses {
    /// IPv4, if there is one.
    first: IpAddr,
    /// IPv6, beside one of IPv4.
    second: Option<Ipv6Addr>,
}

impl XcfAddresses {
    /// The addresses of a stack that has these; `None` if it has none.
    #[must_use]
    pub fn new(ipv4: Option<Ipv4Addr>, ipv6: Option<Ipv6Addr>) -> Option<Self> {
        match (ipv4, ipv6) {
            (Some(ipv4), second) => Some(Self {
                first: IpAddr::V4(ipv4),
                second,
            }),
            (None, Some(ipv6)) => Some(Self::from(IpAddr::V6(ipv6))),
            (None, None) => None,
        }
    }

    /// The addresses of a stack that has all of these; of each family, the first one.
    #[must_use]
    pub fn of(addresses: impl IntoIterator<Item = IpAddr>) -> Option<Self> {
        let (mut ipv4, mut ipv6) = (None, None);
        for address in addresses {
            match address {
                IpAddr::V4(address) => ipv4 = ipv4.or(Some(address)),
                IpAddr::V6(address) => ipv6 = ipv6.or(Some(address)),
            }
        }
        Self::new(ipv4, ipv6)
    }

    /// The address that stands for the stack where no family is meant: IPv4, if it has one.
    #[must_use]
    pub fn first(self) -> IpAddr {
        self.first
    }

    /// The IPv4 address.
    #[must_use]
    pub fn ipv4(self) -> Option<Ipv4Addr> {
        match self.first {
            IpAddr::V4(ipv4) => Some(ipv4),
            IpAddr::V6(_) => None,
        }
    }

    /// The IPv6 address.
    #[must_use]
    pub fn ipv6(self) -> Option<Ipv6Addr> {
        match self.first {
            IpAddr::V4(_) => self.second,
            IpAddr::V6(ipv6) => Some(ipv6),
        }
    }

    /// The address by which the stack is a target of `dvipa`; `None` if it cannot be one.
    #[must_use]
    pub fn as_target(self, dvipa: IpAddr) -> Option<IpAddr> {
        match dvipa {
            IpAddr::V4(_) => self.ipv4().map(IpAddr::V4),
            IpAddr::V6(_) => self.ipv6().map(IpAddr::V6),
        }
    }

    /// The address that stands for the stack where it is about `dvipa`, be it a target or not.
    #[must_use]
    pub fn about(self, dvipa: IpAddr) -> IpAddr {
        self.as_target(dvipa).unwrap_or(self.first)
    }

    /// Whether the stack has this one.
    #[must_use]
    pub fn contain(self, address: IpAddr) -> bool {
        self.iter().any(|own| own == address)
    }

    /// Whether two stacks have one in common.
    #[must_use]
    pub fn overlap(self, other: Self) -> bool {
        self.iter().any(|own| other.contain(own))
    }

    /// Lists them, IPv4 first.
    pub fn iter(self) -> impl Iterator<Item = IpAddr> {
        let second = self.second.map(IpAddr::V6);
        [self.first].into_iter().chain(second)
    }
}

/// The addresses of a stack that has only this one.
impl From<IpAddr> for XcfAddresses {
    fn from(address: IpAddr) -> Self {
        Self {
            first: address,
            second: None,
        }
    }
}

impl fmt::Display for XcfAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.second {
            None => self.first.fmt(f),
            Some(second) => write!(f, "{}, {second}", self.first),
        }
    }
}
